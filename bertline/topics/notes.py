"""Sentences on what makes topics mean little, each with what to change.

The thresholds are far from what corpora show whose topics are good: docs/experiments.md has their
figures.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bertline.topics import languages
from bertline.topics.languages import ENGLISH, MOSTLY, Language
from bertline.topics.tables import OUTLIERS
from bertline.topics.vocabulary import Corpus

UNKNOWN = 0.1  # share of unknown word pieces; .00 in a language of the encoder
SPELLED = 2.3  # word pieces per word; 1.3 in English prose, 1.8 in tweets, 2.5 in Slovenian
LONG, UNSEEN = 0.5, 0.2  # share of long documents, and of the text that was not seen
OTHER = 0.6  # share of its own stop words, by that of another language's
COPIES = 0.25  # share of the documents that repeat another
FEW = 300  # documents
# Share of the variance of lengths that lies between topics, and the least SD of their logarithm.
LENGTH, SPREAD = 0.5, 0.5


def find_notes(
    corpus: Corpus,
    described: pd.DataFrame,
    topics: np.ndarray,
    pieces: Mapping[str, Any],
    advice: str,
) -> list[str]:
    """Return a sentence on each thing that makes the topics mean little.

    described: by `describe_topics`. topics: of each document, shape (n,). pieces: what `embed`
    measured. advice: what to do for more topics.
    """
    texts = corpus.texts
    language = languages.look(texts)
    named = described[described["topic"] != OUTLIERS]
    found = [
        _of_embedder(pieces, texts, language),
        _of_long_texts(pieces),
        _of_tokenizer(corpus, language),
        _of_stop_words(corpus.options.stop_words, language),
        _of_words(corpus, language),
        _of_copies(texts),
        _of_few(len(texts), len(named), advice),
        of_nameless(named),
        _of_lengths(texts, topics),
    ]
    return [note for note in found if note]


def _of_embedder(pieces: Mapping[str, Any], texts: Sequence[str], language: Language) -> str | None:
    remedy = "Choose an embedder that was trained on the documents' language (inputs.embedder)."
    if pieces["unknown_share"] >= UNKNOWN:
        return (
            f"{pieces['unknown_share']:.0%} of the documents' word pieces are unknown to the "
            f"embedder, so their vectors say little. Most letters are {language.script}. {remedy}"
        )
    words = sum(len(re.findall(r"\w+", text)) for text in texts)
    per_word = pieces["mean_word_pieces"] * len(texts) / max(words, 1)
    if language.unspaced < MOSTLY and per_word >= SPELLED:
        return (
            f"The embedder cuts a word into {per_word:.1f} word pieces in the mean (English ones "
            f"cut an English word into 1.3): it hardly knows the documents' language. {remedy}"
        )
    return None


def _of_long_texts(pieces: Mapping[str, Any]) -> str | None:
    if pieces["long_share"] < LONG and pieces["unseen_share"] < UNSEEN:
        return None
    if not pieces["unseen_share"]:  # windows see all
        return None
    return (
        f"{pieces['long_share']:.0%} of the documents are longer than the "
        f"{pieces['longest_input']} word pieces that the embedder takes, and "
        f"{pieces['unseen_share']:.0%} of all text was not seen. Set embed.long_texts to windows, "
        f"or divide the documents into paragraphs."
    )


def _of_tokenizer(corpus: Corpus, language: Language) -> str | None:
    if corpus.options.tokenizer == "bigrams" or language.unspaced < MOSTLY:
        return None
    return (
        f"{language.unspaced:.0%} of the letters are of scripts without spaces between words "
        f"(mostly {language.script}), so whole clauses count as words. Set vocabulary.tokenizer "
        f"to bigrams."
    )


def _of_stop_words(chosen: object, language: Language) -> str | None:
    if not isinstance(chosen, str) or language.code is None:
        return None
    remedy = f"Set vocabulary.stop_words to {language.code}."
    if language.unspaced >= MOSTLY:
        if chosen.lower() == language.code:
            return None
        return f"Most letters are {language.script}, and the stop words are {chosen}. {remedy}"
    own = language.shares["en" if chosen == ENGLISH else chosen.lower()]
    most = language.shares[language.code]
    if own >= OTHER * most:
        return None
    return (
        f"{most:.0%} of the words are stop words of the language {language.code}, and {own:.0%} "
        f"are of {chosen}: the topics' words may be stop words. {remedy}"
    )


def _of_words(corpus: Corpus, language: Language) -> str | None:
    distinct = np.array([len(set(tokens)) for tokens in corpus.tokens])
    few = float(np.mean(distinct <= 1))
    if few < 0.5:
        return None
    remedy = "Lower vocabulary.min_df"
    if language.unspaced >= MOSTLY and corpus.options.tokenizer == "words":
        remedy += ", or set vocabulary.tokenizer to bigrams"
    return (
        f"{few:.0%} of the documents have one word of the vocabulary or none, so words say little "
        f"of topics. {remedy}; longer documents make better topics."
    )


def _of_copies(texts: Sequence[str]) -> str | None:
    alike = pd.Series([re.sub(r"[\W\d_]+", " ", text.lower()).strip() for text in texts])
    share = float(alike.duplicated().mean())
    if share < COPIES:
        return None
    return (
        f"{share:.0%} of the documents repeat another but for case, digits and punctuation, so "
        f"topics may be of copies. Leave them out of the source."
    )


def _of_few(documents: int, topics: int, advice: str) -> str | None:
    if topics < 2:
        found = "One topic was found" if topics else "No topic was found"
        return f"{found} in {documents:,} documents. {advice}."
    if documents < FEW:
        return (
            f"{documents:,} documents are few: which topics there are depends on single documents. "
            f"The stability of each topic says which can be relied on."
        )
    return None


def of_nameless(named: pd.DataFrame) -> str | None:
    """Return a sentence if topics have no words to be named by. named: by `describe_topics`."""
    nameless = named.loc[named["words"].str.len() == 0, "topic"]
    if not len(nameless):
        return None
    return (
        f"No document of topic {', '.join(map(str, nameless))} has a word of the vocabulary, so "
        f"its name is a number: all words are stop words, boilerplate, or in fewer documents than "
        f"vocabulary.min_df. Lower it, or change vocabulary.stop_words."
    )


def _of_lengths(texts: Sequence[str], topics: np.ndarray) -> str | None:
    """Topics of length: the share of the variance of the logarithm of lengths between topics."""
    inside = topics != OUTLIERS
    lengths = np.log1p([len(text) for text in texts])[inside]
    numbers = topics[inside]
    if len(np.unique(numbers)) < 2 or lengths.std() < SPREAD:
        return None
    table = pd.Series(lengths).groupby(numbers)
    share = float(np.var(table.transform("mean").to_numpy()) / lengths.var())
    if share < LENGTH:
        return None
    return (
        f"{share:.0%} of the variance of the documents' lengths lies between topics: topics tell "
        f"long documents from short ones more than what they are about. Choose an embedder that "
        f"knows the documents' language (inputs.embedder), or documents of like length."
    )
