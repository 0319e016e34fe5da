"""The simulated runs of many classes have the truth that they are said to have."""

import numpy as np
import pytest

from benchmarks import coverage_classes
from benchmarks.coverage_classes import World
from bertline.scoring import cells
from bertline.scoring.cells import MCC


@pytest.mark.parametrize("skewed", [False, True], ids=["balanced", "skewed"])
def test_drawn_runs_have_the_cells_and_the_mcc_that_are_asked_for(skewed):
    world = World(4, 100_000, skewed)

    (drawn,) = coverage_classes.draw(np.random.default_rng(0), [world], 1, 1)

    counts = cells.count(drawn.labels, drawn.runs[0], 4) / world.sentences
    assert drawn.true[0].sum() == pytest.approx(1)
    # The standard error of a share of a half is .0016.
    assert counts == pytest.approx(drawn.true[0], abs=0.006)
    assert np.bincount(drawn.labels) / world.sentences == pytest.approx(world.shares, abs=0.006)
    average = world.true_cells(np.array([world.skill()]), np.zeros((1, 4)))
    assert coverage_classes.truth(MCC, average, np.arange(4)) == pytest.approx(0.7, abs=1e-4)
