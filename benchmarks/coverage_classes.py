"""Simulate runs of many classes whose true scores are known, and count how often intervals hold.

    python -m benchmarks.coverage_classes [--simulations 500]

Prints the tables of many classes in docs/statistics.md: how often 95% intervals of MCC, macro F1
and accuracy, and of differences of two runs, hold the truth, by number of classes, sentences and
balance. Nothing is read: every table is drawn from a seed, in about four minutes.

The generator is that of `benchmarks.coverage` with a latent variable for each class. Seed s answers
sentence i with the class k of the largest

    (d + skill_s if k is the sentence's class) + b_k + bias_sk + difficulty_ik + noise_isk,

with difficulty and noise normal, of variance 0.8 and 0.2. d gives the MCC; b
favours frequent classes, as trained models do; skill and bias are normal over seeds. Of skewed
classes each is less frequent than the one before it by the same factor, the last one having
RAREST of the share of the first. The truth of a seed follows from its skill and biases by
quadrature, its mean over seeds from many of them. Macro F1 is of the classes that occur in the
simulated set, and so is its truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import optimize, special

from benchmarks.coverage import table
from bertline.core import console
from bertline.scoring import cells, differences, intervals
from bertline.scoring.cells import MCC, Score

SHARED = 0.8  # of the latent variance, what a sentence means to all seeds
BIAS_SD = 0.1  # over seeds, of each class
SKILL_SD = 0.05
RAREST = 1 / 20  # of the most frequent class's share, where classes are skewed
FAVOUR = 0.3  # of the logarithm of a class's share, by which answers favour it
NODES = 41  # of the quadrature over the latent variable
TRUE_SEEDS = 300  # whose mean is the truth over seeds


@dataclass(frozen=True)
class World:
    """What runs are drawn from: classes with their shares, and a recipe's MCC."""

    classes: int
    sentences: int
    skewed: bool
    mcc: float = 0.7  # of a seed of average skill and biases

    @property
    def shares(self) -> np.ndarray:
        """The share of each class, (K,)."""
        lowest = RAREST if self.skewed else 1.0
        shares = np.geomspace(1.0, lowest, self.classes)
        return shares / shares.sum()

    @property
    def favour(self) -> np.ndarray:
        """The advantage of each class, (K,)."""
        return FAVOUR * np.log(self.shares * self.classes)

    def true_cells(self, skill: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Return the shares of all cells of seeds, (S, K, K); skill: (S,), bias: (S, K)."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        weights = weights / weights.sum()
        # Means of the latent variables, by seed, actual class and answer.
        means = (self.favour + bias)[:, None] + skill[:, None, None] * np.eye(self.classes)
        found = np.empty_like(means)
        for answer in range(self.classes):
            over = means[:, :, answer, None, None] - means[:, :, :, None] + nodes
            chance = special.log_ndtr(over)
            chance[:, :, answer] = 0.0
            found[:, :, answer] = (weights * np.exp(chance.sum(axis=2))).sum(axis=2)
        found /= found.sum(axis=2, keepdims=True)
        return found * self.shares[:, None]

    def skill(self) -> float:
        """Return the skill that gives the MCC."""
        none = np.zeros((1, self.classes))

        def missing(skill: float) -> float:
            true = self.true_cells(np.array([skill]), none)
            return truth(MCC, true, np.arange(self.classes)) - self.mcc

        return float(optimize.brentq(missing, 0.0, 10.0, xtol=1e-6))


def prepare(world: World) -> tuple[float, np.ndarray]:
    """Return a world's skill, and the true cells of many of its seeds, whatever its sentences."""
    return _prepare(replace(world, sentences=0))


@cache
def _prepare(world: World) -> tuple[float, np.ndarray]:
    random = np.random.default_rng(0)
    skill = world.skill()
    skills = skill + random.normal(scale=SKILL_SD, size=TRUE_SEEDS)
    bias = random.normal(scale=BIAS_SD, size=(TRUE_SEEDS, world.classes))
    many = [
        world.true_cells(skills[at : at + 20], bias[at : at + 20])
        for at in range(0, TRUE_SEEDS, 20)
    ]
    return skill, np.concatenate(many)


@dataclass(frozen=True)
class Drawn:
    """Labels (n,), and of each run predictions (S, n) and its seeds' true cells (S, K, K)."""

    labels: np.ndarray
    runs: list[np.ndarray]
    true: list[np.ndarray]


def draw(
    random: np.random.Generator, worlds: list[World], seeds: int, simulations: int
) -> Iterator[Drawn]:
    """Yield simulations of one run of each world on the same sentences."""
    first = worlds[0]
    size = (first.sentences, first.classes)
    for _ in range(simulations):
        labels = random.choice(first.classes, size=first.sentences, p=first.shares)
        own = labels[:, None] == np.arange(first.classes)
        difficulty = random.normal(scale=np.sqrt(SHARED), size=size) + first.favour
        runs, true = [], []
        for world in worlds:
            skill = prepare(world)[0] + random.normal(scale=SKILL_SD, size=seeds)
            bias = random.normal(scale=BIAS_SD, size=(seeds, first.classes))
            predicted = [
                np.argmax(
                    difficulty + skill[seed] * own + bias[seed]
                    + random.normal(scale=np.sqrt(1 - SHARED), size=size), axis=1,
                )
                for seed in range(seeds)
            ]  # fmt: skip
            runs.append(np.array(predicted))
            true.append(world.true_cells(skill, bias) if seeds == 1 else prepare(world)[1])
        yield Drawn(labels, runs, true)


def truth(score: Score, true: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean score of seeds with these cells, of the classes that occur in a set."""
    occur = np.bincount(labels, minlength=true.shape[1]) > 0
    return float(score.function(true, occur)[0].mean())


@dataclass
class Held:
    """How often intervals held the truth, and their widths."""

    held: list[bool]
    width: list[float]

    def add(self, low: float | None, high: float | None, true: float) -> None:
        """Count an interval, unless nothing is claimed."""
        if low is not None and high is not None:
            self.held.append(low <= true <= high)
            self.width.append(high - low)

    def __str__(self) -> str:
        return f"{np.mean(self.held):.1%}, {np.mean(self.width):.3f}"


def coverage(world: World, seeds: int, simulations: int, *, seed: int) -> dict[str, Held]:
    """Return by score how often its interval holds the truth; with one seed, that of the model."""
    found = {name: Held([], []) for name in cells.SCORES}
    for drawn in draw(np.random.default_rng(seed), [world], seeds, simulations):
        for name, score in cells.SCORES.items():
            interval = intervals.interval(drawn.labels, drawn.runs[0], score=score)
            found[name].add(interval.low, interval.high, truth(score, drawn.true[0], drawn.labels))
    return found


def coverage_of_class(world: World, number: int, simulations: int, *, seed: int) -> dict[str, Held]:
    """Return how often the intervals of a class hold the truth of five seeds."""
    found = {name: Held([], []) for name in cells.OF_CLASS}
    _, true = prepare(world)
    # The class and the rest.
    rest = np.arange(world.classes) != number
    two = np.empty((len(true), 2, 2))
    for row, actual in enumerate((rest, ~rest)):
        for column, answer in enumerate((rest, ~rest)):
            two[:, row, column] = true[:, actual][:, :, answer].sum(axis=(1, 2))
    for drawn in draw(np.random.default_rng(seed), [world], 5, simulations):
        of_class = intervals.class_intervals(drawn.labels, drawn.runs[0], number)
        for name, interval in of_class.items():
            truths, _ = cells.OF_CLASS[name].function(two, np.array([True, True]))
            found[name].add(interval.low, interval.high, float(truths.mean()))
    return found


def coverage_of_difference(
    worlds: list[World], seeds: int, simulations: int, *, seed: int
) -> tuple[dict[str, Held], dict[str, float]]:
    """Return by score how often the interval of a difference holds it, and how often p < .05."""
    found = {name: Held([], []) for name in cells.SCORES}
    called: dict[str, list[bool]] = {name: [] for name in cells.SCORES}
    for drawn in draw(np.random.default_rng(seed), worlds, seeds, simulations):
        a, b = drawn.runs
        for name, score in cells.SCORES.items():
            one, other = (truth(score, true, drawn.labels) for true in drawn.true)
            compared = differences.difference(drawn.labels, a, b, score=score)
            found[name].add(compared.low, compared.high, other - one)
            called[name].append(compared.p is not None and compared.p < 0.05)
    return found, {name: float(np.mean(values)) for name, values in called.items()}


WORLDS = [
    World(classes, sentences, skewed)
    for classes in (2, 5, 20)
    for sentences in (200, 1000)
    for skewed in (False, True)
]


def head(world: World) -> list[str]:
    """Return the first cells of a row: classes, sentences, and those of the rarest class."""
    rarest = world.shares.min() * world.sentences
    return [str(world.classes), f"{world.sentences:,}", f"{rarest:.3g}"]


def interval_rows(simulations: int) -> Iterator[list[str]]:
    """Yield the coverage of each score, with one model and with five seeds."""
    for world in WORLDS:
        for seeds in (1, 5):
            found = coverage(world, seeds, simulations, seed=1)
            yield [*head(world), str(seeds), *map(str, found.values())]


def class_rows(simulations: int) -> Iterator[list[str]]:
    """Yield the coverage of the scores of the most frequent and of the rarest class."""
    for world in WORLDS:
        for number in (0, world.classes - 1) if world.skewed else (0,):
            found = coverage_of_class(world, number, simulations, seed=2)
            expected = f"{world.shares[number] * world.sentences:.3g}"
            yield [*head(world)[:2], expected, *map(str, found.values())]


def difference_rows(simulations: int) -> Iterator[list[str]]:
    """Yield the coverage of differences of .05 in MCC, and false alarms; five seeds each."""
    for world in WORLDS:
        other = replace(world, mcc=world.mcc + 0.05)
        found, _ = coverage_of_difference([world, other], 5, simulations, seed=3)
        _, called = coverage_of_difference([world, world], 5, simulations, seed=4)
        alarms = [f"{share:.1%}" for share in called.values()]
        yield [*head(world), *map(str, found.values()), *alarms]


def main() -> None:
    """Read the arguments, and print every table."""
    arguments = console.parser(__doc__)
    arguments.add_argument("--simulations", type=int, default=500, help="for each row")
    count = arguments.parse_args().simulations
    titles = [score.title for score in cells.SCORES.values()]
    first = ["classes", "sentences", "of the rarest class"]
    table(
        "How often the 95% interval holds the true score, and its width",
        [*first, "seeds", *titles],
        interval_rows(count),
    )
    table(
        "Scores of one class, 5 seeds",
        ["classes", "sentences", "of the class", *(s.title for s in cells.OF_CLASS.values())],
        class_rows(count),
    )
    table(
        "Two runs, 5 seeds each: held and width, and false alarms of runs of one recipe",
        [*first, *titles, *(f"alarms: {title}" for title in titles)],
        difference_rows(count),
    )


if __name__ == "__main__":
    console.run(main)
