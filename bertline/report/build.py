"""The report: one HTML page with the key figures, beside the images that it shows.

It needs no network and no script, and reads well on a phone and on paper. All text from outside
(titles, names of sets, words of topics) is escaped.
"""

from collections.abc import Sequence
from html import escape

from bertline.figures.analysis import Analysis
from bertline.figures.results import Acceptability, Topics
from bertline.report import (
    acceptability as report_acceptability,
)
from bertline.report import (
    baselines as report_peers,
)
from bertline.report import (
    topics as report_topics,
)
from bertline.report.page import STYLE, Shown, figure_element

# Figures of topics that stand in sections of their own.
LATER = ("topic_stability", "topic_baselines")


def build(
    sentences: Acceptability, analysis: Analysis, documents: Topics, shown: Sequence[Shown]
) -> str:
    """Return the page; `shown` are the figures that lie beside it."""
    of_topics = [figure for figure in shown if figure.name.startswith("topic_")]
    of_errors = [figure for figure in shown if figure.name.startswith("breakdown/")]
    of_trust = [figure for figure in shown if figure.name == "reliability"]
    apart = [*of_topics, *of_errors, *of_trust]
    of_scores = [figure for figure in shown if figure not in apart]
    body = [
        "<h1>Bertline: results</h1>",
        "<p class=quiet>Acceptability of sentences with a fine-tuned BERT, and topics of documents "
        "with BERTopic. Every number and figure is from one run of the pipeline.</p>",
        f"<h2 id=acceptability>Acceptability: {escape(sentences.title)}</h2>",
        f"<p>{report_acceptability.inputs(sentences)}</p>",
        report_acceptability.key_scores(sentences),
        "<h3>How these figures came about</h3>",
        report_acceptability.protocol(sentences),
        *map(figure_element, of_scores),
        "<h3>Every model on every set</h3>",
        report_acceptability.all_scores(sentences),
        "<h3 id=failures>Where it fails</h3>",
        analysis.failures(analysis),
        *map(figure_element, of_errors),
        analysis.breakdown_table(analysis),
        "<h3>The most confident errors</h3>",
        analysis.confident_errors(analysis),
        "<h3 id=calibration>What the probabilities are worth</h3>",
        analysis.calibration(analysis),
        *map(figure_element, of_trust),
        "<h3 id=overfitting>Overfitting, and which epoch to keep</h3>",
        analysis.overfitting(analysis),
        f"<h2 id=topics>Topics: {escape(documents.title)}</h2>",
        f"<p>Sentence vectors of <code>{escape(documents.embedder)}</code>, clustered and named by "
        "BERTopic.</p>",
        report_topics.key_topics(documents),
        *(figure_element(figure) for figure in of_topics if figure.name not in LATER),
        "<h3>Largest topics</h3>",
        report_topics.topic_table(documents),
        "<h3>Fewer topics</h3>",
        report_topics.number_table(documents),
        "<h3>Which topics come again</h3>",
        report_peers.stability(documents),
        *(figure_element(figure) for figure in of_topics if figure.name == "topic_stability"),
        "<h3>Other topic models on the same documents</h3>",
        report_peers.baselines(documents),
        *(figure_element(figure) for figure in of_topics if figure.name == "topic_baselines"),
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # Should a word of a document ever look like a script, the browser refuses to run it.
            '<meta http-equiv="Content-Security-Policy" content="script-src \'none\'; '
            "object-src 'none'; base-uri 'none'; form-action 'none'\">",
            "<title>Bertline: results</title>",
            f"<style>\n{STYLE}\n</style>",
            "</head>",
            "<body>",
            *body,
            "</body>",
            "</html>",
            "",
        ]
    )
