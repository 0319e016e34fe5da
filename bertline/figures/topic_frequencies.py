"""Sizes of the largest topics as bars, in their colours of the map."""

from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics, topic_label

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
        style.write_note(axes, "There are no topics to show.")
        return figure
    colours = [
        style.topic_colour(rank) if rank < coloured else style.SMALL_TOPIC
        for rank in range(len(shown))
    ]
    axes.barh(range(len(shown)), shown["count"], color=colours, height=0.74)
    named = zip(shown["topic"], shown["words"], strict=True)
    style.label_rows(axes, [topic_label(topic, words, WORDS) for topic, words in named])
    for place, count in enumerate(shown["count"]):
        axes.annotate(
            f"{count:,}", (count, place), xytext=(3, 0), textcoords="offset points", va="center"
        )
    axes.set_xlim(0, shown["count"].max() * 1.09)
    axes.grid(axis="x")
    axes.set_xlabel("documents")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure


def subtitles(results: Topics) -> list[str]:
    """Return the data set and the embedder, and the number of outliers, if there are any."""
    if not results.outliers:
        return [results.source]
    left_out = f"{results.outliers:,} of {results.documents:,} documents"
    return [results.source, f"Not shown: {left_out} are outliers ({results.outlier_share:.1%})."]
