"""Draw the figures and write the report from the stored results of the other stages.

Reads   the tables and measures in metrics/, the errors in data/analyze, the topics and the map in
        data/topic_words, the table of other topic models if there is one, and `visualize` of
        params.yaml.
Writes  data/visualize/index.html, a report that needs neither network nor scripts, and its
        figures, each as PNG and SVG: learning_curves, scores, reliability, topic_frequencies,
        topic_map, topic_tree, topic_coverage, topic_groups, topic_stability, topic_baselines,
        breakdown/<grouping>, and for each test set mcc_per_batch/<set> and confusion/<set>.

    python -m stages.visualize metrics data/analyze data/topic_words data/visualize \\
        --baselines benchmarks/topic_baselines.csv
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bertline.core import console, files, params
from bertline.core.params import Section
from bertline.core.receipt import receipt
from bertline.figures import (
    breakdown,
    confusion,
    learning_curves,
    mcc_per_batch,
    reliability,
    scores,
    style,
    topic_baselines,
    topic_coverage,
    topic_frequencies,
    topic_groups,
    topic_map,
    topic_stability,
    topic_tree,
)
from bertline.figures.results import (
    Acceptability,
    Analysis,
    Topics,
    load_acceptability,
    load_analysis,
    load_topics,
    plain,
)
from bertline.report import build

if TYPE_CHECKING:  # else after bertline.core.console, which finds a place for its cache
    from matplotlib.figure import Figure

# What is read below the folder of metrics.
READ = (
    "download/backbone.json",
    "download/embedder.json",
    "parse/sentences.json",
    "parse/documents.json",
    "parse/phenomena.json",
    "split.json",
    "adapt.csv",
    "evaluate",
    "analyze",
    "topic_words",
    "topic_stability",
    "topic_stability.json",
)

Inches = Annotated[float, Field(ge=4, le=40)]


class Visualize(Section):
    """The section `visualize` of params.yaml."""

    top_topics: Annotated[int, Field(ge=0)]
    label_words: Annotated[int, Field(ge=1)]
    font: Annotated[str, Field(min_length=1)]
    font_size: Annotated[float, Field(ge=4, le=24)]
    figure_size: Annotated[list[Inches], Field(min_length=2, max_length=2)]
    dpi: Annotated[int, Field(ge=50, le=600)]


def draw(
    sentences: Acceptability, analysis: Analysis, documents: Topics, options: Visualize
) -> Iterator[tuple[str, "Figure"]]:
    """Yield the name of each figure, which is its file without the ending, and the figure."""
    yield "scores", scores.draw(sentences)
    yield "learning_curves", learning_curves.draw(sentences)
    for name in sentences.test_sets:
        yield f"mcc_per_batch/{name}", mcc_per_batch.draw(sentences, name)
        yield f"confusion/{name}", confusion.draw(sentences, name)
    for grouping in analysis.groupings:
        yield f"breakdown/{grouping}", breakdown.draw(analysis, sentences.source, grouping)
    yield "reliability", reliability.draw(analysis, sentences.source)
    width, height = options.figure_size
    yield (
        "topic_map",
        topic_map.draw(
            documents,
            top_topics=options.top_topics,
            label_words=options.label_words,
            size=(width, height),
            dpi=options.dpi,
        ),
    )
    yield "topic_frequencies", topic_frequencies.draw(documents, coloured=options.top_topics)
    yield "topic_tree", topic_tree.draw(documents, coloured=options.top_topics)
    yield "topic_coverage", topic_coverage.draw(documents)
    if len(documents.groups):
        yield "topic_groups", topic_groups.draw(documents)
    yield "topic_stability", topic_stability.draw(documents)
    if documents.compared:
        yield "topic_baselines", topic_baselines.draw(documents)


def warn_of_missing_letters(
    sentences: Acceptability, analysis: Analysis, documents: Topics, font: str
) -> None:
    """Warn of characters of titles, groups and topics that the font lacks."""
    texts = [sentences.title, documents.title, *documents.table["words"].explode().dropna()]
    texts += [plain(group) for group in analysis.breakdown["group"]]
    missing = style.check_font(font, texts)
    if missing:
        console.log(
            f"warning: {font} lacks {len(missing)} of the characters in titles and topics' words, "
            f"such as {missing[:8]}; figures show a box for each. Set visualize.font in "
            f"params.yaml to a font that has them. The report's tables are not affected."
        )


def main() -> None:
    """Read the parameters and the stored results; draw the figures and write the report."""
    arguments = console.parser(__doc__)
    arguments.add_argument("metrics", type=Path, help="folder with what the stages measured")
    arguments.add_argument("analysis", type=Path, help="folder that analyze wrote")
    arguments.add_argument("topics", type=Path, help="folder that topic_words wrote")
    arguments.add_argument("--baselines", type=Path, help="CSV file of other topic models")
    arguments.add_argument("out", type=Path, help="folder to write")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "visualize", Visualize)
    sentences = load_acceptability(args.metrics)
    analysis = load_analysis(args.metrics, args.analysis)
    documents = load_topics(args.metrics, args.topics, args.baselines)
    warn_of_missing_letters(sentences, analysis, documents, options.font)
    compared = [args.baselines] if documents.compared else []

    with receipt(
        args.receipt,
        "visualize",
        parameters={"visualize": options},
        inputs=[*(args.metrics / name for name in READ), args.analysis, args.topics, *compared],
        outputs=[args.out],
    ):
        with files.whole_folder(args.out) as out, style.applied(options.font_size, options.font):
            shown = []
            total = 8 + bool(len(documents.groups)) + documents.compared
            total += 2 * len(sentences.test_sets) + len(analysis.groupings)
            drawn = draw(sentences, analysis, documents, options)
            for name, figure in console.progress(drawn, total=total, label="draw", unit="figures"):
                style.save(figure, out, name, options.dpi)
                shown.append(build.Shown(name, str(figure.get_label()), *figure.get_size_inches()))
            text = build.build(sentences, analysis, documents, shown)
            (out / "index.html").write_text(text, encoding="utf-8", newline="\n")
        console.log(f"{args.out / 'index.html'}: the report, with {len(shown)} figures beside it")


if __name__ == "__main__":
    console.run(main)
