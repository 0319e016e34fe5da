"""Confusion matrix of a test set: sentences by actual and predicted label."""

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Acceptability
from bertline.scoring import names
from bertline.scoring.names import MEAN

LABELS = names.LABELS[::-1]  # acceptable in the first row and column
WIDTH = 5.6  # inches
HEIGHT = 3.7

# Steep in the middle, so that most shares get a tone on which text is easily read.
SHADES = LinearSegmentedColormap.from_list(
    "shares", [(0, "#f4f8fb"), (0.5, "#b4d3e8"), (0.6, "#2f6f9d"), (1, "#00426b")]
)


def draw(results: Acceptability, name: str) -> Figure:
    """Return the figure of the set `name`; counts are means over seeds."""
    counts = count(results, name)
    seeds = len(results.seeds)
    mean = results.score(name, MEAN)
    note = f"Sentences ({f'mean over {seeds} seeds' if seeds > 1 else 'one seed'}), % of the row."
    if mean is not None:
        note += f" MCC {style.number(mean['mcc'])}."
    figure = style.new_figure(WIDTH, HEIGHT, f"Confusion matrix of {name}", [results.source, note])
    axes = figure.subplots()
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    large = mpl.rcParams["font.size"] * 1.7
    for (row, column), share in np.ndenumerate(shares):
        colour = style.readable_on(SHADES(float(share)))
        axes.text(
            column, row - 0.07, format_count(float(counts[row, column])), color=colour, size=large,
            ha="center", va="center", weight="bold",
        )  # fmt: skip
        axes.text(column, row + 0.2, f"{share:.1%}", color=colour, ha="center", va="center")
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(
        range(len(LABELS)),
        [f"{label}\n({total:,.0f})" for label, total in zip(LABELS, totals[:, 0], strict=True)],
    )
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    # A white line between the fields.
    axes.set_xticks([0.5], minor=True)
    axes.set_yticks([0.5], minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(which="minor", color="white", linewidth=3)
    return figure


def count(results: Acceptability, name: str) -> np.ndarray:
    """Return sentences by actual (rows) and predicted label, mean over seeds, shape (2, 2)."""
    rows = results.confusion[name]
    sums = [
        [
            ((rows["actual"] == actual) & (rows["predicted"] == predicted)).sum()
            for predicted in LABELS
        ]
        for actual in LABELS
    ]
    return np.array(sums, dtype=np.float64) / max(rows["seed"].nunique(), 1)


def format_count(value: float) -> str:
    """Return a whole number as such, and a mean with one decimal."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
