"""Error rate and MCC of groups of sentences, each group compared with the rest.

A group is a class, a publication, a range of lengths or a grammatical phenomenon. Every figure is a
mean over seeds, and every interval covers the draw of sentences and that of seeds: the variance is
clustered by both (`variance`), and the sentences of a minimal pair count as one cluster.

- Error rate: Wilson's interval (1927) for the effective number of sentences, which gives the
  share the clustered variance (Korn and Graubard 1998, Survey Methodology 24(2)).
- Difference: error rate less that of the rest. Interval: t, with one right and one wrong
  pseudo-sentence in the group and in the rest (Agresti and Caffo 2000, The American Statistician
  54(4)). p-value: the score test, with the variance that holds if there is no difference.
- Many groups are tested at once: q-values after Benjamini and Hochberg (1995) bound the share of
  false findings among those that are called different. Groups overlap, which leaves the bound in
  force if they are positively dependent (Benjamini and Yekutieli 2001).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bertline.scoring import intervals, variance
from bertline.scoring.tables import ALL, BETTER, BREAKDOWN, NONE, UNTESTED, WORSE

# Figures that may be missing in every row: without a type, pandas would make them objects.
FIGURES = {name: kind for name, kind in BREAKDOWN.items() if kind == "float64"}


@dataclass(frozen=True)
class Scored:
    """The sentences of a set: labels (n,), predictions (seeds, n) and clusters (n,)."""

    labels: np.ndarray
    predicted: np.ndarray
    clusters: np.ndarray

    @property
    def majority(self) -> int:
        """The most frequent class of the set."""
        return int(np.bincount(self.labels).argmax())

    @property
    def wrong(self) -> np.ndarray:
        """Whether each seed is wrong about each sentence, shape (seeds, n), 0.0 or 1.0."""
        return (self.predicted != self.labels).astype(np.float64)


def mean_error(
    by_seed: np.ndarray, influence: np.ndarray, clusters: np.ndarray
) -> tuple[float, float, float]:
    """Return the mean over seeds of an estimate, its standard error, and degrees of freedom.

    by_seed: shape (seeds,), each seed's estimate; influence: shape (seeds, n), what each sentence
    adds to it, of mean 0; clusters: shape (n,).
    """
    groups = variance.number_clusters(clusters)
    number = int(groups.max()) + 1
    seeds = variance.by_seed(by_seed, influence, groups, number)
    sentences = variance.by_sentence(influence.mean(axis=0), groups, number)
    return float(by_seed.mean()), *variance.combine(sentences, [seeds] if seeds else [])


def error_rate(
    wrong: np.ndarray, clusters: np.ndarray, confidence: float
) -> tuple[float, float, float]:
    """Return the mean error rate with its interval; wrong: shape (seeds, n), 0.0 or 1.0."""
    by_seed = wrong.mean(axis=1)
    n = wrong.shape[1]
    share, se, df = mean_error(by_seed, (wrong - by_seed[:, None]) / n, clusters)
    effective: float = len(np.unique(clusters))
    if se:  # at most as if every seed had sentences of its own
        effective = min(share * (1 - share) / se**2, float(wrong.size))
    # Wilson's quantile is the normal one; t's for few degrees of freedom shrinks the number.
    ratio = stats.norm.ppf((1 + confidence) / 2) / stats.t.ppf((1 + confidence) / 2, df)
    effective = max(1.0, effective * ratio**2)
    low, high = intervals.share_interval(share * effective, effective, confidence)
    return share, low, high


def difference(
    wrong: np.ndarray, inside: np.ndarray, clusters: np.ndarray, confidence: float
) -> tuple[float, float, float, float]:
    """Return the error rate of a group less that of the rest, its interval and two-sided p-value.

    wrong: shape (seeds, n), 0.0 or 1.0; inside: shape (n,), boolean, neither all nor none.
    """
    by_seed = wrong[:, inside].mean(axis=1) - wrong[:, ~inside].mean(axis=1)
    # If there is no difference, all sentences have one mean and one variance.
    parts = 1 / inside.sum() + 1 / (~inside).sum()
    centred = wrong - wrong.mean(axis=1, keepdims=True)
    found, se, df = mean_error(by_seed, centred * math.sqrt(parts / len(inside)), clusters)
    # Continuity correction (Yates 1934): half of the step that one seed's error makes.
    step = parts / (2 * len(wrong))
    apart = max(0.0, abs(found) - step)
    p = 2 * float(stats.t.sf(apart / se, df)) if se else 1.0

    # Pseudo-sentences: in the group and in the rest, one that all seeds get right and one wrong.
    more = np.tile([0.0, 1.0, 0.0, 1.0], (len(wrong), 1))
    smooth = np.hstack([wrong, more])
    member = np.append(inside, [True, True, False, False])
    groups = np.append(variance.number_clusters(clusters), [-1, -2, -3, -4])
    influence = np.zeros_like(smooth)
    for part, sign in ((member, 1), (~member, -1)):
        values = smooth[:, part]
        influence[:, part] = sign * (values - values.mean(axis=1, keepdims=True)) / part.sum()
    _, se, df = mean_error(by_seed, influence, groups)
    reach = float(stats.t.ppf((1 + confidence) / 2, df)) * se
    return found, max(found - reach, -1.0), min(found + reach, 1.0), p


def describe(
    scored: Scored, inside: np.ndarray, among: np.ndarray, *, smallest: int, confidence: float
) -> dict[str, Any]:
    """Return the figures of the sentences `inside`, compared with the others of those `among`.

    inside, among: shape (n,), boolean. Below `smallest` sentences there is an error rate with
    its wide interval, and no MCC and no test; `note` says what is missing and why.
    """
    labels, predicted = scored.labels[inside], scored.predicted[:, inside]
    clusters = scored.clusters[inside]
    count = len(labels)
    share, low, high = error_rate(scored.wrong[:, inside], clusters, confidence)
    row: dict[str, Any] = {
        "sentences": count,
        "majority_share": float((labels == scored.majority).mean()),
        "seeds": len(predicted),
        **dict.fromkeys(("mcc", "mcc_low", "mcc_high")),
        **{"error_rate": share, "error_rate_low": low, "error_rate_high": high},
        **dict.fromkeys(("difference", "difference_low", "difference_high", "p", "q")),
        "finding": UNTESTED,
        "note": "",
    }
    if count < smallest:
        return row | {"note": f"fewer than {smallest} sentences: no MCC, no test"}
    found = intervals.interval(labels, predicted, confidence, clusters)
    if found.low is None:
        one = "sentence has the same label" if len(np.unique(labels)) < 2 else "answer is the same"
        row["note"] = f"no MCC: every {one}"
    else:
        row |= {"mcc": found.estimate, "mcc_low": found.low, "mcc_high": found.high}
    rest = int((among & ~inside).sum())
    if not rest:
        return row
    if rest < smallest:
        note = f"not tested: the rest has fewer than {smallest} sentences"
        return row | {"note": "; ".join(filter(None, [row["note"], note]))}
    compared = difference(scored.wrong[:, among], inside[among], scored.clusters[among], confidence)
    return row | dict(
        zip(("difference", "difference_low", "difference_high", "p"), compared, strict=True)
    )


def break_down(
    name: str,
    scored: Scored,
    groupings: dict[str, pd.Series],
    *,
    smallest: int,
    confidence: float,
    false_discovery_rate: float,
    orders: dict[str, list[str]] | None = None,
) -> pd.DataFrame:
    """Return the rows of breakdown.csv of one set: all of it, then the groups of each grouping.

    groupings: for each a list of group names for each sentence, shape (n,); None for a sentence
    that nothing is known of, which is then in no group and not in the rest. Groups are in the
    order that `orders` gives for the grouping, else in that of their size, the largest first. A
    grouping with one group says nothing and is left out.
    """
    everything = np.ones(len(scored.labels), dtype=bool)
    describe_group = partial(describe, scored, smallest=smallest, confidence=confidence)
    head = {"set": name, "grouping": ALL, "group": ALL}
    rows = [head | describe_group(everything, everything)]
    for grouping, members in groupings.items():
        among = members.notna().to_numpy()
        for group, inside in _groups(members, (orders or {}).get(grouping)):
            head = {"set": name, "grouping": grouping, "group": group}
            rows.append(head | describe_group(inside, among))
    table = pd.DataFrame(rows, columns=list(BREAKDOWN)).astype(FIGURES)
    tested = table["p"].notna().to_numpy()
    if tested.any():
        table.loc[tested, "q"] = stats.false_discovery_control(table.loc[tested, "p"])
        different = table["q"] <= false_discovery_rate
        more = table["difference"] > 0
        table.loc[tested, "finding"] = np.where(different, np.where(more, WORSE, BETTER), NONE)[
            tested
        ]
    return table


def _groups(members: pd.Series, order: list[str] | None) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each group's name and which sentences are in it."""
    names = members.reset_index(drop=True).explode().dropna()
    counts = names.groupby(names, sort=True).size().sort_values(ascending=False, kind="stable")
    if len(counts) < 2:
        return
    for name in counts.index if order is None else [name for name in order if name in counts]:
        inside = np.zeros(len(members), dtype=bool)
        inside[names.index[names == name]] = True
        yield str(name), inside


def name_lengths(bounds: Sequence[int]) -> list[str]:
    """Return the name of each range of lengths; a bound is the last of its range.

    With the bounds 4 and 6: "1 to 4 words", "5 and 6 words", "7 words and more".
    """
    names = []
    for low, high in zip([1, *(bound + 1 for bound in bounds)], bounds, strict=False):
        if low == high:
            names.append(f"{low} word{'s' * (low > 1)}")
        else:
            names.append(f"{low} {'and' if high == low + 1 else 'to'} {high} words")
    return [*names, f"{bounds[-1] + 1} words and more"]


def bin_lengths(words: pd.Series, bounds: Sequence[int]) -> pd.Series:
    """Return the name of the range that each number of words lies in."""
    names = name_lengths(bounds)
    places = np.searchsorted(np.asarray(bounds), words.to_numpy(), side="left")
    return pd.Series([names[place] for place in places], index=words.index)
