"""What makes topics mean little is said, with the parameter to change; what does not is not."""

import re

import numpy as np
import pandas as pd
import pytest

from bertline.topics.notes import find_notes
from bertline.topics.vocabulary import Corpus
from tests import tiny
from tests.topics.planted import PIECES
from tests.topics.test_vocabulary import load_options

ENGLISH = "the {} is in the {} and we saw it there, {}"
ADVICE = "Lower topic_fit.graph.min_topic_size"


def texts_of_groups(count: int, pattern: str = ENGLISH) -> list[str]:
    random = np.random.default_rng(0)
    groups = [words.split() for words in tiny.GROUPS.values()]
    return [pattern.format(*random.permutation(groups[n % 4])) for n in range(count)]


def described_as(topics: np.ndarray, words: list[str]) -> pd.DataFrame:
    numbers = np.unique(topics)
    return pd.DataFrame({"topic": numbers, "words": [words] * len(numbers)})


@pytest.fixture
def notes(tmp_path):
    """Return a function that finds the notes of texts that have four topics."""

    def notes(texts, pieces=(), topics=None, words=("orbit",), **options):
        changes = {"min_df": 1, "boilerplate": None} | options
        corpus = Corpus(texts, load_options(tmp_path, **changes))
        topics = np.arange(len(texts)) % 4 if topics is None else topics
        described = described_as(topics, list(words))
        return find_notes(corpus, described, topics, PIECES | dict(pieces), ADVICE)

    return notes


def test_good_topics_have_no_notes(notes):
    assert notes(texts_of_groups(400)) == []


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (
            {"unknown_share": 0.65},
            "65% of the documents' word pieces are unknown to the embedder.*Latin.*inputs.embedder",
        ),
        ({"mean_word_pieces": 66.0}, "cuts a word into 5.5 word pieces.*inputs.embedder"),
        (
            {"long_share": 0.9, "unseen_share": 0.4},
            "90% of the documents are longer than the 64.*40% of all text.*embed.long_texts",
        ),
        (
            {"long_share": 0.1, "unseen_share": 0.3},
            "10% of the documents are longer.*embed.long_texts",
        ),
    ],
    ids=["unknown", "spelled", "long", "few-long-ones"],
)
def test_what_the_embedder_does_not_know_or_see(notes, pieces, expected):
    [note] = notes(texts_of_groups(400), pieces)

    assert re.search(expected, note)


def test_windows_see_all(notes):
    assert notes(texts_of_groups(400), {"long_share": 0.9, "unseen_share": 0.0}) == []


def test_stop_words_of_another_language(notes):
    texts = texts_of_groups(400, "der {} ist in dem {} und wir haben es nicht {}")

    [note] = notes(texts)

    assert "stop words of the language de" in note
    assert "Set vocabulary.stop_words to de" in note
    assert notes(texts, stop_words="de") == notes(texts, stop_words=["der"]) == []


CHINESE = ["这个酒店的房间很干净{}服务也好", "这本小说的故事很好看{}作者也好", "{}电脑的键盘很舒服"]


def test_texts_without_spaces_need_another_tokenizer_and_stop_words(notes):
    cities = [chr(0x4E00 + 7 * number) for number in range(400)]
    texts = [CHINESE[n % 3].format(city * (n % 5)) for n, city in enumerate(cities)]

    found = notes(texts)

    assert any("(mostly Chinese)" in note and "tokenizer to bigrams" in note for note in found)
    assert any("Set vocabulary.stop_words to zh" in note for note in found)
    assert any("have one word of the vocabulary or none" in note for note in found)
    better = notes(texts, tokenizer="bigrams", stop_words="zh")
    assert not any("vocabulary" in note for note in better), better


def test_documents_of_one_word(notes):
    words = " ".join(tiny.GROUPS.values()).split()

    found = notes([f"the {words[n % 40]} {n}x" for n in range(400)], min_df=2)

    assert any("100% of the documents have one word of the vocabulary or none" in n for n in found)


def test_copies_but_for_digits(notes):
    texts = [f"Your parcel {n} was sent on Monday, {n % 9}." for n in range(200)]

    found = notes([*texts, *texts_of_groups(200)])

    assert any(re.match(r"\d\d% of the documents repeat another but for case", n) for n in found)


@pytest.mark.parametrize(
    ("count", "topics", "expected"),
    [
        (100, None, "100 documents are few"),
        (400, np.full(400, -1), f"No topic was found in 400 documents. {ADVICE}"),
        (400, np.zeros(400, int), f"One topic was found in 400 documents. {ADVICE}"),
    ],
    ids=["few", "none", "one"],
)
def test_few_documents_or_topics(notes, count, topics, expected):
    [note] = notes(texts_of_groups(count), topics=topics)

    assert note.startswith(expected)


def test_topics_without_words(notes):
    [note] = notes(texts_of_groups(400), words=())

    assert note.startswith("No document of topic 0, 1, 2, 3 has a word of the vocabulary")
    assert "vocabulary.min_df" in note


def test_topics_of_length(notes):
    texts = [text * (1 + 5 * (n // 4 % 4)) for n, text in enumerate(texts_of_groups(400))]

    [note] = notes(texts, topics=np.arange(400) // 4 % 4)

    assert "of the variance of the documents' lengths lies between topics" in note
    assert notes(texts, topics=np.arange(400) % 4) == []
