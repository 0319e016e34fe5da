"""Reassign outliers to topics by BERTopic's strategies.

Clustering leaves documents between topics or in sparse regions out of all topics. A strategy
assigns such a document to the nearest topic, unless its similarity is below a threshold. Its
probabilities are the topics' shares of its nearest neighbours, or with HDBSCAN its memberships.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from bertline.core import console
from bertline.core.params import Section
from bertline.topics.tables import OUTLIERS

if TYPE_CHECKING:
    from bertopic import BERTopic
    from hdbscan import HDBSCAN

Strategy = Literal["none", "embeddings", "c-tf-idf", "distributions", "probabilities"]

# Documents times topics: 0.8 GB.
MAX_PROBABILITIES = 100_000_000


class Outliers(Section):
    """`topic_words.outliers`."""

    strategy: Strategy
    threshold: Annotated[float, Field(ge=0, le=1)]


def reduce_outliers(
    model: "BERTopic",
    texts: Sequence[str],
    vectors: np.ndarray,
    topics: np.ndarray,
    options: Outliers,
    membership: np.ndarray | None = None,
) -> np.ndarray:
    """Return the topics of documents, shape (n,), outliers reassigned by the strategy.

    membership: in topics, (n, topics), -1 where it is not known; `probabilities` needs it.
    """
    outside = topics == OUTLIERS
    found = len([topic for topic in model.topic_sizes_ if topic != OUTLIERS])
    if options.strategy == "none" or not outside.any() or not found:
        return topics
    rows = np.flatnonzero(outside)
    result = topics.copy()
    if options.strategy == "probabilities":  # BERTopic's own requires outliers in the fit
        assert membership is not None
        likely = membership[rows].max(axis=1) >= options.threshold
        result[rows] = np.where(likely, membership[rows].argmax(axis=1), OUTLIERS)
        return result
    if not model._outliers:  # BERTopic raises where the fit had none
        return topics
    with threadpool_limits(1, user_api="blas"):
        reduced = model.reduce_outliers(
            [texts[int(row)] for row in rows] if len(texts) else [""] * len(rows),
            [OUTLIERS] * len(rows),
            strategy=options.strategy,
            threshold=options.threshold,
            embeddings=np.asarray(vectors[rows]),
        )
    result[rows] = reduced
    return result


def fits_memory(documents: int, topics: int, options: Outliers) -> bool:
    """Return whether to compute the membership of documents in topics, and say why not.

    The strategy `probabilities` needs it in any case.
    """
    needed = documents * topics
    if needed > MAX_PROBABILITIES and options.strategy != "probabilities":
        console.log(
            f"the probabilities of {documents:,} documents in {topics:,} topics "
            f"would take {8 * needed / 1e9:.0f} GB: the table of coverage omits that strategy"
        )
        return False
    return needed > 0


def find_membership(clusters: "HDBSCAN", topic_of: np.ndarray) -> np.ndarray:
    """Return HDBSCAN's membership of each document in each topic, (n, topics).

    topic_of: the topic of each cluster.
    """
    from hdbscan import all_points_membership_vectors

    return by_topic(all_points_membership_vectors(clusters), topic_of)


def by_topic(membership: np.ndarray, topic_of: np.ndarray) -> np.ndarray:
    """Return HDBSCAN's memberships with a column per topic instead of one per cluster."""
    membership = membership.reshape(len(membership), -1)
    columns = np.empty_like(membership)
    columns[:, topic_of] = membership
    return columns
