"""Topics that are planted are found again, and what is measured is what the formulas say.

UMAP compiles itself for half a minute in each process, so only the tests marked slow run it; the
others cluster the vectors as they are.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bertopic import BERTopic
from sklearn.metrics import normalized_mutual_info_score

from bertline.core import files, params
from bertline.core.errors import BertlineError
from bertline.topics import clustering
from stages import parse, topic_fit
from tests import tiny
from tests.command import call, write_params

DIMENSION = 16
SMALL = {
    "topic_fit.hdbscan.min_cluster_size": 10,
    "topic_fit.hdbscan.min_samples": 5,
    "topic_fit.outliers.strategy": "none",
    "topic_numbers": [2, 3],
    "vocabulary.boilerplate": None,
}


def planted(count: int, *, noise: float = 0.3) -> tuple[pd.DataFrame, np.ndarray]:
    """Return documents of four groups and vectors that lie around one axis for each group."""
    table = tiny.documents(count)
    table.insert(0, "id", [f"d{number}" for number in range(count)])
    table.insert(1, "part", "all")
    scatter = np.random.default_rng(0).normal(scale=noise, size=(count, DIMENSION))
    vectors = 3 * np.eye(4, DIMENSION)[np.arange(count) % 4] + scatter
    return table, vectors.astype(np.float32)


def load_options(folder: Path, **changes: object) -> topic_fit.TopicFit:
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    path = write_params(folder / "params.yaml", SMALL | changed)
    return params.load(path, "topic_fit", topic_fit.TopicFit)


@pytest.fixture
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the first dimensions of the vectors for the reduced ones, and two for the map."""
    monkeypatch.setattr(
        topic_fit, "reduce_vectors", lambda vectors, *_: (None, vectors[:, :5], vectors[:, :2])
    )


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that runs the stage on a table and vectors; it returns the folder."""

    def run(name: str, table: pd.DataFrame, vectors: np.ndarray, **changes: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        load_options(folder, **changes)
        files.write_table(folder / "documents.parquet", table, parse.DOCUMENTS)
        np.save(folder / "embeddings.npy", vectors)
        call(
            topic_fit,
            *(folder / "documents.parquet", folder, folder, folder / "out"),
            *("--params", folder / "params.yaml", "--metrics", folder / "metrics.json"),
            *("--table", folder / "table.csv", "--plots", folder / "plots"),
        )
        return folder

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check_planted(folder: Path, table: pd.DataFrame) -> None:
    """Hold the output to four topics that are the four groups, each with its own words."""
    metrics = json.loads((folder / "metrics.json").read_text())
    assignments = files.read_table(folder / "out" / "assignments.parquet")
    topics = files.read_table(folder / "out" / "topics.parquet")
    assert metrics["topics"] == 4, metrics
    assert assignments["id"].tolist() == table["id"].tolist()
    assert assignments.notna().all(axis=None)
    assert assignments["probability"].between(0, 1).all()
    agreement = normalized_mutual_info_score(table["group"], assignments["topic"])
    assert agreement > 0.95, f"NMI {agreement}"
    assert metrics["nmi"] == pytest.approx(agreement, abs=1e-4)
    assert topics["count"].sum() == len(table)
    sizes = assignments["topic"].value_counts()
    assert topics.set_index("topic")["count"].to_dict() == sizes.to_dict()
    of_group = {name: set(words.split()) for name, words in tiny.GROUPS.items()}
    found = {row.topic: set(row.words) for row in topics.itertuples() if row.topic >= 0}
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, of_group.values()))
    texts = table["text"].groupby(assignments["topic"].to_numpy()).agg(set)
    for row in topics.itertuples():
        assert set(row.representative_documents) <= texts[row.topic]
        weights = list(row.weights)
        assert weights == sorted(weights, reverse=True)


def test_planted_topics_are_found(run, without_umap):
    table, vectors = planted(80)

    folder = run("once", table, vectors)

    check_planted(folder, table)
    listed = pd.read_csv(folder / "table.csv")
    assert listed.columns.tolist() == ["topic", "count", "share", "name"]
    assert listed["share"].tolist() == [0.25] * 4


@pytest.mark.slow
def test_planted_topics_are_found_through_umap_the_same_twice(run):
    table, vectors = planted(120)

    first, again = run("first", table, vectors), run("again", table, vectors)

    check_planted(first, table)
    assert contents(again) == contents(first)


@pytest.mark.slow
def test_another_seed_draws_another_map_of_the_same_topics(run):
    table, vectors = planted(120)

    folder = run("other", table, vectors, topic_fit__seed=7)
    check_planted(folder, table)
    placed = files.read_table(folder / "out" / "assignments.parquet")
    before = files.read_table(run("first", table, vectors) / "out" / "assignments.parquet")

    assert not np.allclose(placed[["x", "y"]], before[["x", "y"]])


@pytest.mark.slow
def test_documents_that_are_all_the_same_are_one_group_of_outliers_through_umap(run):
    table, vectors = planted(60)

    folder = run("same", table.assign(text="orbit planet"), np.ones_like(vectors))

    assert json.loads((folder / "metrics.json").read_text())["documents"] == 60


def test_same_inputs_give_the_same_bytes(run, without_umap):
    table, vectors = planted(80)

    first, again = run("first", table, vectors), run("again", table, vectors)

    assert len(contents(first)) > 8
    assert contents(again) == contents(first)


def test_outliers_are_counted_and_come_first(run, without_umap):
    table, vectors = planted(100)
    # 20 documents lie apart from all groups and from each other.
    vectors[80:] = 100 * np.random.default_rng(1).normal(size=(20, DIMENSION))

    folder = run("out", table, vectors)

    assignments = files.read_table(folder / "out" / "assignments.parquet")
    assert (assignments["topic"][80:] == topic_fit.OUTLIERS).all()
    assert (assignments["topic"][:80] >= 0).all()
    topics = files.read_table(folder / "out" / "topics.parquet")
    assert topics["topic"].tolist() == [-1, 0, 1, 2, 3]
    assert topics["count"].tolist() == [20] * 5
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["topics"], metrics["outlier_share"]) == (4, 0.2)
    assert metrics["nmi_without_outliers"] == 1.0
    assert metrics["nmi"] < 1


def test_documents_that_are_all_the_same_have_no_topic(run, without_umap):
    table, vectors = planted(40)

    folder = run("same", table.assign(text="orbit planet"), np.ones_like(vectors))

    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["topics"], metrics["outlier_share"]) == (0, 1.0)
    assert (metrics["diversity"], metrics["npmi"], metrics["nmi_without_outliers"]) == (None,) * 3
    assert len(files.read_table(folder / "out" / "assignments.parquet")) == 40


def test_empty_documents_are_assigned_as_well(run, without_umap):
    table, vectors = planted(84)
    table.loc[[0, 5], "text"] = ["", "  \n"]

    folder = run("empty", table, vectors)

    assignments = files.read_table(folder / "out" / "assignments.parquet")
    assert len(assignments) == 84
    assert assignments["topic"].nunique() == 4


def test_documents_without_groups_have_no_agreement(run, without_umap):
    table, vectors = planted(80)

    folder = run("none", table.assign(group=None), vectors)

    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["topics"] == 4
    assert {metrics[name] for name in ("nmi", "ami", "ari", "nmi_without_outliers")} == {None}


@pytest.mark.parametrize("weighting", [False, True], ids=["tf-idf", "bm25"])
def test_saved_model_loads_and_assigns_by_the_nearest_topic(run, without_umap, weighting):
    table, vectors = planted(80)
    folder = run("model", table, vectors, topic_fit__words__ctfidf__bm25_weighting=weighting)

    model = BERTopic.load(folder / "out" / "model")

    topics = files.read_table(folder / "out" / "topics.parquet")
    for row in topics.itertuples():
        assert [word for word, _ in model.get_topic(row.topic)] == list(row.words)
    fresh, others = planted(40, noise=0.2)
    assigned, _ = model.transform(fresh["text"].tolist(), others)
    assert normalized_mutual_info_score(fresh["group"], assigned) == pytest.approx(1)


def test_output_holds_tables_and_a_model_without_pickle(run, without_umap):
    folder = run("out", *planted(80)) / "out"

    assert list(contents(folder)) == [
        "assignments.parquet",
        "fit/arrays.safetensors",
        "fit/embeddings.npy",
        "fit/settings.json",
        "model/config.json",
        "model/ctfidf.safetensors",
        "model/ctfidf_config.json",
        "model/topic_embeddings.safetensors",
        "model/topics.json",
        "protocol.json",
        "topics.parquet",
    ]


def test_failed_run_leaves_the_earlier_output(run, without_umap, monkeypatch, tmp_path):
    folder = run("out", *planted(80))
    before = contents(folder)
    monkeypatch.setattr(BERTopic, "save", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))

    with pytest.raises(OSError, match="full"):
        call(
            topic_fit,
            *(folder / "documents.parquet", folder, folder, folder / "out"),
            *("--params", folder / "params.yaml"),
        )

    assert contents(folder) == before


@pytest.mark.parametrize(
    ("shape", "documents"), [((9, 4), 10), ((11, 4), 10), ((10,), 10)], ids=str
)
def test_vectors_of_another_run_are_refused(shape, documents):
    with pytest.raises(BertlineError, match=r"shape \(.*there are 10 documents.*dvc repro embed"):
        clustering.check_vectors(np.zeros(shape, dtype=np.float32), documents)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("chunk", [3, 100], ids=["in-a-later-chunk", "in-the-first-chunk"])
def test_vector_that_is_no_number_is_named(monkeypatch, value, chunk):
    monkeypatch.setattr(clustering, "CHUNK", chunk)
    vectors = np.zeros((10, 4), dtype=np.float32)
    vectors[7, 2] = value

    with pytest.raises(BertlineError, match=r"vector of document 8 .*embed\.precision to fp32"):
        clustering.check_vectors(vectors, 10)


@pytest.mark.parametrize(
    ("key", "value", "enough"),
    [
        ("umap.n_neighbors", 30, 31),
        ("umap.n_components", 30, 32),
        ("hdbscan.min_cluster_size", 30, 30),
        ("hdbscan.min_samples", 30, 31),
    ],
)
def test_too_few_documents_name_the_parameter_to_lower(tmp_path, key, value, enough):
    options = load_options(tmp_path, **{f"topic_fit__{key}".replace(".", "__"): value})

    clustering.check_size(enough, options.umap, options.hdbscan)
    with pytest.raises(BertlineError, match=rf"topic_fit\.{key} needs {enough} .*are {enough - 1}"):
        clustering.check_size(enough - 1, options.umap, options.hdbscan)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        pytest.param("the and of", {}, id="stop-words-only"),
        pytest.param("", {}, id="no-word"),
        pytest.param("! ? .", {}, id="punctuation-only"),
        pytest.param("orbit", {"vocabulary__min_df": 41}, id="min-df-too-high"),
    ],
)
def test_empty_vocabulary_is_a_sentence(run, without_umap, text, changes):
    table, vectors = planted(40)

    with pytest.raises(BertlineError, match=r"no word is left.*vocabulary\.min_df"):
        run("empty", table.assign(text=text), vectors, **changes)


def test_word_that_one_topic_alone_has_names_it(run, without_umap):
    """Were documents of a topic joined before they are counted, min_df 5 would leave no word."""
    folder = run("words", *planted(80))

    topics = files.read_table(folder / "out" / "topics.parquet")
    assert topics["words"].map(len).tolist() == [10] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"topic_fit__umap__metric": "manhattan"}, "'cosine' or 'euclidean'"),
        ({"topic_fit__hdbscan__min_cluster_size": 1}, "greater than or equal to 2"),
    ],
)
def test_impossible_parameters_are_refused(tmp_path, changes, message):
    with pytest.raises(BertlineError, match=message):
        load_options(tmp_path, **changes)
