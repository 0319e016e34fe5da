"""Score every seed's model on the published test sets and the validation fold, beside baselines.

Reads   data/tokenize, data/split, the models in data/train/<seed> for the seeds of params.yaml,
        and `seeds` and `evaluate` of params.yaml.
Writes  data/evaluate/predictions.parquet: id, set, source, label, seed, probability (of being
        acceptable) and predicted, for every sentence and seed. A JSON file with what a person
        compares, and a folder of small tables behind the figures:
        scores.csv               every model and baseline on every set, with intervals
        mcc_per_batch.csv        MCC of each batch of a test set, in the set's own order
        learning_curves.csv      the epochs of every seed
        confusion/<set>.csv      actual and predicted label, a row per sentence and seed
        protocol.json            what the intervals cover, and the sentences per batch

    python -m stages.evaluate data/tokenize data/split data/train data/evaluate

MCC is Matthews correlation (Matthews 1975; CoLA's own metric), F1 that of acceptable sentences.
An interval is a percentile bootstrap over the set's sentences (Efron and Tibshirani 1993, ch. 13)
with the trained models held fixed; that of the mean resamples the same sentences for all seeds.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from pydantic import Field
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, f1_score, log_loss, matthews_corrcoef
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from stages import console, encoders, files, params
from stages.encoders import LABELS
from stages.errors import BertlineError
from stages.params import Section
from stages.receipt import receipt

PREDICTIONS = pa.schema(
    [
        ("id", pa.string()),
        ("set", pa.string()),
        ("source", pa.string()),
        ("label", pa.int8()),
        ("seed", pa.int64()),
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


class Evaluate(Section):
    """The section `evaluate` of params.yaml."""

    batch_size: Annotated[int, Field(ge=1)]
    # At a million the interval has long ceased to move, and memory still suffices.
    bootstrap_samples: Annotated[int, Field(ge=100, le=1_000_000)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    seed: params.Seed


def mcc_of_counts(
    true_positive: np.ndarray,
    false_positive: np.ndarray,
    false_negative: np.ndarray,
    true_negative: np.ndarray,
) -> np.ndarray:
    """Return Matthews correlation of arrays of confusion counts; 0 where it is undefined.

    Undefined is a set with one class, or with one prediction; scikit-learn calls it 0 as well.
    """
    tp, fp, fn, tn = (
        np.asarray(counts, dtype=np.float64)
        for counts in (true_positive, false_positive, false_negative, true_negative)
    )
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    difference = tp * tn - fp * fn
    return np.divide(difference, np.sqrt(product), out=np.zeros_like(difference), where=product > 0)


def bootstrap_mcc(
    labels: np.ndarray, predicted: np.ndarray, *, samples: int, confidence: float, seed: int
) -> tuple[float, float]:
    """Return the percentile interval of the mean MCC of several models over resampled sentences.

    labels: shape (n,), 0 or 1; predicted: shape (models, n). Sentences with the same label and
    predictions are interchangeable, so a resample of n sentences is one multinomial draw of how
    often each kind occurs: the ordinary bootstrap, computed from a few counts.
    """
    kinds, counts = np.unique(np.vstack([labels, predicted]), axis=1, return_counts=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(labels), counts / counts.sum(), size=samples)
    actual = kinds[0] == 1
    scores = np.zeros(samples)
    for row in kinds[1:] == 1:
        scores += mcc_of_counts(
            drawn[:, actual & row].sum(axis=1),
            drawn[:, ~actual & row].sum(axis=1),
            drawn[:, actual & ~row].sum(axis=1),
            drawn[:, ~actual & ~row].sum(axis=1),
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores / (len(kinds) - 1), [tail, 1 - tail])
    return float(low), float(high)


def predict(
    model: PreTrainedModel, input_ids: list[np.ndarray], padding_id: int, device: torch.device
) -> np.ndarray:
    """Return each sentence's probability of being acceptable, shape (n,), float32."""
    logits = encoders.classify(model, input_ids, padding_id, device)
    return torch.softmax(torch.from_numpy(logits), dim=1)[:, 1].numpy()


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


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return MCC, accuracy, F1 of acceptable sentences and log loss of probabilities, (n,)."""
    predicted = (probabilities > 0.5).astype(int)
    return {
        "mcc": float(matthews_corrcoef(labels, predicted)),
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, zero_division=0.0)),
        "loss": float(log_loss(labels, probabilities.astype(np.float64), labels=[0, 1])),
    }


def score_set(
    name: str,
    labels: np.ndarray,
    models: dict[str, np.ndarray],
    baselines: dict[str, np.ndarray],
    options: Evaluate,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of scores.csv for one set: each seed, their mean, each baseline.

    models, baselines: probabilities of being acceptable, shape (n,), by the model's name.
    """

    def interval(several: list[np.ndarray]) -> dict[str, float]:
        low, high = bootstrap_mcc(
            labels,
            np.array(several) > 0.5,
            samples=options.bootstrap_samples,
            confidence=options.confidence,
            seed=options.seed,
        )
        return {"mcc_low": low, "mcc_high": high}

    common = {"set": name, "sentences": len(labels)}
    each = {model: score(labels, values) for model, values in models.items()}
    for model, figures in each.items():
        yield common | {"model": model} | figures | interval([models[model]])
    means = pd.DataFrame(list(each.values())).mean().to_dict()
    yield common | {"model": MEAN} | means | interval(list(models.values()))
    for model, values in baselines.items():
        yield common | {"model": model} | score(labels, values) | interval([values])


def batches(
    name: str, labels: np.ndarray, models: dict[int, np.ndarray], size: int
) -> Iterator[tuple[str, int, int, int, float]]:
    """Yield set, seed, batch (from 1), sentences and MCC for every `size` sentences of a set."""
    for seed, probabilities in models.items():
        for number, start in enumerate(range(0, len(labels), size), start=1):
            actual = labels[start : start + size]
            predicted = (probabilities[start : start + size] > 0.5).astype(int)
            counts = [
                int(np.sum((actual == one) & (predicted == other)))
                for one, other in ((1, 1), (0, 1), (1, 0), (0, 0))
            ]
            yield name, seed, number, len(actual), float(mcc_of_counts(*counts))


def summarize(scores: pd.DataFrame, seeds: int) -> dict[str, dict[str, float | None]]:
    """Return for each set what people compare: mean MCC over seeds, its spread, the baseline's."""
    summary = {}
    for name, rows in scores.groupby("set", sort=False):
        by_model = rows.set_index("model")
        of_seeds = by_model.loc[by_model.index.str.startswith("seed "), "mcc"]
        mean = by_model.loc[MEAN]
        summary[name] = {
            "mcc": round(mean["mcc"], 4),
            "mcc_sd": round(float(of_seeds.std(ddof=1)), 4) if seeds > 1 else None,
            "mcc_low": round(mean["mcc_low"], 4),
            "mcc_high": round(mean["mcc_high"], 4),
            "accuracy": round(mean["accuracy"], 4),
            "tfidf_mcc": round(by_model.loc[TFIDF, "mcc"], 4),
        }
    return summary


def predict_seed(folder: Path, rows: pd.DataFrame, device: torch.device) -> np.ndarray:
    """Return the probabilities of the model in `folder` for the sentences `rows`, shape (n,)."""
    files.require(folder)
    with encoders.explaining(folder, "trained model", f"Run `dvc repro train@{folder.name}`."):
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


def evaluate(
    rows: pd.DataFrame, models: Path, seeds: list[int], options: Evaluate, device: torch.device
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return predictions (a row per sentence and seed) and scores (a row per set and model)."""
    training = rows[rows["fold"] == "train"]
    baseline = fit_tfidf(training["text"], training["label"].to_numpy())
    acceptable_share = training["label"].mean()
    held_out = rows[rows["fold"] != "train"].reset_index(drop=True)
    if held_out.empty:
        raise BertlineError(
            "there is nothing to evaluate on: the source has no test set and split.validation is "
            "0. Add a test set to the source in sources.yaml, or set split.validation."
        )
    probabilities = {}
    for seed in console.progress(seeds, total=len(seeds), label="evaluate", unit="models"):
        probabilities[seed] = predict_seed(models / str(seed), held_out, device)
    scores = []
    for name, of_set in held_out.groupby("fold", sort=False):
        place = of_set.index.to_numpy()
        tfidf = baseline.predict_proba(of_set["text"])[:, 1]
        scores += score_set(
            name,
            of_set["label"].to_numpy(),
            {f"seed {seed}": values[place] for seed, values in probabilities.items()},
            {MAJORITY: np.full(len(of_set), acceptable_share), TFIDF: tfidf},
            options,
        )
    columns = held_out[["id", "source", "label"]].assign(set=held_out["fold"])
    predictions = pd.concat(
        [
            columns.assign(seed=seed, probability=values, predicted=(values > 0.5).astype("int8"))
            for seed, values in probabilities.items()
        ],
        ignore_index=True,
    )
    return predictions, pd.DataFrame(scores, columns=list(SCORES))


def write_plots(
    folder: Path,
    predictions: pd.DataFrame,
    scores: pd.DataFrame,
    curves: pd.DataFrame,
    options: Evaluate,
) -> None:
    """Write the tables behind the figures; none of them holds a sentence."""
    with files.whole_folder(folder) as out:
        # 6 digits: what a figure can show, and short enough to read in a diff.
        for name, table in (("scores", scores), ("learning_curves", curves)):
            table.to_csv(out / f"{name}.csv", index=False, float_format="%.6f", lineterminator="\n")
        per_batch = []
        for name, of_set in predictions.groupby("set", sort=False):
            of_seed = {seed: rows for seed, rows in of_set.groupby("seed", sort=False)}
            labels = next(iter(of_seed.values()))["label"].to_numpy()
            models = {seed: rows["probability"].to_numpy() for seed, rows in of_seed.items()}
            per_batch += batches(name, labels, models, options.batch_size)
            words = of_set[["seed", "label", "predicted"]].rename(columns={"label": "actual"})
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
            "bootstrap_samples": options.bootstrap_samples,
            "batch_size": options.batch_size,
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
        args.tokens / "tokens.parquet", columns=["id", "source", "label", "text", "input_ids"]
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
        device, precision = encoders.set_up("fp32", key="")
        facts |= {"device": encoders.describe(device), "precision": precision}
        predictions, scores = evaluate(rows, args.models, seeds, options, device)
        shown = scores.drop(columns="sentences").round(3)
        console.log(shown.to_string(index=False, na_rep="-"))
        curves = learning_curves(args.models, seeds)
        with files.whole_folder(args.out) as out:
            files.write_table(out / "predictions.parquet", predictions, PREDICTIONS)
            # Within, so that a failure leaves the earlier predictions.
            if args.metrics:
                files.write_json(args.metrics, summarize(scores, len(seeds)))
            if args.plots:
                write_plots(args.plots, predictions, scores, curves, options)


if __name__ == "__main__":
    console.run(main)
