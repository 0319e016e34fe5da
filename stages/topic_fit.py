"""Find topics with BERTopic, name them, measure them, and place every document on a 2-D map.

Reads   data/parse/documents.parquet, data/embed/embeddings.npy and `topic_fit` and `vocabulary` of
        params.yaml.
Writes  data/topic_fit:
        topics.parquet        a row per topic: topic (-1 holds the outliers), count, name, words,
                              weights, representative_documents
        assignments.parquet   a row per document: id, topic, probability, x, y
        model/                the BERTopic model as safetensors; `BERTopic.load` reads it, and
                              assigns by nearest topic vector, not as the fit did
        And a JSON file of measures, and the frequency table as CSV.

    python -m stages.topic_fit data/parse/documents.parquet data/embed data/topic_fit

BERTopic (Grootendorst 2022): UMAP reduces the vectors, HDBSCAN clusters them, class-based TF-IDF
finds each cluster's words. UMAP is seeded, so that topics are the same on every run.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field
from threadpoolctl import threadpool_limits

from stages import console, files, params
from stages.errors import BertlineError
from stages.params import Section
from stages.receipt import receipt
from stages.topic_measures import OUTLIERS, Reference, measure
from stages.vocabulary import Corpus, Vocabulary

# BERTopic, UMAP and HDBSCAN are imported where they are called: numba, beneath them, takes its
# number of threads from the environment once, when it is imported (`allow_threads`).
if TYPE_CHECKING:
    from bertopic import BERTopic
    from umap import UMAP

CHUNK = 65_536  # vectors checked at once

TOPICS = pa.schema(
    [
        ("topic", pa.int32()),
        ("count", pa.int64()),
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
        ("probability", pa.float32()),
        ("x", pa.float32()),
        ("y", pa.float32()),
    ]
)


class Umap(Section):
    """`topic_fit.umap`."""

    n_neighbors: Annotated[int, Field(ge=2)]
    n_components: Annotated[int, Field(ge=2)]
    min_dist: Annotated[float, Field(ge=0, le=1)]
    metric: Literal["cosine", "euclidean"]
    threads: params.Threads


class Map(Section):
    """`topic_fit.map`."""

    min_dist: Annotated[float, Field(ge=0, le=1)]


class Hdbscan(Section):
    """`topic_fit.hdbscan`."""

    min_cluster_size: Annotated[int, Field(ge=2)]
    min_samples: Annotated[int, Field(ge=1)]
    cluster_selection_method: Literal["eom", "leaf"]


class Ctfidf(Section):
    """`topic_fit.ctfidf`."""

    bm25_weighting: bool
    reduce_frequent_words: bool


class TopicFit(Section):
    """The section `topic_fit` and `vocabulary` of
    params.yaml."""

    seed: params.Seed
    umap: Umap
    map: Map
    hdbscan: Hdbscan
    ctfidf: Ctfidf


def load_vectors(path: Path) -> np.ndarray:
    """Return the vectors that embed wrote, memory-mapped; BertlineError if the file is no such."""
    files.require(path)
    try:
        vectors = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise BertlineError(
            f"{path} cannot be read as the array that embed writes ({error}). Delete it and run "
            f"`dvc repro embed`."
        ) from error
    if vectors.dtype.kind != "f":
        raise BertlineError(
            f"{path} holds {vectors.dtype} and not floating-point numbers. Delete it and run "
            f"`dvc repro embed`."
        )
    return vectors


def check_vectors(vectors: np.ndarray, documents: int) -> None:
    """Raise BertlineError unless there is one finite vector for each document."""
    if vectors.ndim != 2 or len(vectors) != documents:
        raise BertlineError(
            f"embeddings.npy has the shape {vectors.shape} and there are {documents:,} documents: "
            f"they belong to different runs. Run `dvc repro embed`."
        )
    for start in range(0, len(vectors), CHUNK):
        finite = np.isfinite(vectors[start : start + CHUNK]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise BertlineError(
                f"the vector of document {row + 1} has values that are no numbers. The encoder "
                f"overflowed: set embed.precision to fp32, or choose another inputs.embedder."
            )


def check_size(documents: int, options: TopicFit) -> None:
    """Raise BertlineError if there are too few documents for the parameters."""
    least = {
        "umap.n_neighbors": options.umap.n_neighbors + 1,
        "umap.n_components": options.umap.n_components + 2,
        "hdbscan.min_cluster_size": options.hdbscan.min_cluster_size,
        "hdbscan.min_samples": options.hdbscan.min_samples + 1,
    }
    for key, needed in least.items():
        if documents < needed:
            raise BertlineError(
                f"params.yaml: topic_fit.{key} needs {needed} documents at least, and there are "
                f"{documents}. Lower it, or add documents."
            )


def allow_threads(count: int) -> None:
    """Let numba, which must not have been imported yet, start `count` threads on any machine.

    Raises BertlineError if it was, and with fewer threads.
    """
    os.environ["NUMBA_NUM_THREADS"] = str(count)
    if "numba" not in sys.modules:
        return
    import numba

    if count > numba.config.NUMBA_NUM_THREADS:
        raise BertlineError(
            f"topic_fit.umap.threads is {count}, and numba was imported with "
            f"{numba.config.NUMBA_NUM_THREADS} threads before. Set NUMBA_NUM_THREADS to {count} "
            f"before Python starts."
        )


def reduce_vectors(vectors: np.ndarray, options: TopicFit) -> tuple["UMAP", np.ndarray, np.ndarray]:
    """Return UMAP fitted for clustering, the reduced vectors, and the map, shape (n, 2).

    Nearest neighbours are searched once and serve both. The search (Dong, Moses and Li 2011, as
    pynndescent does it) divides its random choices among its threads and gives other neighbours
    with another number of them, so that number is a parameter. UMAP begins with eigenvectors from
    linear algebra, whose last digits depend on its threads, and magnifies them: it gets one thread.
    """
    allow_threads(options.umap.threads)
    from umap import UMAP
    from umap.umap_ import nearest_neighbors

    shared = {"metric": options.umap.metric, "random_state": options.seed}
    neighbours = nearest_neighbors(
        vectors,
        n_neighbors=options.umap.n_neighbors,
        metric=options.umap.metric,
        metric_kwds={},
        angular=False,
        random_state=np.random.RandomState(options.seed),
        n_jobs=options.umap.threads,
    )
    shared |= {
        "n_neighbors": options.umap.n_neighbors,
        "precomputed_knn": neighbours,
        "n_jobs": 1,  # what a fixed random_state implies; said aloud, it does not warn
    }
    with threadpool_limits(1, user_api="blas"):
        console.log(f"UMAP: {vectors.shape[1]} to {options.umap.n_components} dimensions")
        reducer = UMAP(
            n_components=options.umap.n_components, min_dist=options.umap.min_dist, **shared
        )
        reduced = reducer.fit_transform(vectors)
        console.log("UMAP: to the 2 dimensions of the map")
        drawn = UMAP(n_components=2, min_dist=options.map.min_dist, **shared).fit_transform(vectors)
    return reducer, reduced, drawn


class Fitted:
    """A dimension reduction that has been done: BERTopic asks it for the result again."""

    def __init__(self, reduced: np.ndarray) -> None:
        self.reduced = reduced

    def fit(self, vectors: np.ndarray, y: Any = None) -> "Fitted":
        """Do nothing: the reduction is fitted."""
        return self

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """Return the reduced vectors of the fitted documents."""
        return self.reduced


def fit_topics(
    texts: list[str],
    vectors: np.ndarray,
    reduced: np.ndarray,
    corpus: Corpus,
    options: TopicFit,
) -> "BERTopic":
    """Return BERTopic fitted on documents, their vectors and their reduced vectors."""
    from bertopic import BERTopic
    from bertopic.vectorizers import ClassTfidfTransformer
    from hdbscan import HDBSCAN

    clusters = HDBSCAN(
        min_cluster_size=options.hdbscan.min_cluster_size,
        min_samples=options.hdbscan.min_samples,
        cluster_selection_method=options.hdbscan.cluster_selection_method,
        metric="euclidean",
        core_dist_n_jobs=1,  # on a few dimensions the trees take a second; processes take more
    )
    model = BERTopic(
        embedding_model=None,
        umap_model=Fitted(reduced),
        hdbscan_model=clusters,
        vectorizer_model=corpus.vectorizer(),
        ctfidf_model=ClassTfidfTransformer(
            bm25_weighting=options.ctfidf.bm25_weighting,
            reduce_frequent_words=options.ctfidf.reduce_frequent_words,
        ),
        top_n_words=corpus.options.top_words,
    )
    with threadpool_limits(1, user_api="blas"):
        model.fit(texts, embeddings=np.asarray(vectors))
    return model


def describe_topics(model: "BERTopic") -> pd.DataFrame:
    """Return the information table: a row per topic, outliers first, then by falling size."""
    information = model.get_topic_info()
    rows = []
    for topic, count, name in information[["Topic", "Count", "Name"]].itertuples(index=False):
        pairs = [(word, weight) for word, weight in model.get_topic(topic) if word]
        rows.append(
            {
                "topic": topic,
                "count": count,
                "name": name,
                "words": [word for word, _ in pairs],
                "weights": [float(weight) for _, weight in pairs],
                "representative_documents": model.representative_docs_.get(topic, []),
            }
        )
    return pd.DataFrame(rows)


def measure_topics(
    described: pd.DataFrame, topics: np.ndarray, groups: pd.Series, reference: Reference
) -> dict[str, Any]:
    """Return the number and the sizes of topics, and what `topic_measures` measures."""
    named = described[described["topic"] != OUTLIERS]
    return {
        "documents": len(topics),
        "largest_topic": int(named["count"].max()) if len(named) else 0,
        "median_topic": float(named["count"].median()) if len(named) else 0.0,
        "vocabulary": len(reference.corpus.words),
        **measure(named["words"].tolist(), topics, groups, reference),
    }


def main() -> None:
    """Read the arguments and the parameters, fit the topics, and write tables, map and model."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    arguments.add_argument("--table", type=Path, help="write the frequency table to this CSV file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_fit", TopicFit)
    vocabulary = params.load(args.params, "vocabulary", Vocabulary)
    documents = files.read_table(args.documents, columns=["id", "group", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    check_size(len(documents), options)

    with receipt(
        args.receipt,
        "topic_fit",
        parameters={"topic_fit": options, "vocabulary": vocabulary},
        inputs=[args.documents, args.vectors],
        outputs=[args.out, args.table, args.metrics],
    ):
        texts = documents["text"].tolist()
        corpus = Corpus(texts, vocabulary)
        _, reduced, drawn = reduce_vectors(vectors, options)
        console.log("HDBSCAN and class-based TF-IDF")
        model = fit_topics(texts, vectors, reduced, corpus, options)
        topics = np.asarray(model.topics_)
        described = describe_topics(model)
        if len(topics) != len(documents) or described["count"].sum() != len(documents):
            raise BertlineError(
                f"BERTopic assigned {len(topics):,} of {len(documents):,} documents. This is a "
                f"defect; please report it with your params.yaml."
            )
        if (topics == OUTLIERS).all():
            console.log(
                f"warning: no topic was found: all {len(topics):,} documents are outliers. Lower "
                f"topic_fit.hdbscan.min_cluster_size or min_samples in {args.params}, or add "
                f"documents; documents that are all alike have no topics."
            )
        console.log("coherence")
        figures = measure_topics(described, topics, documents["group"], Reference(corpus))
        console.log(described[["topic", "count", "name"]].head(21).to_string(index=False))
        console.log(f"topics: {figures}")
        assignments = pd.DataFrame(
            {
                "id": documents["id"],
                "topic": topics,
                "probability": model.probabilities_,
                "x": drawn[:, 0],
                "y": drawn[:, 1],
            }
        )
        with files.whole_folder(args.out) as out:
            files.write_table(out / "topics.parquet", described, TOPICS)
            files.write_table(out / "assignments.parquet", assignments, ASSIGNMENTS)
            model.save(out / "model", serialization="safetensors", save_ctfidf=True)
            # Within, so that a failure leaves the earlier topics.
            if args.table:
                table = described[["topic", "count", "name"]].copy()
                table.insert(2, "share", (table["count"] / len(documents)).round(4))
                files.write_csv(args.table, list(table.columns), table.to_numpy().tolist())
            if args.metrics:
                files.write_json(args.metrics, figures)


if __name__ == "__main__":
    console.run(main)
