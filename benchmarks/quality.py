"""Whether the contenders of a benchmark did the same work: their quality beside Bertline's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.runner import Outcome, spread
from bertline.scoring import intervals
from bertline.scoring.differences import difference

# Of Bertline's vectors to those of `encode` in fp32.
MEAN_COSINE, LEAST_COSINE = 0.999, 0.99

Found = Mapping[str, Sequence[Outcome]]
Rows = Sequence[dict[str, Any]]


def add_scores(rows: Rows, found: Found) -> None:
    """Add to each row the MCC and loss on held-out sentences, and the difference to Bertline's.

    `quality` gets mcc and loss, means over seeds, and low and high, the 95% interval of how much
    larger the MCC is than that of the first row; `same` whether it holds 0, None where MCC is
    undefined because all answers are of one class.
    """
    ours = _answers(found[rows[0]["name"]])
    labels = np.array(found[rows[0]["name"]][0]["each"][0]["labels"])
    for row in rows:
        answers = _answers(found[row["name"]])
        losses = [one["loss"] for outcome in found[row["name"]] for one in outcome["each"]]
        apart = difference(labels, ours, answers)
        row["quality"] = {
            "mcc": float(intervals.values(labels, answers).mean()),
            "loss": float(np.mean(losses)),
            "low": apart.low,
            "high": apart.high,
        }
        row["same"] = None
        if apart.identical:
            row["same"] = True
        elif apart.low is not None and apart.high is not None:
            row["same"] = apart.low <= 0 <= apart.high


def _answers(outcomes: Sequence[Outcome]) -> np.ndarray:
    """Return the predictions of all seeds, shape (seeds, sentences)."""
    return np.array([one["predictions"] for outcome in outcomes for one in outcome["each"]])


def add_cosines(rows: Rows, found: Found, *, reference: str) -> None:
    """Add to each row mean and least cosine of its vectors to those of the row `reference`."""
    from benchmarks.peers_embedding import cosines

    expected = np.load(found[reference][-1]["each"][0]["vectors"], allow_pickle=False)
    for row in rows:
        vectors = np.load(found[row["name"]][-1]["each"][0]["vectors"], allow_pickle=False)
        row["quality"] = cosines(vectors, expected)
        row["same"] = (
            row["quality"]["mean"] >= MEAN_COSINE and row["quality"]["least"] >= LEAST_COSINE
        )


def add_topics(rows: Rows, found: Found) -> None:
    """Add to each row what was measured of its topics, and the seconds of its parts.

    Different models find different topics: `same` says whether Bertline's agree with the known
    groups at least as well as those of the row, by AMI.
    """
    names = ("topics", "coverage", "npmi", "ami", "ami_new")
    for row in rows:
        each = [outcome["each"][0] for outcome in found[row["name"]]]
        row["quality"] = {name: spread([one[name] for one in each])["median"] for name in names}
        row["parts"] = {
            part: spread([one["parts"][part] for one in each]) for part in each[0]["parts"]
        }
        row["same"] = rows[0]["quality"]["ami"] >= row["quality"]["ami"]
