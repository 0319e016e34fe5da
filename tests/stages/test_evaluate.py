"""Scores against scikit-learn and against arithmetic by hand, and what is written of them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, log_loss, matthews_corrcoef
from threadpoolctl import threadpool_limits
from transformers import AutoModelForSequenceClassification

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.encoders import running
from bertline.scoring.intervals import Interval
from stages import evaluate, parse, split, tokenize, train
from tests import tiny
from tests.command import call, write_params

SETS = {"in_domain_train": 60, "in_domain_dev": 37, "out_of_domain_dev": 20}
OPTIONS = evaluate.Evaluate(batch_size=32, confidence=0.95, threshold="half", temperature="none")
CPU = torch.device("cpu")


def test_score_agrees_with_scikit_learn():
    random = np.random.default_rng(2)
    labels, probabilities = random.integers(0, 2, size=90), random.random(90).astype(np.float32)

    found = evaluate.score(labels, probabilities)

    predicted = probabilities > 0.5
    assert found == pytest.approx(
        {
            "mcc": matthews_corrcoef(labels, predicted),
            "accuracy": accuracy_score(labels, predicted),
            "f1": f1_score(labels, predicted),
            "loss": log_loss(labels, probabilities.astype(float)),
        }
    )


def test_score_by_hand():
    # Predicted 1 1 0 0 0 (one half is not more than a half): TP 1, FP 1, FN 1, TN 2.
    found = evaluate.score(np.array([1, 0, 1, 0, 0]), np.array([0.8, 0.6, 0.4, 0.5, 0.1]))

    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["f1"] == pytest.approx(1 / 2)  # precision 1/2, recall 1/2
    assert found["mcc"] == pytest.approx((1 * 2 - 1 * 1) / (2 * 2 * 3 * 3) ** 0.5)
    likelihood = 0.8 * (1 - 0.6) * 0.4 * (1 - 0.5) * (1 - 0.1)
    assert found["loss"] == pytest.approx(-np.log(likelihood) / 5)


def test_batches_follow_the_order_of_the_set_and_end_with_a_short_one():
    labels = np.array([1, 0, 1, 0, 1, 1, 0])
    right = np.array([1, 0, 1, 0, 1, 1, 1])

    found = list(evaluate.batches("dev", labels, {7: right, 8: 1 - right}, 3))

    # The last batch is one sentence, wrongly called acceptable: MCC is undefined and 0.
    assert found == [
        ("dev", 7, 1, 3, 1.0),
        ("dev", 7, 2, 3, 1.0),
        ("dev", 7, 3, 1, 0.0),
        ("dev", 8, 1, 3, -1.0),
        ("dev", 8, 2, 3, -1.0),
        ("dev", 8, 3, 1, 0.0),
    ]


@pytest.mark.parametrize(
    ("sentences", "size", "batches"),
    [(516, 32, 17), (32, 32, 1), (33, 32, 2), (1, 32, 1)],
    ids=["cola-out-of-domain", "exactly-one", "one-over", "one-sentence"],
)
def test_number_of_batches(sentences, size, batches):
    labels = np.ones(sentences, dtype=int)

    found = list(evaluate.batches("dev", labels, {1: np.ones(sentences)}, size))

    assert len(found) == batches
    assert sum(row[3] for row in found) == sentences


def rows_of_scores(labels: np.ndarray, *models: np.ndarray) -> pd.DataFrame:
    return score_models(labels, *models)[0]


def score_models(
    labels: np.ndarray, *models: np.ndarray, pairs: list[int] | None = None
) -> tuple[pd.DataFrame, Interval]:
    seeds = {f"seed {number}": values for number, values in enumerate(models, start=1)}
    baselines = {evaluate.MAJORITY: np.full(len(labels), 0.7), evaluate.TFIDF: models[0]}
    rows = pd.DataFrame({"label": labels, "pair": range(len(labels)) if pairs is None else pairs})
    scores, interval = evaluate.score_set("dev", rows, seeds | baselines, {}, OPTIONS.confidence)
    return pd.DataFrame(scores, columns=list(evaluate.SCORES)), interval


def test_mean_and_spread_are_over_the_seeds():
    labels = np.array([1, 1, 1, 0, 0, 1, 0, 1] * 4)
    good = np.where(labels == 1, 0.9, 0.2)
    bad = good.copy()
    bad[:6] = 1 - bad[:6]

    scores, interval = score_models(labels, good, bad)
    summary = evaluate.summarize(scores, {"dev": interval})

    one, two = scores["mcc"][:2]
    assert one == pytest.approx(1.0)
    # Of 20 acceptable sentences 4 are taken for unacceptable, of 12 others 2 for acceptable.
    assert two == pytest.approx((16 * 10 - 2 * 4) / (18 * 20 * 12 * 14) ** 0.5)
    mean = scores.set_index("model").loc[evaluate.MEAN]
    assert mean["mcc"] == pytest.approx((one + two) / 2)
    assert summary["dev"]["mcc"] == pytest.approx((one + two) / 2, abs=1e-4)
    # SD of two numbers, with n - 1: their distance over the square root of 2.
    assert summary["dev"]["mcc_sd"] == pytest.approx((one - two) / 2**0.5, abs=1e-4)
    assert summary["dev"]["mcc_low"] < summary["dev"]["mcc"] <= summary["dev"]["mcc_high"]
    assert summary["dev"]["mcc_min"] == pytest.approx(two, abs=1e-4)
    assert summary["dev"]["mcc_max"] == 1.0


def test_one_seed_has_no_spread():
    labels = np.array([1, 0, 1, 0])

    scores, interval = score_models(labels, np.array([0.9, 0.1, 0.9, 0.9]))
    summary = evaluate.summarize(scores, {"dev": interval})

    assert summary["dev"]["mcc_sd"] is None
    assert summary["dev"]["se_seeds"] is None
    assert summary["dev"]["ensemble_mcc"] is None
    assert summary["dev"]["se_sentences"] > 0
    by_model = scores.set_index("model")["mcc"]
    assert by_model["seed 1"] == by_model[evaluate.MEAN]


def test_majority_class_scores_no_mcc_and_the_share_of_the_larger_class():
    labels = np.array([1] * 7 + [0] * 3)

    scores = rows_of_scores(labels, np.linspace(0, 1, 10)).set_index("model")

    majority = scores.loc[evaluate.MAJORITY]
    assert majority["mcc"] == 0.0
    assert np.isnan(majority["mcc_low"]) and np.isnan(majority["mcc_high"])
    assert majority["accuracy"] == pytest.approx(0.7)
    assert majority["f1"] == pytest.approx(2 * 0.7 / 1.7)  # precision 0.7, recall 1


def test_tfidf_baseline_learns_what_words_tell():
    sentences = tiny.sentences(120)

    baseline = evaluate.fit_tfidf(sentences["text"], sentences["label"].to_numpy())

    fresh = tiny.sentences(60, seed=9)
    probabilities = baseline.predict_proba(fresh["text"])[:, 1]
    # "sings" is acceptable here and "sing" is not, so words alone suffice.
    assert evaluate.score(fresh["label"].to_numpy(), probabilities)["mcc"] > 0.9


@pytest.mark.parametrize("labels", [[1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
def test_tfidf_baseline_refuses_a_label_that_hardly_occurs(labels):
    texts = pd.Series(["a b", "b c", "c d", "d e"])

    with pytest.raises(BertlineError, match="two training sentences of each label"):
        evaluate.fit_tfidf(texts, np.array(labels))


@pytest.fixture(scope="module")
def classifier(tiny_bert: Path) -> torch.nn.Module:
    torch.manual_seed(4)
    return AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=2)


def test_prediction_does_not_depend_on_padding_or_order(classifier, monkeypatch):
    random = np.random.default_rng(6)
    ids = [random.integers(5, 100, size=length) for length in (3, 40, 7, 12, 3, 25)]

    together = evaluate.predict(classifier, ids, 0, CPU)
    monkeypatch.setattr(running, "SENTENCES_PER_STEP", 1)
    alone = evaluate.predict(classifier, ids, 0, CPU)

    assert together == pytest.approx(alone, abs=1e-6)
    with torch.inference_mode():
        logits = [classifier(input_ids=torch.tensor(row)[None]).logits[0] for row in ids]
    expected = [(row[1] - row[0]).item() for row in logits]
    assert together == pytest.approx(expected, abs=1e-6)
    assert len(set(expected)) == len(expected)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """Return a folder with tokens, folds and two trained models."""
    folder = tmp_path_factory.mktemp("evaluate")
    files.write_table(folder / "sentences.parquet", tiny.sentence_sets(SETS), parse.SENTENCES)
    settings = write_params(
        folder / "params.yaml",
        {
            "seeds": [3, 5],
            "train.epochs": 2,
            "train.learning_rate": 1e-3,
            "train.precision": "fp32",
            "train.threads": 1,
            "evaluate.batch_size": 16,
        },
    )
    same = ("--params", settings)
    tokens, folds = folder / "tokens", folder / "folds"
    call(tokenize, folder / "sentences.parquet", tiny_bert, tokens, *same)
    call(split, tokens, folds, *same)
    for seed in (3, 5):
        call(train, seed, tokens, folds, tiny_bert, folder / "models" / str(seed), *same)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that evaluates into a folder of its own, which it returns."""

    def run(name: str = "out", **changes: object) -> Path:
        folder = tmp_path / name
        document = json.loads((trained / "params.yaml").read_text())
        document["evaluate"] |= {key: value for key, value in changes.items() if key != "seeds"}
        document["seeds"] = changes.get("seeds", document["seeds"])
        folder.mkdir()
        (folder / "params.yaml").write_text(json.dumps(document))
        call(
            evaluate,
            *(trained / "tokens", trained / "folds", trained / "models", folder / "predictions"),
            *("--params", folder / "params.yaml", "--metrics", folder / "metrics.json"),
            *("--plots", folder / "plots"),
        )
        return folder

    return run


def test_every_sentence_outside_training_is_predicted_once_by_each_seed(run, trained):
    table = files.read_table(run() / "predictions" / "predictions.parquet")

    # 6 of 60 training sentences are for validation, and all 37 + 20 of the test sets.
    assert table.groupby(["seed", "set"], sort=False).size().to_dict() == {
        (seed, name): size
        for seed in (3, 5)
        for name, size in (("validation", 6), ("in_domain_dev", 37), ("out_of_domain_dev", 20))
    }
    assert not table.duplicated(["id", "seed"]).any()
    assert (table["predicted"] == (table["probability"] > 0.5)).all()
    tokens = files.read_table(trained / "tokens" / "tokens.parquet").set_index("id")
    assert (table["label"].to_numpy() == tokens.loc[table["id"], "label"].to_numpy()).all()


def test_probabilities_are_those_of_the_seed_s_own_model(run, trained):
    table = files.read_table(run() / "predictions" / "predictions.parquet")
    tokens = files.read_table(trained / "tokens" / "tokens.parquet").set_index("id")

    for seed in (3, 5):
        model = AutoModelForSequenceClassification.from_pretrained(trained / "models" / str(seed))
        of_seed = table[table["seed"] == seed]
        ids = tokens.loc[of_seed["id"], "input_ids"].tolist()
        expected = evaluate.predict(model, ids, 0, CPU)
        assert of_seed["logit"].to_numpy() == pytest.approx(expected, abs=1e-6)
        probability = 1 / (1 + np.exp(-expected))
        assert of_seed["probability"].to_numpy() == pytest.approx(probability, abs=1e-6)


def test_tables_and_summary_agree_with_the_predictions(run):
    folder = run()

    table = files.read_table(folder / "predictions" / "predictions.parquet")
    scores = pd.read_csv(folder / "plots" / "scores.csv")
    assert tuple(scores.columns) == evaluate.SCORES
    models = ["seed 3", "seed 5", evaluate.MEAN]
    models += [evaluate.ENSEMBLE, evaluate.MAJORITY, evaluate.TFIDF]
    for name, rows in scores.groupby("set", sort=False):
        assert rows["model"].tolist() == models
        bounds = rows[["mcc_low", "mcc_high"]].dropna()
        assert (bounds["mcc_low"] <= bounds["mcc_high"]).all()
        sets = evaluate.DEV_SETS if name == evaluate.BOTH else (name,)
        for seed in (3, 5):
            chosen = table[table["set"].isin(sets) & (table["seed"] == seed)]
            mcc = matthews_corrcoef(chosen["label"], chosen["predicted"])
            found = rows.set_index("model").loc[f"seed {seed}", "mcc"]
            assert found == pytest.approx(mcc, abs=1e-6)
            if name != evaluate.BOTH:
                assert mcc_of_confusion(folder, name, seed) == pytest.approx(mcc)
    summary = json.loads((folder / "metrics.json").read_text())
    assert list(summary) == ["validation", "in_domain_dev", "out_of_domain_dev", "both_dev"]
    for name, figures in summary.items():
        mean = scores[(scores["set"] == name) & (scores["model"] == evaluate.MEAN)].iloc[0]
        assert figures["mcc"] == pytest.approx(mean["mcc"], abs=1e-4)


def mcc_of_confusion(folder: Path, name: str, seed: int) -> float:
    with (folder / "plots" / "confusion" / f"{name}.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if int(row["seed"]) == seed]
    assert {row["actual"] for row in rows} == set(evaluate.LABELS)
    return matthews_corrcoef([row["actual"] for row in rows], [row["predicted"] for row in rows])


def test_batches_and_curves_are_tables_of_every_seed(run):
    folder = run()

    batches = pd.read_csv(folder / "plots" / "mcc_per_batch.csv")
    last = batches.groupby(["set", "seed"]).last()
    assert last.loc[("in_domain_dev", 3)].to_dict() == {
        "batch": 3,
        "sentences": 5,
        "mcc": pytest.approx(last.loc[("in_domain_dev", 3), "mcc"]),
    }
    curves = pd.read_csv(folder / "plots" / "learning_curves.csv")
    assert tuple(curves.columns) == ("seed", *train.HISTORY)
    assert curves[["seed", "epoch"]].to_numpy().tolist() == [[3, 1], [3, 2], [5, 1], [5, 2]]


def test_no_table_behind_a_figure_holds_a_sentence(run, trained):
    folder = run()

    texts = files.read_table(trained / "tokens" / "tokens.parquet")["text"]
    for path in sorted((folder / "plots").rglob("*.csv")):
        content = path.read_text()
        assert not any(text in content for text in texts), path.name


def test_same_inputs_give_the_same_bytes(run):
    first, again = run("first"), run("again")

    names = [path.relative_to(first) for path in sorted(first.rglob("*")) if path.is_file()]
    assert len(names) == 11  # params, metrics, predictions, protocol, 4 tables, 3 confusions
    for name in names:
        assert (again / name).read_bytes() == (first / name).read_bytes(), name


def test_only_the_seeds_of_the_parameters_are_evaluated(run):
    """A folder of a seed that has left the list stays on disk; it is none of the run's."""
    folder = run(seeds=[5])

    table = files.read_table(folder / "predictions" / "predictions.parquet")
    assert set(table["seed"]) == {5}
    summary = json.loads((folder / "metrics.json").read_text())
    assert {figures["mcc_sd"] for figures in summary.values()} == {None}


def test_seed_that_is_not_trained_is_named(run):
    with pytest.raises(BertlineError, match=r"models.7 does not exist"):
        run(seeds=[3, 7])


def test_folder_without_a_model_names_the_command(trained, tmp_path):
    (tmp_path / "7").mkdir()

    with pytest.raises(BertlineError, match=r"holds no trained model.*dvc repro train@7"):
        evaluate.predict_seed(tmp_path / "7", pd.DataFrame({"input_ids": []}), CPU)


def test_sentence_without_a_fold_is_refused(trained, tmp_path):
    folds = files.read_table(trained / "folds" / "folds.parquet")
    (tmp_path / "folds").mkdir()
    files.write_table(tmp_path / "folds" / "folds.parquet", folds.iloc[2:], split.FOLDS)

    with pytest.raises(BertlineError, match=r"2 sentences .* have no fold.*dvc repro split"):
        call(
            evaluate,
            *(trained / "tokens", tmp_path / "folds", trained / "models", tmp_path / "out"),
            *("--params", trained / "params.yaml"),
        )


def test_nothing_to_evaluate_on_is_refused(trained):
    tokens = files.read_table(trained / "tokens" / "tokens.parquet")
    training = tokens[tokens["set"] == "in_domain_train"].assign(fold="train")

    with pytest.raises(BertlineError, match=r"no test set and split\.validation is 0"):
        evaluate.evaluate(training, trained / "models", [3], OPTIONS, CPU)


def test_baseline_does_not_depend_on_the_threads_of_linear_algebra():
    table = tiny.sentences(300)
    labels = table["label"].to_numpy()

    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fitted = evaluate.fit_tfidf(table["text"], labels)
            found.append(fitted.predict_proba(table["text"]))

    assert found[0].tobytes() == found[1].tobytes()


def pretend(*, validation: int = 40, seeds: int = 2) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return sentences of a validation fold and a test set, and logits that are shifted by 1."""
    random = np.random.default_rng(8)
    labels = random.integers(0, 2, size=100)
    folds = ["validation"] * validation + ["dev"] * (100 - validation)
    rows = pd.DataFrame({"label": labels, "fold": folds})
    logits = {
        f"seed {seed}": (4 * labels - 1 + random.normal(size=100)).astype(np.float32)
        for seed in range(seeds)
    }
    return rows, logits


def choosing(**changes: str) -> evaluate.Evaluate:
    return OPTIONS.model_copy(update=changes)


def test_nothing_is_chosen_unless_asked_for():
    rows, logits = pretend()

    probabilities, made = evaluate.decide(rows, logits, np.full(100, 0.6), OPTIONS)

    assert list(made) == ["seed 0", "seed 1", evaluate.ENSEMBLE, evaluate.TFIDF]
    assert set(made.values()) == {evaluate.Decision(0.5, 1.0)}
    expected = np.mean([1 / (1 + np.exp(-values)) for values in logits.values()], axis=0)
    assert probabilities[evaluate.ENSEMBLE] == pytest.approx(expected, abs=1e-6)


def test_threshold_is_chosen_for_each_model_on_validation_alone():
    rows, logits = pretend()
    corrupted = rows.assign(label=np.where(rows["fold"] == "dev", 0, rows["label"]))

    found = [
        evaluate.decide(table, logits, np.linspace(0, 1, 100), choosing(threshold="validation"))[1]
        for table in (rows, corrupted)
    ]

    assert found[0] == found[1]
    for seed, values in logits.items():
        # Acceptable logits lie about 3, others about -1: a threshold between suits better than 0.
        assert found[0][seed].threshold > 0.5
        held = (rows["fold"] == "validation").to_numpy()
        chosen = values[held] > np.log(found[0][seed].threshold / (1 - found[0][seed].threshold))
        half = values[held] > 0
        labels = rows["label"][held]
        assert matthews_corrcoef(labels, chosen) >= matthews_corrcoef(labels, half)


def test_temperature_changes_probabilities_and_no_label():
    rows, logits = pretend()
    sharp = {seed: 5 * values for seed, values in logits.items()}

    scaled, made = evaluate.decide(
        rows, sharp, np.full(100, 0.6), choosing(temperature="validation")
    )
    plain, _ = evaluate.decide(rows, sharp, np.full(100, 0.6), OPTIONS)

    for seed in logits:
        assert made[seed].temperature > 1  # five times too confident
        assert ((scaled[seed] > 0.5) == (plain[seed] > 0.5)).all()
        assert np.abs(scaled[seed] - 0.5).mean() < np.abs(plain[seed] - 0.5).mean()


@pytest.mark.parametrize("name", ["threshold", "temperature"])
def test_choosing_without_a_validation_fold_is_refused(name):
    rows, logits = pretend(validation=0)

    with pytest.raises(BertlineError, match=rf"evaluate\.{name} is validation, and .* is 0"):
        evaluate.decide(rows, logits, np.full(100, 0.6), choosing(**{name: "validation"}))


def test_chosen_thresholds_and_temperatures_are_written_and_used(run):
    folder = run(threshold="validation", temperature="validation")

    made = pd.read_csv(folder / "plots" / "decisions.csv").set_index("model")
    table = files.read_table(folder / "predictions" / "predictions.parquet")
    for seed in (3, 5):
        rows = table[table["seed"] == seed]
        decision = made.loc[f"seed {seed}"]
        probability = 1 / (1 + np.exp(-rows["logit"].astype(float) / decision["temperature"]))
        assert rows["probability"].to_numpy() == pytest.approx(probability, abs=1e-6)
        assert (rows["predicted"] == (rows["probability"] > decision["threshold"])).all()
    protocol = json.loads((folder / "plots" / "protocol.json").read_text())
    assert (protocol["threshold"], protocol["temperature"]) == ("validation", "validation")


def test_both_dev_sets_together_are_a_set_of_their_own():
    folds = pd.Series(["validation", "in_domain_dev", "out_of_domain_dev", "in_domain_dev"])

    sets = evaluate.list_sets(folds)

    assert {name: place.tolist() for name, place in sets.items()} == {
        "validation": [0],
        "in_domain_dev": [1, 3],
        "out_of_domain_dev": [2],
        "both_dev": [1, 3, 2],
    }
    assert "both_dev" not in evaluate.list_sets(folds[:2])


def test_set_with_the_name_of_both_is_refused():
    folds = pd.Series(["in_domain_dev", "out_of_domain_dev", "both_dev"])

    with pytest.raises(BertlineError, match="a set is called both_dev, which is the name for"):
        evaluate.list_sets(folds)


def test_minimal_pairs_are_told_by_the_id_of_their_first_sentence():
    rows = pd.DataFrame({"id": ["a:1", "a:2", "a:3"], "pair": ["Any text.", "other", "Any text."]})

    assert evaluate.first_of_pairs(rows).tolist() == ["a:1", "a:2", "a:1"]


def test_interval_takes_the_two_of_a_pair_as_one():
    labels = np.array([1, 0] * 30)
    # Pairs are right or wrong together.
    right = np.repeat(np.random.default_rng(1).random(30) < 0.7, 2)
    values = np.where(right, labels, 1 - labels).astype(float)

    alone, paired = (
        score_models(labels, values, pairs=pairs)[1] for pairs in (None, np.arange(60) // 2)
    )

    assert paired.high - paired.low > 1.2 * (alone.high - alone.low)
