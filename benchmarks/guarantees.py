"""Time what the guarantees of the same bytes cost: with and without each, in turn in one run.

    python -m benchmarks.guarantees [--rounds 3]

Uses the outputs of `dvc repro` and the machine as it is. The machine's noise falls on both sides
alike, because they take turns: quote the ratios, not the seconds.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import torch
from sklearn.linear_model import LogisticRegressionCV
from threadpoolctl import threadpool_limits

from benchmarks import ours
from benchmarks.contender import Clock
from bertline.core import checkpoint, console, files, machine, params
from bertline.core.receipt import receipt
from bertline.encoders import embedding, loading, running
from bertline.scoring import tfidf
from bertline.scoring.names import TRAINING
from bertline.training import fine_tuning, intermediate, loop
from bertline.training.fine_tuning import FineTuning, Train
from stages import embed

SENTENCES = 1280  # trained on in a round
BACKBONE = Path("data/download/backbone")
DOCUMENTS = 400  # embedded in a round
EMBEDDER = Path("data/download/embedder")
DOCUMENT_TABLE = Path("data/parse/documents.parquet")

# In a process of its own: numba takes its number of threads from the environment, once.
NEIGHBOURS = """
import sys, time
import numpy as np
from umap.umap_ import nearest_neighbors
vectors = np.load("data/embed/embeddings.npy")
def search(count):
    nearest_neighbors(vectors[:count], n_neighbors=15, metric="cosine", metric_kwds={},
                      angular=False, random_state=np.random.RandomState(42),
                      n_jobs=int(sys.argv[1]))
search(500)  # compiles
started = time.perf_counter()
search(len(vectors))
print(time.perf_counter() - started)
"""

Timed = Callable[[], float]


def timed(action: Callable[[], object]) -> Timed:
    """Return a function that runs `action` and returns the seconds that it took."""

    def time_it() -> float:
        started = time.perf_counter()
        action()
        return time.perf_counter() - started

    return time_it


def training_steps(*, deterministic: bool = True, threads: int | None = None) -> Timed:
    """Return what times training steps; on the parameters' number of threads, if none is given."""
    options = params.load(Path("params.yaml"), "train", Train)

    def choose() -> None:
        torch.use_deterministic_algorithms(deterministic)

    def run() -> float:
        torch.set_num_threads(threads or options.threads)
        clock = Clock()
        with mock.patch.object(running, "compute_repeatably", choose):
            ours.fine_tune(clock, data="data", sentences=SENTENCES, held_out=1, seed=1)
        return clock.seconds

    return run


def embedding_cost(*, by_batches: bool) -> Timed:
    """Return what times embedding: batches side by side on a thread each, or divided by torch."""
    device = running.choose_device()
    options = params.load(Path("params.yaml"), "embed", embed.Embed)
    precision = running.choose_precision(options.precision, device, key="embed.precision")
    encoder = embedding.load_encoder(EMBEDDER, device)
    texts = pq.read_table(DOCUMENT_TABLE, columns=["text"])["text"].to_pylist()[:DOCUMENTS]

    def divided(
        function: Callable[[Any], Any], items: Iterable[Any], _: torch.device
    ) -> Iterator[Any]:
        torch.set_num_threads(machine.cores())
        return map(function, items)

    def run() -> float:
        chosen = running.in_parallel
        with mock.patch.object(running, "in_parallel", chosen if by_batches else divided):
            started = time.perf_counter()
            for _ in embedding.embed_window(
                encoder, texts, precision=precision, tokens_per_batch=options.tokens_per_batch
            ):
                pass
            return time.perf_counter() - started

    return run


def neighbours(threads: int) -> Timed:
    """Return what times the search for neighbours on so many threads, compilation left out."""

    def run() -> float:
        finished = subprocess.run(
            [sys.executable, "-c", NEIGHBOURS, str(threads)],
            env=os.environ | {"NUMBA_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        )
        return float(finished.stdout)

    return run


def baseline(*, tight: bool) -> Timed:
    """Return what times the TF-IDF baseline, to a tight tolerance or with scikit-learn's defaults.

    The defaults are lbfgs with its own tolerance, on as many threads as there are.
    """
    tokens = files.read_table(Path("data/tokenize/tokens.parquet"))
    folds = files.read_table(Path("data/split/folds.parquet"))
    rows = tokens.merge(folds, on="id")
    training = rows[rows["fold"] == TRAINING]

    def by_default(**options: Any) -> object:
        return LogisticRegressionCV(
            **{key: options[key] for key in options if key not in ("solver", "tol")}
        )

    def run() -> float:
        with ExitStack() as patches:
            if not tight:
                every = {
                    "LogisticRegressionCV": by_default,
                    "threadpool_limits": lambda *_, **__: threadpool_limits(machine.cores()),
                }
                for name, other in every.items():
                    patches.enter_context(mock.patch.object(tfidf, name, other))
            started = time.perf_counter()
            tfidf.fit(training["text"], training["label"].to_numpy(), 2)
            return time.perf_counter() - started

    return run


def checkpoint_seconds() -> float:
    """Return the seconds that one checkpoint of the default backbone takes."""
    options = params.load(Path("params.yaml"), "train", Train)
    model = loop.load_classifier(BACKBONE, intermediate.LABELS)
    collator = fine_tuning.collator(loading.load_tokenizer(BACKBONE), options, 64)
    plan = FineTuning(options, 1, torch.device("cpu"), "fp32", [], [], collator)
    optimizer = loop.build_optimizer(model, options)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    with tempfile.TemporaryDirectory(dir="data") as scratch:
        history = loop.History(losses=[torch.tensor(0.5)])
        write = timed(
            lambda: loop.suspend(Path(scratch) / "state", model, optimizer, history, plan)
        )
        return statistics.median(write() for _ in range(3))


def receipt_seconds() -> float:
    """Return the seconds that the receipt of a training takes, its model hashed."""
    inputs = [Path("data/tokenize"), Path("data/split"), BACKBONE]
    with tempfile.TemporaryDirectory() as scratch:

        def write() -> None:
            with receipt(
                Path(scratch) / "receipt.json",
                "train@1",
                parameters={},
                inputs=inputs,
                outputs=[Path("data/train/1")],
            ):
                pass

        return statistics.median(timed(write)() for _ in range(3))


def main() -> None:
    """Time each guarantee with and without, print medians and ratios."""
    arguments = console.parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    args = arguments.parse_args()
    loading.quiet()
    running.compute_repeatably()
    cores = machine.cores()
    topics = params.read_yaml(Path("params.yaml"))["topic_fit"]["umap"]["threads"]
    threads = params.load(Path("params.yaml"), "train", Train).threads
    pairs: dict[str, tuple[Timed, Timed]] = {
        "train: torch's deterministic algorithms, or its own choice": (
            training_steps(deterministic=True),
            training_steps(deterministic=False),
        ),
        f"train: {threads} threads, or as many as there are cores ({cores})": (
            training_steps(threads=threads),
            training_steps(threads=cores),
        ),
        "embed: a thread for each batch, or batches divided among threads": (
            embedding_cost(by_batches=True),
            embedding_cost(by_batches=False),
        ),
        f"topic_fit: {topics} threads for neighbours, or {cores}": (
            neighbours(topics),
            neighbours(cores),
        ),
        "evaluate: TF-IDF to a tight tolerance on one thread, or as by default": (
            baseline(tight=True),
            baseline(tight=False),
        ),
    }
    sys.stdout.write(f"{'with the guarantee, or without it':<72}{'ratio':>6}{'s':>8}{'s':>8}\n")
    for name, sides in pairs.items():
        seconds = np.array([[side() for side in sides] for _ in range(args.rounds)])
        ratio = np.median(seconds[:, 0] / seconds[:, 1])
        ours, others = np.median(seconds, axis=0)
        sys.stdout.write(f"{name:<72}{ratio:>6.2f}{ours:>8.2f}{others:>8.2f}\n")
        sys.stdout.flush()
    kept = checkpoint_seconds()
    share = kept / max(checkpoint.INTERVAL, checkpoint.PATIENCE * kept)
    sys.stdout.write(f"a checkpoint of training takes {kept:.2f} s: {share:.1%} of the time\n")
    sys.stdout.write(f"a receipt of training takes {receipt_seconds():.2f} s\n")


if __name__ == "__main__":
    console.run(main)
