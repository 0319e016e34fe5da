"""Search documents' neighbours once, and reduce the vectors again and again from them.

For stages that fit topics many times: the search takes as long as UMAP itself, and the neighbours
within any part of the documents are found among those within the whole.
"""

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from bertline.topics import clustering
from bertline.topics.clustering import Umap, allow_threads


class Neighbours(NamedTuple):
    """The nearest neighbours of each document, itself the first: numbers and distances, (n, k)."""

    numbers: np.ndarray
    distances: np.ndarray


def search(vectors: np.ndarray, count: int, seed: int, options: Umap) -> Neighbours:
    """Return the `count` nearest neighbours of each vector, or as many as there are.

    Imports numba, whose number of threads it decides.
    """
    numbers, distances, _ = clustering.search(vectors, min(count, len(vectors) - 1), seed, options)
    return Neighbours(numbers, distances)


def within(neighbours: Neighbours, rows: np.ndarray, count: int) -> Neighbours:
    """Return the `count` nearest neighbours within some of the documents, numbered among these.

    rows: the numbers of the documents, rising, shape (m,). A document with fewer neighbours there
    gets -1 for the others, which UMAP leaves out, at the distance of its last one.
    """
    place = np.full(len(neighbours.numbers), -1, np.int64)
    place[rows] = np.arange(len(rows))
    numbers = place[neighbours.numbers[rows]]
    distances = neighbours.distances[rows]
    order = np.argsort(numbers < 0, axis=1, kind="stable")[:, :count]  # those inside come first
    numbers = np.take_along_axis(numbers, order, axis=1)
    distances = np.take_along_axis(distances, order, axis=1)
    found = (numbers >= 0).sum(axis=1)
    last = distances[np.arange(len(rows)), np.maximum(found - 1, 0)]
    distances = np.where(numbers >= 0, distances, last[:, None])
    return Neighbours(numbers.astype(np.int32), distances.astype(np.float32))


def reduce(vectors: np.ndarray, neighbours: Neighbours, seed: int, options: Umap) -> np.ndarray:
    """Return the vectors reduced by UMAP with `seed`, shape (n, components).

    neighbours: those within these vectors, `n_neighbors` of each or more. Linear algebra gets one
    thread: see `topic_reduce.reduce_vectors`.
    """
    allow_threads(options.threads)
    import warnings

    from umap import UMAP

    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        # Without an index of the search nothing new can be transformed, and nothing is.
        warnings.filterwarnings("ignore", message="precomputed_knn")
        reducer = UMAP(
            n_neighbors=options.n_neighbors,
            n_components=options.n_components,
            min_dist=options.min_dist,
            metric=options.metric,
            random_state=seed,
            precomputed_knn=(*neighbours, None),
            n_jobs=1,  # what a fixed random_state implies; said aloud, it does not warn
        )
        return reducer.fit_transform(vectors)
