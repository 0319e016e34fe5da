"""Training before fine-tuning: the same bytes, no sentence of the corpus, an encoder that fits."""

import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import matthews_corrcoef
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoModelForSequenceClassification, RobertaConfig

from bertline.core import checkpoint, files
from bertline.core.errors import BertlineError
from bertline.corpora import cola
from bertline.scoring import tables
from bertline.training import corruptions, intermediate, loop
from bertline.training.corruptions import Corruptor
from bertline.training.intermediate import IGNORED, Detection, load_word_tokenizer
from stages import adapt, parse
from tests import killed, tiny
from tests.command import call, write_params

DOCUMENTS = 60  # of five sentences
QUICK = {
    "adapt.epochs": 2,
    "adapt.texts": "documents",
    "adapt.sentences": 100,
    "adapt.held_out": 50,
    "adapt.batch_size": 32,
    "adapt.learning_rate": 1.0e-3,
    "adapt.precision": "fp32",
    "adapt.threads": 1,
}
STEPS = 8  # two epochs of 100 sentences


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what parse writes: documents, and sentences of which none is theirs."""
    folder = tmp_path_factory.mktemp("adapt")
    write_documents(folder / "documents.parquet", tiny.prose(DOCUMENTS))
    sentences = tiny.sentence_sets({"in_domain_train": 20})
    files.write_table(folder / "sentences.parquet", sentences, parse.SENTENCES)
    return folder


def write_documents(path: Path, documents: pd.DataFrame) -> None:
    table = documents.assign(id=documents.index.astype(str), part="all", date=None)
    files.write_table(path, table[list(parse.DOCUMENTS.names)], parse.DOCUMENTS)


def run(out: Path, inputs: Path, backbone: Path, changes: dict[str, object]) -> Path:
    """Adapt into `out`, parameters, figures and receipt beside it, and return it."""
    changed = {f"adapt.{key}": value for key, value in changes.items()}
    settings = write_params(out.with_suffix(".yaml"), QUICK | changed)
    tables = (inputs / "documents.parquet", inputs / "sentences.parquet")
    call(
        adapt,
        *(*tables, backbone, out, "--params", settings),
        *("--table", out.with_suffix(".csv"), "--receipt", out.with_suffix(".receipt")),
    )
    return out


@pytest.fixture
def fit(data: Path, tiny_bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that adapts with changed parameters; it returns the folder."""

    def fit(name: str, *, inputs: Path = data, backbone: Path = tiny_bert, **changes: object):
        return run(tmp_path / name, inputs, backbone, changes)

    return fit


@pytest.fixture(scope="module")
def adapted(data: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the encoder that two epochs give, its figures beside it. Not to be changed."""
    return run(tmp_path_factory.mktemp("adapted") / "out", data, tiny_bert, {})


@pytest.fixture
def plan(data: Path, tiny_bert: Path) -> Detection:
    """Return a training of 40 sentences of the documents, 20 held out."""
    texts = pd.read_parquet(data / "documents.parquet")["text"]
    chosen, *_ = intermediate.collect(texts, known=set(), most=60, max_words=18)
    corruptor, tokenizer = Corruptor(chosen), load_word_tokenizer(tiny_bert)
    values = {key.removeprefix("adapt."): value for key, value in QUICK.items()}
    recipe = {"adam_epsilon": 1e-8, "weight_decay": 0.0, "warmup_ratio": 0.0, "max_grad_norm": 1.0}
    task = {"max_words": 18, "corrupted_share": 0.5, "token_loss_weight": 4.0, "seed": 1}
    options = intermediate.Adapt(**values, **recipe, **task)
    held_out = intermediate.corrupt(chosen[:20], corruptor, tokenizer, 0.5, random.Random(0))
    cpu = torch.device("cpu")
    return Detection(options, 1, cpu, "fp32", chosen[20:], held_out, corruptor, tokenizer)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: files.sha256(path) for path in folder.iterdir()}


def figures_of(folder: Path) -> pd.DataFrame:
    return files.read_csv(folder.with_suffix(".csv"), tables.ADAPTED, command="adapt")


# --- off ----------------------------------------------------------------------------------------


def test_without_epochs_the_backbone_is_copied_byte_for_byte(fit, tiny_bert_cls, tmp_path, capfd):
    left = tmp_path / ".out.checkpoint" / "key"  # of a run with epochs that was killed
    left.mkdir(parents=True)

    out = fit("out", backbone=tiny_bert_cls, epochs=0)

    def everything(folder: Path) -> dict[str, bytes]:
        found = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}

    assert everything(out) == everything(tiny_bert_cls)
    assert "1_Pooling/config.json" in everything(out)
    assert figures_of(out).empty
    assert not left.parent.exists()
    assert "adapt.epochs is 0: the backbone stays as it is" in capfd.readouterr().err


# --- the result ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_fine_tuning_begins_with_every_weight_and_the_head(adapted):
    torch.manual_seed(1)
    loaded = loop.load_classifier(adapted, intermediate.LABELS).state_dict()
    saved = load_file(adapted / "model.safetensors")

    assert loaded.keys() == saved.keys()
    assert {"classifier.weight", "classifier.bias"} <= saved.keys()
    assert [name for name in saved if not torch.equal(loaded[name], saved[name])] == []
    assert sorted(path.name for path in adapted.iterdir()) == [
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    ]


def test_head_is_for_the_classes_of_cola():
    assert intermediate.LABELS == cola.CLASSES == tiny.CLASSES


def test_figures_have_a_row_per_epoch(adapted):
    figures = figures_of(adapted)

    assert figures["epoch"].tolist() == [1, 2]
    assert figures["sentences"].tolist() == [100, 100]
    assert np.isfinite(figures.to_numpy()).all()
    receipt = json.loads(adapted.with_suffix(".receipt").read_text())
    assert receipt["precision"] == "fp32"
    costs = json.loads(adapted.with_suffix(".costs.json").read_text())
    assert len(costs["epochs"]) == 2


@pytest.mark.slow
def test_figures_are_those_of_the_model_that_is_saved(fit, monkeypatch):
    plans, train_by = [], loop.fit

    def watched(model: torch.nn.Module, plan: Detection, kept: object) -> loop.History:
        plans.append(plan)
        return train_by(model, plan, kept)

    monkeypatch.setattr(loop, "fit", watched)
    out = fit("out", learning_rate=1.0e-2)

    network = AutoModelForSequenceClassification.from_pretrained(out).eval()
    labels = torch.tensor([row["labels"] for row in plans[0].held_out])
    with torch.inference_mode():
        logits = torch.cat(
            [
                network(input_ids=torch.tensor([row["input_ids"]])).logits
                for row in plans[0].held_out
            ]
        )
    last = figures_of(out).iloc[-1]
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    assert last["validation_loss"] == pytest.approx(loss, abs=1e-5)
    assert last["validation_mcc"] == pytest.approx(matthews_corrcoef(labels, logits.argmax(1)))


# --- killed -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [1, 6])
def test_same_seed_gives_the_same_bytes_also_when_killed(
    fit, adapted, monkeypatch, capfd, killed_at
):
    monkeypatch.setenv(checkpoint.VARIABLE, "0")
    with killed.training_after(killed_at):
        fit("again")
    again = fit("again")

    assert f"resuming after step {killed_at} of {STEPS}" in capfd.readouterr().err
    assert contents(again) == contents(adapted)
    assert figures_of(again).equals(figures_of(adapted))
    assert not (again.parent / ".again.checkpoint").exists()


# --- the sentences ------------------------------------------------------------------------------

TEXTS = [
    "The lamp glows on it. She waits for him!",
    "Is it in the rain? The lamp glows on it.",
    "We saw that it was late.\n\nThey can do it.",
]
ALL = {
    "The lamp glows on it.",
    "She waits for him!",
    "Is it in the rain?",
    "We saw that it was late.",
    "They can do it.",
}


def collect(texts: list[str], known: tuple[str, ...] = (), most: int = 10) -> tuple:
    return intermediate.collect(
        texts,
        known={intermediate.normalize(sentence) for sentence in known},
        most=most,
        max_words=18,
    )


@pytest.mark.parametrize("most", [1, 3, 5, 10])
def test_sample_is_bounded_and_does_not_depend_on_the_order(most):
    chosen, *counts = collect(TEXTS, most=most)
    lines = [sentence for text in TEXTS for sentence in corruptions.sentences(text, max_words=18)]

    assert len(chosen) == min(most, len(ALL)) and set(chosen) <= ALL
    assert counts == [0, 6]
    assert chosen == collect(TEXTS)[0][:most]
    for seed in range(10):
        shuffled = random.Random(seed).sample(lines, len(lines))
        assert collect(shuffled, most=most) == (chosen, *counts)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param("The lamp glows on it.", id="same"),
        pytest.param("the LAMP glows on it.", id="case"),
        pytest.param("The lamp  glows on it .", id="spaces"),
        pytest.param("The lamp glows on it", id="without-the-full-stop"),
    ],
)
def test_sentences_of_the_corpus_are_left_out_and_counted(known):
    chosen, in_corpus, found = collect(TEXTS, known=(known,))

    assert set(chosen) == ALL - {"The lamp glows on it."}
    assert (in_corpus, found) == (2, 6)


@pytest.mark.slow
def test_no_sentence_of_the_corpus_is_trained_on_or_held_out(
    fit, data, monkeypatch, tmp_path, capfd
):
    texts = pd.read_parquet(data / "documents.parquet")["text"]
    chosen, *_ = intermediate.collect(texts, known=set(), most=1000, max_words=18)
    corpus = tiny.sentence_sets({"in_domain_train": 30, "in_domain_dev": 30})
    corpus["text"] = [sentence.upper() for sentence in chosen[:60]]
    (tmp_path / "documents.parquet").write_bytes((data / "documents.parquet").read_bytes())
    files.write_table(tmp_path / "sentences.parquet", corpus, parse.SENTENCES)
    corrupt, corrupted = intermediate.corrupt, []

    def watched(sentences: list[str], *arguments: object) -> list:
        corrupted.extend(sentences)
        return corrupt(sentences, *arguments)

    monkeypatch.setattr(intermediate, "corrupt", watched)
    out = fit("out", inputs=tmp_path, epochs=1)

    assert set(corrupted) == set(chosen[60:210])
    assert figures_of(out)["sentences"].tolist() == [100]
    assert "60 left out as they are in the sentences' corpus" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("comet orbit the moon", "0", id="no-sentence"),
        pytest.param(TEXTS[0], "2", id="few"),
    ],
)
def test_too_few_sentences_are_refused(fit, data, tmp_path, text, number):
    (tmp_path / "sentences.parquet").write_bytes((data / "sentences.parquet").read_bytes())
    write_documents(tmp_path / "documents.parquet", tiny.documents(9).assign(text=text))

    message = (
        rf"has {number} different plain sentences of at most 18 words, and adapt needs 82\."
        r".*under inputs\.documents, or set adapt\.epochs to 0"
    )
    with pytest.raises(BertlineError, match=message):
        fit("out", inputs=tmp_path)
    assert not (tmp_path / "out").exists()


# --- the task -----------------------------------------------------------------------------


def test_wrong_word_pieces_are_those_of_the_wrong_words(plan, monkeypatch):
    words = ["The", "lamps", ",", "galaxy", "."]  # l ##a ##m ##p ##s
    given = corruptions.Words(words, [False, True, False, True, False])
    monkeypatch.setattr(plan.corruptor, "corrupt", lambda *_: given)

    (row,) = intermediate.corrupt(["x"], plan.corruptor, plan.tokenizer, 1.0, random.Random(0))

    pieces = plan.tokenizer.convert_ids_to_tokens(row["input_ids"])
    assert pieces == ["[CLS]", "the", "l", "##a", "##m", "##p", "##s", ",", "galaxy", ".", "[SEP]"]
    assert row["wrong"] == [IGNORED, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, IGNORED]
    assert row["labels"] == 0


def test_long_sentences_are_cut_at_what_the_encoder_takes(plan, tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "encoder")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["model_max_length"]  # not every tokenizer says it
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = load_word_tokenizer(folder)

    (row,) = intermediate.corrupt(["xyz " * 90], plan.corruptor, tokenizer, 0.0, random.Random(0))

    assert len(row["input_ids"]) == len(row["wrong"]) == tiny.CONFIG["max_position_embeddings"]


def test_words_of_a_byte_level_encoder_have_their_spaces(plan, tmp_path):
    text = "the dog barks at the cat"
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        [f" {text}"] * 50,
        min_frequency=1,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    tokenizer.save_model(str(tmp_path))
    size = tokenizer.get_vocab_size()
    RobertaConfig(vocab_size=size, max_position_embeddings=34).save_pretrained(tmp_path)

    words = load_word_tokenizer(tmp_path)
    (row,) = intermediate.corrupt([text], plan.corruptor, words, 0.0, random.Random(0))

    assert words.decode(row["input_ids"], skip_special_tokens=True).strip() == text
    assert words.model_max_length == 32


def test_other_sentences_are_corrupted_in_every_epoch(plan):
    first, again, second = plan.rows(0), plan.rows(0), plan.rows(1)

    assert first == again
    assert len(first) == len(second) == plan.rows_per_epoch == 40
    assert [row["labels"] for row in first] != [row["labels"] for row in second]


def test_pads_are_neither_attended_to_nor_judged(plan):
    rows = [
        {
            "input_ids": [2, 9, 3],
            "wrong": [IGNORED, 1.0, IGNORED],
            "labels": 0,
        },
        {"input_ids": [2, 3], "wrong": [IGNORED] * 2, "labels": 1},
    ]

    batch = plan.collate(rows)

    assert batch["input_ids"].tolist() == [[2, 9, 3], [2, 3, plan.tokenizer.pad_token_id]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["wrong"][1].tolist() == [IGNORED] * 3
    assert batch["labels"].tolist() == [0, 1]


class Scripted(torch.nn.Module):
    """Gives the same logits to every sentence and to every word piece."""

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([[0.0, 2.0]]).expand(len(ids), 2), torch.full(ids.shape, -1.0)


def test_loss_by_hand(plan):
    rows = [
        {
            "input_ids": [2, 9, 8, 3],
            "wrong": [IGNORED, 1.0, 0.0, IGNORED],
            "labels": 0,
        },
        {
            "input_ids": [2, 9, 3],
            "wrong": [IGNORED, 0.0, IGNORED],
            "labels": 1,
        },
    ]

    loss = plan.loss(Scripted(), plan.collate(rows)).item()

    # sentences: -log softmax([0, 2]) at 0 and at 1; three words: -log sigmoid(-1) once, and
    # -log sigmoid(1) twice
    of_sentences = (math.log(1 + math.exp(2)) + math.log(1 + math.exp(-2))) / 2
    of_words = (math.log(1 + math.exp(1)) + 2 * math.log(1 + math.exp(-1))) / 3
    assert loss == pytest.approx(of_sentences + 4.0 * of_words, rel=1e-6)


@pytest.mark.slow
def test_model_learns_to_detect_corrupted_sentences(fit):
    out = fit("out", epochs=8, sentences=250, batch_size=16, learning_rate=3.0e-3)

    figures = figures_of(out)
    first, last = figures.iloc[0], figures.iloc[-1]
    mcc = last["validation_mcc"]
    assert last["training_loss"] < first["training_loss"]
    assert mcc > 0.5, f"held-out MCC {mcc:.3f} of telling corrupted sentences"
