"""Classes and probabilities of new texts are those of evaluate, whatever they are asked with."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from bertline.apply.classifier import Classifier
from bertline.core.errors import BertlineError
from bertline.encoders import loading, running, windows
from bertline.scoring.thresholds import Decision
from tests import tiny
from tests.apply.models import write_classifier

TEXTS = [*tiny.sentences(40)["text"], *tiny.documents(8)["text"]]  # of one window, and longer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    return write_classifier(tmp_path_factory.mktemp("project") / "data" / "train" / "1", tiny_bert)


@pytest.mark.parametrize("long_texts", ["head", "head_tail", "windows"])
def test_probabilities_are_the_softmax_of_the_logits_of_training(tmp_path, tiny_bert, long_texts):
    folder = write_classifier(tmp_path / "1", tiny_bert, long_texts=long_texts)
    tokenizer = loading.load_tokenizer(tiny_bert)
    special = windows.special_tokens(tokenizer)
    parts = [
        windows.divide(ids, special, max_length=12, long_texts=long_texts)
        for ids in windows.encode(TEXTS, tokenizer)
    ]
    logits = running.logits_of(running.load_trained(folder), parts, torch.device("cpu"))
    expected = torch.from_numpy(logits).softmax(dim=1).numpy()

    found = Classifier(folder)(TEXTS)

    assert found["probability"].to_numpy() == pytest.approx(expected.max(axis=1), abs=1e-6)
    assert found["class"].tolist() == [tiny.CLASSES[number] for number in expected.argmax(axis=1)]
    assert found["class"].nunique() == 2


def test_text_has_the_same_class_in_any_batch(model):
    classify = Classifier(model)
    together = classify(TEXTS)

    alone = [classify([text]).iloc[0] for text in TEXTS]

    assert [row["class"] for row in alone] == together["class"].tolist()
    sure = together["probability"].tolist()
    # The weights of the head are twenty times the usual.
    assert [row["probability"] for row in alone] == pytest.approx(sure, abs=1e-5)


def test_blank_text_has_no_class(model):
    found = Classifier(model)(["", "The dog sings.", " \n", "?!"])

    assert found["class"].notna().tolist() == [False, True, False, True]
    assert found["probability"].notna().tolist() == [False, True, False, True]
    assert len(Classifier(model)([])) == 0
    assert Classifier(model)([" "])["class"].tolist() == [None]


def test_names_of_many_classes_are_those_of_the_model(tmp_path, tiny_bert):
    labels = [f"class {number}" for number in range(12)]
    classify = Classifier(write_classifier(tmp_path / "1", tiny_bert, labels=labels))

    found = classify(TEXTS)

    assert classify.probabilities(TEXTS).shape == (len(TEXTS), 12)
    chosen = classify.probabilities(TEXTS).argmax(axis=1)
    assert found["class"].tolist() == [labels[number] for number in chosen]


def write_decisions(project: Path, *rows: tuple[str, object, object]) -> None:
    path = project / "metrics" / "evaluate" / "decisions.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("model", "threshold", "temperature"), *rows])


def test_temperature_and_threshold_of_evaluate_are_applied(tmp_path, tiny_bert):
    folder = write_classifier(tmp_path / "data" / "train" / "7", tiny_bert)
    plain = Classifier(folder).probabilities(TEXTS)
    write_decisions(tmp_path, ("seed 1", 0.9, 9), ("seed 7", 0.3, 2.5))

    classify = Classifier(folder)

    odds = np.log(plain[:, 1].astype(np.float64) / plain[:, 0]) / 2.5
    expected = 1 / (1 + np.exp(-odds))
    assert classify.probabilities(TEXTS)[:, 1] == pytest.approx(expected, abs=1e-5)
    found = classify(TEXTS)
    above = expected > 0.3
    assert (found["class"] == tiny.CLASSES[1]).tolist() == above.tolist()
    chosen = np.where(above, expected, 1 - expected)
    assert found["probability"].to_numpy() == pytest.approx(chosen, abs=1e-5)


def test_decisions_without_a_threshold_or_the_seed_are_read(tmp_path, tiny_bert):
    folder = write_classifier(tmp_path / "data" / "train" / "7", tiny_bert)
    write_decisions(tmp_path, ("seed 7", "", 2))
    assert Classifier(folder).members[0].decision == Decision(None, 2)
    write_decisions(tmp_path, ("seed 8", "", 2))
    assert Classifier(folder).members[0].decision == Decision(0.5, 1)


def test_own_decision_of_a_folder_comes_first(tmp_path, tiny_bert):
    folder = tmp_path / "data" / "train" / "7"
    write_classifier(folder, tiny_bert, temperature=3.0, threshold=0.4)
    write_decisions(tmp_path, ("seed 7", 0.3, 2.5))

    assert Classifier(folder).members[0].decision == Decision(0.4, 3)


def test_several_seeds_are_their_mean(tmp_path, tiny_bert):
    for seed in (2, 10):
        write_classifier(tmp_path / str(seed), tiny_bert, seed=seed)

    classify = Classifier(tmp_path)

    assert [member.folder.name for member in classify.members] == ["2", "10"]
    singles = [Classifier(tmp_path / name).probabilities(TEXTS) for name in ("2", "10")]
    mean = np.mean(singles, axis=0)
    assert classify.probabilities(TEXTS) == pytest.approx(mean, abs=1e-6)
    chosen = [tiny.CLASSES[number] for number in mean.argmax(axis=1)]
    assert classify(TEXTS)["class"].tolist() == chosen


def test_seeds_that_do_not_belong_together_are_refused(tmp_path, tiny_bert):
    write_classifier(tmp_path / "1", tiny_bert)
    write_classifier(tmp_path / "2", tiny_bert, labels=["ham", "spam"])

    with pytest.raises(BertlineError, match=r"2 and .*1 have other classes.*different runs"):
        Classifier(tmp_path)


def test_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(BertlineError, match="has no model, nor has a folder of a seed in it"):
        Classifier(tmp_path)


def test_model_from_elsewhere_reads_as_much_as_it_takes(tmp_path, tiny_bert, capsys):
    folder = write_classifier(tmp_path / "1", tiny_bert)
    (folder / "settings.json").unlink()

    assert Classifier(folder).settings == {"max_length": 64, "long_texts": "head"}
    assert "has no settings.json: texts are cut after 64 word pieces" in capsys.readouterr().err
