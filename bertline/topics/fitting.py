"""Find topics as clusters of documents: UMAP, HDBSCAN, and topics numbered by their size.

A folder that topic_fit wrote contains

    clusters.parquet   a row per document, with the columns of `CLUSTERS`
    reduced.npy        the vectors reduced by UMAP, which HDBSCAN clustered
    settings.json      the parameters of the fit

HDBSCAN can be fitted again to the reduced vectors, which takes a second and is deterministic.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.topics.clustering import Hdbscan, Map, Umap, cluster, load_vectors, reduce_vectors
from bertline.topics.tables import CLUSTERS, OUTLIERS

if TYPE_CHECKING:
    from hdbscan import HDBSCAN

HASH_BYTES = 16  # among a billion documents, two share a hash with a probability of 10^-21
TABLE, REDUCED, SETTINGS = "clusters.parquet", "reduced.npy", "settings.json"


class TopicFit(Section):
    """The section `topic_fit` of params.yaml."""

    seed: params.Seed
    umap: Umap
    map: Map
    hdbscan: Hdbscan


class Clusters(NamedTuple):
    """The clusters of the documents, and what they were found with."""

    settings: TopicFit
    reduced: np.ndarray  # vectors by UMAP, (n, components)
    table: pd.DataFrame  # the columns of CLUSTERS, a row per document

    @property
    def labels(self) -> np.ndarray:
        """HDBSCAN's cluster of each document, (n,)."""
        return self.table["cluster"].to_numpy(dtype=np.int64)

    @property
    def core(self) -> np.ndarray:
        """The topic of each document before outliers are reassigned, (n,)."""
        return self.table["core_topic"].to_numpy(dtype=np.int64)

    def save(self, folder: Path) -> None:
        """Write the files that `load` reads into a folder."""
        files.write_table(folder / TABLE, self.table, CLUSTERS)
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
        reduced = load_vectors(folder / REDUCED, stage="topic-fit")
        if len(reduced) != len(table):
            raise BertlineError(
                f"{folder / REDUCED} has {len(reduced):,} rows, and {TABLE} beside it has "
                f"{len(table):,}. They come from different runs: run `dvc repro topic-fit`."
            )
        return cls(settings, np.asarray(reduced), table)


def fit_clusters(
    ids: pd.Series, texts: Sequence[str], vectors: np.ndarray, options: TopicFit
) -> Clusters:
    """Return the clusters of documents with these vectors, (n, d), and their places on the map.

    Documents with the same text or the same vector get the same topic.
    """
    reduced, places = reduce_vectors(vectors, options.seed, options.umap, options.map)
    console.log("HDBSCAN")
    found = cluster(reduced, options.hdbscan)
    alike = first_alike(vectors, texts)
    columns = {
        "id": ids,
        "cluster": found.labels_,
        "core_topic": number_by_size(found.labels_[alike]),
        "probability": found.probabilities_[alike],
        "x": places[:, 0],
        "y": places[:, 1],
    }
    return Clusters(options, reduced, pd.DataFrame(columns))


def number_by_size(labels: np.ndarray) -> np.ndarray:
    """Return labels renumbered from 0 by falling size, as BERTopic does; outliers stay, (n,)."""
    sizes = pd.Series(Counter(labels.tolist())).sort_values(ascending=False)
    topics = [label for label in sizes.index if label != OUTLIERS]
    number = {OUTLIERS: OUTLIERS} | {label: topic for topic, label in enumerate(topics)}
    return np.asarray([number[label] for label in labels.tolist()], np.int64)


def number_clusters(labels: np.ndarray, core: np.ndarray, clusters: int) -> np.ndarray:
    """Return the topic of each of HDBSCAN's clusters, shape (clusters,).

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

    HDBSCAN may put equal documents into different clusters; topics should depend on content only.
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
