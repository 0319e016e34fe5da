"""The largest topics over time: a panel for each, its share of the documents of each period."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics, topic_label

WIDTH = 9.0  # inches
ROW_HEIGHT = 1.35
FRAME_HEIGHT = 1.0
COLUMNS, PANELS = 3, 11  # panels of topics
WORDS = 3
TICKS = 4  # periods named below a panel


def draw(results: Topics, *, coloured: int) -> Figure:
    """Return the figure; the `coloured` largest topics have their colours of the map.

    The first panel has the number of documents of each period: the shares of few say little.
    """
    shown = results.table.head(PANELS)
    rows = -(-(len(shown) + 1) // COLUMNS)
    height = rows * ROW_HEIGHT + FRAME_HEIGHT
    figure = style.new_figure(WIDTH, height, "Topics over time", _subtitles(results, len(shown)))
    if shown.empty:
        style.write_note(figure.subplots(), "There are no topics to show.")
        return figure
    by_period = results.over_time.groupby("period")["documents"].sum()
    shares = results.over_time.pivot_table(
        index="period", columns="topic", values="share", dropna=False
    )
    highest = 1.08 * np.nanmax(shares[[*shown["topic"]]].to_numpy())
    panels = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True).ravel()
    for panel in panels[len(shown) + 1 :]:
        panel.remove()
    _frame(panels[0], "all documents", by_period, by_period.max() * 1.08, "{x:,.0f}")
    panels[0].bar(range(len(by_period)), by_period, color=style.SMALL_TOPIC, width=0.8)
    named = zip(shown["topic"], shown["words"], strict=True)
    for rank, (panel, (topic, words)) in enumerate(zip(panels[1:], named, strict=False)):
        label = topic_label(topic, list(words), WORDS)
        _frame(panel, label, shares[topic], highest, style.percent)
        colour = style.topic_colour(rank) if rank < coloured else style.SMALL_TOPIC
        panel.fill_between(range(len(shares)), shares[topic], color=colour, alpha=0.25, linewidth=0)
        # A period beside such as have no document has no line: it is a point.
        panel.plot(range(len(shares)), shares[topic], color=colour, marker="o", markersize=2.2)
    for number, panel in enumerate(panels[: len(shown) + 1]):
        # Below the lowest panel of a column, which the last row may lack.
        panel.tick_params(labelbottom=number + COLUMNS > len(shown))
    return figure


def _frame(
    axes: Axes, title: str, values: pd.Series, highest: float, form: str | Callable[..., str]
) -> None:
    places = np.linspace(0, len(values) - 1, min(TICKS, len(values))).round().astype(int)
    names = [str(values.index[place]) for place in np.unique(places)]
    axes.set_xticks(np.unique(places), names, fontsize="small")
    axes.set_ylim(0, highest)
    axes.yaxis.set_major_formatter(form)
    axes.tick_params(axis="y", labelsize="small")
    axes.grid(axis="y")
    axes.set_title(style.cut(title, 0.9 * WIDTH / COLUMNS), fontsize="small")


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
