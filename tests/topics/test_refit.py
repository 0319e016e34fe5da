"""Neighbours within a part of the documents are those of the whole, in their order."""

import numpy as np

from bertline.topics.refit import Neighbours, within


def exact(vectors: np.ndarray, count: int) -> Neighbours:
    """Return the nearest neighbours by measuring all distances."""
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    numbers = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return Neighbours(numbers, np.take_along_axis(distances, numbers, axis=1))


def test_neighbours_within_a_draw_are_those_that_a_search_in_it_finds():
    random = np.random.default_rng(3)
    vectors = random.normal(size=(60, 4))
    rows = np.unique(random.integers(60, size=60))

    found = within(exact(vectors, 40), rows, 5)

    expected = exact(vectors[rows], 5)
    assert np.array_equal(found.numbers, expected.numbers)
    assert np.allclose(found.distances, expected.distances)


def test_all_documents_keep_their_first_neighbours():
    near = exact(np.random.default_rng(1).normal(size=(20, 3)), 9)

    found = within(near, np.arange(20), 4)

    assert np.array_equal(found.numbers, near.numbers[:, :4])


def test_a_document_without_enough_neighbours_in_the_draw_says_which_are_missing():
    near = Neighbours(np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0]]), np.array([[0, 1.0, 2.0]] * 3))

    found = within(near, np.array([0, 2]), 3)

    assert found.numbers.tolist() == [[0, 1, -1], [1, 0, -1]]
    assert found.distances.tolist() == [[0, 2, 2], [0, 2, 2]]
