"""Calibration: bins and errors by hand, the value that chance gives, the diagram's bars."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from bertline.scoring import calibration, thresholds
from bertline.scoring.calibration import bins_of, expected_error, simulate_errors


def test_bins_have_equal_numbers_in_the_order_of_probability():
    parts = bins_of(np.array([0.9, 0.1, 0.5, 0.4, 0.2]), 2)

    assert [part.tolist() for part in parts] == [[1, 4, 3], [2, 0]]


def test_expected_error_by_hand():
    # bins (.1, .3) with labels 0, 1 and (.6, .8) with labels 1, 1:
    # (2 |.5 - .2| + 2 |1 - .7|) / 4 = .3
    found = expected_error(np.array([0.1, 0.3, 0.6, 0.8]), np.array([0, 1, 1, 1]), 2)

    assert found == pytest.approx(0.3)


def test_simulated_errors_are_those_of_labels_drawn_from_the_probabilities():
    probabilities = np.random.default_rng(0).random(300)

    found = simulate_errors(probabilities, number=10, simulations=400, seed=1)

    random = np.random.default_rng(5)
    plain = [
        expected_error(probabilities, (random.random(300) < probabilities).astype(int), 10)
        for _ in range(400)
    ]
    assert found.mean() == pytest.approx(np.mean(plain), abs=0.004)
    assert found.std() == pytest.approx(np.std(plain), abs=0.004)


def test_simulation_in_pieces_is_the_same_as_in_one(monkeypatch):
    probabilities = np.random.default_rng(0).random(50)
    whole = simulate_errors(probabilities, number=5, simulations=100, seed=1)
    monkeypatch.setattr(calibration, "CELLS", 7 * 50)

    pieces = simulate_errors(probabilities, number=5, simulations=100, seed=1)

    assert pieces.tolist() == whole.tolist()


def draw(classes: int, n: int = 2000, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (n, classes) and labels that are drawn from their probabilities."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=1.5, size=(n, classes))
    shares = thresholds.probabilities_of(logits).astype(np.float64).cumsum(axis=1)
    labels = (random.random((n, 1)) * shares[:, -1:] > shares).sum(axis=1)
    return logits, labels


def test_top_label_by_hand():
    # softmax of the logarithms of 1, 2, 5 and of 6, 1, 1
    logits = np.log([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]])

    found = calibration.find_top(logits, np.array([2, 1]))

    assert found.probability == pytest.approx([5 / 8, 6 / 8])
    assert found.right.tolist() == [True, False]
    assert found.start == pytest.approx([3 / 8, 0])


@pytest.mark.parametrize("classes", [2, 7])
def test_a_calibrated_model_is_above_zero_by_chance_and_an_overconfident_one_beyond_it(classes):
    logits, labels = draw(classes)
    options = {"number": 10, "simulations": 300, "seed": 1}

    right = calibration.measure(logits, labels, temperature=1.0, **options)
    sure = calibration.measure(logits, labels, temperature=0.4, **options)

    assert 0 < right.ece < right.ece_high
    assert abs(right.overconfidence) < 0.03
    assert sure.ece > 2 * sure.ece_high
    assert sure.overconfidence > 0.05
    assert right.brier < sure.brier and right.loss < sure.loss


def test_brier_score_of_two_classes_is_that_of_either():
    logits, labels = draw(2)

    found = calibration.measure(
        logits, labels, temperature=1.0, number=10, simulations=100, seed=1
    )  # fmt: skip

    probability = thresholds.probabilities_of(logits)[:, 1]
    assert found.brier == pytest.approx(brier_score_loss(labels, probability), abs=1e-6)


@pytest.mark.parametrize("classes", [2, 7])
def test_bars_of_a_calibrated_model_hold_its_dots(classes):
    logits, labels = draw(classes, n=1000)

    rows = calibration.reliability(
        [calibration.find_top(logits, labels)] * 2,
        number=10,
        simulations=300,
        confidence=0.999,
        seed=1,
    )

    assert [row[0] for row in rows] == list(range(1, 11))
    assert sum(row[1] for row in rows) == 1000
    assert all(low <= observed <= high for _, _, _, observed, low, high in rows)
    predicted = [row[2] for row in rows]
    assert predicted == sorted(predicted) and predicted[0] >= 1 / classes
