"""Give documents that HDBSCAN left out a topic, by BERTopic's own strategies, and what that costs.

HDBSCAN calls documents outliers where they lie thinly. A strategy gives such a document the topic
that it is nearest to; a threshold leaves it out still where that is not near.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from threadpoolctl import threadpool_limits

from bertline.core import console
from bertline.core.params import Section
from bertline.topics.measures import MEASURES, OUTLIERS, Reference, measure_all
from bertline.topics.words import Describer

if TYPE_CHECKING:
    from bertopic import BERTopic

# Each strategy at these thresholds in the table of coverage against quality.
THRESHOLDS = {
    "embeddings": (0.0, 0.2, 0.3, 0.4, 0.5, 0.6),
    "c-tf-idf": (0.0, 0.05, 0.1, 0.15, 0.2),
    "distributions": (0.0, 0.2),
    "probabilities": (0.0, 0.001, 0.01, 0.1),
}
COVERAGE = ("strategy", "threshold", "words", "chosen", *MEASURES)
# Documents times topics for whose probabilities there is memory: 0.8 GB.
MAX_PROBABILITIES = 100_000_000


class Outliers(Section):
    """`topic_fit.outliers`."""

    strategy: Literal["none", "embeddings", "c-tf-idf", "distributions", "probabilities"]
    threshold: Annotated[float, Field(ge=0, le=1)]


def reduce_outliers(
    model: "BERTopic",
    texts: Sequence[str],
    vectors: np.ndarray,
    topics: np.ndarray,
    options: Outliers,
    probabilities: np.ndarray | None = None,
) -> np.ndarray:
    """Return the topics of documents, shape (n,), with those of outliers as the strategy has them.

    probabilities: of each document and topic, (n, topics), for the strategy of that name.
    """
    outside = topics == OUTLIERS
    found = len([topic for topic in model.topic_sizes_ if topic != OUTLIERS])
    if options.strategy == "none" or not outside.any() or not found:
        return topics
    rows = np.flatnonzero(outside)
    result = topics.copy()
    if options.strategy == "probabilities":  # as BERTopic does, which wants outliers in the fit
        likely = probabilities[rows].max(axis=1) >= options.threshold
        result[rows] = np.where(likely, probabilities[rows].argmax(axis=1), OUTLIERS)
        return result
    if not model._outliers:  # BERTopic refuses where the fit had none
        return topics
    with threadpool_limits(1, user_api="blas"):
        reduced = model.reduce_outliers(
            [texts[row] for row in rows] if len(texts) else [""] * len(rows),
            [OUTLIERS] * len(rows),
            strategy=options.strategy,
            threshold=options.threshold,
            embeddings=np.asarray(vectors[rows]),
        )
    result[rows] = reduced
    return result


def compare(
    model: "BERTopic",
    describer: Describer,
    texts: Sequence[str],
    core: np.ndarray,
    probabilities: np.ndarray | None,
    groups: pd.Series,
    reference: Reference,
    chosen: Outliers,
) -> Iterator[dict[str, Any]]:
    """Yield a row of `COVERAGE` for each strategy and threshold, with words kept and recomputed.

    core: the topics of documents as HDBSCAN has them, shape (n,). `words` says whether topics keep
    the words of their core documents, or get those of all documents that they have in the end.
    """
    points = dict.fromkeys(
        [("none", 0.0), *((name, at) for name, levels in THRESHOLDS.items() for at in levels)]
    )
    picked = (chosen.strategy, 0.0 if chosen.strategy == "none" else chosen.threshold)
    points[picked] = None
    described = [name for name in points if name[0] != "probabilities" or probabilities is not None]
    heads, found = [], []
    kept = describer.list_words(core)
    for name, threshold in console.progress(
        described, total=len(described), label="outliers", unit="points"
    ):
        options = Outliers(strategy=name, threshold=threshold)
        topics = reduce_outliers(model, texts, describer.vectors, core, options, probabilities)
        head = {"strategy": name, "threshold": threshold}
        of_core = {"words": "core", "chosen": int((name, threshold) == picked)}
        heads.append(head | of_core)
        found.append((kept, topics))
        if name != "none":
            recomputed = {"words": "recomputed", "chosen": 0}
            heads.append(head | recomputed)
            found.append((describer.list_words(topics), topics))
    for head, figures in zip(heads, measure_all(found, groups, reference), strict=True):
        row = head | figures
        yield {column: row[column] for column in COVERAGE}
