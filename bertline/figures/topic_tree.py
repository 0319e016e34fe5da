"""The merge tree of the topics, as a dendrogram with readable names.

Where there are more topics than lines of text fit, the tree begins where `LEAVES` are left.
"""

from dataclasses import dataclass

from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics, topic_name

WIDTH = 8.0  # inches
ROW_HEIGHT = 0.185
FRAME_HEIGHT = 0.6
LEAVES = 50
WORDS = 4
INNER_WORDS = 3
NAMED = 12  # branches nearest to the root that carry their words


@dataclass
class Node:
    """A branch of the drawing: its height on the page and its distance from the leaves."""

    place: float
    distance: float


def draw(results: Topics, *, coloured: int) -> Figure:
    """Return the figure; the `coloured` largest topics have their colours of the map."""
    merges = results.merges
    count = len(merges) + 1
    skipped = max(count - LEAVES, 0)
    leaves = _order(results, skipped) if len(merges) else []
    title = "Which topics are alike: they are merged step by step"
    subtitles = [
        f"{results.title} · embedder {results.embedder}",
        "The further right two branches meet, the less alike their topics are. Words at a branch "
        "are the first words of its largest topics.",
    ]
    if skipped:
        subtitles.append(f"Of {count:,} topics, those most alike are merged to {LEAVES} already.")
    height = max(len(leaves), 3) * ROW_HEIGHT + FRAME_HEIGHT
    figure = style.new_figure(WIDTH, height, title, subtitles)
    axes = figure.subplots()
    if not len(merges):
        axes.text(0.5, 0.5, "There are no two topics to merge.", ha="center", va="center")
        axes.set_axis_off()
        return figure
    ranks = {topic: rank for rank, topic in enumerate(results.table["topic"])}
    words = dict(zip(results.table["topic"], results.table["words"], strict=True))
    words |= dict(zip(merges["node"], merges["words"], strict=True))
    nodes = {leaf: Node(place, 0.0) for place, leaf in enumerate(leaves)}
    for step, row in enumerate(merges.itertuples()):
        if step < skipped:
            continue
        one, other = nodes[row.left], nodes[row.right]
        axes.plot(
            [one.distance, row.distance, row.distance, other.distance],
            [one.place, one.place, other.place, other.place],
            color=style.QUIET,
            linewidth=1,
            solid_joinstyle="miter",
        )
        nodes[row.node] = Node((one.place + other.place) / 2, row.distance)
        if count - NAMED <= step < count - 2:
            axes.annotate(
                topic_name(list(row.words), INNER_WORDS),
                (row.distance, nodes[row.node].place),
                xytext=(3, 1),
                textcoords="offset points",
                size="x-small",
                color=style.QUIET,
                va="bottom",
            )
    axes.set_yticks(range(len(leaves)), [_label(leaf, count, words[leaf]) for leaf in leaves])
    for leaf, tick in zip(leaves, axes.get_yticklabels(), strict=True):
        if ranks.get(leaf, coloured) < coloured:
            tick.set_color(style.darken(style.topic_colour(ranks[leaf])))
        tick.set_size("small")
    axes.set_ylim(len(leaves) - 0.4, -0.6)
    axes.set_xlim(0, merges["distance"].max() * 1.03)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("distance at which they are merged")
    return figure


def _label(leaf: int, topics: int, words: list[str]) -> str:
    number = f"{leaf}  " if leaf < topics else "+  "  # of several topics
    return number + topic_name(list(words), WORDS)


def _order(results: Topics, skipped: int) -> list[int]:
    """Return the leaves in an order in which no two branches cross."""
    below: dict[int, list[int]] = {}
    for step, row in enumerate(results.merges.itertuples()):
        if step < skipped:
            continue
        below[row.node] = [
            leaf for part in (row.left, row.right) for leaf in below.get(part, [part])
        ]
    return below[int(results.merges["node"].iloc[-1])]
