"""Confusion matrix of a test set: sentences by actual and predicted class."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Classification, plain
from bertline.scoring.names import MEAN

ROOMY = 6  # classes, at most, whose fields have a percentage below the count
# Inches for the name of an actual class, and of a predicted one that stands on end.
NAME = 1.9
STANDING = 1.5
# Width and height in inches of a field of two classes, of some, and of many.
FIELDS = ((1.7, 1.2), (1.2, 0.7), (0.42, 0.32))
FRAME_HEIGHT = 0.75  # inches for the axis label and the margins

# Steep in the middle, so that most shares get a tone on which text is easily read.
SHADES = LinearSegmentedColormap.from_list(
    "shares", [(0, "#f4f8fb"), (0.5, "#b4d3e8"), (0.6, "#2f6f9d"), (1, "#00426b")]
)


@dataclass(frozen=True)
class Matrix:
    """Sentences, means over seeds, with a row for each actual class that is shown.

    counts: shape (rows, columns); a column behind those of the rows holds all other classes.
    """

    rows: list[str]
    columns: list[str]
    counts: np.ndarray

    @property
    def totals(self) -> np.ndarray:
        """Sentences of each actual class, shape (rows,)."""
        return self.counts.sum(axis=1)

    @property
    def shares(self) -> np.ndarray:
        """Counts as shares of their row, 0 for a class without sentences."""
        totals = self.totals[:, None]
        return np.divide(self.counts, totals, out=np.zeros_like(self.counts), where=totals > 0)


def draw(results: Classification, name: str, *, most_classes: int) -> Figure:
    """Return the figure of the set `name`; counts are means over seeds.

    most_classes: of more, those with the most errors are shown.
    """
    matrix = select(count(results, name), results.labels, most_classes)
    roomy = len(matrix.rows) <= ROOMY
    seeds = len(results.seeds)
    mean = results.score(name, MEAN)
    note = f"Sentences ({f'mean over {seeds} seeds' if seeds > 1 else 'one seed'})"
    note += ", % of the row." if roomy else "; shade: share of the row."
    if mean is not None:
        note += f" MCC {style.number(mean['mcc'])}."
    if len(matrix.rows) < len(results.labels):
        note += f" The {len(matrix.rows)} classes with the most errors, of {len(results.labels):,}."
    field = FIELDS[0] if len(matrix.rows) <= 2 else FIELDS[1] if roomy else FIELDS[2]
    width = NAME + 0.4 + len(matrix.columns) * field[0]
    height = len(matrix.rows) * field[1] + FRAME_HEIGHT + (0 if roomy else STANDING)
    heading = [results.source, note]
    figure = style.new_figure(max(width, 5.0), height, f"Confusion matrix of {name}", heading)
    axes = figure.subplots()
    axes.imshow(matrix.shares, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    write_fields(axes, matrix, roomy=roomy)
    label_axes(axes, matrix, field[0] if roomy else STANDING, roomy=roomy)
    return figure


def count(results: Classification, name: str) -> np.ndarray:
    """Return sentences by actual (rows) and predicted class, mean over seeds, shape (K, K)."""
    rows = results.confusion[name]
    number = {label: place for place, label in enumerate(results.labels)}
    counts = np.zeros((len(number), len(number)))
    np.add.at(counts, (rows["actual"].map(number), rows["predicted"].map(number)), 1)
    return counts / max(rows["seed"].nunique(), 1)


def select(counts: np.ndarray, labels: list[str], most: int) -> Matrix:
    """Return the matrix of the `most` classes with the most errors, the others in one column.

    counts: shape (K, K), by class. Errors are those of the actual class and those that are
    mistaken for it. The order of the classes stays.
    """
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    chosen = np.sort(np.argsort(-errors, kind="stable")[:most])
    rows = [labels[place] for place in chosen]
    within = counts[np.ix_(chosen, chosen)]
    left = len(labels) - len(chosen)
    if not left:
        return Matrix(rows, rows, within)
    others = counts[chosen].sum(axis=1) - within.sum(axis=1)
    columns = [*rows, f"{left} other{'s' * (left > 1)}"]
    return Matrix(rows, columns, np.column_stack([within, others]))


def write_fields(axes: Axes, matrix: Matrix, *, roomy: bool) -> None:
    """Write the counts into the fields: with percentages, or where there is not 0."""
    size = mpl.rcParams["font.size"]
    large = size * (1.7 if len(matrix.rows) <= 2 else 1.3)
    for (row, column), share in np.ndenumerate(matrix.shares):
        value = float(matrix.counts[row, column])
        colour = style.readable_on(SHADES(float(share)))
        if roomy:
            axes.text(
                column, row - 0.07, format_count(value), color=colour, size=large,
                ha="center", va="center", weight="bold",
            )  # fmt: skip
            axes.text(column, row + 0.2, f"{share:.1%}", color=colour, ha="center", va="center")
        elif value:
            axes.text(
                column, row, format_count(value), color=colour, size=0.85 * size,
                ha="center", va="center",
            )  # fmt: skip


def label_axes(axes: Axes, matrix: Matrix, room: float, *, roomy: bool) -> None:
    """Write the classes, with the sentences of the actual ones.

    room: inches for the name of a predicted class; longer ones are cut.
    """
    names = [style.cut(plain(name), room) for name in matrix.columns]
    actual = [style.cut(plain(name), NAME) for name in matrix.rows]
    between = "\n" if roomy else " "
    totals = [
        f"{name}{between}({total:,.0f})" for name, total in zip(actual, matrix.totals, strict=True)
    ]
    axes.set_xticks(range(len(names)), names, rotation=0 if roomy else 90)
    axes.set_yticks(range(len(totals)), totals)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    # A white line between the fields.
    axes.set_xticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(totals)) - 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(which="minor", color="white", linewidth=3 if roomy else 1)


def format_count(value: float) -> str:
    """Return a mean with one decimal below 100, and a whole number as such."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}".removesuffix(".0")
