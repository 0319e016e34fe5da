"""Corrupt sentences by edits of their words, and mark the words that are wrong.

A model that detects corrupted sentences and wrong words learns syntax from unlabelled text. The
task is replaced-token detection (Clark et al. 2020, ICLR, "ELECTRA"), with random edits in place of
a generator's guesses, as ungrammatical text has been made to train and test grammar checkers
(Foster and Andersen 2009, "GenERRate").

An edit may leave a sentence that is fine ("the old man", "the man"): some labels are noise.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

# Words and marks of punctuation; "don't" and "mother-in-law" are one word.
WORD = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]*[A-Z])")
PARAGRAPH_END = re.compile(r"\n\s*\n")
# A line that cites another message, which holds the sentence as well.
CITED = re.compile(r"^[>|:}]", re.MULTILINE)
# What a sentence may consist of: no addresses, tables or code.
PLAIN = re.compile(r"[A-Z][A-Za-z0-9 ,;:'\"()\-?!.$%]*[.!?]")
FEWEST_WORDS = 4
LOWER_CASE = 0.7  # least share of words in lower case: headlines and lists of names have less

# Words that stand in like places and fit different ones: one is exchanged for another of its class.
CLASSES: tuple[tuple[str, ...], ...] = (
    ("a", "an", "some", "much", "many", "these", "this", "those", "that"),
    ("is", "are", "was", "were", "be", "been", "being", "am"),
    ("has", "have", "had", "having"),
    ("do", "does", "did", "done", "doing"),
    ("can", "could", "will", "would", "may", "might", "must", "shall", "should", "to"),
    ("i", "me", "my", "mine", "myself"),
    ("he", "him", "his", "himself"),
    ("she", "her", "hers", "herself"),
    ("it", "its", "itself"),
    ("we", "us", "our", "ours", "ourselves"),
    ("they", "them", "their", "theirs", "themselves"),
    ("you", "your", "yours", "yourself"),
    ("of", "in", "on", "at", "by", "for", "with", "from", "to", "into", "about", "as", "than"),
    ("who", "whom", "whose", "which", "what", "that", "where", "when", "how", "why", "whether"),
    ("and", "or", "but", "nor", "if", "because", "although", "while", "that", "than"),
    ("any", "some", "no", "every", "each", "ever", "never", "always", "not", "all"),
    ("more", "most", "much", "very", "so", "such", "too", "as", "many"),
    ("there", "it", "that", "this"),
    ("myself", "himself", "herself", "itself", "themselves", "yourself", "ourselves"),
)
FUNCTION_WORDS = sorted({word for words in CLASSES for word in words} | {"the"})
# Words of the same ending take each other's place, and a word takes another ending.
ENDINGS = ("ing", "ed", "ly", "er", "est", "ion", "s")
FORMS = ("", "s", "es", "ed", "d", "ing", "ly", "er", "r", "est", "e", "y")
SHORTEST_STEM = 3
LEAST_COUNT = 5  # of a word that is inserted: rarer ones are names and misspellings
DAMPING = 0.75  # exponent of words' counts: favours rare words, as word2vec's negatives do

EDITS = (1, 2, 3)  # in a sentence, with the shares
EDIT_SHARES = (0.7, 0.22, 0.08)
TRIALS = 20  # draws of an edit until one finds a place in the sentence
FARTHEST = 8  # words that something is moved by

_FUNCTION_WORDS = frozenset(FUNCTION_WORDS)


@dataclass(frozen=True)
class Words:
    """A sentence's words, and whether each is wrong: changed, inserted, moved, or behind a gap."""

    words: list[str]
    wrong: list[bool]


def sentences(text: str, *, max_words: int) -> Iterator[str]:
    """Yield the plain sentences of a text as it was written, white space made single.

    Plain is one with a capital at its start, a full stop, ! or ? at its end, FEWEST_WORDS to
    `max_words` words, a function word, and mostly lower case. Cited paragraphs are left out.
    """
    for paragraph in PARAGRAPH_END.split(text):
        if CITED.search(paragraph):
            continue
        for sentence in SENTENCE_END.split(" ".join(paragraph.split())):
            if PLAIN.fullmatch(sentence):
                count = sum(1 for word in WORD.findall(sentence) if word[0].isalnum())
                if FEWEST_WORDS <= count <= max_words and _is_prose(sentence):
                    yield sentence


def _is_prose(sentence: str) -> bool:
    words = sentence.split()
    lower = sum(word.strip(",.;:!?()\"'").islower() for word in words)
    return lower >= LOWER_CASE * len(words) and any(word in _FUNCTION_WORDS for word in words)


def intact(sentence: str) -> Words:
    """Return the sentence's words, none of them wrong."""
    words = WORD.findall(sentence)
    return Words(words, [False] * len(words))


class Corruptor:
    """Corrupts sentences with function words, and words that occur LEAST_COUNT times in `texts`."""

    def __init__(self, texts: Iterable[str]) -> None:
        counts = Counter(
            word.lower() for text in texts for word in WORD.findall(text) if word[0].isalpha()
        )
        common = {word for word, count in counts.items() if count >= LEAST_COUNT}
        self._words = sorted(common | _FUNCTION_WORDS)
        self._weights = [max(1, counts[word]) ** DAMPING for word in self._words]
        self._of_ending: dict[str, tuple[list[str], list[float]]] = {}
        for word, weight in zip(self._words, self._weights, strict=True):
            words, weights = self._of_ending.setdefault(_ending(word), ([], []))
            words.append(word)
            weights.append(weight)
        self._forms = {word: _forms(word, common) for word in sorted(common)}
        edits = {
            self._exchange: 3.0,
            self._inflect: 3.0,
            self._delete: 2.5,
            self._swap: 2.0,
            self._move: 2.0,
            self._replace: 2.0,
            self._insert: 1.5,
            self._move_several: 1.0,
            self._delete_several: 1.0,
        }
        self._edits, self._edit_weights = list(edits), list(edits.values())

    def corrupt(self, sentence: str, draw: random.Random) -> Words:
        """Return the sentence's words after one to three edits; unchanged if no edit has a place.

        An edit swaps neighbours, moves, deletes or inserts one word or a few, exchanges a function
        word, changes an ending, or replaces a word.
        """
        state = intact(sentence)
        for _ in range(draw.choices(EDITS, EDIT_SHARES)[0]):
            for _ in range(TRIALS):
                if draw.choices(self._edits, self._edit_weights)[0](state, draw):
                    break
        before = intact(sentence)
        return before if state.words == before.words else state  # an edit may undo another one

    # Each edit changes `state` in place, or returns False if it has no place. The mark at the end
    # stays there.

    def _swap(self, state: Words, draw: random.Random) -> bool:
        words = state.words
        places = [
            place
            for place in _places(state)
            if place + 1 < len(words)
            and words[place + 1][0].isalnum()
            and words[place].lower() != words[place + 1].lower()
        ]
        if not places:
            return False
        place = draw.choice(places)
        words[place], words[place + 1] = words[place + 1], words[place]
        state.wrong[place] = state.wrong[place + 1] = True
        return True

    def _move(self, state: Words, draw: random.Random) -> bool:
        return self._shift(state, draw, length=1)

    def _move_several(self, state: Words, draw: random.Random) -> bool:
        return self._shift(state, draw, length=draw.randint(2, 4))

    def _shift(self, state: Words, draw: random.Random, length: int) -> bool:
        start = draw.choice(_places(state))
        span = state.words[start : start + length]
        left = len(_places(state)) - length
        if left < FEWEST_WORDS - 1 or len(span) < length or not _are_words(span):
            return False
        rest = Words(
            state.words[:start] + state.words[start + length :],
            state.wrong[:start] + state.wrong[start + length :],
        )
        last = _places(rest)[-1] + 1
        targets = [place for place in range(last + 1) if 2 <= abs(place - start) <= FARTHEST]
        if not targets:
            return False
        target = draw.choice(targets)
        state.words[:] = rest.words[:target] + span + rest.words[target:]
        state.wrong[:] = rest.wrong[:target] + [True] * length + rest.wrong[target:]
        return True

    def _delete(self, state: Words, draw: random.Random) -> bool:
        places = _places(state)
        function = [place for place in places if state.words[place].lower() in _FUNCTION_WORDS]
        # A content word is often an adverb or an adjective, without which the sentence is fine.
        chosen = function if function and draw.random() < 0.65 else places
        return self._remove(state, draw.choice(chosen), 1)

    def _delete_several(self, state: Words, draw: random.Random) -> bool:
        return self._remove(state, draw.choice(_places(state)), draw.randint(2, 3))

    @staticmethod
    def _remove(state: Words, start: int, length: int) -> bool:
        left = len(_places(state)) - length
        if left < FEWEST_WORDS - 1 or not _are_words(state.words[start : start + length]):
            return False
        del state.words[start : start + length], state.wrong[start : start + length]
        state.wrong[min(start, len(state.wrong) - 1)] = True  # the word behind the gap
        return True

    def _insert(self, state: Words, draw: random.Random) -> bool:
        places = _places(state)
        kind = draw.random()
        if kind < 0.7:
            word = draw.choice(FUNCTION_WORDS)
        elif kind < 0.85:
            word = state.words[draw.choice(places)]
        else:
            word = draw.choices(self._words, self._weights)[0]
        place = draw.choice(places)
        state.words.insert(place, word)
        state.wrong.insert(place, True)
        return True

    def _exchange(self, state: Words, draw: random.Random) -> bool:
        others = {
            place: [other for words in CLASSES if word in words for other in words if other != word]
            for place in _places(state)
            if (word := state.words[place].lower()) in _FUNCTION_WORDS
        }
        return _put_one(state, others, draw)

    def _inflect(self, state: Words, draw: random.Random) -> bool:
        forms = {place: self._forms.get(state.words[place].lower(), []) for place in _places(state)}
        return _put_one(state, forms, draw)

    def _replace(self, state: Words, draw: random.Random) -> bool:
        place = draw.choice(_places(state))
        words, weights = self._words, self._weights
        if draw.random() < 0.5:
            ending = _ending(state.words[place].lower())
            words, weights = self._of_ending.get(ending, (words, weights))
        return _put(state, place, draw.choices(words, weights)[0])


def _places(state: Words) -> list[int]:
    return [place for place, word in enumerate(state.words) if word[0].isalnum()]


def _are_words(words: list[str]) -> bool:
    return all(word[0].isalnum() for word in words)


def _put_one(state: Words, others: Mapping[int, list[str]], draw: random.Random) -> bool:
    """Put one of the `others` of a place there; return False if no place has any."""
    places = [place for place, words in others.items() if words]
    if not places:
        return False
    place = draw.choice(places)
    return _put(state, place, draw.choice(others[place]))


def _put(state: Words, place: int, word: str) -> bool:
    if state.words[place].lower() == word:
        return False
    state.words[place] = word
    state.wrong[place] = True
    return True


def _ending(word: str) -> str:
    return next((ending for ending in ENDINGS if word.endswith(ending)), "")


def _forms(word: str, known: set[str]) -> list[str]:
    stems = {word.removesuffix(ending) for ending in FORMS if word.endswith(ending)}
    forms = {stem + ending for stem in stems if len(stem) >= SHORTEST_STEM for ending in FORMS}
    return sorted(form for form in forms if form in known and form != word)
