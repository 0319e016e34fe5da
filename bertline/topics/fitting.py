"""Fit BERTopic (Grootendorst 2022) to documents: UMAP, HDBSCAN, words, and outliers reassigned."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bertline.core import console, params
from bertline.core.params import Section
from bertline.topics.clustering import Hdbscan, Map, Umap, cluster, reduce_vectors
from bertline.topics.model import Settings, TopicModel, first_alike, hash_texts
from bertline.topics.outliers import Outliers, find_membership, reduce_outliers
from bertline.topics.tables import OUTLIERS
from bertline.topics.words import Describer, Words

# BERTopic is imported where it is called: it imports numba (see `clustering`).
if TYPE_CHECKING:
    from bertopic import BERTopic


class TopicFit(Section):
    """The section `topic_fit` of params.yaml."""

    seed: params.Seed
    umap: Umap
    map: Map
    hdbscan: Hdbscan
    outliers: Outliers
    words: Words


class Fit(NamedTuple):
    """A fitted model, and what the fit found besides."""

    model: TopicModel
    core: np.ndarray  # HDBSCAN's topic of each document, before outliers are reassigned, (n,)
    membership: np.ndarray | None  # of each document in each topic, (n, topics)
    places: np.ndarray  # of each document on the map, (n, 2)


class Precomputed:
    """A reduction or a clustering of the fitted documents, which BERTopic takes for its own."""

    def __init__(self, result: np.ndarray) -> None:
        """result: reduced vectors, (n, components), or labels, (n,)."""
        self.labels_ = result

    def fit(self, vectors: np.ndarray, y: Any = None) -> "Precomputed":
        """Do nothing."""
        return self

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """Return the reduced vectors of the fitted documents."""
        return self.labels_


def fit_topics(describer: Describer, options: TopicFit) -> Fit:
    """Return the model fitted to the describer's documents and vectors.

    Documents with the same text or the same vector get the same topic. Words are those of the core.
    """
    texts, vectors = list(describer.corpus.texts), describer.vectors
    reduced, places = reduce_vectors(vectors, options.seed, options.umap, options.map)
    console.log("HDBSCAN")
    clusters = cluster(reduced, options.hdbscan)
    alike = first_alike(vectors, texts)
    labels = clusters.labels_[alike]
    console.log("words of topics")
    bertopic = fit_bertopic(describer, reduced, labels)
    core = np.asarray(bertopic.topics_)
    topic_of = number_clusters(labels, core, int(clusters.labels_.max()) + 1)
    membership = find_membership(clusters, topic_of, options.outliers)
    topics = reduce_outliers(bertopic, texts, vectors, core, options.outliers, membership)[alike]
    set_topics(bertopic, topics)
    model = TopicModel(
        settings=Settings.model_validate(options.model_dump(include=set(Settings.model_fields))),
        vectors=vectors,
        reduced=reduced,
        labels=clusters.labels_,
        topic_of=topic_of,
        topics=topics,
        probabilities=clusters.probabilities_[alike],
        text_hashes=hash_texts(texts),
        clusters=clusters,
        bertopic=bertopic,
    )
    return Fit(model, core, membership, places)


def fit_bertopic(describer: Describer, reduced: np.ndarray, labels: np.ndarray) -> "BERTopic":
    """Return BERTopic with the topics of a clustering, and their words from `describer`."""
    from bertopic import BERTopic
    from bertopic.representation._base import BaseRepresentation
    from bertopic.vectorizers import ClassTfidfTransformer

    class Described(BaseRepresentation):
        def extract_topics(
            self, topic_model: BERTopic, documents: pd.DataFrame, c_tf_idf: Any, topics: Any
        ) -> dict[int, list[tuple[str, float]]]:
            return describer.describe(documents.sort_values("ID")["Topic"].to_numpy())

    model = BERTopic(
        # Otherwise BERTopic removes all letters but English ones from words.
        language="multilingual",
        embedding_model=None,
        umap_model=Precomputed(reduced),
        hdbscan_model=Precomputed(labels),
        vectorizer_model=describer.corpus.vectorizer(),
        ctfidf_model=ClassTfidfTransformer(**describer.options.ctfidf.model_dump()),
        representation_model=Described(),
        top_n_words=describer.corpus.options.top_words,
    )
    with threadpool_limits(1, user_api="blas"):
        model.fit(list(describer.corpus.texts), embeddings=np.asarray(describer.vectors))
    return model


def set_topics(model: "BERTopic", topics: np.ndarray) -> None:
    """Replace the topics of BERTopic's documents, and keep its words.

    A topic without documents, as the outliers may be, keeps its row in what BERTopic stores.
    """
    model.topic_sizes_ = {
        topic: int(np.sum(topics == topic)) for topic in sorted(model.topic_sizes_)
    }
    model.topics_ = topics.tolist()


def number_clusters(labels: np.ndarray, core: np.ndarray, clusters: int) -> np.ndarray:
    """Return the topic of each of HDBSCAN's clusters, shape (clusters,): BERTopic sorts by size.

    A cluster that lost all its documents to equal ones elsewhere has the outliers' number.
    """
    topic_of = np.full(clusters, OUTLIERS, np.int64)
    inside = labels != OUTLIERS
    topic_of[labels[inside]] = core[inside]
    return topic_of
