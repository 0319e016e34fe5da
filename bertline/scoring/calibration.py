"""Calibration: reliability bins, expected calibration error, Brier score, overconfidence.

A model is calibrated if 80% of the sentences with a probability of 80% are acceptable. Sentences
are sorted by probability and cut into bins of equal numbers; the expected calibration error (ECE)
is the mean distance, weighted by sentences, between a bin's mean probability and its share of
acceptable sentences (Naeini, Cooper and Hauskrecht 2015, AAAI, for a binary outcome). Its
expectation is positive even for a perfectly calibrated model, and larger with fewer sentences in a
bin. So the ECE of a calibrated model with the same probabilities is simulated beside it.

Temperature scaling divides the logit by one number, fitted on the validation fold (`thresholds`);
above 1 it makes a model less confident. It changes no ranking, and no prediction at a threshold of
one half.
"""

from dataclasses import dataclass

import numpy as np

from bertline.scoring import thresholds

CELLS = 10_000_000  # simulated labels that are in memory at once


@dataclass(frozen=True)
class Measures:
    """The calibration of one model's probabilities for a set.

    ece_if_calibrated, ece_high: mean and 95th percentile of the ECE that a perfectly calibrated
    model with these probabilities gets. overconfidence: mean probability of the predicted label
    (at .5) less the accuracy.
    """

    ece: float
    ece_if_calibrated: float
    ece_high: float
    brier: float
    loss: float
    overconfidence: float


def log_loss(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean negative log likelihood of labels (n,), 0 or 1."""
    margins = np.where(labels == 1, logits, -np.asarray(logits, dtype=np.float64)) / temperature
    return float(np.logaddexp(0.0, -margins).mean())


def bins_of(probabilities: np.ndarray, number: int) -> list[np.ndarray]:
    """Return the indices of each bin: `number` of them, equal in size to within one sentence."""
    order = np.argsort(probabilities, kind="stable")
    return [part for part in np.array_split(order, number) if len(part)]


def expected_error(probabilities: np.ndarray, labels: np.ndarray, number: int) -> float:
    """Return the expected calibration error over `number` bins of equal mass."""
    parts = bins_of(probabilities, number)
    gaps = [abs(float(labels[part].sum() - probabilities[part].sum())) for part in parts]
    return sum(gaps) / len(probabilities)


def simulate_errors(
    probabilities: np.ndarray, *, number: int, simulations: int, seed: int
) -> np.ndarray:
    """Return the ECE of labels drawn from the probabilities themselves, shape (simulations,)."""
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
        labels = random.random((rows, len(order))) < sorted_probabilities
        counts = np.add.reduceat(labels.astype(np.int64), starts, axis=1)
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
    """Return the measures of one model's logits (n,) at a temperature, for labels (n,)."""
    probabilities = thresholds.probabilities_of(logits, temperature).astype(np.float64)
    chance = simulate_errors(probabilities, number=number, simulations=simulations, seed=seed)
    sure = np.maximum(probabilities, 1 - probabilities)
    accuracy = float(((probabilities > 0.5) == (labels == 1)).mean())
    return Measures(
        ece=expected_error(probabilities, labels, number),
        ece_if_calibrated=float(chance.mean()),
        ece_high=float(np.quantile(chance, 0.95)),
        brier=float(((probabilities - labels) ** 2).mean()),
        loss=log_loss(logits, labels, temperature),
        overconfidence=float(sure.mean()) - accuracy,
    )


def reliability(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    number: int,
    simulations: int,
    confidence: float,
    seed: int,
) -> list[tuple[int, int, float, float, float, float]]:
    """Return for each bin: its number from 1, sentences, predicted, observed, low and high.

    probabilities: shape (seeds, n); labels: (n,). Each seed has bins of its own, and figures are
    means over seeds. low and high: where the observed share of perfectly calibrated models with
    these probabilities lies (consistency bars, Bröcker and Smith 2007, Weather and Forecasting
    22(3)); one draw for a sentence serves all seeds, as one label does.
    """
    parts = [bins_of(row, number) for row in probabilities]
    random = np.random.default_rng(seed)
    counted = len(parts[0])
    observed = np.zeros((simulations, counted))
    for place in range(simulations):
        drawn = random.random(len(labels))
        for row, bins in zip(probabilities, parts, strict=True):
            label = drawn < row
            observed[place] += [label[part].mean() for part in bins]
    observed /= len(parts)
    tail = (1 - confidence) / 2
    low, high = np.quantile(observed, [tail, 1 - tail], axis=0)
    return [
        (
            place + 1,
            len(parts[0][place]),
            _mean(
                [row[bins[place]].mean() for row, bins in zip(probabilities, parts, strict=True)]
            ),
            _mean([labels[bins[place]].mean() for bins in parts]),
            float(low[place]),
            float(high[place]),
        )
        for place in range(counted)
    ]


def _mean(values: list) -> float:
    return float(np.mean(values))
