"""The reliability diagram: the probability of the predicted class against the share right."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from bertline.figures import style
from bertline.figures.results import Analysis
from bertline.scoring.names import ALL_TESTS, BOTH, MEAN
from bertline.scoring.tables import SCALED, UNCALIBRATED

SIDE = 2.5  # inches of a panel
FRAME = 1.2  # inches for its titles and labels
LEGEND = 0.35
PANELS = 3  # side by side
LOOKS = {
    UNCALIBRATED: (style.MODEL, "o", "uncalibrated"),
    SCALED: ("#aa4499", "s", "temperature scaled"),
}


def draw(analysis: Analysis, source: str) -> Figure:
    """Return the figure: a panel for each set; `source` says what was scored."""
    stored = list(dict.fromkeys(analysis.reliability["set"]))
    # Test sets together have a row in the report's table, and no panel.
    names = [name for name in stored if name not in (BOTH, ALL_TESTS)]
    columns = min(PANELS, len(names))
    lines = math.ceil(len(names) / columns)
    bins = analysis.protocol["calibration_bins"]
    figure = style.new_figure(
        max(columns * (SIDE + 0.6), 2 * SIDE),
        lines * (SIDE + FRAME) + LEGEND,
        "Calibration",
        [
            source,
            f"Dots: {bins} bins of equal size, mean over seeds. Diagonal: perfect calibration. "
            f"Grey: {analysis.coverage} range of a perfectly calibrated model.",
        ],
    )
    panels = figure.subplots(lines, columns, squeeze=False)
    lowest = analysis.reliability[["predicted", "observed", "low"]].min().min()
    start = max(0.0, math.floor(10 * lowest) / 10)
    for place, axes in enumerate(panels.flat):
        if place >= len(names):
            axes.set_visible(False)
            continue
        draw_set(axes, analysis, names[place], start)
        if place % columns == 0:
            axes.set_ylabel("share predicted rightly")
        axes.set_xlabel("probability of the prediction")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
    return figure


def draw_set(axes: Axes, analysis: Analysis, name: str, start: float) -> None:
    """Draw the bins of one set from `start` to 1, with the calibration errors as text."""
    axes.set_title(f"{name}\n\n", pad=8, linespacing=1.35)
    axes.plot([start, 1], [start, 1], color=style.QUIET, linewidth=0.8)
    points = analysis.reliability[analysis.reliability["set"] == name]
    measures = analysis.calibration[
        (analysis.calibration["set"] == name) & (analysis.calibration["seed"] == MEAN)
    ]
    words = []
    for state, (colour, marker, label) in LOOKS.items():
        bins = points[points["scaled"] == state]
        if bins.empty:
            continue
        if state == UNCALIBRATED:
            axes.vlines(bins["predicted"], bins["low"], bins["high"], color="#c9cdd1", linewidth=6)
        axes.plot(
            bins["predicted"], bins["observed"], color=colour, marker=marker, markersize=4.5,
            linewidth=1, alpha=0.9, label=label,
            markerfacecolor=colour if state == UNCALIBRATED else "white",
        )  # fmt: skip
        head = "ECE" if state == UNCALIBRATED else "scaled:"
        words.append(describe_error(measures[measures["scaled"] == state], head))
    said = axes.annotate(
        "\n".join(words), (0, 1), xycoords="axes fraction", xytext=(0, 4),
        textcoords="offset points", va="bottom", color=style.QUIET, linespacing=1.35,
    )  # fmt: skip
    said.set_in_layout(False)
    ends = (start - 0.02 * (1 - start), 1 + 0.02 * (1 - start))
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5))
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid()


def describe_error(measures: pd.DataFrame, label: str) -> str:
    """Return the calibration error of a set beside a calibrated model's, as text."""
    row = measures.iloc[0]
    ece, chance = (style.number(row[name]) for name in ("ece", "ece_if_calibrated"))
    return f"{label} {ece} (calibrated: {chance})"
