"""A fitted topic model: saved whole, loaded, and used to assign topics to new documents.

    model = TopicModel.load(Path("data/topic_words"))
    topics, probabilities = model.assign(vectors, texts)

A folder that topic_words wrote contains BERTopic's own files in `model`, which have topics and
words but no clustering, and in `fit` what this needs:

    embeddings.npy       the documents' vectors, as embed wrote them: DVC's cache and file systems
                         with copy-on-write store them once
    arrays.safetensors   topics before and after outliers are reassigned, probabilities, and a hash
                         of each document's text; with HDBSCAN its labels and the reduced vectors
    settings.json        the parameters of the fit

A fitted document is recognised by its vector or its text, and keeps its topic. A new one is
assigned on its own, so that its topic does not depend on the batch: by a vote of its exact nearest
neighbours among the fitted; or, where HDBSCAN found the topics, UMAP's `transform` places it among
them and `approximate_predict` assigns a topic. The strategy for outliers is applied as in the fit.
HDBSCAN is fitted again to the stored vectors, which takes a second and is deterministic; its labels
must equal the stored ones.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.topics import graph
from bertline.topics.clustering import Hdbscan, Umap, load_vectors
from bertline.topics.fitting import cluster_again, hash_text, hash_vector
from bertline.topics.graph import Graph, of_length_one
from bertline.topics.outliers import Outliers, by_topic, reduce_outliers
from bertline.topics.tables import OUTLIERS

if TYPE_CHECKING:
    from bertopic import BERTopic
    from hdbscan import HDBSCAN
    from umap import UMAP

# Without them BERTopic would look for pickles.
BERTOPIC = ("topic_embeddings.safetensors", "ctfidf.safetensors", "topics.json", "config.json")
VECTORS, ARRAYS, SETTINGS = "embeddings.npy", "arrays.safetensors", "settings.json"
ROWS = (
    "labels",
    "core",
    "topics",
    "probabilities",
    "text_hashes",
)  # arrays with a row per document


class Settings(Section):
    """What settings.json holds."""

    method: Literal["graph", "hdbscan"]
    seed: params.Seed
    graph: Graph
    umap: Umap
    hdbscan: Hdbscan
    outliers: Outliers


class ExactNeighbours:
    """Exact search for the nearest fitted vectors, in place of UMAP's approximate index.

    The index depends on the number of threads, and is not stored.
    """

    _angular_trees = False  # UMAP reads it, to choose the depth of an approximate search

    def __init__(self, vectors: np.ndarray, metric: str) -> None:
        self.metric = metric
        self.vectors = np.asarray(vectors, np.float32)
        if metric == "cosine":
            self.vectors = of_length_one(self.vectors)
        self.squares = np.einsum("ij,ij->i", self.vectors, self.vectors)

    def query(
        self, vectors: np.ndarray, count: int, epsilon: float = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the `count` nearest and their distances, both (n, count)."""
        rows = of_length_one(vectors) if self.metric == "cosine" else vectors
        found = [self._nearest(row, count) for row in rows]
        numbers, distances = zip(*found, strict=True)
        return np.asarray(numbers, np.int32), np.asarray(distances, np.float32)

    def _nearest(self, row: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        alike = self.vectors @ row
        if self.metric == "cosine":
            distances = np.maximum(1 - alike, 0)
        else:
            distances = np.sqrt(np.maximum(self.squares + row @ row - 2 * alike, 0))
        nearest = np.argpartition(distances, count - 1)[:count]
        nearest = nearest[np.lexsort((nearest, distances[nearest]))]
        return nearest, distances[nearest]


@dataclass
class TopicModel:
    """A fitted model: the documents that it was fitted to, their clusters, and BERTopic."""

    settings: Settings
    vectors: np.ndarray  # of the fitted documents, (n, d)
    reduced: np.ndarray | None  # with HDBSCAN: by UMAP, (n, components)
    labels: np.ndarray  # of clusters, (n,)
    topic_of: np.ndarray  # the topic of each cluster, (clusters,)
    core: np.ndarray  # topics before outliers are reassigned, (n,)
    topics: np.ndarray  # after outliers are reassigned, (n,)
    probabilities: np.ndarray  # of the core topics, (n,)
    text_hashes: np.ndarray  # (n, bytes of a hash)
    clusters: "HDBSCAN | None"
    bertopic: "BERTopic"

    def __post_init__(self) -> None:
        """Prepare the search for neighbours, and look-ups of fitted documents by their hashes."""
        if self.reduced is not None:
            self._umap = _umap(self.settings, self.vectors, self.reduced)
        else:
            self._neighbours = ExactNeighbours(self.vectors, self.settings.umap.metric)
        hashes = (hash_vector(vector) for vector in self.vectors)
        self._of_vector = {key: row for row, key in enumerate(hashes)}
        self._of_text = {bytes(key): row for row, key in enumerate(self.text_hashes)}

    def assign(
        self, vectors: np.ndarray, texts: Sequence[str] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the topic of each document, -1 for none, and its probability, both (n,).

        vectors: as `embed` computes them, (n, d). texts: of the documents; without them a fitted
        document is recognised by its vector alone. A new document without text has no topic.

        Raises BertlineError for vectors of another length, or if the strategy for outliers needs
        texts and there are none.
        """
        vectors = np.asarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.vectors.shape[1]:
            raise BertlineError(
                f"the documents' vectors have the shape {vectors.shape}, and the topics were found "
                f"with {self.vectors.shape[1]} numbers for each. Embed them with the same encoder."
            )
        if texts is None and self.settings.outliers.strategy in {"c-tf-idf", "distributions"}:
            raise BertlineError(
                f"topic_words.outliers.strategy was {self.settings.outliers.strategy}, which needs "
                f"the documents' texts, and only vectors are given. Give the texts too."
            )
        rows = [
            self._fitted(vector, None if texts is None else texts[number])
            for number, vector in enumerate(vectors)
        ]
        known = np.array([row is not None for row in rows], bool)
        fitted = np.array([row for row in rows if row is not None], np.int64)
        topics = np.full(len(vectors), OUTLIERS, np.int64)
        probabilities = np.zeros(len(vectors))
        topics[known], probabilities[known] = self.topics[fitted], self.probabilities[fitted]
        if texts is not None:
            known |= np.array([not text.strip() for text in texts], bool)
        fresh = np.flatnonzero(~known)
        if len(fresh):
            own = None if texts is None else [texts[int(row)] for row in fresh]
            topics[fresh], probabilities[fresh] = self._predict(vectors[fresh], own or [])
        return topics, probabilities

    def _fitted(self, vector: np.ndarray, text: str | None) -> int | None:
        row = self._of_vector.get(hash_vector(vector))
        if row is None and text is not None:
            row = self._of_text.get(hash_text(text))
        return row

    def _predict(self, vectors: np.ndarray, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        with threadpool_limits(1, user_api="blas"):
            steps = console.progress(vectors, total=len(vectors), label="assign", unit="documents")
            found = self._cluster(steps) if self.clusters is not None else self._vote(steps)
        topics, probabilities, membership = found
        strategy = self.settings.outliers
        topics = reduce_outliers(self.bertopic, texts, vectors, topics, strategy, membership)
        return topics, probabilities

    def _vote(
        self, vectors: Iterable[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return topics, probabilities and memberships of new documents by their neighbours.

        As in the fit, a document is in a core where half of its votes are at least.
        """
        count = min(self.settings.graph.n_neighbors, len(self.vectors))
        numbers = np.vstack([self._neighbours.query(vector[None], count)[0] for vector in vectors])
        if not len(self.topic_of):
            return np.full(len(numbers), OUTLIERS, np.int64), np.zeros(len(numbers)), None
        number = int(self.topic_of.max()) + 1
        core = graph.count_votes(numbers, self.core, number)
        topics = np.where(core.max(axis=1) >= graph.CORE, core.argmax(axis=1), OUTLIERS)
        membership = graph.count_votes(numbers, self.topics, number)
        membership[~membership.any(axis=1)] = -1
        return topics, core.max(axis=1), membership

    def _cluster(
        self, vectors: Iterable[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return topics, probabilities and memberships of new documents by UMAP and HDBSCAN."""
        from hdbscan import approximate_predict, membership_vector

        reduced = np.vstack([self._umap.transform(vector[None]) for vector in vectors])
        labels, probabilities = approximate_predict(self.clusters, reduced)
        membership = None
        if self.settings.outliers.strategy == "probabilities" and len(self.topic_of):
            found = membership_vector(self.clusters, reduced.astype(np.float64))
            membership = by_topic(found, self.topic_of)
        return number_topics(labels, self.topic_of), probabilities, membership

    def save(self, folder: Path, embeddings: Path) -> None:
        """Write `model` and `fit` into a folder; embeddings: the file that embed wrote."""
        self.bertopic.save(folder / "model", serialization="safetensors", save_ctfidf=True)
        kept = folder / "fit"
        kept.mkdir()
        shutil.copyfile(embeddings, kept / VECTORS)
        arrays: dict[str, np.ndarray] = {
            "labels": self.labels.astype(np.int32),
            "topic_of": self.topic_of.astype(np.int32),
            "core": self.core.astype(np.int32),
            "topics": self.topics.astype(np.int32),
            "probabilities": np.asarray(self.probabilities, np.float64),
            "text_hashes": self.text_hashes,
        }
        if self.reduced is not None:
            arrays["reduced"] = np.ascontiguousarray(self.reduced, np.float32)
        save_file(arrays, kept / ARRAYS)
        files.write_json(kept / SETTINGS, self.settings.model_dump())

    @classmethod
    def load(cls, folder: Path) -> "TopicModel":
        """Return the model in a folder that topic_words wrote.

        Raises BertlineError if a file is missing or damaged, or if HDBSCAN finds other clusters
        than in the fit, as another version may.
        """
        from bertopic import BERTopic
        from bertopic.backend import BaseEmbedder

        kept = folder / "fit"
        content = files.read_json(kept / SETTINGS)
        settings = params.validate(content, Settings, where=str(kept / SETTINGS))
        for name in BERTOPIC:
            files.require(folder / "model" / name)
        vectors = load_vectors(kept / VECTORS)
        own = {"reduced"} if settings.method == "hdbscan" else set()
        arrays = _arrays(kept / ARRAYS, len(vectors), {*ROWS, *own})
        clusters = None
        if settings.method == "hdbscan":
            clusters = cluster_again(arrays["reduced"], arrays["labels"], settings.hdbscan)
        return cls(
            settings=settings,
            vectors=vectors,
            reduced=arrays.get("reduced"),
            labels=arrays["labels"].astype(np.int64),
            topic_of=arrays["topic_of"].astype(np.int64),
            core=arrays["core"].astype(np.int64),
            topics=arrays["topics"].astype(np.int64),
            probabilities=arrays["probabilities"],
            text_hashes=arrays["text_hashes"],
            clusters=clusters,
            # Vectors are given: without an encoder in its place BERTopic warns that it has none.
            bertopic=BERTopic.load(folder / "model", embedding_model=BaseEmbedder()),
        )


def number_topics(labels: np.ndarray, topic_of: np.ndarray) -> np.ndarray:
    """Return the topics of HDBSCAN's labels, shape (n,)."""
    return np.append(topic_of, OUTLIERS)[labels]  # -1 is the last


def hash_texts(texts: Sequence[str]) -> np.ndarray:
    """Return the hashes of texts, shape (n, bytes of a hash), uint8."""
    return np.array([list(hash_text(text)) for text in texts], np.uint8)


def _arrays(path: Path, count: int, rows: set[str]) -> dict[str, Any]:
    files.require(path)
    try:
        arrays = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BertlineError(
            f"{path} cannot be read as the arrays that topic_words writes ({error}). Delete its "
            f"folder and run `dvc repro topic-words`."
        ) from error
    wrong = sorted({*rows, "topic_of"} - set(arrays))
    wrong = wrong or [name for name in sorted(rows) if len(arrays[name]) != count]
    if wrong:
        raise BertlineError(
            f"{path}: `{wrong[0]}` is missing, or does not match the {count:,} vectors of "
            f"{VECTORS} beside it. They come from different runs: run `dvc repro topic-words`."
        )
    return arrays


def _umap(settings: Settings, vectors: np.ndarray, reduced: np.ndarray) -> "UMAP":
    """Return UMAP in the state after a fit, as far as `transform` reads it.

    The attributes are those of umap-learn 0.5; a test compares `transform` with a fitted UMAP's.
    """
    from umap import UMAP
    from umap.umap_ import find_ab_params

    umap = UMAP(
        n_neighbors=settings.umap.n_neighbors,
        n_components=settings.umap.n_components,
        min_dist=settings.umap.min_dist,
        metric=settings.umap.metric,
        random_state=settings.seed,
        n_jobs=1,
    )
    umap._raw_data = np.asarray(vectors, np.float32)
    umap._a, umap._b = find_ab_params(umap.spread, umap.min_dist)
    umap._initial_alpha = umap.learning_rate
    umap._validate_parameters()
    umap._n_neighbors = umap.n_neighbors
    umap._small_data = False
    umap._knn_search_index = ExactNeighbours(vectors, settings.umap.metric)
    umap._input_hash = None
    umap._supervised = False
    umap.embedding_ = np.asarray(reduced, np.float32)
    return umap
