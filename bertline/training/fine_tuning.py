"""Fine-tune an encoder to classify sentences: what is trained on, the loss, and the scores.

The recipe is Devlin et al. (2019, appendix A.3) as BERT tutorials apply it to CoLA: AdamW with a
linear decay of the learning rate, a fresh classification head, two to four epochs.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, matthews_corrcoef
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from transformers import DataCollatorWithPadding, PreTrainedModel, PreTrainedTokenizerBase

from bertline.core.errors import BertlineError
from bertline.training import loop
from bertline.training.loop import History, Plan, Recipe


class Train(Recipe):
    """The section `train` of params.yaml."""

    class_weights: Literal["none", "balanced"]
    keep: Literal["last", "best_mcc", "best_loss"]
    padding: Literal["longest", "max_length"]


@dataclass(frozen=True)
class FineTuning(Plan[PreTrainedModel]):
    """A fine-tuning: texts with labels, and those held out to validate on, if there are any.

    A text is {"windows": [[...], ...], "labels": the number of its class}. Each window is trained
    on with the text's label.
    """

    section = "train"

    options: Train
    training: Sequence[Mapping[str, Any]]
    validation: Sequence[Mapping[str, Any]]
    collator: DataCollatorWithPadding

    @cached_property
    def windows(self) -> Sequence[Mapping[str, Any]]:
        """Return the rows of an epoch: {"input_ids": [...], "labels": ...} for each window."""
        return [
            {"input_ids": window, "labels": text["labels"]}
            for text in self.training
            for window in text["windows"]
        ]

    @cached_property
    def weights(self) -> torch.Tensor | None:
        """Return what a window of each class counts in the loss, or None if all count the same."""
        if self.options.class_weights == "none":
            return None
        labels = np.array([row["labels"] for row in self.windows])
        found = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
        return torch.tensor(found, dtype=torch.float32, device=self.device)

    @property
    def grouped(self) -> bool:
        """Return whether the rows of a batch are of like length, which spares padding."""
        return self.options.padding == "longest"

    def rows(self, epoch: int) -> Sequence[Mapping[str, Any]]:
        """Return the windows of the training texts, the same in every epoch."""
        return self.windows

    @property
    def rows_per_epoch(self) -> int:
        """Return the number of windows."""
        return len(self.windows)

    def collate(self, rows: list[Mapping[str, Any]]) -> Mapping[str, torch.Tensor]:
        """Return windows padded to one length, with their masks and labels."""
        return self.collator([dict(row) for row in rows])

    def loss(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the cross-entropy of the labels, weighted by class if the recipe says so."""
        if self.weights is None:
            return model(**batch).loss
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        logits = model(**inputs).logits.float()
        return nn.functional.cross_entropy(logits, batch["labels"], weight=self.weights)

    def validate(self, model: PreTrainedModel) -> dict[str, float]:
        """Return loss (unweighted), accuracy and MCC on the validation fold, in fp32."""
        if not self.validation:
            return {}
        windows = [text["windows"] for text in self.validation]
        labels = [text["labels"] for text in self.validation]
        logits, loss = loop.judge(model, windows, labels, self.device)
        return {"loss": loss, **score(logits, np.array(labels))}

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
    """Return accuracy and Matthews correlation of logits, (n, classes), against labels, (n,).

    Of several classes it is R_K (Gorodkin 2004, Computational Biology and Chemistry 28).
    """
    predicted = logits.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "mcc": float(matthews_corrcoef(labels, predicted)),
    }


def select(tokens: pd.DataFrame, folds: pd.DataFrame, fold: str) -> list[dict[str, Any]]:
    """Return the windows and labels of the sentences of `fold`, in the order of `tokens`.

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
        {"windows": [window.tolist() for window in windows], "labels": int(label)}
        for windows, label in zip(
            tokens.loc[chosen, "windows"], tokens.loc[chosen, "label"], strict=True
        )
    ]


def check_labels(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> None:
    """Raise BertlineError unless each of the `labels`, names of classes, has a training text."""
    counts = Counter(row["labels"] for row in rows)
    without = [name for number, name in enumerate(labels) if number not in counts]
    if without or len(labels) < 2:
        raise BertlineError(
            f"the training fold should hold sentences of each of two classes or more; it has "
            f"{len(rows):,}, and none of {', '.join(without) or 'a second class'}. Check the "
            f"labels of inputs.sentences, and run `dvc repro split`."
        )


def collator(
    tokenizer: PreTrainedTokenizerBase, options: Train, max_length: int
) -> DataCollatorWithPadding:
    """Return what pads a batch: to its longest sentence, or to `max_length` word pieces."""
    fixed = max_length if options.padding == "max_length" else None
    return DataCollatorWithPadding(tokenizer, padding=options.padding, max_length=fixed)


def describe(plan: FineTuning, model: PreTrainedModel) -> str:
    """Return the sizes of model and folds, device and precision, as a line for the log."""
    several = len(plan.windows) > len(plan.training)
    windows = f" ({len(plan.windows):,} windows)" if several else ""
    return (
        f"{model.num_parameters():,} parameters, {model.config.num_labels} classes, on "
        f"{plan.device.type} in {plan.precision}; {len(plan.training):,} sentences to "
        f"train{windows}, {len(plan.validation):,} to validate"
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
