"""Simulate runs whose true MCC is known, and count how often intervals and differences are right.

    python -m benchmarks.coverage [--simulations 4000]

Prints the tables of docs/statistics.md: how often 95% intervals hold the truth, of scores and of
differences, how often two runs of one recipe are called different, and how often true differences
are found. Nothing is read: every
table is drawn from a seed, in about ten minutes.

The generator is a crossed design of latent variables, as in psychometrics. Seed s accepts sentence
i if

    (d + skill_s) (+1 if acceptable, else -1) + t + threshold_s + difficulty_i + noise_is > 0,

with difficulty and noise normal, of variance 0.9 and 0.1 together 1: errors of two seeds then
correlate by .76 to .84; in the default run it is .62 to .81. d and t give the MCC and the
share of accepted sentences; skill and threshold are normal over seeds. The true MCC of a seed on
all sentences follows from its skill and threshold in closed form, its mean over seeds by
quadrature. New sentences, labels and seeds are drawn for every simulation. Two runs may share their
seeds: skill, threshold and noise of B are then those of A, wholly or in part, and B may decide at
another threshold.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from bertline.core import console
from bertline.scoring import differences, intervals

SHARED = 0.9  # of the latent variance, what a sentence means to all seeds
THRESHOLD_SD = 0.12  # over seeds; the share of accepted sentences then has an SD of .02 to .04
NODES = 31  # of the quadrature over seeds


@dataclass(frozen=True)
class World:
    """What runs are drawn from: a recipe's skill, and a kind of sentences."""

    sentences: int
    mcc: float  # of a seed of average skill and threshold
    accepted: float = 0.85  # share of sentences that such a seed accepts
    seed_sd: float = 0.03  # of the true MCC over seeds, by skill and threshold together
    acceptable: float = 0.7  # share of acceptable sentences, as in CoLA
    shift: float = 0.0  # of the threshold, by which labels are decided otherwise
    pairs: bool = False  # whether sentences come in minimal pairs, acceptable and not

    def rates(self) -> tuple[float, float]:
        """Return d and t, of MCC and accepted share of the average seed."""
        covariance = self.mcc * np.sqrt(
            self.acceptable * (1 - self.acceptable) * self.accepted * (1 - self.accepted)
        )
        right = stats.norm.ppf(self.accepted + covariance / self.acceptable)
        wrong = stats.norm.ppf(self.accepted - covariance / (1 - self.acceptable))
        return (right - wrong) / 2, (right + wrong) / 2 + self.shift

    def true_mcc(self, skill: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        """Return the MCC of seeds on all sentences, of the same shape as skill and threshold."""
        d, t = self.rates()
        right = stats.norm.cdf(d + skill + t + threshold)
        wrong = stats.norm.cdf(-d - skill + t + threshold)
        accepted = self.acceptable * right + (1 - self.acceptable) * wrong
        spread = self.acceptable * (1 - self.acceptable) / (accepted * (1 - accepted))
        return (right - wrong) * np.sqrt(spread)

    def seed_moments(self, skill_sd: float) -> tuple[float, float]:
        """Return mean and SD over seeds of the true MCC, by Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        weights = np.outer(weights, weights) / weights.sum() ** 2
        scale = THRESHOLD_SD if self.seed_sd else 0.0
        mcc = self.true_mcc(skill_sd * nodes[:, None], scale * nodes[None])
        mean = (weights * mcc).sum()
        return float(mean), float(np.sqrt((weights * (mcc - mean) ** 2).sum()))

    def skill_sd(self) -> float:
        """Return the SD of skill that gives the SD of the true MCC, before a shift."""
        if self.shift:
            return replace(self, shift=0.0).skill_sd()
        if self.seed_sd == 0 or self.seed_moments(0.0)[1] >= self.seed_sd:
            return 0.0
        return float(
            optimize.brentq(lambda sd: self.seed_moments(sd)[1] - self.seed_sd, 0.0, 1.0, xtol=1e-6)
        )

    @property
    def expected(self) -> float:
        """The true mean MCC over all seeds and sentences."""
        return self.seed_moments(self.skill_sd())[0]


@dataclass(frozen=True)
class Drawn:
    """Labels (n,), predictions (seeds, n) of each run, their true MCC by seed, and pairs (n,)."""

    labels: np.ndarray
    runs: list[np.ndarray]
    true: list[np.ndarray]
    pairs: np.ndarray


def draw(
    random: np.random.Generator,
    worlds: list[World],
    seeds: list[int],
    simulations: int,
    shared: float = 0.0,
) -> Iterator[Drawn]:
    """Yield simulations of one run of each world on the same sentences, seeds[i] of world i.

    shared: what a seed has in common in all worlds, as a share of the variance of its skill, its
    threshold and its noise; with 1 they are the same models.
    """
    size = worlds[0].sentences
    rates = [world.rates() for world in worlds]
    skills = [world.skill_sd() for world in worlds]
    for _ in range(simulations):
        if worlds[0].pairs:
            labels = np.tile([True, False], size // 2)
            pairs = np.arange(size) // 2
            # Half of the difficulty is the pair's: who has learnt a construction knows it in both.
            of_pair = np.repeat(random.normal(size=size // 2), 2) * np.where(labels, 1, -1)
            difficulty = (random.normal(size=size) + of_pair) * np.sqrt(SHARED / 2)
        else:
            labels = random.random(size) < worlds[0].acceptable
            pairs = np.arange(size)
            difficulty = random.normal(scale=np.sqrt(SHARED), size=size)
        sign = np.where(labels, 1.0, -1.0)
        runs, true, first = [], [], None
        for world, (d, t), skill_sd, count in zip(worlds, rates, skills, seeds, strict=True):
            own = [random.normal(size=(count, width)) for width in (1, 1, size)]
            first = first or own
            if shared and first is not own:
                both = zip(first, own, strict=True)
                own = [np.sqrt(shared) * of_a + np.sqrt(1 - shared) * new for of_a, new in both]
            skill = skill_sd * own[0]
            threshold = (THRESHOLD_SD if world.seed_sd else 0.0) * own[1]
            noise = np.sqrt(1 - SHARED) * own[2]
            runs.append((d + skill) * sign + t + threshold + difficulty + noise > 0)
            true.append(world.true_mcc(skill[:, 0], threshold[:, 0]))
        yield Drawn(labels, runs, true, pairs)


def coverage(
    world: World, seeds: int, simulations: int, *, seed: int, clustered: bool = True
) -> tuple[float, float, float]:
    """Return how often the interval holds the truth, its width, and how often a naive one does.

    With one seed the truth is that of this one model on all sentences. The naive interval leaves
    the seeds out, as a bootstrap of sentences does.
    """
    random = np.random.default_rng(seed)
    expected = world.expected
    held, width, alone = [], [], []
    for drawn in draw(random, [world], [seeds], simulations):
        truth = expected if seeds > 1 else float(drawn.true[0][0])
        found = intervals.interval(
            drawn.labels, drawn.runs[0], clusters=drawn.pairs if clustered else None
        )
        if found.low is None or found.high is None or found.se_sentences is None:
            continue  # nothing is claimed
        held.append(found.low <= truth <= found.high)
        width.append(found.high - found.low)
        alone.append(abs(found.estimate - truth) <= 1.96 * found.se_sentences)
    return float(np.mean(held)), float(np.mean(width)), float(np.mean(alone))


def found_different(
    worlds: list[World], seeds: list[int], simulations: int, *, seed: int, level: float = 0.05
) -> float:
    """Return how often two runs are called different."""
    random = np.random.default_rng(seed)
    called = []
    for drawn in draw(random, worlds, seeds, simulations):
        a, b = drawn.runs
        p = differences.difference(drawn.labels, a, b, confidence=1 - level).p
        called.append(p is not None and p < level)
    return float(np.mean(called))


def coverage_of_difference(
    worlds: list[World], seeds: int, simulations: int, *, seed: int, shared: float
) -> tuple[float, float, float]:
    """Return how often the interval of a difference holds the truth, its width, and what differs.

    The last is the mean number of predictions that differ, of all seeds together. With one seed
    the truth is that of these two models on all sentences.
    """
    random = np.random.default_rng(seed)
    expected = worlds[1].expected - worlds[0].expected
    held, width, differ = [], [], []
    for drawn in draw(random, worlds, [seeds, seeds], simulations, shared):
        truth = expected if seeds > 1 else float(drawn.true[1][0] - drawn.true[0][0])
        a, b = drawn.runs
        found = differences.difference(drawn.labels, a, b)
        differ.append(int((a != b).sum()))
        if found.low is None or found.high is None:
            continue  # nothing is claimed: the predictions are the same
        held.append(found.low <= truth <= found.high)
        width.append(found.high - found.low)
    return float(np.mean(held)), float(np.mean(width)), float(np.mean(differ))


OUT_OF_DOMAIN = World(516, 0.20, 0.90)
IN_DOMAIN = World(527, 0.50, 0.82)
BOTH = World(1043, 0.38, 0.86)
WORLDS = (OUT_OF_DOMAIN, IN_DOMAIN, BOTH)
# How B comes from the models of A: its threshold, and the share of each seed that stays.
SHIFTED, RETRAINED = "another threshold", "trained again, {:.0%} the same"
RELATED = [
    (SHIFTED, 0.02, 1.0),
    (SHIFTED, 0.2, 1.0),
    *((RETRAINED, 0.0, x) for x in (0.99, 0.9, 0.5)),
]
SEEDS = (1, 2, 3, 5, 10)
SAME = [(1, 1), (2, 2), (3, 3), (5, 5), (10, 10), (3, 5), (2, 10)]


def table(title: str, header: list[str], rows: Iterator[list[str]]) -> None:
    """Print a table in Markdown, row by row as it is computed."""
    sys.stdout.write(f"\n{title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}\n")
    for row in rows:
        sys.stdout.write(f"| {' | '.join(row)} |\n")
        sys.stdout.flush()


def interval_rows(simulations: int) -> Iterator[list[str]]:
    """Yield the coverage with each number of seeds."""
    for world in WORLDS:
        for seeds in SEEDS:
            held, width, alone = coverage(world, seeds, simulations, seed=1)
            yield [
                f"{world.sentences:,}", f"{world.expected:.3f}", str(seeds), f"{held:.1%}",
                f"{width:.3f}", f"{alone:.1%}",
            ]  # fmt: skip


def groups(simulations: int) -> Iterator[list[str]]:
    """Yield the coverage in small groups of sentences, with one model and with five seeds."""
    for size in (20, 50, 100):
        for seeds in (1, 5):
            held, width, _ = coverage(
                replace(IN_DOMAIN, sentences=size), seeds, simulations, seed=2
            )
            yield [str(size), str(seeds), f"{held:.1%}", f"{width:.2f}"]


def pairs(simulations: int) -> Iterator[list[str]]:
    """Yield the coverage on minimal pairs, counted as pairs and as single sentences."""
    world = World(1000, 0.50, 0.6, acceptable=0.5, pairs=True)
    for clustered in (True, False):
        held, width, _ = coverage(world, 5, simulations, seed=3, clustered=clustered)
        yield ["pairs" if clustered else "sentences", f"{held:.1%}", f"{width:.3f}"]


def related(simulations: int) -> Iterator[list[str]]:
    """Yield the coverage of differences between runs whose seeds are the same, or nearly."""
    for world in (OUT_OF_DOMAIN, IN_DOMAIN):
        for name, shift, shared in RELATED:
            worlds = [world, replace(world, shift=shift)]
            found = {
                seeds: coverage_of_difference(worlds, seeds, simulations, seed=5, shared=shared)
                for seeds in SEEDS
            }
            most = max(SEEDS)
            yield [
                f"{world.sentences:,}", name.format(shared), f"{found[most][2] / most:.1f}",
                *(f"{held:.1%}, {width:.3f}" for held, width, _ in found.values()),
            ]  # fmt: skip


def same(simulations: int) -> Iterator[list[str]]:
    """Yield how often two runs of one recipe are called different."""
    for world in WORLDS:
        for seeds in SAME:
            # Two single models are the same only if seeds make no difference.
            recipe = replace(world, seed_sd=0.0) if seeds == (1, 1) else world
            called = found_different([recipe] * 2, list(seeds), simulations, seed=4)
            yield [f"{world.sentences:,}", f"{seeds[0]} and {seeds[1]}", f"{called:.1%}"]
        # The same mean, and another spread over seeds.
        worlds = [world, replace(world, seed_sd=2 * world.seed_sd)]
        for seeds in ((5, 5), (5, 3)):
            called = found_different(worlds, list(seeds), simulations, seed=4)
            row = f"{seeds[0]} and {seeds[1]}, these of twice the SD"
            yield [f"{world.sentences:,}", row, f"{called:.1%}"]


def power(simulations: int) -> Iterator[list[str]]:
    """Yield how often a true difference is found."""
    for world in (OUT_OF_DOMAIN, BOTH):
        for seeds in (3, 5, 10):
            row = [f"{world.sentences:,}", str(seeds)]
            for larger in (0.03, 0.05, 0.10):
                other = replace(world, mcc=world.mcc + larger)
                called = found_different([world, other], [seeds] * 2, simulations, seed=6)
                row.append(f"{called:.0%}")
            yield row


def main() -> None:
    """Read the arguments, and print every table."""
    arguments = console.parser(__doc__)
    arguments.add_argument("--simulations", type=int, default=4000, help="for each row")
    count = arguments.parse_args().simulations
    table(
        "How often the 95% interval holds the true MCC",
        ["sentences", "true MCC", "seeds", "held", "width", "held if seeds are left out"],
        interval_rows(count),
    )
    table("Small groups", ["sentences", "seeds", "held", "width"], groups(count))
    table("Minimal pairs, 5 seeds", ["counted as", "held", "width"], pairs(count))
    table(
        "Two runs whose seeds are the same",
        ["sentences", "B", "differ for a seed", *(f"{seeds} seeds" for seeds in SEEDS)],
        related(count // 2),
    )
    table(
        "One recipe compared with itself", ["sentences", "seeds", "called different"], same(count)
    )
    table(
        "A true difference found",
        ["sentences", "seeds each", ".03", ".05", ".10"],
        power(count // 2),
    )


if __name__ == "__main__":
    console.run(main)
