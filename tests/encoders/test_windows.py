"""Windows of long texts: complete, no longer than asked for, and with special tokens each."""

from pathlib import Path

import pytest

from bertline.encoders import loading, windows
from tests import tiny

SPECIAL = (1, 1)


def ids_of(length: int) -> list[int]:
    """Return a text of `length` word pieces from 10 on, between a 2 and a 3."""
    return [2, *range(10, 10 + length), 3]


def divide(length: int, max_length: int, long_texts: str) -> list[list[int]]:
    return windows.divide(ids_of(length), SPECIAL, max_length=max_length, long_texts=long_texts)


def test_special_tokens_are_those_that_the_tokenizer_adds(tiny_bert: Path):
    tokenizer = loading.load_tokenizer(tiny_bert)

    assert windows.special_tokens(tokenizer) == SPECIAL
    first, last = (tiny.VOCABULARY.index(piece) for piece in ("[CLS]", "[SEP]"))
    assert windows.encode([""], tokenizer) == [[first, last]]


@pytest.mark.parametrize("long_texts", ["head", "head_tail", "windows"])
@pytest.mark.parametrize("length", [0, 1, 6])
def test_text_that_fits_stays_whole(long_texts, length):
    assert divide(length, 8, long_texts) == [ids_of(length)]


@pytest.mark.parametrize("limit", [3, 4, 5, 12])
def test_head_is_what_the_tokenizer_would_keep(tiny_bert, limit):
    tokenizer = loading.load_tokenizer(tiny_bert)
    texts = tiny.sentences(20)["text"].tolist()

    found = [
        windows.divide(ids, SPECIAL, max_length=limit, long_texts="head")
        for ids in windows.encode(texts, tokenizer)
    ]

    expected = tokenizer(texts, truncation=True, max_length=limit)["input_ids"]
    assert found == [[ids] for ids in expected]


@pytest.mark.parametrize(
    ("max_length", "head"),
    [(512, 128), (64, 16), (6, 1), (3, 0)],  # of 510, 62, 4 and 1
)
def test_head_and_tail_as_sun_et_al_divide_them(max_length, head):
    [found] = divide(1000, max_length, "head_tail")

    assert len(found) == max_length
    assert found[1 : 1 + head] == list(range(10, 10 + head))
    assert found[1 + head :] == [*range(1010 - (max_length - 2 - head), 1010), 3]
    assert found[0] == 2


@pytest.mark.parametrize("length", [7, 12, 13, 100, 1001])
def test_windows_are_few_like_in_length_and_hold_every_piece_once(length):
    found = divide(length, 8, "windows")

    assert [piece for window in found for piece in window[1:-1]] == list(range(10, 10 + length))
    assert {(window[0], window[-1]) for window in found} == {(2, 3)}
    assert len(found) == -(-length // 6)
    lengths = [len(window) for window in found]
    assert max(lengths) <= 8 and max(lengths) - min(lengths) <= 1
