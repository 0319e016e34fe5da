"""Learning curves: loss and validation MCC per epoch, each seed thin and their mean bold."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bertline.figures import style
from bertline.figures.results import Classification
from bertline.scoring.names import TFIDF, VALIDATION

WIDTH = 8.0  # inches
HEIGHT = 3.2

TRAINING_COLOUR = style.MODEL
VALIDATION_COLOUR = "#aa4499"


def draw(results: Classification) -> Figure:
    """Return the figure; without a validation fold it shows the training loss alone."""
    curves = results.curves
    validated = bool(curves["validation_mcc"].notna().any())
    several = len(results.seeds) > 1
    note = "Thin lines: seeds. Bold lines: their mean. " if several else ""
    held_out = "" if validated else "No validation fold was held out."
    figure = style.new_figure(
        WIDTH, HEIGHT, "Learning curves", [results.source, (note + held_out).strip()]
    )
    panels = figure.subplots(1, 2 if validated else 1, squeeze=False)[0]

    losses = panels[0]
    losses.set_title("Loss (cross-entropy)")
    draw_measure(losses, curves, "training_loss", label="training", colour=TRAINING_COLOUR)
    if validated:
        draw_measure(
            losses, curves, "validation_loss", label="validation", colour=VALIDATION_COLOUR
        )
    losses.set_ylim(bottom=0)
    losses.legend(loc="best")
    if validated:
        scores = panels[1]
        scores.set_title("MCC on the validation fold")
        draw_measure(scores, curves, "validation_mcc", label="fine-tuned", colour=VALIDATION_COLOUR)
        mark_last(scores, curves)
        baseline = results.score(VALIDATION, TFIDF)
        if baseline is not None:
            scores.axhline(
                baseline["mcc"], color=style.BASELINE, linestyle=(0, (4, 2)), linewidth=1.2,
                label=f"{TFIDF} ({style.number(baseline['mcc'])})",
            )  # fmt: skip
        low, high = scores.get_ylim()
        # Room for the legend below the curves, and 0, which is chance, in sight.
        scores.set_ylim(min(low, -0.02), min(max(high, 0.1) * 1.08, 1.05))
        scores.legend(loc="best")
    for axes in panels:
        set_epochs(axes, int(curves["epoch"].min()), int(curves["epoch"].max()))
    return figure


def draw_measure(axes: Axes, curves: pd.DataFrame, column: str, *, label: str, colour: str) -> None:
    """Draw a column over the epochs: the mean bold, and each of several seeds as a thin line."""
    known = curves.dropna(subset=[column])
    of_seed = list(known.groupby("seed", sort=False))
    if len(of_seed) > 1:
        for _, rows in of_seed:
            axes.plot(
                rows["epoch"], rows[column], color=colour, linewidth=0.8, alpha=0.45, marker="."
            )
    mean = known.groupby("epoch")[column].mean()
    axes.plot(mean.index, mean, color=colour, linewidth=2.2, marker="o", markersize=5, label=label)


def mark_last(axes: Axes, curves: pd.DataFrame) -> None:
    """Write the mean validation MCC of the last epoch beside its point."""
    mean = curves.dropna(subset=["validation_mcc"]).groupby("epoch")["validation_mcc"].mean()
    axes.annotate(
        style.number(mean.iloc[-1]),
        (mean.index[-1], mean.iloc[-1]),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=VALIDATION_COLOUR,
        weight="bold",
        annotation_clip=False,
    )


def set_epochs(axes: Axes, first: int, last: int) -> None:
    """Label whole epochs only, with room at both ends so that one epoch is not an edge."""
    axes.set_xlabel("epoch")
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, min_n_ticks=1))
    axes.grid(axis="y")
