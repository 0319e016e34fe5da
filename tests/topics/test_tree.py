"""Merging topics: Ward's method with weights, its cuts, and the order of the drawing."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, ward

from bertline.topics import tree


def test_topics_of_one_document_are_merged_as_by_ward():
    points = np.random.default_rng(0).normal(size=(30, 4))

    merges = tree.merge(points, [1] * 30)

    # SciPy's distances are the square root of twice what a merge adds
    assert merges[:, 2] == pytest.approx(ward(points)[:, 2] / np.sqrt(2))
    for count in (2, 5, 17):
        theirs = fcluster(ward(points), count, "maxclust")
        ours = tree.cut(merges, count)
        assert len(set(zip(theirs, ours, strict=True))) == count


def test_weights_are_as_many_documents_at_the_mean():
    points = np.random.default_rng(1).normal(size=(6, 3))
    sizes = [1, 5, 2, 1, 7, 3]
    spread = np.repeat(points, sizes, axis=0)

    merges = tree.merge(points, sizes)

    assert merges[:, 2] == pytest.approx(ward(spread)[-5:, 2] / np.sqrt(2))
    assert merges[-1, 3] == 6


def test_by_hand():
    # On a line at 0, 1 and 10, with 1, 3 and 1 documents. Merging the first two adds
    # 1 * 3 / 4 * 1 = 0.75; their mean is 0.75. Merging that with 10 adds 4 * 1 / 5 * 9.25 ** 2.
    merges = tree.merge(np.array([[0.0], [1.0], [10.0]]), [1, 3, 1])

    assert merges[0].tolist() == pytest.approx([0, 1, np.sqrt(0.75), 2])
    assert merges[1].tolist() == pytest.approx([2, 3, np.sqrt(0.8) * 9.25, 3])
    assert tree.cut(merges, 2).tolist() == [0, 0, 1]
    assert tree.cut(merges, 1).tolist() == [0, 0, 0]
    assert tree.cut(merges, 3).tolist() == tree.cut(merges, 9).tolist() == [0, 1, 2]
    assert tree.members(merges) == [[0, 1], [0, 1, 2]]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_topics_have_no_merge(count):
    merges = tree.merge(np.zeros((count, 3)), [1] * count)

    assert merges.shape == (0, 4)
    assert tree.cut(merges, 10).tolist() == [0]
    assert tree.members(merges) == []


def test_means_are_of_each_topic_s_documents():
    vectors = np.array([[0.0, 2], [2, 0], [5, 5], [9, 9]])

    middles, sizes = tree.means(vectors, np.array([0, 0, 1, -1]), 2)

    assert middles.tolist() == [[1, 1], [5, 5]]
    assert sizes.tolist() == [2, 1]
