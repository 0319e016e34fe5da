"""Documents of four groups, with vectors around one axis for each, and stages run on them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bertline.core import files
from bertline.topics import fitting
from stages import parse, topic_fit, topic_words
from tests import tiny
from tests.command import call, write_params

DIMENSION = 16
SMALL = {
    "topic_fit.method": "hdbscan",
    "topic_fit.graph.min_topic_size": 5,
    "topic_fit.hdbscan.min_cluster_size": 10,
    "topic_fit.hdbscan.min_samples": 5,
    "topic_words.outliers.strategy": "none",
    "topic_numbers": [2, 3],
    "vocabulary.boilerplate": None,
}
# What `embed` measures of texts that its encoder knows and sees.
PIECES = {
    "long_texts": "head",
    "longest_input": 64,
    "mean_word_pieces": 8.0,
    "long_share": 0.0,
    "unseen_share": 0.0,
    "unknown_share": 0.0,
}


def planted(count: int, *, noise: float = 0.3) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the documents and their vectors, shape (count, DIMENSION)."""
    table = tiny.documents(count)
    table.insert(0, "id", [f"d{number}" for number in range(count)])
    table.insert(1, "part", "all")
    scatter = np.random.default_rng(0).normal(scale=noise, size=(count, DIMENSION))
    vectors = 3 * np.eye(4, DIMENSION)[np.arange(count) % 4] + scatter
    return table, vectors.astype(np.float32)


def scattered(count: int, *, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return planted documents of which every fifth lies between the groups."""
    table, vectors = planted(count)
    between = np.random.default_rng(seed).normal(scale=1.5, size=vectors[::5].shape)
    vectors[::5] = between
    return table, vectors


def skip_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first dimensions be the reduced ones, as UMAP compiles for half a minute."""
    monkeypatch.setattr(fitting, "reduce_vectors", lambda vectors, *_: vectors[:, :5])
    monkeypatch.setattr(fitting, "draw_map", lambda vectors, *_: vectors[:, :2])


def fit(folder: Path, table: pd.DataFrame, vectors: np.ndarray, **changes: object) -> Path:
    """Run topic_fit and topic_words with `changes` of parameters, such as `topic_fit__seed`.

    Return the folder: topic_fit writes to `fitted` and topic_words to `out` below it.
    """
    named = {key.replace("__", "."): value for key, value in changes.items()}
    write_params(folder / "params.yaml", SMALL | named)
    dated = table if "date" in table else table.assign(date=None)
    files.write_table(folder / "documents.parquet", dated, parse.DOCUMENTS)
    files.write_json(folder / "measures.json", PIECES)
    np.save(folder / "embeddings.npy", vectors)
    documents, chosen = folder / "documents.parquet", ("--params", folder / "params.yaml")
    call(topic_fit, documents, folder, folder / "fitted", *chosen, "--metrics", folder / "fit.json")
    name(folder)
    return folder


def measures(folder: Path) -> dict[str, Any]:
    """Return the measures that topic_words wrote."""
    return files.read_json(folder / "tables" / "measures.json")


def name(folder: Path) -> None:
    """Run topic_words on what topic_fit wrote, with the parameters in the folder."""
    call(
        topic_words,
        *(folder / "documents.parquet", folder, folder / "fitted", folder, folder / "out"),
        *("--params", folder / "params.yaml", "--metrics", folder / "metrics.json"),
        *("--tables", folder / "tables"),
    )
