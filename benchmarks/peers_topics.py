"""BERTopic with its default settings on the same documents and vectors."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import baseline_models, inputs, ours
from benchmarks.contender import Clock
from bertline.core.dependencies import ROOT
from bertline.topics.vocabulary import Corpus

# How BERTopic draws its map of documents (`visualize_documents`).
MAP = {"n_neighbors": 10, "n_components": 2, "min_dist": 0.0, "metric": "cosine"}


def bertopic(
    clock: Clock,
    *,
    data: str,
    documents: int,
    new: int,
    parameters: str = str(ROOT / "params.yaml"),
) -> dict[str, Any]:
    """Fit BERTopic, draw its map, and assign new documents by its `transform`."""
    from bertopic import BERTopic
    from umap import UMAP

    draw = inputs.read_draw(Path(data), documents, new)
    model = BERTopic()
    with clock.timing("fit and map"):
        topics, _ = model.fit_transform(draw.texts, draw.vectors)
        UMAP(**MAP).fit_transform(draw.vectors)
    with clock.timing("new documents"):
        assigned, _ = model.transform(draw.new_texts, draw.new_vectors)
    corpus = Corpus(draw.texts, ours.read_topic_settings(Path(parameters)).vocabulary)
    most = corpus.options.top_words
    words = baseline_models.take_words(model, corpus.words, most).words
    return ours.judge_topics(corpus, words, np.asarray(topics), np.asarray(assigned), draw)
