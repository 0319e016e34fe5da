"""Scores of models and baselines against arithmetic by hand, and what is chosen on validation."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef

from bertline.core.errors import BertlineError
from bertline.scoring import evaluation, tables
from bertline.scoring.intervals import Interval
from bertline.scoring.names import ENSEMBLE, MAJORITY, MEAN, TFIDF, of_seed
from bertline.scoring.thresholds import Decision

OPTIONS = evaluation.Evaluate(confidence=0.95, threshold="half", temperature="none", batch_size=32)


def test_score_by_hand():
    # Predicted 1 1 0 0 0 (one half is not more than a half): TP 1, FP 1, FN 1, TN 2.
    found = evaluation.score(np.array([1, 0, 1, 0, 0]), np.array([0.8, 0.6, 0.4, 0.5, 0.1]))

    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["f1"] == pytest.approx(1 / 2)  # precision 1/2, recall 1/2
    assert found["mcc"] == pytest.approx((1 * 2 - 1 * 1) / (2 * 2 * 3 * 3) ** 0.5)
    likelihood = 0.8 * (1 - 0.6) * 0.4 * (1 - 0.5) * (1 - 0.1)
    assert found["loss"] == pytest.approx(-np.log(likelihood) / 5)


def test_batches_follow_the_order_of_the_set_and_end_with_a_short_one():
    labels = np.array([1, 0, 1, 0, 1, 1, 0])
    right = np.array([1, 0, 1, 0, 1, 1, 1])
    rows = pd.DataFrame(
        {
            "seed": np.repeat([7, 8], 7),
            "label": np.tile(labels, 2),
            "predicted": np.concatenate([right, 1 - right]),
        }
    )

    # The last batch is one sentence, wrongly called acceptable: MCC is undefined and 0.
    assert list(evaluation.batches("dev", rows, 3)) == [
        ("dev", 7, 1, 3, 1.0),
        ("dev", 7, 2, 3, 1.0),
        ("dev", 7, 3, 1, 0.0),
        ("dev", 8, 1, 3, -1.0),
        ("dev", 8, 2, 3, -1.0),
        ("dev", 8, 3, 1, 0.0),
    ]


def score_models(
    labels: np.ndarray, *models: np.ndarray, pairs: np.ndarray | None = None
) -> tuple[pd.DataFrame, Interval]:
    seeds = {of_seed(number): values for number, values in enumerate(models, start=1)}
    baselines = {MAJORITY: np.full(len(labels), 0.7), TFIDF: models[0]}
    rows = pd.DataFrame({"label": labels, "pair": range(len(labels)) if pairs is None else pairs})
    scores, interval = evaluation.score_set("dev", rows, list(seeds), seeds | baselines, {}, 0.95)
    return pd.DataFrame(scores, columns=list(tables.SCORES)), interval


def test_mean_and_spread_are_over_the_seeds():
    labels = np.array([1, 1, 1, 0, 0, 1, 0, 1] * 4)
    good = np.where(labels == 1, 0.9, 0.2)
    bad = good.copy()
    bad[:6] = 1 - bad[:6]

    scores, interval = score_models(labels, good, bad)
    summary = evaluation.summarize(scores, {"dev": interval})

    one, two = scores["mcc"][:2]
    assert one == pytest.approx(1.0)
    # Of 20 acceptable sentences 4 are taken for unacceptable, of 12 others 2 for acceptable.
    assert two == pytest.approx((16 * 10 - 2 * 4) / (18 * 20 * 12 * 14) ** 0.5)
    mean = scores.set_index("model").loc[MEAN]
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
    summary = evaluation.summarize(scores, {"dev": interval})

    assert summary["dev"]["mcc_sd"] is None
    assert summary["dev"]["se_seeds"] is None
    assert summary["dev"]["ensemble_mcc"] is None
    assert summary["dev"]["se_sentences"] > 0
    by_model = scores.set_index("model")["mcc"]
    assert by_model["seed 1"] == by_model[MEAN]
    majority = scores.set_index("model").loc[MAJORITY]
    assert majority["mcc"] == 0.0 and np.isnan(majority["mcc_low"])
    assert majority["accuracy"] == pytest.approx(0.5)


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


def choosing(**changes: str) -> evaluation.Evaluate:
    return OPTIONS.model_copy(update=changes)


def test_nothing_is_chosen_unless_asked_for():
    rows, logits = pretend()

    probabilities, made = evaluation.decide(rows, logits, np.full(100, 0.6), OPTIONS)

    assert list(made) == ["seed 0", "seed 1", ENSEMBLE, TFIDF]
    assert set(made.values()) == {Decision(0.5, 1.0)}
    expected = np.mean([1 / (1 + np.exp(-values)) for values in logits.values()], axis=0)
    assert probabilities[ENSEMBLE] == pytest.approx(expected, abs=1e-6)


def test_threshold_is_chosen_for_each_model_on_validation_alone():
    rows, logits = pretend()
    corrupted = rows.assign(label=np.where(rows["fold"] == "dev", 0, rows["label"]))

    found = [
        evaluation.decide(table, logits, np.linspace(0, 1, 100), choosing(threshold="validation"))[
            1
        ]
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

    scaled, made = evaluation.decide(
        rows, sharp, np.full(100, 0.6), choosing(temperature="validation")
    )
    plain, _ = evaluation.decide(rows, sharp, np.full(100, 0.6), OPTIONS)

    for seed in logits:
        assert made[seed].temperature > 1  # five times too confident
        assert ((scaled[seed] > 0.5) == (plain[seed] > 0.5)).all()
        assert np.abs(scaled[seed] - 0.5).mean() < np.abs(plain[seed] - 0.5).mean()


@pytest.mark.parametrize("name", ["threshold", "temperature"])
def test_choosing_without_a_validation_fold_is_refused(name):
    rows, logits = pretend(validation=0)

    with pytest.raises(BertlineError, match=rf"evaluate\.{name} is validation, and .* is 0"):
        evaluation.decide(rows, logits, np.full(100, 0.6), choosing(**{name: "validation"}))


def test_both_dev_sets_together_are_a_set_of_their_own():
    folds = pd.Series(["validation", "in_domain_dev", "out_of_domain_dev", "in_domain_dev"])

    sets = evaluation.list_sets(folds)

    assert {name: place.tolist() for name, place in sets.items()} == {
        "validation": [0],
        "in_domain_dev": [1, 3],
        "out_of_domain_dev": [2],
        "both_dev": [1, 3, 2],
    }
    assert "both_dev" not in evaluation.list_sets(folds[:2])


def test_set_with_the_name_of_both_is_refused():
    folds = pd.Series(["in_domain_dev", "out_of_domain_dev", "both_dev"])

    with pytest.raises(BertlineError, match="a set is called both_dev, which is the name for"):
        evaluation.list_sets(folds)


def test_minimal_pairs_are_told_by_the_id_of_their_first_sentence():
    rows = pd.DataFrame({"id": ["a:1", "a:2", "a:3"], "pair": ["Any text.", "other", "Any text."]})

    assert evaluation.first_of_pairs(rows).tolist() == ["a:1", "a:2", "a:1"]


def test_interval_takes_the_two_of_a_pair_as_one():
    labels = np.array([1, 0] * 30)
    # Pairs are right or wrong together.
    right = np.repeat(np.random.default_rng(1).random(30) < 0.7, 2)
    values = np.where(right, labels, 1 - labels).astype(float)

    alone, paired = (
        score_models(labels, values, pairs=pairs)[1] for pairs in (None, np.arange(60) // 2)
    )

    assert paired.high - paired.low > 1.2 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("sets", "main"),
    [
        (["validation", "in_domain_dev", "out_of_domain_dev", "both_dev"], "out_of_domain_dev"),
        (["validation", "spring", "autumn"], "autumn"),
        (["validation"], "validation"),
    ],
)
def test_runs_are_compared_by_one_set(sets, main):
    summary = {name: {"mcc": place / 10, "mcc_sd": 0.02} for place, name in enumerate(sets)}
    expected = {"mcc": sets.index(main) / 10, "mcc_sd": 0.02}
    assert evaluation.headline(summary) == expected
    of_one_seed = {name: figures | {"mcc_sd": None} for name, figures in summary.items()}
    assert list(evaluation.headline(of_one_seed)) == ["mcc"]
