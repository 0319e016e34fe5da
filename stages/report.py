"""The report: one HTML page with the key figures, beside the images that it shows.

It needs no network and no script, and reads well on a phone and on paper. All text from outside
(titles, names of sets, words of topics) is escaped.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from stages.figures.results import (
    MAJORITY,
    MEAN,
    OUTLIERS,
    TFIDF,
    TRAINING,
    VALIDATION,
    Acceptability,
    Topics,
    topic_name,
)
from stages.figures.style import number

TOPICS_SHOWN = 30
WORDS_SHOWN = 8
PIXELS_PER_INCH = 96  # of CSS

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 68rem; background: #fff;
  color: #222; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans",
  sans-serif; overflow-wrap: break-word; }
h1 { margin: 0 0 .25rem; font-size: 1.8rem; line-height: 1.2; }
h2 { margin: 3rem 0 .25rem; padding-top: 1rem; border-top: 2px solid #222; font-size: 1.4rem;
  line-height: 1.25; }
h3 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
p, ul { margin: .5rem 0; max-width: 46rem; }
.quiet, figcaption, caption { color: #5c6166; }
a { color: #00528a; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0; font-size: .94rem;
  font-variant-numeric: tabular-nums; }
caption { padding: 0 0 .35rem; text-align: left; }
th, td { padding: .32rem .9rem .32rem 0; border-bottom: 1px solid #dfe2e4; text-align: left;
  vertical-align: top; }
.n { text-align: right; white-space: nowrap; }
thead th { border-bottom: 1.5px solid #222; vertical-align: bottom; line-height: 1.3; }
thead th.n { white-space: normal; }
tbody th { font-weight: 600; }
tr.mean td, tr.mean th { font-weight: 700; }
figure { margin: 1.5rem 0 2rem; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { margin-top: .35rem; font-size: .9rem; }
code { font-size: .92em; }
@media (max-width: 40rem) { body { padding: 1rem .9rem 3rem; } th, td { padding-right: .7rem; }
  /* Letters in a figure stay legible: it scrolls sideways instead of shrinking. */
  figure .scroll { display: block; } figure img { max-width: none; width: max(100%, 36rem); } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  .scroll { overflow: visible; } table { font-size: 8.5pt; } th, td { padding-right: .5rem; }
  h2 ~ h2 { break-before: page; } h2, h3, caption, thead { break-after: avoid; }
  figure, tr { break-inside: avoid; } a { color: inherit; text-decoration: none; } }
""".strip()


class Shown(NamedTuple):
    """A figure of the report: its file without the ending, what it says, its size in inches."""

    name: str
    says: str
    width: float
    height: float


def build(sentences: Acceptability, documents: Topics, shown: Sequence[Shown]) -> str:
    """Return the page; `shown` are the figures that lie beside it."""
    of_topics = [figure for figure in shown if figure.name.startswith("topic_")]
    of_scores = [figure for figure in shown if figure not in of_topics]
    body = [
        "<h1>Bertline: results</h1>",
        "<p class=quiet>Acceptability of sentences with a fine-tuned BERT, and topics of documents "
        "with BERTopic. Every number and figure is from one run of the pipeline.</p>",
        f"<h2 id=acceptability>Acceptability: {escape(sentences.title)}</h2>",
        f"<p>{_inputs(sentences)}</p>",
        key_scores(sentences),
        "<h3>How these figures came about</h3>",
        protocol(sentences),
        *map(figure_element, of_scores),
        "<h3>Every model on every set</h3>",
        all_scores(sentences),
        f"<h2 id=topics>Topics: {escape(documents.title)}</h2>",
        f"<p>Sentence vectors of <code>{escape(documents.embedder)}</code>, clustered and named by "
        "BERTopic.</p>",
        key_topics(documents),
        *map(figure_element, of_topics),
        "<h3>Largest topics</h3>",
        topic_table(documents),
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


def key_scores(results: Acceptability) -> str:
    """Return the table of each set's MCC with spread, interval and baselines."""
    rows = []
    for name in results.sets:
        # From scores.csv, as the figures: what evaluate.json rounds once is not rounded again.
        mean, tfidf, majority = (_scores(results, name, model) for model in (MEAN, TFIDF, MAJORITY))
        rows.append(
            [
                f"<code>{escape(name)}</code>",
                _number(mean.get("mcc")),
                _number(results.summary[name].get("mcc_sd")),
                _interval(mean.get("mcc_low"), mean.get("mcc_high")),
                _number(tfidf.get("mcc")),
                _number(majority.get("mcc")),
                _share(mean.get("accuracy")),
                _share(majority.get("accuracy")),
                f"{mean['sentences']:,}" if mean else "–",
                _share(results.folds.get(name, {}).get("acceptable_share")),
            ]
        )
    seeds = len(results.seeds)
    header = [
        "Set",
        "MCC" if seeds == 1 else f"MCC, mean of {seeds} seeds",
        "SD over seeds",
        f"{results.coverage} interval",
        "MCC of TF\N{NON-BREAKING HYPHEN}IDF",
        "MCC of majority",
        "Accuracy",
        "Accuracy of majority",
        "Sentences",
        "Acceptable",
    ]
    return table(header, rows, numeric=range(1, len(header)), caption="Key figures and baselines")


def protocol(results: Acceptability) -> str:
    """Return a list that says in plain words what was trained, tested and covered by intervals."""
    items = []
    training = results.folds.get(TRAINING, {}).get("sentences")
    seeds = ", ".join(map(str, results.seeds))
    trained = f"on {training:,} sentences" if training else "on the training fold"
    if len(results.seeds) > 1:
        items.append(
            f"<b>Seeds.</b> {len(results.seeds)} models were trained {trained}, one for each of "
            f"the seeds {seeds}. A seed fixes the new classification head, the order of batches "
            "and dropout; the folds are the same for all. SD is the spread over seeds."
        )
    else:
        items.append(
            f"<b>Seed.</b> One model was trained {trained}, with seed {seeds}. One seed tells "
            "nothing about the spread between runs: give <code>seeds</code> in "
            "<code>params.yaml</code> three or more before comparing."
        )
    tests = [name for name in results.sets if name != VALIDATION]
    if tests:
        items.append(
            f"<b>Test sets.</b> {', '.join(f'<code>{escape(name)}</code>' for name in tests)}: "
            "published as they are, and no training decision looks at them."
        )
    if VALIDATION in results.sets:
        held = "held out of the training set. It may steer decisions, so it is no test set."
        items.append(f"<b>Validation.</b> <code>{VALIDATION}</code> was {held}")
    items.append(
        f"<b>Interval.</b> {results.coverage} of the scores that the same trained models get "
        "on resampled sentences of the set (percentile bootstrap). It covers the chance of the "
        "sentences, not that of training: that is the spread over seeds."
    )
    items.append(
        "<b>Measure.</b> MCC is Matthews correlation: 1 is perfect, 0 is chance or a model that "
        "always answers the same, as the majority class does. Accuracy flatters such a model."
    )
    items.append(
        "<b>Baselines.</b> TF-IDF of words and their neighbours with a logistic regression, fitted "
        "on the same training fold; and the majority class."
    )
    shared = {pair: number for pair, number in results.shared.items() if number}
    if shared:
        pairs = ", ".join(f"{escape(pair)}: {number:,}" for pair, number in shared.items())
        items.append(f"<b>Sentences in two folds.</b> {pairs}.")
    elif results.shared:
        items.append("<b>Sentences in two folds.</b> None.")
    return "<ul>\n" + "\n".join(f"<li>{item}</li>" for item in items) + "\n</ul>"


def all_scores(results: Acceptability) -> str:
    """Return the table of every model on every set."""
    rows, marked = [], []
    for row in results.scores.to_dict("records"):
        marked.append(row["model"] == MEAN)
        rows.append(
            [
                f"<code>{escape(row['set'])}</code>",
                escape(row["model"]),
                _number(row["mcc"]),
                _interval(row["mcc_low"], row["mcc_high"]),
                _share(row["accuracy"]),
                _number(row["f1"]),
            ]
        )
    header = ["Set", "Model", "MCC", f"{results.coverage} interval", "Accuracy", "F1"]
    return table(
        header,
        rows,
        numeric=range(2, 6),
        marked=marked,
        caption="F1 is that of acceptable sentences.",
    )


def key_topics(results: Topics) -> str:
    """Return the table of the topics' measures, with what each means."""
    measures = results.measures
    outliers = results.outliers
    share = f"{outliers:,} ({outliers / max(results.documents, 1):.1%})"
    sizes = results.table["count"]
    entries = [
        ("Documents", f"{results.documents:,}", ""),
        ("Topics", f"{len(results.table):,}", "outliers not counted"),
        ("Outliers", share, "documents in no topic; HDBSCAN leaves them out"),
        (
            "Documents per topic",
            f"{sizes.median():,.0f} (largest {sizes.max():,})" if len(sizes) else "–",
            "median, without outliers",
        ),
        (
            "Diversity",
            _number(measures.get("diversity")),
            "share of distinct words among the topics' words; 1 means that none is repeated",
        ),
        (
            "NPMI",
            _number(measures.get("npmi")),
            "coherence: how much more often a topic's words occur together than by chance, "
            "from \N{MINUS SIGN}1 to 1",
        ),
    ]
    if measures.get("nmi") is not None:
        known = "agreement with the documents' known groups, from 0 to 1"
        entries += [
            ("NMI", _number(measures["nmi"]), f"{known}; outliers as one more topic"),
            (
                "NMI without outliers",
                _number(measures.get("nmi_without_outliers")),
                "the same over documents in a topic",
            ),
        ]
    else:
        entries.append(("NMI", "–", "the documents have no known groups to agree with"))
    rows = [[escape(name), value, meaning] for name, value, meaning in entries]
    return table(["Measure", "Value", "Meaning"], rows, numeric=[1], caption="Key figures")


def topic_table(results: Topics) -> str:
    """Return the frequency table: the outliers apart, then the largest topics."""
    shown = results.table.head(TOPICS_SHOWN)
    total = max(results.documents, 1)
    rows = [
        [str(topic), f"{count:,}", f"{count / total:.1%}", escape(topic_name(words, WORDS_SHOWN))]
        for topic, count, words in shown[["topic", "count", "words"]].itertuples(index=False)
    ]
    outliers = results.outliers
    rows.insert(
        0,
        [str(OUTLIERS), f"{outliers:,}", f"{outliers / total:.1%}", "<i>outliers, in no topic</i>"],
    )
    rest = results.table.iloc[TOPICS_SHOWN:]
    if len(rest):
        count = int(rest["count"].sum())
        label = f"<i>{len(rest):,} smaller topics together</i>"
        rows.append(["", f"{count:,}", f"{count / total:.1%}", label])
    header = ["Topic", "Documents", "Share", "Words that set it apart"]
    caption = f"The {len(shown)} largest of {len(results.table):,} topics."
    return table(header, rows, numeric=[0, 1, 2], caption=caption)


def figure_element(shown: Shown) -> str:
    """Return a figure with its image, linked to the SVG, and what it says as alternative text."""
    png, svg = (quote(f"{shown.name}.{ending}") for ending in ("png", "svg"))
    width, height = (round(length * PIXELS_PER_INCH) for length in (shown.width, shown.height))
    return (
        f'<figure id="{escape(shown.name)}">\n'
        f'<a class="scroll" href="{svg}"><img src="{png}" width="{width}" height="{height}" '
        f'alt="{escape(shown.says)}"></a>\n'
        f'<figcaption>{escape(shown.name)}: <a href="{png}">PNG</a>, <a href="{svg}">SVG</a>'
        f"</figcaption>\n</figure>"
    )


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: Iterable[int],
    caption: str,
    marked: Sequence[bool] | None = None,
) -> str:
    """Return a table of cells that are HTML already; columns `numeric` are set to the right."""
    right = [' class="n"' if place in set(numeric) else "" for place in range(len(header))]
    head = "".join(
        f'<th scope="col"{css}>{escape(name)}</th>' for css, name in zip(right, header, strict=True)
    )
    lines = []
    for place, row in enumerate(rows):
        cells = "".join(f"<td{css}>{cell}</td>" for css, cell in zip(right, row, strict=True))
        css = ' class="mean"' if marked and marked[place] else ""
        lines.append(f"<tr{css}>{cells}</tr>")
    return "\n".join(
        [
            '<div class="scroll"><table>',
            f"<caption>{escape(caption)}</caption>",
            f"<thead><tr>{head}</tr></thead>",
            "<tbody>",
            *lines,
            "</tbody></table></div>",
        ]
    )


def _scores(results: Acceptability, name: str, model: str) -> dict[str, Any]:
    row = results.score(name, model)
    return {} if row is None else row.to_dict()


def _inputs(results: Acceptability) -> str:
    number_of_seeds = len(results.seeds)
    return (
        f"Backbone <code>{escape(results.backbone)}</code>, fine-tuned with {number_of_seeds} "
        f"seed{'s' * (number_of_seeds > 1)}."
    )


def _known(value: Any) -> bool:
    return value is not None and not np.isnan(value)


def _number(value: float | None) -> str:
    return number(value) if _known(value) else "–"


def _share(value: float | None) -> str:
    return f"{value:.1%}" if _known(value) else "–"


def _interval(low: float | None, high: float | None) -> str:
    return f"{number(low)} to {number(high)}" if _known(low) and _known(high) else "–"
