"""The report's part on acceptability: scores of the sentences' branch, and how they came about."""

from html import escape
from typing import Any

from stages.figures.results import MAJORITY, MEAN, TFIDF, TRAINING, VALIDATION, Acceptability
from stages.page import interval, number, share, table


def key_scores(results: Acceptability) -> str:
    """Return the table of each set's MCC with spread, interval and baselines."""
    rows = []
    for name in results.sets:
        # From scores.csv, as the figures: what evaluate.json rounds once is not rounded again.
        mean, tfidf, majority = (_scores(results, name, model) for model in (MEAN, TFIDF, MAJORITY))
        rows.append(
            [
                f"<code>{escape(name)}</code>",
                number(mean.get("mcc")),
                number(results.summary[name].get("mcc_sd")),
                interval(mean.get("mcc_low"), mean.get("mcc_high")),
                number(tfidf.get("mcc")),
                number(majority.get("mcc")),
                share(mean.get("accuracy")),
                share(majority.get("accuracy")),
                f"{mean['sentences']:,}" if mean else "–",
                share(results.folds.get(name, {}).get("acceptable_share")),
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
                number(row["mcc"]),
                interval(row["mcc_low"], row["mcc_high"]),
                share(row["accuracy"]),
                number(row["f1"]),
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


def _scores(results: Acceptability, name: str, model: str) -> dict[str, Any]:
    row = results.score(name, model)
    return {} if row is None else row.to_dict()


def inputs(results: Acceptability) -> str:
    """Return a sentence on the backbone and the seeds."""
    number_of_seeds = len(results.seeds)
    return (
        f"Backbone <code>{escape(results.backbone)}</code>, fine-tuned with {number_of_seeds} "
        f"seed{'s' * (number_of_seeds > 1)}."
    )
