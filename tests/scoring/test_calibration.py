"""Calibration: bins and errors by hand, the value that chance gives, the diagram's bars."""

import numpy as np
import pytest

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


def test_a_calibrated_model_is_above_zero_by_chance_and_an_overconfident_one_beyond_it():
    random = np.random.default_rng(3)
    logits = random.normal(scale=2, size=2000)
    labels = (random.random(2000) < thresholds.probabilities_of(logits)).astype(int)
    options = {"number": 10, "simulations": 300, "seed": 1}

    right = calibration.measure(logits, labels, temperature=1.0, **options)
    sure = calibration.measure(logits, labels, temperature=0.4, **options)

    assert 0 < right.ece < right.ece_high
    assert abs(right.overconfidence) < 0.03
    assert sure.ece > 2 * sure.ece_high
    assert sure.overconfidence > 0.05
    assert right.brier < sure.brier and right.loss < sure.loss


def test_loss_by_hand():
    # -log .75 and -log .25
    logits = np.log([3.0, 3.0])

    assert calibration.log_loss(logits, np.array([1, 0])) == pytest.approx(
        (np.log(4 / 3) + np.log(4)) / 2
    )


def test_bars_of_a_calibrated_model_hold_its_dots():
    random = np.random.default_rng(4)
    probabilities = np.tile(random.random(1000), (2, 1))
    labels = (random.random(1000) < probabilities[0]).astype(int)

    rows = calibration.reliability(
        probabilities, labels, number=10, simulations=300, confidence=0.999, seed=1
    )

    assert [row[0] for row in rows] == list(range(1, 11))
    assert sum(row[1] for row in rows) == 1000
    assert all(low <= observed <= high for _, _, _, observed, low, high in rows)
    predicted = [row[2] for row in rows]
    assert predicted == sorted(predicted)
