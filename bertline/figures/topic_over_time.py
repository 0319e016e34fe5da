"""The largest topics over time: a panel for each, its share of the documents of each period."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics, topic_label

WIDTH = 9.0  # inches
ROW_HEIGHT = 1.35
FRAME_HEIGHT = 1.0
COLUMNS, PANELS = 3, 12
WORDS = 3
TICKS = 4  # periods named below a panel


def draw(results: Topics, *, coloured: int) -> Figure:
    """Return the figure; the `coloured` largest topics have their colours of the map."""
    shown = results.table.head(PANELS)
    shares = results.over_time.pivot_table(
        index="period", columns="topic", values="share", dropna=False, sort=True
    )
    rows = max(-(-len(shown) // COLUMNS), 1)
    height = rows * ROW_HEIGHT + FRAME_HEIGHT
    figure = style.new_figure(WIDTH, height, "Topics over time", _subtitles(results, len(shown)))
    if shown.empty:
        style.write_note(figure.subplots(), "There are no topics to show.")
        return figure
    columns = min(COLUMNS, len(shown))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for panel in panels.ravel()[len(shown) :]:
        panel.set_visible(False)
    named = zip(shown["topic"], shown["words"], strict=True)
    for rank, (topic, words) in enumerate(named):
        panel = panels.ravel()[rank]
        colour = style.topic_colour(rank) if rank < coloured else style.SMALL_TOPIC
        _draw_panel(panel, shares.get(topic, pd.Series(np.nan, shares.index)), colour)
        label = topic_label(topic, list(words), WORDS)
        panel.set_title(style.cut(label, 0.94 * WIDTH / columns), fontsize="small")
        # Below the lowest panel of a column, which the last row may lack.
        panel.tick_params(labelbottom=rank + columns >= len(shown))
    return figure


def _draw_panel(axes: Axes, shares: pd.Series, colour: str) -> None:
    places = np.arange(len(shares))
    axes.fill_between(places, shares, color=colour, alpha=0.25, linewidth=0)
    # A period beside such as have no document has no line: it is a point.
    axes.plot(places, shares, color=colour, linewidth=1.4, marker="o", markersize=2.2)
    ticks = np.unique(np.linspace(0, len(places) - 1, min(TICKS, len(places))).round().astype(int))
    axes.set_xticks(ticks, [str(shares.index[place]) for place in ticks], fontsize="small")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.tick_params(axis="y", labelsize="small")
    axes.grid(axis="y")


def _subtitles(results: Topics, shown: int) -> list[str]:
    dated = int(results.over_time["documents"].sum())
    subtitles = [results.source, "Share of the documents of each period that are in the topic."]
    if shown < len(results.table):
        subtitles[1] += f" The {shown} largest of {len(results.table):,} topics."
    if dated < results.documents:
        subtitles.append(
            f"{dated:,} of {results.documents:,} documents have a date within this time."
        )
    return subtitles
