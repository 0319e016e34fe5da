"""Find topics as clusters of documents, by one of two methods, and number them by their size.

`graph` finds communities in a graph of shared neighbours (`bertline.topics.graph`); `hdbscan` is
BERTopic's published method: UMAP reduces the vectors, and HDBSCAN clusters them. One search for
neighbours serves the clusters, the map and the refits of topic_stability.

A folder that topic_fit wrote contains

    clusters.parquet   a row per document, with the columns of `CLUSTERS`
    neighbours.npy     the nearest neighbours of each document, itself the first, -1 for none
    distances.npy      their distances
    reduced.npy        with hdbscan: the vectors reduced by UMAP, which were clustered
    settings.json      the parameters of the fit

HDBSCAN can be fitted again to the reduced vectors, which takes a second and is deterministic.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.topics import graph
from bertline.topics.clustering import (
    Hdbscan,
    Map,
    Umap,
    cluster,
    draw_map,
    find_neighbours,
    load_vectors,
    reduce_vectors,
)
from bertline.topics.graph import Graph, Neighbours
from bertline.topics.tables import CLUSTERS, OUTLIERS

if TYPE_CHECKING:
    from hdbscan import HDBSCAN

HASH_BYTES = 16  # among a billion documents, two share a hash with a probability of 10^-21
TABLE, REDUCED, SETTINGS = "clusters.parquet", "reduced.npy", "settings.json"
NUMBERS, DISTANCES = "neighbours.npy", "distances.npy"
# Neighbours stored for each one that a fit needs: enough of them are left in a draw.
NEIGHBOURS_SEARCHED = 2


class TopicFit(Section):
    """The section `topic_fit` of params.yaml."""

    method: Literal["graph", "hdbscan"]
    seed: params.Seed
    graph: Graph
    umap: Umap
    map: Map
    hdbscan: Hdbscan

    def least_documents(self) -> dict[str, int]:
        """Return how many documents the parameters of the method and of the map need."""
        drawing = {"umap.n_neighbors": self.umap.n_neighbors + 1}
        if self.method == "graph":
            return drawing | {
                "graph.n_neighbors": self.graph.n_neighbors + 1,
                "graph.min_topic_size": self.graph.min_topic_size,
            }
        return drawing | {
            "umap.n_components": self.umap.n_components + 2,
            "hdbscan.min_cluster_size": self.hdbscan.min_cluster_size,
            "hdbscan.min_samples": self.hdbscan.min_samples + 1,
        }

    def neighbours_searched(self) -> int:
        """Return the number of neighbours, the document itself among them, to search."""
        return NEIGHBOURS_SEARCHED * max(self.umap.n_neighbors, self.graph.n_neighbors + 1)


class Clusters(NamedTuple):
    """The clusters of the documents, and what they were found with."""

    settings: TopicFit
    neighbours: Neighbours  # of each document, more than the fit needs, (n, k)
    reduced: np.ndarray | None  # with hdbscan: vectors by UMAP, (n, components)
    table: pd.DataFrame  # the columns of CLUSTERS, a row per document

    @property
    def labels(self) -> np.ndarray:
        """The cluster of each document, (n,)."""
        return self.table["cluster"].to_numpy(dtype=np.int64)

    @property
    def core(self) -> np.ndarray:
        """The topic of each document before outliers are reassigned, (n,)."""
        return self.table["core_topic"].to_numpy(dtype=np.int64)

    def save(self, folder: Path) -> None:
        """Write the files that `load` reads into a folder."""
        files.write_table(folder / TABLE, self.table, CLUSTERS)
        np.save(folder / NUMBERS, self.neighbours.numbers, allow_pickle=False)
        np.save(folder / DISTANCES, self.neighbours.distances, allow_pickle=False)
        if self.reduced is not None:
            np.save(folder / REDUCED, self.reduced, allow_pickle=False)
        files.write_json(folder / SETTINGS, self.settings.model_dump())

    @classmethod
    def load(cls, folder: Path) -> "Clusters":
        """Return the clusters in a folder that topic_fit wrote.

        Raises BertlineError if a file is missing, damaged or from another run than the others.
        """
        content = files.read_json(folder / SETTINGS)
        settings = params.validate(content, TopicFit, where=str(folder / SETTINGS))
        table = files.read_table(folder / TABLE, columns=CLUSTERS.names)
        arrays = {DISTANCES: load_vectors(folder / DISTANCES, stage="topic-fit")}
        arrays[NUMBERS] = load_vectors(folder / NUMBERS, stage="topic-fit", kind="i")
        if settings.method == "hdbscan":
            arrays[REDUCED] = load_vectors(folder / REDUCED, stage="topic-fit")
        for name, array in arrays.items():
            if len(array) != len(table):
                raise BertlineError(
                    f"{folder / name} has {len(array):,} rows, and {TABLE} beside it has "
                    f"{len(table):,}. They come from different runs: run `dvc repro topic-fit`."
                )
        neighbours = Neighbours(np.asarray(arrays[NUMBERS]), np.asarray(arrays[DISTANCES]))
        reduced = np.asarray(arrays[REDUCED]) if REDUCED in arrays else None
        return cls(settings, neighbours, reduced, table)


def fit_clusters(
    ids: pd.Series, texts: Sequence[str], vectors: np.ndarray, options: TopicFit
) -> Clusters:
    """Return the clusters of documents with these vectors, (n, d), and their places on the map.

    Documents with the same text or the same vector get the same topic.
    """
    found = find_neighbours(vectors, options.neighbours_searched(), options.seed, options.umap)
    alike = first_alike(vectors, texts)
    reduced = None
    if options.method == "graph":
        console.log("communities of the graph of neighbours")
        labels, probabilities = cluster_graph(found, alike, options.seed, options.graph)
    else:
        reduced = reduce_vectors(vectors, found, options.seed, options.umap)
        console.log("HDBSCAN")
        clusters = cluster(reduced, options.hdbscan)
        labels, probabilities = clusters.labels_, clusters.probabilities_
    places = draw_map(vectors, found, options.seed, options.umap, options.map)
    columns = {
        "id": ids,
        "cluster": labels,
        "core_topic": number_by_size(labels[alike]),
        "probability": probabilities[alike],
        "x": places[:, 0],
        "y": places[:, 1],
    }
    return Clusters(options, found, reduced, pd.DataFrame(columns))


def cluster_graph(
    neighbours: Neighbours, alike: np.ndarray, seed: int, options: Graph
) -> tuple[np.ndarray, np.ndarray]:
    """Return the community of each document, -1 for outliers, and its attachment, both (n,).

    alike: the first document that equals each, (n,).
    """
    links = graph.link(neighbours.numbers[:, : options.n_neighbors + 1])
    communities = graph.find_communities(links, seed, options.resolution)
    attached = graph.attachment(links, communities)
    return graph.find_core(communities, attached, alike, options.min_topic_size), attached


def number_by_size(labels: np.ndarray) -> np.ndarray:
    """Return labels renumbered from 0 by falling size, as BERTopic does; outliers stay, (n,)."""
    sizes = pd.Series(Counter(labels.tolist())).sort_values(ascending=False)
    topics = [label for label in sizes.index if label != OUTLIERS]
    number = {OUTLIERS: OUTLIERS} | {label: topic for topic, label in enumerate(topics)}
    return np.asarray([number[label] for label in labels.tolist()], np.int64)


def number_clusters(labels: np.ndarray, core: np.ndarray, clusters: int) -> np.ndarray:
    """Return the topic of each cluster, shape (clusters,).

    A cluster that lost all its documents to equal ones elsewhere has the outliers' number.
    labels: of the documents, each that of the first document alike. core: their topics.
    """
    topic_of = np.full(clusters, OUTLIERS, np.int64)
    inside = labels != OUTLIERS
    topic_of[labels[inside]] = core[inside]
    return topic_of


def cluster_again(reduced: np.ndarray, labels: np.ndarray, options: Hdbscan) -> "HDBSCAN":
    """Return HDBSCAN fitted again to stored vectors, (n, components).

    Raises BertlineError if it finds other clusters than `labels`, (n,), as another version may.
    """
    again = cluster(reduced, options)
    if not np.array_equal(again.labels_, labels):
        raise BertlineError(
            "HDBSCAN finds other clusters in the stored vectors than the fit did: its version is "
            "another one. Run `dvc repro topic-fit`."
        )
    return again


def hash_vector(vector: np.ndarray) -> bytes:
    """Return the hash of a vector."""
    return hashlib.blake2b(vector.astype("<f4").tobytes(), digest_size=HASH_BYTES).digest()


def hash_text(text: str) -> bytes:
    """Return the hash of a text."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=HASH_BYTES).digest()


def first_alike(vectors: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Return for each document the first one with the same vector or text, shape (n,).

    Equal documents may be in different clusters; topics should depend on content only.
    """
    count = len(texts)
    first: dict[bytes, int] = {}
    pairs = []
    for row in range(count):
        for key in (b"v" + hash_vector(np.asarray(vectors[row])), b"t" + hash_text(texts[row])):
            pairs.append((row, first.setdefault(key, row)))
    one, other = np.asarray(pairs).T
    links = sp.csr_matrix((np.ones(len(pairs)), (one, other)), shape=(count, count))
    _, group = connected_components(links, directed=False)
    _, firsts = np.unique(group, return_index=True)
    return firsts[group]
