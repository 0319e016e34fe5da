"""Other topic models, each with fair settings: LDA, NMF, BERTopic (default settings), and KeyNMF.

Each gives the words of its topics, all of the vocabulary, and the topic of each document; a
document that a model says nothing of, as it has no word, is an outlier. All are given the same
documents, vectors and vocabulary, where they can make use of them.
"""

import contextlib
import copy
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import NMF, LatentDirichletAllocation
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from threadpoolctl import threadpool_limits

from bertline.topics.clustering import Reduced
from bertline.topics.measures import OUTLIERS

if TYPE_CHECKING:
    from bertopic import BERTopic

LDA, NMF_NAME, KEYNMF, BERTOPIC = "LDA", "NMF", "KeyNMF", "BERTopic (default settings)"

# LDA looks at a document again and again until its topics move less than this, or this often:
# scikit-learn's own limits of .001 and 100 take several times longer for the same topics.
LDA_CHANGE, LDA_LOOKS = 0.01, 20
NMF_ITERATIONS = 1_000  # it ends well before, where its own tolerance says


class Outcome(NamedTuple):
    """What a model found: the words of each topic, and the topic of each document, shape (n,)."""

    words: list[list[str]]
    topics: np.ndarray


class WordVectors:
    """What KeyNMF takes for its encoder: the vectors of words, computed before."""

    def __init__(self, words: Sequence[str], vectors: np.ndarray) -> None:
        self._place = {word: place for place, word in enumerate(words)}
        self._vectors = vectors

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of words, shape (words, d)."""
        return self._vectors[[self._place[text] for text in texts]]


def fit_lda(
    counts: sp.csr_matrix, words: Sequence[str], number: int, seed: int, *, passes: int, most: int
) -> Outcome:
    """Fit latent Dirichlet allocation (Blei, Ng and Jordan 2003) by variational Bayes.

    counts: of words in documents, shape (n, words). passes: over all documents. most: words wanted
    of each topic.
    """
    model = LatentDirichletAllocation(
        n_components=number,
        learning_method="batch",
        max_iter=passes,
        max_doc_update_iter=LDA_LOOKS,
        mean_change_tol=LDA_CHANGE,
        random_state=seed,
        n_jobs=1,
    )
    with threadpool_limits(1, user_api="blas"):
        shares = model.fit_transform(counts)
    silent = np.asarray(counts.sum(axis=1)).ravel() == 0
    return Outcome(_heaviest(model.components_, words, most), _strongest(shares, silent))


def fit_nmf(
    tfidf: sp.csr_matrix, words: Sequence[str], number: int, seed: int, *, most: int
) -> Outcome:
    """Fit non-negative matrix factorisation of TF-IDF, begun by NNDSVD (Boutsidis 2008)."""
    model = NMF(n_components=number, init="nndsvd", max_iter=NMF_ITERATIONS, random_state=seed)
    with threadpool_limits(1, user_api="blas"):
        shares = model.fit_transform(tfidf)
    return Outcome(
        _heaviest(model.components_, words, most), _strongest(shares, shares.sum(axis=1) == 0)
    )


def weigh(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return TF-IDF of counts, in single precision, with which NMF takes half as long."""
    return TfidfTransformer().fit_transform(counts).astype(np.float32)


def extract_keywords(
    texts: Sequence[str],
    vectors: np.ndarray,
    vectorizer: CountVectorizer,
    encoder: WordVectors,
) -> list[dict[str, float]]:
    """Return KeyNMF's keywords of each document, which serve any number of topics."""
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
    # It reports progress on the standard output.
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
    """Return BERTopic with its library's settings, but for vectors and a reduction given to it.

    So HDBSCAN asks for 10 documents in a topic, and its vectorizer knows every word.
    """
    from bertopic import BERTopic

    model = BERTopic(umap_model=Reduced(reduced))
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
    """Return BERTopic's topics with their weightiest words of the vocabulary `words`.

    Its own words hold stop words and rare ones, which the measures do not know; leaving them out
    here, and not before, keeps its weights and can only help it.
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
    """Return the words of the greatest weights above 0 in each row, weightiest first."""
    names = np.asarray(words)
    found = []
    for row in weights:
        order = np.argsort(-row, kind="stable")[:most]
        found.append([str(names[place]) for place in order if row[place] > 0])
    return found


def _strongest(shares: np.ndarray, silent: np.ndarray) -> np.ndarray:
    """Return the topic with the greatest share in each document, none where it is `silent`."""
    return np.where(silent, OUTLIERS, shares.argmax(axis=1)).astype(np.int64)
