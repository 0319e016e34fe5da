"""Nearest neighbours of documents, their graph, and communities of it by consensus of many fits.

Neighbours are searched once, for clustering, the map and stability. The search is exact up to
`EXACT_UP_TO` documents: its time grows with their square. Linear algebra in 32 bits finds
candidates, and its last digits depend on the processor; so all that could be among the nearest are
compared again in 64 bits, rounded, and of equals the first one is the nearer.

Two documents are linked if one is among the nearest neighbours of the other; the weight is the
Jaccard index of their sets of neighbours (Jarvis and Patrick 1973, Clustering using a similarity
measure based on shared near neighbors). Leiden's algorithm (Traag, Waltman and van Eck 2019) finds
communities of high modularity. One fit depends on its seed and on single documents. So `FITS` of
them, each on a random draw of the documents, vote: a link counts the more, the more often both its
ends were in one community (Lancichinetti and Fortunato 2012, Consensus clustering in complex
networks), and a last fit clusters this graph.

A document is in the core of its community if half of its links' weight at least stays inside.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from threadpoolctl import threadpool_limits

from bertline.core import console, machine
from bertline.core.params import Section
from bertline.topics.tables import OUTLIERS

EXACT_UP_TO = 100_000  # documents: some five minutes on one core
BLOCK = 512  # documents compared at once with all: 200 MB for 100,000
MARGIN = 1e-4  # more than 32 bits are wrong by, for vectors of length one
DIGITS = 9  # of a similarity; 64 bits differ between processors by 1e-15
FITS, SHARE = 10, 0.8  # fits of a consensus, and the documents in each
POWER = 2  # of the share of fits in which a link's ends are together
ITERATIONS, TRIALS = 2, 3  # of Leiden; trials of the last fit
CORE = 0.5  # of a document's votes


class Graph(Section):
    """`topic_fit.graph`."""

    n_neighbors: Annotated[int, Field(ge=2)]
    resolution: Annotated[float, Field(gt=0)]
    min_topic_size: Annotated[int, Field(ge=2)]


class Neighbours(NamedTuple):
    """The nearest neighbours of each document, itself the first, and the index of the search."""

    numbers: np.ndarray  # (n, k); -1 where there is none, after the others
    distances: np.ndarray  # (n, k)
    index: Any = None


def of_length_one(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors divided by their lengths, (n, d); zeros stay zeros."""
    sizes = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(sizes > 0, sizes, 1)


def search_exactly(vectors: np.ndarray, count: int) -> Neighbours:
    """Return the `count` nearest of each vector by cosine, itself the first, or all there are.

    vectors: (n, d). Distances are 1 less the cosine; a vector of zeros has a cosine of 0 with all.
    """
    count = min(count, len(vectors))
    precise = of_length_one(np.asarray(vectors, np.float64))
    numbers = np.empty((len(precise), count), np.int32)
    distances = np.empty((len(precise), count), np.float32)
    with threadpool_limits(1, user_api="blas"):
        rows = _candidates(precise.astype(np.float32), count)
        steps = console.progress(rows, total=len(precise), label="neighbours", unit="documents")
        for row, near in enumerate(steps):
            cosines = np.round((precise[near] * precise[row]).sum(axis=1), DIGITS)
            cosines[near == row] = np.inf
            order = np.argsort(-cosines, kind="stable")[:count]
            numbers[row], distances[row] = near[order], 1 - cosines[order]
    distances[:, 0] = 0
    return Neighbours(numbers, np.maximum(distances, 0))


def _candidates(vectors: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yield for each vector the rising numbers of all that may be among its `count` nearest."""
    for start in range(0, len(vectors), BLOCK):
        alike = vectors[start : start + BLOCK] @ vectors.T
        place = len(vectors) - count
        least = np.partition(alike, place, axis=1)[:, place] - MARGIN
        for row, bound in zip(alike, least, strict=True):
            yield np.flatnonzero(row >= bound)


def compare_again(neighbours: Neighbours, vectors: np.ndarray) -> Neighbours:
    """Return the neighbours in the order that other vectors of the same documents give them.

    vectors: (n, d), so little changed that the nearest are still among these neighbours.
    """
    precise = of_length_one(np.asarray(vectors, np.float64))
    cosines = np.stack(
        [(precise * precise[column]).sum(axis=1) for column in neighbours.numbers.T], axis=1
    ).round(DIGITS)
    cosines[:, 0] = np.inf
    order = np.argsort(-cosines, axis=1, kind="stable")
    numbers = np.take_along_axis(neighbours.numbers, order, axis=1)
    distances = 1 - np.take_along_axis(cosines, order, axis=1)
    distances[:, 0] = 0
    return Neighbours(numbers, np.maximum(distances, 0).astype(np.float32))


def within(neighbours: Neighbours, rows: np.ndarray, count: int) -> Neighbours:
    """Return the `count` nearest neighbours within some of the documents, numbered among these.

    rows: the numbers of the documents, rising, shape (m,). A document with fewer neighbours there
    gets -1 for the others, which UMAP ignores, at the distance of its last one.
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


def link(numbers: np.ndarray) -> sp.csr_matrix:
    """Return the weights of the links between documents, (n, n), symmetric.

    numbers: the nearest neighbours of each, itself the first, -1 for none, (n, k). Shared ones are
    counted in integers, so that no rounding decides.
    """
    count, width = numbers.shape
    rows = np.repeat(np.arange(count), width)[numbers.ravel() >= 0]
    near = sp.csr_matrix(
        (np.ones(len(rows), np.int64), (rows, numbers[numbers >= 0])), shape=(count, count)
    )
    linked = (near + near.T).sign()
    shared = sp.coo_matrix(linked.multiply(near @ near.T))
    apart = shared.row != shared.col
    one, other, both = shared.row[apart], shared.col[apart], shared.data[apart]
    sizes = np.asarray(near.sum(axis=1)).ravel()
    weights = both / (sizes[one] + sizes[other] - both)
    return _sorted(sp.csr_matrix((weights, (one, other)), shape=(count, count)))


def find_communities(links: sp.csr_matrix, seed: int, resolution: float) -> np.ndarray:
    """Return the community of each document, numbered from 0, by consensus, (n,)."""
    count = links.shape[0]
    ends = _ends(links)
    random = np.random.default_rng(seed)
    drawn = [np.sort(random.permutation(count)[: round(SHARE * count)]) for _ in range(FITS)]
    seeds = [int(number) for number in random.integers(2**32, size=FITS + 1)]

    def fit(rows: np.ndarray, own: int) -> np.ndarray:
        found = np.full(count, OUTLIERS)
        found[rows] = leiden(_sorted(links[rows][:, rows]), own, resolution)
        return found

    # Leiden runs outside of Python; each fit has its own seed, so their order does not matter.
    with ThreadPoolExecutor(machine.cores()) as pool:
        fits = list(pool.map(fit, drawn, seeds[:FITS]))
    weights = links.data * _together(fits, *ends) ** POWER
    kept = weights > 0
    agreed = sp.csr_matrix((weights[kept], (ends[0][kept], ends[1][kept])), shape=(count, count))
    return leiden(_sorted(agreed), seeds[FITS], resolution, TRIALS)


def _together(fits: Sequence[np.ndarray], one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return for each link the share of the fits with both ends that have them together."""
    together, both = np.zeros(len(one), np.int64), np.zeros(len(one), np.int64)
    for found in fits:
        inside = (found[one] != OUTLIERS) & (found[other] != OUTLIERS)
        both += inside
        together += inside & (found[one] == found[other])
    return together / np.maximum(both, 1)


def leiden(links: sp.csr_matrix, seed: int, resolution: float, trials: int = 1) -> np.ndarray:
    """Return the community of each document by Leiden's algorithm and modularity, (n,).

    The best of `trials`. A document without links is alone.
    """
    from graspologic_native import graspologic_native

    count = links.shape[0]
    if not links.nnz:
        return np.arange(count)
    _, found = graspologic_native.leiden_csr(
        links.indptr.astype(np.int64),
        links.indices.astype(np.int32),
        links.data.astype(np.float64),
        count,
        resolution=resolution,
        iterations=ITERATIONS,
        seed=seed,
        trials=trials,
    )
    return np.asarray([found.get(row, OUTLIERS) for row in range(count)])


def attachment(links: sp.csr_matrix, communities: np.ndarray) -> np.ndarray:
    """Return the share of each document's weight that links it to its own community, (n,)."""
    one, other = _ends(links)
    inside = communities[one] == communities[other]
    total = np.bincount(one, links.data, len(communities))
    own = np.bincount(one, links.data * inside, len(communities))
    return own / np.where(total > 0, total, 1)


def find_core(
    communities: np.ndarray, attached: np.ndarray, alike: np.ndarray, least: int
) -> np.ndarray:
    """Return the communities, -1 for documents outside of a core or in a small one, (n,).

    attached: by `attachment`. alike: the first document that equals each; a community needs `least`
    documents that differ.
    """
    firsts = np.unique(alike)
    core = np.where(attached >= CORE, communities, OUTLIERS)
    inside = firsts[core[firsts] != OUTLIERS]
    sizes = np.bincount(core[inside], minlength=int(communities.max(initial=0)) + 1)
    small = np.append(sizes < least, True)
    return np.where(small[core], OUTLIERS, core)


def vote(numbers: np.ndarray, core: np.ndarray, topics: int) -> np.ndarray:
    """Return the share of each document's neighbours in each topic, (n, topics).

    numbers: the nearest neighbours of each, itself the first, (n, k). core: the topic of each,
    shape (n,). Where no neighbour is in a topic, those vote to whom this vote gave one, and so on;
    the shares of a document that no vote reaches are -1.
    """
    shares = np.full((len(core), topics), -1.0)
    now = core.copy()
    waiting = np.arange(len(core))
    while len(waiting) and topics:
        counted = count_votes(numbers[waiting, 1:], now, topics)
        reached = counted.sum(axis=1) > 0
        if not reached.any():
            break
        rows = waiting[reached]
        shares[rows] = counted[reached]
        now[rows] = np.where(now[rows] == OUTLIERS, shares[rows].argmax(axis=1), now[rows])
        waiting = waiting[~reached]
    return shares


def count_votes(numbers: np.ndarray, topic_of: np.ndarray, topics: int) -> np.ndarray:
    """Return the share of neighbours in each topic, (n, topics); those in none count as well.

    numbers: of neighbours, -1 for none, (n, k). topic_of: of each document that may be one, -1 for
    none.
    """
    voters = np.append(topic_of, OUTLIERS)[numbers]
    rows, columns = np.nonzero(voters != OUTLIERS)
    counted = np.zeros((len(numbers), topics))
    np.add.at(counted, (rows, voters[rows, columns]), 1)
    return counted / numbers.shape[1]


def _ends(links: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(links.shape[0]), np.diff(links.indptr)), links.indices


def _sorted(links: sp.csr_matrix) -> sp.csr_matrix:
    links.sort_indices()
    return links
