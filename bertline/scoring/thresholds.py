"""Turn a classifier's logits into probabilities and classes: temperature and threshold.

The temperature is 1, or chosen on the validation fold, which no test set has a part in. The class
is the one of the highest probability; of two classes, the second above a threshold, which is one
half or chosen on the same fold.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

HALF = 0.5
# Temperatures that are tried: at .05 probabilities are all but 0 and 1, at 20 all but one half.
TEMPERATURES = (0.05, 20.0)
DIGITS = 6  # of temperatures and thresholds, so that what is written is what is used


@dataclass(frozen=True)
class Decision:
    """How a model's sentence gets its probabilities and its class.

    threshold: of two classes, the probability above which the answer is the second; None of more.
    """

    threshold: float | None = None
    temperature: float = 1.0

    def predict(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the class of each sentence, shape (n,); probabilities: (n, K)."""
        if self.threshold is None:
            return probabilities.argmax(axis=1)
        return (probabilities[:, 1].astype(np.float64) > self.threshold).astype(np.int64)


def probabilities_of(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the softmax of logits at a temperature, both of shape (n, K), float32."""
    return special.softmax(logits.astype(np.float64) / temperature, axis=1).astype(np.float32)


def log_loss(labels: np.ndarray, logits: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean negative log likelihood of labels (n,) by logits (n, K)."""
    scaled = logits.astype(np.float64) / temperature
    places = np.arange(len(labels))
    apart = scaled - scaled[places, labels, None]
    apart[places, labels] = -np.inf  # so that a loss near 0 keeps its digits
    return float(np.logaddexp(0, special.logsumexp(apart, axis=1)).mean())


def fit_temperature(labels: np.ndarray, logits: np.ndarray) -> float:
    """Return the temperature of least log loss (Guo et al. 2017, ICML, section 4.2).

    labels: shape (n,), numbers of classes; logits: shape (n, K).
    """
    found = optimize.minimize_scalar(
        lambda log_temperature: log_loss(labels, logits, np.exp(log_temperature)),
        bounds=tuple(np.log(TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-8},
    ).x
    return round(float(np.exp(found)), DIGITS)


def choose_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the threshold with the highest MCC, of several the one nearest to one half.

    labels: shape (n,), 0 or 1; probabilities: of class 1, (n,). Candidates lie in the middle
    between neighbouring probabilities.
    """
    values, place = np.unique(probabilities.astype(np.float64), return_inverse=True)
    if len(values) < 2:
        return HALF
    positive = np.bincount(place, labels == 1)
    negative = np.bincount(place, labels != 1)
    # Sentences at or below each value but the last are put into class 0.
    false_negative, true_negative = positive.cumsum()[:-1], negative.cumsum()[:-1]
    scores = mcc_of_counts(
        positive.sum() - false_negative,
        negative.sum() - true_negative,
        false_negative,
        true_negative,
    )
    middles = (values[:-1] + values[1:]) / 2
    # One half itself is a candidate wherever it parts the same two neighbours.
    middles = np.where((values[:-1] <= HALF) & (values[1:] > HALF), HALF, middles)
    best = middles[scores >= scores.max() - 1e-12]
    return round(float(best[np.argmin(np.abs(best - HALF))]), DIGITS)


def mcc_of_counts(
    true_positive: np.ndarray,
    false_positive: np.ndarray,
    false_negative: np.ndarray,
    true_negative: np.ndarray,
) -> np.ndarray:
    """Return Matthews correlation of arrays of confusion counts; 0 where it is undefined.

    Undefined is a set with one class, or with one prediction; scikit-learn calls it 0 as well.
    """
    tp, fp, fn, tn = (
        np.asarray(counts, dtype=np.float64)
        for counts in (true_positive, false_positive, false_negative, true_negative)
    )
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    difference = tp * tn - fp * fn
    return np.divide(difference, np.sqrt(product), out=np.zeros_like(difference), where=product > 0)
