"""Fine-tune the backbone to tell acceptable sentences from unacceptable ones, with one seed.

Reads   data/tokenize, data/split, the encoder in data/adapt, and `train` of params.yaml.
Writes  data/train/<seed>: the model (safetensors and tokenizer; `transformers.pipeline` loads it)
        and history.csv, a row per epoch. And a JSON file of the epochs' figures; times and
        throughput go to the receipt.

    python -m stages.train 1 data/tokenize data/split data/adapt data/train/1

The recipe is Devlin et al. (2019, appendix A.3) as BERT tutorials apply it to CoLA: AdamW with a
linear decay of the learning rate, a fresh classification head, two to four epochs; with an encoder
that `adapt` trained, the head is the one that it learned. Everything is seeded before that.

A run that was killed goes on from its last checkpoint and ends with the same bytes as one that was
not (`bertline.training.loop`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, matthews_corrcoef
from torch import nn
from transformers import DataCollatorWithPadding, PreTrainedModel

from bertline.core import console, files, params
from bertline.core.checkpoint import Checkpoint
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.encoders import loading, running
from bertline.training import loop
from bertline.training.loop import History, Plan, Recipe

HISTORY = (
    "epoch",
    "training_loss",
    "validation_loss",
    "validation_accuracy",
    "validation_mcc",
)


class Train(Recipe):
    """The section `train` of params.yaml."""

    keep: Literal["last", "best_mcc", "best_loss"]
    padding: Literal["longest", "max_length"]


@dataclass(frozen=True)
class FineTuning(Plan):
    """A fine-tuning: sentences with labels, and those held out to validate on, if there are any.

    A row is {"input_ids": [...], "labels": 0 or 1}.
    """

    section = "train"

    options: Train
    training: Sequence[Mapping[str, Any]]
    validation: Sequence[Mapping[str, Any]]
    collator: DataCollatorWithPadding

    @property
    def grouped(self) -> bool:
        """Return whether the rows of a batch are of like length, which spares padding."""
        return self.options.padding == "longest"

    def rows(self, epoch: int) -> Sequence[Mapping[str, Any]]:
        """Return the training sentences, the same in every epoch."""
        return self.training

    @property
    def rows_per_epoch(self) -> int:
        """Return the number of training sentences."""
        return len(self.training)

    def collate(self, rows: list[Mapping[str, Any]]) -> Mapping[str, torch.Tensor]:
        """Return sentences padded to one length, with their masks and labels."""
        return self.collator(rows)

    def loss(self, model: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the cross-entropy of the labels."""
        return model(**batch).loss

    def validate(self, model: PreTrainedModel) -> dict[str, float]:
        """Return loss, accuracy and MCC on the validation fold, in fp32."""
        if not self.validation:
            return {}
        logits, labels, loss = loop.judge(model, self.validation, self.device)
        return {"loss": loss, **score(logits, labels)}

    def is_best(self, found: Mapping[str, float], earlier: list[Mapping[str, Any]]) -> bool:
        """Return whether validation MCC is the highest, or validation loss the lowest, so far."""
        if self.options.keep == "best_loss":
            return all(found["loss"] < row["validation_loss"] for row in earlier)
        return all(found["mcc"] > row["validation_mcc"] for row in earlier)

    @property
    def keeps_best(self) -> bool:
        """Return whether the weights of the best epoch are wanted."""
        return self.options.keep != "last"


def score(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return accuracy and Matthews correlation of logits, shape (n, 2), against labels (n,)."""
    predicted = logits.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "mcc": float(matthews_corrcoef(labels, predicted)),
    }


def select(tokens: pd.DataFrame, folds: pd.DataFrame, fold: str) -> list[dict[str, Any]]:
    """Return the word pieces and labels of the sentences of `fold`, in the order of `tokens`.

    Raises BertlineError if a sentence has no fold, or two.
    """
    if folds["id"].duplicated().any():
        raise BertlineError("a sentence has two folds. Run `dvc repro split`.")
    of_sentence = tokens["id"].map(folds.set_index("id")["fold"])
    if of_sentence.isna().any():
        raise BertlineError(
            f"{of_sentence.isna().sum():,} sentences have no fold: the tables of tokenize and "
            f"split belong to different runs. Run `dvc repro split`."
        )
    chosen = of_sentence == fold
    return [
        {"input_ids": ids.tolist(), "labels": int(label)}
        for ids, label in zip(
            tokens.loc[chosen, "input_ids"], tokens.loc[chosen, "label"], strict=True
        )
    ]


def check_labels(rows: list[dict[str, Any]]) -> None:
    """Raise BertlineError unless both labels occur: one class cannot be told from nothing."""
    found = sorted({row["labels"] for row in rows})
    if found != [0, 1]:
        raise BertlineError(
            f"the training fold should hold acceptable (1) and unacceptable (0) sentences; it has "
            f"{len(rows):,} with the labels {found}. Check the labels of inputs.sentences."
        )


def table_of(history: History) -> str:
    """Return the per-epoch table, times included, as lines of text."""
    columns = {
        "epoch": "epoch",
        "training_loss": "train. loss",
        "validation_loss": "valid. loss",
        "validation_accuracy": "valid. acc.",
        "validation_mcc": "valid. MCC",
        "training_seconds": "train. s",
        "validation_seconds": "valid. s",
    }
    rows = [row | times for row, times in zip(history.rows, history.times, strict=True)]
    table = pd.DataFrame(rows).reindex(columns=list(columns)).rename(columns=columns)
    return table.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="-")


def main() -> None:
    """Read the arguments and the parameters, fine-tune, and write model and history."""
    arguments = console.parser(__doc__)
    arguments.add_argument("seed", type=params.parse_seed, help="seed of this model")
    arguments.add_argument("tokens", type=Path, help="folder that tokenize wrote")
    arguments.add_argument("folds", type=Path, help="folder that split wrote")
    arguments.add_argument("backbone", type=Path, help="folder of the encoder")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the epochs' figures to this file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "train", Train)
    tokenized = files.read_json(args.tokens / "settings.json", keys=["max_length"])
    max_length = tokenized["max_length"]
    tokens = files.read_table(args.tokens / "tokens.parquet", columns=["id", "label", "input_ids"])
    folds = files.read_table(args.folds / "folds.parquet", columns=["id", "fold"])
    rows = {fold: select(tokens, folds, fold) for fold in ("train", "validation")}
    check_labels(rows["train"])
    if options.keep != "last" and not rows["validation"]:
        raise BertlineError(
            f"{args.params}: train.keep is {options.keep}, which needs a validation fold, and "
            f"split.validation is 0. Set train.keep to last."
        )

    work = receipt(
        args.receipt,
        f"train@{args.seed}",
        parameters={"train": options},
        inputs=[args.tokens, args.folds, args.backbone],
        outputs=[args.out, args.metrics],
    )
    with work as run:
        with files.whole_folder(args.out) as out:
            device, precision = running.set_up(options.precision, key="train.precision")
            torch.set_num_threads(options.threads)
            tokenizer = loading.load_tokenizer(args.backbone)
            torch.manual_seed(args.seed)  # before the head is drawn
            model = loop.load_classifier(args.backbone)
            console.log(
                f"seed {args.seed}: {model.num_parameters():,} parameters on {device.type} in "
                f"{precision}; {len(rows['train']):,} sentences to train, "
                f"{len(rows['validation']):,} to validate"
            )
            fixed = max_length if options.padding == "max_length" else None
            collate = DataCollatorWithPadding(tokenizer, padding=options.padding, max_length=fixed)
            plan = FineTuning(
                options, args.seed, device, precision, rows["train"], rows["validation"], collate
            )
            checkpoint = Checkpoint(
                args.out, run.key(device=running.describe(device), precision=precision)
            )
            history = loop.fit(model, plan, checkpoint)
            console.log(table_of(history))
            loop.save(model, tokenizer, out)
            files.write_csv(
                out / "history.csv",
                HISTORY,
                [[row.get(name, "") for name in HISTORY] for row in history.rows],
            )
            kept = history.best_epoch if plan.keeps_best else options.epochs
            figures = {
                "epochs": history.rows,
                "best_epoch": history.best_epoch,
                "kept_epoch": kept,
            }
            run |= loop.facts(plan)
            run.costs |= loop.costs(plan, history)
            if args.metrics:
                files.write_json(args.metrics, figures)
        checkpoint.clear()


if __name__ == "__main__":
    console.run(main)
