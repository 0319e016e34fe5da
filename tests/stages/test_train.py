"""Fine-tuning: the same seed gives the same weights, also after a run that was killed."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, pipeline

from bertline.core import checkpoint, files
from bertline.core.errors import BertlineError
from bertline.encoders import loading, running, windows
from bertline.scoring.names import EPOCH
from bertline.training import fine_tuning, loop
from stages import split, tokenize, train
from tests import killed, tiny
from tests.command import call, write_params

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
    write_inputs(folder, sentences.assign(windows=[[row] for row in ids]), validation=0.2)
    return folder


def write_inputs(
    folder: Path,
    tokens: pd.DataFrame,
    *,
    validation: float,
    labels: Sequence[str] = tiny.CLASSES,
) -> None:
    training = tokens[tokens["set"] == "in_domain_train"]
    chosen = split.draw(
        training["label"].to_numpy(),
        split.group_duplicates(training["windows"]),
        share=validation,
        stratify=True,
        seed=1,
    )
    folds = tokens[["id"]].assign(fold=tokens["set"])
    folds.loc[training.index, "fold"] = np.where(chosen, "validation", "train")
    (folder / "tokens").mkdir()
    (folder / "folds").mkdir()
    files.write_table(folder / "tokens" / "tokens.parquet", tokens, tokenize.TOKENS)
    files.write_json(
        folder / "tokens" / "settings.json",
        {"max_length": 16, "long_texts": "head", "labels": labels},
    )
    files.write_table(folder / "folds" / "folds.parquet", folds, split.FOLDS)


@pytest.fixture
def fit(data: Path, tiny_bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that trains with a seed and changed parameters; it returns the folder."""

    def fit(name: str, *, seed: int = 1, inputs: Path = data, **changes: object) -> Path:
        return run(tmp_path / name, inputs, tiny_bert, seed, changes)

    return fit


def run(out: Path, inputs: Path, backbone: Path, seed: int, changes: dict[str, object]) -> Path:
    """Train into `out`, parameters beside it, and return it."""
    changed = {f"train.{key}": value for key, value in changes.items()}
    settings = write_params(out.with_suffix(".yaml"), QUICK | changed)
    places = (inputs / "tokens", inputs / "folds", backbone, out)
    call(train, seed, *places, "--params", settings)
    return out


def validation_rows(data: Path) -> list[dict]:
    tokens = files.read_table(data / "tokens" / "tokens.parquet")
    folds = files.read_table(data / "folds" / "folds.parquet")
    return fine_tuning.select(tokens, folds, "validation")


def loss_of(model: Path, rows: list[dict]) -> float:
    """Return the mean cross-entropy of a saved model, a sentence at a time and so without pads."""
    network = AutoModelForSequenceClassification.from_pretrained(model).eval()
    losses = []
    for row in rows:
        ids, labels = torch.tensor(row["windows"]), torch.tensor([row["labels"]])
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
        # R_K: 3 right of 4, 2 1 1 of each class and 1 2 1 of each prediction:
        # (3 * 4 - 5) / sqrt((16 - 6) * (16 - 6)) = 0.7
        pytest.param([0, 0, 1, 2], [0, 1, 1, 2], 3 / 4, 0.7, id="three-classes"),
    ],
)
def test_accuracy_and_mcc_are_those_of_the_more_probable_label(labels, predicted, accuracy, mcc):
    logits = np.where(np.array(predicted)[:, None] == [0, 1, 2], 2.0, -1.0)

    found = fine_tuning.score(logits, np.array(labels))

    assert found == pytest.approx({"accuracy": accuracy, "mcc": mcc})


@pytest.fixture(scope="module")
def fitted(data: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model of three epochs with seed 1, its figures beside it. Not to be changed."""
    return run(tmp_path_factory.mktemp("fitted") / "out", data, tiny_bert, 1, {"epochs": 3})


def hashes_of(folder: Path) -> dict[str, str]:
    return {path.name: files.sha256(path) for path in folder.iterdir()}


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_and_another_seed_other_weights(fit, fitted):
    again, other = fit("again", epochs=3), fit("other", seed=2, epochs=3)

    assert hashes_of(again) == hashes_of(fitted)
    one, two = (load_file(folder / "model.safetensors") for folder in (fitted, other))
    assert [name for name in one if torch.equal(one[name], two[name])] == []


def test_output_is_a_model_that_transformers_loads_and_a_history(fitted, data):
    assert sorted(path.name for path in fitted.iterdir()) == [
        *("config.json", "history.csv", "model.safetensors", "settings.json"),
        *("tokenizer.json", "tokenizer_config.json"),
    ]
    classify = pipeline("text-classification", model=str(fitted), device="cpu")
    answers = classify(["The old dog sings today.", "The old dog sing today."])
    assert {answer["label"] for answer in answers} <= set(tiny.CLASSES)
    history = pd.read_csv(fitted / "history.csv")
    assert tuple(history.columns) == EPOCH
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["training_loss"].iloc[-1] < history["training_loss"].iloc[0]
    last = history["validation_loss"].iloc[-1]
    assert loss_of(fitted, validation_rows(data)) == pytest.approx(last, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "kept"), [("last", 3), ("best_mcc", 2), ("best_loss", 1)])
def test_weights_of_the_wanted_epoch_are_kept(fit, data, monkeypatch, keep, kept):
    # on a tie the earlier epoch is the best
    scripted = zip([0.3, 0.5, 0.3], [0.1, 0.9, 0.9], strict=True)
    validate, losses = fine_tuning.FineTuning.validate, []

    def validate_and_tell_others(plan: fine_tuning.FineTuning, model: torch.nn.Module) -> dict:
        losses.append(validate(plan, model)["loss"])
        loss, mcc = next(scripted)
        return {"loss": loss, "accuracy": 0.5, "mcc": mcc}

    monkeypatch.setattr(fine_tuning.FineTuning, "validate", validate_and_tell_others)
    out = fit("out", epochs=3, keep=keep)

    assert len(set(losses)) == 3
    assert loss_of(out, validation_rows(data)) == pytest.approx(losses[kept - 1], abs=1e-5)


@pytest.fixture
def whole(data: Path, tmp_path: Path) -> Path:
    """Return a folder whose training sentences are all in the training fold."""
    folder = tmp_path / "whole"
    folder.mkdir()
    tokens = files.read_table(data / "tokens" / "tokens.parquet")
    write_inputs(folder, tokens, validation=0)
    return folder


@pytest.mark.slow
def test_without_validation_its_columns_stay_empty(fit, whole):
    history = pd.read_csv(fit("out", inputs=whole) / "history.csv")

    assert tuple(history.columns) == EPOCH
    assert history["training_loss"].notna().all()
    assert history.filter(like="validation").isna().all(axis=None)


def test_without_validation_no_epoch_is_the_best(fit, whole):
    with pytest.raises(BertlineError, match=r"train\.keep is best_mcc.*split\.validation is 0"):
        fit("out", inputs=whole, keep="best_mcc")


@pytest.mark.slow
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

    def load_and_watch(backbone: Path, labels: Sequence[str]) -> torch.nn.Module:
        model = load(backbone, labels)
        model.register_forward_pre_hook(watch, with_kwargs=True)
        return model

    monkeypatch.setattr(loop, "load_classifier", load_and_watch)
    fit("out", padding=padding, epochs=1, batch_size=4)

    assert found <= widths
    assert len(found) == 1 or len(found) > 2


@pytest.mark.slow
def test_progress_is_a_line_every_forty_steps(fit, capfd):
    fit("out", batch_size=1, epochs=1)  # 96 sentences

    lines = re.findall(r"^epoch \d, step .*$", capfd.readouterr().err, flags=re.MULTILINE)
    pattern = r"epoch 1, step {} of 96: loss \d\.\d{{3}}, \d+:\d\d elapsed, \d+:\d\d left"
    assert len(lines) == 2
    assert re.fullmatch(pattern.format(40), lines[0]), lines[0]
    assert re.fullmatch(pattern.format(80), lines[1]), lines[1]


def test_training_fold_with_one_label_is_refused(fit, data, tmp_path):
    tokens = files.read_table(data / "tokens" / "tokens.parquet")
    inputs = tmp_path / "one"
    inputs.mkdir()
    write_inputs(inputs, tokens[tokens["label"] == 1], validation=0.1)

    with pytest.raises(BertlineError, match=r"it has \d+, and none of unacceptable"):
        fit("out", inputs=inputs)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """Return inputs of three classes, by the noun of a sentence; of some words, two windows."""
    folder = tmp_path_factory.mktemp("many")
    sentences = tiny.sentence_sets(SETS)
    label = sentences["text"].str.contains("dog|cat|bird") + 2 * sentences["text"].str.contains(
        "boy"
    )
    tokenizer = loading.load_tokenizer(tiny_bert)
    ids = tokenize.tokenize(sentences["text"].tolist(), tokenizer)
    divided = [windows.divide(row, (1, 1), max_length=7, long_texts="windows") for row in ids]
    assert {len(row) for row in divided} == {1, 2}
    write_inputs(
        folder,
        sentences.assign(label=label, windows=divided),
        validation=0.2,
        labels=["person", "animal", "boy"],
    )
    return folder


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_several_classes_are_trained_on_windows_and_validated_on_texts(fit, many, capfd, weights):
    out = fit("out", inputs=many, class_weights=weights, epochs=2)

    told = capfd.readouterr().err
    assert re.search(r"3 classes, on .*; 96 sentences to train \(\d{3} windows\), 24 to val", told)
    model = AutoModelForSequenceClassification.from_pretrained(out)
    assert model.config.id2label == {0: "person", 1: "animal", 2: "boy"}
    rows = validation_rows(many)
    logits = running.logits_of(model, [row["windows"] for row in rows], torch.device("cpu"))
    labels = torch.tensor([row["labels"] for row in rows])
    loss = torch.nn.functional.cross_entropy(torch.tensor(logits), labels).item()
    history = pd.read_csv(out / "history.csv")
    assert loss == pytest.approx(history["validation_loss"].iloc[-1], abs=1e-5)


def test_balanced_weights_are_those_of_scikit_learn(fit, many, monkeypatch):
    plans = []
    monkeypatch.setattr(loop, "fit", lambda _, plan, __: plans.append(plan) or 1 / 0)
    for weights in ("balanced", "none"):
        with pytest.raises(ZeroDivisionError):
            fit("out", inputs=many, class_weights=weights)

    balanced, plain = plans
    labels = [row["labels"] for row in balanced.windows]
    expected = [len(labels) / 3 / labels.count(label) for label in range(3)]
    assert balanced.weights.tolist() == pytest.approx(expected)
    assert plain.weights is None


def test_class_without_a_training_sentence_is_refused(fit, many, tmp_path):
    inputs = tmp_path / "four"
    inputs.mkdir()
    tokens = files.read_table(many / "tokens" / "tokens.parquet")
    write_inputs(inputs, tokens, validation=0.1, labels=["person", "animal", "boy", "lamp"])

    with pytest.raises(BertlineError, match=r"and none of lamp\. Check the labels"):
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keep", "killed_at"),
    [
        ("last", 1),
        ("best_mcc", 6),
        pytest.param("best_mcc", 12, marks=pytest.mark.slow),
        pytest.param("last", 17, marks=pytest.mark.slow),
    ],
)
def test_killed_training_resumes_to_the_same_bytes(
    fit, fitted, monkeypatch, capfd, keep, killed_at
):
    # 96 sentences in batches of 16: 6 steps an epoch
    whole = fitted if keep == "last" else fit("whole", epochs=3, keep=keep)
    monkeypatch.setenv(checkpoint.VARIABLE, "0")
    with killed.training_after(killed_at):
        fit("again", epochs=3, keep=keep)
    again = fit("again", epochs=3, keep=keep)

    assert f"resuming after step {killed_at} of 18" in capfd.readouterr().err
    assert hashes_of(again) == hashes_of(whole)
    assert not (again.parent / ".again.checkpoint").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({}, "is damaged", id="damaged"),
        pytest.param({"learning_rate": 2.0e-3}, "", id="of-another-parameter"),
        pytest.param({"seed": 2}, "", id="of-another-seed"),
    ],
)
def test_checkpoint_that_does_not_serve_is_not_used(
    fit, monkeypatch, capfd, tmp_path, change, message
):
    monkeypatch.setenv(checkpoint.VARIABLE, "0")
    with killed.training_after(5):
        fit("out", epochs=1)
    [state] = tmp_path.glob(".out.checkpoint/*/state.safetensors")
    if message:
        state.write_bytes(state.read_bytes()[:1000])

    out = fit("out", epochs=1, **change)

    told = capfd.readouterr().err
    assert message in told and "resuming" not in told
    expected = fit("elsewhere", epochs=1, **change)
    assert files.sha256(out / "model.safetensors") == files.sha256(expected / "model.safetensors")


@pytest.mark.slow
def test_failed_training_leaves_the_earlier_model(fit, monkeypatch):
    out = fit("out", epochs=1)
    before = hashes_of(out)
    stopped = iter([KeyboardInterrupt])
    monkeypatch.setattr(loop, "save", lambda *_: (_ for _ in ()).throw(next(stopped)))

    with pytest.raises(KeyboardInterrupt):
        fit("out", seed=2, epochs=1)

    assert hashes_of(out) == before
    assert not (out.parent / ".out.part").exists()
