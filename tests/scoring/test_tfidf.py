"""The baseline: what words tell, which labels it needs, and the same bytes on any threads."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef
from threadpoolctl import threadpool_limits

from bertline.core.errors import BertlineError
from bertline.scoring import tfidf
from tests import tiny


def test_baseline_learns_what_words_tell_on_any_number_of_threads():
    sentences, fresh = tiny.sentences(120), tiny.sentences(60, seed=9)

    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fitted = tfidf.fit(sentences["text"], sentences["label"].to_numpy())
            found.append(fitted.predict_proba(fresh["text"]))

    assert found[0].tobytes() == found[1].tobytes()
    # "sings" is acceptable here and "sing" is not, so words alone suffice.
    assert matthews_corrcoef(fresh["label"], found[0][:, 1] > 0.5) > 0.9


@pytest.mark.parametrize("labels", [[1, 1, 1, 0], [0, 0, 0, 0]])
def test_a_label_that_hardly_occurs_is_refused(labels):
    texts = pd.Series(["a b", "b c", "c d", "d e"])

    with pytest.raises(BertlineError, match="two training sentences of each label"):
        tfidf.fit(texts, np.array(labels))
