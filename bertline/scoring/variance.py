"""The variance of a mean over seeds and sentences, clustered by both, and its degrees of freedom.

S seeds label the same n sentences, and both count as drawn: V = V_sentences + V_seeds - V_both
(Cameron, Gelbach and Miller 2011, Journal of Business and Economic Statistics 29(2), eq. 2.11; Owen
2007, Annals of Applied Statistics 1(2), is the bootstrap of the same design), with the mean squares
of a two-way layout in place of its sums, which makes each term unbiased (Searle, Casella and
McCulloch 1992, ch. 4). V_sentences contains V_both, but for chance, and is taken to be no less:
else the total may be a small rest of large terms, and Satterthwaite's degrees of freedom fall below
1 (Gaylor and Hopper 1969, Technometrics 11(4), on differences of mean squares). Sentences that are
not independent, such as the two of a minimal pair, are one cluster: their influences are added
before they are squared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Term:
    """A term of a variance: its value, and its degrees of freedom."""

    value: float
    df: float


@dataclass(frozen=True)
class BySeed:
    """The variance of a mean by its seeds, and the part that seeds share with sentences."""

    seeds: Term
    both: Term

    @property
    def alone(self) -> float:
        """What seeds add to the variance by sentences: nothing where sentences explain them."""
        return max(0.0, self.seeds.value - self.both.value)


def number_clusters(clusters: np.ndarray) -> np.ndarray:
    """Return the number of each sentence's cluster, from 0, shape (n,)."""
    return np.unique(clusters, return_inverse=True)[1].reshape(-1)


def sum_squares(influence: np.ndarray, groups: np.ndarray, number: int) -> float:
    """Return the variance by sentences of a sum of `influence`, shape (rows, n), rows added up.

    groups: number of each sentence's cluster, shape (n,); number: of clusters that were drawn.
    """
    squares = sum(float((np.bincount(groups, row) ** 2).sum()) for row in influence)
    return squares * number / max(number - 1, 1)


def by_sentence(influence: np.ndarray, groups: np.ndarray, number: int) -> Term:
    """Return the variance by sentences of an estimate with `influence`, shape (n,)."""
    return Term(sum_squares(influence[None], groups, number), max(number - 1, 1))


def by_seed(
    estimates: np.ndarray, influence: np.ndarray, groups: np.ndarray, number: int
) -> BySeed | None:
    """Return the variance by seeds of a mean over seeds; None with one seed.

    estimates: shape (S,), each seed's; influence: shape (S, n), what each sentence adds to each
    seed's estimate, of mean 0.
    """
    count = len(estimates)
    if count == 1:
        return None
    rest = sum_squares(influence - influence.mean(axis=0), groups, number)
    return BySeed(
        Term(float(estimates.var(ddof=1)) / count, count - 1),
        Term(rest / (count * (count - 1)), max(number - 1, 1) * (count - 1)),
    )


def combine(sentences: Term, seeds: Sequence[BySeed]) -> tuple[float, float]:
    """Return the standard error and its degrees of freedom (Satterthwaite 1946).

    seeds: of each run. Where what seeds share with sentences is the larger, seeds add nothing. The
    value is no less than that of the seeds that add: so their degrees of freedom nearly bound those
    of the whole from below.
    """
    adding = [part for part in seeds if part.alone]
    shared = sum(part.both.value for part in adding)
    value = max(sentences.value, shared) + sum(part.alone for part in adding)
    terms = [part.seeds for part in adding]
    if sentences.value > shared:
        terms += [sentences, *(part.both for part in adding)]
    squares = sum(term.value**2 / term.df for term in terms)
    return math.sqrt(value), float(value**2 / squares if squares else sentences.df)
