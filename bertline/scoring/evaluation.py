"""Score models and baselines on every set: probabilities, decisions, intervals, summaries.

MCC is Matthews correlation, of more than two classes Gorodkin's R_K; `cells` has it, macro F1,
accuracy, and the scores of single classes. The interval of the mean over seeds covers the draw of
sentences and of seeds, that of a single model the draw of sentences (`intervals`). The ensemble of
seeds, a model of its own, has the mean of the seeds' probabilities.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.scoring import intervals, tables, thresholds, variance
from bertline.scoring.cells import SCORES
from bertline.scoring.intervals import Interval
from bertline.scoring.names import (
    BOTH,
    DEV_SETS,
    ENSEMBLE,
    MAJORITY,
    MEAN,
    TFIDF,
    VALIDATION,
    of_seed,
)
from bertline.scoring.thresholds import Decision

TYPES = {"floats": pa.list_(pa.float32())}
PREDICTIONS = pa.schema(
    [(name, TYPES.get(kind, kind)) for name, kind in tables.PREDICTIONS.items()]
)

# A larger share of one class in a set is noted: accuracy is high for who always answers this class.
DOMINANT = 0.8
# Of a class with fewer sentences, a score says little: see docs/statistics.md for macro F1.
FEW = 5
NAMED = 5  # classes that a note names
CUT = 0.5  # share of the texts of a set from which it is noted that they were cut


class Evaluate(Section):
    """The section `evaluate` of params.yaml."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    threshold: Literal["half", "validation"]
    temperature: Literal["none", "validation"]
    batch_size: Annotated[int, Field(ge=1)]


def decide(
    rows: pd.DataFrame, logits: dict[str, np.ndarray], tfidf: np.ndarray, options: Evaluate
) -> tuple[dict[str, np.ndarray], dict[str, Decision]]:
    """Return the probabilities (n, K) and the decision of every model, by its name.

    rows: label and fold of the sentences; logits: shape (n, K), by seed; tfidf: probabilities,
    (n, K). The majority class is none of them, as no threshold makes it answer differently.
    options: as `check_choices` lets them pass.
    """
    chosen = (rows["fold"] == VALIDATION).to_numpy()
    labels = rows["label"].to_numpy()
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
        threshold = thresholds.HALF if values.shape[1] == 2 else None
        if options.threshold == VALIDATION:
            threshold = thresholds.choose_threshold(labels[chosen], values[chosen, 1])
        made[model] = Decision(threshold, temperatures.get(model, 1.0))
    return probabilities, made


def check_choices(options: Evaluate, classes: int, *, validated: bool) -> None:
    """Raise BertlineError if a fold to choose on is missing, or a threshold is for many classes.

    validated: whether there is a validation fold.
    """
    asked = [name for name in ("threshold", "temperature") if getattr(options, name) == VALIDATION]
    if "threshold" in asked and classes != 2:
        raise BertlineError(
            f"evaluate.threshold is validation, which is for two classes, and there are {classes}: "
            f"of more, the answer is the class of the highest probability. Set "
            f"evaluate.threshold to half."
        )
    if asked and not validated:
        default = {"threshold": "half", "temperature": "none"}[asked[0]]
        raise BertlineError(
            f"evaluate.{asked[0]} is validation, and split.validation is 0: there is no fold to "
            f"choose it on. Set split.validation, or evaluate.{asked[0]} to {default}."
        )


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean negative log of the probability (n, K) of each label; 0 counts as 2e-16."""
    own = probabilities.astype(np.float64)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, np.finfo(np.float64).eps)).mean())


def score(
    labels: np.ndarray,
    predicted: np.ndarray,
    confidence: float = 0.95,
    clusters: np.ndarray | None = None,
) -> dict[str, Interval]:
    """Return each score's mean over seeds with its interval; predicted: shape (S, n)."""
    return {
        name: intervals.interval(labels, predicted, confidence, clusters, of_name)
        for name, of_name in SCORES.items()
    }


def score_set(
    name: str,
    rows: pd.DataFrame,
    seeds: list[str],
    models: dict[str, np.ndarray],
    made: dict[str, Decision],
    confidence: float,
) -> tuple[list[dict[str, Any]], dict[str, Interval]]:
    """Return the rows of scores.csv for one set, and the intervals of the mean over seeds.

    rows: label and pair of the set's sentences; models: probabilities, (n, K), by the model's name;
    seeds: the names of those that the mean is of. They come first, then their mean, then the
    others.
    """
    labels, pairs = rows["label"].to_numpy(), rows["pair"].to_numpy()
    losses = {model: log_loss(labels, values) for model, values in models.items()}

    def find(several: list[str]) -> dict[str, Interval]:
        predicted = [made.get(model, Decision()).predict(models[model]) for model in several]
        return score(labels, np.array(predicted), confidence, pairs)

    def row(model: str, found: dict[str, Interval], loss: float) -> dict[str, Any]:
        return {"set": name, "model": model, "sentences": len(labels), "loss": loss} | {
            f"{key}{end}": value
            for key, interval in found.items()
            for end, value in _with_bounds(interval).items()
        }

    table = [row(model, find([model]), losses[model]) for model in seeds]
    of_mean = find(seeds)
    table.append(row(MEAN, of_mean, float(np.mean([losses[model] for model in seeds]))))
    table += [row(model, find([model]), losses[model]) for model in models if model not in seeds]
    return table, of_mean


def _with_bounds(found: Interval) -> dict[str, float | None]:
    return {"": found.estimate, "_low": found.low, "_high": found.high}


def score_classes(
    name: str, rows: pd.DataFrame, predicted: np.ndarray, labels: list[str], confidence: float
) -> list[dict[str, Any]]:
    """Return the rows of classes.csv for one set: precision, recall and F1, means over seeds.

    rows: label and pair of the set's sentences; predicted: shape (S, n); labels: the names of the
    classes by number. A class that the set lacks has no scores.
    """
    actual, pairs = rows["label"].to_numpy(), variance.number_clusters(rows["pair"].to_numpy())
    table = []
    for number, of_class in enumerate(labels):
        row = {"set": name, "class": of_class, "sentences": int((actual == number).sum())}
        if row["sentences"]:
            found = intervals.class_intervals(actual, predicted, number, confidence, pairs)
            for key, interval in found.items():
                row |= {f"{key}{end}": value for end, value in _with_bounds(interval).items()}
        table.append(row)
    return table


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


def summarize(evaluated: "Evaluated") -> dict[str, dict[str, Any]]:
    """Return the metrics of each set: means over seeds, spread, the baselines, and notes."""
    summary = {}
    cut = evaluated.predictions.groupby("set")["cut"].mean()
    for name, rows in evaluated.scores.groupby("set", sort=False):
        by_model, found = rows.set_index("model"), evaluated.intervals[str(name)]
        of_mcc = found["mcc"]
        figures: dict[str, Any] = {
            "mcc": of_mcc.estimate,
            "mcc_sd": of_mcc.sd,
            "mcc_min": min(of_mcc.by_seed),
            "mcc_max": max(of_mcc.by_seed),
            "mcc_low": of_mcc.low,
            "mcc_high": of_mcc.high,
            "se_sentences": of_mcc.se_sentences,
            "se_seeds": of_mcc.se_seeds,
            "ensemble_mcc": by_model["mcc"].get(ENSEMBLE),
            **{
                f"{key}{end}": value
                for key in ("macro_f1", "accuracy")
                for end, value in _with_bounds(found[key]).items()
            },
            "tfidf_mcc": by_model.loc[TFIDF, "mcc"],
        }
        classes = evaluated.classes[evaluated.classes["set"] == name]
        summary[str(name)] = {
            key: None if value is None else round(float(value), 4) for key, value in figures.items()
        } | {"notes": list_notes(by_model, found, classes, cut.get(name, 0.0))}
    return summary


def list_notes(
    by_model: pd.DataFrame, found: Mapping[str, Interval], classes: pd.DataFrame, cut: float
) -> list[str]:
    """Return what the scores of a set hide, as sentences: cuts, imbalance, rare and unused classes.

    by_model: rows of scores.csv by model; found: intervals of the mean over seeds; classes: rows
    of classes.csv; cut: the share of the texts that were cut.
    """
    notes = []
    if cut >= CUT:
        notes.append(
            f"{cut:.0%} of the texts are cut to tokenize.max_length word pieces, and answered by "
            f"what is left. Raise it, or set tokenize.long_texts to windows."
        )
    counts = classes.set_index("class")["sentences"]
    share = counts.max() / counts.sum()
    if share > DOMINANT:
        notes.append(
            f"{share:.0%} of the sentences are {counts.idxmax()}: who always answers that has this "
            f"accuracy. Judge by MCC, macro F1 and the scores of each class."
        )
    accuracy, majority = found["accuracy"], float(by_model["accuracy"][MAJORITY])
    if accuracy.low is not None and accuracy.low <= majority:
        notes.append(
            f"The accuracy, {accuracy.estimate:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}], is "
            f"not clearly above that of always answering the most frequent class of the training "
            f"set, {majority:.1%}."
        )
    never = classes[(classes["recall_high"].notna()) & classes["precision_low"].isna()]
    if len(never):
        notes.append(f"No seed ever answers {_listed(never['class'])}.")
    absent = counts.index[counts == 0]
    if len(absent):
        notes.append(f"The set has no sentence of {_listed(absent)}: nothing is known of these.")
    few = counts.index[(counts > 0) & (counts < FEW)]
    if len(few):
        notes.append(
            f"Fewer than {FEW} sentences are in each of {len(few)} of {len(counts)} classes: "
            f"{_listed(few)}. The scores of such a class, and with them macro F1, are known worse "
            f"than the interval says."
        )
    return notes


def _listed(names: Iterable[str]) -> str:
    """Return names in a sentence, of many the first few."""
    first = list(names)
    more = f" and {len(first) - NAMED} more classes" if len(first) > NAMED else ""
    return ", ".join(first[:NAMED]) + more


def main_set(sets: Iterable[str]) -> str:
    """Return the set that runs are compared by.

    It is CoLA's test set of unseen sources, else the last test set, else the validation fold.
    """
    names = list(sets)
    tests = [name for name in names if name not in (VALIDATION, BOTH)] or names
    return DEV_SETS[1] if DEV_SETS[1] in names else tests[-1]


def headline(summary: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the few figures that runs are compared by in `dvc exp show`: MCC and SD over seeds.

    summary: of each set, by `summarize`. One seed has no SD. Three digits, as differences in the
    fourth are far below the SD, and a table of all metrics is then 100 characters wide.
    """
    of_main = summary[main_set(summary)]
    figures = {key: of_main[key] for key in ("mcc", "mcc_sd")}
    return {key: round(value, 3) for key, value in figures.items() if value is not None}


@dataclass(frozen=True)
class Evaluated:
    """The results: a row per sentence and seed, a row per set and model, intervals, decisions."""

    labels: list[str]  # names of the classes, by number
    predictions: pd.DataFrame  # with pair and cut, which are not stored
    scores: pd.DataFrame
    classes: pd.DataFrame  # a row per set and class
    intervals: dict[str, dict[str, Interval]]  # of the mean over seeds, by set and score
    decisions: dict[str, Decision]  # by model
    sentences: dict[str, str]  # SHA-256 of each set's sentences and labels


def evaluate(
    held_out: pd.DataFrame,
    logits: Mapping[int, np.ndarray],
    tfidf: np.ndarray,
    shares: np.ndarray,
    labels: list[str],
    options: Evaluate,
) -> Evaluated:
    """Score every seed's model and the baselines on every set.

    held_out: id, source, label, text, pair, fold and cut (whether the model saw only a part) of the
    n sentences outside the training fold; logits: shape (n, K), by seed; tfidf: the baseline's
    probabilities, (n, K); shares: of the classes in the training fold, (K,), of which the majority
    class answers the largest; labels: the names of the classes.
    """
    sets = list_sets(held_out["fold"])
    by_model = {of_seed(seed): values for seed, values in logits.items()}
    probabilities, made = decide(held_out, by_model, tfidf, options)
    del probabilities[TFIDF]  # which comes last
    probabilities |= {MAJORITY: np.tile(shares, (len(held_out), 1)), TFIDF: tfidf}
    predicted = np.array([made[name].predict(probabilities[name]) for name in by_model])
    scores, classes, found = [], [], {}
    for name, place in sets.items():
        of_set = {model: values[place] for model, values in probabilities.items()}
        rows = held_out.iloc[place]
        of_models, found[name] = score_set(
            name, rows, list(by_model), of_set, made, options.confidence
        )
        scores += of_models
        classes += score_classes(name, rows, predicted[:, place], labels, options.confidence)
    columns = held_out[["id", "source", "label", "pair", "cut"]].assign(set=held_out["fold"])
    predictions = [
        columns.assign(
            seed=seed,
            predicted=answers.astype("int16"),
            logits=list(values),
            probabilities=list(probabilities[of_seed(seed)]),
        )
        for (seed, values), answers in zip(logits.items(), predicted, strict=True)
    ]
    return Evaluated(
        labels,
        pd.concat(predictions, ignore_index=True),
        pd.DataFrame(scores, columns=list(tables.SCORES)),
        pd.DataFrame(classes, columns=list(tables.CLASSES)),
        found,
        made,
        {
            name: hash_sentences(held_out.iloc[place], labels)
            for name, place in sets.items()
            if name != BOTH
        },
    )


def list_answers(held_out: pd.DataFrame, evaluated: Evaluated) -> pd.DataFrame:
    """Return the answer of the ensemble of seeds to each sentence, or that of the only seed.

    held_out: as for `evaluate`. The columns are id, set, source, text, class, answer, its
    probability, and correct_seeds, the number of seeds whose own answer is the class.
    """
    of_seeds = [of_seed for _, of_seed in evaluated.predictions.groupby("seed", sort=False)]
    labels = held_out["label"].to_numpy()
    mean = np.mean([np.array(rows["probabilities"].tolist()) for rows in of_seeds], axis=0)
    right = np.array([rows["predicted"].to_numpy() == labels for rows in of_seeds])
    name = ENSEMBLE if len(of_seeds) > 1 else of_seed(of_seeds[0]["seed"].iloc[0])
    answers = evaluated.decisions[name].predict(mean.astype(np.float32))
    names = np.array(evaluated.labels, dtype=object)
    return held_out[["id", "source", "text"]].assign(
        **{"set": held_out["fold"], "class": names[labels]},
        answer=names[answers],
        probability=np.take_along_axis(mean, answers[:, None], axis=1)[:, 0].round(4),
        correct_seeds=right.sum(axis=0),
    )[list(tables.ANSWERS)]


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


def hash_sentences(rows: pd.DataFrame, labels: list[str]) -> str:
    """Return the SHA-256 of ids, classes and texts: two runs with the same have the same sentences.

    labels: the names of the classes, by number.
    """
    columns = (rows[name].tolist() for name in ("id", "label", "text"))
    listed = [[str(name), labels[label], text] for name, label, text in zip(*columns, strict=True)]
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
    written = {
        "scores": evaluated.scores,
        "classes": evaluated.classes,
        "learning_curves": curves,
    }
    with files.whole_folder(folder) as out:
        files.write_json(out / "summary.json", summary)
        # 6 digits: what a figure can show, and short enough to read in a diff.
        for name, table in written.items():
            table.to_csv(out / f"{name}.csv", index=False, float_format="%.6f", lineterminator="\n")
        files.write_csv(
            out / "decisions.csv",
            list(tables.DECISIONS),
            [
                [
                    model,
                    "" if decision.threshold is None else f"{decision.threshold:.6f}",
                    f"{decision.temperature:.6f}",
                ]
                for model, decision in evaluated.decisions.items()
            ],
        )
        per_batch: list[tuple[str, int, int, int, float]] = []
        main = main_set(evaluated.sentences)
        for of_set, rows in evaluated.predictions.groupby("set", sort=False):
            per_batch += batches(str(of_set), rows, options.batch_size)
            confusion = list_labels(rows, evaluated.labels)
            path = out / "confusion" / f"{of_set}.csv"
            files.write_csv(path, list(tables.CONFUSION), confusion.to_numpy().tolist())
            if of_set == main:  # for DVC's plot, which is of one file
                columns = ["actual", "predicted"]
                cells = confusion[columns].to_numpy().tolist()
                files.write_csv(out / "confusion.csv", columns, cells)
        files.write_csv(
            out / "mcc_per_batch.csv",
            list(tables.BATCHES),
            [[*row[:-1], f"{row[-1]:.6f}"] for row in per_batch],
        )
        protocol = {"labels": evaluated.labels, "sentences": evaluated.sentences}
        files.write_json(out / "protocol.json", options.model_dump() | protocol)


def list_labels(rows: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Return the rows of a confusion matrix of a set: a sentence's classes by name, by seed."""
    words = dict(enumerate(labels))
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
