"""Planted topics are stable, structureless ones are not, and matches follow the formulas.

UMAP compiles for half a minute in each process, so refits cluster the vectors with some noise.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.topics import stability
from bertline.topics.fitting import Clusters, TopicFit
from bertline.topics.graph import Neighbours, search_exactly, within
from bertline.topics.tables import OUTLIERS, STABILITY
from stages import topic_stability
from tests.command import call, write_params

SMALL = {
    "topic_fit.method": "hdbscan",
    "topic_fit.hdbscan.min_cluster_size": 8,
    "topic_fit.hdbscan.min_samples": 3,
    "topic_fit.graph.min_topic_size": 8,
    "topic_fit.umap.n_neighbors": 5,
    "topic_stability.seeds": 3,
    "topic_stability.resamples": 3,
    "topic_stability.roundings": 0,
}
GROUPS = 4


@pytest.fixture
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a refit cluster the vectors themselves, with noise of its seed."""

    def reduce(
        vectors: np.ndarray, _: object, rows: np.ndarray, seed: int, __: object
    ) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(scale=0.3, size=(len(rows), vectors.shape[1]))
        return np.asarray(vectors[rows]) + noise

    monkeypatch.setattr(stability, "reduce_rows", reduce)


@pytest.fixture
def run(tmp_path: Path, without_umap: None) -> Callable[..., Path]:
    """Return a function that runs the stage on vectors and topics; it returns the folder."""

    def run(
        name: str,
        vectors: np.ndarray,
        core: np.ndarray,
        fit: dict[str, object] | None = None,
        **changes: object,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "embeddings.npy", vectors.astype(np.float32))
        named = {f"topic_stability.{key}": value for key, value in changes.items()}
        named |= {f"topic_fit.{key}": value for key, value in (fit or {}).items()}
        path = write_params(folder / "params.yaml", SMALL | named)
        write_fitted(folder / "fitted", vectors, core, params.load(path, "topic_fit", TopicFit))
        call(
            topic_stability,
            *(folder, folder / "fitted", folder / "out", "--params", path),
            *("--metrics", folder / "metrics.json", "--tables", folder / "tables"),
        )
        return folder

    return run


def write_fitted(folder: Path, vectors: np.ndarray, core: np.ndarray, options: TopicFit) -> None:
    """Write clusters as topic_fit does."""
    folder.mkdir()
    ids = [f"d{number}" for number in range(len(core))]
    table = pd.DataFrame({"id": ids, "cluster": core, "core_topic": core})
    table = table.assign(probability=1.0, x=0.0, y=0.0)
    near = search_exactly(vectors, options.neighbours_searched())
    Clusters(options, near, vectors, table).save(folder)


def planted(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors around one place for each group, and the groups."""
    groups = np.arange(count) % GROUPS
    scatter = np.random.default_rng(0).normal(scale=0.3, size=(count, 5))
    return 5 * np.eye(GROUPS, 5)[groups] + scatter, groups


def structureless(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors that hold no group, and groups that were drawn for them."""
    random = np.random.default_rng(1)
    return random.normal(size=(count, 5)), random.integers(GROUPS, size=count)


def test_planted_topics_are_stable(run):
    folder = run("planted", *planted(240))

    figures = json.loads((folder / "metrics.json").read_text())["measures"][0]
    table = pd.read_csv(folder / "tables" / "topics.csv")
    assert figures["mean_stability"] > 0.95, figures
    assert (figures["topics"], figures["stable_topics"], figures["refits"]) == (4, 4, 6)
    assert figures["topics_in_refits"] == [4] * 6
    assert figures["ari"] > 0.95
    assert table["verdict"].tolist() == ["stable"] * 4
    assert table["core"].tolist() == [60] * 4
    kept = json.loads((folder / "metrics.json").read_text())
    assert list(kept) == ["stable_share", "measures"]
    assert kept["stable_share"] == figures["stable_share"] == 1.0
    assert list(table.columns) == list(STABILITY)


def test_planted_communities_are_stable_and_each_kind_has_its_column(run):
    folder = run("graph", *planted(240), fit={"method": "graph"}, roundings=2)

    figures = json.loads((folder / "metrics.json").read_text())["measures"][0]
    table = pd.read_csv(folder / "tables" / "topics.csv")
    assert figures["stable_share"] == figures["stable_share_over_roundings"] == 1.0
    assert figures["ari_over_seeds"] == figures["ari_over_resamples"] == 1.0
    assert figures["refits"] == 8
    assert (table[["over_seeds", "over_resamples", "over_roundings"]] > 0.95).all(axis=None)


def test_communities_of_structureless_vectors_are_near_zero(run):
    folder = run("noise", *structureless(240), fit={"method": "graph"}, roundings=2)

    figures = json.loads((folder / "metrics.json").read_text())["measures"][0]
    assert figures["mean_stability"] < 0.1, figures
    assert figures["stable_share"] == 0


def test_turned_vectors_have_the_named_cosine():
    vectors = np.random.default_rng(0).normal(size=(20, 8))

    turned = stability.turn(vectors, np.random.default_rng(1))

    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(turned, axis=1)
    assert (vectors * turned).sum(axis=1) / lengths == pytest.approx(stability.ROUNDED, abs=1e-9)


def test_topics_of_structureless_vectors_are_near_zero(run):
    folder = run("noise", *structureless(240))

    figures = json.loads((folder / "metrics.json").read_text())["measures"][0]
    assert figures["mean_stability"] < 0.05, figures
    assert figures["stability_of_all_documents"] < 0.05
    assert figures["unstable_topics"] == GROUPS
    assert figures["stable_share"] == 0


def test_same_inputs_give_the_same_bytes(run):
    one, other = run("one", *planted(80)), run("other", *planted(80))

    for name in (
        "metrics.json",
        "tables/topics.csv",
        "out/matches.parquet",
    ):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_no_topic_has_no_stability(run):
    vectors, groups = structureless(60)

    folder = run("none", vectors, np.full_like(groups, OUTLIERS))

    figures = json.loads((folder / "metrics.json").read_text())["measures"][0]
    assert figures["topics"] == 0
    assert figures["mean_stability"] is None
    assert figures["stable_share"] == 0


def test_seeds_alone_have_no_column_of_resamples(run):
    folder = run("seeds", *planted(80), resamples=0)

    table = pd.read_csv(folder / "tables" / "topics.csv")
    assert table[["over_resamples", "over_roundings"]].isna().all(axis=None)
    assert (table["stability"] == table["over_seeds"]).all()


def test_no_refit_is_refused(run):
    with pytest.raises(BertlineError, match="are all 0, so there is no fit to compare with"):
        run("no", *planted(80), seeds=0, resamples=0)


def test_overlap_is_jaccard_over_documents_in_a_topic():
    one = np.array([0, 0, 0, 1, 1, -1])
    other = np.array([0, 0, 1, 1, -1, 1])

    found = stability.overlap(one, other, (2, 2))

    # topics 0 and 0 share 2 of 3 documents; 0 and 1 share 1 of 5; 1 and 1 share 1 of 4
    assert np.allclose(found, [[2 / 3, 1 / 5], [0, 1 / 4]])


def test_topics_are_matched_one_to_one_so_that_the_sum_is_greatest():
    # Each row would have the first column; .6 + .5 is more than .7 + 0.
    similarity = np.array([[0.7, 0.5, 0.0], [0.6, 0.0, 0.0], [0.0, 0.0, 0.0]])

    matched = stability.match(similarity)

    assert matched.tolist() == [1, 0, -1]
    assert stability.matched_values(similarity, matched).tolist() == [0.5, 0.6, 0]


def test_similarity_is_corrected_for_chance():
    jaccard, chance = np.array([1.0, 0.6, 0.2, 0.1]), np.array([0.2, 0.2, 0.2, 0.3])

    # (.6 - .2) / (1 - .2) = .5; below chance is 0
    assert np.allclose(stability.above_chance(jaccard, chance), [1, 0.5, 0, 0])


def test_one_topic_of_all_documents_is_chance():
    core, again = np.zeros(50, int), np.zeros(50, int)

    compared = stability.compare(
        core, stability.Refit("seed 1", np.arange(50), again), np.random.default_rng(0)
    )

    assert compared["jaccard"].tolist() == [1.0]
    assert compared["chance"].tolist() == pytest.approx([1.0])
    score = stability.above_chance(compared["jaccard"], compared["chance"])
    assert score.tolist() == [0]


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "unstable"), (0.499, "unstable"), (0.5, "partly stable"), (0.75, "stable"), (1, "stable")],
)
def test_verdicts_follow_the_thresholds(value, said):
    assert stability.verdict(value) == said


@pytest.mark.parametrize(
    ("drawn", "asked", "components"), [(4, 3, 2), (5, 4, 3), (6, 5, 4), (9, 5, 5)], ids=str
)
def test_a_draw_of_few_documents_asks_for_no_more_neighbours_and_dimensions_than_it_has(
    tmp_path, monkeypatch, drawn, asked, components
):
    path = write_params(tmp_path / "params.yaml", SMALL)
    options = params.load(path, "topic_fit", TopicFit).umap
    seen = []

    class Fitted:
        embedding_ = np.zeros((drawn, 5))

    def fit(vectors, near, seed, options):
        seen.append((near.numbers.shape, options.n_neighbors, options.n_components))
        return Fitted

    monkeypatch.setattr(stability.clustering, "fit_umap", fit)
    numbers = (np.arange(10)[:, None] + np.arange(8)) % 10
    neighbours = Neighbours(numbers, np.ones((10, 8)))

    stability.reduce_rows(np.ones((10, 3)), neighbours, np.arange(drawn), 1, options)

    assert seen == [((drawn, asked), asked, components)]


def test_neighbours_within_a_draw_are_renumbered_and_padded():
    # Four documents on a line at 0, 1, 3 and 7; the second is not drawn.
    numbers = np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0], [3, 2, 1]])
    distances = np.array([[0.0, 1, 3], [0, 1, 2], [0, 2, 3], [0, 4, 6]])

    found = within(Neighbours(numbers, distances), np.array([0, 2, 3]), 3)

    assert found.numbers.tolist() == [[0, 1, -1], [1, 0, -1], [2, 1, -1]]
    assert found.distances.tolist() == [[0, 3, 3], [0, 3, 3], [0, 4, 4]]
