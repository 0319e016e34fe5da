"""How far a mean score may lie from the truth: intervals without resampling, so without a seed.

A run is S seeds that labelled the same n sentences. The estimate is of the score that one would
expect of another seed on other sentences of the same kind, so both count as drawn (`variance`).
What a sentence adds to a score follows from the cell of actual and predicted class that it is in
(`cells`), for two classes and for hundreds.

- MCC and F1: on a logit scale between the bounds of the score, which for MCC is Fisher's z, with
  quantiles of t at the degrees of freedom of Satterthwaite (1946).
- Accuracy, precision and recall, which are shares: Wilson's score interval (1927), with quantiles
  of t, for the number of sentences that gives a share this variance (after Korn and Graubard 1998,
  Survey Methodology 24(2)).
- Two sentences are added, one right and one wrong, spread evenly over the cells of either kind: of
  two classes half a sentence in each cell (Haldane 1956). Intervals then hold for groups of 20
  sentences, and for models without errors.
- Macro F1 of few sentences is too low in the mean, as F1 is a ratio; the middle of the interval,
  not the score, is corrected for it.
- Precision, recall and F1 of a class are those of two classes, this one and the rest.
- Error rates: Wilson's score interval (1927).

docs/statistics.md has the coverage of all this in simulations, and benchmarks/coverage.py makes it.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from bertline.scoring import cells, variance
from bertline.scoring.cells import MCC, OF_CLASS, Score

PSEUDO = 2.0  # weight that all pseudo-sentences have together


@dataclass(frozen=True)
class Interval:
    """A mean score over seeds and what is known of its error.

    low, high: None where nothing is known: one sentence, or a score that no seed defines. MCC is
    undefined, and 0 by convention, for labels or predictions of one class. se_sentences, se_seeds:
    standard errors from the draw of sentences and of seeds; with one seed the latter is None, and
    the interval is that of this one model. df: degrees of freedom of the whole standard error.
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
class Coded:
    """Labels (n,) and the predictions (S, n) of several runs, by numbers of classes from 0."""

    labels: np.ndarray
    runs: list[np.ndarray]
    classes: int


@dataclass(frozen=True)
class Influences:
    """A run with pseudo-sentences behind: score (S,), and the share of each in it (S, n).

    bias: mean over seeds of what the score is expected to be off.
    """

    score: np.ndarray
    influence: np.ndarray
    bias: float


def values(labels: np.ndarray, predicted: np.ndarray, score: Score = MCC) -> np.ndarray:
    """Return the score of each row of `predicted`, shape (S, n); labels: (n,). 0 where undefined.

    Classes are anything that sorts: numbers, names, or truth values.
    """
    return scores_of(encode(labels, predicted), score)[0]


def interval(
    labels: np.ndarray,
    predicted: np.ndarray,
    confidence: float = 0.95,
    clusters: np.ndarray | None = None,
    score: Score = MCC,
) -> Interval:
    """Return the mean score over seeds with an interval for its expectation.

    labels: classes, shape (n,); predicted: shape (S, n), a row for each seed, or (n,) for one.
    clusters: shape (n,), equal where sentences are not independent, such as the two of a minimal
    pair; without it all sentences are independent.
    """
    groups = number_clusters(len(labels), clusters)
    return _interval(encode(labels, predicted), confidence, groups, score)


def class_intervals(
    labels: np.ndarray,
    predicted: np.ndarray,
    number: int,
    confidence: float = 0.95,
    clusters: np.ndarray | None = None,
) -> dict[str, Interval]:
    """Return precision, recall and F1 of the class `number`, by these names in small letters."""
    labels, predicted = np.asarray(labels), np.atleast_2d(predicted)
    own = [(predicted == number).astype(np.int64)]
    coded = Coded((labels == number).astype(np.int64), own, 2)
    groups = number_clusters(len(labels), clusters)
    return {name: _interval(coded, confidence, groups, score) for name, score in OF_CLASS.items()}


def share_interval(errors: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval (1927) of a share of `errors` in `n`, NaN for n = 0.

    errors may be a mean over seeds. The interval covers the draw of sentences.
    """
    if n < 1:
        return math.nan, math.nan
    return _wilson(errors / n, n, float(stats.norm.isf((1 - confidence) / 2)))


def _wilson(share: float, n: float, quantile: float) -> tuple[float, float]:
    z2 = quantile**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low, high = max(0.0, float(middle - reach)), min(1.0, float(middle + reach))
    return min(low, share), max(high, share)


def _logit_interval(middle: float, reach: float, lowest: float) -> tuple[float, float]:
    """Return the ends of an interval on a logit scale from `lowest` to 1; from -1 that is 2 z."""
    span = 1 - lowest
    share = (middle - lowest) / span
    step = reach / span / (share * (1 - share))
    low, high = lowest + span * special.expit(special.logit(share) + np.array([-step, step]))
    return float(low), float(high)


# --- the arithmetic, of differences as well -------------------------------------------------------


def encode(labels: np.ndarray, *runs: np.ndarray) -> Coded:
    """Return labels (n,) and predictions, (S, n) or (n,), as numbers of the classes that occur.

    Raises ValueError if their lengths differ.
    """
    labels, each = np.asarray(labels), [np.atleast_2d(predicted) for predicted in runs]
    for predicted in each:
        if predicted.shape[1] != len(labels):
            raise ValueError(f"{predicted.shape[1]} predictions for {len(labels)} labels")
    flat = np.concatenate([labels, *(predicted.ravel() for predicted in each)])
    names, numbers = np.unique(flat, return_inverse=True)
    ends = np.cumsum([len(labels), *(predicted.size for predicted in each)])
    parts = np.split(numbers.ravel(), ends[:-1])
    shaped = [
        part.reshape(predicted.shape) for part, predicted in zip(parts[1:], each, strict=True)
    ]
    return Coded(parts[0], shaped, max(len(names), 2))


def number_clusters(n: int, clusters: np.ndarray | None) -> np.ndarray:
    """Return the number of each sentence's cluster, from 0, shape (n,)."""
    return np.arange(n) if clusters is None else variance.number_clusters(np.asarray(clusters))


def smooth(
    coded: Coded, groups: np.ndarray, score: Score
) -> tuple[list[Influences], np.ndarray, int]:
    """Return each run with pseudo-sentences added, all clusters, and the number of the real ones.

    A pseudo-sentence for each combination of label and the runs' predictions, each its own cluster.
    A run is right about half of them, by weight, whatever the label and whatever another run says.
    Influences are scaled by the root of the weight, so that a fraction of a sentence counts as that
    much of one. There are K^3 of them for two runs; the 2 K^2 + K columns here have the same sums
    of squares and products: for each label the mean influence, which all runs share, and each
    prediction's distance from this mean, which is its run's own.
    """
    number = int(groups.max()) + 1
    pseudo = _weights(coded.classes)
    per_label = pseudo.sum(axis=1)
    sides = []
    for place, predicted in enumerate(coded.runs):
        counts = cells.count(coded.labels, predicted, coded.classes)
        total = len(coded.labels) + PSEUDO
        shares = (counts + pseudo) / total
        occur = counts[0].sum(axis=1) > 0
        found, gradient = score.function(shares, occur)
        bias = score.bias(shares, occur).mean() / total if score.bias else 0.0
        gradient = gradient - (gradient * shares).sum(axis=(1, 2), keepdims=True)
        # An undefined score is what it is whatever the sentences.
        defined = score.defined(counts)
        gradient[~defined] = 0.0
        middle = (gradient * pseudo).sum(axis=2) / per_label
        apart = (gradient - middle[:, :, None]) * np.sqrt(pseudo)
        columns = [np.zeros((len(predicted), pseudo.size)) for _ in coded.runs]
        columns[place] = apart.reshape(columns[place].shape)
        real = gradient[np.arange(len(predicted))[:, None], coded.labels, predicted]
        influence = np.hstack([real, *columns, middle * np.sqrt(per_label)]) / total
        sides.append(Influences(np.where(defined, found, 0.0), influence, float(bias)))
    added = sides[0].influence.shape[1] - len(groups)
    return sides, np.append(groups, number + np.arange(added)), number


def _weights(classes: int) -> np.ndarray:
    """Return the weight of the pseudo-sentences in each cell: half of it on the diagonal."""
    weights = np.full((classes, classes), PSEUDO / 2 / (classes * (classes - 1)))
    np.fill_diagonal(weights, PSEUDO / 2 / classes)
    return weights


def scores_of(coded: Coded, score: Score) -> list[np.ndarray]:
    """Return the scores of each run's seeds, shape (S,)."""
    return [
        cells.evaluate(score, cells.count(coded.labels, predicted, coded.classes))
        for predicted in coded.runs
    ]


def is_defined(coded: Coded, groups: np.ndarray, score: Score) -> bool:
    """Return whether any seed of any run has a score, and there is more than one cluster."""
    counts = (cells.count(coded.labels, predicted, coded.classes) for predicted in coded.runs)
    return bool(groups.max() > 0 and any(score.defined(of_run).any() for of_run in counts))


def _interval(coded: Coded, confidence: float, groups: np.ndarray, score: Score) -> Interval:
    by_seed = scores_of(coded, score)[0]
    found = Interval(
        float(by_seed.mean()),
        None,
        None,
        len(by_seed),
        len(coded.labels),
        tuple(by_seed.tolist()),
    )
    if not is_defined(coded, groups, score):
        return found
    (side,), groups, number = smooth(coded, groups, score)
    sentences = variance.by_sentence(side.influence.mean(axis=0), groups, number)
    seeds = variance.by_seed(side.score, side.influence, groups, number)
    se, df = variance.combine(sentences, [seeds] if seeds else [])
    middle = float(side.score.mean()) - side.bias
    tail = (1 - confidence) / 2
    if score.share:
        effective = middle * (1 - middle) / se**2
        # A class of few sentences has as few degrees of freedom, in a set of whatever size.
        quantile = float(stats.t.isf(tail, min(df, max(effective - 1, 1.0))))
        low, high = _wilson(found.estimate, effective, quantile)
    else:
        low, high = _logit_interval(middle, float(stats.t.isf(tail, df)) * se, score.lowest)
    return Interval(
        found.estimate,
        min(low, found.estimate),
        max(high, found.estimate),
        found.seeds,
        found.sentences,
        found.by_seed,
        se,
        math.sqrt(sentences.value),
        math.sqrt(seeds.alone) if seeds else None,
        df,
    )
