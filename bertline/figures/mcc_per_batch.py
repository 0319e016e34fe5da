"""MCC per batch of a test set as bars, and the score of the whole set as a line."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bertline.figures import style
from bertline.figures.results import Classification
from bertline.scoring.names import MEAN, TFIDF

WIDTH = 8.0  # inches
HEIGHT = 3.4
MAX_DOTS = 400  # more would hide the seeds

BAR = "#9cc4e0"  # the models' blue, lighter, so that the dots on it are seen
DOT = "#004b78"


def draw(results: Classification, name: str) -> Figure:
    """Return the figure of the set `name`."""
    rows = results.batches[results.batches["set"] == name]
    mean = rows.groupby("batch")["mcc"].mean()
    sizes = rows.groupby("batch")["sentences"].first()
    several = len(results.seeds) > 1
    dotted = several and len(rows) <= MAX_DOTS
    bars = "Bars: means over seeds." if several else "Bars: the one seed."
    note = f"{describe_batches(sizes.tolist())} {bars}{' Dots: single seeds.' if dotted else ''}"
    if (rows["mcc"] == 0).any():
        note += " MCC is 0 in a batch whose sentences or predictions are all of one class."
    figure = style.new_figure(WIDTH, HEIGHT, f"MCC per batch of {name}", [results.source, note])
    axes = figure.subplots()
    axes.bar(mean.index, mean, width=0.8, color=BAR, label="batch")
    if dotted:
        axes.scatter(rows["batch"], rows["mcc"], s=9, color=DOT, linewidths=0, zorder=3)
    lowest = min(0.0, float(rows["mcc"].min()))
    axes.set_ylim(np.floor(lowest * 5) / 5 - (0.05 if lowest < 0 else 0), 1.05)
    axes.set_xlim(0.3, int(mean.index.max()) + 0.7)
    axes.axhline(0, color=style.QUIET, linewidth=0.8)
    axes.set_xlabel(f"batch, in the order of {name}")
    axes.set_ylabel("MCC")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=20, min_n_ticks=1))
    axes.grid(axis="y")
    draw_overall(figure, results, name)
    return figure


def describe_batches(sizes: list[int]) -> str:
    """Return the number and size of the batches as text; the last one may be smaller."""
    if len(sizes) == 1:
        return f"One batch of {sizes[0]:,} sentences."
    if sizes[-1] == sizes[0]:
        return f"{len(sizes):,} batches of {sizes[0]:,} sentences."
    return f"{len(sizes):,} batches of {sizes[0]:,} sentences (the last one has {sizes[-1]:,})."


def draw_overall(figure: Figure, results: Classification, name: str) -> None:
    """Draw the whole set's MCC, and the baseline's, as lines with their numbers at the right."""
    (axes,) = figure.axes
    places, texts, colours = [], [], []
    for model, label, colour, dashes in (
        (MEAN, "whole set", DOT, "-"),
        (TFIDF, "TF-IDF", style.BASELINE, (0, (4, 2))),
    ):
        row = results.score(name, model)
        if row is None or np.isnan(row["mcc"]):
            continue
        axes.axhline(row["mcc"], color=colour, linestyle=dashes, linewidth=1.6, zorder=2.5)
        places.append(float(row["mcc"]))
        texts.append(f"{label}\n{style.number(row['mcc'])}")
        colours.append(colour)
    figure.draw_without_rendering()  # lays the axes out
    style.label_right(axes, places, texts, colours)
