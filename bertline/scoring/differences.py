"""Whether two runs differ in mean MCC: a paired interval and a p-value, without resampling.

The sentences are shared, so their influences on both runs are subtracted from each other; the seeds
of the two are independent draws (Welch 1947, Biometrika 34). A quarter of a sentence is added to
each of the eight cells of label and both predictions (after Agresti and Min 2005, Statistics in
Medicine 24(5)). `intervals` and `variance` have the rest of the method.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bertline.scoring import intervals, variance
from bertline.scoring.variance import BySeed, Term


@dataclass(frozen=True)
class Difference:
    """How much larger the mean MCC of B is than that of A, on the same sentences.

    seeds: of A and of B. low, high, p, se: None where labels, or all predictions of both, are of
    one class. identical: whether the seeds of A predict what those of B do, each in turn.
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

    @property
    def recipes(self) -> bool:
        """Whether both sides have several seeds, so that the difference is of two recipes.

        Otherwise it is of models: one seed says nothing of how another would do.
        """
        return min(self.seeds) > 1


def difference(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    confidence: float = 0.95,
    clusters: np.ndarray | None = None,
) -> Difference:
    """Return the mean MCC of B less that of A, with a paired interval and a two-sided p-value.

    labels: shape (n,), 0 or 1; a: shape (S, n), b: (T, n), predictions of the same sentences.
    Seeds count as independent also where they have the same numbers.
    """
    labels, a = intervals.as_booleans(labels, a)
    labels, b = intervals.as_booleans(labels, b)
    estimate = float(intervals.mcc(labels, b).mean() - intervals.mcc(labels, a).mean())
    seeds, identical = (len(a), len(b)), np.array_equal(a, b)
    groups = intervals.number_clusters(len(labels), clusters)
    constant = all(np.all(predicted == predicted[:, :1]) for predicted in (a, b))
    if len(np.unique(labels)) < 2 or constant or groups.max() < 1:
        return Difference(estimate, None, None, None, seeds, len(labels), identical)
    sides, groups, number = intervals.smooth(labels, [a, b], groups)
    apart = sides[1].influence.mean(axis=0) - sides[0].influence.mean(axis=0)
    sentences = variance.by_sentence(apart, groups, number)
    each = [variance.by_seed(side.mcc, side.influence, groups, number) for side in sides]
    by_seed = _lend([part for part in each if part])
    se, df = variance.combine(sentences, by_seed)
    reach = float(stats.t.isf((1 - confidence) / 2, df) * se)
    return Difference(
        estimate,
        estimate - reach,
        estimate + reach,
        1.0 if identical else float(2 * stats.t.sf(abs(estimate) / se, df)),
        seeds,
        len(labels),
        identical,
        se,
        math.sqrt(sentences.value),
        math.sqrt(sum(part.alone for part in by_seed)) if by_seed else None,
        df,
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for their number (Holm 1979); None stays, and is not counted."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        corrected[place] = highest
    return corrected


def _lend(by_seed: list[BySeed]) -> list[BySeed]:
    """Return the terms of both runs, the one with fewer seeds helped by the other.

    Two seeds often lie close together by chance, and weigh most beside a run of many. Their spread
    is taken to be no less than that of the seeds of both runs pooled.
    """
    if len(by_seed) < 2 or by_seed[0].seeds.df == by_seed[1].seeds.df:
        return by_seed
    own = [part.seeds.value * (part.seeds.df + 1) for part in by_seed]  # of a single seed
    df = sum(part.seeds.df for part in by_seed)
    pooled = sum(value * part.seeds.df for value, part in zip(own, by_seed, strict=True)) / df
    fewer = min((0, 1), key=lambda side: by_seed[side].seeds.df)
    if own[fewer] < pooled:
        part = by_seed[fewer]
        lent = BySeed(Term(pooled / (part.seeds.df + 1), df), part.both)
        by_seed = [lent if side == fewer else by_seed[side] for side in (0, 1)]
    return by_seed
