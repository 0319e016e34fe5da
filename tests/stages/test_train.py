"""Fine-tuning: the same seed gives the same weights, also after a run that was killed."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, matthews_corrcoef
from transformers import AutoModelForSequenceClassification, pipeline

from bertline.core import checkpoint, files
from bertline.core.errors import BertlineError
from bertline.encoders import loading
from bertline.training import loop
from stages import split, tokenize, train
from tests import killed, tiny
from tests.command import PROJECT, call, write_params

SETS = {"in_domain_train": 120, "in_domain_dev": 20}
QUICK = {
    "train.epochs": 2,
    "train.batch_size": 16,
    "train.learning_rate": 1.0e-3,
    "train.precision": "fp32",
    "train.threads": 1,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """Return a folder with what tokenize and split write: 96 sentences to train, 24 to validate."""
    folder = tmp_path_factory.mktemp("train")
    sentences = tiny.sentence_sets(SETS)
    ids = tokenize.tokenize(sentences["text"].tolist(), loading.load_tokenizer(tiny_bert))
    write_inputs(folder, sentences.assign(input_ids=ids), validation=0.2)
    return folder


def write_inputs(folder: Path, tokens: pd.DataFrame, *, validation: float) -> None:
    training = tokens[tokens["set"] == "in_domain_train"]
    chosen = split.draw_validation(
        training["label"].to_numpy(),
        split.group_duplicates(training["input_ids"]),
        share=validation,
        stratify=True,
        seed=1,
    )
    folds = tokens[["id"]].assign(fold=tokens["set"])
    folds.loc[loop.index, "fold"] = np.where(chosen, "validation", "train")
    (folder / "tokens").mkdir()
    (folder / "folds").mkdir()
    files.write_table(folder / "tokens" / "tokens.parquet", tokens, tokenize.TOKENS)
    files.write_json(folder / "tokens" / "settings.json", {"max_length": 16})
    files.write_table(folder / "folds" / "folds.parquet", folds, split.FOLDS)


@pytest.fixture
def fit(data: Path, tiny_bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that trains with a seed and changed parameters; it returns the folder."""

    def fit(name: str, *, seed: int = 1, inputs: Path = data, **changes: object) -> Path:
        return run(tmp_path / name, inputs, tiny_bert, seed, changes)

    return fit


def run(out: Path, inputs: Path, backbone: Path, seed: int, changes: dict[str, object]) -> Path:
    """Train into `out`, parameters and figures beside it, and return it."""
    changed = {f"train.{key}": value for key, value in changes.items()}
    settings = write_params(out.with_suffix(".yaml"), QUICK | changed)
    places = (inputs / "tokens", inputs / "folds", backbone, out)
    metrics = out.with_suffix(".json")
    call(train, seed, *places, "--params", settings, "--metrics", metrics)
    return out


def validation_rows(data: Path) -> list[dict]:
    tokens = files.read_table(data / "tokens" / "tokens.parquet")
    folds = files.read_table(data / "folds" / "folds.parquet")
    return train.select(tokens, folds, "validation")


def loss_of(model: Path, rows: list[dict]) -> float:
    """Return the mean cross-entropy of a saved model, a sentence at a time and so without pads."""
    network = AutoModelForSequenceClassification.from_pretrained(model).eval()
    losses = []
    for row in rows:
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
        with torch.inference_mode():
            losses.append(network(input_ids=ids, labels=labels).loss.item())
    return sum(losses) / len(losses)


@pytest.mark.parametrize(
    ("labels", "predicted", "accuracy", "mcc"),
    [
        # TP 2, FP 1, FN 1, TN 1: (2 * 1 - 1 * 1) / sqrt(3 * 3 * 2 * 2) = 1 / 6
        pytest.param([1, 1, 1, 0, 0], [1, 1, 0, 1, 0], 3 / 5, 1 / 6, id="by-hand"),
        pytest.param([1, 0, 1, 0], [1, 0, 1, 0], 1.0, 1.0, id="all-right"),
        pytest.param([1, 0, 1, 0], [0, 1, 0, 1], 0.0, -1.0, id="all-wrong"),
        pytest.param([1, 1, 1, 0], [1, 1, 1, 1], 3 / 4, 0.0, id="one-prediction"),
    ],
)
def test_accuracy_and_mcc_are_those_of_the_more_probable_label(labels, predicted, accuracy, mcc):
    logits = np.where(np.array(predicted)[:, None] == [0, 1], 2.0, -1.0)

    found = train.score(logits, np.array(labels))

    assert found == pytest.approx({"accuracy": accuracy, "mcc": mcc})


def test_accuracy_and_mcc_agree_with_scikit_learn_on_random_logits():
    random = np.random.default_rng(5)
    logits, labels = random.normal(size=(200, 2)), random.integers(0, 2, size=200)

    found = train.score(logits, labels)

    predicted = logits[:, 1] > logits[:, 0]
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert found["mcc"] == pytest.approx(matthews_corrcoef(labels, predicted))


def test_same_seed_gives_the_same_weights_and_another_seed_others(fit):
    first, again, other = fit("first"), fit("again"), fit("other", seed=2)

    assert files.sha256(again / "model.safetensors") == files.sha256(first / "model.safetensors")
    assert (again / "history.csv").read_bytes() == (first / "history.csv").read_bytes()
    one, two = (load_file(folder / "model.safetensors") for folder in (first, other))
    same = [name for name in one if torch.equal(one[name], two[name])]
    assert same == []


@pytest.mark.slow
def test_same_seed_gives_the_same_weights_in_another_process(fit, data, tiny_bert, tmp_path):
    here = fit("here")
    out = tmp_path / "elsewhere" / "there"

    subprocess.run(
        [
            *(sys.executable, "-m", "stages.train", "1", data / "tokens", data / "folds"),
            *(tiny_bert, out, "--params", tmp_path / "here.yaml"),
        ],
        cwd=PROJECT,
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        check=True,
    )

    names = sorted(path.name for path in here.iterdir())
    assert sorted(path.name for path in out.iterdir()) == names
    for name in names:
        assert files.sha256(out / name) == files.sha256(here / name), name


def test_output_holds_a_model_a_tokenizer_and_the_history_alone(fit):
    out = fit("out")

    assert sorted(path.name for path in out.iterdir()) == [
        "config.json",
        "history.csv",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_transformers_pipeline_loads_the_result_and_names_the_labels(fit):
    classify = pipeline("text-classification", model=str(fit("out")), device="cpu")

    answers = classify(["The old dog sings today.", "The old dog sing today."])

    assert {answer["label"] for answer in answers} <= {"acceptable", "unacceptable"}


def test_history_has_a_row_per_epoch(fit, tmp_path):
    history = pd.read_csv(fit("out", epochs=3) / "history.csv")

    figures = json.loads((tmp_path / "out.json").read_text())
    assert tuple(history.columns) == train.HISTORY
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history.notna().all(axis=None)
    assert history.to_dict("records") == [pytest.approx(row) for row in figures["epochs"]]
    assert history["training_loss"].iloc[-1] < history["training_loss"].iloc[0]


def test_history_describes_the_model_that_is_saved(fit, data):
    out = fit("out")

    history = pd.read_csv(out / "history.csv")
    assert loss_of(out, validation_rows(data)) == pytest.approx(
        history["validation_loss"].iloc[-1], abs=1e-5
    )


@pytest.mark.parametrize(
    ("keep", "best", "kept"), [("last", 2, 3), ("best_mcc", 2, 2), ("best_loss", 1, 1)]
)
def test_weights_of_the_wanted_epoch_are_kept(fit, data, monkeypatch, tmp_path, keep, best, kept):
    # on a tie the earlier epoch is the best
    scripted = zip([0.3, 0.5, 0.3], [0.1, 0.9, 0.9], strict=True)
    validate, losses = train.FineTuning.validate, []

    def validate_and_tell_others(plan: train.FineTuning, model: torch.nn.Module) -> dict:
        losses.append(validate(plan, model)["loss"])
        loss, mcc = next(scripted)
        return {"loss": loss, "accuracy": 0.5, "mcc": mcc}

    monkeypatch.setattr(train.FineTuning, "validate", validate_and_tell_others)
    out = fit("out", epochs=3, keep=keep)

    assert len(set(losses)) == 3
    assert loss_of(out, validation_rows(data)) == pytest.approx(losses[kept - 1], abs=1e-5)
    figures = json.loads((tmp_path / "out.json").read_text())
    assert (figures["best_epoch"], figures["kept_epoch"]) == (best, kept)


@pytest.fixture
def whole(data: Path, tmp_path: Path) -> Path:
    """Return a folder whose training sentences are all in the training fold."""
    folder = tmp_path / "whole"
    folder.mkdir()
    tokens = files.read_table(data / "tokens" / "tokens.parquet")
    write_inputs(folder, tokens, validation=0)
    return folder


def test_without_validation_its_columns_stay_empty(fit, whole, tmp_path):
    history = pd.read_csv(fit("out", inputs=whole) / "history.csv")

    assert tuple(history.columns) == train.HISTORY
    assert history["training_loss"].notna().all()
    assert history.filter(like="validation").isna().all(axis=None)
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["best_epoch"] is None
    assert figures["kept_epoch"] == 2


def test_without_validation_no_epoch_is_the_best(fit, whole):
    with pytest.raises(BertlineError, match=r"train\.keep is best_mcc.*split\.validation is 0"):
        fit("out", inputs=whole, keep="best_mcc")


@pytest.mark.parametrize(
    ("padding", "widths"),
    [
        pytest.param("max_length", {16}, id="all-to-the-limit"),
        pytest.param("longest", {6, 7, 8, 9, 10}, id="to-the-longest-of-the-batch"),
    ],
)
def test_batches_are_padded_as_told(fit, monkeypatch, padding, widths):
    found = set()
    load = loop.load_classifier

    def watch(model: torch.nn.Module, _: tuple, inputs: dict[str, torch.Tensor]) -> None:
        if model.training:
            found.add(inputs["input_ids"].shape[1])

    def load_and_watch(backbone: Path) -> torch.nn.Module:
        model = load(backbone)
        model.register_forward_pre_hook(watch, with_kwargs=True)
        return model

    monkeypatch.setattr(loop, "load_classifier", load_and_watch)
    fit("out", padding=padding, epochs=1, batch_size=4)

    assert found <= widths
    assert len(found) == 1 or len(found) > 2


def test_progress_is_a_line_every_forty_steps(fit, capfd):
    fit("out", batch_size=2)  # 96 sentences are 48 steps an epoch

    lines = re.findall(r"^epoch \d, step .*$", capfd.readouterr().err, flags=re.MULTILINE)
    pattern = r"epoch {}, step {} of 96: loss \d\.\d{{3}}, \d+:\d\d elapsed, \d+:\d\d left"
    assert len(lines) == 2
    assert re.fullmatch(pattern.format(1, 40), lines[0]), lines[0]
    assert re.fullmatch(pattern.format(2, 80), lines[1]), lines[1]


def test_training_fold_with_one_label_is_refused(fit, data, tmp_path):
    tokens = files.read_table(data / "tokens" / "tokens.parquet")
    inputs = tmp_path / "one"
    inputs.mkdir()
    write_inputs(inputs, tokens[tokens["label"] == 1], validation=0.1)

    with pytest.raises(BertlineError, match=r"has \d+ with the labels \[1\]"):
        fit("out", inputs=inputs)


def test_folds_of_other_sentences_are_refused(fit, data, tmp_path):
    tokens = files.read_table(data / "tokens" / "tokens.parquet")
    inputs = tmp_path / "stale"
    inputs.mkdir()
    write_inputs(inputs, tokens, validation=0.1)
    more = pd.concat([tokens, tokens.tail(3).assign(id=["x:1", "x:2", "x:3"])])
    files.write_table(inputs / "tokens" / "tokens.parquet", more, tokenize.TOKENS)

    with pytest.raises(BertlineError, match=r"3 sentences have no fold.*dvc repro split"):
        fit("out", inputs=inputs)


@pytest.fixture(scope="module")
def unbroken(
    data: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Return by `keep` what three epochs give that nobody kills."""
    folder = tmp_path_factory.mktemp("unbroken")
    return {
        keep: run(folder / keep, data, tiny_bert, 1, {"epochs": 3, "keep": keep})
        for keep in ("last", "best_mcc")
    }


@pytest.mark.parametrize("keep", ["last", "best_mcc"])
@pytest.mark.parametrize(
    "killed_at", [1, 6, *(pytest.param(step, marks=pytest.mark.slow) for step in (5, 7, 12, 17))]
)
def test_killed_training_goes_on_to_the_same_bytes(
    fit, unbroken, monkeypatch, capfd, keep, killed_at
):
    # 96 sentences in batches of 16: 6 steps an epoch
    whole = unbroken[keep]
    monkeypatch.setenv(checkpoint.VARIABLE, "0")
    with killed.training_after(killed_at):
        fit("again", epochs=3, keep=keep)
    again = fit("again", epochs=3, keep=keep)

    assert f"going on after step {killed_at} of 18" in capfd.readouterr().err
    assert {path.name: files.sha256(path) for path in again.iterdir()} == {
        path.name: files.sha256(path) for path in whole.iterdir()
    }
    told, expected = (folder.with_suffix(".json").read_text() for folder in (again, whole))
    assert told == expected
    assert not (again.parent / ".again.checkpoint").exists()


def kill_at_the_end_of_an_epoch(
    fit: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, **changes: object
) -> None:
    with monkeypatch.context() as patch, pytest.raises(killed.Killed):
        patch.setattr(loop, "end_epoch", lambda *_: (_ for _ in ()).throw(killed.Killed))
        fit("out", **changes)


@pytest.mark.parametrize(
    "change", [{"learning_rate": 2.0e-3}, {"seed": 2}, {"batch_size": 8}], ids=str
)
def test_checkpoint_of_another_configuration_is_left_alone(fit, monkeypatch, capfd, change):
    monkeypatch.setenv(checkpoint.VARIABLE, "0")
    kill_at_the_end_of_an_epoch(fit, monkeypatch, epochs=1)

    out = fit("out", epochs=1, **change)

    assert "going on" not in capfd.readouterr().err
    expected = fit("elsewhere", epochs=1, **change)
    assert files.sha256(out / "model.safetensors") == files.sha256(expected / "model.safetensors")


def test_weights_that_are_no_numbers_are_not_saved(fit, monkeypatch):
    take_step = loop.take_step

    def corrupt(model: torch.nn.Module, *rest: object) -> torch.Tensor:
        loss = take_step(model, *rest)
        with torch.no_grad():
            model.classifier.bias.fill_(math.nan)
        return loss.nan_to_num()

    monkeypatch.setattr(loop, "take_step", corrupt)
    with pytest.raises(BertlineError, match=r"validation loss of epoch 1 is nan.*diverged"):
        fit("out", epochs=1, batch_size=96)


def test_damaged_checkpoint_is_told_and_not_used(fit, monkeypatch, capfd, tmp_path):
    whole = fit("whole")
    monkeypatch.setenv(checkpoint.VARIABLE, "0")
    kill_at_the_end_of_an_epoch(fit, monkeypatch)
    [state] = tmp_path.glob(".out.checkpoint/*/state.safetensors")
    state.write_bytes(state.read_bytes()[:1000])

    out = fit("out")

    assert "is damaged" in capfd.readouterr().err
    assert files.sha256(out / "model.safetensors") == files.sha256(whole / "model.safetensors")


def test_failed_training_leaves_the_earlier_model(fit, monkeypatch):
    out = fit("out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(train, "table_of", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        fit("out", seed=2)

    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not (out.parent / ".out.part").exists()
