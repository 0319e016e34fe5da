"""The columns, and the words in cells, of the tables of `evaluate` and `analyze`. Imports nothing.

Each table is a mapping of its columns, in their order, to the types that readers want of them.
"""

from bertline.scoring.names import ADAPT_EPOCH, EPOCH

# --- data/evaluate --------------------------------------------------------------------------------

PREDICTIONS = {
    **dict.fromkeys(("id", "set", "source"), "string"),
    "label": "int16",
    "seed": "int64",
    "predicted": "int16",
    **dict.fromkeys(("logits", "probabilities"), "floats"),  # lists, one of each class
}

# For people: data/evaluate/sentences.csv.
ANSWERS = ("id", "set", "source", "text", "class", "answer", "probability", "correct_seeds")

# --- metrics/adapt.csv ----------------------------------------------------------------------------

ADAPTED = {**dict.fromkeys(ADAPT_EPOCH, "float64"), **dict.fromkeys(ADAPT_EPOCH[:2], "int64")}

# --- metrics/evaluate -----------------------------------------------------------------------------


def with_bounds(*names: str) -> tuple[str, ...]:
    """Return the columns of scores with the ends of their intervals."""
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


SCORES = {
    **dict.fromkeys(("set", "model"), "str"),
    "sentences": "int64",
    **dict.fromkeys((*with_bounds("mcc", "macro_f1", "accuracy"), "loss"), "float64"),
}
CLASSES = {
    **dict.fromkeys(("set", "class"), "str"),
    "sentences": "int64",
    **dict.fromkeys(with_bounds("precision", "recall", "f1"), "float64"),
}
CURVES = {"seed": "int64", **dict.fromkeys(EPOCH, "float64"), "epoch": "int64"}
BATCHES = {
    "set": "str",
    **dict.fromkeys(("seed", "batch", "sentences"), "int64"),
    "mcc": "float64",
}
CONFUSION = {"seed": "int64", **dict.fromkeys(("id", "pair", "actual", "predicted"), "str")}
DECISIONS = {"model": "str", "threshold": "float64", "temperature": "float64"}

# --- metrics/analyze ------------------------------------------------------------------------------

BREAKDOWN = {
    **dict.fromkeys(("set", "grouping", "group"), "str"),
    "sentences": "int64",
    "majority_share": "float64",
    "seeds": "int64",
    **dict.fromkeys((*with_bounds("mcc", "error_rate", "difference"), "p", "q"), "float64"),
    **dict.fromkeys(("finding", "note"), "str"),
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
# The parameters in protocol.json of `analyze`.
PROTOCOL = (
    *("confidence", "min_group_size", "false_discovery_rate", "calibration_bins", "simulations"),
)

# --- words ----------------------------------------------------------------------------------------

ALL = "all"  # the grouping, and the group, of all sentences of a set
WORSE, BETTER, NONE, UNTESTED = "more errors", "fewer errors", "not significant", "not tested"
UNCALIBRATED, SCALED = "uncalibrated", "temperature"
