"""Score every seed's model on the published test sets and the validation fold, beside baselines.

Reads   data/tokenize, data/split, the models in data/train/<seed> for the seeds of params.yaml,
        and `seeds` and `evaluate` of params.yaml.
Writes  data/evaluate/predictions.parquet: id, set, source, label, seed, logit (of acceptable less
        that of unacceptable), probability (of being acceptable, at the seed's temperature) and
        predicted, for every sentence and seed. A JSON file with what a person compares, and a
        folder of small tables behind the figures:
        scores.csv               every model and baseline on every set, with intervals
        thresholds.csv            threshold and temperature of every model
        mcc_per_batch.csv        MCC of each batch of a test set, in the set's own order
        learning_curves.csv      the epochs of every seed
        confusion/<set>.csv      actual and predicted label, a row per sentence and seed; pair is
                                 the id of the first sentence of its minimal pair, or its own
        protocol.json            what was chosen, coverage of intervals, sentences per batch, and
                                 the SHA-256 of each set's sentences and labels

    python -m stages.evaluate data/tokenize data/split data/train data/evaluate

MCC is Matthews correlation (Matthews 1975; CoLA's own metric), F1 that of acceptable sentences.
Where a source has both of CoLA's dev sets, `both_dev` is the two together, which others quote as
the GLUE dev set. The interval of the mean over seeds covers the draw of sentences and of seeds,
that of a single model the draw of sentences: bertline/scoring/intervals.py has the method and its sources.
The ensemble of seeds, a model of its own, has the mean of the seeds' probabilities.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from pydantic import Field
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.core.receipt import receipt
from bertline.encoders import loading, running
from bertline.scoring import intervals as statistics
from bertline.scoring import thresholds
from bertline.scoring.intervals import Interval
from bertline.scoring.names import BOTH, DEV_SETS, LABELS, VALIDATION
from bertline.scoring.thresholds import Decision

PREDICTIONS = pa.schema(
    [
        ("id", pa.string()),
        ("set", pa.string()),
        ("source", pa.string()),
        ("label", pa.int8()),
        ("seed", pa.int64()),
        ("logit", pa.float32()),
        ("probability", pa.float32()),
        ("predicted", pa.int8()),
    ]
)
SCORES = ("set", "model", "sentences", "mcc", "mcc_low", "mcc_high", "accuracy", "f1", "loss")

# Words and punctuation marks as tokens: both tell acceptable sentences from others.
TFIDF_TOKEN = r"\w+|[^\w\s]"
TFIDF_NGRAMS = (1, 3)
# Inverse strengths of regularisation, of which cross-validation on the training fold takes one.
REGRESSION_CS = (1.0, 10.0, 100.0)
REGRESSION_TOLERANCE = 1e-8  # of the gradient; probabilities then agree to seven digits everywhere

MAJORITY = "majority class"
TFIDF = "TF-IDF + logistic regression"
MEAN = "mean of seeds"
ENSEMBLE = "ensemble of seeds"


class Evaluate(Section):
    """The section `evaluate` of params.yaml."""

    batch_size: Annotated[int, Field(ge=1)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    threshold: Literal["half", "validation"]
    temperature: Literal["none", "validation"]


def predict(
    model: PreTrainedModel, input_ids: list[np.ndarray], padding_id: int, device: torch.device
) -> np.ndarray:
    """Return each sentence's logit of acceptable less that of unacceptable, (n,), float32."""
    logits = running.classify(model, input_ids, padding_id, device)
    return logits[:, 1] - logits[:, 0]


def fit_tfidf(texts: pd.Series, labels: np.ndarray) -> Pipeline:
    """Fit the baseline: TF-IDF of word 1- to 3-grams and a logistic regression on top.

    The classes weigh the same, as they do in MCC, and five-fold cross-validation for MCC chooses
    the strength of regularisation, so that the baseline is a fair one.

    liblinear (Fan et al. 2008) runs to a tight tolerance on one thread: lbfgs stops well before,
    and where it stops depends on the threads and the routines of the linear algebra library, which
    moved MCC by up to .012 between two machines.
    """
    folds = int(min(5, *np.bincount(labels, minlength=2)))
    if folds < 2:
        raise BertlineError(
            "the baseline needs two training sentences of each label at least; the training fold "
            "has one of them once or never. Add sentences, or lower split.validation."
        )
    regression = LogisticRegressionCV(
        Cs=REGRESSION_CS,
        l1_ratios=(0.0,),
        cv=folds,
        scoring="matthews_corrcoef",
        class_weight="balanced",
        solver="liblinear",
        tol=REGRESSION_TOLERANCE,
        max_iter=1000,
        use_legacy_attributes=False,
    )
    vectorizer = TfidfVectorizer(
        token_pattern=TFIDF_TOKEN, ngram_range=TFIDF_NGRAMS, sublinear_tf=True
    )
    with threadpool_limits(1, user_api="blas"):
        return make_pipeline(vectorizer, regression).fit(texts, labels)


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
        "mcc": float(statistics.mcc(labels, predicted)[0]),
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, zero_division=0.0)),
        "loss": float(log_loss(labels, probabilities.astype(np.float64), labels=[0, 1])),
    }


def score_set(
    name: str,
    rows: pd.DataFrame,
    models: dict[str, np.ndarray],
    made: dict[str, Decision],
    confidence: float,
) -> tuple[list[dict[str, Any]], Interval]:
    """Return the rows of scores.csv for one set, and the interval of the mean over seeds.

    rows: label and pair of the set's sentences; models: probabilities of being acceptable, (n,), by
    the model's name, the seeds first. The mean of the seeds follows behind these.
    """
    labels, pairs = rows["label"].to_numpy(), rows["pair"].to_numpy()

    def interval(several: list[str]) -> Interval:
        predicted = [made.get(model, Decision()).predict(models[model]) for model in several]
        return statistics.interval(labels, np.array(predicted), confidence, pairs)

    def row(model: str, figures: dict[str, float], found: Interval) -> dict[str, Any]:
        bounds = {"mcc_low": found.low, "mcc_high": found.high}
        return {"set": name, "model": model, "sentences": len(labels)} | figures | bounds

    each = {model: score(labels, values, made.get(model)) for model, values in models.items()}
    seeds = [model for model in models if model.startswith("seed ")]
    others = [model for model in models if model not in seeds]
    table = [row(model, each[model], interval([model])) for model in seeds]
    means = pd.DataFrame([each[model] for model in seeds]).mean().to_dict()
    of_mean = interval(seeds)
    table.append(row(MEAN, means, of_mean))
    table += [row(model, each[model], interval([model])) for model in others]
    return table, of_mean


def batches(
    name: str, labels: np.ndarray, models: dict[int, np.ndarray], size: int
) -> Iterator[tuple[str, int, int, int, float]]:
    """Yield set, seed, batch (from 1), sentences and MCC for every `size` sentences of a set.

    labels, and the predicted labels of each seed in `models`: shape (n,).
    """
    for seed, predicted in models.items():
        for number, start in enumerate(range(0, len(labels), size), start=1):
            actual = labels[start : start + size]
            mcc = statistics.mcc(actual, predicted[start : start + size])[0]
            yield name, seed, number, len(actual), float(mcc)


def summarize(
    scores: pd.DataFrame, intervals: dict[str, Interval]
) -> dict[str, dict[str, float | None]]:
    """Return for each set what people compare: mean MCC over seeds, its spread, the baseline's."""
    summary = {}
    for name, rows in scores.groupby("set", sort=False):
        by_model = rows.set_index("model")
        found, mean = intervals[name], by_model.loc[MEAN]
        ensemble = by_model["mcc"].get(ENSEMBLE)
        figures = {
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
        summary[name] = {
            key: None if value is None else round(float(value), 4) for key, value in figures.items()
        }
    return summary


def predict_seed(folder: Path, rows: pd.DataFrame, device: torch.device) -> np.ndarray:
    """Return the logits of the model in `folder` for the sentences `rows`, shape (n,)."""
    files.require(folder)
    with loading.explaining(folder, "trained model", f"Run `dvc repro train@{folder.name}`."):
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,  # unset, it asks whoever sits at the terminal
        )
    return predict(model, rows["input_ids"].tolist(), model.config.pad_token_id, device)


def learning_curves(models: Path, seeds: list[int]) -> pd.DataFrame:
    """Return the epochs of every seed's history.csv under one another, the seed in front."""
    histories = []
    for seed in seeds:
        path = models / str(seed) / "history.csv"
        files.require(path)
        try:
            history = pd.read_csv(path)
        except ValueError as error:  # pandas' parser errors are ValueErrors
            raise BertlineError(
                f"{path} cannot be read as the table that `train` writes ({error}). "
                f"Run `dvc repro train@{seed}`."
            ) from error
        history.insert(0, "seed", seed)
        histories.append(history)
    return pd.concat(histories, ignore_index=True)


@dataclass(frozen=True)
class Evaluated:
    """What is written: a row per sentence and seed, a row per set and model, and what is behind."""

    predictions: pd.DataFrame  # with pair, which is not stored
    scores: pd.DataFrame
    intervals: dict[str, Interval]  # of the mean over seeds, by set
    decisions: dict[str, Decision]  # by model
    sentences: dict[str, str]  # SHA-256 of each set's sentences and labels


def evaluate(
    rows: pd.DataFrame, models: Path, seeds: list[int], options: Evaluate, device: torch.device
) -> Evaluated:
    """Predict all sentences outside the training fold with every seed's model, and score them.

    rows: id, source, label, text, pair, input_ids and fold of every sentence.
    """
    training = rows[rows["fold"] == "train"]
    baseline = fit_tfidf(training["text"], training["label"].to_numpy())
    acceptable_share = training["label"].mean()
    held_out = rows[rows["fold"] != "train"].reset_index(drop=True)
    if held_out.empty:
        raise BertlineError(
            "there is nothing to evaluate on: the source has no test set and split.validation is "
            "0. Add a test set to the source in sources.yaml, or set split.validation."
        )
    sets = list_sets(held_out["fold"])
    logits = {}
    for seed in console.progress(seeds, total=len(seeds), label="evaluate", unit="models"):
        logits[f"seed {seed}"] = predict_seed(models / str(seed), held_out, device)
    tfidf = baseline.predict_proba(held_out["text"])[:, 1]
    probabilities, made = decide(held_out, logits, tfidf, options)
    probabilities = {model: values for model, values in probabilities.items() if model != TFIDF} | {
        MAJORITY: np.full(len(held_out), acceptable_share),
        TFIDF: tfidf,
    }
    scores, intervals = [], {}
    for name, place in sets.items():
        of_set = {model: values[place] for model, values in probabilities.items()}
        table, intervals[name] = score_set(
            name, held_out.iloc[place], of_set, made, options.confidence
        )
        scores += table
    columns = held_out[["id", "source", "label", "pair"]].assign(set=held_out["fold"])
    predictions = [
        columns.assign(
            seed=seed,
            logit=values,
            probability=probabilities[model],
            predicted=made[model].predict(probabilities[model]).astype("int8"),
        )
        for seed, (model, values) in zip(seeds, logits.items(), strict=True)
    ]
    return Evaluated(
        pd.concat(predictions, ignore_index=True),
        pd.DataFrame(scores, columns=list(SCORES)),
        intervals,
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
    """Return the SHA-256 of ids, labels and texts, which tells whether two runs had the same."""
    listed = [[str(row.id), int(row.label), row.text] for row in rows.itertuples()]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def first_of_pairs(rows: pd.DataFrame) -> pd.Series:
    """Return the id of the first sentence of each one's pair: a source may use texts for pairs."""
    return rows.groupby("pair", sort=False)["id"].transform("first")


def write_plots(
    folder: Path, evaluated: Evaluated, curves: pd.DataFrame, options: Evaluate
) -> None:
    """Write the tables behind the figures; none of them holds a sentence."""
    with files.whole_folder(folder) as out:
        # 6 digits: what a figure can show, and short enough to read in a diff.
        for name, table in (("scores", evaluated.scores), ("learning_curves", curves)):
            table.to_csv(out / f"{name}.csv", index=False, float_format="%.6f", lineterminator="\n")
        files.write_csv(
            out / "decisions.csv",
            ["model", "threshold", "temperature"],
            [
                [model, f"{decision.threshold:.6f}", f"{decision.temperature:.6f}"]
                for model, decision in evaluated.decisions.items()
            ],
        )
        per_batch = []
        for name, of_set in evaluated.predictions.groupby("set", sort=False):
            of_seed = {seed: rows for seed, rows in of_set.groupby("seed", sort=False)}
            labels = next(iter(of_seed.values()))["label"].to_numpy()
            models = {seed: rows["predicted"].to_numpy() for seed, rows in of_seed.items()}
            per_batch += batches(name, labels, models, options.batch_size)
            words = of_set[["seed", "id", "label", "predicted"]].rename(columns={"label": "actual"})
            words.insert(2, "pair", first_of_pairs(of_set))
            for column in ("actual", "predicted"):
                words[column] = words[column].map(dict(enumerate(LABELS)))
            files.write_csv(
                out / "confusion" / f"{name}.csv", list(words.columns), words.to_numpy().tolist()
            )
        files.write_csv(
            out / "mcc_per_batch.csv",
            ["set", "seed", "batch", "sentences", "mcc"],
            [[*row[:-1], f"{row[-1]:.6f}"] for row in per_batch],
        )
        protocol = {
            "confidence": options.confidence,
            "threshold": options.threshold,
            "temperature": options.temperature,
            "batch_size": options.batch_size,
            "sentences": evaluated.sentences,
        }
        files.write_json(out / "protocol.json", protocol)


def main() -> None:
    """Read the arguments and the parameters, predict, score, and write everything."""
    arguments = console.parser(__doc__)
    arguments.add_argument("tokens", type=Path, help="folder that tokenize wrote")
    arguments.add_argument("folds", type=Path, help="folder that split wrote")
    arguments.add_argument("models", type=Path, help="folder with a model per seed")
    arguments.add_argument("out", type=Path, help="folder to write the predictions to")
    arguments.add_argument("--metrics", type=Path, help="write what people compare to this file")
    arguments.add_argument("--plots", type=Path, help="write the tables behind figures here")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "evaluate", Evaluate)
    seeds = params.load_seeds(args.params)
    tokens = files.read_table(
        args.tokens / "tokens.parquet",
        columns=["id", "source", "label", "text", "pair", "input_ids"],
    )
    folds = files.read_table(args.folds / "folds.parquet", columns=["id", "fold"])
    for table, folder in ((tokens, args.tokens), (folds, args.folds)):
        if table["id"].duplicated().any():
            raise BertlineError(f"{folder}: an id occurs twice. Run `dvc repro tokenize split`.")
    rows = tokens.merge(folds, on="id", validate="one_to_one")
    if len(rows) != len(tokens):
        raise BertlineError(
            f"{len(tokens) - len(rows):,} sentences of {args.tokens} have no fold in {args.folds}: "
            f"the two belong to different runs. Run `dvc repro split`."
        )

    with receipt(
        args.receipt,
        "evaluate",
        parameters={"evaluate": options, "seeds": seeds},
        inputs=[args.tokens, args.folds, args.models],
        outputs=[args.out, args.plots, args.metrics],
    ) as facts:
        device, precision = running.set_up("fp32", key="")
        facts |= {"device": running.describe(device), "precision": precision}
        evaluated = evaluate(rows, args.models, seeds, options, device)
        shown = evaluated.scores.drop(columns="sentences").round(3)
        console.log(shown.to_string(index=False, na_rep="-"))
        curves = learning_curves(args.models, seeds)
        with files.whole_folder(args.out) as out:
            files.write_table(out / "predictions.parquet", evaluated.predictions, PREDICTIONS)
            # Within, so that a failure leaves the earlier predictions.
            if args.metrics:
                summary = summarize(evaluated.scores, evaluated.intervals)
                files.write_json(args.metrics, summary)
            if args.plots:
                write_plots(args.plots, evaluated, curves, options)


if __name__ == "__main__":
    console.run(main)
