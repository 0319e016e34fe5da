"""The merge tree of the topics as a dendrogram, from the step at which `LEAVES` are left."""

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics, topic_label, topic_name

WIDTH = 8.0  # inches
ROW_HEIGHT = 0.185
FRAME_HEIGHT = 0.6
LEAVES = 50
WORDS = 4
INNER_WORDS = 3
NAMED = 12  # branches nearest to the root that have a label


@dataclass
class Node:
    """A branch of the drawing: its height on the page and its distance from the leaves."""

    place: float
    distance: float


def draw(results: Topics, *, coloured: int) -> Figure:
    """Return the figure; the `coloured` largest topics have their colours of the map."""
    count = len(results.merges) + 1
    skipped = max(count - LEAVES, 0)
    steps = results.merges.to_dict("records")[skipped:]
    leaves = _order(steps)
    subtitles = [
        results.source,
        "The further right two branches meet, the less similar their topics. Words at a branch are "
        "the first words of its largest topics.",
    ]
    if skipped:
        subtitles.append(f"The {count:,} topics are shown merged to {LEAVES}.")
    height = max(len(leaves), 3) * ROW_HEIGHT + FRAME_HEIGHT
    figure = style.new_figure(WIDTH, height, "Topic hierarchy", subtitles)
    axes = figure.subplots()
    if not steps:
        style.write_note(axes, "There are no two topics to merge.")
        return figure
    _draw_branches(axes, steps, leaves)
    ranks = {topic: rank for rank, topic in enumerate(results.table["topic"])}
    words = dict(zip(results.table["topic"], results.table["words"], strict=True))
    words |= dict(zip(results.merges["node"], results.merges["words"], strict=True))
    # A leaf from `count` on is several topics that are merged.
    style.label_rows(
        axes, [topic_label(leaf if leaf < count else "+", words[leaf], WORDS) for leaf in leaves]
    )
    for leaf, tick in zip(leaves, axes.get_yticklabels(), strict=True):
        if ranks.get(leaf, coloured) < coloured:
            tick.set_color(style.darken(style.topic_colour(ranks[leaf])))
        tick.set_fontsize("small")
    axes.set_xlim(0, results.merges["distance"].max() * 1.03)
    axes.set_xlabel("merge distance")
    return figure


def _draw_branches(axes: Axes, steps: list[dict[Any, Any]], leaves: list[int]) -> None:
    """Draw each merge as a bracket around its two branches, the last ones with their words."""
    nodes = {leaf: Node(place, 0.0) for place, leaf in enumerate(leaves)}
    for left, row in enumerate(steps, start=1 - len(steps)):
        one, other = nodes[row["left"]], nodes[row["right"]]
        distance = row["distance"]
        axes.plot(
            [one.distance, distance, distance, other.distance],
            [one.place, one.place, other.place, other.place],
            color=style.QUIET,
            linewidth=1,
            solid_joinstyle="miter",
        )
        node = nodes[row["node"]] = Node((one.place + other.place) / 2, distance)
        if 1 - NAMED < left < 0:  # the root has no label
            axes.annotate(
                topic_name(row["words"], INNER_WORDS),
                (node.distance, node.place),
                xytext=(3, 1),
                textcoords="offset points",
                size="x-small",
                color=style.QUIET,
                va="bottom",
            )


def _order(steps: list[dict[Any, Any]]) -> list[int]:
    """Return the leaves in an order in which no two branches cross."""
    below: dict[int, list[int]] = {}
    for row in steps:
        pair = (row["left"], row["right"])
        below[row["node"]] = [leaf for part in pair for leaf in below.get(part, [part])]
    return below[steps[-1]["node"]] if steps else []
