"""Coherence and coverage by number of topics, of Bertline and of other topic models."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics
from bertline.topics.tables import MODEL as OWN

WIDTH, HEIGHT = 9.0, 3.5  # inches
PANELS = {
    "npmi": "coherence (NPMI)",
    "coverage": "coverage (share in a topic)",
    "npmi_times_coverage": "coherence × coverage",
}
# Markers differ as well as colours.
MARKERS = ("o", "s", "^", "D", "v", "P")
BASELINE_COLOURS = ("#d55e00", "#009e73", "#aa4499", "#e69f00", "#332288")


def draw(results: Topics) -> Figure:
    """Return the figure: a panel for each of `PANELS`, a line for each model."""
    others = ~results.baselines["model"].str.startswith(f"{OWN} (")  # nearly the own rows again
    asked = results.baselines[results.baselines["requested_topics"].notna() & others]
    subtitles = [
        results.source,
        "All models on the same documents and vocabulary. Higher is better in every panel.",
    ]
    figure = style.new_figure(WIDTH, HEIGHT, "Bertline and other topic models", subtitles)
    panels = figure.subplots(1, len(PANELS))
    for axes, (column, label) in zip(panels, PANELS.items(), strict=True):
        draw_panel(axes, asked, column)
        axes.set_title(label)
        axes.set_xlabel("requested topics")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def draw_panel(axes: Axes, asked: pd.DataFrame, column: str) -> None:
    """Draw a measure by number of topics; Bertline's line is thicker."""
    names = [OWN, *sorted(set(asked["model"]) - {OWN})]
    baselines = 0
    for place, name in enumerate(names):
        rows = asked[asked["model"] == name].sort_values("requested_topics")
        if rows.empty:
            continue
        own = name == OWN
        axes.plot(
            rows["requested_topics"],
            rows[column],
            color=style.MODEL if own else BASELINE_COLOURS[baselines % len(BASELINE_COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=5,
            linewidth=2.2 if own else 1.2,
            zorder=3 if own else 2,
            label=name,
        )
        baselines += not own
    numbers = sorted(set(asked["requested_topics"].astype(int)))
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.grid(axis="y")
    low, high = axes.get_ylim()
    axes.set_ylim(min(0, low), max(high, 1.05) if column == "coverage" else high)
