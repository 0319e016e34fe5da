"""Clusters are found and numbered by size, bytes repeat, and odd inputs are refused.

What topic_words makes of the clusters is in test_topic_words.py.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.topics import clustering, fitting
from bertline.topics.fitting import Clusters, TopicFit
from tests.command import write_params
from tests.topics import planted


@pytest.fixture
def fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with clusters of scattered documents, without UMAP."""
    planted.skip_umap(monkeypatch)
    table, vectors = planted.scattered(100)
    path = write_params(tmp_path / "params.yaml", planted.SMALL)
    options = params.load(path, "topic_fit", TopicFit)
    clusters = fitting.fit_clusters(table["id"], table["text"].tolist(), vectors, options)
    clusters.save(tmp_path)
    return tmp_path


def test_clusters_are_loaded_as_they_were_found(fitted):
    table, vectors = planted.scattered(100)

    loaded = Clusters.load(fitted)

    assert loaded.table["id"].tolist() == table["id"].tolist()
    assert (loaded.reduced == vectors[:, :5]).all()
    assert set(loaded.core.tolist()) == {-1, 0, 1, 2, 3}
    sizes = [int((loaded.core == topic).sum()) for topic in range(4)]
    assert sizes == sorted(sizes, reverse=True)
    fitting.cluster_again(loaded.reduced, loaded.labels, loaded.settings.hdbscan)


def test_topics_are_numbered_by_size():
    labels = np.array([2, 0, 2, -1, 1, 2, 1, -1, -1, -1])

    numbered = fitting.number_by_size(labels)

    assert numbered.tolist() == [0, 2, 0, -1, 1, 0, 1, -1, -1, -1]
    assert fitting.number_clusters(labels, numbered, 4).tolist() == [2, 1, 0, -1]


@pytest.mark.parametrize(
    ("corrupt", "message"),
    [
        (lambda fit: (fit / "settings.json").unlink(), "settings.json does not exist"),
        (lambda fit: (fit / "settings.json").write_text("{}"), "seed is missing"),
        (lambda fit: (fit / "reduced.npy").write_bytes(b"x"), "as the array that topic-fit writes"),
        (lambda fit: np.save(fit / "reduced.npy", np.zeros((3, 5))), "has 3 rows.*has 100"),
        (lambda fit: np.save(fit / "neighbours.npy", np.zeros((3, 5), int)), "has 3 rows"),
        (lambda fit: np.save(fit / "neighbours.npy", np.zeros((100, 5))), "and not integers"),
        (
            lambda fit: pd.DataFrame({"id": ["a"]}).to_parquet(fit / "clusters.parquet"),
            "has no column cluster",
        ),
    ],
    ids=[
        *("no-settings", "empty", "no-array", "other-vectors", "other-neighbours"),
        *("no-integers", "other-table"),
    ],
)
def test_damaged_clusters_are_refused_in_a_sentence(fitted, corrupt, message):
    corrupt(fitted)

    with pytest.raises(BertlineError, match=message):
        Clusters.load(fitted)


def test_other_clusters_than_the_stored_ones_are_refused(fitted):
    loaded = Clusters.load(fitted)

    with pytest.raises(BertlineError, match="its version is another one.*dvc repro topic-fit"):
        fitting.cluster_again(loaded.reduced, loaded.labels * 0, loaded.settings.hdbscan)


def test_vectors_in_a_later_chunk_are_checked(monkeypatch):
    monkeypatch.setattr(clustering, "CHUNK", 3)
    vectors = np.zeros((10, 4), dtype=np.float32)
    vectors[7, 2] = math.inf

    with pytest.raises(BertlineError, match=r"vector of document 8 .*embed\.precision to fp32"):
        clustering.check_vectors(vectors, 10)


@pytest.mark.parametrize(
    ("method", "key", "enough"),
    [
        ("hdbscan", "umap.n_neighbors", 31),
        ("hdbscan", "umap.n_components", 32),
        ("hdbscan", "hdbscan.min_cluster_size", 30),
        ("hdbscan", "hdbscan.min_samples", 31),
        ("graph", "umap.n_neighbors", 31),
        ("graph", "graph.n_neighbors", 31),
        ("graph", "graph.min_topic_size", 30),
    ],
)
def test_too_few_documents_name_the_parameter_to_lower(tmp_path, method, key, enough):
    small = planted.SMALL | {"topic_fit.method": method, f"topic_fit.{key}": 30}
    path = write_params(tmp_path / "params.yaml", small)
    options = params.load(path, "topic_fit", TopicFit)

    clustering.check_size(enough, options.least_documents())
    with pytest.raises(BertlineError, match=rf"topic_fit\.{key} needs {enough} .*are {enough - 1}"):
        clustering.check_size(enough - 1, options.least_documents())


def test_too_few_documents_name_all_parameters_to_lower_at_once():
    least = {"umap.n_neighbors": 16, "graph.n_neighbors": 26, "graph.min_topic_size": 30}

    with pytest.raises(BertlineError) as caught:
        clustering.check_size(8, least)

    assert str(caught.value) == (
        "params.yaml: topic_fit.umap.n_neighbors needs 16, topic_fit.graph.n_neighbors needs 26, "
        "topic_fit.graph.min_topic_size needs 30 documents at least, and there are 8. Lower each "
        "(to 2, for example) and vocabulary.min_df (to 1), or add documents."
    )
