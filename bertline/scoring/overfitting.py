"""Overfitting in words and figures: when validation loss rises while training loss still falls.

And what each way to choose an epoch would have kept. All figures are of the validation fold, which
the choice looks at too, so that of the chosen epoch is a little too good; test sets have no part.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bertline.scoring.names import MEAN
from bertline.scoring.tables import SELECTION

RULES = {
    "highest validation MCC": ("validation_mcc", False),
    "lowest validation loss": ("validation_loss", True),
    "last epoch": ("epoch", False),
}
FIGURES = ("validation_mcc", "validation_loss", "training_loss")
TOLD = 1e-6  # losses are stored with six digits


def choose(curve: pd.DataFrame, rule: str) -> pd.Series:
    """Return the epoch of one seed's curve that `rule` keeps, the earlier on a tie."""
    column, ascending = RULES[rule]
    return curve.sort_values([column, "epoch"], ascending=[ascending, True]).iloc[0]


def compare_rules(curves: pd.DataFrame) -> pd.DataFrame:
    """Return for each rule and seed the epoch kept and its figures, then their mean over seeds.

    The mean of the epoch is one too. Curves without validation give no rows.
    """
    rows = []
    known = curves.dropna(subset=["validation_loss", "validation_mcc"])
    for rule in RULES if len(known) else ():
        of_rule = [choose(curve, rule) for _, curve in known.groupby("seed", sort=False)]
        figures = pd.DataFrame(of_rule)[["epoch", *FIGURES]].astype(float)
        rows += [
            [rule, str(int(row["seed"])), float(row["epoch"]), *row[list(FIGURES)]]
            for row in of_rule
        ]
        rows.append([rule, MEAN, *figures.mean().tolist()])
    return pd.DataFrame(rows, columns=list(SELECTION))


def observe(curve: pd.DataFrame) -> dict[str, Any]:
    """Return what one seed's curve says: when validation loss is lowest, and what follows.

    `rises` is by how much validation loss is higher after the last epoch; `overfits` whether it is
    while training loss is lower.
    """
    lowest, last = choose(curve, "lowest validation loss"), choose(curve, "last epoch")
    rise = float(last["validation_loss"] - lowest["validation_loss"])
    fall = float(lowest["training_loss"] - last["training_loss"])
    return {
        "lowest_epoch": int(lowest["epoch"]),
        "last_epoch": int(last["epoch"]),
        "validation_loss_lowest": round(float(lowest["validation_loss"]), 4),
        "validation_loss_rises": round(rise, 4),
        "training_loss_falls": round(fall, 4),
        "overfits": int(rise > TOLD and fall > TOLD),
    }


def observe_all(curves: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return `observe` of each seed, by the seed in digits; nothing without validation."""
    known = curves.dropna(subset=["validation_loss"])
    return {
        str(seed): observe(curve) for seed, curve in known.groupby("seed", sort=False) if len(curve)
    }


def say(observed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the observations as sentences, one for each seed and one that sums up."""
    if not observed:
        return [
            "There is no validation fold, so nothing can be said of overfitting, and no epoch can "
            "be chosen but the last."
        ]
    sentences = []
    for seed, found in observed.items():
        lowest, last = found["lowest_epoch"], found["last_epoch"]
        if last == 1:
            text = "There is one epoch only, which shows no trend."
        elif lowest == last:
            text = (
                f"Validation loss is lowest after the last epoch, {last}: no sign of overfitting, "
                f"and perhaps more epochs would help."
            )
        elif found["overfits"]:
            text = (
                f"Validation loss is lowest after epoch {lowest} "
                f"({found['validation_loss_lowest']:.3f}) and "
                f"{found['validation_loss_rises']:.3f} higher after epoch {last}, while training "
                f"loss falls by {found['training_loss_falls']:.3f}: the model goes on to learn its "
                f"training sentences by heart."
            )
        else:
            text = (
                f"Validation loss is lowest after epoch {lowest} and "
                f"{found['validation_loss_rises']:.3f} higher after epoch {last}, and training "
                f"loss does not fall either: training is unstable rather than overfitting."
            )
        sentences.append(f"Seed {seed}. {text}")
    count = sum(found["overfits"] for found in observed.values())
    if count:
        sentences.append(
            f"{count} of {len(observed)} seeds overfit by this sign. A higher loss need not mean a "
            f"lower MCC: the model may only be too sure of its errors. The comparison of epochs "
            f"shows which it is."
        )
    return sentences
