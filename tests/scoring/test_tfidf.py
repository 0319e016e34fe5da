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
            fitted = tfidf.fit(sentences["text"], sentences["label"].to_numpy(), 2)
            found.append(fitted.predict(fresh["text"]))

    assert found[0].tobytes() == found[1].tobytes()
    # "sings" is acceptable here and "sing" is not, so words alone suffice.
    assert matthews_corrcoef(fresh["label"], found[0][:, 1] > 0.5) > 0.9


def make_texts(classes: int, n: int, seed: int = 0) -> tuple[pd.Series, np.ndarray]:
    """Return texts with a word of their class, every fifth of another, and the classes."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    told = np.where(random.random(n) < 0.2, random.integers(0, classes, n), labels)
    return pd.Series([f"a word{word} of {random.integers(50)}" for word in told]), labels


@pytest.mark.parametrize("affordable", [0, tfidf.AFFORDABLE], ids=["usual", "cross-validated"])
def test_many_classes_are_learnt_with_a_regression_each(affordable, monkeypatch):
    monkeypatch.setattr(tfidf, "AFFORDABLE", affordable)
    texts, labels = make_texts(12, 360)

    found = [tfidf.fit(texts, labels, 12).predict(texts[:50]) for _ in range(2)]

    assert found[0].tobytes() == found[1].tobytes()
    assert found[0].shape == (50, 12)
    assert found[0].sum(axis=1) == pytest.approx(1)
    assert (found[0].argmax(axis=1) == labels[:50]).mean() > 0.7


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        pytest.param([0, 0, 0, 0, 1], 2, id="two"),
        pytest.param([0, 0, 0, 1, 1, 1, 2], 3, id="many"),
        pytest.param([0, 1, 2], 3, id="one-each"),
        pytest.param([0, 0, 0, 2, 2, 2], 4, id="some-without"),
    ],
)
def test_a_class_may_have_one_text_or_none(labels, classes):
    texts = pd.Series([f"text {label} number {place}" for place, label in enumerate(labels)])

    found = tfidf.fit(texts, np.array(labels), classes).predict(texts)

    assert found.shape == (len(labels), classes)
    assert not found[:, sorted(set(range(classes)) - set(labels))].any()
    assert (found.argmax(axis=1) == labels).mean() > 0.7


def test_texts_of_one_class_are_refused():
    texts = pd.Series(["a b", "b c", "c d", "d e"])

    with pytest.raises(BertlineError, match="two classes at least, and the training fold has one"):
        tfidf.fit(texts, np.zeros(4, int), 2)
