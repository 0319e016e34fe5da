"""Find out which topics come again: in fits with other seeds, and in fits to other documents.

Reads   data/parse/documents.parquet, data/embed/embeddings.npy, the topics in data/topic_fit, and
        `topic_stability`, `topic_fit` and `vocabulary` of params.yaml.
Writes  data/topic_stability/matches.parquet, a row per refit and topic of data/topic_fit: the
        topic of the refit that it is matched to, and how much the two share. And the stability of
        each topic as CSV, and of all as JSON.

    python -m stages.topic_stability data/parse/documents.parquet data/embed data/topic_fit
        data/topic_stability

A refit clusters again with another seed of UMAP, on all documents or on a bootstrap draw of them of
which each document is kept once (Hennig 2007, Cluster-wise assessment of cluster stability; so does
his `clusterboot`). Its topics are matched one to one to the stored ones, so that they share
most (Greene, O'Callaghan and Cunningham 2014, How many topics? Stability analysis for topic
models). What two topics share is the Jaccard similarity of their documents, over the documents that
both fits had: those in both topics, by those in either. Topics are compared as HDBSCAN has them,
their cores, before outliers were given to the nearest one.

A large topic shares much with any other large one, so chance is taken off: the mean over shuffles
of the refit's labels among its documents. Of J with chance C, (J - C) / (1 - C) is left, not below
0: 1 is a topic that comes again document for document, 0 one that comes again as chance has it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.core.receipt import receipt
from bertline.topics import refit
from bertline.topics.clustering import (
    Hdbscan,
    allow_threads,
    check_size,
    check_vectors,
    cluster,
    load_vectors,
)
from bertline.topics.measures import OUTLIERS
from bertline.topics.options import TopicFit
from bertline.topics.refit import Neighbours
from bertline.topics.vocabulary import Corpus, Vocabulary
from bertline.topics.words import Describer

# Neighbours searched for each one that UMAP asks for. A draw keeps 63 of 100 documents, so that of
# 45 neighbours fewer than 15 are left for one document in tens of thousands.
NEIGHBOURS_PER_ASKED = 3
SHUFFLES = 3  # of each refit: their mean hardly moves with more, over topics and refits
# Hennig's thresholds (2007, section 5; R's clusterboot): below the first a cluster is dissolved.
DISSOLVED, STABLE = 0.5, 0.75
DIGITS = 4

SEED, RESAMPLE = "seed", "resample"
MATCHES = pa.schema(
    [
        ("refit", pa.string()),
        ("topic", pa.int32()),
        ("matched", pa.int32()),
        ("jaccard", pa.float64()),
        ("chance", pa.float64()),
        ("words", pa.float64()),
    ]
)
COLUMNS = (
    *("topic", "name", "count", "core"),
    *("stability", "over_seeds", "over_resamples", "jaccard", "chance", "words", "verdict"),
)


class TopicStability(Section):
    """The section `topic_stability` of params.yaml."""

    seeds: Annotated[int, Field(ge=0, le=1_000)]
    resamples: Annotated[int, Field(ge=0, le=1_000)]
    seed: params.Seed


class Refit(NamedTuple):
    """A fit of some documents: its name, their numbers, (m,), and their topics, (m,)."""

    name: str
    rows: np.ndarray
    topics: np.ndarray


def check_refits(options: TopicStability) -> None:
    """Raise BertlineError if there is nothing to compare with."""
    if options.seeds + options.resamples < 1:
        raise BertlineError(
            "params.yaml: topic_stability.seeds and topic_stability.resamples are both 0, so there "
            "is no fit to look for topics in. Set one of them to 1 at least."
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

    One to one, with the greatest sum of similarities (Kuhn 1955); two that share nothing are not
    matched.
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
    """Return what of Jaccard similarities is more than chance, from 0 to 1, in their shape."""
    return np.clip((jaccard - chance) / np.maximum(1 - chance, 1e-9), 0, 1)


def word_overlap(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the Jaccard similarity of two topics' words."""
    union = set(one) | set(other)
    return len(set(one) & set(other)) / len(union) if union else 0.0


def refits(
    vectors: np.ndarray, neighbours: Neighbours, fit: TopicFit, options: TopicStability
) -> Iterator[Refit]:
    """Yield the refits with other seeds, then those on draws of the documents.

    In a draw min_cluster_size is lowered with the number of documents: a topic is drawn as thinly
    as all others.
    """
    count = len(vectors)
    for number in range(1, options.seeds + 1):
        rows = np.arange(count)
        topics = refit_once(vectors, neighbours, rows, fit.seed + number, fit)
        yield Refit(f"{SEED} {fit.seed + number}", rows, topics)
    random = np.random.default_rng(options.seed)
    for number in range(1, options.resamples + 1):
        rows = np.unique(random.integers(count, size=count))
        topics = refit_once(vectors, neighbours, rows, fit.seed + number, fit)
        yield Refit(f"{RESAMPLE} {number}", rows, topics)


def refit_once(
    vectors: np.ndarray, neighbours: Neighbours, rows: np.ndarray, seed: int, fit: TopicFit
) -> np.ndarray:
    """Return the topics of the documents `rows`, clustered anew, shape (m,)."""
    umap = fit.umap
    near = refit.within(neighbours, rows, umap.n_neighbors)
    reduced = refit.reduce(np.asarray(vectors[rows]), near, seed % 2**32, umap)
    return cluster(reduced, thinned(fit.hdbscan, len(rows) / len(vectors))).labels_


def thinned(options: Hdbscan, share: float) -> Hdbscan:
    """Return the options for a draw of this share of the documents."""
    least = max(2, round(options.min_cluster_size * share))
    return options.model_copy(update={"min_cluster_size": least})


def name_topics(describer: Describer, rows: np.ndarray, topics: np.ndarray) -> list[list[str]]:
    """Return the words of each topic of the documents `rows`, by their numbers."""
    everywhere = np.full(describer.counts.shape[0], OUTLIERS)
    everywhere[rows] = topics
    described = describer.describe(everywhere)
    return [[word for word, _ in described.get(number, [])] for number in range(_count(topics))]


def compare(
    core: np.ndarray,
    words: list[list[str]],
    again: Refit,
    again_words: list[list[str]],
    random: np.random.Generator,
) -> pd.DataFrame:
    """Return a row of `MATCHES` for each topic: what becomes of it in a refit.

    core: the topic of each document, shape (n,). words, again_words: of the topics of both.
    """
    here = core[again.rows]
    counts = (len(words), len(again_words))
    similarity = overlap(here, again.topics, counts)
    matched = match(similarity)
    chance = np.zeros(len(words))
    for _ in range(SHUFFLES):
        shuffled = overlap(here, random.permutation(again.topics), counts)
        chance += matched_values(shuffled, match(shuffled)) / SHUFFLES
    return pd.DataFrame(
        {
            "refit": again.name,
            "topic": np.arange(len(words)),
            "matched": matched,
            "jaccard": matched_values(similarity, matched),
            "chance": chance,
            "words": [
                word_overlap(words[topic], again_words[found]) if found >= 0 else 0.0
                for topic, found in enumerate(matched)
            ],
        },
        columns=MATCHES.names,
    )


def summarise_topics(matches: pd.DataFrame, topics: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `COLUMNS`, a row per topic, in the order of `topics`.

    stability: the mean over seeds or that over resamples, whichever is lower: a topic has to stand
    both. Seeds alone flatter, as they see the same neighbours.
    """
    scored = matches.assign(
        stability=above_chance(matches["jaccard"].to_numpy(), matches["chance"].to_numpy()),
        kind=matches["refit"].str.split(" ").str[0],
    )
    kinds = scored.pivot_table(index="topic", columns="kind", values="stability", aggfunc="mean")
    kinds = kinds.reindex(columns=[SEED, RESAMPLE])
    table = scored.groupby("topic")[["jaccard", "chance", "words"]].mean()
    table["over_seeds"], table["over_resamples"] = kinds[SEED], kinds[RESAMPLE]
    table["stability"] = kinds.min(axis=1)
    table["verdict"] = [verdict(value) for value in table["stability"]]
    table = table.round(DIGITS)
    return topics.merge(table, left_on="topic", right_index=True, how="inner")[list(COLUMNS)]


def verdict(stability: float) -> str:
    """Return stable, partly stable or unstable, by Hennig's thresholds."""
    if stability >= STABLE:
        return "stable"
    return "unstable" if stability < DISSOLVED else "partly stable"


def summarise(
    table: pd.DataFrame, matches: pd.DataFrame, fits: list[Refit], core: np.ndarray
) -> dict[str, Any]:
    """Return the measures of all topics together; None where there is no topic.

    stability_of_all_documents is the mean over documents, outliers too, which count as 0.
    ARI is of the documents that are in a topic in both fits: among outliers nothing is grouped.
    """
    agreements, counts = [], []
    for again in fits:
        inside = (core[again.rows] != OUTLIERS) & (again.topics != OUTLIERS)
        counts.append(_count(again.topics))
        if inside.any():
            ari = adjusted_rand_score(core[again.rows][inside], again.topics[inside])
            agreements.append(float(ari))
    weights = table["core"].to_numpy(dtype=float)
    scores = table["stability"].to_numpy(dtype=float)
    figures: dict[str, Any] = {
        "topics": len(table),
        "refits": len(fits),
        "mean_stability": _mean(scores),
        "mean_stability_by_documents": _mean(scores, weights),
        "stability_of_all_documents": round(float((weights * scores).sum() / len(core)), DIGITS),
        "documents_in_stable_topics": round(
            float(weights[table["verdict"] == "stable"].sum() / len(core)), DIGITS
        ),
        "over_seeds": _mean(table["over_seeds"].to_numpy(dtype=float)),
        "over_resamples": _mean(table["over_resamples"].to_numpy(dtype=float)),
        "words": _mean(table["words"].to_numpy(dtype=float)),
    }
    for name in ("stable", "partly stable", "unstable"):
        key = f"{name.replace(' ', '_')}_topics"
        figures[key] = int((table["verdict"] == name).sum())
    return figures | {
        "stable_share": _mean((table["verdict"] == "stable").to_numpy(dtype=float)),
        "ari": _mean(np.asarray(agreements)),
        "min_topics": min(counts),
        "max_topics": max(counts),
        "topics_in_refits": counts,
    }


def _mean(values: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    if not len(values) or np.isnan(values).any():
        return None
    return round(float(np.average(values, weights=weights)), DIGITS)


def _count(topics: np.ndarray) -> int:
    return int(topics.max(initial=OUTLIERS)) + 1


def main() -> None:
    """Read the arguments and the parameters, fit again, compare, and write tables and measures."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("fitted", type=Path, help="folder that topic_fit wrote")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    arguments.add_argument("--table", type=Path, help="write the topics to this CSV file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_stability", TopicStability)
    fit = params.load(args.params, "topic_fit", TopicFit)
    vocabulary = params.load(args.params, "vocabulary", Vocabulary)
    check_refits(options)
    documents = files.read_table(args.documents, columns=["id", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    check_size(len(documents), fit.umap, fit.hdbscan)
    topics = files.read_table(
        args.fitted / "topics.parquet", columns=["topic", "name", "count", "core"]
    )
    assigned = files.read_table(args.fitted / "assignments.parquet", columns=["id", "core_topic"])
    if assigned["id"].tolist() != documents["id"].tolist():
        raise BertlineError(
            f"{args.fitted / 'assignments.parquet'} and {args.documents} list other documents: "
            f"they belong to different runs. Run `dvc repro topic-fit`."
        )
    allow_threads(fit.umap.threads)  # before BERTopic imports numba

    with receipt(
        args.receipt,
        "topic_stability",
        parameters={"topic_stability": options, "topic_fit": fit, "vocabulary": vocabulary},
        inputs=[args.documents, args.vectors, args.fitted],
        outputs=[args.out, args.metrics, args.table],
    ):
        core = assigned["core_topic"].to_numpy(dtype=np.int64)
        corpus = Corpus(documents["text"].tolist(), vocabulary)
        # Words by c-tf-idf, whatever the names are by: they take no vectors and little time.
        by_frequency = fit.words.model_copy(update={"representation": "c-tf-idf"})
        describer = Describer(corpus, vectors, by_frequency)
        words = name_topics(describer, np.arange(len(core)), core)
        console.log("neighbours")
        near = refit.search(
            vectors, NEIGHBOURS_PER_ASKED * fit.umap.n_neighbors, fit.seed, fit.umap
        )
        random = np.random.default_rng([options.seed, 1])
        fits, compared = [], []
        again = refits(vectors, near, fit, options)
        total = options.seeds + options.resamples
        for one in console.progress(again, total=total, label="fit again", unit="fits"):
            their_words = name_topics(describer, one.rows, one.topics)
            fits.append(one)
            compared.append(compare(core, words, one, their_words, random))
        matches = pd.concat(compared, ignore_index=True)
        table = summarise_topics(matches, topics)
        figures = summarise(table, matches, fits, core)
        console.log(table.head(20).to_string(index=False))
        console.log(f"stability: {figures}")
        with files.whole_folder(args.out) as out:
            files.write_table(out / "matches.parquet", matches, MATCHES)
            # Within, so that a failure leaves the earlier matches.
            if args.table:
                cells = table.astype(object).where(table.notna(), "").to_numpy().tolist()
                files.write_csv(args.table, COLUMNS, cells)
            if args.metrics:
                files.write_json(args.metrics, figures)


if __name__ == "__main__":
    console.run(main)
