"""Scores as functions of the cells of a confusion matrix, and their gradients.

A score of K classes is a function of the shares of sentences in the K x K cells of actual and
predicted class. By the delta method, what a sentence adds to it is to first order the gradient of
the score by the sentence's cell, less the mean of the gradient over all sentences, divided by their
number. So one method serves every score (`intervals`).

- MCC is Matthews correlation (1975), for more than two classes Gorodkin's R_K (2004, Computational
  Biology and Chemistry 28(5-6)). For two classes its gradient gives the influence of a correlation
  (Devlin, Gnanadesikan and Kettenring 1975, Biometrika 62(3)).
- Macro F1 is the mean of F1 over the classes that occur in a set (Opitz and Burst 2019, arXiv
  1911.03347, say why this mean and not that of harmonic means). A class that a set lacks is none of
  its classes, even if a model predicts it, so that all models have the same ones.
- Precision, recall and F1 of a class are of two classes: this one, number 1, and the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Values (S,) and gradients (S, K, K) of shares (S, K, K), by which classes occur (K,).
Function = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Score:
    """A score of a confusion matrix. The best is 1.

    title: its name in a sentence; function: of shares, in which every cell has some; defined: of
    counts (S, K, K), for which of them there is a value, shape (S,); lowest: the least value;
    share: whether it is a share of some sentences; bias: of shares, times the number of sentences,
    what the score of few is expected to be off.
    """

    title: str
    function: Function
    defined: Callable[[np.ndarray], np.ndarray]
    lowest: float = 0.0
    share: bool = False
    bias: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


def count(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return the confusion matrix of each row of predictions, shape (S, classes, classes).

    labels: shape (n,), predicted: (S, n), class numbers; the first axis of a matrix is the label.
    """
    places = labels * classes + predicted
    rows = [np.bincount(row, minlength=classes * classes) for row in places]
    return np.array(rows, dtype=np.float64).reshape(-1, classes, classes)


def evaluate(score: Score, counts: np.ndarray) -> np.ndarray:
    """Return the score of each confusion matrix, shape (S,), 0 where it is undefined.

    scikit-learn calls an undefined one 0 as well.
    """
    defined = score.defined(counts)
    total = np.maximum(counts.sum(axis=(1, 2), keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values, _ = score.function(counts / total, counts[0].sum(axis=1) > 0)
    return np.where(defined, values, 0.0)


def _correlation(shares: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R_K = (trace - sum t p) / sqrt((1 - sum t^2) (1 - sum p^2)), t and p the margins."""
    actual, predicted = shares.sum(axis=2, keepdims=True), shares.sum(axis=1, keepdims=True)
    of_actual, of_predicted = np.swapaxes(actual, 1, 2), np.swapaxes(predicted, 1, 2)
    diagonal = np.trace(shares, axis1=1, axis2=2)[:, None, None]
    covariance = diagonal - (actual * of_predicted).sum(axis=1, keepdims=True)
    spread_actual = 1 - (actual**2).sum(axis=1, keepdims=True)
    spread_predicted = 1 - (predicted**2).sum(axis=2, keepdims=True)
    root = np.sqrt(spread_actual * spread_predicted)
    value = np.clip(covariance / root, -1.0, 1.0)
    gradient = (np.eye(shares.shape[1]) - of_predicted - of_actual) / root
    gradient = gradient + value * (actual / spread_actual + predicted / spread_predicted)
    return value[:, 0, 0], gradient


def _mean_f1(shares: np.ndarray, occur: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of 2 c_kk / (t_k + p_k) over the classes that occur."""
    both = shares.sum(axis=2) + shares.sum(axis=1)
    part = np.divide(occur / occur.sum(), both, out=np.zeros_like(both), where=both > 0)
    of_class = 2 * np.diagonal(shares, axis1=1, axis2=2) * part
    lost = np.divide(of_class, both, out=np.zeros_like(both), where=both > 0)
    gradient = 2 * part[:, :, None] * np.eye(len(occur)) - lost[:, :, None] - lost[:, None, :]
    return of_class.sum(axis=1), gradient


def _bias_of_mean_f1(shares: np.ndarray, occur: np.ndarray) -> np.ndarray:
    """The mean of -f (1 - f) / (t_k + p_k): the second-order terms of a ratio of Poisson counts."""
    both = (shares.sum(axis=2) + shares.sum(axis=1))[:, occur]
    of_class = 2 * np.diagonal(shares, axis1=1, axis2=2)[:, occur] / both
    return -(of_class * (1 - of_class) / both).mean(axis=1)


def _ratio(above: np.ndarray | None, below: np.ndarray | None) -> Function:
    """Return the function that divides one weighted sum of cells by another.

    None: the diagonal above, and all cells below, of any number of classes.
    """

    def function(shares: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        top = np.eye(shares.shape[1]) if above is None else above
        bottom = np.ones(shares.shape[1:]) if below is None else below
        part = (bottom * shares).sum(axis=(1, 2), keepdims=True)
        value = (top * shares).sum(axis=(1, 2), keepdims=True) / part
        return value[:, 0, 0], (top - value * bottom) / part

    return function


def _several(counts: np.ndarray) -> np.ndarray:
    """Whether labels and predictions are each of more than one class."""
    actual, predicted = ((counts.sum(axis=axis) > 0).sum(axis=1) for axis in (2, 1))
    return (actual > 1) & (predicted > 1)


def _any(counts: np.ndarray) -> np.ndarray:
    return counts.sum(axis=(1, 2)) > 0


def _occurs(counts: np.ndarray) -> np.ndarray:
    return counts[:, 1].sum(axis=1) > 0


def _predicted(counts: np.ndarray) -> np.ndarray:
    return counts[:, :, 1].sum(axis=1) > 0


HIT = np.array([[0.0, 0.0], [0.0, 1.0]])
ACTUAL = np.array([[0.0, 0.0], [1.0, 1.0]])
PREDICTED = ACTUAL.T

MCC = Score("MCC", _correlation, _several, -1.0)
MACRO_F1 = Score("macro F1", _mean_f1, _any, bias=_bias_of_mean_f1)
ACCURACY = Score("accuracy", _ratio(None, None), _any, share=True)
# By the names of their columns.
SCORES = {"mcc": MCC, "macro_f1": MACRO_F1, "accuracy": ACCURACY}

PRECISION = Score("precision", _ratio(HIT, PREDICTED), _predicted, share=True)
RECALL = Score("recall", _ratio(HIT, ACTUAL), _occurs, share=True)
F1 = Score("F1", _ratio(2 * HIT, ACTUAL + PREDICTED), _occurs)
# Of a class, which is number 1 of two.
OF_CLASS = {"precision": PRECISION, "recall": RECALL, "f1": F1}
