"""MCC of every model on every set: a dot with its interval."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Classification
from bertline.scoring.names import ENSEMBLE, MAJORITY, MEAN, TFIDF, of_seed

WIDTH = 9.0  # inches
PANELS = 3  # side by side
ROW_HEIGHT = 0.3  # inches
FRAME_HEIGHT = 1.1  # inches that a panel's title, ticks and axis label take
MAX_SEEDS = 12  # with more, the seeds share a row


def draw(results: Classification) -> Figure:
    """Return the figure: a panel for each set, a row for each model."""
    names = list(results.sets)
    rows = list(list_rows(results))
    columns = 2 if len(names) == 4 else min(PANELS, len(names))
    lines = math.ceil(len(names) / columns)
    several = " (mean of seeds: over sentences and seeds)" if len(results.seeds) > 1 else ""
    note = f"Lines: {results.coverage} intervals over sentences{several}."
    figure = style.new_figure(
        WIDTH if columns > 1 else WIDTH * 0.6,
        lines * (len(rows) * ROW_HEIGHT + FRAME_HEIGHT),
        "Matthews correlation (MCC)",
        [results.source, note],
    )
    panels = figure.subplots(lines, columns, squeeze=False)
    low, high = limits(results.scores)
    for place, axes in enumerate(panels.flat):
        if place >= len(names):
            axes.set_visible(False)
            continue
        draw_set(axes, results, names[place], rows)
        axes.set_xlim(low, high)
        style.label_rows(axes, [label if place % columns == 0 else "" for label, _ in rows])
        axes.get_yticklabels()[0].set_fontweight("bold")
        axes.set_xlabel("MCC")
    return figure


def list_rows(results: Classification) -> Iterator[tuple[str, list[str]]]:
    """Yield the label and the models of each row, from the top."""
    seeds = [of_seed(seed) for seed in results.seeds]
    if len(seeds) > 1:
        yield f"mean of {len(seeds)} seeds", [MEAN]
    if len(seeds) > MAX_SEEDS:
        yield "single seeds", seeds
    else:
        for seed in seeds:
            yield seed, [seed]
    if len(seeds) > 1:
        yield ENSEMBLE, [ENSEMBLE]
    yield TFIDF, [TFIDF]
    yield MAJORITY, [MAJORITY]


def limits(scores: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the axis: all dots and intervals, and 0, which is chance."""
    values = scores[["mcc", "mcc_low", "mcc_high"]].to_numpy()
    low, high = min(0.0, np.nanmin(values)), max(0.1, np.nanmax(values))
    pad = 0.05 * (high - low)
    return low - pad, high + pad


def draw_set(
    axes: Axes, results: Classification, name: str, rows: list[tuple[str, list[str]]]
) -> None:
    """Draw the models of one set, with their MCC at the right."""
    axes.axvline(0, color=style.QUIET, linewidth=0.8)
    axes.grid(axis="x")
    sentences = results.scores.loc[results.scores["set"] == name, "sentences"].iloc[0]
    axes.set_title(f"{name}\n", pad=2)
    axes.annotate(
        f"{sentences:,} sentences", (0, 1), xycoords="axes fraction", xytext=(0, 4),
        textcoords="offset points", color=style.QUIET,
    )  # fmt: skip
    for place, (_, models) in enumerate(rows):
        found = [row for model in models if (row := results.score(name, model)) is not None]
        for row in found:
            draw_model(axes, place, row, several=len(found) > 1)
        if len(found) == 1:
            axes.annotate(
                style.number(found[0]["mcc"]), (1, place), xycoords=axes.get_yaxis_transform(),
                xytext=(4, 0), textcoords="offset points", va="center", annotation_clip=False,
                weight="normal" if place else "bold",
            )  # fmt: skip


def draw_model(axes: Axes, place: int, row: pd.Series, *, several: bool) -> None:
    """Draw one model's dot and interval in the row `place`; with `several`, the dot alone."""
    marker, size, colour = {
        MEAN: ("D", 52, style.MODEL),
        ENSEMBLE: ("^", 44, style.MODEL),
        TFIDF: ("s", 40, style.BASELINE),
        MAJORITY: ("x", 40, style.MAJORITY),
    }.get(row["model"], ("o", 32, style.MODEL))
    if not several and row[["mcc_low", "mcc_high"]].notna().all():
        wide = 2.6 if row["model"] == MEAN else 1.5
        axes.hlines(place, row["mcc_low"], row["mcc_high"], color=colour, linewidth=wide)
    axes.scatter(
        row["mcc"],
        place,
        marker=marker,
        s=size,
        color=colour,
        alpha=0.5 if several else 1,
        zorder=3,
    )
