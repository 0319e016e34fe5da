"""Temperatures, thresholds and MCC against plain search and arithmetic by hand."""

import numpy as np
import pytest
from scipy import special
from sklearn.metrics import log_loss, matthews_corrcoef

from bertline.scoring import thresholds
from bertline.scoring.thresholds import Decision


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # (2 * 1 - 1 * 1) / sqrt(3 * 3 * 2 * 2) = 1 / 6
        pytest.param((2, 1, 1, 1), 1 / 6, id="by-hand"),
        # (90 * 1 - 4 * 5) / sqrt(94 * 95 * 5 * 6) = 70 / sqrt(267,900)
        pytest.param((90, 4, 5, 1), 70 / 267_900**0.5, id="unbalanced"),
        pytest.param((5, 0, 0, 5), 1.0, id="all-right"),
        pytest.param((0, 5, 5, 0), -1.0, id="all-wrong"),
        pytest.param((7, 3, 0, 0), 0.0, id="one-prediction"),
        pytest.param((7, 0, 3, 0), 0.0, id="one-class"),
        pytest.param((0, 0, 0, 0), 0.0, id="nothing"),
        # 4 factors of 2e9 leave the range of 64-bit integers
        pytest.param((10**9, 10**9, 10**9, 10**9), 0.0, id="large"),
    ],
)
def test_mcc_of_counts_by_hand(counts, expected):
    assert float(thresholds.mcc_of_counts(*counts)) == pytest.approx(expected)


def test_probabilities_are_those_of_the_logits_at_a_temperature():
    found = thresholds.probabilities_of(np.array([[0.0, 0.0], [1.0, 3.0], [1000.0, 0.0]]), 2.0)

    # 1 / (1 + exp(-2 / 2))
    assert found[:, 1] == pytest.approx([0.5, 1 / (1 + np.exp(-1)), 0.0])
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.dtype == np.float32


def test_loss_by_hand():
    # -log .75, -log .25 and, of three classes, -log .5
    two, three = np.log([[1.0, 3.0], [1.0, 3.0]]), np.log([[1.0, 1.0, 2.0]])

    assert thresholds.log_loss(np.array([1, 0]), two) == pytest.approx(
        (np.log(4 / 3) + np.log(4)) / 2
    )
    assert thresholds.log_loss(np.array([2]), three) == pytest.approx(np.log(2))


@pytest.mark.parametrize("classes", [2, 5])
def test_temperature_is_that_of_least_log_loss(classes):
    random = np.random.default_rng(0)
    logits = random.normal(scale=3, size=(4000, classes)).astype(np.float32)
    shares = thresholds.probabilities_of(logits, 3.0).astype(np.float64).cumsum(axis=1)
    labels = (random.random((4000, 1)) * shares[:, -1:] > shares).sum(axis=1)

    found = thresholds.fit_temperature(labels, logits)

    assert found == pytest.approx(3, abs=0.4)  # the logits are thrice what the labels follow
    losses = {
        scale: log_loss(labels, special.softmax(logits.astype(float) / (found * scale), axis=1))
        for scale in (0.99, 1.0, 1.01)
    }
    assert min(losses, key=losses.get) == 1.0


@pytest.mark.parametrize(
    ("labels", "logits", "expected"),
    [
        pytest.param([1, 0], [[0, 3.0], [3, 0]], 0.05, id="without-errors"),
        pytest.param([0, 1], [[0, 3.0], [3, 0]], 20.0, id="all-wrong"),
    ],
)
def test_temperature_has_bounds(labels, logits, expected):
    found = thresholds.fit_temperature(np.array(labels), np.array(logits))

    assert found == pytest.approx(expected, rel=1e-3)


def test_answer_is_the_most_probable_class_or_of_two_the_second_above_the_threshold():
    three, two = np.array([[0.2, 0.3, 0.5], [0.4, 0.4, 0.2]]), np.array([[0.4, 0.6], [0.3, 0.7]])

    assert Decision().predict(three).tolist() == [2, 0]
    assert Decision(0.65).predict(two).tolist() == [0, 1]


def test_threshold_has_the_highest_mcc_of_all():
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, size=200)
    probabilities = np.clip(0.3 * labels + 0.7 * random.random(200), 0, 1).astype(np.float32)

    found = thresholds.choose_threshold(labels, probabilities)

    def mcc(threshold: float) -> float:
        return matthews_corrcoef(labels, probabilities > threshold)

    assert mcc(found) == pytest.approx(max(map(mcc, probabilities)))


@pytest.mark.parametrize(
    ("labels", "probabilities", "expected"),
    [
        # Any threshold from .2 to .9 parts the labels: one half is the nearest to itself.
        pytest.param([0, 1], [0.2, 0.9], 0.5, id="one-half-serves"),
        pytest.param([0, 1], [0.6, 0.8], 0.7, id="in-the-middle"),
        pytest.param([0, 1], [0.8, 0.8], 0.5, id="one-probability"),
        # MCC is 0 everywhere: nothing speaks against one half.
        pytest.param([1, 1, 1], [0.1, 0.4, 0.8], 0.5, id="one-class"),
    ],
)
def test_threshold_by_hand(labels, probabilities, expected):
    found = thresholds.choose_threshold(np.array(labels), np.array(probabilities, np.float32))

    assert found == pytest.approx(expected, abs=1e-6)
