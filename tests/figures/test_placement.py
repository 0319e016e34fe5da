"""Labels: no overlap, inside the drawing, near their anchors, the same on every call."""

import numpy as np
import pytest

from bertline.figures.placement import leader_end, place_labels

AREA = (1000.0, 700.0)
LINE = 15.0
NOTHING = np.empty((0, 2)), np.empty(0, dtype=int)


def random_labels(number: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(number)
    anchors = np.clip(random.normal(scale=spread, size=(number, 2)) + [500, 350], 0, AREA)
    return anchors, np.column_stack(
        [random.uniform(60, 150, number), random.choice([15, 30], number)]
    )


def overlaps(centres: np.ndarray, sizes: np.ndarray) -> int:
    """Count the pairs of boxes that share some of their inside."""
    placed = ~np.isnan(centres[:, 0])
    centres, sizes = centres[placed], sizes[placed]
    apart = np.abs(centres[:, None] - centres) >= (sizes[:, None] + sizes) / 2
    return int((~apart.any(axis=2)).sum() - len(centres)) // 2


@pytest.mark.parametrize("number", [2, 20, 30])
@pytest.mark.parametrize("spread", [0.0, 20.0, 150.0], ids=["one-point", "crowd", "spread"])
def test_labels_neither_overlap_nor_leave_the_area(number, spread):
    anchors, sizes = random_labels(number, spread)

    centres = place_labels(anchors, sizes, AREA, *NOTHING, line=LINE)

    assert not np.isnan(centres).any()
    assert overlaps(centres, sizes) == 0
    assert (centres - sizes / 2 >= 0).all()
    assert (centres + sizes / 2 <= AREA).all()


def test_a_label_alone_stands_on_its_anchor():
    centres = place_labels(
        np.array([[500.0, 350.0]]), np.array([[100.0, 15.0]]), AREA, *NOTHING, line=LINE
    )

    assert centres.tolist() == [[500.0, 350.0]]


def test_a_label_leaves_the_points_of_another_topic():
    points = np.random.default_rng(0).uniform([450, 335], [550, 365], size=(3000, 2))
    anchors, sizes = np.array([[500.0, 350.0]]), np.array([[80.0, 15.0]])

    (centre,) = place_labels(anchors, sizes, AREA, points, np.ones(3000, dtype=int), line=LINE)

    assert abs(centre[0] - 500) >= 90 or abs(centre[1] - 350) >= 20


def test_a_label_in_a_corner_moves_inside():
    anchors, sizes = np.array([[1000.0, 0.0]]), np.array([[120.0, 30.0]])

    (centre,) = place_labels(anchors, sizes, AREA, *NOTHING, line=LINE)

    assert centre[0] + 60 <= 1000
    assert centre[1] - 15 >= 0


def test_what_finds_no_room_is_left_out_least_important_first():
    anchors, sizes = np.full((9, 2), 50.0), np.full((9, 2), [90.0, 30.0])

    centres = place_labels(anchors, sizes, (100.0, 100.0), *NOTHING, line=LINE)

    # Three lines of 30 and their gaps do not fit into 100: two labels do.
    assert np.flatnonzero(~np.isnan(centres[:, 0])).tolist() == [0, 1]
    assert overlaps(centres, sizes) == 0


def test_a_label_larger_than_the_area_is_left_out():
    centres = place_labels(
        np.array([[5.0, 5.0]]), np.array([[500.0, 15.0]]), (100.0, 100.0), *NOTHING, line=LINE
    )

    assert np.isnan(centres).all()


def test_places_are_the_same_on_every_call():
    anchors, sizes = random_labels(12, 40.0)
    points = np.random.default_rng(3).uniform(0, 700, size=(5000, 2))
    owners = np.random.default_rng(4).integers(-1, 12, 5000)

    once = place_labels(anchors, sizes, AREA, points, owners, line=LINE)
    again = place_labels(anchors, sizes, AREA, points, owners, line=LINE)

    assert np.array_equal(once, again)


def test_leader_ends_at_the_nearest_point_of_the_box():
    end = leader_end(np.array([0.0, 0.0]), np.array([10.0, 5.0]), np.array([4.0, 8.0]))

    # The box spans 6 to 14 and -3 to 13: its nearest point to the origin is (6, 0).
    assert end.tolist() == [6.0, 0.0]
