"""The words of topics, by each representation, and what outliers' strategies do."""

import numpy as np
import pytest
import scipy.sparse as sp
from bertopic.vectorizers import ClassTfidfTransformer

from stages import topic_words
from stages.topic_words import Describer, Words
from stages.vocabulary import Corpus, Vocabulary

TEXTS = [
    *("orbit planet moon", "orbit planet moon", "orbit planet the", "moon comet the"),
    *("oven flour the", "oven flour yeast", "oven flour yeast", "butter oven the"),
]
TOPICS = np.array([0, 0, 0, 0, 1, 1, 1, -1])
AXES = {"orbit": 0, "planet": 0, "moon": 0, "comet": 0}  # the others lie on the other axis


def describer(representation: str, **changes: object) -> Describer:
    vocabulary = {"stop_words": None, "more_stop_words": [], "min_df": 1, "ngram_range": [1, 1]}
    vocabulary |= {"passages": None, "top_words": 3}
    options = {"ctfidf": {"bm25_weighting": False, "reduce_frequent_words": False}}
    options |= {"representation": representation, "candidates": 9, "diversity": 0.0} | changes
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


def test_principal_of_documents_without_words_is_nothing():
    assert topic_words.principal(sp.csr_matrix((3, 5))).tolist() == [0] * 5


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
