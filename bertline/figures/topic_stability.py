"""Stability of the largest topics over other fits, as bars with a verdict for each."""

from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics, topic_label
from bertline.topics.tables import PARTLY, STABLE, UNSTABLE

WIDTH = 8.0  # inches
ROW_HEIGHT = 0.27
FRAME_HEIGHT = 0.95
SHOWN = 20
WORDS = 4
# Hennig (2007): below the first a cluster is dissolved, from the second on it is stable.
THRESHOLDS = (0.5, 0.75)
COLOURS = {STABLE: "#009e73", PARTLY: "#e69f00", UNSTABLE: "#b0b4b8"}
UNKNOWN = "not measured"


def draw(results: Topics) -> Figure:
    """Return the figure, a row for each of the largest topics."""
    shown = results.table.head(SHOWN)
    refits = results.refits["refits"]
    title = f"Stability of the {len(shown)} largest topics" if len(shown) > 1 else "Topic stability"
    height = max(len(shown), 3) * ROW_HEIGHT + FRAME_HEIGHT
    subtitles = [
        results.source,
        f"Jaccard similarity to the matched topics of {refits} other fits, corrected for chance: "
        "1 is identical, 0 is chance.",
    ]
    figure = style.new_figure(WIDTH, height, title, subtitles)
    axes = figure.subplots()
    if shown.empty:
        style.write_note(axes, "There are no topics to show.")
        return figure
    for place, topic in enumerate(shown["topic"]):
        found = results.stability_of(topic)
        if found is None:
            axes.text(0.01, place, UNKNOWN, va="center", color=style.QUIET)
            continue
        value, verdict = found
        axes.barh(place, value, color=COLOURS[verdict], height=0.7)
        axes.annotate(
            f"{style.number(value, 2)}  {verdict}",
            (1, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    for limit in THRESHOLDS:
        axes.axvline(limit, color=style.QUIET, linewidth=0.9, linestyle=(0, (3, 3)), zorder=0.5)
    named = zip(shown["topic"], shown["words"], strict=True)
    style.label_rows(axes, [topic_label(topic, words, WORDS) for topic, words in named])
    axes.set_xlim(0, 1.25)
    axes.set_xticks([0, 0.25, *THRESHOLDS, 1])
    axes.set_xlabel(
        f"stability (below {THRESHOLDS[0]}: unstable; {THRESHOLDS[1]} and more: stable)"
    )
    return figure
