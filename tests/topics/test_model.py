"""A model that was saved and loaded assigns every document as the one in memory does."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.topics import clustering, fitting, graph, model
from bertline.topics.model import TopicModel
from tests.topics import planted
from tests.topics.planted import scattered

STRATEGIES = ("none", "embeddings", "c-tf-idf", "distributions", "probabilities")


class FirstDimensions:
    """UMAP compiles for half a minute: this takes the first dimensions for the reduced ones."""

    @staticmethod
    def transform(vectors: np.ndarray) -> np.ndarray:
        return vectors[:, :5]


@pytest.fixture
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    planted.skip_umap(monkeypatch)
    monkeypatch.setattr(model, "_umap", lambda *_: FirstDimensions)


def fit(folder: Path, documents: tuple[pd.DataFrame, np.ndarray], **changes: object) -> TopicModel:
    """Run the stages; return the model that they saved, from memory."""
    folder.mkdir(exist_ok=True)
    kept: list[TopicModel] = []
    with pytest.MonkeyPatch.context() as patch:
        save = TopicModel.save
        patch.setattr(TopicModel, "save", lambda one, *rest: (kept.append(one), save(one, *rest)))
        planted.fit(folder, *documents, **changes)
    return kept[0]


def check_reload(
    folder: Path, in_memory: TopicModel, table: pd.DataFrame, vectors: np.ndarray
) -> TopicModel:
    """Compare the loaded model with the fit on its documents, and with memory on new ones."""
    loaded = TopicModel.load(folder / "out")
    assigned = files.read_table(folder / "out" / "assignments.parquet")
    texts = table["text"].tolist()
    strategy = in_memory.settings.outliers.strategy
    if strategy in {"c-tf-idf", "distributions"}:
        with pytest.raises(BertlineError, match="needs the documents' texts"):
            loaded.assign(vectors)
    else:
        shuffled = np.random.default_rng(1).permutation(len(vectors))
        found, _ = loaded.assign(vectors[shuffled])
        assert found.tolist() == assigned["topic"][shuffled].tolist()
    found, probabilities = loaded.assign(vectors, texts)
    assert found.tolist() == assigned["topic"].tolist()
    assert probabilities.astype(np.float32).tolist() == assigned["probability"].tolist()
    # another machine's rounding: recognised by the text
    found, _ = loaded.assign(vectors + np.float32(1e-3), texts)
    assert found.tolist() == assigned["topic"].tolist()

    unseen, others = scattered(40, seed=9)
    own = [f"{text} unseen" for text in unseen["text"]]
    there, sure = loaded.assign(others, own)
    here, sure_here = in_memory.assign(others, own)
    assert there.tolist() == here.tolist()
    assert sure.tolist() == sure_here.tolist()
    assert len(set(there.tolist())) > 3
    far = model.ExactNeighbours(vectors, "cosine").query(others, 1)[1][:, 0] > loaded.reach
    if loaded.settings.umap.metric == "cosine":
        assert (there[far] == -1).all()
        assert (sure[far] == 0).all()
        if strategy not in {"none", "c-tf-idf", "distributions"}:
            assert (there[~far] >= 0).all()  # the threshold is 0
    alone = [int(loaded.assign(others[[row]], [own[row]])[0][0]) for row in range(5)]
    assert alone == there[:5].tolist()
    return loaded


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_loaded_model_assigns_as_the_fit_did(tmp_path, without_umap, strategy):
    documents = scattered(100)
    in_memory = fit(tmp_path, documents, topic_words__outliers__strategy=strategy)

    check_reload(tmp_path, in_memory, *documents)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_loaded_model_votes_as_the_fit_did(tmp_path, without_umap, strategy):
    table, vectors = scattered(200)
    in_memory = fit(
        tmp_path,
        (table, vectors),
        topic_fit__method="graph",
        topic_words__outliers__strategy=strategy,
    )

    loaded = check_reload(tmp_path, in_memory, table, vectors)

    assert loaded.clusters is None
    grouped = np.arange(200) % 5 != 0
    # as if they were new
    found, _ = loaded.assign(vectors + np.float32(1e-4), [f"{text} new" for text in table["text"]])
    assert (found == in_memory.topics)[grouped].mean() > 0.95


@pytest.mark.slow
def test_equal_documents_have_no_topic_to_vote_for(tmp_path, without_umap):
    table, vectors = scattered(60)
    same = np.ones_like(vectors)
    fitted = fit(tmp_path, (table.assign(text="orbit planet"), same), topic_fit__method="graph")

    loaded = TopicModel.load(tmp_path / "out")

    assert (fitted.topics == -1).all()
    assert loaded.assign(same[:2] + 1, ["a", "b"])[0].tolist() == [-1, -1]


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_loaded_model_assigns_as_the_fit_did_through_umap(tmp_path, monkeypatch, metric):
    documents = scattered(200)
    fitted: list[object] = []
    fit_umap = clustering.fit_umap
    monkeypatch.setattr(
        clustering, "fit_umap", lambda *given: (fitted.append(fit_umap(*given)), fitted[-1])[1]
    )
    in_memory = fit(
        tmp_path,
        documents,
        topic_words__outliers__strategy="embeddings",
        topic_fit__umap__metric=metric,
    )

    loaded = check_reload(tmp_path, in_memory, *documents)

    umap = fitted[0]
    umap._small_data, umap._knn_search_index = False, loaded._umap._knn_search_index
    _, others = scattered(40, seed=9)
    for row in others:
        assert np.array_equal(loaded._umap.transform(row[None]), umap.transform(row[None]))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_exact_neighbours_are_the_nearest(metric):
    random = np.random.default_rng(3)
    vectors, others = random.normal(size=(60, 8)), random.normal(size=(5, 8))
    vectors[7] = 0

    numbers, distances = model.ExactNeighbours(vectors, metric).query(others, 4)

    for row, other in enumerate(others):
        if metric == "euclidean":
            expected = np.linalg.norm(vectors - other, axis=1)
        else:
            sizes = np.linalg.norm(vectors, axis=1) * np.linalg.norm(other)
            expected = 1 - vectors @ other / np.where(sizes > 0, sizes, 1)
        order = np.argsort(expected)[:4]
        assert numbers[row].tolist() == order.tolist()
        assert distances[row] == pytest.approx(expected[order], abs=1e-5)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_are_the_same_in_any_batch(monkeypatch, metric):
    random = np.random.default_rng(4)
    vectors = random.integers(3, size=(300, 6)).astype(np.float32)  # many equally far
    others = random.integers(3, size=(50, 6)).astype(np.float32) + np.float32(0.1)
    search = model.ExactNeighbours(vectors, metric)
    together = search.query(others, 7)

    monkeypatch.setattr(model, "BLOCK", 3)
    apart = [search.query(others[rows], 7) for rows in (slice(0, 1), slice(1, 30), slice(30, 50))]

    for part, whole in enumerate(together):
        assert np.array_equal(np.vstack([found[part] for found in apart]), whole)


def test_reach_is_the_distance_that_few_documents_exceed():
    distances = np.zeros((101, 3), np.float32)
    distances[:, 1] = distances[:, 2] = np.arange(101) / 100  # the first has two copies
    distances[1:6, 1] = 0  # a copy each, and another document behind it
    neighbours = graph.Neighbours(np.zeros((101, 3), np.int32), distances)

    # Five of .01, .02, …, 1.00 exceed .9505, 95% of the way from the first to the last.
    assert model.find_reach(neighbours) == pytest.approx(0.9505, abs=1e-6)
    copies = graph.Neighbours(np.zeros((4, 3), np.int32), np.zeros((4, 3), np.float32))
    assert model.find_reach(copies) == float("inf")


@pytest.mark.parametrize("text", ["", " \n", "?!", "… _ —", "\u200b"])
def test_text_without_letter_or_digit_is_empty(text):
    assert model.is_empty(text)
    assert not any(model.is_empty(text + other) for other in ("a", "7", "ж", "語", "ह"))


def test_documents_with_the_same_text_or_vector_are_one():
    vectors = np.array([[1, 0], [2, 0], [1, 0], [3, 0], [4, 0]], np.float32)
    texts = ["a", "b", "c", "c", "e"]  # 0 and 2 share a vector, 2 and 3 a text

    assert fitting.first_alike(vectors, texts).tolist() == [0, 1, 0, 0, 4]


@pytest.mark.slow
def test_equal_documents_have_one_topic(tmp_path, without_umap):
    table, vectors = scattered(100)
    table.loc[1, "text"] = table.loc[0, "text"]  # the first is an outlier, the second is in a group

    topics = fit(tmp_path, (table, vectors)).topics

    assert topics[0] == topics[1]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a fit, with its documents and vectors."""
    folder = tmp_path_factory.mktemp("fit")
    with pytest.MonkeyPatch.context() as patch:
        planted.skip_umap(patch)
        fit(folder, scattered(100), topic_words__outliers__strategy="embeddings")
    return folder


@pytest.fixture
def fitted(tmp_path: Path, stored: Path, without_umap: None) -> Path:
    """Return a copy of the fit."""
    return shutil.copytree(stored, tmp_path / "copy")


@pytest.mark.slow
def test_vectors_of_another_encoder_are_refused(fitted):
    loaded = TopicModel.load(fitted / "out")

    with pytest.raises(BertlineError, match=r"shape \(3, 7\).*16 numbers.*same encoder"):
        loaded.assign(np.zeros((3, 7)))


@pytest.mark.parametrize(
    ("corrupt", "message"),
    [
        (lambda fit: (fit / "settings.json").unlink(), "settings.json does not exist"),
        (lambda fit: (fit / "settings.json").write_text("{}"), "seed is missing"),
        (lambda fit: (fit / "arrays.safetensors").write_bytes(b"x" * 99), "cannot be read as the"),
        (lambda fit: np.save(fit / "embeddings.npy", np.zeros((3, 16))), "different runs"),
        (lambda fit: change(fit, "labels", lambda labels: labels * 0), "its version is another"),
        (lambda fit: change(fit, "topic_of", None), "`topic_of` is missing, or does not match"),
        (
            lambda fit: (fit.parent / "model" / "ctfidf.safetensors").rename(
                fit.parent / "model" / "ctfidf.bin"
            ),
            "ctfidf.safetensors does not exist",
        ),
    ],
    ids=[
        *("no-settings", "empty", "no-safetensors", "other-vectors", "other-clusters", "no-array"),
        "pickle-beside",
    ],
)
def test_a_damaged_model_is_refused_in_a_sentence(fitted, corrupt, message):
    corrupt(fitted / "out" / "fit")

    with pytest.raises(BertlineError, match=message):
        TopicModel.load(fitted / "out")


def change(folder: Path, name: str, changing: object) -> None:
    arrays = load_file(folder / "arrays.safetensors")
    if changing is None:
        del arrays[name]
    else:
        arrays[name] = changing(arrays[name])
    save_file(arrays, folder / "arrays.safetensors")


@pytest.mark.slow
def test_new_document_without_text_has_no_topic(fitted):
    loaded = TopicModel.load(fitted / "out")
    near = loaded.vectors[[0]] + np.float32(1e-3)  # no fitted document, and among those of a topic

    topics, probabilities = loaded.assign(np.repeat(near, 4, axis=0), ["new", "", " \n", "?!"])

    assert topics[0] >= 0
    assert topics[1:].tolist() == [-1, -1, -1]
    assert probabilities[1:].tolist() == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["graph", "hdbscan"])
def test_document_unlike_all_fitted_ones_has_no_topic(tmp_path, without_umap, method):
    table, vectors = planted.planted(100)
    fit(
        tmp_path,
        (table, vectors),
        topic_fit__method=method,
        topic_words__outliers__strategy="embeddings",
    )
    loaded = TopicModel.load(tmp_path / "out")
    axes = np.eye(16, dtype=np.float32)
    foreign = np.vstack([axes[[7]], -axes[[0]], np.zeros((1, 16), np.float32)])
    between = axes[[0]] + axes[[1]]  # of two topics, half of each

    topics, probabilities = loaded.assign(np.vstack([foreign, between, 2 * axes[[0]]]))

    assert (loaded.topics >= 0).all()
    assert topics[:4].tolist() == [-1] * 4
    assert probabilities[:4].tolist() == [0] * 4
    assert topics[4] == loaded.topics[0]
    assert probabilities[4] > 0.5


@pytest.mark.slow
def test_loading_does_not_ask_for_an_encoder(fitted, monkeypatch):
    messages: list[str] = []
    monkeypatch.setattr(logging.getLogger("BERTopic"), "warning", messages.append)

    TopicModel.load(fitted / "out")

    assert messages == []
