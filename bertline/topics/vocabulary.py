"""The vocabulary in which topics are named and measured, and documents cut into its words.

All topic models of the same documents share it, so that their words and measures are comparable.
"""

import copy
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field, field_validator, model_validator
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.topics import languages
from bertline.topics.tokenizing import Tokenizer, find_fragments, token_pattern

# Words on either side in which companions of a word are looked for, and how many it has where it is
# repeated; names and terms of three words have two. Twice as many where a word is cut into pairs.
NEAR = {"words": 3, "bigrams": 6}
BESIDE = 0.25  # share of a word's occurrences from which another word is a companion
CHANCE = 1.5  # times as often as by chance, at least: frequent words are beside every word
REPEATED = 4  # documents with a word, and occurrences with a companion, at least
TEMPLATE = 0.75  # share of its documents' words from which boilerplate is what they say
BARE = 4  # documents of boilerplate alone, from which a word is theirs; fewer are strays
BLOCK = 500_000  # occurrences looked at at once, to limit memory
SHOWN = 10  # words in a message

StopWord = Annotated[str, Field(pattern=r"^\S+$")]


class Vocabulary(Section):
    """The section `vocabulary` of params.yaml."""

    tokenizer: Tokenizer
    stop_words: str | list[StopWord] | None
    more_stop_words: list[StopWord]
    min_df: Annotated[int, Field(ge=1)]
    boilerplate: Annotated[float, Field(gt=0, le=1)] | None
    ngram_range: Annotated[
        list[Annotated[int, Field(ge=1, le=20)]], Field(min_length=2, max_length=2)
    ]
    top_words: Annotated[int, Field(ge=2, le=1_000)]

    @field_validator("stop_words")
    @classmethod
    def _listed(cls, value: str | list[StopWord] | None) -> str | list[StopWord] | None:
        if isinstance(value, str):
            languages.stop_words(value)
        return value

    @model_validator(mode="after")
    def _ordered(self) -> "Vocabulary":
        if self.ngram_range[0] > self.ngram_range[1]:
            raise ValueError("ngram_range should be [fewest, most] words")
        return self


class Corpus:
    """Documents cut into the words of their vocabulary.

    texts: of the documents. words: the vocabulary in alphabetical order. tokens: each document's
    words in their order, as numbers in `words`; of n-grams, single words first, then pairs, etc.
    fragments: pairs of letters that are no words (`find_fragments`). boilerplate_words: those that
    no document keeps.
    """

    def __init__(self, texts: Sequence[str], options: Vocabulary) -> None:
        """Cut the texts; BertlineError unless two words or more are left."""
        self.texts, self.options = texts, options
        _tell_stop_words(options)
        self.fragments = (
            find_fragments(texts, _all_stop_words(options))
            if options.tokenizer == "bigrams"
            else []
        )
        analyze = _vectorizer(options, left_out=self.fragments).build_analyzer()
        cut = [analyze(text) for text in texts]
        frequency = Counter(word for document in cut for word in set(document))
        self.words = sorted(word for word, count in frequency.items() if count >= options.min_df)
        self.tokens = self._number(cut)
        self.boilerplate_words: list[str] = []
        if options.boilerplate is not None and self.words:
            # Function words alone do not count: addresses are full of the other stop words.
            spoken = options.model_copy(update={"more_stop_words": [], "ngram_range": [1, 1]})
            analyze = _vectorizer(spoken, left_out=self.fragments).build_analyzer()
            whole = [analyze(text) for text in texts]
            found = find_passages(whole, self.words, options.boilerplate, NEAR[options.tokenizer])
            self._leave_out_boilerplate(*found)
        self._check_size()

    def _check_size(self) -> None:
        """Raise BertlineError unless there are two words: c-tf-idf and coherence need them."""
        if len(self.words) > 1:
            return
        left = f"one word ({self.words[0]}) is" if self.words else "no word is"
        others = f"stop words, or in fewer than {self.options.min_df} documents"
        advice = "Lower vocabulary.min_df, or change vocabulary.stop_words"
        if self.boilerplate_words:
            others += ", or boilerplate"
            advice += " or vocabulary.boilerplate"
        raise BertlineError(
            f"{left} left to name topics: two are needed, and all others are {others}. {advice}."
        )

    def _leave_out_boilerplate(self, repeated: np.ndarray, passage: np.ndarray) -> None:
        """Remove boilerplate from the documents that have other words, and say what stays.

        repeated, passage: of each word, by `find_passages`.
        """
        counts = self.counts()
        content = find_templates(counts, passage)
        if content.any():
            console.log(
                f"vocabulary.boilerplate: {_some(self.words, content)} are repeated word for word, "
                f"and kept: most of the words of their documents are such, as in templates"
            )
        repeated = repeated & ~content
        bare = np.diff(counts[:, ~repeated].indptr) == 0
        often = np.bincount(counts[bare].indices, minlength=len(repeated))
        theirs = often >= max(self.options.min_df, BARE)  # kept where no other word is
        number = int(np.sum(np.diff(counts[bare][:, theirs].indptr) > 0))
        if number:
            console.log(
                f"vocabulary.boilerplate: {number:,} documents have no other words than "
                f"{_some(self.words, theirs)}, and keep them"
            )
        used = ~repeated | theirs
        tokens = self.tokens
        self.boilerplate_words = [self.words[word] for word in np.flatnonzero(~used)]
        self.words = [self.words[word] for word in np.flatnonzero(used)]
        self.number = {word: number for number, word in enumerate(self.words)}
        place = np.where(used, np.cumsum(used) - 1, -1)
        alone, others = place.tolist(), np.where(repeated, -1, place).tolist()
        self.tokens = [
            [new for word in words if (new := (alone if only else others)[word]) >= 0]
            for words, only in zip(tokens, bare, strict=True)
        ]

    def _number(self, cut: list[list[str]]) -> list[list[int]]:
        self.number = {word: number for number, word in enumerate(self.words)}
        return [[self.number[word] for word in words if word in self.number] for words in cut]

    def part(self, rows: np.ndarray) -> "Corpus":
        """Return some of the documents in the vocabulary of all. rows: their numbers, (m,)."""
        part = copy.copy(self)
        part.texts = [self.texts[row] for row in rows]
        part.tokens = [self.tokens[row] for row in rows]
        return part

    def counts(self) -> sp.csr_matrix:
        """Return how often each document has each word, shape (documents, words)."""
        ends = np.cumsum([0, *(len(tokens) for tokens in self.tokens)])
        numbers = np.concatenate([np.asarray(tokens, np.int64) for tokens in self.tokens])
        shape = (len(self.tokens), len(self.words))
        counts = sp.csr_matrix((np.ones(len(numbers)), numbers, ends), shape=shape)
        counts.sum_duplicates()
        return counts

    def fingerprint(self) -> str:
        """Return the MD5 of what measures are computed from, the same on any machine.

        It covers the vocabulary, the documents' words and the number of words per topic.
        """
        text = "\n".join([str(self.options.top_words), *self.words])
        hasher = hashlib.md5(text.encode(), usedforsecurity=False)
        for tokens in self.tokens:
            hasher.update(np.asarray([len(tokens), *tokens], "<i4").tobytes())
        return hasher.hexdigest()

    def vectorizer(self) -> CountVectorizer:
        """Return a vectorizer with exactly these words.

        BERTopic fits its vectorizer on topics, each joined to one text, so its own `min_df` would
        count topics and remove the words that only one topic has.
        """
        return _vectorizer(self.options, vocabulary=self.words, left_out=self.fragments)


def find_passages(
    documents: Sequence[Sequence[str]], words: Sequence[str], share: float, near: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which words are repeated, and the number of the passage of each, both (words,).

    Companions of a word stand within `near` words of it in `BESIDE` of its occurrences at least. It
    is repeated if `near` of them are there in this `share` of its occurrences, as in signatures,
    addresses and "Ann Lee (lee@host.edu) writes". "Los" has "Angeles" beside it, and no further
    companion. An n-gram is repeated if one of its words is. A passage is repeated words,
    and those that are companions of one and have it for a companion; -1 for none.
    documents: the single words of each in their order.
    """
    number: dict[str, int] = {}
    for part in (part for word in words for part in word.split(" ")):
        number.setdefault(part, len(number))
    single = len(number)
    tokens = np.asarray(
        [number.setdefault(word, len(number)) for words in documents for word in words], np.int64
    )
    document = np.repeat(np.arange(len(documents)), [len(words) for words in documents])
    alone, pairs = find_repeated(tokens, document, single, share, near)
    one, other = pairs[:, (pairs < single).all(axis=0)]
    beside = sp.csr_matrix((alone[one] | alone[other], (one, other)), shape=(single, single))
    _, group = connected_components(beside.multiply(beside.T), directed=False)
    of = np.where(np.isin(group, group[alone]), group, -1)
    parts = [[number[part] for part in word.split(" ")] for word in words]
    repeated = np.asarray([alone[row].any() for row in parts], bool)
    return repeated, np.asarray([of[row].max() for row in parts], np.int64)


def find_repeated(
    tokens: np.ndarray, document: np.ndarray, words: int, share: float, near: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which words are repeated, (words,), bool, and pairs of a word and a companion, (2, p).

    tokens: the words of all documents one after another; only those below `words` are asked about.
    document: the number of each one's document, rising.
    """
    order = np.flatnonzero(tokens < words)
    order = order[np.argsort(tokens[order], kind="stable")]  # all occurrences of the first word, …
    often = np.bincount(tokens, minlength=words)
    first = np.ones(len(order), bool)  # occurrence of the word in its document
    first[1:] = (np.diff(tokens[order]) != 0) | (np.diff(document[order]) != 0)
    holding = np.bincount(tokens[order[first]], minlength=words)
    ends = np.cumsum(often[:words])
    beside, pairs = np.zeros(words, np.int64), [np.zeros((2, 0), np.int64)]
    start = 0
    while start < words:
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + BLOCK, side="right")))
        places = order[done : ends[stop - 1]]
        found, companions = _look_beside(tokens, document, places, often, near)
        beside += np.bincount(found, minlength=words)
        pairs.append(companions)
        start = stop
    repeated = (holding >= REPEATED) & (beside >= share * often[:words])
    return repeated, np.concatenate(pairs, axis=1)


def _look_beside(
    tokens: np.ndarray, document: np.ndarray, places: np.ndarray, often: np.ndarray, near: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the word at each place that has `near` companions there, and words with companions.

    places: all those of some words. often: the number of occurrences of each word, all of them.
    """
    steps = np.asarray([step for step in range(-near, near + 1) if step])
    around = places[:, None] + steps
    inside = (around >= 0) & (around < len(tokens))
    around = np.where(inside, around, 0)
    own = tokens[places]
    inside &= document[around] == document[places][:, None]
    others = np.where(inside & (tokens[around] != own[:, None]), tokens[around], -1)
    others.sort(axis=1)  # so that what stands there twice counts once
    others[:, 1:][others[:, 1:] == others[:, :-1]] = -1
    keys = np.where(others < 0, -1, own[:, None] * len(often) + others)
    distinct, where, count = np.unique(keys, return_inverse=True, return_counts=True)
    word, companion = np.divmod(distinct, len(often))
    chance = 1 - (1 - often[companion] / len(tokens)) ** (2 * near)
    least = np.maximum(BESIDE, CHANCE * chance) * often[word]
    together = (distinct >= 0) & (count >= np.maximum(least, REPEATED))
    enough = together[where.reshape(keys.shape)].sum(axis=1) >= near
    return own[enough], np.stack([word[together], companion[together]])


def find_templates(counts: sp.csr_matrix, passage: np.ndarray) -> np.ndarray:
    """Return which words are of passages that are what their documents say, (words,), bool.

    A signature is a small part of most documents that have it. A passage is a template, if it is
    `TEMPLATE` or more of the words of the documents that have half of it, in the mean.
    counts: documents by words. passage: of each word, -1 for none, shape (words,).
    """
    words = np.flatnonzero(passage >= 0)
    content = np.zeros(len(passage), bool)
    if not len(words):
        return content
    _, column, sizes = np.unique(passage[words], return_inverse=True, return_counts=True)
    belongs = sp.csr_matrix((np.ones(len(words)), (np.arange(len(words)), column)))
    within = counts[:, words]
    whole = (sp.csr_matrix(within.astype(bool) @ belongs)).tocoo()
    most = whole.data >= sizes[whole.col] / 2
    row, of = whole.row[most], whole.col[most]
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    shares = np.asarray((within @ belongs)[row, of]).ravel() / lengths[row]
    documents = np.bincount(of, minlength=len(sizes))
    mean = np.bincount(of, shares, minlength=len(sizes)) / np.maximum(documents, 1)
    content[words] = mean[column] >= TEMPLATE
    return content


def _vectorizer(
    options: Vocabulary, *, vocabulary: list[str] | None = None, left_out: Sequence[str] = ()
) -> CountVectorizer:
    """Return a vectorizer that cuts texts as `options` say, without the words `left_out`."""
    return CountVectorizer(
        vocabulary=vocabulary,
        token_pattern=token_pattern(options.tokenizer),
        # Removed before n-grams are made, so that none contains a stop word.
        stop_words=sorted({*_all_stop_words(options), *left_out}) or None,
        ngram_range=tuple(options.ngram_range),
    )


def _all_stop_words(options: Vocabulary) -> set[str]:
    chosen = options.stop_words
    listed = languages.stop_words(chosen) if isinstance(chosen, str) else chosen or []
    cut = _cut_stop_words([*listed, *options.more_stop_words], options)
    return {word for words in cut.values() for word in words}


def _cut_stop_words(listed: Sequence[str], options: Vocabulary) -> dict[str, list[str]]:
    """Return each listed stop word cut as texts are: in lower case, and don't without its t."""
    pattern = token_pattern(options.tokenizer)
    cut = CountVectorizer(token_pattern=pattern).build_analyzer()
    return {word: cut(word) for word in listed}


def _tell_stop_words(options: Vocabulary) -> None:
    """Log which of a person's stop words are another word, or several, where texts are cut."""
    own = options.stop_words if isinstance(options.stop_words, list) else []
    for listed, words in _cut_stop_words([*own, *options.more_stop_words], options).items():
        if words and words != [listed.lower()]:
            console.log(
                f"vocabulary: the stop word {listed} is cut as texts are: {', '.join(words)}"
            )


def _some(words: Sequence[str], chosen: np.ndarray) -> str:
    """Return the number of the chosen words and the first of them."""
    numbers = np.flatnonzero(chosen)
    shown = ", ".join(words[number] for number in numbers[:SHOWN])
    return f"{len(numbers):,} words ({shown}{', ...' if len(numbers) > SHOWN else ''})"
