"""Hostile documents and vectors: too few, all alike, or no numbers."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.hostile.desk import DOCUMENTS, Case, Desk, accepted
from tests.hostile.downloads import PAGE
from tests.topics import planted

VECTORS = "vectors/embeddings.npy"


def saved(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Desk], None]:
    """Return what changes the vectors."""

    def corrupt(desk: Desk) -> None:
        path = desk.folder / VECTORS
        np.save(path, change(np.load(path)), allow_pickle=False)

    return corrupt


def with_value(number: float) -> Callable[[Desk], None]:
    """Return what puts `number` into the vector of document 8."""

    def change(vectors: np.ndarray) -> np.ndarray:
        vectors[7, 3] = number
        return vectors

    return saved(change)


def first(count: int) -> Callable[[Desk], None]:
    """Return what leaves the first documents only, with their vectors."""

    def corrupt(desk: Desk) -> None:
        desk.change_table("documents.parquet", lambda rows: rows.head(count))
        saved(lambda vectors: vectors[:count])(desk)

    return corrupt


def without_umap(desk: Desk) -> None:
    """Take the first dimensions for the reduced ones: UMAP compiles for half a minute."""
    planted.skip_umap(desk.monkeypatch)


def texts(*content: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what gives the documents these texts in turn."""
    return lambda rows: rows.assign(text=[content[n % len(content)] for n in range(len(rows))])


def all_alike(desk: Desk) -> None:
    """Let all documents be the same."""
    without_umap(desk)
    desk.change_table("documents.parquet", texts("orbit planet"))
    saved(np.ones_like)(desk)


def by_hdbscan(desk: Desk) -> None:
    """Let all documents be the same, for UMAP and HDBSCAN."""
    all_alike(desk)
    desk.parameters({"topic_fit.method": "hdbscan"})


def zeros(desk: Desk) -> None:
    """Let the vectors be zeros, and the texts differ."""
    without_umap(desk)
    desk.change_table("documents.parquet", lambda rows: rows.assign(text=rows["id"]))
    saved(np.zeros_like)(desk)


def repeated(desk: Desk) -> None:
    """Let every document be one of four."""
    without_umap(desk)
    desk.change_table("documents.parquet", texts("orbit", "puck", "gear", "prayer"))
    saved(lambda vectors: np.eye(4, 16, dtype=np.float32)[np.arange(len(vectors)) % 4])(desk)


def without_words(desk: Desk) -> None:
    """Let no document have a word."""
    desk.change_table("documents.parquet", texts("", "?"))


def pickled(desk: Desk) -> None:
    """Let the vectors be an array of objects, which only a pickle can hold."""
    header = {"descr": "|O", "fortran_order": False, "shape": (DOCUMENTS, 16)}
    with (desk.folder / VECTORS).open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(b"cio\nopen\n(S'run'\nS'w'\ntR.")


def have_no_topic(desk: Desk) -> None:
    """Hold the measures to no topic, and the table to all documents."""
    assert desk.read_json()["topics"] == 0
    assert len(desk.read_table("out/clusters.parquet")) == DOCUMENTS


def have_a_row_each(desk: Desk) -> None:
    """Hold the table to all documents."""
    assert len(desk.read_table("out/clusters.parquet")) == DOCUMENTS


def have_vectors(desk: Desk) -> None:
    """Hold the vectors to one finite one for each document."""
    vectors = np.load(desk.folder / "out" / "embeddings.npy")
    assert vectors.shape == (DOCUMENTS, 32)
    assert np.isfinite(vectors).all()


def shortest_and_longest(desk: Desk) -> None:
    """Let documents be empty or one character, and one of them a million."""
    given = ["", "a", "\U0001f52d"] * (DOCUMENTS // 3)
    given[7] = "comet " * 170_000
    desk.change_table("documents.parquet", texts(*given))


ARRAY = "embeddings.npy cannot be read as the array that embed writes"

CASES = [
    Case(
        "fewer-documents-than-neighbours",
        "topic_fit",
        "topic_fit.umap.n_neighbors needs 16, topic_fit.graph.n_neighbors needs 26 .* are 12",
        first(12),
    ),
    Case(
        "two-documents",
        "topic_fit",
        "topic_fit.umap.n_neighbors needs 16, topic_fit.graph.n_neighbors needs 26, .* are 2",
        first(2),
    ),
    Case(
        "fewer-documents-than-a-cluster",
        "topic_fit",
        "topic_fit.hdbscan.min_cluster_size needs 61 documents at least, and there are 60",
        lambda desk: desk.parameters(
            {"topic_fit.method": "hdbscan", "topic_fit.hdbscan.min_cluster_size": 61}
        ),
    ),
    Case(
        "fewer-documents-than-a-topic",
        "topic_fit",
        "topic_fit.graph.min_topic_size needs 61 documents at least, and there are 60",
        lambda desk: desk.parameters({"topic_fit.graph.min_topic_size": 61}),
    ),
    Case(
        "vectors-without-measures",
        "topic_words",
        "vectors/measures.json does not exist",
        lambda desk: (desk.folder / "vectors" / "measures.json").unlink(),
    ),
    Case(
        "measures-of-another-version",
        "topic_words",
        "vectors/measures.json has no `unseen_share`",
        lambda desk: (desk.folder / "vectors" / "measures.json").write_text(
            '{"longest_input": 64, "mean_word_pieces": 9.0, "long_share": 0, "unknown_share": 0}'
        ),
    ),
    accepted(
        "all-documents-alike",
        "topic_fit",
        "warning: no topic was found.*Lower topic_fit.graph.min_topic_size",
        all_alike,
        holds=have_no_topic,
    ),
    accepted(
        "all-documents-alike-for-hdbscan",
        "topic_fit",
        "warning: no topic was found.*Lower topic_fit.hdbscan.min_cluster_size",
        by_hdbscan,
        holds=have_no_topic,
    ),
    accepted(
        "four-documents-repeated",
        "topic_fit",
        "warning: no topic was found",
        repeated,
        holds=have_no_topic,
    ),
    accepted("vectors-of-zeros", "topic_fit", "'topics': [0-9]", zeros, holds=have_a_row_each),
    Case("no-words", "topic_words", "no word is left to name topics: .*min_df", without_words),
    Case(
        "not-a-number",
        "topic_fit",
        "the vector of document 8 has values that are not finite",
        with_value(np.nan),
    ),
    Case(
        "vectors-of-another-run",
        "topic_fit",
        r"shape \(59, 16\) and there are 60 documents",
        saved(lambda vectors: vectors[1:]),
    ),
    Case(
        "vectors-of-three-dimensions",
        "topic_fit",
        r"has the shape \(60, 4, 4\)",
        saved(lambda vectors: vectors.reshape(60, 4, 4)),
    ),
    Case(
        "vectors-of-integers",
        "topic_fit",
        "holds int64 and not floating-point numbers",
        saved(lambda vectors: vectors.astype(np.int64)),
    ),
    Case("vectors-are-a-page", "topic_fit", ARRAY, lambda desk: desk.write(VECTORS, PAGE)),
    Case(
        "vectors-are-a-pickle",
        "topic_fit",
        ARRAY,
        pickled,
        holds=lambda desk: not (desk.folder / "run").exists(),
    ),
    Case(
        "vectors-are-missing",
        "topic_fit",
        "embeddings.npy does not exist",
        lambda desk: desk.remove(VECTORS),
    ),
    Case(
        "clusters-of-another-run",
        "topic_words",
        "are of other documents .*: they come from different runs. Run `dvc repro topic-fit`",
        lambda desk: desk.change_table(
            "fitted/clusters.parquet", lambda rows: rows.assign(id=rows["id"] + "x")
        ),
    ),
    Case(
        "clusters-of-more-vectors",
        "topic_stability",
        r"shape \(59, 16\) and there are 60 documents",
        saved(lambda vectors: vectors[1:]),
    ),
    Case(
        "documents-are-a-page",
        "embed",
        "cannot be read as the Parquet table",
        lambda desk: desk.write("documents.parquet", PAGE),
    ),
    Case(
        "documents-without-a-column",
        "embed",
        "has no column text; it has id, part, group",
        lambda desk: desk.change_table("documents.parquet", lambda rows: rows.drop(columns="text")),
    ),
    Case(
        "no-documents",
        "embed",
        "documents.parquet has no rows",
        lambda desk: desk.change_table("documents.parquet", lambda rows: rows.head(0)),
    ),
    accepted(
        "shortest-and-longest", "embed", "'documents': 60", shortest_and_longest, holds=have_vectors
    ),
]
