"""A trained classifier applied to new texts, as `evaluate` applies it to a test set.

Beside the weights, a folder that `train` wrote has in `settings.json` how texts are cut and what
the classes are called. The temperature and the threshold that `evaluate` chose are in the folder
if `bertline export` wrote it, and else in metrics/evaluate of the project that the folder lies in.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.encoders import windows
from bertline.scoring import tables, thresholds
from bertline.scoring.names import of_seed
from bertline.scoring.thresholds import Decision

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SETTINGS = "settings.json"
DECISIONS = Path("metrics", "evaluate", "decisions.csv")


class Member(NamedTuple):
    """The model of one seed."""

    folder: Path
    model: "PreTrainedModel"
    decision: Decision


class Classifier:
    """The model of one seed, or the mean probabilities of several."""

    def __init__(self, folder: Path | str) -> None:
        """Load the model in `folder`, or those of all seeds in folders below it.

        Raises BertlineError if there is none, or if the models of the seeds have other classes or
        cut texts otherwise.
        """
        from bertline.encoders import loading, running

        self.folder = Path(folder)
        self.device: torch.device = running.set_up("fp32", key="")[0]
        folders = find_models(self.folder)
        self.members = [load_member(path) for path in folders]
        self.settings = read_settings(folders[0])
        self.labels = labels_of(self.members[0].model)
        for member in self.members[1:]:
            if labels_of(member.model) != self.labels or (
                read_settings(member.folder) != self.settings
            ):
                raise BertlineError(
                    f"{member.folder} and {folders[0]} have other classes, or cut texts otherwise: "
                    f"they come from different runs. Run `dvc repro evaluate`, or name one of them."
                )
        self.tokenizer: PreTrainedTokenizerBase = loading.load_tokenizer(folders[0])

    def __call__(self, texts: Sequence[str]) -> pd.DataFrame:
        """Return `class` and its `probability`, a row per text; a blank text has neither.

        The probability of several seeds is the mean of theirs.
        """
        given = [number for number, text in enumerate(texts) if text.strip()]
        names = np.full(len(texts), None, object)
        sure = np.full(len(texts), math.nan)
        if given:
            probabilities = self.probabilities([texts[number] for number in given])
            chosen = self.decision.predict(probabilities)
            names[given] = [self.labels[number] for number in chosen]
            sure[given] = probabilities[np.arange(len(given)), chosen]
        return pd.DataFrame({"class": pd.Series(names, dtype=object), "probability": sure})

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probability of each class for each text, shape (n, classes), float32."""
        from bertline.encoders import running

        parts = [
            windows.divide(ids, self._special, **self.settings)
            for ids in windows.encode(texts, self.tokenizer)
        ]
        found = [
            thresholds.probabilities_of(
                running.logits_of(member.model, parts, self.device), member.decision.temperature
            )
            for member in self.members
        ]
        return np.asarray(np.mean(found, axis=0, dtype=np.float64), np.float32)

    @property
    def decision(self) -> Decision:
        """Return how classes are chosen; for several seeds no threshold is."""
        if len(self.members) == 1:
            return self.members[0].decision
        return undecided(len(self.labels))

    @cached_property
    def _special(self) -> tuple[int, int]:
        return windows.special_tokens(self.tokenizer)


def load_member(folder: Path) -> Member:
    """Return the model in `folder` and how it decides."""
    from bertline.encoders import running

    model = running.load_trained(folder)
    return Member(folder, model, find_decision(folder, len(labels_of(model))))


def find_models(folder: Path) -> list[Path]:
    """Return `folder` if it has a model, or else the folders of seeds in it that have one."""
    if (folder / "config.json").exists():
        return [folder]
    found = [path.parent for path in folder.glob("*/config.json") if path.parent.name.isdecimal()]
    if not found:
        raise BertlineError(
            f"{folder} has no model, nor has a folder of a seed in it. Run `dvc repro evaluate`, "
            f"or name a folder that train or `bertline export` wrote."
        )
    return sorted(found, key=lambda path: int(path.name))


def labels_of(model: "PreTrainedModel") -> list[str]:
    """Return the names of the classes by number."""
    names: dict[Any, str] = {**(model.config.id2label or {})}
    return [names[number] for number in range(len(names))]


def read_settings(folder: Path) -> dict[str, Any]:
    """Return `max_length` and `long_texts` of a model: how `tokenize` cut the texts of training.

    A model from elsewhere has none, and reads the beginning of a text, as much as it takes.
    """
    if (folder / SETTINGS).exists():
        keys = ["max_length", "long_texts"]
        content = files.read_json(folder / SETTINGS, keys=keys)
        return {key: content[key] for key in keys}
    from bertline.encoders import loading

    length = loading.longest_input(folder)
    console.log(f"{folder} has no {SETTINGS}: texts are cut after {length} word pieces")
    return {"max_length": length, "long_texts": "head"}


def find_decision(folder: Path, classes: int) -> Decision:
    """Return temperature and threshold of a model; 1 and one half where none were chosen."""
    content = files.read_json(folder / SETTINGS) if (folder / SETTINGS).exists() else {}
    if "temperature" in content:
        return Decision(content["threshold"], content["temperature"])
    places = folder.resolve().parents  # data/train, data and the project
    if folder.name.isdecimal() and len(places) > 2 and (path := places[2] / DECISIONS).exists():
        table = files.read_csv(path, tables.DECISIONS, command="dvc repro evaluate")
        own = table[table["model"] == of_seed(int(folder.name))]
        if len(own):
            threshold, temperature = own[["threshold", "temperature"]].iloc[0].tolist()
            return Decision(None if math.isnan(threshold) else threshold, temperature)
    return undecided(classes)


def undecided(classes: int) -> Decision:
    """Return the decision that is not chosen: the class of the highest probability."""
    return Decision(thresholds.HALF if classes == 2 else None)
