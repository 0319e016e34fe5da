"""Break errors down by group, measure calibration, and check for overfitting.

Reads   data/parse/phenomena.parquet, the texts in data/tokenize, the predictions in data/evaluate,
        metrics/evaluate/learning_curves.csv, and `analyze` of params.yaml.
Writes  data/analyze/errors.json: the most confident errors, with their sentences. And a
        folder of small files, none of which holds a sentence of the corpus:
        summary.json       counts, calibration, and the notes on overfitting
        breakdown.csv      errors and MCC by class, source, length and phenomenon, each against
                           the rest
        calibration.csv    calibration error, Brier score and loss, with and without temperature
        reliability.csv    probability of the predicted class, and how often it is right, in bins
        selection.csv      the epoch that each rule would keep, and its validation figures
        protocol.json      the parameters that the report shows

    python -m stages.analyze data/parse/phenomena.parquet data/tokenize data/evaluate \\
        metrics/evaluate/learning_curves.csv data/analyze

`bertline.scoring.analysis` has the analysis, and breakdown, calibration and overfitting beside it
the methods.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.scoring import analysis, tables
from bertline.scoring.analysis import Analyze
from bertline.scoring.tables import BETTER, WORSE

PHENOMENA = ("by", "set", "value", "label", "major", "minor")


def tell(summary: dict[str, Any], table: pd.DataFrame) -> None:
    """Log how many annotations joined, which groups stand out, and the notes on overfitting."""
    console.log(f"annotations: {summary['annotations']}")
    if not summary["annotations"]["sentences_annotated"]:
        console.log(
            "no sentence is annotated by the source that inputs.phenomena names in params.yaml: "
            "errors are counted by class, source and length only."
        )
    if "length" not in set(table["grouping"]):
        console.log(
            "all sentences are in one range of analyze.length_bounds, so errors are not counted by "
            "length. Set it to null for fifths of the sentences, or to bounds that divide them."
        )
    whole = table[table["set"] == table["set"].iloc[-1]]
    for _, row in whole[whole["finding"].isin([WORSE, BETTER])].iterrows():
        console.log(
            f"{row['set']}, {row['grouping']}: {row['group']} has {row['finding']} than the rest "
            f"({row['error_rate']:.1%} of {row['sentences']})"
        )
    for note in summary["notes"]:
        console.log(note)


def main() -> None:
    """Read the arguments, the parameters and the tables, analyse, and write everything."""
    arguments = console.parser(__doc__)
    arguments.add_argument("phenomena", type=Path, help="Parquet table of phenomena")
    arguments.add_argument("tokens", type=Path, help="folder that tokenize wrote")
    arguments.add_argument("predictions", type=Path, help="folder that evaluate wrote")
    arguments.add_argument("curves", type=Path, help="CSV file of all seeds' epochs")
    arguments.add_argument("out", type=Path, help="folder to write the errors to")
    arguments.add_argument("--tables", type=Path, help="write summary and tables to this folder")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "analyze", Analyze)
    phenomena = files.read_table(args.phenomena, columns=PHENOMENA)
    sentences = files.read_table(args.tokens / "tokens.parquet", columns=["id", "text", "pair"])
    names = files.read_json(args.tokens / "settings.json", keys=["labels"])["labels"]
    path = args.predictions / "predictions.parquet"
    predictions = files.read_table(path, columns=list(tables.PREDICTIONS))
    curves = files.read_csv(args.curves, tables.CURVES, command="dvc repro evaluate")
    if sentences["id"].duplicated().any() or predictions.duplicated(["id", "seed"]).any():
        raise BertlineError(
            f"{args.tokens} or {path}: an id occurs twice. Run `dvc repro tokenize evaluate`."
        )
    if (of_model := len(predictions["logits"].iloc[0])) != len(names):
        raise BertlineError(
            f"{path}: the predictions are of {of_model} classes, and the sentences have "
            f"{len(names)}: they are of different runs. Run `dvc repro evaluate`."
        )

    with receipt(
        args.receipt,
        "analyze",
        parameters={"analyze": options},
        inputs=[args.phenomena, args.tokens, args.predictions, args.curves],
        outputs=[args.out, args.tables],
    ):
        summary, found, errors = analysis.analyze(
            phenomena, sentences, predictions, curves, names, options
        )
        tell(summary, found["breakdown"])
        with files.whole_folder(args.out) as out:
            files.write_json(out / "errors.json", {"errors": errors})
            if args.tables:  # within, so that a failure leaves the earlier results
                analysis.write_tables(args.tables, summary, found, options)


if __name__ == "__main__":
    console.run(main)
