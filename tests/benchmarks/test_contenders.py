"""Contenders do the same work: the same sentences, documents and vectors, and like results."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import inputs, ours, peers_embedding, peers_topics, peers_training, profiling
from benchmarks.contender import Clock
from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.encoders import loading
from stages import parse
from tests import tiny
from tests.command import write_params

DOCUMENTS, NEW = 200, 20
TOPICS = {
    "topic_fit.graph.n_neighbors": 10,
    "topic_fit.graph.min_topic_size": 10,
    "topic_fit.umap.n_neighbors": 10,
    "vocabulary.min_df": 2,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the default run would have left, of miniature inputs."""
    folder = tmp_path_factory.mktemp("data")
    backbone = tiny.write_bert(folder / "adapt")
    tiny.write_bert(folder / "download" / "embedder", pooling="mean")
    tokenizer = loading.load_tokenizer(backbone)
    table = tiny.sentence_sets({"in_domain_train": 96, "in_domain_dev": 30})
    table["windows"] = [[tokenizer(text)["input_ids"]] for text in table["text"]]
    (folder / "tokenize").mkdir()
    table.to_parquet(folder / "tokenize" / "tokens.parquet")
    settings = {"max_length": 32, "labels": list(tiny.CLASSES)}
    (folder / "tokenize" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    fold = table["set"].map({"in_domain_train": "train", "in_domain_dev": "validation"})
    (folder / "split").mkdir()
    pd.DataFrame({"id": table["id"], "fold": fold}).to_parquet(folder / "split" / "folds.parquet")
    documents = tiny.documents(DOCUMENTS + NEW)
    documents.insert(0, "id", [f"d{number}" for number in range(len(documents))])
    (folder / "parse").mkdir()
    files.write_table(
        folder / "parse" / "documents.parquet",
        documents.assign(part="all", date=None),
        parse.DOCUMENTS,
    )
    random = np.random.default_rng(0)
    vectors = np.eye(16)[np.arange(len(documents)) % 4] + random.normal(
        scale=0.1, size=(len(documents), 16)
    )
    (folder / "embed").mkdir()
    np.save(folder / "embed" / "embeddings.npy", vectors.astype(np.float32))
    return folder


def test_missing_outputs_of_the_default_run_are_named(tmp_path):
    with pytest.raises(BertlineError, match=r"lacks tokenize/tokens.parquet.*Run `make repro`"):
        inputs.require(tmp_path)


def test_operations_are_counted_by_the_formula():
    config = {"hidden_size": 2, "intermediate_size": 8, "num_hidden_layers": 3}
    # A text of 5 pieces: 5 × (4 × 2² + 2 × 2 × 8) + 2 × 5² × 2 = 340 products, in each of 3 layers.
    assert inputs.flops_of(config, [5]) == 2 * 3 * 340
    assert inputs.flops_of(config, [5, 5]) == 4 * 3 * 340


@pytest.mark.parametrize(
    "contender",
    [peers_training.article, peers_training.run_glue, peers_training.trainer_at_its_best],
    ids=lambda contender: contender.__name__,
)
def test_fine_tuning_is_of_the_same_sentences_with_a_like_result(data, contender):
    if contender is not peers_training.article:
        pytest.importorskip("accelerate")
    clock, other = Clock(), Clock()
    settings = {"data": str(data), "sentences": 64, "seed": 1}
    mine, theirs = ours.fine_tune(clock, **settings), contender(other, **settings)
    assert mine["items"] == theirs["items"] == 64
    assert mine["labels"] == theirs["labels"] and len(theirs["predictions"]) == 30
    assert mine["flops"] == theirs["flops"] > 0
    assert theirs["loss"] == pytest.approx(mine["loss"], abs=0.1)
    assert clock.seconds > 0 and other.seconds > 0 and other.peak_memory_mib > 0


def test_clock_starts_after_a_batch(data):
    task, clock = inputs.read_task(data, sentences=90), Clock()
    (first, of_no_interest), (whole, timed) = inputs.warmed_up(task, clock)
    assert (len(first.training), len(whole.training)) == (32, 90)
    assert timed is clock and of_no_interest is not clock


def test_padding_leaves_the_word_pieces_and_masks_the_rest(data):
    task = inputs.read_task(data, sentences=8)
    config = loading.load_config(data / "adapt")
    padded = peers_training._padded(task, 128, config)
    assert padded["input_ids"].shape == (8, 64)  # all that the tiny encoder takes
    for row, sentence in enumerate(task.rows):
        length = len(sentence["input_ids"])
        assert padded["input_ids"][row, :length].tolist() == sentence["input_ids"]
        assert padded["attention_mask"][row].sum() == length


def test_large_encoder_has_the_shape_asked_for_and_trains(data, tmp_path):
    shape = {"num_hidden_layers": 1, "hidden_size": 24, "num_attention_heads": 2}
    folder = peers_training.write_large_bert(tmp_path / "large", data / "adapt", **shape)
    which = {"sentences": 32, "held_out": 4, "backbone": str(folder)}
    found = ours.fine_tune(Clock(), data=str(data), seed=1, **which)
    assert len(found["predictions"]) == 4


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_embedding_gives_the_same_vectors(data, tmp_path, dtype):
    clock = Clock()
    common = {"data": str(data), "documents": 40}
    mine = ours.embed(clock, **common, vectors=str(tmp_path / "ours.npy"))
    theirs = peers_embedding.encode(
        clock, **common, vectors=str(tmp_path / "theirs.npy"), dtype=dtype
    )
    assert mine["items"] == theirs["items"] == 40
    found = peers_embedding.cosines(np.load(mine["vectors"]), np.load(theirs["vectors"]))
    assert found["mean"] > 0.999 and found["least"] > 0.99


@pytest.mark.slow
@pytest.mark.parametrize(
    "contender", [ours.topics, peers_topics.bertopic], ids=["ours", "bertopic"]
)
def test_topics_are_those_of_the_planted_groups(data, tmp_path, contender):
    parameters = write_params(tmp_path / "params.yaml", TOPICS)
    clock = Clock()
    settings = {"data": str(data), "documents": DOCUMENTS, "new": NEW}
    found = contender(clock, **settings, parameters=str(parameters))
    assert found["items"] == DOCUMENTS + NEW
    assert found["topics"] >= 4
    assert found["ami"] > 0.5 and found["ami_new"] > 0.5
    assert set(clock.parts) == {"fit and map", "new documents"}


@pytest.mark.parametrize(
    ("operator", "group"),
    [
        ("aten::addmm", "matrix products"),
        ("aten::bmm", "matrix products"),
        ("mkldnn::_linear_pointwise", "matrix products"),
        ("aten::bernoulli_", "random numbers of dropout"),
        ("aten::native_layer_norm_backward", "normalisation, activations, softmax, loss"),
        ("aten::_fused_adamw_", "optimiser and clipping"),
        ("aten::linalg_vector_norm", "optimiser and clipping"),
        ("aten::copy_", "copies and casts"),
        ("aten::fill_", "fills"),
        ("aten::add", "rest"),
    ],
)
def test_operators_are_grouped_by_their_work(operator, group):
    assert profiling.group_of(operator) == group


def test_profile_of_training_has_shares_that_add_up(data):
    clock = Clock()
    found = profiling.training(clock, data=str(data), sentences=32, held_out=4, seed=1)
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert found["shares"]["matrix products"] > 0.02
    assert "optimiser and clipping" in found["shares"]


def test_profile_of_embedding_sees_the_threads_that_compute(data, tmp_path):
    settings = {"data": str(data), "documents": 20, "vectors": str(tmp_path / "vectors.npy")}
    found = profiling.embedding(Clock(), **settings)
    assert found["shares"]["matrix products"] > 0.02
