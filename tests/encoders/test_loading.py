"""Encoders: what a folder must hold, and which precision a device computes in."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from bertline.core.errors import BertlineError
from bertline.encoders import loading, running

CPU = torch.device("cpu")


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    """Return a copy of the encoder that a test may damage."""
    return Path(shutil.copytree(tiny_bert, tmp_path / "encoder"))


@pytest.mark.parametrize(
    ("wanted", "native", "expected"),
    [
        ("auto", True, "bf16"),
        ("auto", False, "fp32"),
        ("bf16", True, "bf16"),
        ("fp32", True, "fp32"),
        ("fp32", False, "fp32"),
    ],
)
def test_precision_is_bf16_where_it_is_native_and_wanted(monkeypatch, wanted, native, expected):
    monkeypatch.setattr(running, "has_native_bf16", lambda _: native)

    assert running.choose_precision(wanted, CPU, key="train.precision") == expected


@pytest.mark.parametrize(
    ("positions", "device", "expected"),
    [(512, "cpu", "eager"), (514, "cpu", "eager"), (8192, "cpu", None), (512, "cuda", None)],
)
def test_attention_is_eager_for_short_inputs_on_a_cpu(folder, positions, device, expected):
    config = json.loads((folder / "config.json").read_text())
    config["max_position_embeddings"] = positions
    (folder / "config.json").write_text(json.dumps(config))

    assert loading.attention(folder, torch.device(device)) == expected


def test_bf16_that_the_device_lacks_names_the_parameter(monkeypatch):
    monkeypatch.setattr(running, "has_native_bf16", lambda _: False)

    with pytest.raises(BertlineError, match=r"embed\.precision is bf16, and this cpu .*fp32"):
        running.choose_precision("bf16", CPU, key="embed.precision")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512": True}, False),
        ({}, False),
    ],
)
def test_processor_computes_bf16_with_either_extension(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    assert running.has_native_bf16(CPU) is expected


@pytest.mark.parametrize(
    ("model_type", "positions", "expected"),
    [("bert", 512, 512), ("roberta", 514, 512), ("xlm-roberta", 514, 512), ("camembert", 514, 512)],
)
def test_longest_input_allows_for_the_positions_of_padding(
    tmp_path, model_type, positions, expected
):
    config = {"model_type": model_type, "max_position_embeddings": positions}
    (tmp_path / "config.json").write_text(json.dumps(config))

    assert loading.longest_input(tmp_path) == expected


def test_encoder_without_a_longest_input_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))

    with pytest.raises(BertlineError, match=r"config\.json states no max_position_embeddings"):
        loading.longest_input(tmp_path)


@pytest.mark.parametrize("kept", ["tokenizer.json", "vocab.txt"])
def test_one_file_of_the_tokenizer_is_enough(folder, tiny_bert, kept):
    for name in {"tokenizer.json", "vocab.txt"} - {kept}:
        (folder / name).unlink()

    text = "The dog's nebulae, zoo!"
    whole = loading.load_tokenizer(tiny_bert)(text)["input_ids"]
    assert loading.load_tokenizer(folder)(text)["input_ids"] == whole


@pytest.mark.parametrize("workers", [1, 4])
def test_items_side_by_side_keep_their_order_and_compute_on_one_thread(monkeypatch, workers):
    monkeypatch.setattr(running.machine, "cores", lambda: workers)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        found = list(
            running.in_parallel(lambda item: (item, torch.get_num_threads()), range(50), CPU)
        )
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)

    assert found == [(item, 1) for item in range(50)]


def test_error_of_one_item_ends_the_others(monkeypatch):
    monkeypatch.setattr(running.machine, "cores", lambda: 2)
    begun = []

    def divide(item: int) -> float:
        begun.append(item)
        return 1 / (item - 3)

    with pytest.raises(ZeroDivisionError):
        list(running.in_parallel(divide, range(100_000), CPU))

    assert len(begun) < 100_000
    assert torch.get_num_threads() >= 1
