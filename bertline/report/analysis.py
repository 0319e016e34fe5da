"""The report's part on errors: where models fail, what probabilities mean, overfitting."""

from html import escape

import pandas as pd

from bertline.figures.analysis import (
    ALL,
    BETTER,
    GROUPINGS,
    MEAN,
    SCALED,
    UNCALIBRATED,
    WORSE,
    Analysis,
)
from bertline.figures.results import plain
from bertline.report.page import interval, number, share, table


def _items(texts: list[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{text}</li>" for text in texts) + "\n</ul>"


def failures(analysis: Analysis) -> str:
    """Return in plain words which groups of sentences stand out, and how far to trust that."""
    whole, protocol = analysis.everything, analysis.protocol
    counts = analysis.summary["breakdown"]
    found = counts["sets"].get(analysis.whole, {"tested": 0, "too_small": 0})
    chance = counts["intervals_missing_by_chance"]
    items = [
        f"<b>In all.</b> {share(whole['error_rate'])} of {whole['sentences']:,} test sentences "
        f"are judged wrongly, as a mean over seeds ({analysis.coverage} interval "
        f"{share(whole['error_rate_low'])} to {share(whole['error_rate_high'])}).",
        _stand_out(analysis),
        f"<b>How to read it.</b> {found['tested']} groups are compared with the rest of the "
        f"sentences. So many comparisons turn something up by chance, so the bar is raised: of "
        f"the groups that are named, {protocol['false_discovery_rate']:.0%} at most are to be "
        f"expected there by chance. Of the {counts['intervals']:,} intervals of this part "
        f"({analysis.coverage}) some {chance:,.0f} miss the true value. A group with a high share "
        f"of errors that is not named may be an accident: do not rank by it.",
        f"<b>Small groups.</b> Groups with fewer than {protocol['min_group_size']} sentences, of "
        f"which there are {found['too_small']}, are shown with hollow dots and wide intervals, and "
        f"say next to nothing.",
        "<b>Errors and MCC.</b> Models tend to accept, so a group with few acceptable ones "
        "(such as sentences annotated for a violation) has many errors whatever its grammar, and "
        "one with many has few. Look at its share of acceptable sentences and its MCC as well.",
        _annotations(analysis),
    ]
    return _items(items)


def _stand_out(analysis: Analysis) -> str:
    parts = []
    for finding in (WORSE, BETTER):
        rows = analysis.breakdown[
            (analysis.breakdown["set"] == analysis.whole)
            & (analysis.breakdown["finding"] == finding)
        ]
        if len(rows):
            named = "; ".join(
                f"{escape(plain(row['group']))} ({escape(GROUPINGS[row['grouping']])}: "
                f"{share(row['error_rate'])} of {row['sentences']:,}, "
                f"{_points(row['difference'])} points, {_points(row['difference_low'])} to "
                f"{_points(row['difference_high'])})"
                for row in rows.to_dict("records")
            )
            head = finding[0].upper() + finding[1:]
            parts.append(f"<b>{head} than the rest.</b> {named}.")
    return " ".join(parts) or (
        "<b>No group stands out.</b> No group of sentences has more or fewer errors than the rest "
        "beyond what chance gives."
    )


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def _annotations(analysis: Analysis) -> str:
    counts = analysis.summary["annotations"]
    if not counts["sentences_annotated"]:
        return (
            "<b>Phenomena.</b> No sentence is annotated by the source that "
            "<code>inputs.phenomena</code> names, so errors are counted by source and length only."
        )
    return (
        f"<b>Phenomena.</b> {escape(analysis.phenomena)}. They are known of "
        f"{counts['sentences_annotated']:,} of {counts['sentences']:,} test sentences; "
        f"{counts['sentences_without']:,} sentences have no annotation, "
        f"{counts['annotations_without_sentence']:,} annotations no sentence, and "
        f"{counts['labels_that_differ']:,} have another label there (that of the corpus counts). "
        f"Sentences join where they are the same to the letter."
    )


def breakdown_table(analysis: Analysis) -> str:
    """Return the table of all groups of all test sentences, folded up."""
    rows = []
    for grouping in (ALL, *analysis.groupings):
        for row in analysis.groups(grouping).to_dict("records"):
            rows.append(
                [
                    escape(GROUPINGS.get(grouping, "all")),
                    escape(plain(row["group"])),
                    f"{row['sentences']:,}",
                    share(row["acceptable_share"]),
                    share(row["error_rate"]),
                    f"{share(row['error_rate_low'])} to {share(row['error_rate_high'])}",
                    number(row["mcc"]),
                    interval(row["mcc_low"], row["mcc_high"]),
                    escape(row["finding"]) if grouping != ALL else "–",
                ]
            )
    header = [
        *("By", "Group", "Sentences", "Acceptable", "Errors", f"{analysis.coverage} interval"),
        *("MCC", f"{analysis.coverage} interval", "Against the rest"),
    ]
    shown = table(
        header,
        rows,
        numeric=range(2, 8),
        caption=f"{analysis.whole}. Groups by size, not by their errors.",
    )
    return f"<details><summary>All {len(rows) - 1} groups in figures</summary>\n{shown}</details>"


def confident_errors(analysis: Analysis) -> str:
    """Return the table of the most confident errors, with their sentences."""
    if not analysis.errors:
        return "<p>There is no test sentence that most seeds get wrong.</p>"
    rows = [
        [
            escape(plain(error["text"])),
            "acceptable" if error["label"] else "unacceptable",
            share(error["probability"]),
            f"{error['seeds_wrong']} of {error['seeds']}",
            escape(plain(error["source"])) or "–",
            escape(", ".join(map(plain, error["major"]))) or "–",
        ]
        for error in analysis.errors
    ]
    header = ["Sentence", "Label", "Predicted acceptable", "Seeds wrong", "Source", "Phenomena"]
    return table(
        header,
        rows,
        numeric=[2, 3],
        caption="The surest first: test sentences that most seeds get wrong. The probability is "
        "the mean over seeds.",
    )


def calibration(analysis: Analysis) -> str:
    """Return in plain words what the probabilities are worth, and the table of the measures."""
    means = analysis.calibration[analysis.calibration["seed"] == MEAN]
    scaled = SCALED in set(means["scaled"])
    items = [
        "<b>Question.</b> Of the sentences that a model gives 80%, are 80% acceptable?",
        *(_trust(row) for _, row in means[means["scaled"] == UNCALIBRATED].iterrows()),
        f"<b>Measure.</b> ECE, the expected calibration error, is the mean distance between "
        f"prediction and truth over {analysis.protocol['calibration_bins']} bins of equal size. "
        f"It is above 0 by chance even for a perfect model, the more so the fewer the sentences: "
        f"the column beside it says how high ({analysis.protocol['simulations']:,} simulations).",
    ]
    if scaled:
        items.append(
            "<b>Temperature.</b> Dividing the logit by one number, fitted on the validation fold, "
            "makes a model less or more sure and changes no prediction at a threshold of one "
            "half. Both are shown; the figures of the fold that it is fitted on flatter it."
        )
    else:
        items.append("<b>Temperature.</b> There is no validation fold to fit one on.")
    rows = [
        [
            f"<code>{escape(row['set'])}</code>",
            escape(row["scaled"]),
            number(row["temperature"]) if row["scaled"] == SCALED else "–",
            number(row["ece"]),
            number(row["ece_if_calibrated"]),
            number(row["brier"]),
            number(row["loss"]),
            _points(row["overconfidence"]),
        ]
        for row in means.to_dict("records")
    ]
    header = [
        *("Set", "Probabilities", "Temperature", "ECE", "ECE by chance", "Brier score"),
        *("Log loss", "Too sure by, points"),
    ]
    return _items(items) + table(
        header, rows, numeric=range(2, 8), caption="Means over seeds; lower is better."
    )


def _trust(row: pd.Series) -> str:
    """Return how sure a model is against how often it is right, for one set."""
    over = row["overconfidence"]
    word = "surer than they are right" if over > 0 else "less sure than they are right"
    beyond = row["ece"] > row["ece_high"]
    verdict = (
        "more than chance explains" if beyond else "no more than chance gives a calibrated model"
    )
    return (
        f"<b>{escape(row['set'])}.</b> The models are {word}, by {abs(100 * over):.1f} points on "
        f"average; the calibration error of {number(row['ece'])} is {verdict}."
    )


def overfitting(analysis: Analysis) -> str:
    """Return the note on overfitting, and the table of the epochs that each rule would keep."""
    notes = _items([escape(note) for note in analysis.summary["notes"]])
    if analysis.selection.empty:
        return notes
    rows, marked = [], []
    for row in analysis.selection.to_dict("records"):
        mean = row["seed"] == MEAN
        marked.append(mean)
        rows.append(
            [
                escape(row["rule"]),
                MEAN if mean else f"seed {escape(row['seed'])}",
                f"{row['epoch']:.1f}" if mean else f"{row['epoch']:.0f}",
                number(row["validation_mcc"]),
                number(row["validation_loss"]),
                number(row["training_loss"]),
            ]
        )
    header = ["Epoch kept", "Seed", "Epoch", "Validation MCC", "Validation loss", "Training loss"]
    return notes + table(
        header,
        rows,
        numeric=range(2, 6),
        marked=marked,
        caption="What each rule would keep. The fold that the rule looks at flatters it a little; "
        "train.keep in params.yaml chooses.",
    )
