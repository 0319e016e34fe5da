"""Stability of topics over refits: other seeds, draws of the documents, and rounded vectors.

A refit clusters again: with another seed; on a draw without replacement (a share of 0.632 is what
a bootstrap draw keeps: Hennig 2007, Cluster-wise assessment of cluster stability); or with vectors
turned at random to a cosine of `ROUNDED` with themselves, which is what computing them in 16 bits
does, and far more than another processor does. Its topics are matched one to one to the stored
ones, with the greatest sum of similarities (Greene, O'Callaghan and Cunningham 2014, How many
topics? Stability analysis for topic models). Similarity is the Jaccard index of two topics'
documents, over the documents that are in both fits. Topics are compared before outliers are
reassigned.

Large topics share documents by chance, so similarity is corrected for it: chance C is the mean over
shuffles of the refit's labels, and a similarity J becomes (J - C) / (1 - C), at least 0.
"""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from bertline.core import console, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.topics import clustering
from bertline.topics.clustering import Hdbscan, Umap, cluster
from bertline.topics.fitting import TopicFit, cluster_graph
from bertline.topics.graph import Neighbours, compare_again, of_length_one, within
from bertline.topics.tables import MATCHES, OUTLIERS, PARTLY, STABILITY, STABLE, UNSTABLE

ROUNDED = 0.99999
SHUFFLES = 3  # of each refit; their mean, over topics and refits, hardly changes with more
# Hennig's thresholds (2007, section 5): below the first a cluster is dissolved.
DISSOLVED_BELOW, STABLE_FROM = 0.5, 0.75
DIGITS = 4
SEED, RESAMPLE, ROUNDING = "seed", "resample", "rounding"


class TopicStability(Section):
    """The section `topic_stability` of params.yaml."""

    seeds: Annotated[int, Field(ge=0, le=1_000)]
    resamples: Annotated[int, Field(ge=0, le=1_000)]
    roundings: Annotated[int, Field(ge=0, le=1_000)]
    share: Annotated[float, Field(gt=0, lt=1)]
    seed: params.Seed


class Refit(NamedTuple):
    """A fit to some of the documents."""

    name: str
    rows: np.ndarray  # the documents' numbers, rising, (m,)
    topics: np.ndarray  # of these documents, (m,)


def check_refits(options: TopicStability) -> None:
    """Raise BertlineError if there is nothing to compare with."""
    if options.seeds + options.resamples + options.roundings < 1:
        raise BertlineError(
            "params.yaml: seeds, resamples and roundings of topic_stability are all 0, so there is "
            "no fit to compare with. Set one of them to 1 at least."
        )


def overlap(one: np.ndarray, other: np.ndarray, counts: tuple[int, int]) -> np.ndarray:
    """Return the Jaccard similarity of every two topics of two fits, shape `counts`.

    one, other: topics of the same documents in both, -1 for none, shape (n,). counts: how many
    topics each fit has. Topics that are both empty share nothing.
    """
    both = (one != OUTLIERS) & (other != OUTLIERS)
    shared = np.zeros(counts)
    np.add.at(shared, (one[both], other[both]), 1)
    sizes = [
        np.bincount(topics[topics != OUTLIERS], minlength=count)
        for topics, count in zip((one, other), counts, strict=True)
    ]
    union = sizes[0][:, None] + sizes[1][None, :] - shared
    return shared / np.maximum(union, 1)


def match(similarity: np.ndarray) -> np.ndarray:
    """Return for each row the column that it is matched to, -1 for none, shape (rows,).

    One to one, with the greatest sum of similarities (Kuhn 1955); topics that share nothing are
    not matched.
    """
    matched = np.full(len(similarity), -1)
    rows, columns = linear_sum_assignment(similarity, maximize=True)
    sharing = similarity[rows, columns] > 0
    matched[rows[sharing]] = columns[sharing]
    return matched


def matched_values(similarity: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """Return the similarity of each row to its match, 0 where it has none, shape (rows,)."""
    values = np.zeros(len(matched))
    found = matched >= 0
    values[found] = similarity[found, matched[found]]
    return values


def above_chance(jaccard: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return Jaccard similarities corrected for chance, from 0 to 1, in their shape."""
    return np.clip((jaccard - chance) / np.maximum(1 - chance, 1e-9), 0, 1)


def turn(vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the vectors, (n, d), each turned in a random direction to a cosine of `ROUNDED`."""
    own = of_length_one(np.asarray(vectors, np.float64))
    away = random.normal(size=own.shape)
    away = of_length_one(away - (away * own).sum(axis=1, keepdims=True) * own)
    return ROUNDED * own + np.sqrt(1 - ROUNDED**2) * away


def refits(
    vectors: np.ndarray, neighbours: Neighbours, fit: TopicFit, options: TopicStability
) -> Iterator[Refit]:
    """Yield the refits with other seeds, those on draws of the documents, and those rounded.

    In a draw, the least size of a topic is reduced in proportion to the number of documents.
    """
    count = len(vectors)
    everything = np.arange(count)
    for number in range(1, options.seeds + 1):
        topics = refit_once(vectors, neighbours, everything, fit.seed + number, fit)
        yield Refit(f"{SEED} {fit.seed + number}", everything, topics)
    random = np.random.default_rng(options.seed)
    drawn = max(2, round(options.share * count))
    for number in range(1, options.resamples + 1):
        rows = np.sort(random.permutation(count)[:drawn])
        topics = refit_once(vectors, neighbours, rows, fit.seed, fit)
        yield Refit(f"{RESAMPLE} {number}", rows, topics)
    for number in range(1, options.roundings + 1):
        turned = turn(vectors, np.random.default_rng([options.seed, 2, number]))
        topics = refit_once(turned, compare_again(neighbours, turned), everything, fit.seed, fit)
        yield Refit(f"{ROUNDING} {number}", everything, topics)


def refit_once(
    vectors: np.ndarray, neighbours: Neighbours, rows: np.ndarray, seed: int, fit: TopicFit
) -> np.ndarray:
    """Return the topics of the documents `rows`, clustered anew, shape (m,)."""
    share = len(rows) / len(vectors)
    if fit.method == "graph":
        least = max(2, round(fit.graph.min_topic_size * share))
        options = fit.graph.model_copy(update={"min_topic_size": least})
        near = within(neighbours, rows, options.n_neighbors + 1)
        labels, _ = cluster_graph(near, np.arange(len(rows)), seed % 2**32, options)
        return labels
    reduced = reduce_rows(vectors, neighbours, rows, seed % 2**32, fit.umap)
    return cluster(reduced, thinned(fit.hdbscan, share)).labels_


def reduce_rows(
    vectors: np.ndarray, neighbours: Neighbours, rows: np.ndarray, seed: int, options: Umap
) -> np.ndarray:
    """Return the vectors of the documents `rows` reduced by UMAP, shape (m, components)."""
    # A draw may be too small: UMAP warns of too many neighbours, and its start needs more documents
    # than dimensions by two.
    least = {
        "n_neighbors": min(options.n_neighbors, len(rows) - 1),
        "n_components": min(options.n_components, len(rows) - 2),
    }
    options = options.model_copy(update=least)
    near = within(neighbours, rows, options.n_neighbors)
    return clustering.fit_umap(np.asarray(vectors[rows]), near, seed, options).embedding_


def thinned(options: Hdbscan, share: float) -> Hdbscan:
    """Return the options for a draw of this share of the documents."""
    least = max(2, round(options.min_cluster_size * share))
    return options.model_copy(update={"min_cluster_size": least})


def compare_refits(
    vectors: np.ndarray,
    neighbours: Neighbours,
    core: np.ndarray,
    fit: TopicFit,
    options: TopicStability,
) -> tuple[list[Refit], pd.DataFrame]:
    """Return the refits, and the columns of `MATCHES` with a row per refit and topic.

    vectors: of the documents, (n, d). neighbours: theirs. core: the stored topic of each, (n,).
    """
    again = refits(vectors, neighbours, fit, options)
    random = np.random.default_rng([options.seed, 1])
    total = options.seeds + options.resamples + options.roundings
    fits, matches = [], []
    for refit in console.progress(again, total=total, label="refit", unit="fits"):
        fits.append(refit)
        matches.append(compare(core, refit, random))
    return fits, pd.concat(matches, ignore_index=True)


def compare(core: np.ndarray, refit: Refit, random: np.random.Generator) -> pd.DataFrame:
    """Return the columns of `MATCHES`, a row per topic: its match in a refit.

    core: the topic of each document, shape (n,).
    """
    here = core[refit.rows]
    counts = (_count(core), _count(refit.topics))
    similarity = overlap(here, refit.topics, counts)
    matched = match(similarity)
    chance = np.zeros(counts[0])
    for _ in range(SHUFFLES):
        shuffled = overlap(here, random.permutation(refit.topics), counts)
        chance += matched_values(shuffled, match(shuffled)) / SHUFFLES
    return pd.DataFrame(
        {
            "refit": refit.name,
            "topic": np.arange(counts[0]),
            "matched": matched,
            "jaccard": matched_values(similarity, matched),
            "chance": chance,
        },
        columns=MATCHES.names,
    )


def summarise_topics(matches: pd.DataFrame, core: np.ndarray) -> pd.DataFrame:
    """Return the columns of `STABILITY`, a row per topic.

    core: the topic of each document, shape (n,).

    stability: the lowest of the means over seeds, over resamples and over roundings. Refits with
    other seeds alone overestimate it, as they share the neighbours.
    """
    scored = matches.assign(
        stability=above_chance(matches["jaccard"].to_numpy(), matches["chance"].to_numpy()),
        kind=matches["refit"].str.split(" ").str[0],
    )
    kinds = scored.pivot_table(index="topic", columns="kind", values="stability", aggfunc="mean")
    kinds = kinds.reindex(columns=[SEED, RESAMPLE, ROUNDING])
    table = scored.groupby("topic")[["jaccard", "chance"]].mean()
    for kind in kinds:
        table[f"over_{kind}s"] = kinds[kind]
    table["stability"] = kinds.min(axis=1)
    table["verdict"] = [verdict(value) for value in table["stability"]]
    table["core"] = np.bincount(core[core != OUTLIERS], minlength=len(table))
    return table.round(DIGITS).reset_index()[list(STABILITY)]


def verdict(stability: float) -> str:
    """Return stable, partly stable or unstable, by Hennig's thresholds."""
    if stability >= STABLE_FROM:
        return STABLE
    return UNSTABLE if stability < DISSOLVED_BELOW else PARTLY


def summarise(table: pd.DataFrame, fits: list[Refit], core: np.ndarray) -> dict[str, Any]:
    """Return the measures of all topics together; None where there is no topic or no such refit.

    stability_of_all_documents is the mean over documents; outliers count as 0. stable_share is the
    share of all documents that are in the core of a stable topic; by kind of refit, of a topic
    whose mean over these is as high. ARI is over the documents that are in a topic in both fits.
    """
    weights = table["core"].to_numpy(dtype=float)
    scores = table["stability"].to_numpy(dtype=float)
    counts = [_count(refit.topics) for refit in fits]
    measures: dict[str, Any] = {
        "topics": len(table),
        "refits": len(fits),
        "mean_stability": _mean(scores),
        "mean_stability_by_documents": _mean(scores, weights),
        "stability_of_all_documents": round(float((weights * scores).sum() / len(core)), DIGITS),
        "stable_share": _stable_share(scores, weights, len(core)),
        "ari": _mean(_agreements(fits, core, "")),
    }
    for kind in (SEED, RESAMPLE, ROUNDING):
        values = table[f"over_{kind}s"].to_numpy(dtype=float)
        known = bool(len(values)) and not np.isnan(values).any()
        measures |= {
            f"over_{kind}s": _mean(values),
            f"stable_share_over_{kind}s": (
                _stable_share(values, weights, len(core)) if known else None
            ),
            f"ari_over_{kind}s": _mean(_agreements(fits, core, kind)),
        }
    for name in (STABLE, PARTLY, UNSTABLE):
        key = f"{name.replace(' ', '_')}_topics"
        measures[key] = int((table["verdict"] == name).sum())
    return measures | {
        "min_topics": min(counts),
        "max_topics": max(counts),
        "topics_in_refits": counts,
    }


def _stable_share(scores: np.ndarray, weights: np.ndarray, documents: int) -> float:
    return round(float(weights[scores >= STABLE_FROM].sum() / documents), DIGITS)


def _agreements(fits: list[Refit], core: np.ndarray, kind: str) -> np.ndarray:
    """Return the ARI of the refits of a kind with the stored topics."""
    found = []
    for refit in fits:
        inside = (core[refit.rows] != OUTLIERS) & (refit.topics != OUTLIERS)
        if refit.name.startswith(kind) and inside.any():
            found.append(adjusted_rand_score(core[refit.rows][inside], refit.topics[inside]))
    return np.asarray(found, float)


def _mean(values: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    if not len(values) or np.isnan(values).any():
        return None
    return round(float(np.average(values, weights=weights)), DIGITS)


def _count(topics: np.ndarray) -> int:
    return int(topics.max(initial=OUTLIERS)) + 1
