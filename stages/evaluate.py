"""Score every seed's model on the test sets and the validation fold, beside baselines.

Reads   data/tokenize, data/split, the models in data/train/<seed> for the seeds of params.yaml,
        and `seeds` and `evaluate` of params.yaml.
Writes  data/evaluate/predictions.parquet: id, set, source, label, seed, predicted (numbers of
        classes), logits, and probabilities (at the seed's temperature), one of each class, for
        every sentence and seed. data/evaluate/sentences.csv, for people: id, set, source, text,
        class, answer and probability of the ensemble of seeds, correct_seeds (how many are right)
        for every sentence. A JSON file with the MCC that runs are compared by, and a folder of
        small files:
        summary.json             scores of every set: mean and spread over seeds, intervals,
                                 baselines, and notes on what they hide
        scores.csv               every model and baseline on every set, with intervals
        classes.csv              precision, recall and F1 of every class in every set
        decisions.csv            threshold (of two classes) and temperature of every model
        mcc_per_batch.csv        MCC of each batch of a test set, in the set's own order
        learning_curves.csv      the epochs of every seed
        confusion/<set>.csv      actual and predicted class, a row per sentence and seed; pair is
                                 the id of the first sentence of its minimal pair, or its own
        confusion.csv            actual and predicted of the set that runs are compared by
        protocol.json            the parameters, the names of the classes, and the SHA-256 of each
                                 set's sentences and labels

    python -m stages.evaluate data/tokenize data/split data/train data/evaluate

Where a source has both of CoLA's dev sets, `both_dev` is the two together, which others quote as
the GLUE dev set. `bertline.scoring.evaluation` says what the scores are.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from bertline.core import console, files, hashes, params
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.encoders import running
from bertline.scoring import evaluation, tfidf
from bertline.scoring.evaluation import Evaluate
from bertline.scoring.names import EPOCH, TRAINING, VALIDATION
from bertline.scoring.tables import CURVES


def read_sentences(tokens: Path, folds: Path) -> pd.DataFrame:
    """Return id, source, label, text, pair, windows, fold and cut of every sentence.

    cut: whether its one window is full, so that the text goes on but for a rare one that just fits.
    Raises BertlineError if an id occurs twice, or a sentence has no fold.
    """
    columns = ["id", "source", "label", "text", "pair", "windows"]
    sentences = files.read_table(tokens / "tokens.parquet", columns=columns)
    of_fold = files.read_table(folds / "folds.parquet", columns=["id", "fold"])
    for table, folder in ((sentences, tokens), (of_fold, folds)):
        if table["id"].duplicated().any():
            raise BertlineError(f"{folder}: an id occurs twice. Run `dvc repro tokenize split`.")
    rows = sentences.merge(of_fold, on="id", validate="one_to_one")
    if len(rows) != len(sentences):
        raise BertlineError(
            f"{len(sentences) - len(rows):,} sentences of {tokens} have no fold in {folds}: "
            f"the two belong to different runs. Run `dvc repro split`."
        )
    settings = files.read_json(tokens / "settings.json", keys=["max_length", "long_texts"])
    full = rows["windows"].map(lambda windows: len(windows[0])) == settings["max_length"]
    return rows.assign(cut=full & (settings["long_texts"] != "windows"))


def select_held_out(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the sentences that were not trained on; BertlineError if there are none."""
    held_out = rows[rows["fold"] != TRAINING].reset_index(drop=True)
    if held_out.empty:
        raise BertlineError(
            "there is nothing to evaluate on: the source has no test set and split.validation "
            "is 0. Add a test set to the source in sources.yaml, or set split.validation."
        )
    return held_out


def predict(
    models: Path, seeds: list[int], rows: pd.DataFrame, labels: list[str], device: torch.device
) -> dict[int, np.ndarray]:
    """Return the logits of each seed's model in `models` for the sentences `rows`, shape (n, K).

    Raises BertlineError if a model is not one of the K classes `labels`.
    """
    logits = {}
    for seed in console.progress(seeds, total=len(seeds), label="evaluate", unit="models"):
        model = running.load_trained(models / str(seed))
        trained = list((model.config.id2label or {}).values())
        if trained != labels:
            raise BertlineError(
                f"{models / str(seed)} was trained on the classes {_listed(trained)}, and the "
                f"sentences have {_listed(labels)}: the two belong to different runs. Run "
                f"`dvc repro train@{seed}`."
            )
        logits[seed] = running.logits_of(model, rows["windows"].tolist(), device)
    return logits


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(map(str, labels[:5])) + more


def remove_others(models: Path, seeds: list[int]) -> None:
    """Remove the models of seeds that are not in `seeds`, which DVC's cache has.

    The folder of all models is a dependency, and its hash has to be that of the seeds in use:
    `dvc checkout`, or a clone, has no others. Raises BertlineError, and removes nothing, if the
    cache lacks one of them, as it does after a training without DVC.
    """
    files.require(models)
    others = [path for path in models.iterdir() if path.name.isdecimal() and path.is_dir()]
    others = sorted(path for path in others if int(path.name) not in seeds)
    if not others:
        return
    cache = hashes.find_cache() / "files" / "md5"
    for path in others:
        digest = str(hashes.md5(path))
        if not (cache / digest[:2] / digest[2:]).exists():
            raise BertlineError(
                f"{path} is of a seed that `seeds` in params.yaml does not list, so the run would "
                f"remove it, and DVC's cache does not have it. Add the seed, or move the folder "
                f"elsewhere."
            )
    for path in others:
        shutil.rmtree(path)
    names = ", ".join(path.name for path in others)
    console.log(f"removed the models of seeds that are no longer listed: {names}")


def read_curves(models: Path, seeds: list[int]) -> pd.DataFrame:
    """Return the epochs of every seed's history.csv under one another, the seed in front."""
    columns = {name: CURVES[name] for name in EPOCH}
    histories = []
    for seed in seeds:
        path = models / str(seed) / "history.csv"
        history = files.read_csv(path, columns, command=f"dvc repro train@{seed}")
        history.insert(0, "seed", seed)
        histories.append(history)
    return pd.concat(histories, ignore_index=True)


def tell(scores: pd.DataFrame, summary: Mapping[str, Mapping[str, Any]]) -> None:
    """Log the scores, and warn of what they hide."""
    shown = ["set", "model", "mcc", "mcc_low", "mcc_high", "macro_f1", "accuracy", "loss"]
    console.log(scores[shown].round(3).to_string(index=False, na_rep="-"))
    for name, figures in summary.items():
        for note in figures["notes"]:
            console.log(f"warning: {name}: {note}")


def main() -> None:
    """Read the arguments and the parameters, predict, score, and write everything."""
    arguments = console.parser(__doc__)
    arguments.add_argument("tokens", type=Path, help="folder that tokenize wrote")
    arguments.add_argument("folds", type=Path, help="folder that split wrote")
    arguments.add_argument("models", type=Path, help="folder with a model per seed")
    arguments.add_argument("out", type=Path, help="folder to write the predictions to")
    arguments.add_argument("--metrics", type=Path, help="write the metrics to this JSON file")
    arguments.add_argument("--tables", type=Path, help="write summary and tables to this folder")
    arguments.add_argument(
        "--remove-others", action="store_true", help="remove the models of other seeds"
    )
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "evaluate", Evaluate)
    seeds = params.load_seeds(args.params)
    labels = files.read_json(args.tokens / "settings.json", keys=["labels"])["labels"]
    rows = read_sentences(args.tokens, args.folds)
    validated = bool((rows["fold"] == VALIDATION).any())
    evaluation.check_choices(options, len(labels), validated=validated)
    if args.remove_others:
        remove_others(args.models, seeds)

    with receipt(
        args.receipt,
        "evaluate",
        parameters={"evaluate": options, "seeds": seeds},
        inputs=[args.tokens, args.folds, args.models],
        outputs=[args.out, args.tables, args.metrics],
    ) as facts:
        device, precision = running.set_up("fp32", key="")
        facts |= running.facts(device, precision)
        training = rows[rows["fold"] == TRAINING]
        baseline = tfidf.fit(training["text"], training["label"].to_numpy(), len(labels))
        held_out = select_held_out(rows)
        evaluated = evaluation.evaluate(
            held_out,
            predict(args.models, seeds, held_out, labels, device),
            baseline.predict(held_out["text"]),
            np.bincount(training["label"], minlength=len(labels)) / len(training),
            labels,
            options,
        )
        summary = evaluation.summarize(evaluated)
        tell(evaluated.scores, summary)
        curves = read_curves(args.models, seeds)
        with files.whole_folder(args.out) as out:
            predictions = evaluated.predictions
            files.write_table(out / "predictions.parquet", predictions, evaluation.PREDICTIONS)
            files.write_spreadsheet(
                out / "sentences.csv", evaluation.list_answers(held_out, evaluated)
            )
            # Within, so that a failure leaves the earlier predictions.
            if args.metrics:
                files.write_json(args.metrics, evaluation.headline(summary))
            if args.tables:
                evaluation.write_tables(args.tables, summary, evaluated, curves, options)


if __name__ == "__main__":
    console.run(main)
