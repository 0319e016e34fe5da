"""The topic map: every document as a point, the largest topics coloured and labelled.

The axes of a UMAP map mean nothing and have no ticks, so the map is turned to fill its frame:
distances are those of the stored x and y, directions are not.
"""

from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import textalloc
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from bertline.figures import style
from bertline.figures.results import Topics, topic_name
from bertline.topics.tables import OUTLIERS

LEGEND_LINES = 2.6  # lines of text that legend and note take below the map
HALO = 2.6  # points of white around letters
WRAP_FROM = 18  # letters from which a label takes two lines

# The frame holds what lies at most BEYOND times the span of the CORE off that core, on each axis;
# what is left out is counted. Distant islands would shrink everything else.
CORE = (0.05, 0.95)  # quantiles
BEYOND = 0.5
TURN_STEP = 5  # degrees between the turns that are tried
WORTH_TURNING = 1.08  # how much larger a turned map must be drawn
PADDING = 0.03  # of the span, between the outermost point and the edge

# A point's area in square points: this for 20,000 documents, less for more, within the limits.
AREA_AT_20000 = 2.6
AREA_LIMITS = (0.15, 14.0)

FADED = 0.3  # opacity of a named topic that is unstable

OUTLIER_LAYER, SMALL_LAYER, NAMED_LAYER, LEADER_LAYER, LABEL_LAYER = 1, 2, 3, 4, 5

# How textalloc places labels, in turn from the largest topic; lengths are shares of the axes.
PLACEMENT: dict[str, Any] = {
    "margin": 0.002,  # between labels, points of named topics and leader lines
    "min_distance": 0.008,  # from anchor to label
    "max_distance": 0.3,
    "nbr_candidates": 1500,
    "avoid_label_lines_overlap": True,
    "avoid_crossing_label_lines": True,
    "draw_all": False,  # a label without room is left out
}
# The line from a label to its anchor, with a dot at the anchor.
LEADER = {
    "linewidth": 0.8,
    "solid_capstyle": "round",
    "marker": "o",
    "markevery": [1],
    "markersize": 3.6,
    "markeredgecolor": "white",
    "zorder": LEADER_LAYER,
    "path_effects": [withStroke(linewidth=2.0, foreground="white")],
}


@dataclass(frozen=True)
class Frame:
    """The part of the map that is drawn, in map units."""

    low: np.ndarray
    high: np.ndarray

    def contains(self, places: np.ndarray) -> np.ndarray:
        """Return which of the places, (n, 2), lie inside, shape (n,)."""
        return np.all((places >= self.low) & (places <= self.high), axis=1)


def draw(
    results: Topics, *, top_topics: int, label_words: int, size: tuple[float, float], dpi: float
) -> Figure:
    """Return the map of width and height `size` in inches, its labels placed for `dpi`."""
    named = results.table.head(top_topics)
    title = results.counts[0].upper() + results.counts[1:]
    subtitles = [results.source]
    above = style.heading_height(size[0], title, subtitles)
    room = size[1] - above
    figure = style.new_figure(size[0], room, title, subtitles, dpi=dpi)
    # The drawing's size is needed before the limits: no layout engine.
    figure.set_layout_engine("none")
    below = LEGEND_LINES * style.LINE_HEIGHT * mpl.rcParams["font.size"] / style.POINTS
    width, height = size[0] - 2 * style.MARGIN, room - style.MARGIN - below
    axes = figure.add_axes(
        (style.MARGIN / size[0], below / size[1], width / size[0], height / size[1])
    )
    places = results.places @ find_turn(results.places, width / height)
    results = replace(results, places=places)
    frame = find_frame(places, width / height)
    axes.set(xlim=(frame.low[0], frame.high[0]), ylim=(frame.low[1], frame.high[1]))
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set(visible=True, color=style.GRID)
    draw_points(axes, results, named["topic"].tolist())
    unlabelled = draw_labels(figure, results, frame, named, label_words)
    draw_legend(figure, results, frame, len(named), unlabelled)
    return figure


def find_turn(places: np.ndarray, ratio: float) -> np.ndarray:
    """Return the rotation, (2, 2), with which the places are drawn largest in a frame.

    ratio: width / height of the frame. The identity unless a turn gains WORTH_TURNING.
    """
    best, rotation = WORTH_TURNING, np.eye(2)
    plain = find_frame(places, ratio)
    for degrees in range(TURN_STEP, 180, TURN_STEP):
        sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        turn = np.array([[cosine, sine], [-sine, cosine]])
        turned = find_frame(places @ turn, ratio)
        larger = (plain.high[0] - plain.low[0]) / (turned.high[0] - turned.low[0])
        if larger > best + 1e-9:
            best, rotation = larger, turn
    return rotation


def find_frame(places: np.ndarray, ratio: float) -> Frame:
    """Return the frame that shows the body of the places, (n, 2), with width / height `ratio`."""
    if not len(places):
        return Frame(np.array([0.0, 0.0]), np.array([ratio, 1.0]))
    core_low, core_high = np.quantile(places, CORE, axis=0)
    beyond = BEYOND * (core_high - core_low)
    near = ((places >= core_low - beyond) & (places <= core_high + beyond)).all(axis=1)
    body = places[near] if near.any() else places
    low, high = body.min(axis=0), body.max(axis=0)
    span = np.maximum(high - low, 1e-6) * (1 + 2 * PADDING)
    # Both axes have the same scale: the one with room to spare gets wider limits.
    span = np.array([max(span[0], span[1] * ratio), max(span[1], span[0] / ratio)])
    middle = (low + high) / 2
    return Frame(middle - span / 2, middle + span / 2)


def find_anchor(places: np.ndarray) -> np.ndarray:
    """Return the one of the places, (n, 2), that is nearest to their median in x and y."""
    distances = np.linalg.norm(places - np.median(places, axis=0), axis=1)
    return places[np.argmin(distances)]


def draw_points(axes: Axes, results: Topics, named: list[int]) -> None:
    """Draw outliers, then the small topics, then the named ones, each as pixels inside an SVG."""
    area = float(np.clip(AREA_AT_20000 * 20_000 / max(results.documents, 1), *AREA_LIMITS))
    rank = {topic: place for place, topic in enumerate(named)}
    ranks = np.array([rank.get(topic, -1) for topic in results.topic], dtype=int)
    outliers = results.topic == OUTLIERS
    unstable = np.isin(results.topic, sorted(results.unstable))
    palette = np.array([style.topic_colour(place) for place in range(len(named))], dtype=object)
    layers = [
        ("outliers", OUTLIER_LAYER, outliers, style.OUTLIER),
        ("small topics", SMALL_LAYER, ~outliers & (ranks < 0), style.SMALL_TOPIC),
        ("unstable topics", NAMED_LAYER, (ranks >= 0) & unstable, None),
        ("named topics", NAMED_LAYER, (ranks >= 0) & ~unstable, None),
    ]
    for label, layer, chosen, colour in layers:
        if chosen.any():
            axes.scatter(
                results.places[chosen, 0],
                results.places[chosen, 1],
                s=area,
                c=colour or list(palette[ranks[chosen]]),
                linewidths=0,
                alpha=FADED if label == "unstable topics" else 0.9,
                zorder=layer,
                rasterized=True,
                label=label,
            )


def draw_labels(
    figure: Figure, results: Topics, frame: Frame, named: pd.DataFrame, label_words: int
) -> int:
    """Label the topics of the rows `named` on the map; return how many have no room."""
    if named.empty:
        return 0
    (axes,) = figure.axes
    topics = named["topic"].tolist()
    middles = np.array([find_anchor(results.places[results.topic == topic]) for topic in topics])
    outside = ~frame.contains(middles)
    # The label of an island outside the frame is at the edge nearest to the island.
    anchors = np.clip(middles, frame.low, frame.high)
    texts = [
        "\n".join(halve(topic_name(words, label_words)))
        + ("\n(outside the frame)" if outside[rank] else "")
        for rank, words in enumerate(named["words"])
    ]
    colours = [to_hex(style.darken(style.topic_colour(rank))) for rank in range(len(topics))]
    visible = results.places[frame.contains(results.places) & np.isin(results.topic, topics)]
    _, _, placed, _ = textalloc.allocate(
        axes,
        anchors[:, 0],
        anchors[:, 1],
        texts,
        x_scatter=visible[:, 0],
        y_scatter=visible[:, 1],
        textsize=mpl.rcParams["font.size"],
        fontweight="bold",
        textcolor=colours,
        linecolor=colours,
        plot_kwargs=LEADER,
        **PLACEMENT,
        va="bottom",
        linespacing=1.05,
        zorder=LABEL_LAYER,
        path_effects=[withStroke(linewidth=HALO, foreground="white")],
    )
    return sum(text is None for text in placed)


def halve(name: str) -> list[str]:
    """Break a name of several words after the comma that makes the longer line shortest."""
    words = name.split(", ")
    if len(name) < WRAP_FROM or len(words) == 1:
        return [name]
    breaks = [
        (", ".join(words[:place]) + ",", ", ".join(words[place:])) for place in range(1, len(words))
    ]
    return list(min(breaks, key=lambda lines: max(map(len, lines))))


def draw_legend(figure: Figure, results: Topics, frame: Frame, named: int, unlabelled: int) -> None:
    """Explain the layers below the map, and what the map leaves out."""
    small = len(results.table) - named
    coloured = style.TOPIC_COLOURS[: min(named, 3)]
    entries = [
        (coloured, named, f"{named} largest topics" if small else f"{named} topics"),
        ((style.SMALL_TOPIC,), small, f"{small:,} smaller topics"),
        ((style.OUTLIER,), results.outliers, f"{results.outliers:,} outliers"),
    ]
    shown = [(colours, label) for colours, number, label in entries if number]
    handles = [
        tuple(Line2D([], [], linestyle="", marker="o", markersize=5, color=one) for one in colours)
        for colours, _ in shown
    ]
    left = style.MARGIN / figure.get_figwidth()
    line = style.LINE_HEIGHT * mpl.rcParams["font.size"] / style.POINTS / figure.get_figheight()
    figure.legend(
        handles=handles,
        labels=[label for _, label in shown],
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.1)},
        loc="center left",
        bbox_to_anchor=(left, 1.8 * line),
        ncols=max(len(handles), 1),
        handletextpad=0.6,
        handlelength=1.2,
        columnspacing=1.6,
        borderpad=0,
        borderaxespad=0,
    )
    hidden = int((~frame.contains(results.places)).sum())
    notes = ["Nearby documents are similar; distances between islands mean little."]
    if results.unstable & set(results.table["topic"].head(named)):
        notes.append("Faded topics are unstable.")
    if hidden:
        notes.append(f"{hidden:,} documents are outside the frame.")
    if unlabelled:
        notes.append(f"Labels without room: {unlabelled}.")
    figure.text(left, 0.8 * line, " ".join(notes), va="center", color=style.QUIET)
