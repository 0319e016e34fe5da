"""Scores of models and baselines against arithmetic by hand, and what is chosen on validation."""

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.metrics import f1_score, log_loss, matthews_corrcoef, precision_score

from bertline.core.errors import BertlineError
from bertline.scoring import evaluation, tables
from bertline.scoring.names import ENSEMBLE, MAJORITY, MEAN, TFIDF
from bertline.scoring.thresholds import Decision

OPTIONS = evaluation.Evaluate(confidence=0.95, threshold="half", temperature="none", batch_size=32)


def test_score_by_hand():
    # TP 1, FP 1, FN 1, TN 2.
    labels, predicted = np.array([1, 0, 1, 0, 0]), np.array([[1, 1, 0, 0, 0]])

    found = {
        name: interval.estimate for name, interval in evaluation.score(labels, predicted).items()
    }

    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3) / 2)  # precision and recall alike
    assert found["mcc"] == pytest.approx((1 * 2 - 1 * 1) / (2 * 2 * 3 * 3) ** 0.5)


def test_loss_by_hand():
    probabilities = np.array([[0.2, 0.8], [0.4, 0.6], [0.6, 0.4], [1.0, 0.0]])

    found = evaluation.log_loss(np.array([1, 0, 1, 1]), probabilities)

    eps = np.finfo(float).eps  # what 0 counts as, as scikit-learn has it
    assert found == pytest.approx(-np.log([0.8, 0.4, 0.4, eps]).mean())
    assert found == pytest.approx(log_loss([1, 0, 1, 1], probabilities))


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


def of_two(values: np.ndarray) -> np.ndarray:
    """Return the probabilities of both of two classes, given the second's."""
    return np.stack([1 - values, values], axis=1)


def evaluate(
    labels: np.ndarray,
    *models: np.ndarray,
    pairs: np.ndarray | None = None,
    cut: np.ndarray | bool = False,
) -> evaluation.Evaluated:
    """Evaluate seeds with these probabilities (n, K), the first as TF-IDF too, on one set, dev."""
    classes = models[0].shape[1]
    places = range(len(labels))
    rows = pd.DataFrame(
        {
            "id": [f"s{place}" for place in places],
            "source": "a",
            "label": labels,
            "text": "a text",
            "pair": places if pairs is None else pairs,
            "cut": cut,
            "fold": "dev",
        }
    )
    logits = {seed: np.log(values + 1e-9) for seed, values in enumerate(models, start=1)}
    shares = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    names = [f"class {number}" for number in range(classes)]
    return evaluation.evaluate(rows, logits, models[0], shares, names, OPTIONS)


def test_mean_and_spread_are_over_the_seeds():
    labels = np.array([1, 1, 1, 0, 0, 1, 0, 1] * 4)
    good = np.where(labels == 1, 0.9, 0.2)
    bad = good.copy()
    bad[:6] = 1 - bad[:6]

    evaluated = evaluate(labels, of_two(good), of_two(bad))
    scores, summary = evaluated.scores, evaluation.summarize(evaluated)

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

    evaluated = evaluate(labels, of_two(np.array([0.9, 0.1, 0.9, 0.9])))
    scores, summary = evaluated.scores, evaluation.summarize(evaluated)

    assert summary["dev"]["mcc_sd"] is None
    assert summary["dev"]["se_seeds"] is None
    assert summary["dev"]["ensemble_mcc"] is None
    assert summary["dev"]["se_sentences"] > 0
    by_model = scores.set_index("model")["mcc"]
    assert by_model["seed 1"] == by_model[MEAN]
    majority = scores.set_index("model").loc[MAJORITY]
    assert majority["mcc"] == 0.0 and np.isnan(majority["mcc_low"])
    assert majority["accuracy"] == pytest.approx(0.5) and majority["accuracy_low"] > 0


def pretend(*, validation: int = 40, seeds: int = 2) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return sentences of a validation fold and a test set, and logits that are shifted by 1."""
    random = np.random.default_rng(8)
    labels = random.integers(0, 2, size=100)
    folds = ["validation"] * validation + ["dev"] * (100 - validation)
    rows = pd.DataFrame({"label": labels, "fold": folds})
    logits = {
        f"seed {seed}": apart((4 * labels - 1 + random.normal(size=100)).astype(np.float32))
        for seed in range(seeds)
    }
    return rows, logits


def apart(values: np.ndarray) -> np.ndarray:
    """Return logits of two classes that lie these values apart."""
    return np.stack([-values / 2, values / 2], axis=1)


SAME = of_two(np.full(100, 0.6))  # of TF-IDF


def choosing(**changes: str) -> evaluation.Evaluate:
    return OPTIONS.model_copy(update=changes)


def test_nothing_is_chosen_unless_asked_for():
    rows, logits = pretend()

    probabilities, made = evaluation.decide(rows, logits, SAME, OPTIONS)

    assert list(made) == ["seed 0", "seed 1", ENSEMBLE, TFIDF]
    assert set(made.values()) == {Decision(0.5, 1.0)}
    expected = np.mean([special.softmax(values, axis=1) for values in logits.values()], axis=0)
    assert probabilities[ENSEMBLE] == pytest.approx(expected, abs=1e-6)


def test_threshold_is_chosen_for_each_model_on_validation_alone():
    rows, logits = pretend()
    corrupted = rows.assign(label=np.where(rows["fold"] == "dev", 0, rows["label"]))

    found = [
        evaluation.decide(
            table, logits, of_two(np.linspace(0, 1, 100)), choosing(threshold="validation")
        )[1]
        for table in (rows, corrupted)
    ]

    assert found[0] == found[1]
    for seed, values in logits.items():
        # Logits of class 1 lie about 3, others about -1: a threshold between suits better than 0.
        assert found[0][seed].threshold > 0.5
        held = (rows["fold"] == "validation").to_numpy()
        values = values[:, 1] - values[:, 0]
        chosen = values[held] > np.log(found[0][seed].threshold / (1 - found[0][seed].threshold))
        half = values[held] > 0
        labels = rows["label"][held]
        assert matthews_corrcoef(labels, chosen) >= matthews_corrcoef(labels, half)


def test_temperature_changes_probabilities_and_no_label():
    rows, logits = pretend()
    sharp = {seed: 5 * values for seed, values in logits.items()}

    scaled, made = evaluation.decide(rows, sharp, SAME, choosing(temperature="validation"))
    plain, _ = evaluation.decide(rows, sharp, SAME, OPTIONS)

    for seed in logits:
        assert made[seed].temperature > 1  # five times too confident
        assert ((scaled[seed] > 0.5) == (plain[seed] > 0.5)).all()
        assert np.abs(scaled[seed] - 0.5).mean() < np.abs(plain[seed] - 0.5).mean()


@pytest.mark.parametrize("name", ["threshold", "temperature"])
def test_choosing_without_a_validation_fold_is_refused(name):
    options = choosing(**{name: "validation"})

    evaluation.check_choices(options, 2, validated=True)
    with pytest.raises(BertlineError, match=rf"evaluate\.{name} is validation, and .* is 0"):
        evaluation.check_choices(options, 2, validated=False)


def test_threshold_for_more_than_two_classes_is_refused_and_a_temperature_is_not():
    rows, _ = pretend()
    logits = {"seed 1": np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)}
    options = choosing(temperature="validation")

    with pytest.raises(BertlineError, match="for two classes, and there are 3: of more, the ans"):
        evaluation.check_choices(choosing(threshold="validation"), 3, validated=True)
    evaluation.check_choices(options, 3, validated=True)
    _, made = evaluation.decide(rows, logits, np.full((100, 3), 1 / 3), options)

    # The logits say nothing of the labels, so the best temperature is a high one.
    assert made["seed 1"].threshold is None and made["seed 1"].temperature > 5


def draw(shares: list[float], n: int = 400, right: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Return labels with these shares, and probabilities (n, K) that are right so often."""
    random = np.random.default_rng(1)
    labels = random.choice(len(shares), size=n, p=shares)
    wanted = np.where(random.random(n) < right, labels, random.integers(0, len(shares), n))
    values = np.full((n, len(shares)), 0.1)
    values[np.arange(n), wanted] = 1
    return labels, values / values.sum(axis=1, keepdims=True)


def test_many_classes_have_scores_and_a_table_of_their_own():
    labels, values = draw([0.4, 0.3, 0.2, 0.1])

    evaluated = evaluate(labels, values, np.roll(values, 1, axis=0))

    scores = evaluated.scores.set_index("model")
    predicted = values.argmax(axis=1)
    assert scores.loc["seed 1", "mcc"] == pytest.approx(matthews_corrcoef(labels, predicted))
    assert scores.loc["seed 1", "macro_f1"] == pytest.approx(
        f1_score(labels, predicted, average="macro")
    )
    for name in ("mcc", "macro_f1", "accuracy"):
        row = scores.loc[MEAN]
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    assert list(evaluated.classes) == list(tables.CLASSES)
    row = evaluated.classes.set_index("class").loc["class 2"]
    both = [predicted, np.roll(values, 1, axis=0).argmax(axis=1)]
    expected = np.mean([precision_score(labels == 2, guess == 2) for guess in both])
    assert row["precision"] == pytest.approx(expected)
    assert row["sentences"] == (labels == 2).sum()
    table = evaluated.predictions
    assert np.array(table["probabilities"].tolist()).shape == (800, 4)
    assert (np.array(table["logits"].tolist()).argmax(axis=1) == table["predicted"]).all()
    assert set(evaluation.list_labels(table, evaluated.labels)["actual"]) == set(evaluated.labels)


def notes_of(shares: list[float], **options: float) -> str:
    summary = evaluation.summarize(evaluate(*draw(shares, **options)))
    return " ".join(summary["dev"]["notes"])


def test_balanced_classes_that_are_told_apart_need_no_note():
    assert notes_of([0.25] * 4) == ""


def test_accuracy_that_hides_imbalance_is_noted():
    found = notes_of([0.01, 0.04, 0.95], right=0.9)

    assert "95% of the sentences are class 2: who always answers that has this accuracy" in found
    assert "is not clearly above that of always answering the most frequent class" in found


def test_classes_that_are_rare_absent_or_never_answered_are_noted():
    found = notes_of([0.499, 0.5, 0.001, 0.0], n=3000)
    assert "Fewer than 5 sentences are in each of 1 of 4 classes: class 2. The scores of" in found
    assert "The set has no sentence of class 3: nothing is known of these." in found

    labels = np.repeat([0, 1, 2], 40)
    never = np.tile([0.6, 0.4, 0.0], (120, 1))
    notes = evaluation.summarize(evaluate(labels, never))["dev"]["notes"]
    assert "No seed ever answers class 1, class 2." in notes


def test_texts_that_were_cut_are_noted_where_they_are_most():
    labels, models = np.tile([0, 1], 50), np.tile([0.4, 0.6], (100, 1))
    for share, noted in ((0.61, True), (0.4, False)):
        cut = np.arange(100) < 100 * share
        notes = evaluation.summarize(evaluate(labels, models, cut=cut))["dev"]["notes"]
        assert any(note.startswith("61% of the texts are cut to") for note in notes) == noted


def test_classes_of_the_sentences_are_hashed_by_name():
    rows = pd.DataFrame({"id": ["a", "b"], "label": [0, 1], "text": ["x", "y"]})
    turned = rows.assign(label=[1, 0])

    first = evaluation.hash_sentences(rows, ["no", "yes"])

    assert evaluation.hash_sentences(turned, ["yes", "no"]) == first
    assert evaluation.hash_sentences(turned, ["no", "yes"]) != first


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
    values = of_two(np.where(right, labels, 1 - labels).astype(float))

    alone, paired = (
        evaluate(labels, values, pairs=pairs).intervals["dev"]["mcc"]
        for pairs in (None, np.arange(60) // 2)
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
