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

A text without a letter or digit is in no topic, and neither is a new document that is farther from
its nearest fitted one than `ISOLATED` of these are from theirs, whatever the strategy for outliers:
topics are known only where there are documents.
"""

import shutil
from collections.abc import Iterator, Sequence
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
from bertline.topics.graph import DIGITS, MARGIN, Graph, Neighbours, of_length_one
from bertline.topics.outliers import Outliers, by_topic, reduce_outliers
from bertline.topics.tables import OUTLIERS

if TYPE_CHECKING:
    from bertopic import BERTopic
    from hdbscan import HDBSCAN
    from umap import UMAP

# Without them BERTopic would look for pickles.
BERTOPIC = ("topic_embeddings.safetensors", "ctfidf.safetensors", "topics.json", "config.json")
VECTORS, ARRAYS, SETTINGS = "embeddings.npy", "arrays.safetensors", "settings.json"
# Share of the fitted documents, the farthest from all others, that set the limit for new ones: so
# many of the same kind get no topic. At .02 four times as much foreign text gets one.
ISOLATED = 0.05
COPY = 1e-6  # a nearer document is a copy, and says nothing of how far others are
BLOCK = 256  # new documents compared at once with all fitted ones: 20 MB for 20,000
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
    long_texts: params.LongTexts = "head"


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
        """Return the numbers of the `count` nearest and their distances, both (n, count).

        They are the same whatever vectors are asked for together: 32 bits find candidates, which
        are compared again one by one in 64 bits, as in `graph.search_exactly`.
        """
        vectors = np.asarray(vectors, np.float32)
        numbers = np.empty((len(vectors), count), np.int32)
        distances = np.empty((len(vectors), count), np.float32)
        for start in range(0, len(vectors), BLOCK):
            rows = vectors[start : start + BLOCK]
            for row, near in enumerate(self._candidates(rows, count), start=start):
                far = self._distances(vectors[row], near)
                order = np.argsort(far, kind="stable")[:count]
                numbers[row], distances[row] = near[order], far[order]
        return numbers, distances

    def _candidates(self, rows: np.ndarray, count: int) -> Iterator[np.ndarray]:
        """Yield for each row the rising numbers of all that may be among its `count` nearest."""
        if self.metric == "cosine":
            alike, margin = of_length_one(rows) @ self.vectors.T, np.full(len(rows), MARGIN)
        else:
            alike = 2 * (rows @ self.vectors.T) - self.squares
            margin = MARGIN * (np.einsum("ij,ij->i", rows, rows) + self.squares.max())
        place = len(self.vectors) - count
        least = np.partition(alike, place, axis=1)[:, place] - margin
        for row, bound in zip(alike, least, strict=True):
            yield np.flatnonzero(row >= bound)

    def _distances(self, vector: np.ndarray, near: np.ndarray) -> np.ndarray:
        one, others = vector.astype(np.float64), self.vectors[near].astype(np.float64)
        if self.metric == "cosine":
            cosines = (of_length_one(others) * of_length_one(one[None])).sum(axis=1)
            return np.maximum(1 - cosines.round(DIGITS), 0)
        return np.sqrt(np.square(others - one).sum(axis=1)).round(DIGITS)


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
    reach: float  # distance to the nearest fitted document beyond which there is no topic
    clusters: "HDBSCAN | None"
    bertopic: "BERTopic"

    def __post_init__(self) -> None:
        """Prepare the search for neighbours, and look-ups of fitted documents by their hashes."""
        self._neighbours = ExactNeighbours(self.vectors, self.settings.umap.metric)
        if self.reduced is not None:
            self._umap = _umap(self.settings, self.vectors, self.reduced, self._neighbours)
        hashes = (hash_vector(vector) for vector in self.vectors)
        self._of_vector = {key: row for row, key in enumerate(hashes)}
        self._of_text = {bytes(key): row for row, key in enumerate(self.text_hashes)}

    def assign(
        self, vectors: np.ndarray, texts: Sequence[str] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the topic of each document, -1 for none, and its probability, both (n,).

        vectors: as `embed` computes them, (n, d). texts: of the documents; without them a fitted
        document is recognised by its vector alone.

        The probability of a new document is the share of its nearest fitted ones that are in the
        topic; where HDBSCAN found the topics, its membership, 0 for outliers reassigned. Without a
        topic it is 0. A fitted document has that of the fit: the share of its links that stay in
        its own cluster, or HDBSCAN's membership.

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
            empty = np.array([is_empty(text) for text in texts], bool)
            topics[empty], probabilities[empty] = OUTLIERS, 0
            known |= empty
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
        topics = np.full(len(vectors), OUTLIERS, np.int64)
        probabilities = np.zeros(len(vectors))
        if not len(self.topic_of):
            return topics, probabilities
        count = min(self.settings.graph.n_neighbors, len(self.vectors))
        with threadpool_limits(1, user_api="blas"):
            numbers, distances = self._neighbours.query(vectors, count)
            near = np.flatnonzero(distances[:, 0] <= self.reach)
            if len(near):
                own = [texts[int(row)] for row in near] if len(texts) else []
                place = self._vote if self.clusters is None else self._cluster
                topics[near], probabilities[near] = place(vectors[near], own, numbers[near])
        return topics, probabilities

    def _vote(
        self, vectors: np.ndarray, texts: Sequence[str], numbers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return topics and probabilities of new documents by their neighbours, both (n,).

        As in the fit, a document is in a core where half of its votes are at least.
        """
        number = int(self.topic_of.max()) + 1
        core = graph.count_votes(numbers, self.core, number)
        topics = np.where(core.max(axis=1) >= graph.CORE, core.argmax(axis=1), OUTLIERS)
        shares = graph.count_votes(numbers, self.topics, number)
        membership = np.where(shares.any(axis=1, keepdims=True), shares, -1)
        topics = self._reduce(vectors, texts, topics, membership)
        own = shares[np.arange(len(topics)), topics]
        return topics, np.where(topics == OUTLIERS, 0, own)

    def _cluster(
        self, vectors: np.ndarray, texts: Sequence[str], numbers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return topics and probabilities of new documents by UMAP and HDBSCAN, both (n,)."""
        from hdbscan import approximate_predict, membership_vector

        steps = console.progress(vectors, total=len(vectors), label="assign", unit="documents")
        reduced = np.vstack([self._umap.transform(vector[None]) for vector in steps])
        labels, probabilities = approximate_predict(self.clusters, reduced)
        membership = None
        if self.settings.outliers.strategy == "probabilities":
            found = membership_vector(self.clusters, reduced.astype(np.float64))
            membership = by_topic(found, self.topic_of)
        topics = number_topics(labels, self.topic_of)
        return self._reduce(vectors, texts, topics, membership), probabilities

    def _reduce(
        self,
        vectors: np.ndarray,
        texts: Sequence[str],
        topics: np.ndarray,
        membership: np.ndarray | None,
    ) -> np.ndarray:
        strategy = self.settings.outliers
        return reduce_outliers(self.bertopic, texts, vectors, topics, strategy, membership)

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
            "reach": np.array([self.reach]),
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
            reach=float(arrays["reach"][0]),
            clusters=clusters,
            # Vectors are given: without an encoder in its place BERTopic warns that it has none.
            bertopic=BERTopic.load(folder / "model", embedding_model=BaseEmbedder()),
        )


def number_topics(labels: np.ndarray, topic_of: np.ndarray) -> np.ndarray:
    """Return the topics of HDBSCAN's labels, shape (n,)."""
    return np.append(topic_of, OUTLIERS)[labels]  # -1 is the last


def find_reach(neighbours: Neighbours) -> float:
    """Return the distance to the nearest other document that `ISOLATED` of all documents exceed.

    neighbours: of the fitted documents. Copies count as one document; infinite if there is nothing
    but copies.
    """
    others = neighbours.distances > COPY
    nearest = neighbours.distances[np.arange(len(others)), others.argmax(axis=1)]
    found = nearest[others.any(axis=1)]
    return float(np.quantile(found, 1 - ISOLATED)) if len(found) else float("inf")


def is_empty(text: str) -> bool:
    """Return whether a text has no letter and no digit."""
    return not any(character.isalnum() for character in text)


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
    wrong = sorted({*rows, "topic_of", "reach"} - set(arrays))
    wrong = wrong or [name for name in sorted(rows) if len(arrays[name]) != count]
    if wrong:
        raise BertlineError(
            f"{path}: `{wrong[0]}` is missing, or does not match the {count:,} vectors of "
            f"{VECTORS} beside it. They come from different runs: run `dvc repro topic-words`."
        )
    return arrays


def _umap(
    settings: Settings, vectors: np.ndarray, reduced: np.ndarray, search: ExactNeighbours
) -> "UMAP":
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
    umap._knn_search_index = search
    umap._input_hash = None
    umap._supervised = False
    umap.embedding_ = np.asarray(reduced, np.float32)
    return umap
