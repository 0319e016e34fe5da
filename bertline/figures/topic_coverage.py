"""Coverage against topic quality, by outlier strategy and threshold."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bertline.figures import style
from bertline.figures.results import Topics

WIDTH, HEIGHT = 8.0, 3.9  # inches
COLOURS = {
    "none": style.INK,
    "embeddings": style.TOPIC_COLOURS[0],
    "c-tf-idf": style.TOPIC_COLOURS[1],
    "distributions": style.TOPIC_COLOURS[2],
    "probabilities": style.TOPIC_COLOURS[3],
}
NAMES = {
    "none": "outliers kept",
    "embeddings": "nearest topic vector",
    "c-tf-idf": "c-TF-IDF",
    "distributions": "token windows",
    "probabilities": "probabilities",
}
MEASURES = {
    "npmi": "coherence (NPMI)",
    "ami": "agreement with known groups (AMI)",
}


def draw(results: Topics) -> Figure:
    """Return the figure: a panel for coherence and, where groups are known, one for agreement."""
    points = results.coverage
    measures = [name for name in MEASURES if points[name].notna().any()]
    title = "Coverage and topic quality by outlier strategy"
    subtitles = [
        results.source,
        "Points: an outlier strategy at one threshold. Ring: the chosen one. Topic words from core "
        "documents (filled) or from all documents of the topic (hollow).",
    ]
    figure = style.new_figure(WIDTH, HEIGHT, title, subtitles)
    if not measures or points["coverage"].nunique() == 1:
        note = "Clustering left no outliers." if measures else "There are no topics to compare."
        style.write_note(figure.subplots(), note)
        return figure
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        _draw_panel(axes, points, measure)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_panel(axes: Axes, points: pd.DataFrame, measure: str) -> None:
    for strategy, rows in points.groupby("strategy", sort=False):
        colour = COLOURS.get(str(strategy), style.MAJORITY)
        for words, part in rows.groupby("words", sort=False):
            if words != "core" and measure == "ami":
                continue  # agreement does not depend on words
            part = part.sort_values("coverage")
            axes.plot(
                part["coverage"],
                part[measure],
                color=colour,
                marker="o",
                markersize=4.5,
                linewidth=1.1,
                linestyle="-" if words == "core" else ":",
                markerfacecolor=colour if words == "core" else "white",
                label=NAMES.get(str(strategy), str(strategy)) if words == "core" else None,
            )
    chosen = points[points["chosen"] == 1]
    axes.plot(
        *(chosen["coverage"], chosen[measure]),
        linestyle="none",
        marker="o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=style.INK,
        markeredgewidth=1.4,
        clip_on=False,
        zorder=5,
    )
    axes.set_xlabel("share of documents in a topic")
    axes.set_ylabel(MEASURES[measure])
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))  # room for 98.5%
    axes.xaxis.set_major_formatter(style.percent)
    axes.grid()
    axes.margins(0.07, 0.12)
    axes.set_xlim(right=min(axes.get_xlim()[1], 1.01))
