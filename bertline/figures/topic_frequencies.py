"""Sizes of the largest topics as bars, in the colours that they have on the map."""

from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics, topic_name

WIDTH = 8.0  # inches
ROW_HEIGHT = 0.235
FRAME_HEIGHT = 0.75
SHOWN = 30
WORDS = 5


def draw(results: Topics, *, coloured: int) -> Figure:
    """Return the figure; the `coloured` largest topics have their colours of the map."""
    shown = results.table.head(SHOWN)
    height = max(len(shown), 3) * ROW_HEIGHT + FRAME_HEIGHT
    if len(shown) < len(results.table):
        title = f"The {len(shown)} largest of {len(results.table):,} topics"
    else:
        title = f"Documents in each of {len(shown)} topics" if len(shown) > 1 else "Topic sizes"
    figure = style.new_figure(WIDTH, height, title, subtitles(results))
    axes = figure.subplots()
    if shown.empty:
        axes.text(0.5, 0.5, "There are no topics to show.", ha="center", va="center")
        axes.set_axis_off()
        return figure
    colours = [
        style.topic_colour(rank) if rank < coloured else style.SMALL_TOPIC
        for rank in range(len(shown))
    ]
    axes.barh(range(len(shown)), shown["count"], color=colours, height=0.74)
    labels = [
        f"{topic}  {topic_name(words, WORDS)}"
        for topic, words in shown[["topic", "words"]].itertuples(index=False)
    ]
    axes.set_yticks(range(len(shown)), labels)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    for place, count in enumerate(shown["count"]):
        axes.annotate(
            f"{count:,}", (count, place), xytext=(3, 0), textcoords="offset points", va="center"
        )
    axes.set_xlim(0, shown["count"].max() * 1.09)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("documents")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure


def subtitles(results: Topics) -> list[str]:
    """Return the data set and the encoder, and what the bars leave out."""
    outliers = results.outliers
    share = outliers / max(results.documents, 1)
    noun = "document is an outlier" if outliers == 1 else "documents are outliers"
    return [
        f"{results.title} · embedder {results.embedder}",
        f"Apart from these, {outliers:,} of {results.documents:,} {noun}, in no topic "
        f"({share:.1%}).",
    ]
