"""Baseline topic models: LDA, NMF, KeyNMF, and BERTopic with its default settings.

Each returns the words of its topics, all in the vocabulary, and the topic of each document; a
document without words of the vocabulary is an outlier. All get the same documents, vectors and
vocabulary, as far as they use them.
"""

import contextlib
import copy
import importlib.util
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from threadpoolctl import threadpool_limits

from bertline.core.errors import BertlineError
from bertline.topics.naming import Precomputed
from bertline.topics.tables import OUTLIERS

if TYPE_CHECKING:
    from bertopic import BERTopic

LDA, NMF_NAME, KEYNMF, BERTOPIC = "LDA", "NMF", "KeyNMF", "BERTopic (default settings)"

# Packages of the optional extra `baselines`.
PACKAGES = ("tomotopy", "turftopic")
NMF_ITERATIONS = 1_000  # it converges well before


class Outcome(NamedTuple):
    """The topics of a model."""

    words: list[list[str]]  # of each topic, by falling weight
    topics: np.ndarray  # of each document, (n,)


class WordVectors:
    """An encoder for KeyNMF that looks up precomputed vectors of words."""

    def __init__(self, words: Sequence[str], vectors: np.ndarray) -> None:
        self._place = {word: place for place, word in enumerate(words)}
        self._vectors = vectors

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of words, shape (words, d)."""
        return self._vectors[[self._place[text] for text in texts]]


def require_packages() -> None:
    """Raise BertlineError if a package of the extra `baselines` is not installed."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BertlineError(
            f"The comparison of topic models needs {' and '.join(missing)}, which the pipeline "
            f"does not. Run `make baselines`, which installs what is missing."
        )


def fit_lda(
    tokens: Sequence[Sequence[int]],
    words: Sequence[str],
    number: int,
    seed: int,
    *,
    iterations: int,
    most: int,
) -> Outcome:
    """Fit latent Dirichlet allocation (Blei, Ng and Jordan 2003) by collapsed Gibbs sampling.

    tokens: each document's words, as numbers in `words`. iterations: over all documents. most:
    words per topic. tomotopy estimates the priors as it samples; with one worker and a seed it is
    deterministic.
    """
    import tomotopy

    model = tomotopy.LDAModel(k=number, seed=seed)
    topics = np.full(len(tokens), OUTLIERS, np.int64)
    with_words = [row for row, document in enumerate(tokens) if document]
    for row in with_words:
        model.add_doc([words[token] for token in tokens[row]])
    model.train(iterations, workers=1)
    topics[with_words] = [np.argmax(document.get_topic_dist()) for document in model.docs]
    found = [[word for word, _ in model.get_topic_words(topic, most)] for topic in range(number)]
    return Outcome(found, topics)


def fit_nmf(
    tfidf: sp.csr_matrix, words: Sequence[str], number: int, seed: int, *, most: int
) -> Outcome:
    """Fit non-negative matrix factorisation of TF-IDF, initialised by NNDSVD (Boutsidis 2008)."""
    model = NMF(n_components=number, init="nndsvd", max_iter=NMF_ITERATIONS, random_state=seed)
    with threadpool_limits(1, user_api="blas"):
        shares = model.fit_transform(tfidf)
    return Outcome(
        _heaviest(model.components_, words, most), _strongest(shares, shares.sum(axis=1) == 0)
    )


def weigh(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return TF-IDF of counts in single precision, which halves the time of NMF."""
    return TfidfTransformer().fit_transform(counts).astype(np.float32)


def extract_keywords(
    texts: Sequence[str],
    vectors: np.ndarray,
    vectorizer: CountVectorizer,
    encoder: WordVectors,
) -> list[dict[str, float]]:
    """Return KeyNMF's keywords of each document, which do not depend on the number of topics."""
    model = _keynmf(2, 0, vectorizer, encoder)
    with threadpool_limits(1, user_api="blas"):
        return model.extract_keywords(list(texts), embeddings=np.asarray(vectors))


def fit_keynmf(
    keywords: list[dict[str, float]],
    texts: Sequence[str],
    number: int,
    seed: int,
    *,
    vectorizer: CountVectorizer,
    most: int,
) -> Outcome:
    """Fit KeyNMF (Kristensen-McLachlan et al. 2024), with turftopic's settings, on keywords."""
    model = _keynmf(number, seed, vectorizer, WordVectors([], np.zeros((0, 1), np.float32)))
    # It prints its progress.
    with threadpool_limits(1, user_api="blas"), contextlib.redirect_stdout(io.StringIO()):
        shares = model.fit_transform(list(texts), keywords=keywords)
    return Outcome(
        _heaviest(model.components_, model.get_vocab(), most),
        _strongest(shares, shares.sum(axis=1) == 0),
    )


def _keynmf(number: int, seed: int, vectorizer: CountVectorizer, encoder: WordVectors) -> Any:
    from turftopic import KeyNMF

    return KeyNMF(number, encoder=encoder, vectorizer=vectorizer, random_state=seed)


def fit_bertopic(texts: Sequence[str], vectors: np.ndarray, reduced: np.ndarray) -> "BERTopic":
    """Return BERTopic with its default settings, but with vectors and a reduction given to it.

    HDBSCAN requires 10 documents per topic, and the vectorizer removes no words.
    """
    from bertopic import BERTopic

    model = BERTopic(umap_model=Precomputed(reduced))
    with threadpool_limits(1, user_api="blas"):
        return model.fit(list(texts), embeddings=np.asarray(vectors))


def merge_topics(model: "BERTopic", texts: Sequence[str], number: int | None) -> "BERTopic":
    """Return a copy with its topics merged to `number`, by BERTopic's own `nr_topics`.

    BERTopic counts the outliers as a topic, which is added here. None leaves the topics as they
    are, and so does BERTopic where there are no more than `number`.
    """
    if number is None:
        return model
    merged = copy.deepcopy(model)
    with threadpool_limits(1, user_api="blas"):
        merged.reduce_topics(list(texts), nr_topics=number + model._outliers)
    return merged


def take_words(model: "BERTopic", words: Sequence[str], most: int) -> Outcome:
    """Return BERTopic's topics with their heaviest words of the vocabulary `words`.

    Its own words include stop words and rare words, which the measures do not know; removing them
    afterwards keeps its weights and can only improve its measures.
    """
    names = model.vectorizer_model.get_feature_names_out()
    wanted = set(words)  # numpy's isin would compare every name with every word
    known = np.array([name in wanted for name in names])
    first = model._outliers  # the first row is the outliers', if there are any
    weights = sp.csr_matrix(model.c_tf_idf_)[first:, np.flatnonzero(known)]
    return Outcome(
        _heaviest(weights.toarray(), names[known], most), np.asarray(model.topics_, np.int64)
    )


def _heaviest(weights: np.ndarray, words: Sequence[str], most: int) -> list[list[str]]:
    """Return the words of the greatest weights above 0 in each row, by falling weight."""
    names = np.asarray(words)
    found = []
    for row in weights:
        order = np.argsort(-row, kind="stable")[:most]
        found.append([str(names[place]) for place in order if row[place] > 0])
    return found


def _strongest(shares: np.ndarray, silent: np.ndarray) -> np.ndarray:
    """Return the topic with the greatest share in each document, none where it is `silent`."""
    return np.where(silent, OUTLIERS, shares.argmax(axis=1)).astype(np.int64)
