"""Fine-tune the backbone to classify sentences, with one seed.

Reads   data/tokenize, data/split, the encoder in data/adapt, and `train` of params.yaml.
Writes  data/train/<seed>: the model (safetensors and tokenizer; `transformers.pipeline` loads it);
        settings.json, how texts are cut and the names of the classes; and history.csv, a row per
        epoch.

    python -m stages.train 1 data/tokenize data/split data/adapt data/train/1

`bertline.training.fine_tuning` has the recipe. With an encoder that `adapt` trained, the head is
the one that it learned if the classes are its own, unacceptable and acceptable. Everything is
seeded before the head is drawn. A killed run resumes from its last checkpoint, to the same bytes
(`bertline.training.loop`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bertline.core import console, files, params
from bertline.core.checkpoint import Checkpoint
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.encoders import loading, running
from bertline.scoring.names import EPOCH, TRAINING, VALIDATION
from bertline.training import fine_tuning, loop
from bertline.training.fine_tuning import FineTuning, Train


def read_rows(
    tokens: Path, folds: Path, labels: Sequence[str], options: Train
) -> dict[str, list[dict[str, Any]]]:
    """Return the windows and labels of the training and the validation fold.

    labels: names of the classes. Raises BertlineError if a class has nothing to train on, or if
    there is no fold to keep an epoch by.
    """
    table = files.read_table(tokens / "tokens.parquet", columns=["id", "label", "windows"])
    of_fold = files.read_table(folds / "folds.parquet", columns=["id", "fold"])
    rows = {fold: fine_tuning.select(table, of_fold, fold) for fold in (TRAINING, VALIDATION)}
    fine_tuning.check_labels(rows[TRAINING], labels)
    if options.keep != "last" and not rows[VALIDATION]:
        raise BertlineError(
            f"params.yaml: train.keep is {options.keep}, which needs a validation fold, and "
            f"split.validation is 0. Set train.keep to last."
        )
    return rows


def main() -> None:
    """Read the arguments and the parameters, fine-tune, and write model and history."""
    arguments = console.parser(__doc__)
    arguments.add_argument("seed", type=params.parse_seed, help="seed of this model")
    arguments.add_argument("tokens", type=Path, help="folder that tokenize wrote")
    arguments.add_argument("folds", type=Path, help="folder that split wrote")
    arguments.add_argument("backbone", type=Path, help="folder of the encoder")
    arguments.add_argument("out", type=Path, help="folder to write")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "train", Train)
    settings = files.read_json(
        args.tokens / "settings.json", keys=["max_length", "long_texts", "labels"]
    )
    rows = read_rows(args.tokens, args.folds, settings["labels"], options)

    work = receipt(
        args.receipt,
        f"train@{args.seed}",
        parameters={"train": options},
        inputs=[args.tokens, args.folds, args.backbone],
        outputs=[args.out],
    )
    with work as run:
        with files.whole_folder(args.out) as out:
            device, precision = running.set_up(options.precision, key="train.precision")
            torch.set_num_threads(options.threads)
            tokenizer = loading.load_tokenizer(args.backbone)
            torch.manual_seed(args.seed)  # before the head is drawn
            model = loop.load_classifier(args.backbone, settings["labels"])
            collator = fine_tuning.collator(tokenizer, options, settings["max_length"])
            plan = FineTuning(
                options, args.seed, device, precision, rows[TRAINING], rows[VALIDATION], collator
            )
            console.log(f"seed {args.seed}: {fine_tuning.describe(plan, model)}")
            run |= loop.facts(plan)
            checkpoint = Checkpoint(args.out, run.key(**running.facts(device, precision)))
            history = loop.fit(model, plan, checkpoint)
            run.costs |= loop.costs(plan, history)
            console.log(fine_tuning.table_of(history))
            tokenizer.model_max_length = settings["max_length"]  # where a pipeline truncates
            loop.save(model, tokenizer, out)
            files.write_json(out / "settings.json", settings)
            epochs = [[row.get(name, "") for name in EPOCH] for row in history.rows]
            files.write_csv(out / "history.csv", EPOCH, epochs)
        checkpoint.clear()


if __name__ == "__main__":
    console.run(main)
