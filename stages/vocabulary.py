"""The words that topics are named and measured by: the section `vocabulary` of params.yaml.

Stages that make topics of the same documents share it, so that their words and figures compare.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator
from sklearn.feature_extraction.text import CountVectorizer

from stages.errors import BertlineError
from stages.params import Section


class Vocabulary(Section):
    """The section `vocabulary` of params.yaml."""

    stop_words: Literal["english"] | list[str] | None
    min_df: Annotated[int, Field(ge=1)]
    ngram_range: Annotated[
        list[Annotated[int, Field(ge=1, le=20)]], Field(min_length=2, max_length=2)
    ]
    top_words: Annotated[int, Field(ge=2, le=1_000)]

    @model_validator(mode="after")
    def _ordered(self) -> "Vocabulary":
        if self.ngram_range[0] > self.ngram_range[1]:
            raise ValueError("ngram_range should be [least, most] words")
        return self


class Corpus:
    """Documents cut into the words of their vocabulary, once for all that needs them.

    words: the vocabulary in alphabetical order. tokens: of each document, its words in their order,
    as numbers in `words`; with n-grams, all of one word first, then all of two, and so on.
    """

    def __init__(self, texts: Sequence[str], options: Vocabulary) -> None:
        """Cut the texts; BertlineError if no word is in `min_df` of them."""
        self.options = options
        analyze = _vectorizer(options).build_analyzer()
        cut = [analyze(text) for text in texts]
        frequency = Counter(word for document in cut for word in set(document))
        self.words = sorted(word for word, count in frequency.items() if count >= options.min_df)
        if not self.words:
            raise BertlineError(
                f"no word is left to name topics by: none but stop words occurs in "
                f"{options.min_df} documents. Lower vocabulary.min_df, or change "
                f"vocabulary.stop_words."
            )
        self.number = {word: number for number, word in enumerate(self.words)}
        self.tokens = [
            [self.number[word] for word in document if word in self.number] for document in cut
        ]

    def vectorizer(self) -> CountVectorizer:
        """Return a vectorizer with exactly these words.

        BERTopic fits its vectorizer on topics, each joined to one text, so its own `min_df` would
        count topics and remove the words that only one topic has.
        """
        return _vectorizer(self.options, vocabulary=self.words)


def _vectorizer(options: Vocabulary, *, vocabulary: list[str] | None = None) -> CountVectorizer:
    return CountVectorizer(
        vocabulary=vocabulary,
        stop_words=options.stop_words,
        ngram_range=tuple(options.ngram_range),
    )
