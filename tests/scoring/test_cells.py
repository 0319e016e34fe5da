"""Scores of confusion cells against scikit-learn, and gradients against small steps."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from bertline.scoring import cells
from bertline.scoring.cells import OF_CLASS, SCORES


def draw(classes: int, n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) and three rows of predictions (3, n), right for every other sentence."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, size=n)
    labels[:classes] = np.arange(classes)
    guesses = random.integers(0, classes, size=(3, n))
    return labels, np.where(random.random((3, n)) < 0.5, labels, guesses)


def test_counts_by_hand():
    counts = cells.count(np.array([0, 1, 2, 2]), np.array([[0, 2, 2, 1]]), 3)

    assert counts.tolist() == [[[1, 0, 0], [0, 0, 1], [0, 1, 1]]]


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_scores_are_those_of_scikit_learn(classes):
    labels, predicted = draw(classes)
    counts = cells.count(labels, predicted, classes)

    found = {name: cells.evaluate(score, counts) for name, score in SCORES.items()}

    assert found["mcc"] == pytest.approx([matthews_corrcoef(labels, row) for row in predicted])
    assert found["accuracy"] == pytest.approx([accuracy_score(labels, row) for row in predicted])
    expected = [f1_score(labels, row, average="macro") for row in predicted]
    assert found["macro_f1"] == pytest.approx(expected)


def test_scores_of_a_class_are_those_of_scikit_learn():
    labels, predicted = draw(4)
    own = cells.count((labels == 2) * 1, (predicted == 2) * 1, 2)

    found = {name: cells.evaluate(score, own) for name, score in OF_CLASS.items()}

    for place, row in enumerate(predicted):
        expected = precision_recall_fscore_support(labels, row, labels=[2])[:3]
        assert [values[place] for values in found.values()] == pytest.approx(np.ravel(expected))


def test_macro_f1_is_of_the_classes_of_the_set():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([[0, 2, 1, 1]])

    found = cells.evaluate(SCORES["macro_f1"], cells.count(labels, predicted, 3))

    # F1 is 2/3 of class 0 and 1 of class 1; class 2 does not occur.
    assert found == pytest.approx([(2 / 3 + 1) / 2])
    assert found == pytest.approx(f1_score(labels, predicted[0], labels=[0, 1], average="macro"))


@pytest.mark.parametrize(
    ("labels", "predicted", "expected"),
    [
        pytest.param([1, 1, 1], [1, 0, 1], [0, 0.8, 2 / 3], id="one-class"),
        pytest.param([0, 1, 1], [1, 1, 1], [0, 0.4, 2 / 3], id="one-answer"),
        pytest.param([1, 1], [0, 0], [0, 0, 0], id="all-wrong"),
    ],
)
def test_undefined_scores_are_zero(labels, predicted, expected):
    counts = cells.count(np.array(labels), np.array([predicted]), 2)

    found = [cells.evaluate(score, counts)[0] for score in SCORES.values()]

    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("score", "classes"),
    [
        *((score, classes) for score in SCORES.values() for classes in (2, 4)),
        *((score, 2) for score in OF_CLASS.values()),
    ],
    ids=lambda value: getattr(value, "title", value),
)
def test_gradient_is_the_slope_towards_each_cell(score, classes):
    random = np.random.default_rng(2)
    shares = random.random((3, classes, classes))
    shares /= shares.sum(axis=(1, 2), keepdims=True)
    occur = np.arange(classes) != 3  # the last of four classes counts in no mean
    value, gradient = score.function(shares, occur)
    centred = gradient - (gradient * shares).sum(axis=(1, 2), keepdims=True)

    for cell in np.ndindex(classes, classes):
        step = np.zeros((classes, classes))
        step[cell] = 1e-6
        moved, _ = score.function(shares * (1 - 1e-6) + step, occur)
        assert (moved - value) / 1e-6 == pytest.approx(centred[:, *cell], abs=1e-4)


def test_bias_of_macro_f1_is_that_of_drawn_sets():
    random = np.random.default_rng(3)
    truth = np.array([[0.1, 0.03, 0.02], [0.05, 0.3, 0.05], [0.05, 0.05, 0.35]])
    score = SCORES["macro_f1"]
    occur = np.array([True, True, True])
    drawn = random.multinomial(100, truth.ravel(), size=100_000).reshape(-1, 3, 3) / 100

    off = score.function(drawn, occur)[0].mean() - score.function(truth[None], occur)[0][0]

    # The mean of 100,000 draws is known to .0002.
    assert score.bias(truth[None], occur)[0] / 100 == pytest.approx(off, abs=0.0005)
