"""Compare Bertline's speed with that of what people use, side by side in one run.

    make bench                 # some twelve minutes on two cores
    make bench FULL=1          # an hour at most: more sentences, all documents
    python -m benchmarks.bench --only training --sentences 64 --repeats 1

Contenders take turns, each in a process of its own, on the same encoder, sentences, documents and
vectors, those of the default run: `make repro` comes first. Quote the ratios, not the seconds: what
else the machine does falls on all alike.

Reads   the outputs of the default run, and params.yaml.
Writes  results.md and results.json beside this file (`--out` names another JSON file): medians over
        the repeats, ratios with their range, goals met or missed, quality, memory, the machine, and
        where the time goes.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import inputs, quality, results, runner
from benchmarks.runner import Contender, Outcome
from bertline.core import console, files, machine
from bertline.core.dependencies import ROOT

OUT = Path(__file__).with_name("results.json")
SECTIONS = ("training", "large", "embedding", "topics", "busy", "profile")
BUSY = 2  # other processes that compute
LARGE_HELD_OUT = 32  # sentences: with random weights there is nothing to score
PROFILED = 256  # sentences and documents at most: a profile of more fills the memory
OURS, TRAINER = "benchmarks.ours", "benchmarks.peers_training"


@dataclass(frozen=True)
class Sizes:
    """How much is computed."""

    sentences: int = 192
    large_sentences: int = 64
    busy_sentences: int = 64
    documents: int = 256  # embedded
    topic_documents: int = 6_000
    new_documents: int = 600
    repeats: int = 3
    slow_repeats: int = 2  # of what takes long: the large encoder, topics, the busy machine


FULL = Sizes(
    sentences=3_000,
    large_sentences=96,
    busy_sentences=192,
    documents=2_048,
    topic_documents=1_000_000,  # all
    new_documents=1_000,
    slow_repeats=3,
)


class Bench:
    """The sections of the benchmark; each returns what `results` renders."""

    def __init__(self, data: Path, sizes: Sizes, scratch: Path, large: dict[str, Any]) -> None:
        """large: what makes the large encoder differ from `BertConfig`'s defaults."""
        self.data, self.sizes, self.scratch, self.shape = data, sizes, scratch, large
        self.cores = machine.cores()

    def training(self) -> dict[str, Any]:
        """Compare fine-tuning of the default encoder."""
        settings = {"data": str(self.data), "sentences": self.sizes.sentences}
        return self._fine_tuning(settings, self.sizes.repeats, goals=True)

    def large(self) -> dict[str, Any]:
        """Compare fine-tuning of an encoder of bert-base's shape with random weights."""
        from benchmarks.peers_training import write_large_bert

        folder = write_large_bert(self.scratch / "large", self.data / "adapt", **self.shape)
        settings = {"data": str(self.data), "sentences": self.sizes.large_sentences}
        settings |= {"held_out": LARGE_HELD_OUT, "backbone": str(folder)}
        return self._fine_tuning(settings, self.sizes.slow_repeats, goals=False)

    def _fine_tuning(
        self, settings: dict[str, Any], repeats: int, *, goals: bool
    ) -> dict[str, Any]:
        def of(name: str, function: str, goal: float | None = None, **more: Any) -> Contender:
            return Contender(name, function, settings, goal=goal if goals else None, **more)

        ours, best = f"{OURS}:fine_tune", f"{TRAINER}:trainer_at_its_best"
        contenders = [
            of("Bertline, a process a core", ours, processes=self.cores, threads=1),
            of("article's recipe", f"{TRAINER}:article", 8),
            of("Trainer as `run_glue` sets it up", f"{TRAINER}:run_glue", 20),
            of("Trainer at its best", best, 1.15),
        ]
        if goals:  # the large encoder takes minutes as it is
            contenders += [
                of("Bertline, one process", ours, threads=1),
                of("Trainer at its best, one thread", best, threads=1),
            ]
        found = runner.interleave(contenders, repeats)
        rows = runner.summarise(contenders, found)
        quality.add_scores(rows, found)
        return {"rows": rows, "sentences": settings["sentences"]}

    def embedding(self) -> dict[str, Any]:
        """Compare the embedding of documents."""
        common = {"data": str(self.data), "documents": self.sizes.documents}

        def of(name: str, function: str, goal: float | None = None, **more: Any) -> Contender:
            vectors = str(self.scratch / f"{len(name)}-{function.partition(':')[2]}.npy")
            settings = common | {"vectors": vectors} | more
            return Contender(name, function, settings, goal=goal, seeded=False)

        encode = "benchmarks.peers_embedding:encode"
        contenders = [
            of("Bertline", f"{OURS}:embed"),
            of("`SentenceTransformer.encode`", encode, 4),
            of("`encode` with weights in bf16", encode, dtype="bfloat16"),
        ]
        found = runner.interleave(contenders, self.sizes.repeats)
        rows = runner.summarise(contenders, found)
        quality.add_cosines(rows, found, reference=contenders[1].name)
        return {"rows": rows, "documents": self.sizes.documents}

    def topics(self) -> dict[str, Any]:
        """Compare topic models: fit, map, and new documents."""
        settings = {
            "data": str(self.data),
            "documents": self.sizes.topic_documents,
            "new": self.sizes.new_documents,
        }
        contenders = [
            Contender("Bertline", f"{OURS}:topics", settings, seeded=False),
            Contender(
                "BERTopic, default settings",
                "benchmarks.peers_topics:bertopic",
                settings,
                goal=3,
                seeded=False,
            ),
        ]
        found = runner.interleave(contenders, self.sizes.slow_repeats)
        rows = runner.summarise(contenders, found)
        quality.add_topics(rows, found)
        of_first: Outcome = found[contenders[0].name][0]["each"][0]
        return {"rows": rows, "documents": of_first["items"], "new": self.sizes.new_documents}

    def busy(self) -> dict[str, Any]:
        """Time fine-tuning by numbers of threads, with idle cores and with busy ones."""
        settings = {"data": str(self.data), "sentences": self.sizes.busy_sentences}
        settings |= {"held_out": LARGE_HELD_OUT}
        contenders = [
            Contender(
                f"{load}, {threads} thread{'s' * (threads > 1)}",
                f"{OURS}:fine_tune",
                settings,
                threads=threads,
                busy=others,
            )
            for load, others in (("idle cores", 0), (f"{BUSY} other processes", BUSY))
            for threads in (1, 2, 4)
        ]
        found = runner.interleave(contenders, self.sizes.slow_repeats)
        return {"rows": runner.summarise(contenders, found), "batch": 32}

    def profile(self) -> dict[str, Any]:
        """Return the shares of groups of operators in training and in embedding."""
        training = {"data": str(self.data), "held_out": LARGE_HELD_OUT}
        training |= {"sentences": min(PROFILED, self.sizes.sentences)}
        documents = min(PROFILED, self.sizes.documents)
        embedding = {"data": str(self.data), "documents": documents}
        embedding |= {"vectors": str(self.scratch / "profiled.npy")}
        contenders = [
            Contender("training", "benchmarks.profiling:training", training, threads=1),
            Contender("embedding", "benchmarks.profiling:embedding", embedding, seeded=False),
        ]
        found = {one.name: runner.run_once(one, 1)["each"][0] for one in contenders}
        return {
            name: {key: one[key] for key in ("shares", "operators")} for name, one in found.items()
        }


def measure_machine() -> dict[str, Any]:
    """Return facts of the machine, and its peaks with one thread and with all cores."""
    from benchmarks.machine import facts

    peaks = {}
    for name, threads in (("one_thread", 1), ("all_cores", machine.cores())):
        contender = Contender(name, "benchmarks.machine:peaks", threads=threads, seeded=False)
        (found,) = runner.run_once(contender, 1)["each"]
        peaks[name] = {key: found[key] for key in ("fp32_gflops", "bf16_gflops", "copy_gb")}
    return facts() | {"peaks": peaks}


def read_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    arguments = console.parser(__doc__)
    arguments.add_argument("--data", type=Path, default=ROOT / "data", help="outputs of the run")
    arguments.add_argument("--out", type=Path, default=OUT, help="JSON file (default: %(default)s)")
    arguments.add_argument("--full", action="store_true", help="more of everything")
    arguments.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    arguments.add_argument("--repeats", type=int, help="of every section")
    arguments.add_argument("--sentences", type=int, help="of every fine-tuning")
    arguments.add_argument("--documents", type=int, help="embedded, and clustered")
    arguments.add_argument("--layers", type=int, default=12, help="of the large encoder")
    return arguments.parse_args()


def choose_sizes(args: argparse.Namespace) -> Sizes:
    """Return the sizes that the arguments ask for."""
    sizes = FULL if args.full else Sizes()
    if args.repeats:
        sizes = replace(sizes, repeats=args.repeats, slow_repeats=args.repeats)
    if args.sentences:
        every: tuple[str, ...] = ("sentences", "large_sentences", "busy_sentences")
        sizes = replace(sizes, **dict.fromkeys(every, args.sentences))
    if args.documents:
        new = max(1, args.documents // 10)
        every = ("documents", "topic_documents")
        sizes = replace(sizes, new_documents=new, **dict.fromkeys(every, args.documents))
    return sizes


def main() -> None:
    """Run the sections and write the results after each of them."""
    args = read_arguments()
    inputs.require(args.data)
    started = time.monotonic()
    found: dict[str, Any] = {"machine": measure_machine(), "sections": {}}
    with tempfile.TemporaryDirectory() as scratch:
        large = {"num_hidden_layers": args.layers}
        bench = Bench(args.data.resolve(), choose_sizes(args), Path(scratch), large)
        found["sizes"] = vars(bench.sizes)
        for name in args.only:
            console.log(f"bench: {name}")
            section: Callable[[], dict[str, Any]] = getattr(bench, name)
            found["sections"][name] = section()
            found["minutes"] = round((time.monotonic() - started) / 60, 1)
            runner.write_json(args.out, found)
            with files.whole_file(args.out.with_suffix(".md")) as unfinished:
                unfinished.write_text(results.render(found), encoding="utf-8")
    console.log(f"bench: {args.out.with_suffix('.md')}, after {found['minutes']} minutes")


if __name__ == "__main__":
    console.run(main)
