"""Baselines find planted topics, with words of the vocabulary only, and their rows are means."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import baseline_models, topic_baselines
from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.topics.measures import OUTLIERS
from bertline.topics.vocabulary import Corpus, Vocabulary
from stages import parse
from tests import tiny
from tests.command import call, write_params

SMALL = {
    "topic_numbers": [3, 4],
    "topic_baselines.seeds": [1, 2],
    "vocabulary.min_df": 1,
    "vocabulary.boilerplate": None,
}
COUNT = 80
VOCABULARY = Vocabulary(
    stop_words="english",
    more_stop_words=[],
    min_df=1,
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


def test_lda_finds_planted_topics(corpus):
    check_planted(baseline_models.fit_lda(corpus.counts(), corpus.words, 4, 1, passes=20, most=8))


def test_nmf_finds_planted_topics(corpus):
    counts = baseline_models.weigh(corpus.counts())
    check_planted(baseline_models.fit_nmf(counts, corpus.words, 4, 1, most=10))


def test_keynmf_finds_planted_topics_with_the_vectors_that_it_is_given(corpus):
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


def test_the_same_seed_gives_the_same_topics(corpus):
    one, other = (
        baseline_models.fit_lda(corpus.counts(), corpus.words, 4, 3, passes=5, most=5)
        for _ in range(2)
    )

    assert one.words == other.words
    assert np.array_equal(one.topics, other.topics)


@pytest.fixture
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the first dimensions of the vectors for the reduced ones."""
    monkeypatch.setattr(topic_baselines, "reduce_vectors", lambda vectors, *_: vectors[:, :5])


def write_inputs(folder: Path, **changes: object) -> None:
    table = tiny.documents(COUNT)
    table.insert(0, "id", [f"d{number}" for number in range(COUNT)])
    table.insert(1, "part", "all")
    files.write_table(folder / "documents.parquet", table, parse.DOCUMENTS)
    vectors = 3 * np.eye(4, 32)[np.arange(COUNT) % 4]
    vectors += np.random.default_rng(0).normal(scale=0.3, size=vectors.shape)
    np.save(folder / "embeddings.npy", vectors.astype(np.float32))
    write_params(folder / "params.yaml", SMALL | changes)


def run(folder: Path, encoder: Path) -> None:
    call(
        topic_baselines,
        *(folder / "documents.parquet", folder, encoder, folder / "out"),
        *("--params", folder / "params.yaml", "--table", folder / "table.csv"),
        *("--metrics", folder / "metrics.json"),
    )


@pytest.mark.slow
def test_one_command_measures_all_models_alike(tmp_path, tiny_bert, without_umap, capfd):
    write_inputs(tmp_path)

    run(tmp_path, tiny_bert)

    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table.columns) == list(topic_baselines.COLUMNS)
    assert set(table["model"]) == {"BERTopic (default settings)", "KeyNMF", "LDA", "NMF"}
    asked = table.groupby("model")["requested_topics"].apply(lambda kept: kept.dropna().tolist())
    assert asked.tolist() == [[3, 4]] * 4
    assert table["requested_topics"].isna().sum() == 1  # BERTopic as many as it finds
    assert (table["seeds"] == 2).all()
    assert (table["coverage"] + table["outlier_share"]).tolist() == pytest.approx([1] * len(table))
    four = table[table["requested_topics"] == 4].set_index("model")
    assert (four["topics"] == 4).all()
    assert four.loc[["NMF", "BERTopic (default settings)"], "ami"].min() > 0.95, four["ami"]
    assert "npmi_times_coverage" in capfd.readouterr().err
    topics = files.read_table(tmp_path / "out" / "topics.parquet")
    known = {word for words in tiny.GROUPS.values() for word in words.split()}
    assert set(topics["words"].explode().dropna()) <= known
    assert set(files.read_json(tmp_path / "metrics.json")) == set(table["model"])


def test_more_topics_than_words_are_refused_before_any_work(tmp_path, tiny_bert):
    write_inputs(tmp_path, topic_numbers=[3, 41])

    with pytest.raises(BertlineError, match="topic_numbers asks for 41 topics, and there are 80"):
        run(tmp_path, tiny_bert)


def test_rows_are_means_over_seeds_with_their_sd():
    rows = [dict.fromkeys(topic_baselines.MEASURES, value) for value in (0.1, 0.3)]

    figures = topic_baselines.summarise(rows)

    # the mean of .1 and .3 is .2, their SD .2 / sqrt(2)
    assert figures["npmi"] == 0.2
    assert figures["npmi_sd"] == pytest.approx(0.1414)
    assert topic_baselines.summarise(rows[:1])["npmi_sd"] is None


def test_models_are_compared_by_means_over_numbers_of_topics():
    rows = [
        {"model": "A", "requested_topics": asked} | dict.fromkeys(topic_baselines.COMPARED, value)
        for asked, value in ((None, 0.9), (10, 0.1), (20, 0.2))
    ]

    assert topic_baselines.compare_models(rows)["A"]["npmi"] == 0.15
