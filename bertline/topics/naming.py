"""Make BERTopic (Grootendorst 2022) of clusters: topics with words, and outliers reassigned."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bertline.core import console
from bertline.core.params import LongTexts
from bertline.topics import graph
from bertline.topics.fitting import Clusters, cluster_again, first_alike, number_clusters
from bertline.topics.model import Settings, TopicModel, find_reach, hash_texts
from bertline.topics.outliers import Outliers, find_membership, fits_memory, reduce_outliers
from bertline.topics.words import Describer, Words

# BERTopic is imported where it is called: it imports numba (see `clustering`).
if TYPE_CHECKING:
    from bertopic import BERTopic


class TopicWords(Words):
    """The section `topic_words` of params.yaml."""

    outliers: Outliers


class Fit(NamedTuple):
    """A topic model, and what it was made from."""

    model: TopicModel
    core: np.ndarray  # the topic of each document before outliers are reassigned, (n,)
    membership: np.ndarray | None  # of each document in each topic, (n, topics)


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


def name_topics(
    describer: Describer,
    clusters: Clusters,
    options: TopicWords,
    long_texts: LongTexts = "head",
) -> Fit:
    """Return the model of clusters of the describer's documents and vectors.

    Words are those of the core: the documents that the clustering itself assigned. long_texts: as
    the documents were embedded, so that new ones are, too.
    """
    texts, vectors = list(describer.corpus.texts), describer.vectors
    labels, core, settings = clusters.labels, clusters.core, clusters.settings
    hdbscan = None
    if clusters.reduced is not None:
        hdbscan = cluster_again(clusters.reduced, labels, settings.hdbscan)
    console.log("words of topics")
    bertopic = fit_bertopic(describer, core)
    alike = first_alike(vectors, texts)
    topic_of = number_clusters(labels[alike], core, int(labels.max()) + 1)
    membership = None
    if fits_memory(len(core), len(topic_of), options.outliers):
        if hdbscan is not None:
            membership = find_membership(hdbscan, topic_of)
        else:
            near = clusters.neighbours.numbers[:, : settings.graph.n_neighbors + 1]
            membership = graph.vote(near, core, int(core.max()) + 1)
    topics = reduce_outliers(bertopic, texts, vectors, core, options.outliers, membership)[alike]
    set_topics(bertopic, topics)
    model = TopicModel(
        settings=Settings(
            method=settings.method,
            seed=settings.seed,
            graph=settings.graph,
            umap=settings.umap,
            hdbscan=settings.hdbscan,
            outliers=options.outliers,
            long_texts=long_texts,
        ),
        vectors=vectors,
        reduced=clusters.reduced,
        labels=labels,
        topic_of=topic_of,
        core=core,
        topics=topics,
        probabilities=clusters.table["probability"].to_numpy(),
        text_hashes=hash_texts(texts),
        reach=find_reach(clusters.neighbours),
        clusters=hdbscan,
        bertopic=bertopic,
    )
    return Fit(model, core, membership)


def fit_bertopic(describer: Describer, topics: np.ndarray) -> "BERTopic":
    """Return BERTopic with these topics of the describer's documents, and its words for them.

    topics: numbered by falling size, shape (n,).
    """
    from bertopic import BERTopic
    from bertopic.representation._base import BaseRepresentation
    from bertopic.vectorizers import ClassTfidfTransformer

    class Described(BaseRepresentation):
        def extract_topics(
            self, topic_model: BERTopic, documents: pd.DataFrame, c_tf_idf: Any, topics: Any
        ) -> dict[int, list[tuple[str, float]]]:
            return describer.describe(documents.sort_values("ID")["Topic"].to_numpy())

    class Numbered(BERTopic):
        def _sort_mappings_by_frequency(self, documents: pd.DataFrame) -> pd.DataFrame:
            # It sorts by an unstable sort, which could number topics of one size anew.
            return documents

    model = Numbered(
        # Otherwise BERTopic removes all letters but English ones from words.
        language="multilingual",
        embedding_model=None,
        umap_model=Precomputed(np.asarray(describer.vectors)),
        hdbscan_model=Precomputed(topics),
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
