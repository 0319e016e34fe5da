"""Planted communities are found, structureless documents are not, and votes are counted."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from bertline.topics import fitting, graph
from bertline.topics.graph import Graph, Neighbours, compare_again, search_exactly
from tests.topics.planted import planted, scattered

OPTIONS = Graph(n_neighbors=10, resolution=0.5, min_topic_size=5)


def cluster(vectors: np.ndarray, *, seed: int = 42, options: Graph = OPTIONS) -> np.ndarray:
    """Return the communities of documents that differ in their texts, (n,)."""
    near = search_exactly(vectors, options.n_neighbors + 1)
    return fitting.cluster_graph(near, np.arange(len(vectors)), seed, options)[0]


def test_planted_groups_are_the_communities():
    _, vectors = planted(200)

    found = cluster(vectors)

    assert adjusted_mutual_info_score(np.arange(200) % 4, found) == 1


def test_documents_between_groups_are_outliers():
    _, vectors = scattered(400)

    found = cluster(vectors)

    between = np.arange(400) % 5 == 0
    assert (found[~between] >= 0).mean() > 0.95
    assert 0.05 < (found[between] == -1).mean() < 1


def test_shuffled_documents_agree_with_no_group():
    vectors = np.random.default_rng(0).normal(size=(300, 16))

    found = cluster(vectors)

    assert abs(adjusted_mutual_info_score(np.arange(300) % 4, found)) < 0.03


def test_the_same_seed_gives_the_same_and_threads_do_not_matter(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(300, 16))

    one, again, other = cluster(vectors), cluster(vectors), cluster(vectors, seed=7)
    monkeypatch.setattr(graph.machine, "cores", lambda: 1)

    assert (one == again).all()
    assert (one == cluster(vectors)).all()
    assert (one != other).any()


def test_a_higher_resolution_gives_more_communities():
    vectors = np.random.default_rng(0).normal(size=(600, 4))

    few, many = (
        len({*cluster(vectors, options=OPTIONS.model_copy(update={"resolution": value})).tolist()})
        for value in (0.1, 3.0)
    )

    assert 1 < few < many


def test_links_are_weighted_by_shared_neighbours():
    # 0 and 1 are neighbours of each other and 2 of neither, which has a neighbour alone.
    links = graph.link(np.array([[0, 1], [1, 0], [2, 1], [3, -1]]))

    dense = links.toarray()
    # 0 and 1 share both of two; 2 shares 1 with 1, of three
    assert dense.tolist() == [[0, 1, 0, 0], [1, 0, 1 / 3, 0], [0, 1 / 3, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("count", [2, 12])
def test_few_documents_are_clustered(count):
    found = cluster(np.random.default_rng(0).normal(size=(count, 4)))

    assert len(found) == count


@pytest.mark.parametrize("value", [0.0, 1.0], ids=["zeros", "equal"])
def test_equal_documents_are_no_topic(value):
    vectors = np.full((60, 16), value)
    near = search_exactly(vectors, 31)

    found, attached = fitting.cluster_graph(near, np.zeros(60, int), 42, OPTIONS)

    assert (found == -1).all()
    assert np.isfinite(attached).all()


def test_repeated_documents_count_once_for_the_size_of_a_topic():
    communities = np.array([0] * 6 + [1] * 6)
    alike = np.array([0] * 6 + [6, 7, 8, 9, 10, 11])

    found = graph.find_core(communities, np.ones(12), alike, 5)

    assert found.tolist() == [-1] * 6 + [1] * 6


def test_a_document_with_most_of_its_weight_elsewhere_is_not_in_the_core():
    links = graph.link(np.array([[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1]]))
    communities = np.array([0, 0, 0, 1])

    attached = graph.attachment(links, communities)

    assert attached[3] == 0
    assert attached[2] == 1
    found = graph.find_core(communities, attached, np.arange(4), 2)
    assert found.tolist() == [0, 0, 0, -1]


def test_votes_spread_to_documents_without_neighbours_in_a_topic():
    # 0 is in topic 1; 1 has it as a neighbour, 2 has 1, and 3 and 4 have one another.
    numbers = np.array([[0, 1, 2], [1, 0, 2], [2, 1, 3], [3, 4, -1], [4, 3, -1]])

    shares = graph.vote(numbers, np.array([1, -1, -1, -1, -1]), 2)

    assert shares[1].tolist() == [0, 0.5]
    assert shares[2].tolist() == [0, 0.5]
    assert (shares[3:] == -1).all()
    assert graph.vote(numbers, np.full(5, -1), 0).shape == (5, 0)


# --- neighbours ---------------------------------------------------------------------------------


def test_exact_neighbours_are_the_nearest_and_ties_go_to_the_first():
    random = np.random.default_rng(3)
    vectors = random.normal(size=(80, 8)).astype(np.float32)
    vectors[10] = vectors[20] = vectors[5]
    vectors[7] = 0

    found = search_exactly(vectors, 6)

    assert (found.numbers[:, 0] == np.arange(80)).all()
    assert found.numbers[20, 1:3].tolist() == [5, 10]
    assert found.distances[20, :3] == pytest.approx([0, 0, 0], abs=1e-6)
    assert found.numbers[7].tolist() == [7, 0, 1, 2, 3, 4]  # 0 to all
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    cosines = (unit @ unit.T)[3]
    cosines[3] = 2
    assert found.numbers[3].tolist() == np.argsort(-cosines, kind="stable")[:6].tolist()
    assert found.distances[3, 1:] == pytest.approx(1 - np.sort(cosines)[::-1][1:6], abs=1e-6)


def test_neighbours_do_not_depend_on_blocks(monkeypatch):
    vectors = np.random.default_rng(3).normal(size=(50, 8))
    whole = search_exactly(vectors, 6)
    monkeypatch.setattr("bertline.topics.graph.BLOCK", 7)

    again = search_exactly(vectors, 6)

    assert (again.numbers == whole.numbers).all()
    assert (again.distances == whole.distances).all()
    assert search_exactly(vectors, 99).numbers.shape == (50, 50)


def test_changed_vectors_put_neighbours_into_another_order():
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.2], [1, -0.4]])
    near = search_exactly(vectors, 4)
    same = compare_again(near, vectors)
    vectors[1] = [1, 0.3]

    found = compare_again(near, vectors)

    assert (same.numbers == near.numbers).all()
    assert np.allclose(same.distances, near.distances)
    assert near.numbers[0].tolist() == [0, 1, 2, 3]
    assert found.numbers[0].tolist() == [0, 2, 1, 3]
    assert isinstance(found, Neighbours)
