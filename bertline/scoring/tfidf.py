"""The baseline that knows words and no grammar: TF-IDF and a logistic regression."""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits

from bertline.core.errors import BertlineError

# Words and punctuation marks as tokens: both tell acceptable sentences from others.
TOKEN = r"\w+|[^\w\s]"
NGRAMS = (1, 3)
# Inverse strengths of regularisation, of which cross-validation on the training fold takes one.
STRENGTHS = (1.0, 10.0, 100.0)
TOLERANCE = 1e-8  # of the gradient; probabilities then agree to seven digits everywhere


def fit(texts: pd.Series, labels: np.ndarray) -> Pipeline:
    """Return the baseline, fitted: TF-IDF of word 1- to 3-grams and a logistic regression on top.

    The classes weigh the same, as they do in MCC, and five-fold cross-validation for MCC chooses
    the strength of regularisation, so that the baseline is a fair one. Raises BertlineError if a
    label has fewer than two sentences.

    liblinear (Fan et al. 2008) runs to a tight tolerance on one thread: lbfgs stops well before,
    and where it stops depends on the threads and the routines of the linear algebra library, which
    moved MCC by up to .012 between two machines.
    """
    folds = int(min(5, *np.bincount(labels, minlength=2)))
    if folds < 2:
        raise BertlineError(
            "the baseline needs two training sentences of each label at least; the training fold "
            "has one of them once or never. Add sentences, or lower split.validation."
        )
    regression = LogisticRegressionCV(
        Cs=STRENGTHS,
        l1_ratios=(0.0,),
        cv=folds,
        scoring="matthews_corrcoef",
        class_weight="balanced",
        solver="liblinear",
        tol=TOLERANCE,
        max_iter=1000,
        use_legacy_attributes=False,
    )
    vectorizer = TfidfVectorizer(token_pattern=TOKEN, ngram_range=NGRAMS, sublinear_tf=True)
    with threadpool_limits(1, user_api="blas"):
        return make_pipeline(vectorizer, regression).fit(texts, labels)
