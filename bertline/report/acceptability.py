"""The report's part on acceptability: scores of the sentences' branch, and how they came about."""

from collections.abc import Iterable
from html import escape
from typing import Any

from bertline.figures.results import ENSEMBLE, MAJORITY, MEAN, TFIDF, TRAINING, Acceptability
from bertline.report.page import interval, known, number, share, table
from bertline.scoring.names import BOTH, DEV_SETS, VALIDATION


def key_scores(results: Acceptability) -> str:
    """Return the table of each set's MCC with spread, interval and baselines."""
    rows = []
    several = len(results.seeds) > 1
    for name in results.sets:
        # From scores.csv, as the figures: what evaluate.json rounds once is not rounded again.
        mean, tfidf, majority = (_scores(results, name, model) for model in (MEAN, TFIDF, MAJORITY))
        rows.append(
            [
                f"<code>{escape(name)}</code>",
                number(mean.get("mcc")),
                interval(mean.get("mcc_low"), mean.get("mcc_high")),
                *(_spread(results, name) if several else []),
                number(tfidf.get("mcc")),
                number(majority.get("mcc")),
                share(mean.get("accuracy")),
                share(majority.get("accuracy")),
                f"{mean['sentences']:,}" if mean else "–",
                share(_acceptable(results, name)),
            ]
        )
    seeds = len(results.seeds)
    header = [
        "Set",
        "MCC" if seeds == 1 else f"MCC, mean of {seeds} seeds",
        f"{results.coverage} interval",
        *(["SD over seeds", "Lowest to highest seed", "MCC of their ensemble"] if several else []),
        "MCC of TF\N{NON-BREAKING HYPHEN}IDF",
        "MCC of majority",
        "Accuracy",
        "Accuracy of majority",
        "Sentences",
        "Acceptable",
    ]
    return table(header, rows, numeric=range(1, len(header)), caption="Key figures and baselines")


def _spread(results: Acceptability, name: str) -> list[str]:
    """Return the cells of SD, lowest and highest seed, and the ensemble."""
    summary = results.summary[name]
    return [
        number(summary.get("mcc_sd")),
        interval(summary.get("mcc_min"), summary.get("mcc_max")),
        number(_scores(results, name, ENSEMBLE).get("mcc")),
    ]


def _acceptable(results: Acceptability, name: str) -> float | None:
    """Return the share of acceptable sentences of a set, of both dev sets by their sum."""
    names = DEV_SETS if name == BOTH else (name,)
    folds = [results.folds.get(part, {}) for part in names]
    if not all("sentences" in fold and "acceptable" in fold for fold in folds):
        return None
    return sum(fold["acceptable"] for fold in folds) / sum(fold["sentences"] for fold in folds)


def protocol(results: Acceptability) -> str:
    """Return a list that says in plain words what was trained, tested and covered by intervals."""
    items = []
    training = results.folds.get(TRAINING, {}).get("sentences")
    seeds = ", ".join(map(str, results.seeds))
    trained = f"on {training:,} sentences" if training else "on the training fold"
    drawn = "" if results.adapted["epochs"] else "the new classification head, "
    if len(results.seeds) > 1:
        items.append(
            f"<b>Seeds.</b> {len(results.seeds)} models were trained {trained}, one for each of "
            f"the seeds {seeds}. A seed fixes {drawn}the order of batches "
            "and dropout; the folds are the same for all. SD is the spread over seeds. Their "
            "ensemble is one model more, which answers with the mean of their probabilities."
        )
    else:
        items.append(
            f"<b>Seed.</b> One model was trained {trained}, with seed {seeds}. One seed tells "
            "nothing about the spread between runs: give <code>seeds</code> in "
            "<code>params.yaml</code> three or more before comparing."
        )
    if results.adapted["epochs"]:
        items.append(f"<b>Before that.</b> {_adaptation(results)}")
    tests = [name for name in results.sets if name not in (VALIDATION, BOTH)]
    if tests:
        items.append(
            f"<b>Test sets.</b> {', '.join(f'<code>{escape(name)}</code>' for name in tests)}: "
            "published as they are, and no training decision looks at them."
        )
    if VALIDATION in results.sets:
        held = "held out of the training set. It may steer decisions, so it is no test set."
        items.append(f"<b>Validation.</b> <code>{VALIDATION}</code> was {held}")
    if BOTH in results.sets:
        items.append(
            f"<b>Both dev sets.</b> <code>{BOTH}</code> is the in-domain and the out-of-domain "
            "dev set together. For CoLA others quote it as the GLUE dev set; it hides how much "
            "easier the first is than the second."
        )
    items.append(f"<b>Interval.</b> {_what_intervals_cover(results)}")
    items.append(f"<b>Threshold.</b> {_threshold(results)}")
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


def _adaptation(results: Acceptability) -> str:
    """Return in plain words what the encoder learned before it was fine-tuned."""
    epochs = results.adapted["epochs"]
    last = epochs[-1]
    return (
        f"The encoder was first trained to detect corrupted sentences and wrong words in "
        f"{results.adapted['sentences']:,} sentences of the documents, without labels, in "
        f"{len(epochs)} epoch{'s' * (len(epochs) > 1)}. Of sentences held out it then told the "
        f"corrupted ones with an MCC of {number(last['validation_mcc'])}. No sentence of the data "
        f"set was among them. All seeds begin with this one encoder and its head, so that what "
        f"another seed of this training would give is in no SD and no interval."
    )


def _what_intervals_cover(results: Acceptability) -> str:
    """Return in plain words what the intervals are, and which part is the larger."""
    if len(results.seeds) == 1:
        return (
            f"Made so that in {results.coverage} of all cases it holds the score of this one model "
            "on all sentences of the same kind, of which the set is a sample. What another seed "
            "would give is not in it, as one seed does not tell."
        )
    text = (
        f"Made so that in {results.coverage} of all cases it holds the true mean: that of all "
        "seeds on all sentences of the same kind, of which these are a sample. An interval of a "
        "single model, the ensemble or a baseline allows for other sentences alone."
    )
    parts = [
        (name, summary["se_sentences"], summary["se_seeds"])
        for name, summary in results.summary.items()
        if name != VALIDATION and known(summary.get("se_sentences"))
    ]
    if parts:
        each = "; ".join(
            f"<code>{escape(name)}</code> {number(sentences)} and {number(seeds)}"
            for name, sentences, seeds in parts
        )
        text += f" Standard errors from the sentences and from the seeds: {each}."
    return text


def _threshold(results: Acceptability) -> str:
    """Return in plain words from which probability on a sentence counts as acceptable."""
    table = results.decisions.set_index("model")
    seeds = [f"seed {seed}" for seed in results.seeds]
    over_seeds = table[table.index.isin(seeds)]
    if results.threshold == VALIDATION:
        text = (
            "A sentence counts as acceptable above a probability that was chosen for each model: "
            f"the one with the highest MCC on <code>{VALIDATION}</code>, whose own score is "
            f"therefore too good. For the seeds: {_list(over_seeds['threshold'])}."
        )
    else:
        text = (
            "A sentence counts as acceptable when its probability is more than one half, for "
            "every model; nothing was chosen."
        )
    if results.temperature == VALIDATION:
        text += (
            " Probabilities are those at a temperature, by which logits are divided, of least loss "
            f"on <code>{VALIDATION}</code>. For the seeds: {_list(over_seeds['temperature'])}."
        )
    return text


def _list(values: Iterable[float]) -> str:
    return ", ".join(number(value) for value in values)


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
        f"Backbone <code>{escape(results.encoder)}</code>, fine-tuned with {number_of_seeds} "
        f"seed{'s' * (number_of_seeds > 1)}."
    )
