"""Measures of topics: coherence, diversity, coverage, agreement with known groups.

They take the words of each topic and the topic of each document, of any topic model. `PROTOCOL`
defines each measure in words.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    homogeneity_completeness_v_measure,
    normalized_mutual_info_score,
)

from bertline.core import params
from bertline.topics.tables import AGREEMENT, OUTLIERS, QUALITY
from bertline.topics.vocabulary import Corpus, Vocabulary

# Words that may lie between two that occur together: gensim's and OCTIS' defaults.
NPMI_WINDOW = 10
CV_WINDOW = 110
EPSILON = 1e-12  # gensim adds it to probabilities before taking their logarithm
DIGITS = 4
HALVES = 1  # seed of the draw of halves

PROTOCOL = {
    "vocabulary": (
        "The words of the section `vocabulary` in params.yaml: in min_df documents at least, "
        "without stop words and without boilerplate, which is repeated word for word in "
        "documents that say more than that, as signatures are. `words` is their number. Measures "
        "see no other word."
    ),
    "words": "The first top_words words of each topic. Outliers are not a topic and have no words.",
    "outlier_share": "The share of all documents that are in no topic.",
    "coverage": "1 less the outlier share.",
    "npmi": (
        "Normalised pointwise mutual information (Bouma 2009) of all pairs of a topic's words, as "
        f"gensim's c_npmi: words occur together within windows of {NPMI_WINDOW} words of the "
        "vocabulary in these same documents (stop words and rare words are removed first); the "
        "mean over a topic's pairs, then over topics. From -1 to 1; 0 is chance. Like gensim, and "
        "so like published figures, this counts a word as out of a sliding window as soon as one "
        "of its occurrences is, even if another is still inside."
    ),
    "npmi_held_out": (
        "NPMI on documents that did not choose the words: each topic's words are chosen on one "
        "half of its documents, drawn at random, and counted in the other half; the mean of both "
        "ways. A word that the other half lacks counts as chance. Messages of one thread, and what "
        "they quote, are in both halves."
    ),
    "c_v": (
        "C_V (Röder, Both and Hinneburg 2015), as gensim's c_v: the cosine between the vector of a "
        f"word's NPMI with each word of its topic, in windows of {CV_WINDOW} words, and the sum of "
        "these vectors; the mean over words, then over topics. Up to 1."
    ),
    "ngrams": (
        "Where ngram_range is not [1, 1], words have no order, and a document is one window for "
        "both coherences."
    ),
    "diversity": "The share of distinct words among all topics' words (Dieng et al. 2020).",
    "agreement": (
        "NMI, AMI, ARI, homogeneity, completeness and V-measure of topics with the documents' "
        "known groups (scikit-learn's): over all documents, with the outliers as one more topic, "
        "and, ending in _without_outliers, over the documents in a topic. Documents without a "
        "group are left out; empty without groups."
    ),
    "npmi_times_coverage": "NPMI times coverage: outliers cannot raise it.",
}


Numbers = Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1), params.Increasing]


def load_numbers(path: Path) -> list[int]:
    """Return `topic_numbers` of params.yaml, the numbers of topics at which models are compared."""
    return params.load_list(path, "topic_numbers", Numbers)


class Reference:
    """A corpus in which co-occurrences are counted; sets of topics share the counts."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        ends = np.cumsum([len(document) for document in corpus.tokens])
        self._starts = np.concatenate([[0], ends]).astype(np.int64)
        self._tokens = np.concatenate([np.asarray(row, np.int32) for row in corpus.tokens])
        self._place = np.full(len(corpus.words), -1, np.int32)  # of a counted word; -1 for others
        self._counted = 0
        self._together: dict[int, np.ndarray] = {}

    @property
    def windows(self) -> tuple[int, int]:
        """The windows of NPMI and of C_V, in words; a whole document where there are n-grams."""
        if self.corpus.options.ngram_range != [1, 1]:
            longest = int(np.diff(self._starts).max())
            return longest, longest
        return NPMI_WINDOW, CV_WINDOW

    def prepare(self, words: Iterable[str]) -> None:
        """Count these words in the next pass, so that many sets of topics take a single one.

        Raises KeyError for a word outside the vocabulary.
        """
        numbers = np.asarray(sorted({self.corpus.number[word] for word in words}), np.int64)
        fresh = numbers[self._place[numbers] < 0] if len(numbers) else numbers
        if not len(fresh):
            return
        self._place[fresh] = np.arange(self._counted, self._counted + len(fresh), dtype=np.int32)
        self._counted += len(fresh)
        self._together = {}

    def npmi(self, topics: Sequence[Sequence[str]]) -> np.ndarray:
        """Return the NPMI of each topic, the mean over the pairs of its words, shape (topics,)."""
        self.prepare(word for topic in topics for word in topic)
        return np.asarray([_mean_of_pairs(self._npmi_of(words, 0)) for words in topics])

    def c_v(self, topics: Sequence[Sequence[str]]) -> np.ndarray:
        """Return the C_V of each topic, shape (topics,)."""
        self.prepare(word for topic in topics for word in topic)
        return np.asarray([_mean_cosine(self._npmi_of(words, 1)) for words in topics])

    def _npmi_of(self, words: Sequence[str], measure: int) -> np.ndarray:
        """Return the NPMI of every two of the words, shape (words, words), in NPMI's windows (0)
        or C_V's (1); gensim's `log_ratio_measure`. 0 for a word that no document has."""
        size = self.windows[measure]
        together = self._count(size)
        places = self._place[[self.corpus.number[word] for word in words]]
        number = np.maximum(np.diff(self._starts) - size + 1, 1).sum()  # of windows
        both = together[np.ix_(places, places)] / number
        alone = np.diag(both)
        chance = np.outer(alone, alone)
        ratio = np.where(chance > 0, (both + EPSILON) / np.where(chance > 0, chance, 1), 1)
        return np.log(ratio) / -np.log(both + EPSILON)

    def _count(self, size: int) -> np.ndarray:
        if size not in self._together:
            places = self._place[self._tokens]
            self._together[size] = count_together(places, self._starts, size, self._counted)
        return self._together[size]


def count_together(tokens: np.ndarray, starts: np.ndarray, size: int, words: int) -> np.ndarray:
    """Return the number of windows that hold two words, shape (words, words); the diagonal: one.

    tokens: all documents' words one after another, numbers below `words`, -1 for any other word.
    starts: where each document begins, and the end, shape (documents + 1,).
    """
    together = np.zeros((words, words), np.int64)
    _compiled()(tokens, starts, size, together)
    return together + together.T - np.diag(np.diag(together))


@functools.cache
def _compiled() -> Callable[..., None]:
    # Stages set the number of threads before numba is imported.
    import numba

    return numba.njit(_count_windows)


def _count_windows(tokens: Any, starts: Any, size: Any, together: Any) -> None:
    """Add to `together` the windows that words share; each pair on one side of the diagonal.

    As the window slides on by a word, one word leaves and one enters: a word is in a run of windows
    from `since`, and when it leaves, the runs that it shares with those still present are known.
    As gensim counts, a word has left as soon as one of its occurrences has, until it enters again.
    """
    words = len(together)
    since = np.zeros(words, np.int64)
    present = np.zeros(words, np.int64)  # the words in the window, the first `inside`
    place = np.full(words, -1)  # of a word in `present`
    for document in range(len(starts) - 1):
        first = starts[document]
        length = starts[document + 1] - first
        width = min(size, length)
        inside = 0
        for step in range(length + width):
            window = min(max(step - width + 1, 0), length - width + 1)
            word = tokens[first + step - width] if step >= width else -1
            if word >= 0 and place[word] >= 0:
                for other in present[:inside]:
                    together[word, other] += window - max(since[word], since[other])
                inside -= 1
                moved = present[inside]
                present[place[word]] = moved
                place[moved] = place[word]
                place[word] = -1
            word = tokens[first + step] if step < length else -1
            if word >= 0 and place[word] < 0:
                since[word] = window
                present[inside] = word
                place[word] = inside
                inside += 1


def _mean_of_pairs(npmi: np.ndarray) -> float:
    """Return the mean off the diagonal; NaN for a single word."""
    pairs = len(npmi) * (len(npmi) - 1)
    return float((npmi.sum() - np.trace(npmi)) / pairs) if pairs else float("nan")


def _mean_cosine(npmi: np.ndarray) -> float:
    """Return the mean cosine of each row with the sum of rows: gensim's `cosine_similarity`."""
    total = npmi.sum(axis=0)
    sizes = np.linalg.norm(npmi, axis=1) * np.linalg.norm(total)
    return float(np.mean(npmi @ total / sizes))


def diversity(topics: Sequence[Sequence[str]]) -> float:
    """Return the share of distinct words among the topics' words (Dieng et al. 2020, TACL 8)."""
    words = [word for topic in topics for word in topic]
    return len(set(words)) / len(words)


def quality(topics: Sequence[Sequence[str]], reference: Reference) -> dict[str, float | None]:
    """Return NPMI, C_V and diversity of the topics' first `top_words` words.

    Topics of one word have no coherence and are left out; None if no topic has two.
    """
    most = reference.corpus.options.top_words
    words = [list(topic[:most]) for topic in topics if len(topic) > 1]
    if not words:
        return dict.fromkeys(QUALITY)
    return {
        "npmi": _rounded(reference.npmi(words).mean()),
        "c_v": _rounded(reference.c_v(words).mean()),
        "diversity": _rounded(diversity(words)),
    }


def coherence(topics: Sequence[Sequence[str]], reference: Reference) -> float | None:
    """Return the NPMI of the topics' first `top_words` words; None if no topic has two."""
    most = reference.corpus.options.top_words
    words = [list(topic[:most]) for topic in topics if len(topic) > 1]
    return float(reference.npmi(words).mean()) if words else None


def halves(documents: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rising numbers of the documents of two random halves."""
    order = np.random.default_rng(HALVES).permutation(documents)
    middle = documents // 2
    return np.sort(order[:middle]), np.sort(order[middle:])


def agreement(topics: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Return what `AGREEMENT` names, of topics with known groups, both of shape (n,)."""
    homogeneity, completeness, v_measure = homogeneity_completeness_v_measure(groups, topics)
    return {
        "nmi": _rounded(normalized_mutual_info_score(groups, topics)),
        "ami": _rounded(adjusted_mutual_info_score(groups, topics)),
        "ari": _rounded(adjusted_rand_score(groups, topics)),
        "homogeneity": _rounded(homogeneity),
        "completeness": _rounded(completeness),
        "v_measure": _rounded(v_measure),
    }


def agreements(topics: np.ndarray, groups: pd.Series | None) -> dict[str, float | None]:
    """Return the agreement over all documents, and over those in a topic (`_without_outliers`).

    groups: of each document, or None. Documents without a group are left out; None where none is
    left.
    """
    endings = ("", "_without_outliers")
    figures: dict[str, float | None] = {
        f"{name}{ending}": None for ending in endings for name in AGREEMENT
    }
    if groups is None or groups.isna().all():
        return figures
    known = groups.notna().to_numpy()
    # Numbers in the order of the names: scikit-learn would sort the names anew for each measure.
    topics, names = topics[known], pd.factorize(groups[known], sort=True)[0]
    inside = topics != OUTLIERS
    figures |= agreement(topics, names)
    if inside.any():
        within = agreement(topics[inside], names[inside])
        figures |= {f"{name}_without_outliers": value for name, value in within.items()}
    return figures


def measure(
    words: Sequence[Sequence[str]],
    topics: np.ndarray,
    groups: pd.Series | None,
    reference: Reference,
) -> dict[str, Any]:
    """Return the measures that `PROTOCOL` defines.

    words: of each topic but the outliers, by falling weight, all in the corpus' vocabulary.
    topics: of each document, `OUTLIERS` for none, shape (n,). groups: of each document, or None.
    """
    outliers = float(np.mean(topics == OUTLIERS))
    figures = quality(words, reference)
    npmi = figures["npmi"]
    return {
        "topics": len(words),
        "outlier_share": _rounded(outliers),
        "coverage": _rounded(1 - outliers),
        **figures,
        **agreements(topics, groups),
        "npmi_times_coverage": None if npmi is None else _rounded(npmi * (1 - outliers)),
    }


def measure_all(
    found: Sequence[tuple[Sequence[Sequence[str]], np.ndarray]],
    groups: pd.Series | None,
    reference: Reference,
) -> list[dict[str, Any]]:
    """Return the `measure` of each pair of topics' words and documents' topics.

    The words of all are counted in one pass, which takes hardly longer than those of one.
    """
    reference.prepare(word for topics, _ in found for words in topics for word in words)
    return [measure(words, topics, groups, reference) for words, topics in found]


def protocol(reference: Reference) -> dict[str, Any]:
    """Return the definitions of the measures, the vocabulary, its size and the corpus."""
    options: Vocabulary = reference.corpus.options
    return {
        "parameters": options.model_dump(),
        "words": len(reference.corpus.words),
        "boilerplate_words": len(reference.corpus.boilerplate_words),
        "documents": len(reference.corpus.tokens),
        "corpus": reference.corpus.fingerprint(),
        "windows": dict(zip(("npmi", "c_v"), reference.windows, strict=True)),
        "measures": PROTOCOL,
    }


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)
