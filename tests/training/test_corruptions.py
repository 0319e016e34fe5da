"""Corrupted sentences: which are taken from texts, and that the marked words are those changed."""

import os
import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.training import corruptions
from bertline.training.corruptions import FUNCTION_WORDS, Corruptor, Words, intact, sentences

NUMBER = os.environ.get("BERTLINE_FUZZ")
fuzzed = settings(
    max_examples=int(NUMBER or 60), derandomize=NUMBER is None, database=None, deadline=None
)

# Nouns and verbs in several forms, each often enough to be put in.
FORMS = ["lamp lamps", "glow glows glowed glowing", "slow slowly slower", "wait waits waited"]
RARE = ["tarpaulin"] * (corruptions.LEAST_COUNT - 1)
CORRUPTOR = Corruptor([*FORMS * corruptions.LEAST_COUNT, *RARE])
KNOWN = {word for forms in FORMS for word in forms.split()} | set(FUNCTION_WORDS)

SENTENCE = "The old lamp glows and she waited for him in the slow rain, which was cold."
WORDS = SENTENCE.removesuffix(".").replace(",", " ,").split()
CASED = st.sampled_from(
    sorted({*KNOWN, *(word.title() for word in KNOWN), "cold", "Kim", "tie-up"})
)
# What may stand between the marks that end sentences, capital at its start or not.
SENTENCES = st.builds(
    lambda words, end: " ".join(words) + end,
    st.lists(st.one_of(CASED, CASED.map("{},".format)), min_size=4, max_size=18),
    st.sampled_from(".!?"),
)


def found(text: str, max_words: int = 18) -> list[str]:
    return list(sentences(text, max_words=max_words))


def apply(edit: str, sentence: str = SENTENCE, seed: int = 0) -> tuple[bool, Words]:
    """Return whether an edit found a place in a sentence, and what came of it."""
    state = intact(sentence)
    return getattr(CORRUPTOR, edit)(state, random.Random(seed)), state


def each(edit: str, sentence: str = SENTENCE) -> Iterable[Words]:
    """Yield what many draws of one edit make of a sentence in which it finds a place."""
    for seed in range(60):
        done, state = apply(edit, sentence, seed)
        if done:
            yield state
        else:
            assert state == intact(sentence)


def is_subsequence(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(word in rest for word in part)


# --- sentences ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "The lamp glows on it. It is late!", ["The lamp glows on it."], id="too-short"
        ),
        pytest.param(
            "Is it late in\n  the   day? She waits for him!",
            ["Is it late in the day?", "She waits for him!"],
            id="white-space-and-ends",
        ),
        pytest.param(
            'He said of it "the lamp glows." She left (in a hurry).',
            ['He said of it "the lamp glows.', "She left (in a hurry)."],
            id="quotation",
        ),
        pytest.param("> The lamp glows on it.", [], id="cited"),
        pytest.param("So she wrote of it:\n> The lamp glows on it.", [], id="paragraph-that-cites"),
        pytest.param(
            "> The lamp glows on it.\n\nBut it is out of oil.",
            ["But it is out of oil."],
            id="paragraph-after-a-citation",
        ),
        pytest.param("Lamp Glows On The Old Table.", [], id="headline"),
        pytest.param("Old lamps glow late today.", [], id="without-function-words"),
        pytest.param("the lamp glows on it.", [], id="without-a-capital"),
        pytest.param("The lamp glows on it", [], id="without-an-end"),
        pytest.param("Write to lamp@example.com in the morning.", [], id="address"),
        pytest.param("The lamp | glows | on the table.", [], id="table"),
        pytest.param("The lamp glows on the cäfé.", [], id="other-letters"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_plain_sentences_are_found_in_a_text(text, expected):
    assert found(text) == expected


def test_sentences_of_the_wanted_lengths_are_found():
    lengths = {count: "The " + "to " * (count - 2) + "lamp." for count in range(3, 9)}

    kept = found(" ".join(lengths.values()), max_words=6)

    assert kept == [lengths[count] for count in (4, 5, 6)]


# --- all edits ----------------------------------------------------------------------------------


@fuzzed
@given(SENTENCES, st.integers(0, 2**32))
def test_wrong_words_are_those_that_changed(sentence, seed):
    before = intact(sentence)

    after = CORRUPTOR.corrupt(sentence, random.Random(seed))

    assert len(after.words) == len(after.wrong)
    assert any(after.wrong) == (after.words != before.words)
    right = [word for word, wrong in zip(after.words, after.wrong, strict=True) if not wrong]
    assert is_subsequence(right, before.words)
    assert after.words[-1] == before.words[-1] == sentence[-1]
    new = Counter(after.words) - Counter(before.words)
    assert set(new) <= KNOWN | set(before.words)


@fuzzed
@given(SENTENCES, st.integers(0, 2**32))
def test_same_draws_corrupt_a_sentence_in_the_same_way(sentence, seed):
    again = Corruptor([*RARE, *FORMS * corruptions.LEAST_COUNT])  # the order is no matter

    assert CORRUPTOR.corrupt(sentence, random.Random(seed)) == again.corrupt(
        sentence, random.Random(seed)
    )


def test_nearly_every_sentence_of_some_length_is_corrupted():
    corrupted = [any(CORRUPTOR.corrupt(SENTENCE, random.Random(seed)).wrong) for seed in range(200)]

    assert sum(corrupted) >= 195


def test_sentence_whose_edits_undo_each_other_is_intact(monkeypatch):
    monkeypatch.setattr(corruptions, "EDITS", (2,))
    monkeypatch.setattr(corruptions, "EDIT_SHARES", (1.0,))
    monkeypatch.setattr(CORRUPTOR, "_edits", [CORRUPTOR._swap])
    monkeypatch.setattr(CORRUPTOR, "_edit_weights", [1.0])

    assert CORRUPTOR.corrupt("Lamps glow.", random.Random(0)) == intact("Lamps glow.")


# --- each edit ----------------------------------------------------------------------------------


def test_swap_exchanges_two_neighbours():
    states = list(each("_swap"))
    assert states
    for state in states:
        place = state.wrong.index(True)
        assert state.wrong == [number in (place, place + 1) for number in range(len(state.words))]
        words = [*WORDS, "."]
        words[place : place + 2] = words[place + 1], words[place]
        assert state.words == words


@pytest.mark.parametrize(("edit", "lengths"), [("_move", {1}), ("_move_several", {2, 3, 4})])
def test_move_puts_words_elsewhere_in_their_order(edit, lengths):
    seen = set()
    for state in each(edit):
        start, length = state.wrong.index(True), sum(state.wrong)
        assert state.wrong[start : start + length] == [True] * length
        rest = state.words[:start] + state.words[start + length :]
        moved = state.words[start : start + length]
        (origin,) = {
            place
            for place in range(len(rest) + 1)
            if rest[:place] + moved + rest[place:] == [*WORDS, "."]
        }
        assert 2 <= abs(origin - start) <= corruptions.FARTHEST
        seen.add(length)
    assert seen == lengths


@pytest.mark.parametrize(("edit", "lengths"), [("_delete", {1}), ("_delete_several", {2, 3})])
def test_delete_removes_words_and_marks_what_is_behind_the_gap(edit, lengths):
    seen = set()
    for state in each(edit):
        length = len(WORDS) + 1 - len(state.words)
        place = state.wrong.index(True)
        assert sum(state.wrong) == 1
        assert state.words == WORDS[:place] + [*WORDS, "."][place + length :]
        seen.add(length)
    assert seen == lengths


def test_insert_puts_in_one_word():
    states = list(each("_insert"))
    assert states
    for state in states:
        place = state.wrong.index(True)
        assert sum(state.wrong) == 1
        assert state.words[:place] + state.words[place + 1 :] == [*WORDS, "."]
        assert state.words[place] in KNOWN | set(WORDS)


@pytest.mark.parametrize(
    ("edit", "allowed"),
    [
        pytest.param(
            "_exchange",
            lambda one, other: any({one.lower(), other} <= set(c) for c in corruptions.CLASSES),
            id="exchange-takes-a-word-of-the-class",
        ),
        pytest.param(
            "_inflect",
            lambda one, other: any({one, other} <= set(forms.split()) for forms in FORMS),
            id="inflect-takes-a-known-form",
        ),
        pytest.param(
            "_replace", lambda _, other: other in KNOWN, id="replace-takes-a-word-often-met"
        ),
    ],
)
def test_edit_of_one_word_puts_another_in_its_place(edit, allowed):
    pairs = set()
    for state in each(edit):
        (place,) = (number for number, wrong in enumerate(state.wrong) if wrong)
        assert state.words[:place] == [*WORDS, "."][:place]
        assert state.words[place + 1 :] == [*WORDS, "."][place + 1 :]
        pairs.add((WORDS[place], state.words[place]))
    assert len(pairs) > 3
    for before, after in pairs:
        assert before.lower() != after and allowed(before, after)
    assert "tarpaulin" not in {after for _, after in pairs}


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        pytest.param("_swap", "Wait, wait.", id="mark-between"),
        pytest.param("_swap", "No no NO!", id="same-words"),
        pytest.param("_move", "She waits here.", id="few-to-move"),
        pytest.param("_move_several", "She waits for it.", id="few-to-move-several"),
        pytest.param("_delete", "She waits here.", id="few-to-delete"),
        pytest.param("_delete_several", "She waits for it.", id="few-to-delete-several"),
        pytest.param("_exchange", "Kim ate old cake.", id="no-function-word"),
        pytest.param("_inflect", "Kim ate old cake.", id="no-known-word"),
    ],
)
def test_sentence_without_a_place_for_an_edit_stays_intact(edit, sentence):
    for seed in range(20):
        assert apply(edit, sentence, seed) == (False, intact(sentence))
