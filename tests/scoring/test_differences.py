"""Differences of two runs against arithmetic by hand and simulated truth."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from benchmarks import coverage, coverage_classes
from bertline.scoring import differences, intervals
from bertline.scoring.cells import MCC, SCORES
from tests.scoring.test_intervals import NOISE, SIMULATIONS, predictions


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(1).random(400) < 0.7


def test_difference_of_two_models_is_paired_over_sentences(labels):
    a = predictions(labels, 0.8)
    b = a.copy()
    b[0, :12] = labels[:12]  # the same model but for a few errors less

    found = differences.difference(labels, a, b)

    apart = intervals.interval(labels, a).se * 2**0.5
    assert found.se < apart / 2
    assert found.estimate == pytest.approx(
        matthews_corrcoef(labels, b[0]) - matthews_corrcoef(labels, a[0])
    )
    assert found.low < found.estimate < found.high
    assert not found.recipes


@pytest.mark.parametrize("score", SCORES.values(), ids=list(SCORES))
@pytest.mark.parametrize("classes", [2, 6])
def test_standard_error_of_a_difference_is_that_of_resampled_sentences(score, classes):
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, size=600)
    a = np.where(random.random(600) < 0.7, labels, random.integers(0, classes, size=600))
    b = np.where(random.random(600) < 0.8, a, labels)

    found = differences.difference(labels, a, b, score=score)

    drawn = random.integers(0, 600, size=(3000, 600))
    scores = [
        np.diff(
            [intervals.values(labels[rows], side[rows], score)[0] for side in (a, b)]
        )[0]
        for rows in drawn
    ]  # fmt: skip
    assert found.se == pytest.approx(np.std(scores), rel=0.08)
    assert found.estimate == pytest.approx(
        intervals.values(labels, b, score)[0] - intervals.values(labels, a, score)[0]
    )


def test_pseudo_sentences_of_two_runs_are_those_of_all_combinations():
    """The columns that stand for K^3 pseudo-sentences have the sums of squares of these."""
    random = np.random.default_rng(0)
    labels, guesses = random.integers(0, 3, size=200), random.integers(0, 3, size=(4, 200))
    runs = np.split(np.where(random.random((4, 200)) < 0.6, labels, guesses), 2)

    sides, groups, number = intervals.smooth(
        intervals.encode(labels, *runs), np.arange(200), MCC
    )  # fmt: skip

    assert (number, len(groups)) == (200, 200 + 2 * 9 + 3)
    # The influence of a sentence by its cell: all cells occur.
    of_cell = np.full((2, 2, 3, 3), np.nan)
    for place, (run, side) in enumerate(zip(runs, sides, strict=True)):
        for seed in range(2):
            of_cell[place, seed, labels, run[seed]] = side.influence[seed, :200]
    expected = np.zeros((2, 2))
    for label, of_a, of_b in np.ndindex(3, 3, 3):
        right = [1 / 2 if answer == label else 1 / 4 for answer in (of_a, of_b)]
        apart = of_cell[1, :, label, of_b] - of_cell[0, :, label, of_a]
        expected += intervals.PSEUDO / 3 * np.prod(right) * np.outer(apart, apart)
    added = sides[1].influence[:, 200:] - sides[0].influence[:, 200:]
    assert added @ added.T == pytest.approx(expected)


def test_accuracy_of_constant_models_is_compared(labels):
    a, b = np.ones((1, 400), bool), np.zeros((1, 400), bool)

    found = differences.difference(labels, a, b, score=SCORES["accuracy"])

    assert found.estimate == pytest.approx(1 - 2 * labels.mean())
    assert found.p < 0.001


def test_difference_turns_its_sign_with_the_sides(labels):
    a, b = predictions(labels, 0.7, 0.75), predictions(labels, 0.8, 0.85, 0.8, seed=4)

    one, other = differences.difference(labels, a, b), differences.difference(labels, b, a)

    assert (one.estimate, one.low) == pytest.approx((-other.estimate, -other.high))
    assert one.p == pytest.approx(other.p)
    assert (one.seeds, one.recipes) == ((2, 3), True)


def test_p_is_below_the_level_where_the_interval_leaves_zero_out(labels):
    a = predictions(labels, 0.75, 0.76, 0.74)
    for right in (0.76, 0.8, 0.85, 0.9):
        found = differences.difference(labels, a, predictions(labels, right, right, seed=5))
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_the_same_predictions_are_identical_and_no_difference(labels):
    a = predictions(labels, 0.8, 0.7)

    found = differences.difference(labels, a, a)

    assert (found.identical, found.estimate, found.p) == (True, 0.0, 1.0)
    assert (found.low, found.high, found.se) == (None, None, None)


@pytest.mark.parametrize("draw", range(4))
@pytest.mark.parametrize("count", [1, 10, 30])
def test_few_predictions_that_differ_give_a_narrow_interval(draw, count):
    """Seeds that lie apart no more than their noise lets them: a difference of like terms."""
    random = np.random.default_rng(draw)
    labels = random.random(516) < 0.7
    a = predictions(labels, 0.78, 0.8, 0.8, 0.82, 0.79, seed=draw)
    b = a.copy()
    b.flat[random.choice(b.size, count, replace=False)] ^= True

    found = differences.difference(labels, a, b)

    assert found.paired and not found.identical
    assert found.df > 3.9  # four, of five seeds, where seeds are all of the variance
    assert found.high - found.low < 0.07, "a tenth of that of one model"
    turned = differences.difference(labels, b, a)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_the_same_seeds_of_two_recipes_are_independent(labels):
    a, b = predictions(labels, 0.8, 0.7, 0.75), predictions(labels, 0.8, 0.72, 0.75, seed=4)

    assert not differences.difference(labels, a, b).paired


@pytest.mark.parametrize("draw", range(8))
def test_some_of_the_seeds_of_a_run_leave_the_degrees_of_freedom_of_the_fewer(draw):
    labels = np.random.default_rng(draw).random(516) < 0.7
    a = predictions(labels, 0.78, 0.8, 0.8, 0.82, 0.79, seed=draw)

    found = differences.difference(labels, a, a[:3])

    assert not found.paired
    assert found.df > 1.9


@pytest.mark.parametrize("answer", [0, 1])
def test_two_constant_models_are_not_compared(labels, answer):
    a, b = np.ones((1, 400), bool), np.full((2, 400), answer, bool)

    found = differences.difference(labels, a, b)

    assert (found.estimate, found.p, found.low) == (0.0, None, None)


def test_perfect_models_are_not_told_apart_with_certainty(labels):
    better = np.tile(labels, (1, 1))
    worse = better.copy()
    worse[0, 0] = ~worse[0, 0]

    found = differences.difference(labels, worse, better)

    assert found.p > 0.2  # one sentence of 400: the exact test of one coin says 1


def test_holm_by_hand():
    # Sorted: .01 * 3, .02 * 2, .5 * 1; none below the one before it.
    assert differences.holm([0.02, 0.5, None, 0.01]) == pytest.approx([0.04, 0.5, None, 0.03])
    assert differences.holm([0.02, 0.021]) == pytest.approx([0.04, 0.04])
    assert differences.holm([0.9, 0.8]) == [1.0, 1.0]
    assert differences.holm([]) == []


@pytest.mark.parametrize("seeds", [(3, 3), (2, 10)], ids=str)
def test_one_recipe_is_rarely_called_different_from_itself(seeds):
    worlds = [coverage.OUT_OF_DOMAIN] * 2

    called = coverage.found_different(worlds, list(seeds), SIMULATIONS, seed=2)

    assert called < 0.05 + NOISE, f"{called:.1%} false alarms"


@pytest.mark.parametrize(
    ("seeds", "shift", "shared"),
    [(1, 0.2, 1.0), (5, 0.02, 1.0), (3, 0.0, 0.9)],
)
def test_difference_of_runs_that_share_their_seeds_is_held(seeds, shift, shared):
    worlds = [coverage.OUT_OF_DOMAIN, replace(coverage.OUT_OF_DOMAIN, shift=shift)]

    held, width, _ = coverage.coverage_of_difference(
        worlds, seeds, SIMULATIONS, seed=2, shared=shared
    )

    assert held > 0.95 - NOISE, f"{held:.1%} held"
    assert width < 0.15


def test_differences_in_many_classes_are_held_and_rarely_alarms():
    worlds = [coverage_classes.World(5, 300, True)] * 2

    found, called = coverage_classes.coverage_of_difference(worlds, 3, SIMULATIONS // 2, seed=2)

    for name, held in found.items():
        assert np.mean(held.held) > 0.95 - NOISE * 2**0.5, f"{name}: {held}"
        assert called[name] < 0.05 + NOISE * 2**0.5, name


@pytest.mark.slow
@pytest.mark.parametrize("world", coverage.WORLDS, ids=lambda world: f"{world.sentences}")
def test_false_alarms_are_at_most_six_of_a_hundred_in_a_thousand(world):
    called = coverage.found_different([world, world], [5, 5], 1000, seed=3)

    assert called <= 0.06, f"{called:.1%} false alarms"
