"""Whether the largest topics come again in other fits, as bars with a word for each."""

from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import PARTLY, STABLE, UNSTABLE, Topics, topic_name

WIDTH = 8.0  # inches
ROW_HEIGHT = 0.27
FRAME_HEIGHT = 0.95
SHOWN = 20
WORDS = 4
# Hennig (2007): below the first a topic is dissolved, from the second on it is stable.
THRESHOLDS = (0.5, 0.75)
COLOURS = {STABLE: "#009e73", PARTLY: "#e69f00", UNSTABLE: "#b0b4b8"}
UNKNOWN = "not looked at"


def draw(results: Topics) -> Figure:
    """Return the figure, a row for each of the largest topics."""
    shown = results.table.head(SHOWN)
    refits = results.refits["refits"]
    title = f"Do the {len(shown)} largest topics come again?" if len(shown) > 1 else "Stability"
    height = max(len(shown), 3) * ROW_HEIGHT + FRAME_HEIGHT
    subtitles = [
        f"{results.title} · embedder {results.embedder}",
        f"Share of a topic found again in {refits} other fits, chance taken off: 1 is every "
        "document, 0 no more than by chance.",
    ]
    figure = style.new_figure(WIDTH, height, title, subtitles)
    axes = figure.subplots()
    if shown.empty:
        axes.text(0.5, 0.5, "There are no topics to show.", ha="center", va="center")
        axes.set_axis_off()
        return figure
    for place, topic in enumerate(shown["topic"]):
        found = results.stability_of(topic)
        if found is None:
            axes.text(0.01, place, UNKNOWN, va="center", color=style.QUIET)
            continue
        value, said = found
        axes.barh(place, value, color=COLOURS[said], height=0.7)
        axes.annotate(
            f"{style.number(value, 2)}  {said}",
            (1, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    for limit in THRESHOLDS:
        axes.axvline(limit, color=style.QUIET, linewidth=0.9, linestyle=(0, (3, 3)), zorder=0.5)
    labels = [
        f"{topic}  {topic_name(words, WORDS)}"
        for topic, words in shown[["topic", "words"]].itertuples(index=False)
    ]
    axes.set_yticks(range(len(shown)), labels)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 1.25)
    axes.set_xticks([0, 0.25, *THRESHOLDS, 1])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        f"stability: below {THRESHOLDS[0]} unstable, from {THRESHOLDS[1]} on stable (dotted lines)"
    )
    return figure
