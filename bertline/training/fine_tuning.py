"""Fine-tune an encoder to classify sentences: what is trained on, the loss, and the scores.

The recipe is Devlin et al. (2019, appendix A.3) as BERT tutorials apply it to CoLA: AdamW with a
linear decay of the learning rate, a fresh classification head, two to four epochs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, matthews_corrcoef
from transformers import DataCollatorWithPadding, PreTrainedModel, PreTrainedTokenizerBase

from bertline.core.errors import BertlineError
from bertline.training import loop
from bertline.training.loop import History, Plan, Recipe


class Train(Recipe):
    """The section `train` of params.yaml."""

    keep: Literal["last", "best_mcc", "best_loss"]
    padding: Literal["longest", "max_length"]


@dataclass(frozen=True)
class FineTuning(Plan[PreTrainedModel]):
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
        return self.collator([dict(row) for row in rows])

    def loss(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the cross-entropy of the labels."""
        return model(**batch).loss

    def validate(self, model: PreTrainedModel) -> dict[str, float]:
        """Return loss, accuracy and MCC on the validation fold, in fp32."""
        if not self.validation:
            return {}
        logits, labels, loss = loop.judge(model, self.validation, self.device)
        return {"loss": loss, **score(logits, labels)}

    def is_best(self, found: Mapping[str, float], earlier: Sequence[Mapping[str, Any]]) -> bool:
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
    """Raise BertlineError unless both labels occur: there is nothing to learn from one class."""
    found = sorted({row["labels"] for row in rows})
    if found != [0, 1]:
        raise BertlineError(
            f"the training fold should hold acceptable (1) and unacceptable (0) sentences; it has "
            f"{len(rows):,} with the labels {found}. Check the labels of inputs.sentences."
        )


def collator(
    tokenizer: PreTrainedTokenizerBase, options: Train, max_length: int
) -> DataCollatorWithPadding:
    """Return what pads a batch: to its longest sentence, or to `max_length` word pieces."""
    fixed = max_length if options.padding == "max_length" else None
    return DataCollatorWithPadding(tokenizer, padding=options.padding, max_length=fixed)


def describe(plan: FineTuning, model: PreTrainedModel) -> str:
    """Return the sizes of model and folds, device and precision, as a line for the log."""
    return (
        f"{model.num_parameters():,} parameters on {plan.device.type} in {plan.precision}; "
        f"{len(plan.training):,} sentences to train, {len(plan.validation):,} to validate"
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
