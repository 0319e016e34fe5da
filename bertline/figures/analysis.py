"""What the figures and the report show of `analyze`: the tables that the stage stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.figures.results import plain, read_csv

ALL = "all"
WORSE, BETTER, NONE, UNTESTED = "more errors", "fewer errors", "not significant", "not tested"
UNCALIBRATED, SCALED = "uncalibrated", "temperature"
MEAN = "mean of seeds"
# The groupings in the order of the report, and what a group of each is called.
GROUPINGS = {
    "major": "grammatical phenomenon",
    "minor": "grammatical phenomenon, in detail",
    "source": "source",
    "length": "length of the sentence",
}

BREAKDOWN = {
    **dict.fromkeys(("set", "grouping", "group", "finding"), "str"),
    **dict.fromkeys(("sentences", "seeds"), "int64"),
    **dict.fromkeys(("acceptable_share", "mcc", "mcc_low", "mcc_high"), "float64"),
    **dict.fromkeys(("error_rate", "error_rate_low", "error_rate_high"), "float64"),
    **dict.fromkeys(("difference", "difference_low", "difference_high", "p", "q"), "float64"),
}
CALIBRATION = {
    **dict.fromkeys(("set", "seed", "scaled"), "str"),
    "sentences": "int64",
    **dict.fromkeys(("temperature", "ece", "ece_if_calibrated", "ece_high"), "float64"),
    **dict.fromkeys(("brier", "loss", "overconfidence"), "float64"),
}
RELIABILITY = {
    **dict.fromkeys(("set", "scaled"), "str"),
    **dict.fromkeys(("bin", "sentences"), "int64"),
    **dict.fromkeys(("predicted", "observed", "low", "high"), "float64"),
}
SELECTION = {
    **dict.fromkeys(("rule", "seed"), "str"),
    **dict.fromkeys(("epoch", "validation_mcc", "validation_loss", "training_loss"), "float64"),
}
PROTOCOL = (
    *("confidence", "min_group_size", "false_discovery_rate", "calibration_bins", "simulations"),
)


@dataclass(frozen=True)
class Analysis:
    """The results of `analyze`; tables have the columns of the constants above."""

    phenomena: str  # title of the source of annotations
    summary: dict[str, Any]  # analyze.json
    protocol: dict[str, Any]
    breakdown: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    selection: pd.DataFrame
    errors: list[dict[str, Any]]  # with sentences

    @property
    def whole(self) -> str:
        """The set that holds the sentences of all test sets."""
        return str(self.breakdown["set"].iloc[-1])

    @property
    def coverage(self) -> str:
        """The intervals' coverage in words, such as 95%."""
        return f"{100 * self.protocol['confidence']:g}%"

    def groups(self, grouping: str) -> pd.DataFrame:
        """Return the rows of a grouping for all test sentences; none if it was left out."""
        table = self.breakdown
        return table[(table["set"] == self.whole) & (table["grouping"] == grouping)]

    @property
    def groupings(self) -> list[str]:
        """The groupings that there are, in the order of the report."""
        return [name for name in GROUPINGS if len(self.groups(name))]

    @property
    def everything(self) -> pd.Series:
        """The row of all test sentences."""
        return self.groups(ALL).iloc[0]


def load_analysis(metrics: Path, folder: Path) -> Analysis:
    """Read what `analyze` measured, and the errors that it stored in `folder`.

    Raises BertlineError if a file is missing or is not what the stage writes.
    """
    tables = metrics / "analyze"
    breakdown = read_csv(tables / "breakdown.csv", BREAKDOWN, stage="analyze")
    breakdown["group"] = breakdown["group"].fillna("")  # sentences of a source without a name
    if breakdown.empty or ALL not in breakdown["grouping"].tolist():
        raise BertlineError(
            f"{tables / 'breakdown.csv'} has no row of all sentences. Run `dvc repro analyze`."
        )
    described = files.read_json(metrics / "parse" / "phenomena.json", keys=["title"])
    keys = ["annotations", "breakdown", "overfitting", "notes"]
    return Analysis(
        phenomena=plain(str(described["title"])),
        summary=files.read_json(metrics / "analyze.json", keys=keys),
        protocol=files.read_json(tables / "protocol.json", keys=PROTOCOL),
        breakdown=breakdown,
        calibration=read_csv(tables / "calibration.csv", CALIBRATION, stage="analyze"),
        reliability=read_csv(tables / "reliability.csv", RELIABILITY, stage="analyze"),
        selection=read_csv(tables / "selection.csv", SELECTION, stage="analyze"),
        errors=files.read_json(folder / "errors.json", keys=["errors"])["errors"],
    )
