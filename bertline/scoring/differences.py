"""Whether two runs differ in a mean score: a paired interval and a p-value, without resampling.

The sentences are shared, so their influences on both runs are subtracted from each other. The seeds
of the two are independent draws (Welch 1947, Biometrika 34), or paired where the same seeds make
the same errors, as with one set of models whose labels are decided in two ways: common random
numbers (Glasserman and Yao 1992, Management Science 38(6)). Two sentences are added, spread over
the cells of label and both predictions: of two classes a quarter of a sentence in each of eight
(after Agresti and Min 2005, Statistics in Medicine 24(5)). `intervals`, `cells` and `variance` have
the rest of the method.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from bertline.scoring import intervals, variance
from bertline.scoring.cells import MCC, Score
from bertline.scoring.intervals import Influences
from bertline.scoring.variance import BySeed, Term


@dataclass(frozen=True)
class Difference:
    """How much larger the mean score of B is than that of A, on the same sentences.

    seeds: of A and of B. low, high, p, se: None where the score is undefined for every seed of
    both, as MCC is where labels, or all predictions, are of one class. identical: whether the seeds
    of A predict what those of B do, each in turn; p is 1 then, and there is no interval. paired:
    whether the variance by seeds is that of the differences of the same seeds.
    """

    estimate: float
    low: float | None
    high: float | None
    p: float | None
    seeds: tuple[int, int]
    sentences: int
    identical: bool
    paired: bool = False
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
    score: Score = MCC,
) -> Difference:
    """Return the mean score of B less that of A, with a paired interval and a two-sided p-value.

    labels: classes, shape (n,); a: shape (S, n), b: (T, n), predictions of the same sentences. Rows
    at one place may be of the same seed: whether that counts is seen from their errors.
    """
    coded = intervals.encode(labels, a, b)
    a, b = coded.runs
    of_a, of_b = intervals.scores_of(coded, score)
    estimate = float(of_b.mean() - of_a.mean())
    seeds, identical = (len(a), len(b)), np.array_equal(a, b)
    groups = intervals.number_clusters(len(coded.labels), clusters)
    unmoved = Difference(estimate, None, None, None, seeds, len(coded.labels), identical)
    if not intervals.is_defined(coded, groups, score):
        return unmoved
    if identical:
        return replace(unmoved, p=1.0)
    sides, groups, number = intervals.smooth(coded, groups, score)
    apart = sides[1].influence.mean(axis=0) - sides[0].influence.mean(axis=0)
    sentences = variance.by_sentence(apart, groups, number)
    by_seed, paired = _by_seed(sides, groups, number)
    se, df = variance.combine(sentences, by_seed)
    reach = float(stats.t.isf((1 - confidence) / 2, df) * se)
    return Difference(
        estimate,
        estimate - reach,
        estimate + reach,
        float(2 * stats.t.sf(abs(estimate) / se, df)),
        seeds,
        unmoved.sentences,
        identical,
        paired,
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


def _by_seed(
    sides: Sequence[Influences], groups: np.ndarray, number: int
) -> tuple[list[BySeed], bool]:
    """Return the variance by seeds of each run, or of the differences of the same seeds.

    Pairs have half of the degrees of freedom. They are taken where they cancel more than half of
    the noise of seeds and sentences, which is measured on all sentences, so that the choice does
    not follow the scores of a few seeds.
    """
    each = [variance.by_seed(side.score, side.influence, groups, number) for side in sides]
    apart = _lend([part for part in each if part])
    one, other = sides
    if len(one.score) != len(other.score) or not apart:
        return apart, False
    pairs = variance.by_seed(
        other.score - one.score, other.influence - one.influence, groups, number
    )
    if pairs and pairs.both.value < sum(part.both.value for part in apart) / 2:
        return [pairs], True
    return apart, False


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
