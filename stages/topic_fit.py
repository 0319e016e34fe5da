"""Find topics with BERTopic, name them, measure them, and place every document on a 2-D map.

Reads   data/parse/documents.parquet, data/embed/embeddings.npy, the encoder in
        data/download/embedder where words need vectors, and `topic_fit`, `vocabulary` and
        `topic_numbers` of params.yaml.
Writes  data/topic_fit:
        topics.parquet        a row per topic: topic (-1 holds the outliers), count, core (the
                              documents that HDBSCAN has in it), name, words, weights,
                              representative_documents
        assignments.parquet   a row per document: id, topic, core_topic, probability, x, y
        protocol.json         how everything is measured, in words
        model/                the BERTopic model as safetensors, which `BERTopic.load` reads
        fit/                  what UMAP and HDBSCAN need to give new documents their topics, as
                              `bertline.topics.model` and `bertline.apply.assign` do
        And a JSON file of measures, the frequency table as CSV, and a folder of tables: coverage
        against quality, the model at other numbers of topics, topics by group, and the hierarchy: a
        row per merge of two nodes, whose numbers go on from the topics'.

    python -m stages.topic_fit data/parse/documents.parquet data/embed data/download/embedder
        data/topic_fit

BERTopic (Grootendorst 2022): UMAP reduces the vectors, HDBSCAN clusters them. Documents that it
leaves out are then given the topic that they are nearest to, if the parameters say so; words are
those of the core, the documents that HDBSCAN has in a topic. UMAP is seeded, so that topics are the
same on every run.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.encoders import text_vectors
from bertline.topics import measures, tree
from bertline.topics.clustering import (
    Reduced,
    check_size,
    check_vectors,
    cluster,
    load_vectors,
    reduce_vectors,
)
from bertline.topics.measures import MEASURES, OUTLIERS, Reference, measure, measure_all
from bertline.topics.model import Settings, TopicModel, by_topic, first_alike, hash_texts
from bertline.topics.options import TopicFit
from bertline.topics.outliers import (
    COVERAGE,
    MAX_PROBABILITIES,
    Outliers,
    compare,
    reduce_outliers,
)
from bertline.topics.vocabulary import Corpus, Vocabulary
from bertline.topics.words import Describer

# BERTopic, UMAP and HDBSCAN are imported where they are called: see topic_reduce.
if TYPE_CHECKING:
    from bertopic import BERTopic
    from hdbscan import HDBSCAN

MODEL = "Bertline"  # in tables beside other models

TOPICS = pa.schema(
    [
        ("topic", pa.int32()),
        ("count", pa.int64()),
        ("core", pa.int64()),
        ("name", pa.string()),
        ("words", pa.list_(pa.string())),
        ("weights", pa.list_(pa.float64())),
        ("representative_documents", pa.list_(pa.string())),
    ]
)
ASSIGNMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("topic", pa.int32()),
        ("core_topic", pa.int32()),
        ("probability", pa.float32()),
        ("x", pa.float32()),
        ("y", pa.float32()),
    ]
)
HIERARCHY = ("node", "left", "right", "distance", "count", "words")
BY_NUMBER = ("model", "requested_topics", *MEASURES)
WORDS_IN_TABLES = 4


class Clustered:
    """A clustering that has been done."""

    def __init__(self, labels: np.ndarray, probabilities: np.ndarray) -> None:
        self.labels_, self.probabilities_ = labels, probabilities

    def fit(self, vectors: np.ndarray, y: Any = None) -> "Clustered":
        """Do nothing: the clustering is fitted."""
        return self


def fit_topics(
    texts: list[str],
    vectors: np.ndarray,
    reduced: np.ndarray,
    clustered: Clustered,
    describer: Describer,
) -> "BERTopic":
    """Return BERTopic with topics from a clustering, and their words from `describer`."""
    from bertopic import BERTopic
    from bertopic.representation._base import BaseRepresentation
    from bertopic.vectorizers import ClassTfidfTransformer

    class Described(BaseRepresentation):
        def extract_topics(
            self, topic_model: BERTopic, documents: pd.DataFrame, c_tf_idf: Any, topics: Any
        ) -> dict[int, list[tuple[str, float]]]:
            return describer.describe(documents.sort_values("ID")["Topic"].to_numpy())

    model = BERTopic(
        # Else BERTopic would take all letters out of words but English ones.
        language="multilingual",
        embedding_model=None,
        umap_model=Reduced(reduced),
        hdbscan_model=clustered,
        vectorizer_model=describer.corpus.vectorizer(),
        ctfidf_model=ClassTfidfTransformer(**describer.options.ctfidf.model_dump()),
        representation_model=Described(),
        top_n_words=describer.corpus.options.top_words,
    )
    with threadpool_limits(1, user_api="blas"):
        model.fit(texts, embeddings=np.asarray(vectors))
    return model


def take_over(model: "BERTopic", topics: np.ndarray) -> None:
    """Make these the topics of BERTopic's documents, its words left as they are.

    A topic that has no document left, as outliers may, keeps its row in what BERTopic stores.
    """
    model.topic_sizes_ = {
        topic: int(np.sum(topics == topic)) for topic in sorted(model.topic_sizes_)
    }
    model.topics_ = topics.tolist()


def describe_topics(model: "BERTopic", core: np.ndarray, topics: np.ndarray) -> pd.DataFrame:
    """Return the information table: a row per topic, outliers first, then by falling size.

    core, topics: of each document, before and after outliers were given a topic, shape (n,).
    """
    rows = []
    for topic in sorted({*core.tolist(), *topics.tolist()}):
        pairs = [(word, weight) for word, weight in model.get_topic(topic) if word]
        words = [word for word, _ in pairs]
        rows.append(
            {
                "topic": topic,
                "count": int(np.sum(topics == topic)),
                "core": int(np.sum(core == topic)),
                "name": "_".join([str(topic), *words[:WORDS_IN_TABLES]]),
                "words": words,
                "weights": [float(weight) for _, weight in pairs],
                "representative_documents": model.representative_docs_.get(topic, []),
            }
        )
    described = pd.DataFrame(rows)
    described["_last"] = described["topic"] != OUTLIERS
    return described.sort_values(
        ["_last", "count", "topic"], ascending=[True, False, True], ignore_index=True
    ).drop(columns="_last")


def measure_topics(
    described: pd.DataFrame,
    core: np.ndarray,
    topics: np.ndarray,
    groups: pd.Series,
    reference: Reference,
) -> dict[str, Any]:
    """Return the number and the sizes of topics, and what `topic_measures` measures."""
    named = described[described["topic"] != OUTLIERS]
    return {
        "documents": len(topics),
        "core_share": round(float(np.mean(core != OUTLIERS)), 4),
        "largest_topic": int(named["count"].max()) if len(named) else 0,
        "median_topic": float(named["count"].median()) if len(named) else 0.0,
        "vocabulary": len(reference.corpus.words),
        **measure(named["words"].tolist(), topics, groups, reference),
    }


def measure_by_number(
    numbers: Sequence[int],
    merges: np.ndarray,
    describer: Describer,
    core: np.ndarray,
    topics: np.ndarray,
    groups: pd.Series,
    reference: Reference,
) -> Iterator[dict[str, Any]]:
    """Yield a row of `BY_NUMBER` for the tree cut at each number of topics."""
    found = []
    for number in numbers:
        where = np.append(tree.cut(merges, number), OUTLIERS)
        found.append((describer.list_words(where[core]), where[topics]))
    for number, figures in zip(numbers, measure_all(found, groups, reference), strict=True):
        row = figures | {"model": MODEL, "requested_topics": number}
        yield {column: row[column] for column in BY_NUMBER}


def build_hierarchy(merges: np.ndarray, described: pd.DataFrame) -> pd.DataFrame:
    """Return a row per merge: a branch is named by the first words of its largest topics."""
    count = len(merges) + 1
    below = tree.members(merges, count)[count:]
    named = described.set_index("topic")
    rows = []
    for step, (left, right, distance, _) in enumerate(merges):
        largest = named.loc[below[step]].sort_values("count", ascending=False, kind="stable")
        first = dict.fromkeys(words[0] for words in largest["words"] if words)
        rows.append(
            {
                "node": count + step,
                "left": int(left),
                "right": int(right),
                "distance": round(float(distance), 6),
                "count": int(largest["count"].sum()),
                "words": ", ".join([*first][:WORDS_IN_TABLES]),
            }
        )
    return pd.DataFrame(rows, columns=HIERARCHY)


def count_groups(topics: np.ndarray, groups: pd.Series) -> pd.DataFrame:
    """Return how many documents of each group are in each topic: topic, group, documents."""
    table = pd.DataFrame({"topic": topics, "group": groups.to_numpy()}).dropna()
    return table.groupby(["topic", "group"], sort=True).size().reset_index(name="documents")


def find_probabilities(
    clusters: "HDBSCAN", topic_of: np.ndarray, options: Outliers
) -> np.ndarray | None:
    """Return HDBSCAN's membership of each document in each topic, (n, topics), if it fits."""
    from hdbscan import all_points_membership_vectors

    needed = len(clusters.labels_) * len(topic_of)
    if not needed:
        return None
    if needed > MAX_PROBABILITIES and options.strategy != "probabilities":
        console.log(
            f"probabilities of {len(clusters.labels_):,} documents in {len(topic_of):,} topics "
            f"would need {8 * needed / 1e9:.0f} GB: the table of coverage leaves that strategy out"
        )
        return None
    return by_topic(all_points_membership_vectors(clusters), topic_of)


def write_plots(
    folder: Path,
    coverage: Sequence[dict[str, Any]],
    by_number: Sequence[dict[str, Any]],
    hierarchy: pd.DataFrame,
    groups: pd.DataFrame,
) -> None:
    """Write the tables that figures and people read, whole."""
    with files.whole_folder(folder) as out:
        for name, columns, rows in (
            ("coverage.csv", COVERAGE, coverage),
            ("by_number.csv", BY_NUMBER, by_number),
        ):
            table = [[_cell(row[column]) for column in columns] for row in rows]
            files.write_csv(out / name, columns, table)
        files.write_csv(out / "hierarchy.csv", HIERARCHY, hierarchy.to_numpy().tolist())
        files.write_csv(out / "groups.csv", list(groups.columns), groups.to_numpy().tolist())


def _cell(value: Any) -> Any:
    return "" if value is None else value


def main() -> None:
    """Read the arguments and the parameters, fit the topics, and write tables, map and model."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("embedder", type=Path, help="folder of the encoder that embed applied")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    arguments.add_argument("--table", type=Path, help="write the frequency table to this CSV file")
    arguments.add_argument("--plots", type=Path, help="write the other tables to this folder")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_fit", TopicFit)
    vocabulary = params.load(args.params, "vocabulary", Vocabulary)
    numbers = measures.load_numbers(args.params)
    documents = files.read_table(args.documents, columns=["id", "group", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    check_size(len(documents), options.umap, options.hdbscan)

    with receipt(
        args.receipt,
        "topic_fit",
        parameters={"topic_fit": options, "vocabulary": vocabulary, "topic_numbers": numbers},
        inputs=[args.documents, args.vectors, args.embedder],
        outputs=[args.out, args.table, args.metrics, args.plots],
    ):
        texts, groups = documents["text"].tolist(), documents["group"]
        corpus = Corpus(texts, vocabulary)
        _, reduced, drawn = reduce_vectors(vectors, options.seed, options.umap, options.map)
        console.log("HDBSCAN")
        clusters = cluster(reduced, options.hdbscan)
        alike = first_alike(vectors, texts)
        labels = clusters.labels_[alike]
        describer = Describer(
            corpus, vectors, options.words, partial(text_vectors.encode, args.embedder)
        )
        console.log("words of topics")
        clustered = Clustered(labels, clusters.probabilities_[alike])
        model = fit_topics(texts, vectors, reduced, clustered, describer)
        core = np.asarray(model.topics_)
        topic_of = number_clusters(labels, core, int(clusters.labels_.max()) + 1)
        probabilities = find_probabilities(clusters, topic_of, options.outliers)
        topics = reduce_outliers(model, texts, vectors, core, options.outliers, probabilities)
        topics = topics[alike]
        described = describe_topics(model, core, topics)
        if len(topics) != len(documents) or described["count"].sum() != len(documents):
            raise BertlineError(
                f"BERTopic assigned {len(topics):,} of {len(documents):,} documents. This is a "
                f"defect; please report it with your params.yaml."
            )
        if (core == OUTLIERS).all():
            console.log(
                f"warning: no topic was found: all {len(topics):,} documents are outliers. Lower "
                f"topic_fit.hdbscan.min_cluster_size or min_samples in {args.params}, or add "
                f"documents; documents that are all alike have no topics."
            )
        console.log("measures")
        reference = Reference(corpus)
        figures = measure_topics(described, core, topics, groups, reference)
        coverage = list(
            compare(
                *(model, describer, texts, core, probabilities, groups, reference),
                options.outliers,
            )
        )
        middles, sizes = tree.means(vectors, core, int(core.max()) + 1)
        merges = tree.merge(middles, sizes)
        by_number = list(
            measure_by_number(numbers, merges, describer, core, topics, groups, reference)
        )
        hierarchy = build_hierarchy(merges, described)
        console.log(described[["topic", "count", "name"]].head(21).to_string(index=False))
        console.log(f"topics: {figures}")
        assignments = pd.DataFrame(
            {
                "id": documents["id"],
                "topic": topics,
                "core_topic": core,
                "probability": clustered.probabilities_,
                "x": drawn[:, 0],
                "y": drawn[:, 1],
            }
        )
        take_over(model, topics)
        kept = TopicModel(
            settings=Settings(
                seed=options.seed,
                umap=options.umap,
                hdbscan=options.hdbscan,
                outliers=options.outliers,
            ),
            vectors=vectors,
            reduced=reduced,
            labels=clusters.labels_,
            topic_of=topic_of,
            topics=topics,
            probabilities=clustered.probabilities_,
            text_hashes=hash_texts(texts),
            clusters=clusters,
            bertopic=model,
        )
        with files.whole_folder(args.out) as out:
            files.write_table(out / "topics.parquet", described, TOPICS)
            files.write_table(out / "assignments.parquet", assignments, ASSIGNMENTS)
            files.write_json(out / "protocol.json", measures.protocol(reference))
            model.save(out / "model", serialization="safetensors", save_ctfidf=True)
            kept.save(out / "fit", args.vectors / "embeddings.npy")
            # Within, so that a failure leaves the earlier topics.
            if args.table:
                table = described[["topic", "count", "name"]].copy()
                table.insert(2, "share", (table["count"] / len(documents)).round(4))
                files.write_csv(args.table, list(table.columns), table.to_numpy().tolist())
            if args.plots:
                write_plots(
                    args.plots, coverage, by_number, hierarchy, count_groups(topics, groups)
                )
            if args.metrics:
                files.write_json(args.metrics, figures)


def number_clusters(labels: np.ndarray, core: np.ndarray, clusters: int) -> np.ndarray:
    """Return the topic that BERTopic makes of each of HDBSCAN's clusters, shape (clusters,).

    It numbers them by size. A cluster that lost all its documents to those that they equal, which
    takes a cluster of copies, keeps none, and gets the outliers' number.
    """
    topic_of = np.full(clusters, OUTLIERS, np.int64)
    inside = labels != OUTLIERS
    topic_of[labels[inside]] = core[inside]
    return topic_of


if __name__ == "__main__":
    console.run(main)
