"""The words of topics, by each representation, and what outliers' strategies do."""

import numpy as np
import pytest
import scipy.sparse as sp
from bertopic.vectorizers import ClassTfidfTransformer
from threadpoolctl import threadpool_limits

from bertline.topics import words
from bertline.topics.vocabulary import Corpus, Vocabulary
from bertline.topics.words import Describer, Words

TEXTS = [
    *("orbit planet moon", "orbit planet moon", "orbit planet the", "moon comet the"),
    *("oven flour the", "oven flour yeast", "oven flour yeast", "butter oven the"),
]
TOPICS = np.array([0, 0, 0, 0, 1, 1, 1, -1])
AXES = {"orbit": 0, "planet": 0, "moon": 0, "comet": 0}  # the others lie on the other axis


def describer(representation: str, *, top_words: int = 3, **changes: object) -> Describer:
    vocabulary = {"stop_words": None, "more_stop_words": [], "min_df": 1, "ngram_range": [1, 1]}
    vocabulary |= {"tokenizer": "words", "boilerplate": None, "top_words": top_words}
    options = {"ctfidf": {"bm25_weighting": False, "reduce_frequent_words": False}}
    options |= {"representation": representation, "candidates": 9, "diversity": 0.0}
    options |= {"contrast": 0.0, "independence": 0.0} | changes
    vectors = np.eye(2)[[0, 0, 0, 0, 1, 1, 1, 1]]
    corpus = Corpus(TEXTS, Vocabulary.model_validate(vocabulary))
    return Describer(corpus, vectors, Words.model_validate(options), encode)


def encode(words: list[str]) -> np.ndarray:
    return np.array([np.eye(2)[AXES.get(word, 1)] for word in words])


def test_principal_words_are_the_leading_singular_vector():
    made = describer("principal")

    found = made.describe(TOPICS)

    assert list(found) == [-1, 0, 1]
    rows = made.present[TOPICS == 0].toarray()
    leading = np.abs(np.linalg.svd(rows)[2][0])
    order = np.argsort(-leading)[:3]
    assert {word for word, _ in found[0]} == {made.corpus.words[at] for at in order}
    assert [weight for _, weight in found[0]] == pytest.approx(leading[order], abs=1e-6)
    assert {word for word, _ in found[1]} == {"oven", "flour", "yeast"}


@pytest.mark.parametrize("representation", ["principal", "c-tf-idf"])
def test_lists_are_the_words_described_whatever_was_asked_before(representation):
    asked = describer(representation, contrast=0.5, independence=0.5)
    merged = np.where(TOPICS == 1, 0, TOPICS)

    for topics in (TOPICS, merged, TOPICS):
        fresh = describer(representation, contrast=0.5, independence=0.5).describe(topics)
        assert asked.describe(topics) == fresh
        expected = [[word for word, _ in fresh[topic]] for topic in fresh if topic >= 0]
        assert asked.list_words(topics) == expected


def test_contrast_weighs_words_by_their_mutual_information_with_the_topic():
    plain = dict(describer("principal", top_words=5).describe(TOPICS)[0])
    found = dict(describer("principal", top_words=4, contrast=0.5).describe(TOPICS)[0])

    # 3 of the topic's 4 documents and 3 of all 8 hold orbit, planet and moon each: twice the share;
    # so with comet, in 1 of 4 and 1 of 8. "the", in 2 of 4 and 4 of 8, says nothing of the topic.
    assert plain["the"] > plain["comet"]
    assert found == pytest.approx(
        {word: weight * np.log(2) ** 0.5 for word, weight in plain.items() if word != "the"}
    )


def test_contrast_that_leaves_too_few_words_is_left_out():
    everything = np.zeros(len(TEXTS), int)

    found = describer("principal", contrast=0.5).describe(everything)

    assert found == describer("principal").describe(everything)
    assert len(found[0]) == 3


def test_pointwise_mutual_information_is_the_logarithm_of_a_ratio_of_shares():
    found = words.positive_pmi(np.array([0.5, 0.1, 0.2, 0]), np.array([0.1, 0.1, 1, 0]))

    assert found == pytest.approx([np.log(5), 0, 0, 0])


def test_independent_shares_are_kish_s():
    alike, other = [1, 0, 0], [0, 0.6, 0.8]
    documents = sp.csr_matrix([alike, alike, other, other, [0, 1, 0]])

    found = words.independent_shares(documents, np.array([0, 1, 2]))

    # Two equal documents count for one; so do the two with the last word. Those with the second
    # are three, with cosines of 1, .6 and .6: 9 / (3 + 2 * 2.2), of 3.
    assert found == pytest.approx([0.5, 3 / 7.4, 0.5])


def test_independence_weighs_words_by_the_share_of_documents_that_count():
    made = describer("principal", top_words=5)
    plain = dict(made.describe(TOPICS)[0])
    found = dict(describer("principal", top_words=5, independence=0.5).describe(TOPICS)[0])

    columns = np.array([made.corpus.number[word] for word in plain])
    shares = words.independent_shares(made.present[TOPICS == 0], columns)
    expected = {word: plain[word] * share**0.5 for word, share in zip(plain, shares, strict=True)}
    assert found == pytest.approx(expected)
    assert shares[[*plain].index("comet")] == pytest.approx(1)  # one document is no other's copy


def test_principal_words_do_not_depend_on_the_threads_of_blas():
    random = np.random.default_rng(0)
    documents = sp.random(200, 100_000, density=0.05, format="csr", rng=random)  # BLAS would share

    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(words.principal(documents).tobytes())

    assert found[0] == found[1]


def test_principal_of_documents_without_words_is_nothing():
    assert words.principal(sp.csr_matrix((3, 5))).tolist() == [0] * 5
    assert words.independent_shares(sp.csr_matrix((3, 5)), np.array([], int)).tolist() == []


def test_words_by_ctfidf_are_bertopic_s():
    made = describer("c-tf-idf")

    found = made.describe(TOPICS)

    counts = made.counts.toarray()
    joined = sp.csr_matrix([counts[label == TOPICS].sum(axis=0) for label in (-1, 0, 1)])
    weights = ClassTfidfTransformer().fit(joined).transform(joined).toarray()
    for row, label in enumerate((-1, 0, 1)):
        assert found[label][0][1] == pytest.approx(weights[row].max())
        values = [weight for _, weight in found[label]]
        assert values == sorted(values, reverse=True)
    assert {word for word, _ in found[0]} == {"orbit", "planet", "moon"}


def test_keybert_words_are_nearest_to_the_documents():
    found = describer("keybert").describe(TOPICS)

    # "the" is a candidate of the first topic, and lies on the other axis
    assert [word for word, _ in found[0]] == ["comet", "moon", "orbit"]
    assert [weight for _, weight in found[0]] == pytest.approx([1, 1, 1])


def test_mmr_takes_unlike_words():
    alike = describer("mmr").describe(TOPICS)
    unlike = describer("mmr", diversity=0.9).describe(TOPICS)

    assert "the" not in {word for word, _ in alike[0]}
    assert "the" in {word for word, _ in unlike[0]}


def test_words_are_encoded_once():
    made = describer("keybert")
    asked: list[str] = []
    made._encode = lambda words: asked.extend(words) or encode(words)

    made.describe(TOPICS)
    made.describe(np.where(TOPICS == 1, 0, TOPICS))

    assert len(asked) == len(set(asked))
