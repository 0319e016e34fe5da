"""Time a training step with and without fixed padding and bf16, in turn in one run.

    python -m benchmarks.train_step [--steps 40] [--rounds 3] [--threads 1 2 4] [--busy 2]

Uses the outputs of `dvc repro split` and the machine as it is. The machine's noise falls on all
variants alike, because they take turns: quote the ratios, not the seconds.

--threads times the recipe of params.yaml with these numbers of threads instead; --busy lets so many
other processes compute meanwhile, as on a machine that others use too.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from bertline.core import console, files, params
from bertline.core.checkpoint import Checkpoint
from bertline.encoders import loading, running
from bertline.training import fine_tuning, loop
from bertline.training.fine_tuning import FineTuning, Train

BACKBONE = Path("data/download/backbone")
TOKENS = Path("data/tokenize")
PADDINGS, PRECISIONS = ("longest", "max_length"), ("bf16", "fp32")


def load_rows(steps: int, options: Train) -> list[dict[str, Any]]:
    """Return the sentences of so many training steps."""
    tokens = files.read_table(TOKENS / "tokens.parquet")
    folds = files.read_table(Path("data/split/folds.parquet"))
    return fine_tuning.select(tokens, folds, "train")[: steps * options.batch_size]


def time_steps(rows: list[dict[str, Any]], options: Train, precision: str) -> float:
    """Return the seconds that a step takes on average, over one epoch of `rows`."""
    torch.manual_seed(1)
    settings = files.read_json(TOKENS / "settings.json", keys=["max_length", "labels"])
    tokenizer = loading.load_tokenizer(BACKBONE)
    collator = fine_tuning.collator(tokenizer, options, settings["max_length"])
    plan = FineTuning(
        options.model_copy(update={"epochs": 1}),
        1,
        running.choose_device(),
        precision,
        rows,
        [],
        collator,
    )
    model = loop.load_classifier(BACKBONE, settings["labels"])
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = Checkpoint(Path(scratch) / "out", "benchmark")
        started = time.perf_counter()
        loop.fit(model, plan, checkpoint)
        return (time.perf_counter() - started) / plan.steps


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Let so many other processes compute during the block."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()


def main() -> None:
    """Time every variant in each round and print medians and their ratios to the first."""
    arguments = console.parser(__doc__)
    arguments.add_argument("--steps", type=int, default=40, help="steps per variant and round")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, nargs="+", default=[])
    arguments.add_argument("--busy", type=int, default=0, help="other processes that compute")
    args = arguments.parse_args()
    options = params.load(Path("params.yaml"), "train", Train)
    loading.quiet()
    running.compute_repeatably()
    rows = load_rows(args.steps, options)
    variants = [
        (threads, padding, precision)
        for threads in args.threads or [options.threads]
        for padding in ([options.padding] if args.threads else PADDINGS)
        for precision in (PRECISIONS[:1] if args.threads else PRECISIONS)
    ]
    seconds: dict[tuple[int, str, str], list[float]] = {variant: [] for variant in variants}
    with busy(args.busy):
        for _ in range(args.rounds):
            for threads, padding, precision in variants:
                torch.set_num_threads(threads)
                padded = options.model_copy(update={"padding": padding})
                seconds[threads, padding, precision].append(time_steps(rows, padded, precision))
    medians = {variant: statistics.median(found) for variant, found in seconds.items()}
    first = medians[variants[0]]
    sys.stdout.write(
        f"{'threads':<9}{'padding':<12}{'precision':<11}{'s per step':>10}{'ratio':>8}\n"
    )
    for (threads, padding, precision), median in medians.items():
        row = f"{threads:<9}{padding:<12}{precision:<11}{median:>10.3f}{median / first:>8.1f}"
        sys.stdout.write(f"{row}\n")


if __name__ == "__main__":
    console.run(main)
