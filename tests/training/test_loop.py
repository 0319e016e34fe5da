"""The training that stages share: its schedule, its batches, and no weight lost on the way in."""

import errno
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForPreTraining,
    get_linear_schedule_with_warmup,
)

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.encoders import loading
from bertline.training import loop
from bertline.training.fine_tuning import Train
from tests import tiny
from tests.command import PROJECT


def test_loss_that_is_no_number_stops_training():
    history = loop.History(losses=[torch.tensor(0.7), torch.tensor(math.nan)])

    with pytest.raises(BertlineError, match=r"loss of epoch 1 is nan.*train\.learning_rate"):
        loop.end_epoch(history, None, SimpleNamespace(section="train"), 1.0)


def test_learning_rate_is_that_of_transformers():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = get_linear_schedule_with_warmup(optimizer, 20, 200)

    assert [loop.rate_at(step, steps=4, warmup=0.5) for step in range(4)] == [0.0, 0.5, 1.0, 0.5]
    for step in range(200):
        found = loop.rate_at(step, steps=200, warmup=0.1)
        assert found == pytest.approx(schedule.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        schedule.step()


def test_biases_and_normalisation_do_not_decay(tiny_bert):
    model = loop.load_classifier(tiny_bert, tiny.CLASSES)
    optimizer = loop.build_optimizer(model, recipe(weight_decay=0.1, learning_rate=2e-5))

    names = {weight: name for name, weight in model.named_parameters()}
    decays = {
        names[weight]: group["weight_decay"]
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    assert set(decays) == set(names.values())
    for name, decay in decays.items():
        assert decay == (0.0 if name.endswith("bias") or "LayerNorm" in name else 0.1), name
    assert {(group["lr"], group["eps"]) for group in optimizer.param_groups} == {(2e-5, 1e-8)}


def recipe(**changes: object) -> Train:
    """Return the section `train` of the project's parameters with changes."""
    settings = params.load(PROJECT / "params.yaml", "train", Train)
    return settings.model_copy(update=changes)


@pytest.mark.parametrize("grouped", [True, False])
def test_batches_hold_every_row_once_and_follow_from_seed_and_epoch(grouped):
    lengths = np.random.default_rng(0).integers(3, 40, size=1003)

    def draw(seed: int, epoch: int) -> list[list[int]]:
        drawn = loop.batches_of(lengths, 8, grouped=grouped, seed=seed, epoch=epoch)
        return [batch.tolist() for batch in drawn]

    batches = draw(1, 0)

    assert sorted(row for batch in batches for row in batch) == list(range(1003))
    assert len(batches) == 126  # 125 of 8 and one of 3
    assert batches == draw(1, 0)
    assert batches != draw(1, 1)
    assert batches != draw(2, 0)


def test_grouped_batches_are_of_like_length_and_begin_with_the_longest():
    lengths = np.random.default_rng(0).integers(3, 40, size=1600)

    batches = loop.batches_of(lengths, 16, grouped=True, seed=1, epoch=0)

    assert lengths[batches[0]].max() == lengths.max()
    wasted = sum(len(batch) * lengths[batch].max() - lengths[batch].sum() for batch in batches)
    assert wasted < 0.05 * lengths.sum()
    longest = [lengths[batch].max() for batch in batches]
    assert longest != sorted(longest, reverse=True)  # no trend over the epoch


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """Return a checkpoint laid out as Google's bert-base-uncased, and its encoder's tensors.

    The keys have the prefix `bert.`, heads of the pre-training are among them, and the parameters
    of a LayerNorm are called gamma and beta.
    """
    folder = tmp_path / "published"
    config = BertConfig(**tiny.CONFIG, architectures=["BertForMaskedLM"])
    torch.manual_seed(11)
    model = BertForPreTraining(config)
    # Biases and norms of a new model are all 0 and 1: re-initialised ones would look the same.
    weights = {name: torch.randn_like(tensor) for name, tensor in model.state_dict().items()}
    config.save_pretrained(folder)
    tiny.write_tokenizer(folder)
    tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in weights.items()
        if name not in tied and "position_ids" not in name
    }
    assert {"bert.embeddings.LayerNorm.gamma", "cls.seq_relationship.weight"} <= set(renamed)
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    encoder = {name: tensor for name, tensor in weights.items() if name.startswith("bert.")}
    return folder, encoder


def test_checkpoint_laid_out_as_google_s_gives_every_encoder_weight(published):
    folder, weights = published

    loaded = loop.load_classifier(folder, tiny.CLASSES).state_dict()

    kept = {name: tensor for name, tensor in loaded.items() if name.startswith("bert.")}
    assert kept.keys() == weights.keys()
    assert [name for name in kept if not torch.equal(kept[name], weights[name])] == []
    assert loaded["classifier.weight"].shape == (2, 32)


def test_plain_encoder_gives_every_weight_and_a_head_of_the_seed(tiny_bert):
    torch.manual_seed(1)
    model = loop.load_classifier(tiny_bert, tiny.CLASSES)
    torch.manual_seed(1)
    again = loop.load_classifier(tiny_bert, tiny.CLASSES)

    weights = load_file(tiny_bert / "model.safetensors")
    loaded = model.bert.state_dict()
    assert [name for name in weights if not torch.equal(loaded[name], weights[name])] == []
    assert torch.equal(model.classifier.weight, again.classifier.weight)


def test_encoder_without_a_pooler_gets_a_new_one(tiny_bert, tmp_path):
    """Weights saved from a masked language model have none; it belongs to the head."""
    (tmp_path / "config.json").write_bytes((tiny_bert / "config.json").read_bytes())
    weights = load_file(tiny_bert / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler.")}
    assert len(kept) == len(weights) - 2
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})

    loaded = loop.load_classifier(tmp_path, tiny.CLASSES).bert.state_dict()

    assert [name for name in kept if not torch.equal(loaded[name], kept[name])] == []


def save_with_head(folder: Path, backbone: Path, labels: list[str]) -> dict[str, torch.Tensor]:
    """Write the backbone with a head for the labels to `folder`, and return its weights."""
    torch.manual_seed(5)
    model = loop.load_classifier(backbone, labels)
    model.save_pretrained(folder)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("earlier", "kept", "told"),
    [
        pytest.param([*tiny.CLASSES], True, "is that of", id="same"),
        pytest.param(["ham", "spam"], False, "is a new one: .* for ham, spam", id="other-names"),
        pytest.param([*tiny.CLASSES[::-1]], False, "is a new one", id="other-order"),
        pytest.param(["a", "b", "c"], False, "", id="other-number"),
    ],
)
def test_head_is_kept_for_the_same_labels_and_else_drawn(
    tmp_path, tiny_bert, capfd, earlier, kept, told
):
    weights = save_with_head(tmp_path, tiny_bert, earlier)
    capfd.readouterr()

    torch.manual_seed(1)
    model = loop.load_classifier(tmp_path, tiny.CLASSES)
    torch.manual_seed(1)
    again = loop.load_classifier(tmp_path, tiny.CLASSES)

    assert re.search(told, capfd.readouterr().err)
    loaded = model.state_dict()
    assert loaded["classifier.weight"].shape == (2, 32)
    assert torch.equal(loaded["classifier.weight"], again.classifier.weight)
    changed = [name for name in weights if not torch.equal(loaded[name], weights[name])]
    # A new bias is 0, as a head that was not trained has it; its size differs for three labels.
    assert changed == ([] if kept else [name for name in changed if name.startswith("classifier.")])
    assert ("classifier.weight" in changed) != kept
    assert model.config.id2label == dict(enumerate(tiny.CLASSES))
    assert model.config.label2id == {"unacceptable": 0, "acceptable": 1}


def test_model_has_the_names_of_its_classes(tiny_bert):
    model = loop.load_classifier(tiny_bert, ["ham", "spam", "eggs"])

    assert model.config.num_labels == 3
    assert model.config.id2label == {0: "ham", 1: "spam", 2: "eggs"}
    assert model.config.label2id == {"ham": 0, "spam": 1, "eggs": 2}
    assert model.classifier.weight.shape == (3, 32)


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        pytest.param(
            lambda weights: {f"other.{name}": tensor for name, tensor in weights.items()},
            "bert.embeddings",
            id="names-of-another-model",
        ),
        pytest.param(
            lambda weights: {
                name: tensor for name, tensor in weights.items() if ".layer.1.output." not in name
            },
            r"bert\.encoder\.layer\.1\.output\.LayerNorm\.bias",
            id="layer-incomplete",
        ),
        pytest.param(
            lambda weights: weights | {"embeddings.word_embeddings.weight": torch.zeros(7, 32)},
            r"bert\.embeddings\.word_embeddings\.weight",
            id="another-vocabulary",
        ),
    ],
)
def test_weights_that_would_be_drawn_anew_are_refused(tiny_bert, tmp_path, change, lost):
    (tmp_path / "config.json").write_bytes((tiny_bert / "config.json").read_bytes())
    weights = change(load_file(tiny_bert / "model.safetensors"))
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(BertlineError, match=rf"that config\.json describes.*: {lost}"):
        loop.load_classifier(tmp_path, tiny.CLASSES)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 16 kB, which no model fits into."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_full_disk_is_an_error_of_the_disk_and_not_of_the_format(tiny_bert, full_disk):
    model = loop.load_classifier(tiny_bert, tiny.CLASSES)
    optimizer = loop.build_optimizer(model, recipe())
    plan = SimpleNamespace(device=torch.device("cpu"))

    with pytest.raises(OSError) as of_model:
        loop.save(model, loading.load_tokenizer(tiny_bert), full_disk)
    (full_disk / "model.safetensors").unlink(missing_ok=True)
    with pytest.raises(OSError) as of_state:
        loop.suspend(full_disk / "state", model, optimizer, loop.History(), plan)

    assert of_model.value.errno == of_state.value.errno == errno.ENOSPC
    assert Path(of_state.value.filename) == full_disk / "state"
