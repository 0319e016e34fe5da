"""Heat map: the share of each known group's documents in each of the largest topics."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bertline.figures import style
from bertline.figures.results import Topics, plain, topic_name
from bertline.topics.tables import OUTLIERS

WIDTH = 9.0  # inches
ROW_HEIGHT = 0.26
FRAME_HEIGHT = 2.1
LABEL_LENGTH = 2.1  # inches, of a topic's name
GROUPS, TOPICS = 30, 20  # shown at most, the largest
WORDS = 2
LABEL_FROM = 0.05  # of a group, from which a share is written into its field


def draw(results: Topics) -> Figure:
    """Return the figure: the share of each group's documents in each topic."""
    shares, left_out = _shares(results)
    title = "Known groups by topic"
    subtitles = [
        results.source,
        "Per cent of a group's documents; each row adds up to 100.",
    ]
    if left_out:
        subtitles.append(f"The {GROUPS} largest groups are shown.")
    unknown = results.documents - int(results.groups["documents"].sum())
    if unknown:
        subtitles.append(f"{unknown:,} documents without a group are left out.")
    figure = style.new_figure(WIDTH, len(shares) * ROW_HEIGHT + FRAME_HEIGHT, title, subtitles)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, values in enumerate(shares.to_numpy()):
        for column, value in enumerate(values):
            if value >= LABEL_FROM:
                colour = "white" if value > 0.55 else style.INK
                axes.text(
                    *(column, row, f"{100 * value:.0f}"),
                    ha="center",
                    va="center",
                    color=colour,
                    size="small",
                )
    groups = [style.cut(plain(str(name)), style.LABELS * WIDTH) for name in shares.index]
    axes.set_yticks(range(len(shares)), groups)
    columns = [style.cut(name, LABEL_LENGTH) for name in shares.columns]
    axes.set_xticks(range(shares.shape[1]), columns, rotation=60, ha="left", size="small")
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.spines[:].set_visible(False)
    return figure


def _shares(results: Topics) -> tuple[pd.DataFrame, bool]:
    counts = results.groups.pivot_table(
        index="group", columns="topic", values="documents", fill_value=0, aggfunc="sum"
    )
    sizes = counts.sum(axis=1).sort_values(ascending=False, kind="stable")
    counts = counts.loc[sorted(sizes.index[:GROUPS])]
    shown = results.table.head(TOPICS)
    columns = {
        f"{topic} {topic_name(list(words), WORDS)}": counts.get(topic, 0)
        for topic, words in shown[["topic", "words"]].itertuples(index=False)
    }
    rest = counts.columns.difference([*shown["topic"], OUTLIERS])
    if len(rest):
        columns[f"{len(rest)} smaller topics"] = counts[rest].sum(axis=1)
    if OUTLIERS in counts.columns:
        columns["in no topic"] = counts[OUTLIERS]
    table = pd.DataFrame(columns, index=counts.index).astype(np.float64)
    return table.div(counts.sum(axis=1), axis=0), len(sizes) > GROUPS
