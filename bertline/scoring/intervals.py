"""How far a mean MCC may lie from the truth, and whether two runs differ: no resampling, no seed.

A run is S seeds that labelled the same n sentences. What is estimated is the MCC that one would
expect of another seed on other sentences of the same kind, so both count as drawn: the variance is
clustered by sentence and by seed, V = V_sentences + V_seeds - V_both (Cameron, Gelbach and Miller
2011, Journal of Business and Economic Statistics 29(2), eq. 2.11; Owen 2007, Annals of Applied
Statistics 1(2), is the bootstrap of the same design), with the mean squares of a two-way layout in
place of its sums, which makes each term unbiased (Searle, Casella and McCulloch 1992, ch. 4).

MCC is Pearson's correlation of two binary variables, and what sentence i adds to it is to first
order phi_i / n with phi_i = y p - r (y^2 + p^2) / 2, where y and p are label and prediction
standardised and r is the MCC (Devlin, Gnanadesikan and Kettenring 1975, Biometrika 62(3)).

- Interval: on Fisher's z scale, quantiles of t with degrees of freedom by Satterthwaite (1946).
- Half a sentence is added to each of the four cells of label and prediction (Haldane 1956), and a
  quarter to each of the eight cells of a comparison (after Agresti and Min 2005, Statistics in
  Medicine 24(5)): intervals then hold for groups of 20 sentences, and for models without errors.
- Shares of errors: Wilson's score interval (1927).

docs/statistics.md has the coverage of all this in simulations, and benchmarks/coverage.py makes it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

POWER = 0.8  # chance to see a difference that is there, for which sample sizes are planned
# Weight that all pseudo-sentences have together.
PSEUDO = 2.0
# Where planning ends: nobody trains or collects more.
MAX_SEEDS = 1_000
MAX_SENTENCES = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A mean MCC over seeds and what is known of its error.

    low, high: None where nothing can be said: labels of one class, or predictions of one class by
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
class Difference:
    """How much larger the mean MCC of B is than that of A, on the same sentences.

    seeds: of A and of B. low, high, p, se: None where labels, or all predictions of both, are of
    one class. recipes: whether both have several seeds, so that the difference is of two ways to
    train; otherwise models of one seed stand for themselves. identical: whether the seeds of A
    predict what those of B do, each in turn.

    detectable: the smallest true difference that these seeds and sentences tell from chance with
    80% power. seeds_needed: seeds on each side with which a true difference of the observed size
    would be told with that power on these sentences; None if 1,000 do not suffice, or a side with
    one seed says nothing of seeds. sentences_needed: sentences with these seeds; None if a million
    do not suffice.
    """

    estimate: float
    low: float | None
    high: float | None
    p: float | None
    seeds: tuple[int, int]
    sentences: int
    identical: bool
    se: float | None = None
    se_sentences: float | None = None
    se_seeds: float | None = None
    df: float | None = None
    detectable: float | None = None
    seeds_needed: int | None = None
    sentences_needed: int | None = None

    @property
    def recipes(self) -> bool:
        """Whether both sides have several seeds."""
        return min(self.seeds) > 1


@dataclass(frozen=True)
class _Side:
    """Predictions of one run with pseudo-sentences behind: mcc (S,), phi (S, n + pseudo)."""

    mcc: np.ndarray
    phi: np.ndarray


@dataclass(frozen=True)
class _Variance:
    """A term of a variance: its value, and its degrees of freedom."""

    value: float
    df: float


def mcc(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the MCC of each row of `predicted`, shape (S, n); labels: (n,). 0 where undefined."""
    return _correlate(*_binary(labels, predicted), np.ones(len(labels))).mcc


def interval(
    labels: np.ndarray,
    predicted: np.ndarray,
    confidence: float = 0.95,
    clusters: np.ndarray | None = None,
) -> Interval:
    """Return the mean MCC over seeds with an interval for its expectation.

    labels: shape (n,), 0 or 1; predicted: shape (S, n), a row for each seed, or (n,) for one.
    clusters: shape (n,), equal where sentences are not independent, such as the two of a minimal
    pair; without it every sentence is for itself.
    """
    labels, predicted = _binary(labels, predicted)
    by_seed = mcc(labels, predicted)
    facts = {
        "estimate": float(by_seed.mean()),
        "seeds": len(predicted),
        "sentences": len(labels),
        "by_seed": tuple(by_seed.tolist()),
    }
    undefined = len(np.unique(labels)) < 2 or np.all(predicted == predicted[:, :1])
    groups = _groups(len(labels), clusters)
    if undefined or groups.max() < 1:
        return Interval(low=None, high=None, **facts)
    cells = np.array(list(product((0, 1), repeat=2)), dtype=bool).T
    (side,), weights, groups = _smoothed(labels, [predicted], groups, cells)
    sentences, seeds, both = _components(side, weights, groups)
    se, df = _combine(sentences, [(seeds, both)] if seeds else [])
    middle = side.mcc.mean()
    reach = stats.t.isf((1 - confidence) / 2, df) * se / (1 - middle**2)
    ends = np.tanh(np.arctanh(middle) + np.array([-reach, reach]))
    return Interval(
        low=float(min(ends[0], facts["estimate"])),
        high=float(max(ends[1], facts["estimate"])),
        se=se,
        se_sentences=math.sqrt(sentences.value),
        se_seeds=math.sqrt(max(0.0, seeds.value - both.value)) if seeds else None,
        df=df,
        **facts,
    )


def difference(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    confidence: float = 0.95,
    clusters: np.ndarray | None = None,
    *,
    looks: int = 1,
) -> Difference:
    """Return the mean MCC of B less that of A, with a paired interval and a two-sided p-value.

    labels: shape (n,), 0 or 1; a: shape (S, n), b: (T, n), predictions of the same sentences.
    The sentences are shared, so their influences on both are subtracted from each other; the
    seeds of A and B are independent draws, also where they have the same numbers (Welch 1947).
    looks: comparisons made at once, among which the chance of a false alarm is divided when it is
    planned what would be needed.
    """
    labels, a = _binary(labels, a)
    labels, b = _binary(labels, b)
    estimate = float(mcc(labels, b).mean() - mcc(labels, a).mean())
    facts = {"estimate": estimate, "seeds": (len(a), len(b)), "sentences": len(labels)}
    identical = np.array_equal(a, b)
    groups = _groups(len(labels), clusters)
    constant = all(np.all(predicted == predicted[:, :1]) for predicted in (a, b))
    if len(np.unique(labels)) < 2 or constant or groups.max() < 1:
        return Difference(low=None, high=None, p=None, identical=identical, **facts)
    cells = np.array(list(product((0, 1), repeat=3)), dtype=bool).T
    sides, weights, groups = _smoothed(labels, [a, b], groups, cells)
    apart = sides[1].phi.mean(axis=0) - sides[0].phi.mean(axis=0)
    sentences = _between(apart[None], weights, groups)
    over_seeds = [
        (seeds, both)
        for _, seeds, both in (_components(side, weights, groups) for side in sides)
        if seeds
    ]
    over_seeds = _lend(over_seeds)
    se, df = _combine(sentences, over_seeds)
    reach = stats.t.isf((1 - confidence) / 2, df) * se
    seeds_variance = sum(max(0.0, seeds.value - both.value) for seeds, both in over_seeds)
    level = (1 - confidence) / looks
    needs = _plan(facts, sentences, over_seeds, level)
    return Difference(
        low=estimate - float(reach),
        high=estimate + float(reach),
        p=1.0 if identical else float(2 * stats.t.sf(abs(estimate) / se, df)),
        identical=identical,
        se=se,
        se_sentences=math.sqrt(sentences.value),
        se_seeds=math.sqrt(seeds_variance) if over_seeds else None,
        df=df,
        detectable=_wanted(df, level) * se,
        seeds_needed=needs[0],
        sentences_needed=needs[1],
        **facts,
    )


def share_interval(errors: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
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


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for their number (Holm 1979); None stays, and is not counted."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        corrected[place] = highest
    return corrected


# --- the arithmetic -------------------------------------------------------------------------------


def _binary(labels: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) and predictions (S, n) as booleans."""
    labels = np.asarray(labels).astype(bool)
    predicted = np.atleast_2d(np.asarray(predicted)).astype(bool)
    if predicted.shape[1] != len(labels):
        raise ValueError(f"{predicted.shape[1]} predictions for {len(labels)} labels")
    return labels, predicted


def _groups(n: int, clusters: np.ndarray | None) -> np.ndarray:
    """Return the number of each sentence's cluster, from 0, shape (n,)."""
    if clusters is None:
        return np.arange(n)
    return np.unique(np.asarray(clusters), return_inverse=True)[1].reshape(n)


def _correlate(labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> _Side:
    """Return MCC and influence of weighted sentences; 0 for rows where MCC is undefined."""
    share = weights / weights.sum()

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
    return _Side(r[:, 0], np.where(defined, phi, 0.0))


def _smoothed(
    labels: np.ndarray, runs: list[np.ndarray], groups: np.ndarray, cells: np.ndarray
) -> tuple[list[_Side], np.ndarray, np.ndarray]:
    """Return each run's MCC and influences, weights and groups, with pseudo-sentences added.

    cells: shape (1 + runs, pseudo), the label and each run's prediction of the pseudo-sentences.
    """
    pseudo = cells.shape[1]
    weights = np.append(np.ones(len(labels)), np.full(pseudo, PSEUDO / pseudo))
    groups = np.append(groups, groups.max() + 1 + np.arange(pseudo))
    sides = []
    for predicted, row in zip(runs, cells[1:], strict=True):
        more = np.broadcast_to(row, (len(predicted), pseudo))
        side = _correlate(np.append(labels, cells[0]), np.hstack([predicted, more]), weights)
        # A model that always answers the same has an MCC of 0 whatever the sentences.
        constant = np.all(predicted == predicted[:, :1], axis=1)
        mcc_of_seeds = np.where(constant, 0.0, side.mcc)
        sides.append(_Side(mcc_of_seeds, np.where(constant[:, None], 0.0, side.phi)))
    return sides, weights, groups


def _between(phi: np.ndarray, weights: np.ndarray, groups: np.ndarray) -> _Variance:
    """Return the variance of the mean of `phi`, (rows, n), over sentences, rows added up.

    Influences of a cluster are added before they are squared; a fractional weight counts as that
    share of a sentence.
    """
    sums = np.stack([np.bincount(groups, np.sqrt(weights) * row) for row in phi])
    real = int(np.unique(groups[weights == 1]).size)
    value = (sums**2).sum() / weights.sum() ** 2 * real / (real - 1)
    return _Variance(float(value), real - 1)


def _components(
    side: _Side, weights: np.ndarray, groups: np.ndarray
) -> tuple[_Variance, _Variance | None, _Variance | None]:
    """Return the variance of the mean MCC by sentences, by seeds, and what both share.

    The last two are None with one seed.
    """
    count = len(side.mcc)
    mean = side.phi.mean(axis=0)
    sentences = _between(mean[None], weights, groups)
    if count == 1:
        return sentences, None, None
    seeds = _Variance(float(side.mcc.var(ddof=1)) / count, count - 1)
    rest = _between(side.phi - mean, weights, groups)
    freedom = count * (count - 1)
    return sentences, seeds, _Variance(rest.value / freedom, rest.df * (count - 1))


def _combine(
    sentences: _Variance, over_seeds: list[tuple[_Variance, _Variance]]
) -> tuple[float, float]:
    """Return the standard error and its degrees of freedom (Satterthwaite 1946).

    over_seeds: for each run the variance by seeds, and what it shares with that by sentences. Where
    the latter is the larger, seeds add nothing.
    """
    terms = [sentences]
    value = sentences.value
    for seeds, both in over_seeds:
        if seeds.value > both.value:
            value += seeds.value - both.value
            terms += [seeds, both]
    squares = sum(term.value**2 / term.df for term in terms)
    return math.sqrt(value), float(value**2 / squares)


def _lend(over_seeds: list[tuple[_Variance, _Variance]]) -> list[tuple[_Variance, _Variance]]:
    """Return the terms of both runs, the one with fewer seeds helped by the other.

    Two seeds often lie close together by chance, and weigh most beside a run of many. Their spread
    is taken to be no less than that of the seeds of both runs pooled.
    """
    if len(over_seeds) < 2 or over_seeds[0][0].df == over_seeds[1][0].df:
        return over_seeds
    own = [seeds.value * (seeds.df + 1) for seeds, _ in over_seeds]  # variance of a single seed
    df = sum(seeds.df for seeds, _ in over_seeds)
    pooled = sum(value * seeds.df for value, (seeds, _) in zip(own, over_seeds, strict=True)) / df
    fewer = min((0, 1), key=lambda side: over_seeds[side][0].df)
    if own[fewer] < pooled:
        seeds, both = over_seeds[fewer]
        over_seeds = list(over_seeds)
        over_seeds[fewer] = _Variance(pooled / (seeds.df + 1), df), both
    return over_seeds


def _wanted(df: float, level: float) -> float:
    """Return how many standard errors a difference must measure to be told with 80% power."""
    return float(stats.t.isf(level / 2, df) + stats.t.ppf(POWER, df))


def _plan(
    facts: dict,
    sentences: _Variance,
    over_seeds: list[tuple[_Variance, _Variance]],
    level: float,
) -> tuple[int | None, int | None]:
    """Return seeds on each side, and sentences, that would tell the observed difference.

    With S seeds and n sentences the variance is a / n + (b + e / n) / S for each side: a of what a
    sentence means to all seeds, b of a seed on all sentences, e of a seed on a sentence.
    """
    n = facts["sentences"]
    counts = [count for count in facts["seeds"] if count > 1]
    shared = max(0.0, sentences.value - sum(both.value for _, both in over_seeds))

    def tells(seeds: list[int], more: float) -> bool:
        """Return whether `seeds` on the sides and `more` times the sentences suffice."""
        terms = []
        crossed = 0.0
        for count, number, (by_seed, both) in zip(counts, seeds, over_seeds, strict=True):
            scale = count / number
            both_now = _Variance(both.value * scale / more, both.df * more)
            alone = max(0.0, by_seed.value - both.value) * scale
            terms.append((_Variance(alone + both_now.value, number - 1), both_now))
            crossed += both_now.value
        of_sentences = shared / more + crossed if terms else sentences.value / more
        se, df = _combine(_Variance(of_sentences, sentences.df * more), terms)
        return abs(facts["estimate"]) >= _wanted(df, level) * se

    seeds_needed = None
    if len(counts) == 2:
        seeds_needed = _least(lambda number: tells([number, number], 1.0), 2, MAX_SEEDS)
    sentences_needed = _least(lambda number: tells(counts, number / n), 2, MAX_SENTENCES)
    return seeds_needed, sentences_needed


def _least(suffices: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the least number from `low` to `high` that suffices, as all above it do, or None."""
    if not suffices(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle + 1, high)
    return high
