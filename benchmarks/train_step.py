"""Time a training step with and without fixed padding and bf16, in turn in one run.

    python -m benchmarks.train_step [--steps 12] [--rounds 3]

Uses the outputs of `dvc repro split` and the machine as it is. The machine's noise falls on all
variants alike, because they take turns: quote the ratios, not the seconds.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import set_seed

from stages import console, encoders, files, params, train

VARIANTS = [
    (padding, precision) for padding in ("longest", "max_length") for precision in ("bf16", "fp32")
]


def time_steps(
    padding: str, precision: str, rows: list[dict], max_length: int, options: train.Train
) -> float:
    """Return the seconds that a step takes on average, over the batches of `rows`."""
    backbone = Path("data/download/backbone")
    set_seed(1)
    with tempfile.TemporaryDirectory() as scratch:
        settings = train.arguments_of(
            options.model_copy(update={"epochs": 1, "padding": padding}),
            seed=1,
            precision=precision,
            device=encoders.choose_device(),
            validate=False,
            scratch=Path(scratch),
        )
        model = train.load_model(backbone)
        tokenizer = encoders.load_tokenizer(backbone)
        started = time.perf_counter()
        train.fine_tune(
            model,
            tokenizer,
            {"train": rows, "validation": []},
            settings,
            keep="last",
            padding=padding,
            max_length=max_length,
        )
        return (time.perf_counter() - started) / (len(rows) / options.batch_size)


def main() -> None:
    """Time every variant in each round and print medians and their ratios to the fastest."""
    arguments = console.parser(__doc__)
    arguments.add_argument("--steps", type=int, default=12, help="steps per variant and round")
    arguments.add_argument("--rounds", type=int, default=3)
    args = arguments.parse_args()
    options = params.load(Path("params.yaml"), "train", train.Train)
    encoders.quiet()
    torch.set_num_threads(options.threads)
    tokens = files.read_table(Path("data/tokenize/tokens.parquet"))
    folds = files.read_table(Path("data/split/folds.parquet"))
    max_length = files.read_json(Path("data/tokenize/settings.json"))["max_length"]
    rows = train.select(tokens, folds, "train")[: args.steps * options.batch_size]
    seconds: dict[tuple[str, str], list[float]] = {variant: [] for variant in VARIANTS}
    for _ in range(args.rounds):
        for padding, precision in VARIANTS:
            seconds[padding, precision].append(
                time_steps(padding, precision, rows, max_length, options)
            )
    medians = {variant: statistics.median(found) for variant, found in seconds.items()}
    least = medians["longest", "bf16"]
    sys.stdout.write(f"{'padding':<12}{'precision':<11}{'s per step':>10}{'ratio':>8}\n")
    for (padding, precision), median in medians.items():
        sys.stdout.write(f"{padding:<12}{precision:<11}{median:>10.3f}{median / least:>8.1f}\n")


if __name__ == "__main__":
    console.run(main)
