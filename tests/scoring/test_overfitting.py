"""Overfitting in words: rising validation loss, rules for an epoch, and what is not said."""

import pandas as pd
import pytest

from bertline.scoring import overfitting


def curves(**seeds: list[tuple[float, float, float]]) -> pd.DataFrame:
    """Return curves with (training loss, validation loss, validation MCC) for each epoch."""
    rows = [
        [int(seed.removeprefix("seed")), epoch, *figures]
        for seed, epochs in seeds.items()
        for epoch, figures in enumerate(epochs, start=1)
    ]
    columns = ["seed", "epoch", "training_loss", "validation_loss", "validation_mcc"]
    return pd.DataFrame(rows, columns=columns)


# The article's remark: validation loss rises from the second epoch, while training loss falls.
RISING = [(0.5, 0.46, 0.50), (0.3, 0.44, 0.56), (0.2, 0.52, 0.57), (0.1, 0.60, 0.57)]
FALLING = [(0.6, 0.58, 0.0), (0.5, 0.55, 0.2)]


def test_rising_validation_loss_is_said_with_epoch_and_amount():
    observed = overfitting.observe_all(curves(seed1=RISING))

    assert observed["1"] == {
        "lowest_epoch": 2,
        "last_epoch": 4,
        "validation_loss_lowest": 0.44,
        "validation_loss_rises": 0.16,
        "training_loss_falls": 0.2,
        "overfits": 1,
    }
    said = overfitting.describe(observed)
    assert "lowest after epoch 2 (0.440) and 0.160 higher after epoch 4" in said[0]
    assert "training loss falls by 0.200" in said[0]
    assert "1 of 1 seeds overfit by this criterion" in said[1]


def test_falling_validation_loss_is_no_overfitting():
    observed = overfitting.observe_all(curves(seed7=FALLING))

    assert observed["7"]["overfits"] == 0
    assert overfitting.describe(observed) == [
        "Seed 7. Validation loss is lowest after the last epoch, 2: no sign of overfitting; "
        "more epochs may help."
    ]


def test_rising_losses_of_both_kinds_are_called_unstable():
    said = overfitting.describe(
        overfitting.observe_all(curves(seed1=[(0.4, 0.4, 0.3), (0.5, 0.6, 0)]))
    )

    assert "unstable rather than overfitting" in said[0]
    assert len(said) == 1


def test_no_validation_fold_says_so_and_compares_nothing():
    table = curves(seed1=RISING)
    table[["validation_loss", "validation_mcc"]] = float("nan")

    assert "no validation fold" in overfitting.describe(overfitting.observe_all(table))[0]
    assert overfitting.compare_rules(table).empty


def test_each_rule_keeps_its_epoch_the_earlier_on_a_tie():
    table = overfitting.compare_rules(curves(seed1=RISING, seed2=FALLING))

    of_seed = table[table["seed"] != "mean of seeds"]
    assert of_seed.groupby("rule", sort=False)["epoch"].apply(list).to_dict() == {
        "highest validation MCC": [3, 2],
        "lowest validation loss": [2, 2],
        "last epoch": [4, 2],
    }
    means = table[table["seed"] == "mean of seeds"].set_index("rule")
    assert means.loc["highest validation MCC", "validation_mcc"] == pytest.approx(0.385)
    assert means.loc["last epoch", "epoch"] == 3
