"""The stage evaluate: predictions of each seed's own model, and tables that agree with them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special
from sklearn.metrics import f1_score, matthews_corrcoef
from transformers import AutoModelForSequenceClassification

from bertline.core import files, hashes
from bertline.core.errors import BertlineError
from bertline.encoders import running
from bertline.scoring import tables
from bertline.scoring.names import BOTH, DEV_SETS, ENSEMBLE, MAJORITY, MEAN, TFIDF
from stages import evaluate, parse, split, tokenize, train
from tests import tiny
from tests.command import call, write_params

SETS = {"in_domain_train": 60, "in_domain_dev": 37, "out_of_domain_dev": 20}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """Return a folder with tokens, folds and two trained models."""
    folder = tmp_path_factory.mktemp("evaluate")
    files.write_table(folder / "sentences.parquet", tiny.sentence_sets(SETS), parse.SENTENCES)
    changes = {
        "seeds": [3, 5],
        "train.epochs": 2,
        "train.learning_rate": 1e-3,
        "train.precision": "fp32",
        "train.threads": 1,
        "evaluate.batch_size": 16,
    }
    same = ("--params", write_params(folder / "params.yaml", changes))
    tokens, folds = folder / "tokens", folder / "folds"
    call(tokenize, folder / "sentences.parquet", tiny_bert, tokens, *same)
    call(split, tokens, folds, *same)
    for seed in (3, 5):
        call(train, seed, tokens, folds, tiny_bert, folder / "models" / str(seed), *same)
    return folder


def run_in(folder: Path, trained: Path, folds: Path | None = None, **changes: object) -> Path:
    """Evaluate into `folder` and return it."""
    document = json.loads((trained / "params.yaml").read_text())
    document["seeds"] = changes.pop("seeds", document["seeds"])
    document["evaluate"] |= changes
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(json.dumps(document))
    call(
        evaluate,
        *(trained / "tokens", folds or trained / "folds", trained / "models"),
        *(folder / "predictions", "--params", folder / "params.yaml"),
        *("--metrics", folder / "metrics.json", "--tables", folder / "tables"),
    )
    return folder


@pytest.fixture(scope="module")
def evaluated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an evaluation with both seeds. Not to be changed."""
    return run_in(tmp_path_factory.mktemp("evaluated") / "out", trained)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that evaluates into a folder of its own, which it returns."""
    return lambda **changes: run_in(tmp_path / "out", trained, **changes)


def read_predictions(folder: Path) -> pd.DataFrame:
    return files.read_table(folder / "predictions" / "predictions.parquet")


@pytest.mark.slow
def test_every_sentence_outside_training_is_predicted_once_by_each_seed_s_own_model(
    evaluated, trained
):
    table = read_predictions(evaluated)

    # 6 of 60 training sentences are for validation, and all 37 + 20 of the test sets.
    assert table.groupby(["seed", "set"], sort=False).size().to_dict() == {
        (seed, name): size
        for seed in (3, 5)
        for name, size in (("validation", 6), ("in_domain_dev", 37), ("out_of_domain_dev", 20))
    }
    assert not table.duplicated(["id", "seed"]).any()
    tokens = files.read_table(trained / "tokens" / "tokens.parquet").set_index("id")
    assert (table["label"].to_numpy() == tokens.loc[table["id"], "label"].to_numpy()).all()
    for seed, of_seed in table.groupby("seed"):
        model = AutoModelForSequenceClassification.from_pretrained(trained / "models" / str(seed))
        windows = tokens.loc[of_seed["id"], "windows"].tolist()
        with torch.inference_mode():
            rows = [model(input_ids=torch.tensor(row[0])[None]).logits[0] for row in windows]
        logits = np.array(of_seed["logits"].tolist())
        assert logits == pytest.approx(torch.stack(rows).numpy(), abs=1e-5)
        probabilities = np.array(of_seed["probabilities"].tolist())
        assert probabilities == pytest.approx(special.softmax(logits, axis=1), abs=1e-6)
        assert (of_seed["predicted"] == (probabilities[:, 1] > 0.5)).all()


def test_tables_and_summary_agree_with_the_predictions(evaluated):
    table = read_predictions(evaluated)
    scores = pd.read_csv(evaluated / "tables" / "scores.csv")

    assert list(scores) == list(tables.SCORES)
    models = ["seed 3", "seed 5", MEAN, ENSEMBLE, MAJORITY, TFIDF]
    for name, rows in scores.groupby("set", sort=False):
        assert rows["model"].tolist() == models
        for seed in (3, 5):
            sets = DEV_SETS if name == BOTH else (name,)
            chosen = table[table["set"].isin(sets) & (table["seed"] == seed)]
            mcc = matthews_corrcoef(chosen["label"], chosen["predicted"])
            found = rows.set_index("model").loc[f"seed {seed}", "mcc"]
            assert found == pytest.approx(mcc, abs=1e-6)
            expected = f1_score(chosen["label"], chosen["predicted"], average="macro")
            assert rows.set_index("model").loc[f"seed {seed}", "macro_f1"] == pytest.approx(
                expected, abs=1e-6
            )
            if name != BOTH:
                confusion = pd.read_csv(evaluated / "tables" / "confusion" / f"{name}.csv")
                words = confusion[confusion["seed"] == seed]
                assert set(words["actual"]) == set(tiny.CLASSES)
                assert matthews_corrcoef(words["actual"], words["predicted"]) == pytest.approx(mcc)
    summary = json.loads((evaluated / "tables" / "summary.json").read_text())
    assert list(summary) == ["validation", "in_domain_dev", "out_of_domain_dev", "both_dev"]
    for name, figures in summary.items():
        mean = scores[(scores["set"] == name) & (scores["model"] == MEAN)].iloc[0]
        assert figures["mcc"] == pytest.approx(mean["mcc"], abs=1e-4)
    classes = pd.read_csv(evaluated / "tables" / "classes.csv")
    assert list(classes) == list(tables.CLASSES)
    assert classes["class"].tolist() == [*tiny.CLASSES] * 4
    for name in DEV_SETS:
        rows = table[table["set"] == name]
        expected = rows[rows["label"] == 1].eval("predicted == 1").mean()
        found = classes[(classes["set"] == name) & (classes["class"] == "acceptable")]
        assert found["recall"].item() == pytest.approx(expected, abs=1e-6)
    answers = pd.read_csv(evaluated / "predictions" / "sentences.csv", encoding="utf-8-sig")
    assert list(answers) == list(tables.ANSWERS)
    of_seeds = table.assign(right=table["predicted"] == table["label"]).groupby("id", sort=False)
    assert answers["correct_seeds"].tolist() == of_seeds["right"].sum().tolist()
    probability = np.stack(
        of_seeds["probabilities"].apply(lambda rows: np.stack(rows).mean(axis=0))
    )
    chosen = probability.argmax(axis=1)
    assert answers["answer"].tolist() == np.array(tiny.CLASSES)[chosen].tolist()
    assert answers["probability"].to_numpy() == pytest.approx(probability.max(axis=1), abs=1e-4)
    pooled = pd.read_csv(evaluated / "tables" / "confusion.csv")
    assert list(pooled) == ["actual", "predicted"] and len(pooled) == 2 * 20
    protocol = json.loads((evaluated / "tables" / "protocol.json").read_text())
    assert protocol["labels"] == [*tiny.CLASSES]
    main = summary["out_of_domain_dev"]
    assert json.loads((evaluated / "metrics.json").read_text()) == {
        "mcc": round(main["mcc"], 3),
        "mcc_sd": round(main["mcc_sd"], 3),
    }


def test_batches_and_curves_are_tables_of_every_seed_and_no_table_holds_a_sentence(
    evaluated, trained
):
    batches = pd.read_csv(evaluated / "tables" / "mcc_per_batch.csv")
    last = batches.groupby(["set", "seed"]).last().loc[("in_domain_dev", 3)]
    assert (last["batch"], last["sentences"]) == (3, 5)
    curves = pd.read_csv(evaluated / "tables" / "learning_curves.csv")
    assert list(curves) == list(tables.CURVES)
    assert curves[["seed", "epoch"]].to_numpy().tolist() == [[3, 1], [3, 2], [5, 1], [5, 2]]
    texts = files.read_table(trained / "tokens" / "tokens.parquet")["text"]
    for path in sorted((evaluated / "tables").rglob("*.csv")):
        content = path.read_text()
        assert not any(text in content for text in texts), path.name


def test_same_inputs_give_the_same_bytes(run, evaluated):
    again = run()

    names = [path.relative_to(again) for path in sorted(again.rglob("*")) if path.is_file()]
    # params, metrics, predictions, sentences, summary, protocol, 5 tables, 4 confusions
    assert len(names) == 15
    for name in names:
        assert (again / name).read_bytes() == (evaluated / name).read_bytes(), name


def test_only_the_seeds_of_the_parameters_count_and_what_validation_chose_is_used(run):
    """A folder of a seed that has left the list stays on disk; it is not part of the run."""
    folder = run(seeds=[5], threshold="validation", temperature="validation")

    table = read_predictions(folder)
    assert set(table["seed"]) == {5}
    summary = json.loads((folder / "tables" / "summary.json").read_text())
    assert {figures["mcc_sd"] for figures in summary.values()} == {None}
    made = pd.read_csv(folder / "tables" / "decisions.csv").set_index("model").loc["seed 5"]
    logits = np.array(table["logits"].tolist(), dtype=float)
    probabilities = np.array(table["probabilities"].tolist())
    expected = special.softmax(logits / made["temperature"], axis=1)
    assert probabilities == pytest.approx(expected, abs=1e-6)
    assert (table["predicted"] == (probabilities[:, 1] > made["threshold"])).all()
    protocol = json.loads((folder / "tables" / "protocol.json").read_text())
    assert (protocol["threshold"], protocol["temperature"]) == ("validation", "validation")


def test_models_of_seeds_that_are_not_listed_are_removed(tmp_path, capsys, monkeypatch):
    models, cache = tmp_path / "train", tmp_path / "cache" / "files" / "md5"
    monkeypatch.setattr(hashes, "find_cache", lambda: tmp_path / "cache")
    for name in ("1", "2", "30", "notes"):
        (models / name).mkdir(parents=True)
        (models / name / "model").write_text(name)
    (models / "4").write_text("no model")
    for name in ("2", "30"):
        digest = str(hashes.md5(models / name))
        if name == "30":  # DVC's cache has 2 alone
            with pytest.raises(BertlineError, match=r"30 is of a seed .* cache does not have it"):
                evaluate.remove_others(models, [1, 3])
            assert (models / "2").exists()
        (cache / digest[:2]).mkdir(parents=True)
        (cache / digest[:2] / digest[2:]).touch()

    evaluate.remove_others(models, [1, 3])

    assert sorted(path.name for path in models.iterdir()) == ["1", "4", "notes"]
    assert "no longer listed: 2, 30" in capsys.readouterr().err


def test_nothing_is_removed_where_there_are_no_models(tmp_path):
    with pytest.raises(BertlineError, match="models does not exist"):
        evaluate.remove_others(tmp_path / "models", [1])


def test_models_that_are_missing_are_named(run, tmp_path):
    with pytest.raises(BertlineError, match=r"models.7 does not exist"):
        run(seeds=[3, 7])
    (tmp_path / "7").mkdir()
    with pytest.raises(BertlineError, match=r"holds no trained model.*dvc repro train@7"):
        running.load_trained(tmp_path / "7")


@pytest.mark.parametrize(("long_texts", "cut"), [("head", [True, False]), ("windows", [False] * 2)])
def test_text_that_fills_its_window_counts_as_cut(trained, tmp_path, long_texts, cut):
    shutil.copytree(trained / "tokens", tmp_path / "tokens")
    table = pd.read_parquet(tmp_path / "tokens" / "tokens.parquet").head(2)
    table["windows"] = [[[101, 1, 2, 102]], [[101, 1, 102]]]
    table.to_parquet(tmp_path / "tokens" / "tokens.parquet")
    settings = files.read_json(tmp_path / "tokens" / "settings.json")
    changed = settings | {"max_length": 4, "long_texts": long_texts}
    files.write_json(tmp_path / "tokens" / "settings.json", changed)

    rows = evaluate.read_sentences(tmp_path / "tokens", trained / "folds")

    assert rows["cut"].tolist() == cut


def test_models_of_other_classes_are_refused(trained, tmp_path):
    settings = json.loads((trained / "tokens" / "settings.json").read_text())
    other = tmp_path / "other"
    shutil.copytree(trained / "tokens", other / "tokens")
    (other / "params.yaml").write_bytes((trained / "params.yaml").read_bytes())
    files.write_json(other / "tokens" / "settings.json", settings | {"labels": ["ham", "spam"]})
    (other / "models").symlink_to(trained / "models")

    with pytest.raises(BertlineError, match="trained on the classes unacceptable, acceptable, and"):
        run_in(tmp_path / "out", other, trained / "folds")


@pytest.mark.slow
def test_many_classes_are_trained_and_scored(tmp_path, tiny_bert):
    """Which noun a sentence has is its class; one class is rare, and the scores say so."""
    sentences = tiny.sentence_sets({"train": 240, "test": 120})
    nouns = ["dog", "cat", "bird", "child"]
    found = [next((n for n in nouns if f" {n}" in text), "other") for text in sentences["text"]]
    names = [*nouns, "other"]
    numbers = [names.index(name) for name in found]
    table = sentences.assign(**{"class": found, "label": numbers})
    files.write_table(tmp_path / "sentences.parquet", table, parse.SENTENCES)
    changes = {
        "seeds": [3],
        "train.epochs": 6,
        "train.learning_rate": 3e-3,
        "train.precision": "fp32",
        "train.threads": 1,
    }
    same = ("--params", write_params(tmp_path / "params.yaml", changes))
    call(tokenize, tmp_path / "sentences.parquet", tiny_bert, tmp_path / "tokens", *same)
    call(split, tmp_path / "tokens", tmp_path / "folds", *same)
    call(
        *(train, 3, tmp_path / "tokens", tmp_path / "folds", tiny_bert, tmp_path / "models" / "3"),
        *same,
    )

    folder = run_in(tmp_path / "out", tmp_path)

    table = read_predictions(folder)
    scores = pd.read_csv(folder / "tables" / "scores.csv").set_index(["set", "model"])
    chosen = table[table["set"] == "test"]
    mcc = matthews_corrcoef(chosen["label"], chosen["predicted"])
    assert scores.loc[("test", "seed 3"), "mcc"] == pytest.approx(mcc, abs=1e-6)
    assert scores.loc[("test", TFIDF), "mcc"] > 0.9  # words alone tell the class
    assert json.loads((folder / "metrics.json").read_text()) == {
        "mcc": pytest.approx(mcc, abs=1e-4)
    }
    made = pd.read_csv(folder / "tables" / "decisions.csv")
    assert made["threshold"].isna().all()
    assert set(pd.read_csv(folder / "tables" / "classes.csv")["class"]) == set(names)


def test_folds_without_test_sentences_or_of_other_sentences_are_refused(trained, tmp_path):
    folds = files.read_table(trained / "folds" / "folds.parquet")
    for name, table, message in (
        ("stale", folds.iloc[2:], r"2 sentences .* have no fold.*dvc repro split"),
        ("whole", folds.assign(fold="train"), r"no test set and split\.validation is 0"),
    ):
        files.write_table(tmp_path / name / "folds.parquet", table, split.FOLDS)
        with pytest.raises(BertlineError, match=message):
            run_in(tmp_path / f"{name} out", trained, tmp_path / name)
