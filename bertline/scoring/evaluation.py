"""Score models and baselines on every set: probabilities, decisions, MCC, intervals, summaries.

MCC is Matthews correlation (Matthews 1975; CoLA's own metric), F1 that of acceptable sentences.
The interval of the mean over seeds covers the draw of sentences and of seeds, that of a single
model the draw of sentences (`intervals`). The ensemble of seeds, a model of its own, has the mean
of the seeds' probabilities.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field
from sklearn.metrics import accuracy_score, f1_score, log_loss

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.scoring import intervals, tables, thresholds
from bertline.scoring.intervals import Interval
from bertline.scoring.names import (
    BOTH,
    DEV_SETS,
    ENSEMBLE,
    LABELS,
    MAJORITY,
    MEAN,
    TFIDF,
    VALIDATION,
    of_seed,
)
from bertline.scoring.thresholds import Decision

PREDICTIONS = pa.schema(list(tables.PREDICTIONS.items()))


class Evaluate(Section):
    """The section `evaluate` of params.yaml."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    threshold: Literal["half", "validation"]
    temperature: Literal["none", "validation"]
    batch_size: Annotated[int, Field(ge=1)]


def decide(
    rows: pd.DataFrame, logits: dict[str, np.ndarray], tfidf: np.ndarray, options: Evaluate
) -> tuple[dict[str, np.ndarray], dict[str, Decision]]:
    """Return the probabilities and the decision of every model, by its name.

    rows: label and fold of the sentences; logits: shape (n,), by seed; tfidf: probabilities, (n,).
    The majority class is none of them, as no threshold makes it answer differently.
    Raises BertlineError if something is to be chosen on a validation fold that is not there.
    """
    chosen = (rows["fold"] == VALIDATION).to_numpy()
    labels = rows["label"].to_numpy()
    asked = [name for name in ("threshold", "temperature") if getattr(options, name) == VALIDATION]
    if asked and not chosen.any():
        default = {"threshold": "half", "temperature": "none"}[asked[0]]
        raise BertlineError(
            f"evaluate.{asked[0]} is validation, and split.validation is 0: there is no fold to "
            f"choose it on. Set split.validation, or evaluate.{asked[0]} to {default}."
        )
    probabilities, temperatures = {}, {}
    for model, values in logits.items():
        if options.temperature == VALIDATION:
            temperatures[model] = thresholds.fit_temperature(labels[chosen], values[chosen])
        probabilities[model] = thresholds.probabilities_of(values, temperatures.get(model, 1.0))
    if len(logits) > 1:
        mean = np.mean([values.astype(np.float64) for values in probabilities.values()], axis=0)
        probabilities[ENSEMBLE] = mean.astype(np.float32)
    probabilities[TFIDF] = tfidf
    made = {}
    for model, values in probabilities.items():
        threshold = thresholds.HALF
        if options.threshold == VALIDATION:
            threshold = thresholds.choose_threshold(labels[chosen], values[chosen])
        made[model] = Decision(threshold, temperatures.get(model, 1.0))
    return probabilities, made


def score(
    labels: np.ndarray, probabilities: np.ndarray, decision: Decision | None = None
) -> dict[str, float]:
    """Return MCC, accuracy, F1 of acceptable sentences and log loss of probabilities, (n,)."""
    predicted = (decision or Decision()).predict(probabilities)
    return {
        "mcc": float(intervals.values(labels, predicted)[0]),
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, zero_division=0.0)),
        "loss": float(log_loss(labels, probabilities.astype(np.float64), labels=[0, 1])),
    }


def score_set(
    name: str,
    rows: pd.DataFrame,
    seeds: list[str],
    models: dict[str, np.ndarray],
    made: dict[str, Decision],
    confidence: float,
) -> tuple[list[dict[str, Any]], Interval]:
    """Return the rows of scores.csv for one set, and the interval of the mean over seeds.

    rows: label and pair of the set's sentences; models: probabilities of being acceptable, (n,), by
    the model's name; seeds: the names of those that the mean is of. They come first, then their
    mean, then the others.
    """
    labels, pairs = rows["label"].to_numpy(), rows["pair"].to_numpy()

    def interval(several: list[str]) -> Interval:
        predicted = [made.get(model, Decision()).predict(models[model]) for model in several]
        return intervals.interval(labels, np.array(predicted), confidence, pairs)

    def row(model: str, figures: dict[str, float], found: Interval) -> dict[str, Any]:
        bounds = {"mcc_low": found.low, "mcc_high": found.high}
        return {"set": name, "model": model, "sentences": len(labels)} | figures | bounds

    each = {model: score(labels, values, made.get(model)) for model, values in models.items()}
    others = [model for model in models if model not in seeds]
    table = [row(model, each[model], interval([model])) for model in seeds]
    means = pd.DataFrame([each[model] for model in seeds]).mean()
    of_mean = interval(seeds)
    table.append(row(MEAN, {str(key): float(value) for key, value in means.items()}, of_mean))
    table += [row(model, each[model], interval([model])) for model in others]
    return table, of_mean


def batches(name: str, rows: pd.DataFrame, size: int) -> Iterator[tuple[str, int, int, int, float]]:
    """Yield set, seed, batch (from 1), sentences and MCC for every `size` sentences of a set.

    rows: seed, label and predicted, in the order of the set's sentences.
    """
    for seed in rows["seed"].drop_duplicates().tolist():
        of_one = rows[rows["seed"] == seed]
        labels, predicted = of_one["label"].to_numpy(), of_one["predicted"].to_numpy()
        for number, start in enumerate(range(0, len(labels), size), start=1):
            actual = labels[start : start + size]
            mcc = intervals.values(actual, predicted[start : start + size])[0]
            yield name, seed, number, len(actual), float(mcc)


def summarize(
    scores: pd.DataFrame, over_seeds: Mapping[str, Interval]
) -> dict[str, dict[str, float | None]]:
    """Return the metrics of each set: mean MCC over seeds, its spread, the baseline's MCC.

    scores: the rows of scores.csv; over_seeds: the interval of the mean over seeds, by set.
    """
    summary = {}
    for name, rows in scores.groupby("set", sort=False):
        by_model = rows.set_index("model")
        found, mean = over_seeds[str(name)], by_model.loc[MEAN]
        ensemble = by_model["mcc"].get(ENSEMBLE)
        figures: dict[str, Any] = {
            "mcc": found.estimate,
            "mcc_sd": found.sd,
            "mcc_min": min(found.by_seed),
            "mcc_max": max(found.by_seed),
            "mcc_low": found.low,
            "mcc_high": found.high,
            "se_sentences": found.se_sentences,
            "se_seeds": found.se_seeds,
            "ensemble_mcc": ensemble,
            "accuracy": mean["accuracy"],
            "tfidf_mcc": by_model.loc[TFIDF, "mcc"],
        }
        summary[str(name)] = {
            key: None if value is None else round(float(value), 4) for key, value in figures.items()
        }
    return summary


def headline(summary: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """Return the few figures that runs are compared by in `dvc exp show`.

    summary: of each set, by `summarize`. MCC and its SD over seeds are of CoLA's test set of unseen
    sources, else of the last test set, else of the validation fold. One seed has no SD.
    """
    tests = [name for name in summary if name not in (VALIDATION, BOTH)] or list(summary)
    main = DEV_SETS[1] if DEV_SETS[1] in summary else tests[-1]
    figures = {key: summary[main][key] for key in ("mcc", "mcc_sd")}
    return {key: value for key, value in figures.items() if value is not None}


@dataclass(frozen=True)
class Evaluated:
    """The results: a row per sentence and seed, a row per set and model, intervals, decisions."""

    predictions: pd.DataFrame  # with pair, which is not stored
    scores: pd.DataFrame
    intervals: dict[str, Interval]  # of the mean over seeds, by set
    decisions: dict[str, Decision]  # by model
    sentences: dict[str, str]  # SHA-256 of each set's sentences and labels


def evaluate(
    held_out: pd.DataFrame,
    logits: Mapping[int, np.ndarray],
    tfidf: np.ndarray,
    acceptable_share: float,
    options: Evaluate,
) -> Evaluated:
    """Score every seed's model and the baselines on every set.

    held_out: id, source, label, text, pair and fold of the n sentences outside the training fold;
    logits: shape (n,), by seed; tfidf: the baseline's probabilities, (n,); acceptable_share: of the
    training fold, which the majority class answers with.
    """
    sets = list_sets(held_out["fold"])
    by_model = {of_seed(seed): values for seed, values in logits.items()}
    probabilities, made = decide(held_out, by_model, tfidf, options)
    del probabilities[TFIDF]  # which comes last
    probabilities |= {MAJORITY: np.full(len(held_out), acceptable_share), TFIDF: tfidf}
    scores, found = [], {}
    for name, place in sets.items():
        of_set = {model: values[place] for model, values in probabilities.items()}
        rows, found[name] = score_set(
            name, held_out.iloc[place], list(by_model), of_set, made, options.confidence
        )
        scores += rows
    columns = held_out[["id", "source", "label", "pair"]].assign(set=held_out["fold"])
    predictions = [
        columns.assign(
            seed=seed,
            logit=values,
            probability=probabilities[of_seed(seed)],
            predicted=made[of_seed(seed)].predict(probabilities[of_seed(seed)]).astype("int8"),
        )
        for seed, values in logits.items()
    ]
    return Evaluated(
        pd.concat(predictions, ignore_index=True),
        pd.DataFrame(scores, columns=list(tables.SCORES)),
        found,
        made,
        {name: hash_sentences(held_out.iloc[at]) for name, at in sets.items() if name != BOTH},
    )


def list_sets(folds: pd.Series) -> dict[str, np.ndarray]:
    """Return the places of each set's sentences, those of both dev sets together behind."""
    sets = {str(name): of_set.index.to_numpy() for name, of_set in folds.groupby(folds, sort=False)}
    if all(name in sets for name in DEV_SETS):
        if BOTH in sets:
            raise BertlineError(
                f"a set is called {BOTH}, which is the name for {' and '.join(DEV_SETS)} together. "
                f"Give it another name in `files` of sources.yaml."
            )
        sets[BOTH] = np.concatenate([sets[name] for name in DEV_SETS])
    return sets


def hash_sentences(rows: pd.DataFrame) -> str:
    """Return the SHA-256 of ids, labels and texts, by which two runs are found to have the same."""
    columns = (rows[name].tolist() for name in ("id", "label", "text"))
    listed = [[str(name), int(label), text] for name, label, text in zip(*columns, strict=True)]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def first_of_pairs(rows: pd.DataFrame) -> pd.Series:
    """Return the id of the first sentence of each one's pair: a source may use texts for pairs."""
    return rows.groupby("pair", sort=False)["id"].transform("first")


def write_tables(
    folder: Path,
    summary: Mapping[str, Any],
    evaluated: Evaluated,
    curves: pd.DataFrame,
    options: Evaluate,
) -> None:
    """Write the summary and the tables behind the figures; none of them holds a sentence."""
    with files.whole_folder(folder) as out:
        files.write_json(out / "summary.json", summary)
        # 6 digits: what a figure can show, and short enough to read in a diff.
        for name, table in (("scores", evaluated.scores), ("learning_curves", curves)):
            table.to_csv(out / f"{name}.csv", index=False, float_format="%.6f", lineterminator="\n")
        files.write_csv(
            out / "decisions.csv",
            list(tables.DECISIONS),
            [
                [model, f"{decision.threshold:.6f}", f"{decision.temperature:.6f}"]
                for model, decision in evaluated.decisions.items()
            ],
        )
        per_batch: list[tuple[str, int, int, int, float]] = []
        for of_set, rows in evaluated.predictions.groupby("set", sort=False):
            per_batch += batches(str(of_set), rows, options.batch_size)
            confusion = list_labels(rows).to_numpy().tolist()
            files.write_csv(out / "confusion" / f"{of_set}.csv", list(tables.CONFUSION), confusion)
        files.write_csv(
            out / "mcc_per_batch.csv",
            list(tables.BATCHES),
            [[*row[:-1], f"{row[-1]:.6f}"] for row in per_batch],
        )
        named = {"labels": list(LABELS), "sentences": evaluated.sentences}
        protocol = options.model_dump() | named
        files.write_json(out / "protocol.json", protocol)


def list_labels(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a confusion matrix of a set: a sentence's labels in words, by seed."""
    words = dict(enumerate(LABELS))
    return pd.DataFrame(
        {
            "seed": rows["seed"],
            "id": rows["id"],
            "pair": first_of_pairs(rows),
            "actual": rows["label"].map(words),
            "predicted": rows["predicted"].map(words),
        },
        columns=list(tables.CONFUSION),
    )
