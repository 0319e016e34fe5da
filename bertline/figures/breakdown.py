"""Error rate and MCC by group of sentences: a dot with its interval for each group."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from bertline.figures import style
from bertline.figures.results import GROUPINGS, Analysis, plain
from bertline.scoring.tables import BETTER, NONE, UNTESTED, WORSE

WIDTH = 9.0  # inches
ROW_HEIGHT = 0.25
FRAME_HEIGHT = 1.05  # of titles, ticks, axis label and legend
MOST = 60  # groups; the report's table has all

# Colour, marker and legend. Markers differ too, for readers who are colour-blind.
LOOKS = {
    WORSE: (style.BASELINE, "^", "more errors than the rest"),
    BETTER: ("#009e73", "v", "fewer errors than the rest"),
    NONE: (style.MODEL, "o", "not significantly different"),
    UNTESTED: (style.MAJORITY, "o", "too few sentences to test"),
}


def draw(analysis: Analysis, source: str, grouping: str) -> Figure:
    """Return the figure of one grouping of all test sentences; `source` says what was scored."""
    every = analysis.groups(grouping)
    rows = largest(every, MOST)
    title = f"Errors by {GROUPINGS[grouping]}"
    note = (
        f"Lines: {analysis.coverage} intervals over sentences and seeds. Dashed: all "
        f"{analysis.everything['sentences']:,} sentences of {plain(analysis.whole)}."
    )
    if set(rows["finding"]) & {WORSE, BETTER}:
        share = analysis.protocol["false_discovery_rate"]
        note += f" Triangles: significant (FDR {share:.0%})."
    if len(rows) < len(every):
        note += f" The {len(rows)} largest of {len(every):,} groups."
    figure = style.new_figure(WIDTH, len(rows) * ROW_HEIGHT + FRAME_HEIGHT, title, [source, note])
    # The sentences of one class have no MCC.
    scored = bool(rows["mcc"].notna().any())
    panels = figure.subplots(
        1, 1 + scored, sharey=True, squeeze=False, width_ratios=[3, 2][: 1 + scored]
    )
    errors = panels[0, 0]
    draw_measure(errors, rows, "error_rate", analysis.everything)
    errors.set_title("Error rate")
    errors.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    errors.set_xlim(0, min(1.0, 1.05 * rows["error_rate_high"].max()))
    if scored:
        scores = panels[0, 1]
        draw_measure(scores, rows, "mcc", analysis.everything)
        scores.set_title("MCC")
        scores.axvline(0, color=style.QUIET, linewidth=0.8)
    for axes in panels[0]:
        axes.grid(axis="x")
        style.label_rows(axes, [name(group) for group in rows["group"]])
        axes.tick_params(axis="y", labelleft=axes is errors)
    write_counts(panels[0, -1], rows, shares=scored)
    figure.legend(handles=legend(rows), loc="outside lower center", ncols=4)
    return figure


def largest(rows: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return the rows of the `number` groups with the most sentences, in their order."""
    chosen = rows["sentences"].nlargest(number, keep="first").index
    return rows[rows.index.isin(chosen)]


def name(group: str) -> str:
    """Return a group's name on one line; a source may have none."""
    return plain(group) or "(no name)"


def draw_measure(axes: Axes, rows: pd.DataFrame, measure: str, whole: pd.Series) -> None:
    """Draw a dot with its interval for each row that has the measure, `error_rate` or `mcc`."""
    if pd.notna(whole[measure]):
        axes.axvline(whole[measure], color=style.QUIET, linewidth=1, linestyle=(0, (4, 2)))
    for place, row in enumerate(rows.to_dict("records")):
        if pd.isna(row[measure]):
            continue
        colour, marker, _ = LOOKS[row["finding"]]
        axes.hlines(
            place, row[f"{measure}_low"], row[f"{measure}_high"], color=colour, linewidth=1.5,
            alpha=0.5 if row["finding"] == UNTESTED else 1,
        )  # fmt: skip
        face = "white" if row["finding"] == UNTESTED else colour
        axes.scatter(
            row[measure], place, marker=marker, s=34, facecolor=face, edgecolor=colour, zorder=3,
            clip_on=False,
        )  # fmt: skip


def write_counts(axes: Axes, rows: pd.DataFrame, *, shares: bool) -> None:
    """Write sentences, and with `shares` that of the most frequent class, right of each row."""
    size = mpl.rcParams["font.size"]
    columns = (("sentences", 46), ("largest class", 118))[: 1 + shares]
    for head, shift in columns:
        axes.annotate(
            head, (1, 1), xycoords="axes fraction", xytext=(shift, 5), ha="right",
            textcoords="offset points", color=style.QUIET, size=0.9 * size, annotation_clip=False,
        )  # fmt: skip
    for place, row in enumerate(rows.to_dict("records")):
        texts = (f"{row['sentences']:,}", f"{row['majority_share']:.0%}")
        for text, (_, shift) in zip(texts, columns, strict=False):
            axes.annotate(
                text, (1, place), xycoords=axes.get_yaxis_transform(), xytext=(shift, 0),
                textcoords="offset points", va="center_baseline", ha="right", annotation_clip=False,
            )  # fmt: skip


def legend(rows: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entries for the findings that there are."""
    present = set(rows["finding"])
    return [
        Line2D(
            [], [], color=colour, marker=marker, label=label,
            markerfacecolor="white" if finding == UNTESTED else colour,
        )
        for finding, (colour, marker, label) in LOOKS.items()
        if finding in present
    ]  # fmt: skip
