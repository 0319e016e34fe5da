"""How far a mean MCC may lie from the truth: intervals without resampling, and so without a seed.

A run is S seeds that labelled the same n sentences. The estimate is of the MCC that one would
expect of another seed on other sentences of the same kind, so both count as drawn (`variance`).

MCC is Pearson's correlation of two binary variables, and what sentence i adds to it is to first
order phi_i / n with phi_i = y p - r (y^2 + p^2) / 2, where y and p are label and prediction
standardised and r is the MCC (Devlin, Gnanadesikan and Kettenring 1975, Biometrika 62(3)).

- Interval: on Fisher's z scale, quantiles of t with degrees of freedom by Satterthwaite (1946).
- Half a sentence is added to each of the four cells of label and prediction (Haldane 1956):
  intervals then hold for groups of 20 sentences, and for models without errors.
- Error rates: Wilson's score interval (1927).

docs/statistics.md has the coverage of all this in simulations, and benchmarks/coverage.py makes it.
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

from bertline.scoring import variance

PSEUDO = 2.0  # weight that all pseudo-sentences have together


@dataclass(frozen=True)
class Interval:
    """A mean MCC over seeds and what is known of its error.

    low, high: None where nothing is known: labels of one class, or predictions of one class by
    every seed; MCC is 0 by convention there. se_sentences, se_seeds: standard errors from the draw
    of sentences and of seeds; with one seed the latter is None, and the interval is that of this
    one model. df: degrees of freedom of the whole standard error.
    """

    estimate: float
    low: float | None
    high: float | None
    seeds: int
    sentences: int
    by_seed: tuple[float, ...]
    se: float | None = None
    se_sentences: float | None = None
    se_seeds: float | None = None
    df: float | None = None

    @property
    def sd(self) -> float | None:
        """The standard deviation over seeds, None for one seed."""
        return float(np.std(self.by_seed, ddof=1)) if self.seeds > 1 else None


@dataclass(frozen=True)
class Influences:
    """A run with pseudo-sentences behind: MCC (S,), and the share of each sentence in it (S, n)."""

    mcc: np.ndarray
    influence: np.ndarray


def mcc(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the MCC of each row of `predicted`, shape (S, n); labels: (n,). 0 where undefined."""
    return _correlate(*as_booleans(labels, predicted), np.ones(len(labels))).mcc


def interval(
    labels: np.ndarray,
    predicted: np.ndarray,
    confidence: float = 0.95,
    clusters: np.ndarray | None = None,
) -> Interval:
    """Return the mean MCC over seeds with an interval for its expectation.

    labels: shape (n,), 0 or 1; predicted: shape (S, n), a row for each seed, or (n,) for one.
    clusters: shape (n,), equal where sentences are not independent, such as the two of a minimal
    pair; without it all sentences are independent.
    """
    labels, predicted = as_booleans(labels, predicted)
    by_seed = mcc(labels, predicted)
    found = Interval(
        float(by_seed.mean()), None, None, len(predicted), len(labels), tuple(by_seed.tolist())
    )
    groups = number_clusters(len(labels), clusters)
    if len(np.unique(labels)) < 2 or np.all(predicted == predicted[:, :1]) or groups.max() < 1:
        return found
    (side,), groups, number = smooth(labels, [predicted], groups)
    sentences = variance.by_sentence(side.influence.mean(axis=0), groups, number)
    seeds = variance.by_seed(side.mcc, side.influence, groups, number)
    se, df = variance.combine(sentences, [seeds] if seeds else [])
    middle = side.mcc.mean()
    reach = stats.t.isf((1 - confidence) / 2, df) * se / (1 - middle**2)
    low, high = np.tanh(np.arctanh(middle) + np.array([-reach, reach]))
    return Interval(
        found.estimate,
        float(min(low, found.estimate)),
        float(max(high, found.estimate)),
        found.seeds,
        found.sentences,
        found.by_seed,
        se,
        math.sqrt(sentences.value),
        math.sqrt(seeds.alone) if seeds else None,
        df,
    )


def share_interval(errors: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval (1927) of a share of `errors` in `n`, NaN for n = 0.

    errors may be a mean over seeds. The interval covers the draw of sentences.
    """
    if n < 1:
        return math.nan, math.nan
    z2 = stats.norm.isf((1 - confidence) / 2) ** 2
    share = errors / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low, high = max(0.0, float(middle - reach)), min(1.0, float(middle + reach))
    return min(low, share), max(high, share)


# --- the arithmetic, of differences as well -------------------------------------------------------


def as_booleans(labels: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) and predictions (S, n) as booleans; ValueError if their lengths differ."""
    labels = np.asarray(labels).astype(bool)
    predicted = np.atleast_2d(np.asarray(predicted)).astype(bool)
    if predicted.shape[1] != len(labels):
        raise ValueError(f"{predicted.shape[1]} predictions for {len(labels)} labels")
    return labels, predicted


def number_clusters(n: int, clusters: np.ndarray | None) -> np.ndarray:
    """Return the number of each sentence's cluster, from 0, shape (n,)."""
    return np.arange(n) if clusters is None else variance.number_clusters(np.asarray(clusters))


def smooth(
    labels: np.ndarray, runs: list[np.ndarray], groups: np.ndarray
) -> tuple[list[Influences], np.ndarray, int]:
    """Return each run with pseudo-sentences added, all clusters, and the number of the real ones.

    A pseudo-sentence for each combination of label and the runs' predictions, each its own cluster,
    PSEUDO in weight together; influences are scaled by the root of the weight, so that a fraction
    of a sentence counts as that much of one.
    """
    cells = np.array(list(product((0, 1), repeat=1 + len(runs))), dtype=bool).T
    pseudo = cells.shape[1]
    number = int(groups.max()) + 1
    weights = np.append(np.ones(len(labels)), np.full(pseudo, PSEUDO / pseudo))
    sides = []
    for predicted, row in zip(runs, cells[1:], strict=True):
        more = np.broadcast_to(row, (len(predicted), pseudo))
        side = _correlate(np.append(labels, cells[0]), np.hstack([predicted, more]), weights)
        # A model that always answers the same has an MCC of 0 whatever the sentences.
        constant = np.all(predicted == predicted[:, :1], axis=1)
        influence = np.where(constant[:, None], 0.0, side.influence)
        sides.append(Influences(np.where(constant, 0.0, side.mcc), influence))
    return sides, np.append(groups, number + np.arange(pseudo)), number


def _correlate(labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Influences:
    """Return MCC and influences of weighted sentences; 0 for rows where MCC is undefined."""
    total = weights.sum()
    share = weights / total

    def mean(values: np.ndarray) -> np.ndarray:
        # No matrix product: that of a linear algebra library rounds as its threads divide it.
        return (values * share).sum(axis=-1, keepdims=True)

    y = labels - mean(labels)
    p = predicted - mean(predicted)
    various = np.any(predicted != predicted[:, :1], axis=1, keepdims=True)
    defined = labels.any() & ~labels.all() & various
    variance_y = np.where(defined, mean(y**2), 1.0)
    variance_p = np.where(defined, mean(p**2), 1.0)
    r = np.where(defined, np.clip(mean(p * y) / np.sqrt(variance_y * variance_p), -1.0, 1.0), 0.0)
    phi = y * p / np.sqrt(variance_y * variance_p) - r / 2 * (y**2 / variance_y + p**2 / variance_p)
    return Influences(r[:, 0], np.where(defined, phi, 0.0) * np.sqrt(weights) / total)
