"""Merge topics step by step into one: the tree, its cuts at any number of topics, and its drawing.

Ward's method (Ward 1963) on the mean vectors of topics, each with the weight of its documents: the
two are merged that add least to the sum of squared distances between documents and their means.
"""

from collections.abc import Sequence

import numpy as np


def means(vectors: np.ndarray, topics: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean vector of topics 0 to `count` - 1, (count, d), and their sizes, (count,)."""
    sizes = np.bincount(topics[topics >= 0], minlength=count)
    rows = [np.asarray(vectors[topics == topic], np.float64).mean(axis=0) for topic in range(count)]
    return np.asarray(rows), sizes


def merge(middles: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Return the merges in SciPy's form, (topics - 1, 4): two nodes, their distance, documents.

    A node below the number of topics is a topic; node topics + i is what merge i made. The distance
    is the square root of what the merge adds to the sum of squares. The first pair wins a tie.
    """
    count = len(middles)
    middles, weights = [*middles], [float(size) for size in sizes]
    nodes = list(range(count))
    merges = []
    while len(nodes) > 1:
        points, mass = np.asarray(middles), np.asarray(weights)
        norms = (points**2).sum(axis=1)
        squares = np.maximum(norms[:, None] + norms - 2 * np.einsum("id,jd->ij", points, points), 0)
        added = squares * np.outer(mass, mass) / (mass[:, None] + mass)
        added[np.tril_indices(len(nodes))] = np.inf
        one, other = divmod(int(np.argmin(added)), len(nodes))
        total = weights[one] + weights[other]
        middle = (middles[one] * weights[one] + middles[other] * weights[other]) / total
        merges.append([nodes[one], nodes[other], np.sqrt(added[one, other]), total])
        for place in (other, one):  # the later one first, so that the other stays in its place
            del nodes[place], middles[place], weights[place]
        nodes.append(count + len(merges) - 1)
        middles.append(middle)
        weights.append(total)
    return np.asarray(merges).reshape(-1, 4)


def members(merges: np.ndarray, topics: int) -> list[list[int]]:
    """Return the topics below each node: the topics first, then what each merge made."""
    below = [[topic] for topic in range(topics)]
    for one, other in merges[:, :2].astype(int):
        below.append(sorted(below[one] + below[other]))
    return below


def cut(merges: np.ndarray, count: int) -> np.ndarray:
    """Return where each topic goes when `count` are left, shape (topics,): 0 holds the first topic.

    All stay as they are if there are no more than `count`.
    """
    topics = len(merges) + 1
    done = max(topics - count, 0)
    below = members(merges[:done], topics)
    merged = set(merges[:done, :2].ravel().astype(int))
    left = [below[node] for node in range(topics + done) if node not in merged]
    where = np.empty(topics, np.int64)
    for number, inside in enumerate(sorted(left)):
        where[inside] = number
    return where


def order(merges: np.ndarray) -> list[int]:
    """Return the topics in the order in which the tree is drawn, no two branches crossing."""
    drawn = [[topic] for topic in range(len(merges) + 1)]
    for one, other in merges[:, :2].astype(int):
        drawn.append(drawn[one] + drawn[other])
    return drawn[-1]
