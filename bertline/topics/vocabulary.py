"""The vocabulary in which topics are named and measured, and documents cut into its words.

All topic models of the same documents share it, so that their words and measures are comparable.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field, model_validator
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from bertline.core.errors import BertlineError
from bertline.core.params import Section

BOILERPLATE = 4  # words in the same documents, at least; names and terms have fewer
BLOCK = 1_000  # words compared with all others at once, to limit memory


class Vocabulary(Section):
    """The section `vocabulary` of params.yaml."""

    stop_words: Literal["english"] | list[str] | None
    more_stop_words: list[Annotated[str, Field(min_length=1)]]
    min_df: Annotated[int, Field(ge=1)]
    boilerplate: Annotated[float, Field(gt=0, le=1)] | None
    ngram_range: Annotated[
        list[Annotated[int, Field(ge=1, le=20)]], Field(min_length=2, max_length=2)
    ]
    top_words: Annotated[int, Field(ge=2, le=1_000)]

    @model_validator(mode="after")
    def _ordered(self) -> "Vocabulary":
        if self.ngram_range[0] > self.ngram_range[1]:
            raise ValueError("ngram_range should be [fewest, most] words")
        return self


class Corpus:
    """Documents cut into the words of their vocabulary.

    texts: of the documents. words: the vocabulary in alphabetical order. tokens: each document's
    words in their order, as numbers in `words`; of n-grams, single words first, then pairs, etc.
    """

    def __init__(self, texts: Sequence[str], options: Vocabulary) -> None:
        """Cut the texts; BertlineError if no word is in `min_df` of them."""
        self.texts, self.options = texts, options
        analyze = _vectorizer(options).build_analyzer()
        cut = [analyze(text) for text in texts]
        frequency = Counter(word for document in cut for word in set(document))
        self.words = sorted(word for word, count in frequency.items() if count >= options.min_df)
        if not self.words:
            raise BertlineError(
                f"no word is left to name topics: only stop words occur in {options.min_df} "
                f"documents or more. Lower vocabulary.min_df, or change vocabulary.stop_words."
            )
        self.tokens = self._number(cut)
        self.boilerplate_words: list[str] = []
        if options.boilerplate is not None:
            repeated = boilerplate_words(self.counts(), options.boilerplate)
            self.boilerplate_words = [self.words[number] for number in np.flatnonzero(repeated)]
            self.words = [self.words[number] for number in np.flatnonzero(~repeated)]
            self.tokens = self._number(cut)

    def _number(self, cut: list[list[str]]) -> list[list[int]]:
        self.number = {word: number for number, word in enumerate(self.words)}
        return [[self.number[word] for word in words if word in self.number] for words in cut]

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
        return _vectorizer(self.options, vocabulary=self.words)


def boilerplate_words(counts: sp.csr_matrix, alike: float) -> np.ndarray:
    """Return which words belong to boilerplate repeated word for word, shape (words,).

    Two words are linked if the Jaccard similarity of their documents is `alike` at least, and
    `BOILERPLATE` linked words or more are boilerplate; none are, if all words are linked so.
    counts: documents by words.
    """
    has = (counts > 0).astype(np.float32).tocsc()
    documents = np.asarray(has.sum(axis=0)).ravel()
    by_word = has.T.tocsr()
    pairs = []
    for start in range(0, has.shape[1], BLOCK):
        both = (by_word[start : start + BLOCK] @ has).tocoo()
        one, other = both.row + start, both.col
        linked = both.data >= alike * (documents[one] + documents[other] - both.data)
        pairs.append(np.stack([one[linked], other[linked]]))
    one, other = np.concatenate(pairs, axis=1)
    links = sp.coo_matrix((np.ones(len(one)), (one, other)), shape=(has.shape[1],) * 2)
    _, group = connected_components(links, directed=False)
    repeated = np.bincount(group)[group] >= BOILERPLATE
    return repeated & ~repeated.all()


def _vectorizer(options: Vocabulary, *, vocabulary: list[str] | None = None) -> CountVectorizer:
    stop_words = ENGLISH_STOP_WORDS if options.stop_words == "english" else options.stop_words
    return CountVectorizer(
        vocabulary=vocabulary,
        # Removed before n-grams are made, so that none contains a stop word.
        stop_words=sorted({*(stop_words or ()), *options.more_stop_words}) or None,
        ngram_range=tuple(options.ngram_range),
    )
