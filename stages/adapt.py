"""Optional intermediate training: detect corrupted sentences and wrong words.

Reads   data/parse/documents.parquet, data/parse/sentences.parquet, the encoder in
        data/download/backbone, and `adapt` of params.yaml. With `adapt.epochs: 0` it opens neither
        table, and with `adapt.texts: sentences` it does not wait for the first.
Writes  data/adapt, the encoder that `train` starts from: safetensors and tokenizer. And a CSV file
        with a row of figures per epoch. With `adapt.epochs: 0` the encoder is the backbone, file
        by file, and the table has no row.

    python -m stages.adapt data/parse/documents.parquet data/parse/sentences.parquet \\
        data/download/backbone data/adapt

`bertline.training.intermediate` has the task. No sentence of the sentences' corpus, training or
test, is trained on here. A killed run resumes from its last checkpoint, to the same bytes
(`bertline.training.loop`).
"""

import shutil
from pathlib import Path

import torch

from bertline.core import console, files, params
from bertline.core.checkpoint import Checkpoint
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.encoders import loading, running
from bertline.scoring.names import ADAPT_EPOCH
from bertline.training import intermediate, loop
from bertline.training.intermediate import Adapt, Detector


def copy(backbone: Path, out: Path) -> None:
    """Lay the backbone's files down in `out` as they are.

    Not by shutil.copytree, whose errors do not say that it was the disk that is full.
    """
    for path in sorted(backbone.rglob("*")):
        if path.is_file():
            target = out / path.relative_to(backbone)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def main() -> None:
    """Read the arguments and the parameters, train to detect, and write encoder and figures."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument(
        "sentences", type=Path, help="Parquet table of sentences, not trained on"
    )
    arguments.add_argument("backbone", type=Path, help="folder of the encoder")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--table", type=Path, help="write the epochs' figures to this CSV file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "adapt", Adapt)
    files.require(args.backbone)
    if options.epochs and options.texts != "documents":
        raise BertlineError(
            f"adapt.epochs is {options.epochs}, and adapt.texts is {options.texts}, none of which "
            f"may be trained on here. Set adapt.texts to documents, or adapt.epochs to 0."
        )

    work = receipt(
        args.receipt,
        "adapt",
        parameters={"adapt": options},
        inputs=[args.documents, args.sentences, args.backbone],
        outputs=[args.out, args.table],
    )
    with work as run:
        if options.epochs == 0:
            with files.whole_folder(args.out) as out:
                copy(args.backbone, out)
                if args.table:
                    files.write_csv(args.table, ADAPT_EPOCH, [])
            Checkpoint(args.out, "").clear()  # of a run with epochs that was killed
            console.log("adapt.epochs is 0: the backbone stays as it is")
            return
        chosen = intermediate.sample(args.documents, args.sentences, options)
        with files.whole_folder(args.out) as out:
            device, precision = running.set_up(options.precision, key="adapt.precision")
            torch.set_num_threads(options.threads)
            tokenizer = loading.load_tokenizer(args.backbone)
            torch.manual_seed(options.seed)  # before the heads are drawn
            model = Detector(loop.load_classifier(args.backbone, intermediate.LABELS))
            plan = intermediate.plan_detection(chosen, args.backbone, options, device, precision)
            console.log(
                f"{len(chosen.training):,} of {chosen.found:,} plain sentences, "
                f"{chosen.in_corpus:,} left out as they are in the sentences' corpus; "
                f"{plan.steps:,} steps on {device.type} in {precision}"
            )
            run |= loop.facts(plan)
            checkpoint = Checkpoint(args.out, run.key(**running.facts(device, precision)))
            history = loop.fit(model, plan, checkpoint)
            run.costs |= loop.costs(plan, history)
            loop.save(model.classifier, tokenizer, out)
            if args.table:
                counted = [{"sentences": len(chosen.training)} | row for row in history.rows]
                rows = [[row.get(name, "") for name in ADAPT_EPOCH] for row in counted]
                files.write_csv(args.table, ADAPT_EPOCH, rows)
        checkpoint.clear()


if __name__ == "__main__":
    console.run(main)
