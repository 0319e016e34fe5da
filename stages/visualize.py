"""Draw the figures and write the report of one branch from the stored results of its stages.

Reads   for `classification` the tables and measures in metrics/ and the errors in data/analyze; for
        `topics` those in metrics/, topics and map in data/topic_words, and the table of other topic
        models if there is one; `visualize` of params.yaml.
Writes  index.html in data/visualize/<branch>, a report that needs neither network nor scripts, and
        its figures, each as PNG and SVG. Of the classification: learning_curves, scores,
        reliability, breakdown/<grouping>, and for each test set mcc_per_batch/<set> and
        confusion/<set>. Of the topics: topic_frequencies, topic_map, topic_tree, topic_coverage,
        topic_groups, topic_over_time, topic_stability, topic_baselines.

    python -m stages.visualize classification metrics data/analyze data/visualize/classification
    python -m stages.visualize topics metrics data/topic_words data/visualize/topics \\
        --baselines benchmarks/topic_baselines.csv
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

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
    topic_over_time,
    topic_stability,
    topic_tree,
)
from bertline.figures.results import (
    Analysis,
    Classification,
    Topics,
    load_analysis,
    load_classification,
    load_topics,
    plain,
)
from bertline.report import build
from bertline.report.build import Shown

if TYPE_CHECKING:  # else after bertline.core.console, which finds a place for its cache
    from matplotlib.figure import Figure

# What is read below the folder of metrics, by branch.
READ = {
    "classification": (
        *("download/backbone.json", "parse/sentences.json", "parse/phenomena.json"),
        *("split.json", "adapt.csv", "evaluate", "analyze"),
    ),
    "topics": (
        *("download/embedder.json", "parse/documents.json", "topic_fit.json", "topic_words"),
        *("topic_stability", "topic_stability.json"),
    ),
}

Inches = Annotated[float, Field(ge=4, le=40)]


class OfClassification(Section):
    """What `visualize` draws of the classification alone."""

    most_classes: Annotated[int, Field(ge=2, le=100)]


class OfTopics(Section):
    """What `visualize` draws of the topics alone."""

    top_topics: Annotated[int, Field(ge=0)]
    label_words: Annotated[int, Field(ge=1)]
    figure_size: Annotated[list[Inches], Field(min_length=2, max_length=2)]


class Visualize(Section):
    """The section `visualize` of params.yaml."""

    font: Annotated[str, Field(min_length=1)]
    font_size: Annotated[float, Field(ge=4, le=24)]
    dpi: Annotated[int, Field(ge=50, le=600)]
    classification: OfClassification
    topics: OfTopics


class Report(NamedTuple):
    """A report to be drawn: its figures in turn, their number, the page that shows them."""

    figures: Iterator[tuple[str, "Figure"]]  # the file without the ending, and the figure
    total: int
    page: Callable[[Sequence[Shown]], str]
    texts: list[str]  # of the data, in figures
    compared: Sequence[Path] = ()  # inputs that are not always there


def draw_classification(
    sentences: Classification, analysis: Analysis, options: OfClassification
) -> Iterator[tuple[str, "Figure"]]:
    """Yield the name of each figure, which is its file without the ending, and the figure."""
    yield "scores", scores.draw(sentences)
    yield "learning_curves", learning_curves.draw(sentences)
    for name in sentences.test_sets:
        yield f"mcc_per_batch/{name}", mcc_per_batch.draw(sentences, name)
        yield (
            f"confusion/{name}",
            confusion.draw(sentences, name, most_classes=options.most_classes),
        )
    for grouping in analysis.groupings:
        yield f"breakdown/{grouping}", breakdown.draw(analysis, sentences.source, grouping)
    yield "reliability", reliability.draw(analysis, sentences.source)


def draw_topics(documents: Topics, options: OfTopics, dpi: int) -> Iterator[tuple[str, "Figure"]]:
    """Yield the name of each figure, which is its file without the ending, and the figure."""
    width, height = options.figure_size
    yield (
        "topic_map",
        topic_map.draw(
            documents,
            top_topics=options.top_topics,
            label_words=options.label_words,
            size=(width, height),
            dpi=dpi,
        ),
    )
    yield "topic_frequencies", topic_frequencies.draw(documents, coloured=options.top_topics)
    yield "topic_tree", topic_tree.draw(documents, coloured=options.top_topics)
    yield "topic_coverage", topic_coverage.draw(documents)
    if len(documents.groups):
        yield "topic_groups", topic_groups.draw(documents)
    if len(documents.over_time):
        yield "topic_over_time", topic_over_time.draw(documents, coloured=options.top_topics)
    yield "topic_stability", topic_stability.draw(documents)
    if documents.compared:
        yield "topic_baselines", topic_baselines.draw(documents)


def report_classification(metrics: Path, errors: Path, options: Visualize) -> Report:
    """Return the report of the scores below `metrics` and of the errors in `errors`."""
    sentences = load_classification(metrics)
    analysis = load_analysis(metrics, errors)
    return Report(
        draw_classification(sentences, analysis, options.classification),
        3 + 2 * len(sentences.test_sets) + len(analysis.groupings),
        lambda shown: build.classification(sentences, analysis, shown),
        [sentences.title, *(plain(group) for group in analysis.breakdown["group"])],
    )


def report_topics(
    metrics: Path, topics: Path, baselines: Path | None, options: Visualize
) -> Report:
    """Return the report of the topics in `topics`, beside other models if there are `baselines`."""
    documents = load_topics(metrics, topics, baselines)
    return Report(
        draw_topics(documents, options.topics, options.dpi),
        5 + bool(len(documents.groups)) + bool(len(documents.over_time)) + documents.compared,
        lambda shown: build.topics(documents, shown),
        [documents.title, *documents.table["words"].explode().dropna()],
        [baselines] if baselines is not None and documents.compared else [],
    )


def warn_of_missing_letters(texts: Sequence[str], font: str) -> None:
    """Warn of characters of the texts that the font lacks; name installed fonts that have more."""
    missing = style.check_font(font, texts)
    if missing:
        others = style.fonts_with(missing)
        remedy = (
            f"Installed fonts that have most of them: {', '.join(others)}. Set visualize.font in "
            f"params.yaml to one."
            if others
            else "No installed font has them: install one, such as Noto Sans CJK JP, and set "
            "visualize.font in params.yaml to it."
        )
        console.log(
            f"warning: {font} lacks {len(missing)} of the characters in figures, such as "
            f"{missing[:8]}; a box stands for each. {remedy} The report's tables are not affected."
        )


def main() -> None:
    """Read the parameters and the stored results; draw the figures and write the report."""
    arguments = console.parser(__doc__)
    arguments.add_argument("branch", choices=READ, help="what the report is of")
    arguments.add_argument("metrics", type=Path, help="folder with what the stages measured")
    arguments.add_argument("results", type=Path, help="folder that analyze or topic_words wrote")
    arguments.add_argument("--baselines", type=Path, help="CSV file of other topic models")
    arguments.add_argument("out", type=Path, help="folder to write")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "visualize", Visualize)
    if args.branch == "topics":
        report = report_topics(args.metrics, args.results, args.baselines, options)
    else:
        report = report_classification(args.metrics, args.results, options)
    warn_of_missing_letters(report.texts, options.font)

    shared = {f"visualize.{name}": getattr(options, name) for name in ("font", "font_size", "dpi")}
    with receipt(
        args.receipt,
        f"visualize@{args.branch}",
        parameters=shared | {f"visualize.{args.branch}": getattr(options, args.branch)},
        inputs=[
            *(args.metrics / name for name in READ[args.branch]),
            *(args.results, *report.compared),
        ],
        outputs=[args.out],
    ):
        with files.whole_folder(args.out) as out, style.applied(options.font_size, options.font):
            shown = []
            drawn = console.progress(
                report.figures, total=report.total, label="draw", unit="figures"
            )
            for name, figure in drawn:
                style.save(figure, out, name, options.dpi)
                shown.append(Shown(name, str(figure.get_label()), *figure.get_size_inches()))
            (out / "index.html").write_text(report.page(shown), encoding="utf-8", newline="\n")
        console.log(f"{args.out / 'index.html'}: the report, with {len(shown)} figures beside it")


if __name__ == "__main__":
    console.run(main)
