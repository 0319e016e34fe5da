"""Measures of topics against gensim, scikit-learn, and arithmetic by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from gensim.corpora import Dictionary
from gensim.models.coherencemodel import CoherenceModel
from sklearn import metrics

from bertline.core.errors import BertlineError
from bertline.topics import measures
from bertline.topics.measures import Reference
from bertline.topics.vocabulary import Corpus, Vocabulary
from tests.command import write_params


def options(**changes: object) -> Vocabulary:
    values = {"stop_words": None, "more_stop_words": [], "min_df": 1, "ngram_range": [1, 1]}
    values |= {"tokenizer": "words", "boilerplate": None, "top_words": 10}
    return Vocabulary.model_validate(values | changes)


def reference(texts: list[str], **changes: object) -> Reference:
    return Reference(Corpus(texts, options(**changes)))


def random_texts(seed: int) -> list[str]:
    """Return documents of 0 to 400 words, common and rare ones, some repeated in a row."""
    random = np.random.default_rng(seed)
    letters = [f"{first}{second}" for first in "abcdef" for second in "uvwxyz"]
    weights = 1 / np.arange(1, len(letters) + 1)
    lengths = [0, 1, 9, 10, 11, 109, 110, 111, 400, *random.integers(0, 300, size=20)]
    return [
        " ".join(random.choice(letters, size=length, p=weights / weights.sum()))
        for length in lengths
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("measure", ["npmi", "c_v"])
def test_coherence_is_what_gensim_computes(seed, measure):
    texts = random_texts(seed)
    found = reference(texts)
    topics = [
        list(np.random.default_rng(number).choice(found.corpus.words, size, replace=False))
        for number, size in enumerate([10, 10, 2, 7])
    ]
    tokens = [text.split() for text in texts]
    gensim = CoherenceModel(
        topics=topics,
        texts=tokens,
        dictionary=Dictionary(tokens),
        coherence={"npmi": "c_npmi", "c_v": "c_v"}[measure],
        processes=1,
    )
    expected = gensim.get_coherence_per_topic()

    assert getattr(found, measure)(topics) == pytest.approx(expected, abs=1e-10)
    # a few topics at a time, and all counted before, are the same
    assert [getattr(found, measure)([topic])[0] for topic in topics] == pytest.approx(expected)
    fresh = reference(texts)
    fresh.prepare(fresh.corpus.words)
    assert getattr(fresh, measure)(topics) == pytest.approx(expected, abs=1e-10)


def test_npmi_counts_words_within_ten_of_the_vocabulary():
    # Stop words and rare ones stand between, and do not count.
    near = "orbit " + "the zebra " * 20 + "planet"
    # 9 words of the vocabulary between: in one window of 10, no; in 2 windows, one each.
    far = "orbit " + "oven " * 9 + "planet"
    topics = [["orbit", "planet"]]

    together = reference(
        [near, near, "oven oven", "oven oven"], stop_words=["the", "zebra"], min_df=2
    ).npmi(topics)
    apart = reference([far]).npmi(topics)

    # Both in 2 of 4 windows: log((1/2) / (1/2 * 1/2)) / -log(1/2) = 1
    assert together == pytest.approx([1])
    # Each in 1 of 2 windows and never together, as above
    assert apart == pytest.approx([-1 + math.log(4) / math.log(1e12)], abs=1e-6)


def test_coherence_of_word_pairs_takes_whole_documents():
    far = "red moon " + "oven " * 30 + "planet"

    found = reference([far, "oven", "red"], ngram_range=[1, 2])

    assert "red moon" in found.corpus.words
    # Both in 1 of 3 documents: log((1/3) / (1/3 * 1/3)) / -log(1/3) = 1
    assert found.npmi([["red moon", "planet"]]) == pytest.approx([1])
    assert found.c_v([["red moon", "planet"]]) == pytest.approx([1])


def test_agreement_is_scikit_learn_s_with_outliers_as_a_topic_and_without():
    topics = np.array([0, 0, 1, 1, -1, -1, 2, 2])
    groups = pd.Series(list("aabbabcc"))

    found = measures.agreements(topics, groups)

    inside = topics >= 0
    for name, function in {
        "nmi": metrics.normalized_mutual_info_score,
        "ami": metrics.adjusted_mutual_info_score,
        "ari": metrics.adjusted_rand_score,
        "homogeneity": metrics.homogeneity_score,
        "completeness": metrics.completeness_score,
        "v_measure": metrics.v_measure_score,
    }.items():
        assert found[name] == pytest.approx(function(groups, topics), abs=1e-4)
        assert found[f"{name}_without_outliers"] == pytest.approx(1)
        assert function(groups[inside], topics[inside]) == pytest.approx(1)


def test_documents_without_a_group_are_left_out_of_agreement():
    topics = np.array([0, 0, 1, 1, -1, 2, 2, -1])
    groups = pd.Series(["a", None, "b", "a", "b", None, "c", "c"])

    known = groups.notna().to_numpy()
    expected = measures.agreements(topics[known], groups[known])

    assert measures.agreements(topics, groups) == expected
    assert expected["ami"] == pytest.approx(
        metrics.adjusted_mutual_info_score(list("ababcc"), [0, 1, 1, -1, 2, -1]), abs=1e-4
    )
    assert set(measures.agreements(topics, pd.Series([None] * 8)).values()) == {None}


def test_coherence_by_hand_where_a_document_is_one_window():
    texts = ["orbit planet", "planet orbit", "orbit oven", "flour oven"]
    found = reference(texts)

    # Of 4 windows "orbit" is in 3, "planet" in 2, both in 2:
    # log((2/4) / (3/4 * 2/4)) / -log(2/4) = log(4/3) / log(2) = 0.4150
    # "flour" is in 1, "oven" in 2, both in 1: log((1/4) / (1/4 * 2/4)) / -log(1/4) = 1/2
    npmi = found.npmi([["orbit", "planet"], ["flour", "oven"]])
    assert npmi == pytest.approx([math.log(4 / 3) / math.log(2), 1 / 2], abs=1e-6)
    # The vectors of a pair are (1, a) and (a, 1): each has the cosine (1 + a) / sqrt(2 (1 + a^2))
    # with their sum.
    assert found.c_v([["flour", "oven"]]) == pytest.approx([1.5 / math.sqrt(2.5)], abs=1e-6)


def test_a_word_that_no_document_has_counts_as_chance():
    corpus = Corpus(["orbit planet", "orbit planet", "orbit oven", "flour oven"], options())

    npmi = Reference(corpus.part(np.array([0, 2]))).npmi([["orbit", "planet"], ["orbit", "flour"]])

    # Of 2 windows "orbit" is in both, so that nothing is informative; "flour" is in none.
    assert npmi == pytest.approx([0, 0], abs=1e-6)


def test_halves_share_no_document_and_have_all():
    one, other = measures.halves(101)

    assert (len(one), len(other)) == (50, 51)
    assert sorted([*one, *other]) == list(range(101))
    assert np.all(np.diff(one) > 0)
    assert np.array_equal(one, measures.halves(101)[0])


def test_a_row_of_measures():
    texts = ["orbit planet", "planet orbit", "flour oven", "flour oven", "oven planet"]
    topics = np.array([0, 0, 1, 1, -1])
    words = [["orbit", "planet", "oven"], ["flour", "oven"]]

    row = measures.measure(words, topics, None, reference(texts, top_words=2))

    # Of 5 windows "orbit" is in 2, "planet" in 3, both in 2:
    # log((2/5) / (2/5 * 3/5)) / -log(2/5) = 0.5575, and the same for "flour" and "oven";
    # only the first two words count
    assert row["npmi"] == pytest.approx(0.5575, abs=1e-4)
    assert (row["topics"], row["outlier_share"], row["coverage"]) == (2, 0.2, 0.8)
    assert row["npmi_times_coverage"] == pytest.approx(0.8 * 0.5575, abs=1e-4)
    assert row["diversity"] == 1
    assert row["ami"] is None and row["v_measure_without_outliers"] is None
    assert measures.diversity([["orbit", "planet", "moon"], ["flour", "oven", "moon"]]) == 5 / 6
    none = measures.measure([], np.array([-1, -1]), None, reference(texts))
    assert (none["coverage"], none["npmi"], none["npmi_times_coverage"]) == (0, None, None)


def test_the_protocol_identifies_documents_and_vocabulary():
    one = reference(["orbit planet", "flour"])
    found = measures.protocol(one)

    assert (found["words"], found["documents"]) == (3, 2)
    assert found["windows"] == {"npmi": 10, "c_v": 110}
    assert found["corpus"] == reference(["Orbit planet!", "flour"]).corpus.fingerprint()
    others = [reference(["orbit", "planet flour"]), reference(["orbit planets", "flour"])]
    assert found["corpus"] not in [other.corpus.fingerprint() for other in others]


@pytest.mark.parametrize("numbers", [[], [20, 10], [1]], ids=str)
def test_numbers_of_topics_are_checked(tmp_path, numbers):
    path = write_params(tmp_path / "params.yaml", {"topic_numbers": numbers})

    with pytest.raises(BertlineError, match="topic_numbers"):
        measures.load_numbers(path)
