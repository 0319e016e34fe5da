"""The words that name topics, by one of four representations.

Each takes the topic of every document and gives each topic its words with weights, weightiest
first. c-tf-idf, keybert and mmr are BERTopic's. principal is the leading direction of a topic's own
documents, in which words weigh that occur together in many of them; less where all documents have
them as often, and where the documents that have them are alike, as those of one thread are.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from bertline.core.params import Section
from bertline.topics.tables import OUTLIERS
from bertline.topics.vocabulary import Corpus

# Power iterations from the mean document: the words of 66 topics stay the same from 15 on.
ITERATIONS = 30
# Words of a topic, the weightiest, whose documents are compared: some ten come out, and comparing
# can only lower a weight.
COMPARED = 400

Encode = Callable[[list[str]], np.ndarray]
Weighted = list[tuple[str, float]]


class Ctfidf(Section):
    """`topic_words.ctfidf`."""

    bm25_weighting: bool
    reduce_frequent_words: bool


class Words(Section):
    """Of `topic_words`, what decides the words."""

    representation: Literal["principal", "c-tf-idf", "keybert", "mmr"]
    contrast: Annotated[float, Field(ge=0, le=1)]
    independence: Annotated[float, Field(ge=0, le=1)]
    ctfidf: Ctfidf
    candidates: Annotated[int, Field(ge=2, le=10_000)]
    diversity: Annotated[float, Field(ge=0, le=1)]


class Describer:
    """Gives topics their words, for as many divisions of the same documents as one asks for."""

    def __init__(
        self, corpus: Corpus, vectors: np.ndarray, options: Words, encode: Encode | None = None
    ) -> None:
        """vectors: of the documents, shape (n, d). encode: gives words vectors, shape (words, d);
        only keybert and mmr ask for it."""
        self.corpus, self.vectors, self.options = corpus, vectors, options
        self.counts = corpus.counts()
        presence = self.counts.astype(bool).astype(np.float64)
        self.holding = np.asarray(presence.sum(axis=0)).ravel()  # documents that hold each word
        self.present = TfidfTransformer().fit_transform(presence).tocsr()
        self._encode = encode
        self._word_vectors: dict[str, np.ndarray] = {}
        self._principal_words: dict[bytes, Weighted] = {}

    def part(self, rows: np.ndarray) -> "Describer":
        """Return one of some of the documents. rows: their numbers, (m,)."""
        vectors = np.asarray(self.vectors)[rows]
        part = Describer(self.corpus.part(rows), vectors, self.options, self._encode)
        part._word_vectors = self._word_vectors  # do not depend on documents
        return part

    def describe(self, topics: np.ndarray) -> dict[int, Weighted]:
        """Return the words of each topic, outliers too: `top_words` at most, weightiest first.

        topics: of each document, shape (n,).
        """
        kind, most = self.options.representation, self.corpus.options.top_words
        labels = sorted({int(topic) for topic in topics})
        if kind == "principal":
            return {label: self._remembered(topics == label) for label in labels}
        weights = self._ctfidf(topics, labels)
        if kind == "c-tf-idf":
            return {
                label: self._heaviest(weights[number], most) for number, label in enumerate(labels)
            }
        found = [self._heaviest(row, max(self.options.candidates, most)) for row in weights]
        self._encode_new([word for words in found for word, _ in words])
        choose = self._keybert if kind == "keybert" else self._mmr
        return {
            label: choose(words, topics == label, most)
            for label, words in zip(labels, found, strict=True)
        }

    def list_words(self, topics: np.ndarray) -> list[list[str]]:
        """Return the words of each topic but the outliers, as `describe` gives them."""
        if (
            self.options.representation == "principal"
        ):  # each topic's are its own, so leave some out
            labels = sorted({int(topic) for topic in topics} - {OUTLIERS})
            found = [self._remembered(topics == label) for label in labels]
        else:
            described = self.describe(topics)
            found = [words for topic, words in described.items() if topic != OUTLIERS]
        return [[word for word, _ in words] for words in found]

    def _remembered(self, members: np.ndarray) -> Weighted:
        """Return `_principal`: many divisions of the documents have some topics in common."""
        key = np.packbits(members).tobytes()
        if key not in self._principal_words:
            self._principal_words[key] = self._principal(members)
        return self._principal_words[key]

    def _principal(self, members: np.ndarray) -> Weighted:
        most, documents = self.corpus.options.top_words, self.present[members]
        weights = principal(documents)
        if self.options.contrast:
            inside = np.bincount(documents.indices, minlength=len(weights)) / documents.shape[0]
            information = positive_pmi(inside, self.holding / len(members))
            contrasted = weights * information**self.options.contrast
            # A topic of all documents, or of very short ones, has too few such words.
            if np.count_nonzero(contrasted) >= most:
                weights = contrasted
        if self.options.independence:
            first = np.argsort(-weights, kind="stable")[: max(COMPARED, most)]
            first = first[weights[first] > 0]
            compared = np.zeros(len(weights))
            shares = independent_shares(documents, first)
            compared[first] = weights[first] * shares**self.options.independence
            weights = compared
        return self._heaviest(sp.csr_matrix(weights), most)

    def _ctfidf(self, topics: np.ndarray, labels: list[int]) -> sp.csr_matrix:
        from bertopic.vectorizers import ClassTfidfTransformer

        row = {label: number for number, label in enumerate(labels)}
        rows = [row[int(topic)] for topic in topics]
        shape = (len(labels), len(topics))
        belongs = sp.csr_matrix((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=shape)
        joined = sp.csr_matrix(belongs @ self.counts)
        transformer = ClassTfidfTransformer(**self.options.ctfidf.model_dump())
        with np.errstate(divide="ignore"):  # of a word that none of these documents has
            return transformer.fit(joined).transform(joined).tocsr()

    def _heaviest(self, row: sp.csr_matrix, most: int) -> Weighted:
        """Return the words of a row with the greatest weights above 0; alphabetical in a tie."""
        order = np.lexsort((row.indices, -row.data))[:most]
        pairs = [(self.corpus.words[row.indices[at]], float(row.data[at])) for at in order]
        return [(word, weight) for word, weight in pairs if weight > 0]

    def _encode_new(self, words: Sequence[str]) -> None:
        fresh = sorted(set(words) - set(self._word_vectors))
        if fresh:
            assert self._encode is not None
            self._word_vectors |= zip(fresh, normalize(self._encode(fresh)), strict=True)

    def _keybert(self, words: Weighted, members: np.ndarray, most: int) -> Weighted:
        """Return the candidates nearest to the mean vector of the topic's documents."""
        if not words:
            return []
        middle = normalize(np.asarray(self.vectors[members], np.float64).mean(axis=0)[None])[0]
        near = [(word, float(self._word_vectors[word] @ middle)) for word, _ in words]
        return sorted(near, key=lambda pair: (-pair[1], pair[0]))[:most]

    def _mmr(self, words: Weighted, members: np.ndarray, most: int) -> Weighted:
        """Return candidates that are near to their mean and unlike each other, as BERTopic does."""
        from bertopic.representation._mmr import mmr

        if not words:
            return []
        names = [word for word, _ in words]
        vectors = np.vstack([self._word_vectors[word] for word in names])
        middle = vectors.mean(axis=0, keepdims=True)
        chosen = set(mmr(middle, vectors, names, self.options.diversity, min(most, len(names))))
        return [pair for pair in words if pair[0] in chosen]


def principal(documents: sp.csr_matrix) -> np.ndarray:
    """Return the leading right singular vector of documents by words, shape (words,), none below 0.

    All weights are 0 if no document has a word. By power iteration from the mean document; as no
    entry is below 0, none of the vector is (Perron and Frobenius).
    """
    vector = np.asarray(documents.mean(axis=0)).ravel()
    for _ in range(ITERATIONS):
        size = _length(vector)
        if size == 0:
            return vector
        vector = documents.T @ (documents @ (vector / size))
    return vector / _length(vector)


def _length(vector: np.ndarray) -> float:
    # BLAS would share so small a sum among all cores: slowly, and rounded by their number.
    return float(np.sqrt(np.square(vector).sum()))


def positive_pmi(inside: np.ndarray, everywhere: np.ndarray) -> np.ndarray:
    """Return the positive pointwise mutual information (PPMI) of words with a topic, (words,).

    inside, everywhere: the share of the topic's and of all documents that hold each word. It is the
    logarithm of their ratio, and 0 where a topic's documents hold a word no more often than others
    (Church and Hanks 1990; c-tf-idf damps common words by a logarithm of such a ratio too).
    """
    ratio = np.ones(len(inside))
    np.divide(inside, everywhere, out=ratio, where=inside > everywhere)
    return np.log(ratio)


def independent_shares(documents: sp.csr_matrix, words: np.ndarray) -> np.ndarray:
    """Return for each word what share of the documents that hold it count, shape (words,).

    documents: by words, each of length 1. words: numbers of columns, each in a document at least.
    n documents count for n² divided by the sum of the cosines between all of them, each with itself
    too: for n where all cosines are 0, for one where they are 1. It is Kish's (1965) effective size
    of a sample whose members are alike, with cosines for correlations.
    """
    holds = documents[:, words].astype(bool).astype(np.float64)
    count = np.asarray(holds.sum(axis=0)).ravel()
    together = sp.csr_matrix(holds.T @ documents)
    return count / np.asarray(together.multiply(together).sum(axis=1)).ravel()
