"""Agglomerative merging of topics into a tree, which can be cut at any number of topics.

Ward's method (Ward 1963) on the mean vectors of topics, weighted by their documents: each step
merges the two topics that add least to the sum of squared distances of documents to their means.
SciPy's `ward` has no weights.
"""

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import cut_tree, to_tree


def means(vectors: np.ndarray, topics: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean vector of topics 0 to `count` - 1, (count, d), and their sizes, (count,)."""
    sizes = np.bincount(topics[topics >= 0], minlength=count)
    rows = [np.asarray(vectors[topics == topic], np.float64).mean(axis=0) for topic in range(count)]
    return np.asarray(rows), sizes


def merge(middles: np.ndarray, sizes: np.ndarray | Sequence[int]) -> np.ndarray:
    """Return the merges as SciPy's linkage matrix, (topics - 1, 4): two nodes, distance, topics.

    A node below the number of topics is a topic; node topics + i is what merge i made. The distance
    is the square root of what the merge adds to the sum of squares. The first pair wins a tie.
    """
    count = len(middles)
    rows, weights = [*middles], [float(size) for size in sizes]
    nodes, topics = list(range(count)), [1] * count
    merges = []
    while len(nodes) > 1:
        points, mass = np.asarray(rows), np.asarray(weights)
        norms = (points**2).sum(axis=1)
        squares = np.maximum(norms[:, None] + norms - 2 * np.einsum("id,jd->ij", points, points), 0)
        added = squares * np.outer(mass, mass) / (mass[:, None] + mass)
        added[np.tril_indices(len(nodes))] = np.inf
        one, other = divmod(int(np.argmin(added)), len(nodes))
        total = weights[one] + weights[other]
        middle = (rows[one] * weights[one] + rows[other] * weights[other]) / total
        merges.append(
            [nodes[one], nodes[other], np.sqrt(added[one, other]), topics[one] + topics[other]]
        )
        topics.append(topics[one] + topics[other])
        for place in (other, one):  # the later one first, so that the other stays in its place
            del nodes[place], rows[place], weights[place], topics[place]
        nodes.append(count + len(merges) - 1)
        rows.append(middle)
        weights.append(total)
    return np.asarray(merges).reshape(-1, 4)


def members(merges: np.ndarray) -> list[list[int]]:
    """Return the topics below what each merge made."""
    if not len(merges):
        return []
    _, nodes = to_tree(merges, rd=True)
    return [sorted(node.pre_order()) for node in nodes[len(merges) + 1 :]]


def cut(merges: np.ndarray, count: int) -> np.ndarray:
    """Return the number of each topic when `count` are left, (topics,); 0 contains topic 0.

    Topics stay as they are if there are no more than `count`.
    """
    topics = len(merges) + 1
    if count >= topics:
        return np.arange(topics)
    return cut_tree(merges, n_clusters=[count])[:, 0]
