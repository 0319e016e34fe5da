"""The vocabulary holds the words of enough documents, and documents are cut into just these."""

from pathlib import Path

import pytest
from sklearn.feature_extraction.text import CountVectorizer

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.topics.vocabulary import Corpus, Vocabulary
from tests.command import write_params


def load_options(folder: Path, **changes: object) -> Vocabulary:
    values = {"boilerplate": None, "more_stop_words": []} | changes
    path = write_params(
        folder / "params.yaml", {f"vocabulary.{key}": value for key, value in values.items()}
    )
    return params.load(path, "vocabulary", Vocabulary)


def test_min_df_counts_documents(tmp_path):
    # "often" is in 3 documents, "twice" in 2, and "again" 4 times in one.
    texts = ["often twice", "twice often", "often", "again again again again"]

    corpus = Corpus(texts, load_options(tmp_path, min_df=2, stop_words=None))

    assert corpus.words == ["often", "twice"]
    assert corpus.tokens == [[0, 1], [1, 0], [0], []]


@pytest.mark.parametrize("ngram_range", [[1, 1], [1, 2], [2, 3]], ids=str)
@pytest.mark.parametrize("stop_words", [None, "english", ["moon"]], ids=str)
def test_the_words_are_those_that_scikit_learn_finds(tmp_path, ngram_range, stop_words):
    texts = ["The red moon rises, and the red moon sets.", "A red Moon!", "moon", ""] * 2
    options = load_options(tmp_path, min_df=2, stop_words=stop_words, ngram_range=ngram_range)
    theirs = CountVectorizer(min_df=2, stop_words=stop_words, ngram_range=tuple(ngram_range))

    corpus = Corpus(texts, options)

    counted = theirs.fit_transform(texts)
    assert corpus.words == sorted(theirs.vocabulary_)
    assert [len(tokens) for tokens in corpus.tokens] == counted.sum(axis=1).ravel().tolist()[0]
    assert (corpus.vectorizer().transform(texts) != counted).nnz == 0


@pytest.mark.parametrize(
    ("texts", "changes"),
    [
        pytest.param(["the and of"] * 9, {}, id="stop-words-only"),
        pytest.param(["", " "], {}, id="no-word"),
        pytest.param(["orbit"] * 9, {"min_df": 10}, id="min-df-too-high"),
    ],
)
def test_empty_vocabulary_is_a_sentence(tmp_path, texts, changes):
    with pytest.raises(BertlineError, match=r"no word is left.*vocabulary\.min_df.*stop_words"):
        Corpus(texts, load_options(tmp_path, **changes))


def test_more_stop_words_are_left_out_before_words_are_paired(tmp_path):
    options = load_options(tmp_path, min_df=1, more_stop_words=["don"], ngram_range=[1, 2])

    assert Corpus(["moon don rises"], options).words == ["moon", "moon rises", "rises"]


SIGNATURE = "skepticism chastity intellect surrender"


def test_words_of_boilerplate_are_left_out(tmp_path):
    signed = [f"{word} moon {SIGNATURE}" for word in ("orbit", "oven", "wheel", "orbit")]
    texts = [*signed, "orbit moon", "orbit moon", "oven moon", "chastity"]
    options = load_options(tmp_path, min_df=1, boilerplate=0.7)

    corpus = Corpus(texts, options)

    # "chastity" is in 5 documents, of which 4 have the other words too: 4/5 is 0.8
    assert corpus.boilerplate_words == sorted(SIGNATURE.split())
    assert corpus.words == ["moon", "orbit", "oven", "wheel"]
    assert [corpus.words[number] for number in corpus.tokens[0]] == ["orbit", "moon"]
    assert corpus.tokens[-1] == []


@pytest.mark.parametrize(
    ("boilerplate", "signature"),
    [(0.9, SIGNATURE), (0.7, "skepticism chastity intellect"), (None, SIGNATURE)],
    ids=["not-alike-enough", "three-words", "kept"],
)
def test_words_that_are_not_boilerplate_stay(tmp_path, boilerplate, signature):
    # chastity stands alone twice more: 4/6
    texts = [f"{word} moon {signature}" for word in ("orbit", "oven", "wheel", "orbit")]
    texts += ["orbit moon", "oven moon", "chastity", "chastity skepticism", "intellect chastity"]
    options = load_options(tmp_path, min_df=1, boilerplate=boilerplate)

    corpus = Corpus(texts, options)

    assert set(signature.split()) <= set(corpus.words)
    assert corpus.boilerplate_words == []


def test_documents_of_boilerplate_alone_keep_their_words(tmp_path):
    corpus = Corpus([SIGNATURE] * 5, load_options(tmp_path, min_df=1, boilerplate=0.6))

    assert corpus.words == sorted(SIGNATURE.split())
