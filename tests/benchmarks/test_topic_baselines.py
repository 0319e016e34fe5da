"""Baselines find planted topics, with words of the vocabulary only, and their rows are means."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import baseline_models, topic_baselines
from bertline.core import files, params
from bertline.core.errors import BertlineError
from bertline.topics import graph
from bertline.topics.fitting import Clusters, TopicFit
from bertline.topics.tables import BASELINES, CLUSTERS, HELD_OUT, MEASURES, OUTLIERS, SPREAD
from bertline.topics.vocabulary import Corpus, Vocabulary
from stages import parse
from tests import tiny
from tests.command import call, write_params

COUNT = 80
VOCABULARY = Vocabulary(
    stop_words="english",
    more_stop_words=[],
    min_df=1,
    tokenizer="words",
    boilerplate=None,
    ngram_range=[1, 1],
    top_words=10,
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    texts = [*tiny.documents(COUNT)["text"], "the and of"]
    return Corpus(texts, VOCABULARY)


def check_planted(outcome: baseline_models.Outcome) -> None:
    """Hold a model to the four groups, and to no topic for the document without a word."""
    groups = np.arange(COUNT) % 4
    assert outcome.topics[COUNT] == OUTLIERS
    for topic, words in enumerate(outcome.words):
        of_topic = set(groups[outcome.topics[:COUNT] == topic].tolist())
        assert len(of_topic) == 1, outcome
        group = list(tiny.GROUPS)[of_topic.pop()]
        assert set(words) <= set(tiny.GROUPS[group].split())
    assert len(outcome.words) == 4


def test_lda_finds_planted_topics_and_the_same_ones_with_the_same_seed(corpus):
    pytest.importorskip("tomotopy")

    one, other = (
        baseline_models.fit_lda(corpus.tokens, corpus.words, 4, 1, iterations=200, most=8)
        for _ in range(2)
    )

    check_planted(one)
    assert one.words == other.words
    assert np.array_equal(one.topics, other.topics)


def test_nmf_finds_planted_topics(corpus):
    counts = baseline_models.weigh(corpus.counts())
    check_planted(baseline_models.fit_nmf(counts, corpus.words, 4, 1, most=10))


def test_keynmf_finds_planted_topics_with_precomputed_vectors(corpus):
    pytest.importorskip("turftopic")
    texts = [*tiny.documents(COUNT)["text"], "the and of"]
    of_group = {word: n for n, words in enumerate(tiny.GROUPS.values()) for word in words.split()}
    random = np.random.default_rng(0)
    word_vectors = np.eye(4)[[of_group[word] for word in corpus.words]]
    word_vectors += random.normal(scale=0.05, size=word_vectors.shape)
    vectors = np.eye(4)[np.arange(COUNT + 1) % 4]
    encoder = baseline_models.WordVectors(corpus.words, word_vectors)

    keywords = baseline_models.extract_keywords(texts, vectors, corpus.vectorizer(), encoder)
    found = baseline_models.fit_keynmf(
        keywords, texts, 4, 1, vectorizer=corpus.vectorizer(), most=10
    )

    check_planted(found)


def write_inputs(folder: Path, **changes: object) -> None:
    table = tiny.documents(COUNT)
    table.insert(0, "id", [f"d{number}" for number in range(COUNT)])
    table = table.assign(part="all", date=None)
    files.write_table(folder / "documents.parquet", table, parse.DOCUMENTS)
    vectors = 3 * np.eye(4, 32)[np.arange(COUNT) % 4]
    vectors += np.random.default_rng(0).normal(scale=0.3, size=vectors.shape)
    np.save(folder / "embeddings.npy", vectors.astype(np.float32))
    small = {
        "topic_numbers": [3, 4],
        "vocabulary.min_df": 1,
        "vocabulary.boilerplate": None,
        "topic_fit.graph.n_neighbors": 5,
        "topic_fit.graph.min_topic_size": 5,
        "topic_fit.hdbscan.min_cluster_size": 10,
        "topic_fit.hdbscan.min_samples": 5,
    }
    path = write_params(folder / "params.yaml", small | changes)
    options = params.load(path, "topic_fit", TopicFit)
    near = graph.search_exactly(vectors, options.neighbours_searched())
    places = pd.DataFrame(0, index=range(COUNT), columns=CLUSTERS.names).assign(id=table["id"])
    with files.whole_folder(folder / "clusters") as out:
        Clusters(options, near, vectors[:, :5], places).save(out)


def run(folder: Path, encoder: Path) -> None:
    call(
        topic_baselines,
        *(folder / "documents.parquet", folder, folder / "clusters", encoder),
        folder / "table.csv",
        *("--params", folder / "params.yaml"),
    )


@pytest.mark.slow
def test_one_command_measures_all_models_alike(tmp_path, tiny_bert, monkeypatch, capfd):
    for name in baseline_models.PACKAGES:
        pytest.importorskip(name)
    reduced = lambda vectors, near, rows, *_: vectors[rows][:, :5]  # noqa: E731
    monkeypatch.setattr(topic_baselines, "reduce_rows", reduced)
    write_inputs(tmp_path)

    run(tmp_path, tiny_bert)

    table = files.read_csv(tmp_path / "table.csv", BASELINES, command="make baselines")
    assert list(table.columns) == list(BASELINES)
    requested = table.groupby("model")["requested_topics"].apply(
        lambda rows: rows.dropna().tolist()
    )
    own = ["Bertline (graph)", "Bertline (hdbscan)"]
    assert requested.to_dict() == dict.fromkeys(
        ["BERTopic (default settings)", *own, "KeyNMF", "LDA", "NMF"], [3, 4]
    )
    # the number that a model finds
    assert table.loc[table["requested_topics"].isna(), "model"].tolist() == [
        requested.index[0],
        *own,
    ]
    assert (table["seeds"] == 2).all()
    assert table["corpus"].nunique() == 1
    assert (table["coverage"] + table["outlier_share"]).tolist() == pytest.approx([1] * len(table))
    four = table[table["requested_topics"] == 4].set_index("model")
    assert (four["topics"] == 4).all()
    assert four.loc[["NMF", "BERTopic (default settings)", *own], "ami"].min() > 0.95, four["ami"]
    # words of planted topics occur in no document of another one, in either half
    found = four["npmi_held_out"]
    assert found[[*own, "NMF"]].to_numpy() == pytest.approx(
        four.loc[[*own, "NMF"], "npmi"], abs=0.1
    )
    assert four.loc[own, "npmi_held_out_times_coverage"].to_numpy() == pytest.approx(found[own])
    assert "npmi_times_coverage" in capfd.readouterr().err


def test_more_topics_than_words_are_refused_before_any_work(tmp_path, tiny_bert, monkeypatch):
    monkeypatch.setattr(baseline_models, "PACKAGES", ())
    write_inputs(tmp_path, topic_numbers=[3, 41])

    with pytest.raises(BertlineError, match="topic_numbers requests 41 topics, and there are 80"):
        run(tmp_path, tiny_bert)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(baseline_models, "PACKAGES", ("numpy", "no_such_package"))

    with pytest.raises(BertlineError, match="needs no_such_package, which .*`make baselines`"):
        baseline_models.require_packages()


def test_rows_are_means_over_seeds_with_their_sd():
    heads = [("A", None, 0.1), ("A", None, 0.3), ("B", 10, 0.5)]
    rows = [
        {"model": model, "requested_topics": number} | dict.fromkeys([*MEASURES, *HELD_OUT], value)
        for model, number, value in heads
    ]

    found = topic_baselines.summarise(pd.DataFrame(rows)).set_index("model")

    # the mean of .1 and .3 is .2, their SD .2 / sqrt(2)
    assert found["npmi"].to_dict() == {"A": 0.2, "B": 0.5}
    assert found.loc["A", "npmi_sd"] == pytest.approx(0.1414)
    assert found["seeds"].to_dict() == {"A": 2, "B": 1}
    assert found.loc["B", [f"{name}_sd" for name in SPREAD]].isna().all()
