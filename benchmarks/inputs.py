"""What the contenders of the benchmarks get: the same sentences, documents and vectors for all.

Everything is read from the outputs of the default run, and drawn by a fixed seed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.contender import Clock
from bertline.core import files, params
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.topics.clustering import load_vectors

DRAW = 13  # seed of the draws of sentences and documents
HELD_OUT = "validation"
NEEDED = (
    *("tokenize/tokens.parquet", "split/folds.parquet", "adapt/config.json"),
    *("parse/documents.parquet", "download/embedder/config.json", "embed/embeddings.npy"),
)


class Task(NamedTuple):
    """A classification task: the same word pieces for every contender."""

    backbone: Path
    labels: list[str]  # names of the classes
    max_length: int
    training: list[dict[str, Any]]  # {"windows": [[...]], "labels": the class}
    held_out: list[dict[str, Any]]
    recipe: dict[str, Any]  # `train` of params.yaml
    flops: float  # per training sentence, without padding

    @property
    def held_out_labels(self) -> list[int]:
        """The class of each held-out sentence."""
        return [row["labels"] for row in self.held_out]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The training sentences as {"input_ids": [...], "labels": the class}."""
        return [{"input_ids": row["windows"][0], "labels": row["labels"]} for row in self.training]


class Draw(NamedTuple):
    """Documents to fit a topic model to, and others to assign to its topics afterwards."""

    fitted: pd.DataFrame
    new: pd.DataFrame
    vectors: np.ndarray  # of the fitted, (n, d)
    new_vectors: np.ndarray  # (m, d)

    @property
    def texts(self) -> list[str]:
        """The texts of the fitted documents."""
        return self.fitted["text"].tolist()

    @property
    def new_texts(self) -> list[str]:
        """The texts of the new documents."""
        return self.new["text"].tolist()


def require(data: Path) -> None:
    """Raise BertlineError unless the default run has left what the benchmarks read."""
    missing = [name for name in NEEDED if not (data / name).is_file()]
    if missing:
        raise BertlineError(
            f"{data} lacks {', '.join(missing)}: the benchmarks are about the data of the default "
            f"run. Run `make repro` first, or `dvc pull`."
        )


def read_task(
    data: Path,
    *,
    sentences: int,
    held_out: int | None = None,
    backbone: str | None = None,
    parameters: Path | str = ROOT / "params.yaml",
) -> Task:
    """Return a draw of the training fold, and the validation fold to score on.

    sentences, held_out: how many to train and to score on, at most; None takes all. backbone: a
    folder; by default that which `train` starts from.
    """
    tokens = files.read_table(data / "tokenize" / "tokens.parquet")
    folds = files.read_table(data / "split" / "folds.parquet")
    settings = files.read_json(data / "tokenize" / "settings.json", keys=["max_length", "labels"])
    table = tokens.merge(folds, on="id")
    training, others = (_rows(table[table["fold"] == fold]) for fold in ("train", HELD_OUT))
    chosen = np.random.default_rng(DRAW).permutation(len(training))[:sentences]
    rows = [training[row] for row in chosen]
    folder = Path(backbone) if backbone else data / "adapt"
    config = files.read_json(folder / "config.json")
    lengths = [len(row["windows"][0]) for row in rows]
    return Task(
        folder,
        settings["labels"],
        settings["max_length"],
        rows,
        others[:held_out],
        params.read_yaml(Path(parameters))["train"],
        3 * flops_of(config, lengths) / len(rows),  # backward takes twice the products of forward
    )


def warmed_up(task: Task, clock: Clock) -> Iterator[tuple[Task, Clock]]:
    """Yield a batch of a task with a clock of no interest, and then the task with `clock`.

    The first steps of a process take longer: memory is fresh, and kernels are chosen by shape. In
    a short run that would weigh most on the fastest contender.
    """
    yield task._replace(training=task.training[: task.recipe["batch_size"]]), Clock()
    yield task, clock


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"windows": [window.tolist() for window in windows], "labels": int(label)}
        for windows, label in zip(table["windows"], table["label"], strict=True)
    ]


def flops_of(config: dict[str, Any], lengths: Sequence[int]) -> float:
    """Return the operations of the matrix products of an encoder's forward pass, a pair as two.

    config: of a BERT. lengths: word pieces of each text. A word piece takes 4 d² products in the
    projections of attention, 2 d f in the two others, and 2 n d in attention over n pieces (Kaplan
    et al. 2020, table 1). The head is left out.
    """
    width, inner = config["hidden_size"], config["intermediate_size"]
    pieces = np.asarray(lengths, float)
    products = pieces * (4 * width**2 + 2 * width * inner) + 2 * pieces**2 * width
    return float(2 * config["num_hidden_layers"] * products.sum())


def flops_of_texts(encoder: Any, texts: list[str]) -> float:
    """Return `flops_of` a text on average, cut to what the encoder reads."""
    found = encoder.tokenizer(texts, truncation=True, max_length=encoder.max_seq_length)
    lengths = [len(ids) for ids in found["input_ids"]]
    return flops_of(encoder[0].auto_model.config.to_dict(), lengths) / len(texts)


def read_texts(data: Path, documents: int) -> list[str]:
    """Return a draw of the texts of the default documents."""
    table = files.read_table(data / "parse" / "documents.parquet", columns=["text"])
    order = np.random.default_rng(DRAW).permutation(len(table))[:documents]
    return [str(table["text"].iloc[row]) for row in order]


def read_draw(data: Path, documents: int, new: int) -> Draw:
    """Return a draw of documents with their vectors, and `new` others.

    documents: how many to fit, or as many as there are beside the new ones.
    """
    table = files.read_table(data / "parse" / "documents.parquet")
    vectors = load_vectors(data / "embed" / "embeddings.npy")
    order = np.random.default_rng(DRAW).permutation(len(table))
    fresh, rows = np.sort(order[:new]), np.sort(order[new : new + documents])
    return Draw(
        table.iloc[rows].reset_index(drop=True),
        table.iloc[fresh].reset_index(drop=True),
        np.asarray(vectors[rows]),
        np.asarray(vectors[fresh]),
    )
