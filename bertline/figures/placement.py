"""Where labels go beside their anchors so that none overlaps another or leaves the drawing.

Each label has some two thousand candidate places around its anchor. The labels take the cheapest
one in turn, then each is moved while that lowers the cost: the idea of Christensen, Marks and
Shieber (1995, "An empirical study of algorithms for point-feature label placement"), by descent
in a fixed order, so that the same input gives the same places. Lengths are in any one unit; the
constants are in multiples of a line's height.
"""

import numpy as np

RING_STEP = 0.45  # distance between two rings of candidates
RINGS = 42
DIRECTIONS = 40
BEST = 500  # candidates without an overlap that are compared in full
SWEEPS = 12

GAP = 0.22  # kept free between two labels, and between a label and the edge

# What a place costs, in line heights that a label would rather move.
FOREIGN_POINTS = 9.0  # its box is full of other named topics' points
GREY_POINTS = 1.5  # its box is full of unnamed points
OWN_POINTS = 5.0  # its box is full of its own points
COVERED_ANCHOR = 8.0  # it hides another label's anchor
CROSSED_LEADERS = 10.0  # its leader line crosses another one
CROSSED_BOX = 14.0  # its leader line runs through a label, or another one's through it


def place_labels(
    anchors: np.ndarray,
    sizes: np.ndarray,
    area: tuple[float, float],
    points: np.ndarray,
    owners: np.ndarray,
    *,
    line: float,
) -> np.ndarray:
    """Return the centres of labels' boxes, shape (n, 2); NaN where there is no room.

    anchors: shape (n, 2), what the labels name, the most important first. sizes: width and height
    of the boxes, (n, 2). area: width and height of the drawing, from (0, 0). points: (m, 2), what
    better stays visible; owners: (m,), the label whose points they are, or -1. line: the height of
    a line of text.
    """
    count = len(anchors)
    gap = GAP * line
    # Boxes with half a gap around them: touching is allowed, so overlap is impossible.
    half = sizes / 2 + gap / 2
    candidates = [_candidates(anchors[i], half[i], area, line, gap / 2) for i in range(count)]
    density = _Density(points, owners, area, line / 2)
    costs = [_own_costs(candidates[i], anchors[i], half[i], density, i, line) for i in range(count)]
    centres = np.full((count, 2), np.nan)
    for _ in range(SWEEPS):
        moved = False
        for i in range(count):
            best = _best(i, candidates[i], costs[i], centres, anchors, half, line)
            if best is not None and not np.array_equal(best, centres[i]):
                centres[i] = best
                moved = True
        if not moved:
            break
    return centres


def leader_end(anchor: np.ndarray, centre: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return the point of a box that is nearest to `anchor`; arrays broadcast, shape (..., 2)."""
    return np.clip(anchor, centre - half, centre + half)


def _candidates(
    anchor: np.ndarray, half: np.ndarray, area: tuple[float, float], line: float, edge: float
) -> np.ndarray:
    """Return the centres inside `area`: on the anchor, and in rings around it, nearest first."""
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    radii = np.arange(RINGS) * RING_STEP * line
    # The box's own extent is added, so that a ring is a distance from anchor to box.
    rings = radii[:, None, None] * directions + directions * half
    centres = np.concatenate([np.zeros((1, 2)), rings.reshape(-1, 2)]) + anchor
    # Near an edge the places along it are further choices.
    inside = np.clip(centres, half + edge, np.asarray(area) - half - edge)
    fits = np.all(half + edge <= np.asarray(area) - half - edge)
    return np.unique(inside.round(3), axis=0) if fits else np.empty((0, 2))


def _own_costs(
    centres: np.ndarray,
    anchor: np.ndarray,
    half: np.ndarray,
    density: "_Density",
    owner: int,
    line: float,
) -> np.ndarray:
    """Return what each candidate costs before other labels are regarded, in units of length."""
    if not len(centres):
        return np.empty(0)
    distance = np.linalg.norm(leader_end(anchor, centres, half) - anchor, axis=1)
    # Ties among places that touch the anchor go to the one centred on it.
    off_centre = 0.15 * np.linalg.norm(centres - anchor, axis=1)
    own, foreign, grey = density.shares(centres, half, owner)
    cover = FOREIGN_POINTS * foreign + GREY_POINTS * grey + OWN_POINTS * own
    return distance + off_centre + cover * line


def _best(
    label: int,
    centres: np.ndarray,
    costs: np.ndarray,
    placed: np.ndarray,
    anchors: np.ndarray,
    half: np.ndarray,
    line: float,
) -> np.ndarray | None:
    """Return the cheapest candidate of `label` given the others' places, or None without room."""
    others = np.flatnonzero(~np.isnan(placed[:, 0]))
    others = others[others != label]
    reach = half[label] + half[others]
    apart = np.abs(centres[:, None] - placed[others]) >= reach - 1e-6
    free = np.flatnonzero(apart.any(axis=2).all(axis=1))
    if not len(free):
        return None
    free = free[np.argsort(costs[free], kind="stable")[:BEST]]
    centres, total = centres[free], costs[free].copy()
    box = half[label]

    elsewhere = np.delete(anchors, label, axis=0)
    hides = (np.abs(centres[:, None] - elsewhere) < box).all(axis=2)
    total += COVERED_ANCHOR * line * hides.sum(axis=1)

    start = anchors[label]
    ends = leader_end(start, centres, box)
    other_ends = leader_end(anchors[others], placed[others], half[others])
    crossed = _segments_cross(start, ends[:, None], anchors[others], other_ends)
    through = _segment_meets_box(start, ends[:, None], placed[others], half[others])
    under = _segment_meets_box(anchors[others], other_ends, centres[:, None], box)
    total += CROSSED_LEADERS * line * crossed.sum(axis=1)
    total += CROSSED_BOX * line * (through.sum(axis=1) + under.sum(axis=1))
    return centres[np.argmin(total)]


def _segments_cross(
    first: np.ndarray, second: np.ndarray, third: np.ndarray, fourth: np.ndarray
) -> np.ndarray:
    """Return whether the segments first-second and third-fourth cross properly; broadcasts."""

    def side(start: np.ndarray, end: np.ndarray, point: np.ndarray) -> np.ndarray:
        along, to = end - start, point - start
        return along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]

    return (side(first, second, third) * side(first, second, fourth) < 0) & (
        side(third, fourth, first) * side(third, fourth, second) < 0
    )


def _segment_meets_box(
    start: np.ndarray, end: np.ndarray, centre: np.ndarray, half: np.ndarray
) -> np.ndarray:
    """Return whether the segment passes through the inside of the box (slab test); broadcasts."""
    along = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        one = (centre - half - start) / along
        other = (centre + half - start) / along
    outside = (along == 0) & (np.abs(start - centre) >= half)
    enter = np.where(along == 0, -np.inf, np.minimum(one, other)).max(axis=-1)
    leave = np.where(along == 0, np.inf, np.maximum(one, other)).min(axis=-1)
    lasting = np.minimum(leave, 1) - np.maximum(enter, 0)
    return (lasting > 1e-9) & ~outside.any(axis=-1)


class _Density:
    """Which share of a box is covered by points, by whose they are: a grid with running sums."""

    def __init__(
        self, points: np.ndarray, owners: np.ndarray, area: tuple[float, float], cell: float
    ) -> None:
        self.cell = cell
        self.shape = tuple(int(np.ceil(length / cell)) + 1 for length in area)
        cells = np.floor(points / cell).astype(int)
        inside = ((cells >= 0) & (cells < self.shape)).all(axis=1)
        self.cells, self.owners = cells[inside], owners[inside]
        self.named = self._sums(self.owners >= 0)
        self.grey = self._sums(self.owners < 0)

    def shares(
        self, centres: np.ndarray, half: np.ndarray, owner: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the shares of each box with points of `owner`, of other labels, of none."""
        low = np.floor((centres - half) / self.cell).astype(int)
        high = np.ceil((centres + half) / self.cell).astype(int)
        low, high = np.clip(low, 0, self.shape), np.clip(high, 0, self.shape)
        cells = np.maximum((high - low).prod(axis=1), 1)
        own_sums = self._sums(self.owners == owner)
        own, named, grey = (
            (
                sums[high[:, 0], high[:, 1]]
                - sums[low[:, 0], high[:, 1]]
                - sums[high[:, 0], low[:, 1]]
                + sums[low[:, 0], low[:, 1]]
            )
            / cells
            for sums in (own_sums, self.named, self.grey)
        )
        return own, np.maximum(named - own, 0), grey

    def _sums(self, chosen: np.ndarray) -> np.ndarray:
        """Return the running sums of cells with a chosen point, padded by a row and a column."""
        grid = np.zeros(self.shape)
        grid[tuple(self.cells[chosen].T)] = 1
        return np.pad(grid.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
