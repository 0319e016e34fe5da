"""Bertline as its default run computes, for the benchmarks: the one place that calls its functions.

Each function is a contender (`benchmarks.contender`); `params.yaml` of the project decides.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks import inputs
from benchmarks.contender import Clock
from benchmarks.inputs import Task
from bertline.core import params
from bertline.core.checkpoint import Checkpoint
from bertline.core.dependencies import ROOT
from bertline.encoders import embedding, loading, running
from bertline.topics import measures
from bertline.topics.clustering import allow_threads
from bertline.topics.fitting import TopicFit, fit_clusters
from bertline.topics.naming import TopicWords, name_topics
from bertline.topics.vocabulary import Corpus, Vocabulary
from bertline.topics.words import Describer
from bertline.training import fine_tuning, loop
from bertline.training.fine_tuning import FineTuning, Train
from stages.embed import Embed

WARM_UP = 64  # texts embedded before the clock starts, in every contender


def fine_tune(clock: Clock, *, data: str, seed: int, **which: Any) -> dict[str, Any]:
    """Fine-tune for one epoch with the recipe of params.yaml, as a process of `train` does.

    which: the keywords of `inputs.read_task`. Threads are what torch is set to.
    """
    task = inputs.read_task(Path(data), **which)
    options = params.validate(task.recipe, Train, where="params.yaml: train")
    options = options.model_copy(update={"epochs": 1, "keep": "last"})
    device, precision = running.set_up(options.precision, key="train.precision")
    tokenizer = loading.load_tokenizer(task.backbone)
    collator = fine_tuning.collator(tokenizer, options, task.max_length)
    for part, watch in inputs.warmed_up(task, clock):
        torch.manual_seed(seed)
        model = loop.load_classifier(part.backbone, part.labels)
        plan = FineTuning(options, seed, device, precision, part.training, [], collator)
        with tempfile.TemporaryDirectory() as scratch:
            checkpoint = Checkpoint(Path(scratch) / "out", "benchmark")
            with watch.timing():
                loop.fit(model, plan, checkpoint)
    return score(model, task)


def score(model: Any, task: Task) -> dict[str, Any]:
    """Return the outcome of a fine-tuned classifier: its answers to the held-out sentences.

    All contenders are judged by this function, in fp32.
    """
    windows, labels = [row["windows"] for row in task.held_out], task.held_out_labels
    logits, loss = loop.judge(model, windows, labels, running.choose_device())
    return {
        "items": len(task.training),
        "flops": task.flops,
        "loss": loss,
        "predictions": logits.argmax(axis=1).tolist(),
        "labels": labels,
    }


def embed(clock: Clock, *, data: str, documents: int, vectors: str) -> dict[str, Any]:
    """Embed documents as the stage `embed` does, and write their vectors to the file `vectors`."""
    texts = inputs.read_texts(Path(data), documents)
    options = params.load(ROOT / "params.yaml", "embed", Embed)
    device, precision = running.set_up(options.precision, key="embed.precision")
    encoder = embedding.load_encoder(Path(data) / "download" / "embedder", device)
    settings: dict[str, Any] = {
        "precision": precision,
        "tokens_per_batch": options.tokens_per_batch,
        "long_texts": options.long_texts,
    }
    for _ in embedding.embed_window(encoder, texts[:WARM_UP], **settings):
        pass
    found = np.zeros((len(texts), encoder.get_embedding_dimension() or 0), np.float32)
    with clock.timing():
        for batch in embedding.embed_window(encoder, texts, **settings):
            found[batch.rows] = batch.vectors
    np.save(vectors, found, allow_pickle=False)
    return {"items": len(texts), "flops": inputs.flops_of_texts(encoder, texts), "vectors": vectors}


class TopicSettings(NamedTuple):
    """What params.yaml says of topics."""

    fit: TopicFit
    words: TopicWords
    vocabulary: Vocabulary


def read_topic_settings(path: Path) -> TopicSettings:
    """Return the sections of topics of params.yaml at `path`."""
    return TopicSettings(
        params.load(path, "topic_fit", TopicFit),
        params.load(path, "topic_words", TopicWords),
        params.load(path, "vocabulary", Vocabulary),
    )


def topics(
    clock: Clock,
    *,
    data: str,
    documents: int,
    new: int,
    parameters: str = str(ROOT / "params.yaml"),
) -> dict[str, Any]:
    """Find and name topics, draw the map, and assign new documents, as the default run does."""
    settings = read_topic_settings(Path(parameters))
    allow_threads(settings.fit.umap.threads)  # before numba is imported
    from bertopic import BERTopic  # noqa: F401  # imports are not timed, in any contender

    draw = inputs.read_draw(Path(data), documents, new)
    with clock.timing("fit and map"):
        clusters = fit_clusters(draw.fitted["id"], draw.texts, draw.vectors, settings.fit)
        corpus = Corpus(draw.texts, settings.vocabulary)
        describer = Describer(corpus, draw.vectors, settings.words)
        fit = name_topics(describer, clusters, settings.words)
    with clock.timing("new documents"):
        assigned, _ = fit.model.assign(draw.new_vectors, draw.new_texts)
    words = describer.list_words(clusters.core)
    return judge_topics(corpus, words, fit.model.topics, assigned, draw)


def judge_topics(
    corpus: Corpus,
    words: list[list[str]],
    topics: np.ndarray,
    assigned: np.ndarray,
    draw: inputs.Draw,
) -> dict[str, Any]:
    """Return the outcome of a topic model, measured as topic_words measures it.

    topics: of the fitted documents, (n,). assigned: topics of the new ones, (m,). The AMI is that
    with the documents' groups; outliers count as a topic.
    """
    reference = measures.Reference(corpus)
    (found,) = measures.measure_all([(words, topics)], draw.fitted["group"], reference)
    of_new = measures.agreements(np.asarray(assigned), draw.new["group"].reset_index(drop=True))
    kept = {name: found[name] for name in ("topics", "coverage", "npmi", "ami")}
    return {"items": len(topics) + len(assigned), **kept, "ami_new": of_new["ami"]}
