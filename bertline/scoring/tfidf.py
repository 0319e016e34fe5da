"""The baseline: TF-IDF of words and their neighbours, and a logistic regression."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_limits

from bertline.core import console
from bertline.core.errors import BertlineError

# Words and punctuation marks as tokens: both are evidence of acceptability.
TOKEN = r"\w+|[^\w\s]"
NGRAMS = (1, 3)  # of two classes
NGRAMS_OF_MANY = (1, 2)  # of more: a third of the time
# Inverse strengths of regularisation, of which cross-validation on the training fold takes one.
STRENGTHS = (1.0, 10.0, 100.0)
USUAL = 10.0  # where there is no cross-validation
FOLDS = 5
TOLERANCE = 1e-8  # of the gradient; probabilities then agree to seven digits everywhere
# Weights of terms in texts, times classes, up to which there is cross-validation: a minute.
AFFORDABLE = 12_000_000


@dataclass(frozen=True)
class Baseline:
    """The baseline, fitted. classes: how many there are, also where the training fold lacks one."""

    vectorizer: TfidfVectorizer
    regression: ClassifierMixin
    classes: int

    def predict(self, texts: pd.Series) -> np.ndarray:
        """Return the probability of each class, shape (n, classes)."""
        with threadpool_limits(1, user_api="blas"):
            found = self.regression.predict_proba(self.vectorizer.transform(texts))
        probabilities = np.zeros((len(texts), self.classes))
        probabilities[:, self.regression.classes_] = found
        return probabilities


def fit(texts: pd.Series, labels: np.ndarray, classes: int) -> Baseline:
    """Return the baseline, fitted: TF-IDF of word n-grams and a logistic regression on top.

    labels: numbers of the classes, of which there are `classes`. They weigh the same, as they
    nearly do in MCC, and five-fold cross-validation for MCC chooses the strength of regularisation,
    so that the baseline is a fair one; not where it would take minutes, or where a class has one
    text. More than two classes have a regression each, against the rest. Raises BertlineError if
    all texts are of one class.

    liblinear (Fan et al. 2008) runs to a tight tolerance on one thread: lbfgs stops well before,
    and where it stops depends on the threads and the routines of the linear algebra library, which
    moved MCC by up to .012 between two machines.
    """
    counts = np.bincount(labels, minlength=classes)
    if (counts > 0).sum() < 2:
        raise BertlineError(
            "the baseline needs training sentences of two classes at least, and the training fold "
            "has one class. Add sentences of others, or lower split.validation and split.test."
        )
    ngrams = NGRAMS if classes == 2 else NGRAMS_OF_MANY
    vectorizer = TfidfVectorizer(token_pattern=TOKEN, ngram_range=ngrams, sublinear_tf=True)
    with threadpool_limits(1, user_api="blas"):
        features = vectorizer.fit_transform(texts)
        regress = _regress_two if classes == 2 else _regress_many
        return Baseline(vectorizer, regress(features, labels, counts), classes)


def _regress_two(
    features: sparse.csr_matrix, labels: np.ndarray, counts: np.ndarray
) -> ClassifierMixin:
    """Return the regression of two classes."""
    folds = int(min(FOLDS, *counts))
    if folds < 2:
        return _logistic().fit(features, labels)
    return LogisticRegressionCV(
        Cs=STRENGTHS,
        l1_ratios=(0.0,),
        cv=folds,
        scoring="matthews_corrcoef",
        class_weight="balanced",
        solver="liblinear",
        tol=TOLERANCE,
        max_iter=1000,
        use_legacy_attributes=False,
    ).fit(features, labels)


def _regress_many(
    features: sparse.csr_matrix, labels: np.ndarray, counts: np.ndarray
) -> ClassifierMixin:
    """Return a regression of each class against the rest."""
    model = OneVsRestClassifier(_logistic())
    folds = int(min(FOLDS, counts.max()))
    if folds < 2 or features.nnz * len(counts) > AFFORDABLE:
        console.log(f"{len(counts)} classes: the baseline is fitted without cross-validation")
        return model.fit(features, labels)
    search = GridSearchCV(
        model,
        {"estimator__C": list(STRENGTHS)},
        scoring="matthews_corrcoef",
        cv=StratifiedKFold(folds),
    )
    with warnings.catch_warnings():
        # A class of fewer texts than folds is in some of them only.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return search.fit(features, labels)


def _logistic() -> LogisticRegression:
    return LogisticRegression(
        C=USUAL, class_weight="balanced", solver="liblinear", tol=TOLERANCE, max_iter=1000
    )
