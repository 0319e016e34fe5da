"""Calibration: reliability bins, expected calibration error, Brier score, overconfidence.

A model is calibrated if it is right about 80% of the sentences whose class it gives a probability
of 80%. So what counts, for any number of classes, is the probability of the predicted class, the
one of the highest probability (confidence calibration: Guo et al. 2017, ICML). Sentences are sorted
by it and cut into bins of equal numbers; the expected calibration error (ECE) is the mean distance,
weighted by sentences, between a bin's mean probability and its share of right answers (Naeini,
Cooper and Hauskrecht 2015, AAAI). Its expectation is positive even for a perfectly calibrated
model, and larger with fewer sentences in a bin. So the ECE of a calibrated model with the same
probabilities is simulated beside it.

Temperature scaling divides the logits by one number, fitted on the validation fold (`thresholds`);
above 1 it makes a model less confident. It changes no ranking of the classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertline.scoring import thresholds

CELLS = 10_000_000  # simulated answers that are in memory at once


@dataclass(frozen=True)
class Measures:
    """The calibration of one model's probabilities for a set.

    ece_if_calibrated, ece_high: mean and 95th percentile of the ECE that a perfectly calibrated
    model with these probabilities gets. brier: mean square of the predicted class's probability
    less 1 if it is right, 0 if not: for two classes, Brier's score (1950) of either. loss: log
    loss. overconfidence: mean probability of the predicted class less the accuracy.
    """

    ece: float
    ece_if_calibrated: float
    ece_high: float
    brier: float
    loss: float
    overconfidence: float


@dataclass(frozen=True)
class Top:
    """The predicted class of each sentence: arrays of shape (n,).

    probability: of the class. right: whether it is the sentence's. start: the probability of all
    classes of a lower number, so that a number drawn from 0 to 1 lies from `start` to `start`
    + `probability` if it draws the predicted class.
    """

    probability: np.ndarray
    right: np.ndarray
    start: np.ndarray


def find_top(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> Top:
    """Return the predicted class of logits (n, K) at a temperature, with labels (n,)."""
    probabilities = thresholds.probabilities_of(logits, temperature).astype(np.float64)
    predicted = probabilities.argmax(axis=1)
    places = np.arange(len(labels))
    own = probabilities[places, predicted]
    return Top(own, predicted == labels, probabilities.cumsum(axis=1)[places, predicted] - own)


def bins_of(probabilities: np.ndarray, number: int) -> list[np.ndarray]:
    """Return the indices of each bin: `number` of them, equal in size to within one sentence."""
    order = np.argsort(probabilities, kind="stable")
    return [part for part in np.array_split(order, number) if len(part)]


def expected_error(probabilities: np.ndarray, right: np.ndarray, number: int) -> float:
    """Return the expected calibration error over `number` bins of equal mass.

    probabilities: of the predicted classes, (n,); right: whether they are the sentences', (n,).
    """
    parts = bins_of(probabilities, number)
    gaps = [abs(float(right[part].sum() - probabilities[part].sum())) for part in parts]
    return sum(gaps) / len(probabilities)


def simulate_errors(
    probabilities: np.ndarray, *, number: int, simulations: int, seed: int
) -> np.ndarray:
    """Return the ECE of answers right with the probabilities themselves, (simulations,)."""
    parts = bins_of(probabilities, number)
    order = np.concatenate(parts)
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    sorted_probabilities = probabilities[order]
    sums = np.add.reduceat(sorted_probabilities, starts)
    random = np.random.default_rng(seed)
    found = []
    step = max(1, CELLS // len(order))
    for start in range(0, simulations, step):
        rows = min(step, simulations - start)
        right = random.random((rows, len(order))) < sorted_probabilities
        counts = np.add.reduceat(right.astype(np.int64), starts, axis=1)
        found.append(np.abs(counts - sums).sum(axis=1) / len(order))
    return np.concatenate(found)


def measure(
    logits: np.ndarray,
    labels: np.ndarray,
    *,
    temperature: float,
    number: int,
    simulations: int,
    seed: int,
) -> Measures:
    """Return the measures of one model's logits (n, K) at a temperature, for labels (n,)."""
    top = find_top(logits, labels, temperature)
    probabilities, right = top.probability, top.right
    chance = simulate_errors(probabilities, number=number, simulations=simulations, seed=seed)
    return Measures(
        ece=expected_error(probabilities, right, number),
        ece_if_calibrated=float(chance.mean()),
        ece_high=float(np.quantile(chance, 0.95)),
        brier=float(((probabilities - right) ** 2).mean()),
        loss=thresholds.log_loss(labels, logits, temperature),
        overconfidence=float(probabilities.mean() - right.mean()),
    )


def reliability(
    tops: Sequence[Top],
    *,
    number: int,
    simulations: int,
    confidence: float,
    seed: int,
) -> list[tuple[int, int, float, float, float, float]]:
    """Return for each bin: its number from 1, sentences, predicted, observed, low and high.

    tops: of each seed. Each has bins of its own, and figures are means over seeds. low and high:
    where the share of right answers of perfectly calibrated models with these probabilities lies
    (consistency bars, Bröcker and Smith 2007, Weather and Forecasting 22(3)); one draw for a
    sentence serves all seeds, as one label does.
    """
    parts = [bins_of(top.probability, number) for top in tops]
    random = np.random.default_rng(seed)
    counted = len(parts[0])
    observed = np.zeros((simulations, counted))
    for place in range(simulations):
        drawn = random.random(len(tops[0].right))
        for top, bins in zip(tops, parts, strict=True):
            right = (top.start <= drawn) & (drawn < top.start + top.probability)
            observed[place] += [right[part].mean() for part in bins]
    observed /= len(parts)
    tail = (1 - confidence) / 2
    low, high = np.quantile(observed, [tail, 1 - tail], axis=0)
    pairs = list(zip(tops, parts, strict=True))
    return [
        (
            place + 1,
            len(parts[0][place]),
            _mean([top.probability[bins[place]].mean() for top, bins in pairs]),
            _mean([top.right[bins[place]].mean() for top, bins in pairs]),
            float(low[place]),
            float(high[place]),
        )
        for place in range(counted)
    ]


def _mean(values: list) -> float:
    return float(np.mean(values))
