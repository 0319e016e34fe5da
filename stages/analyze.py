"""Say where the models fail, how far their probabilities can be trusted, and whether they overfit.

Reads   data/parse/phenomena.parquet, the texts in data/tokenize, the predictions in data/evaluate,
        metrics/evaluate/learning_curves.csv, and `analyze` of params.yaml.
Writes  data/analyze/errors.json: the most confident errors, with their sentences. A JSON file
        with what a person compares and sentences that say it, and a folder of small tables, none
        of which holds a sentence of the corpus:
        breakdown.csv      errors and MCC by source, length and phenomenon, each against the rest
        calibration.csv    calibration error, Brier score and loss, uncalibrated and with temperature
        reliability.csv    predicted and observed shares in bins: the points of the diagram
        selection.csv      the epoch that each rule would keep, and its validation figures
        protocol.json      the parameters that the report tells of

    python -m stages.analyze data/parse/phenomena.parquet data/tokenize data/evaluate \\
        metrics/evaluate/learning_curves.csv data/analyze

The methods are told in breakdown.py, calibration.py and overfitting.py.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.core.receipt import receipt
from bertline.scoring import breakdown, calibration, overfitting, thresholds
from bertline.scoring.breakdown import Scored
from bertline.scoring.names import BOTH, DEV_SETS, VALIDATION

TOGETHER = "all test sets"  # what they are called together where they are not CoLA's dev sets
LEVELS = ("major", "minor")
LISTS = (list, np.ndarray)  # how pandas gives what Parquet holds as a list

PREDICTIONS = ("id", "set", "source", "label", "seed", "logit", "probability", "predicted")
PHENOMENA = ("by", "set", "value", "label", "major", "minor")
CURVES = ("seed", "epoch", "training_loss", "validation_loss", "validation_mcc")
CALIBRATION = (
    *("set", "seed", "scaled", "sentences", "temperature", "ece", "ece_if_calibrated", "ece_high"),
    *("brier", "loss", "overconfidence"),
)
RELIABILITY = ("set", "scaled", "bin", "sentences", "predicted", "observed", "low", "high")
MEAN = "mean of seeds"
UNCALIBRATED, SCALED = "uncalibrated", "temperature"


def _rising(bounds: list[int]) -> list[int]:
    if any(one >= other for one, other in pairwise(bounds)):
        raise ValueError("each larger than the one before")
    return bounds


class Analyze(Section):
    """The section `analyze` of params.yaml."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    min_group_size: Annotated[int, Field(ge=2)]
    length_bounds: Annotated[
        list[Annotated[int, Field(ge=1)]], Field(min_length=1), AfterValidator(_rising)
    ]
    false_discovery_rate: Annotated[float, Field(gt=0, lt=1)]
    calibration_bins: Annotated[int, Field(ge=2, le=1000)]
    simulations: Annotated[int, Field(ge=100, le=100_000)]
    seed: params.Seed
    errors: Annotated[int, Field(ge=0, le=100_000)]


@dataclass(frozen=True)
class TestSet:
    """A set to be analysed: its sentences, a row each, and every seed's predictions of them."""

    name: str
    rows: pd.DataFrame  # id, source, label, text, pair, major, minor
    predicted: np.ndarray  # shape (seeds, n), 0 or 1
    probability: np.ndarray  # (seeds, n), as evaluate has it
    logit: np.ndarray  # (seeds, n), as the model gives it

    @property
    def scored(self) -> Scored:
        """What a breakdown needs; the sentences of a pair are one cluster."""
        return Scored(
            self.rows["label"].to_numpy(), self.predicted, self.rows["pair"].to_numpy(dtype=str)
        )


def annotate(
    sentences: pd.DataFrame, phenomena: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return `sentences` with the phenomena of each, and counts of what did and did not join.

    sentences: id, set, source, label and text. Annotations by sentence join where set and text are
    the same to the letter; of a text that comes several times in a set, the first annotation is
    of the first one. Annotations by source join where the source has the same name. The new
    columns major and minor are lists, or None for a sentence that no annotation is of.
    """
    by_source = phenomena[phenomena["by"] == "source"].drop_duplicates("value")
    by_sentence = phenomena[phenomena["by"] == "sentence"].reset_index(drop=True)
    keys = ["set", "text", "occurrence"]
    numbered = sentences.assign(occurrence=sentences.groupby(["set", "text"]).cumcount())
    values = by_sentence.rename(columns={"value": "text", "label": "annotated_label"})
    values = values.assign(occurrence=values.groupby(["set", "text"]).cumcount())
    joined = numbered.merge(values[[*keys, "annotated_label", *LEVELS]], on=keys, how="left")
    of_source = by_source.set_index("value")
    for level in LEVELS:
        lists = {name: list(found) for name, found in of_source[level].items()}
        own = zip(joined["source"], joined[level], strict=True)
        found = [list(a) if isinstance(a, LISTS) else lists.get(source) for source, a in own]
        joined[level] = pd.Series(found, index=joined.index, dtype=object)
    annotated = joined["major"].notna() & joined["annotated_label"].notna()
    differs = annotated & (joined["annotated_label"] != joined["label"])
    counts = {
        "annotations": len(phenomena),
        "sentences": len(sentences),
        "sentences_annotated": int(joined["major"].notna().sum()),
        "sentences_without": int(joined["major"].isna().sum()),
        "annotations_without_sentence": int(
            len(by_sentence)
            - annotated.sum()
            + (~by_source["value"].isin(sentences["source"])).sum()
        ),
        "labels_that_differ": int(differs.sum()),
    }
    return joined.drop(columns=["occurrence", "annotated_label"]), counts


def list_sentences(predictions: pd.DataFrame, tokens: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each predicted sentence: id, set, source, label, text and pair.

    Raises BertlineError if one has no text, or a seed's sentences are not those of another.
    """
    seeds = predictions["seed"].drop_duplicates().tolist()
    first = predictions[predictions["seed"] == seeds[0]]
    for seed in seeds[1:]:
        if predictions.loc[predictions["seed"] == seed, "id"].tolist() != first["id"].tolist():
            raise BertlineError(
                f"the predictions of seed {seed} are not of the same sentences as those of seed "
                f"{seeds[0]}. Run `dvc repro evaluate`."
            )
    rows = first[["id", "set", "source", "label"]].merge(tokens, on="id", how="left")
    missing = int(rows["text"].isna().sum())
    if missing:
        raise BertlineError(
            f"{missing:,} of {len(rows):,} predicted sentences are not among the tokens: they are "
            f"of different runs. Run `dvc repro evaluate`."
        )
    return rows


def list_tests(rows: pd.DataFrame) -> list[str]:
    """Return the names of the test sets; the validation fold if there is none."""
    names = rows["set"].drop_duplicates().tolist()
    return [name for name in names if name != VALIDATION] or names


def arrange(predictions: pd.DataFrame, rows: pd.DataFrame) -> tuple[TestSet | None, list[TestSet]]:
    """Return the validation fold, if there is one, and the test sets, with one of all of them.

    predictions: a row for each seed and sentence, in the order of `rows`, a row for each sentence.
    """
    stacked = {
        name: np.stack([of_seed[name].to_numpy() for _, of_seed in by_seed])
        for by_seed in [predictions.groupby("seed", sort=False)]
        for name in ("predicted", "probability", "logit")
    }

    def select(name: str, chosen: pd.Series) -> TestSet:
        place = np.flatnonzero(chosen.to_numpy())
        arrays = {key: values[:, place] for key, values in stacked.items()}
        return TestSet(name, rows.iloc[place].reset_index(drop=True), **arrays)

    tests = list_tests(rows)
    sets = [select(name, rows["set"] == name) for name in tests]
    if TOGETHER in tests:
        raise BertlineError(
            f"a set is called {TOGETHER}, which is the name for all of them. Give it another name."
        )
    if len(tests) > 1:
        name = BOTH if set(tests) == set(DEV_SETS) else TOGETHER
        sets.append(select(name, rows["set"].isin(tests)))
    held_out = rows["set"] == VALIDATION
    return select(VALIDATION, held_out) if held_out.any() else None, sets


def group(test: TestSet, bounds: list[int]) -> dict[str, pd.Series]:
    """Return what each sentence of a set is grouped by: lists of names, or None for not known."""
    rows = test.rows
    words = rows["text"].str.split().str.len()
    return {
        "source": rows["source"].map(lambda name: [name]),
        "length": breakdown.bin_lengths(words, bounds).map(lambda name: [name]),
        **{level: rows[level] for level in LEVELS if rows[level].map(bool).any()},
    }


def most_confident(test: TestSet, number: int) -> list[dict[str, Any]]:
    """Return the sentences that most seeds get wrong, the surest first, at most `number`.

    Sure is what the mean probability over seeds says; `probability` is that of being acceptable.
    """
    labels = test.rows["label"].to_numpy()
    wrong = (test.predicted != labels).sum(axis=0)
    mean = test.probability.mean(axis=0, dtype=np.float64)
    of_label = np.where(labels == 1, mean, 1 - mean)
    table = test.rows.assign(wrong=wrong, mean=mean, of_label=of_label)
    chosen = table[wrong * 2 > len(test.predicted)].sort_values(["of_label", "id"]).head(number)
    return [
        {
            "id": row["id"],
            "set": row["set"],
            "source": row["source"],
            "label": int(row["label"]),
            "probability": round(float(row["mean"]), 6),
            "seeds_wrong": int(row["wrong"]),
            "seeds": len(test.predicted),
            "text": row["text"],
            "major": row["major"] or [],
            "minor": row["minor"] or [],
        }
        for row in chosen.to_dict("records")
    ]


def calibrate(
    validation: TestSet | None, tests: list[TestSet], seeds: list[int], options: Analyze
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of calibration.csv and reliability.csv: uncalibrated, and with temperature.

    The temperature of each seed is fitted on the validation fold; without one there is none.
    """
    temperatures = [1.0] * len(seeds)
    states = [UNCALIBRATED]
    if validation is not None:
        labels = validation.rows["label"].to_numpy()
        temperatures = [thresholds.fit_temperature(labels, row) for row in validation.logit]
        states.append(SCALED)
    measured, points = [], []
    sets = ([validation] if validation is not None else []) + [
        test for test in tests if test.name != VALIDATION
    ]
    for test in sets:
        labels = test.rows["label"].to_numpy()
        for state in states:
            used = temperatures if state == SCALED else [1.0] * len(seeds)
            common = {"set": test.name, "scaled": state, "sentences": len(labels)}
            over_seeds = [
                {"seed": str(seed), "temperature": used[place]}
                | asdict(
                    calibration.measure(
                        test.logit[place],
                        labels,
                        temperature=used[place],
                        number=options.calibration_bins,
                        simulations=options.simulations,
                        seed=options.seed,
                    )
                )
                for place, seed in enumerate(seeds)
            ]
            mean = pd.DataFrame(over_seeds).drop(columns="seed").mean().to_dict()
            measured += [common | row for row in [*over_seeds, {"seed": MEAN} | mean]]
            bins = calibration.reliability(
                np.stack(
                    [
                        thresholds.probabilities_of(row, temperature).astype(np.float64)
                        for row, temperature in zip(test.logit, used, strict=True)
                    ]
                ),
                labels,
                number=options.calibration_bins,
                simulations=options.simulations,
                confidence=options.confidence,
                seed=options.seed,
            )
            points += [(test.name, state, *row) for row in bins]
    return (
        pd.DataFrame(measured, columns=list(CALIBRATION)),
        pd.DataFrame(points, columns=list(RELIABILITY)),
    )


def summarize(
    annotations: dict[str, int],
    table: pd.DataFrame,
    measures: pd.DataFrame,
    observed: dict[str, dict[str, Any]],
    options: Analyze,
) -> dict[str, Any]:
    """Return what a person compares: counts, calibration by set, and overfitting, with words."""
    groups = table[table["grouping"] != breakdown.ALL]
    intervals = int(table[["error_rate_low", "mcc_low", "difference_low"]].notna().sum().sum())
    findings = {
        name: {
            "groups": len(of_set),
            "too_small": int((of_set["sentences"] < options.min_group_size).sum()),
            "tested": int(of_set["p"].notna().sum()),
            "more_errors": int((of_set["finding"] == breakdown.WORSE).sum()),
            "fewer_errors": int((of_set["finding"] == breakdown.BETTER).sum()),
        }
        for name, of_set in groups.groupby("set", sort=False)
    }
    means = measures[measures["seed"] == MEAN]
    calibrations = {
        name: {
            str(row["scaled"]).replace(" ", "_"): {
                key: round(float(row[key]), 4)
                for key in ("temperature", "ece", "ece_if_calibrated", "brier", "overconfidence")
            }
            for _, row in of_set.iterrows()
        }
        for name, of_set in means.groupby("set", sort=False)
    }
    return {
        "annotations": annotations,
        "breakdown": {
            "intervals": intervals,
            "intervals_missing_by_chance": round(intervals * (1 - options.confidence), 1),
            "sets": findings,
        },
        "calibration": calibrations,
        "overfitting": observed,
        "notes": overfitting.say(observed),
    }


def read_curves(path: Path) -> pd.DataFrame:
    """Read the table of epochs that evaluate wrote; BertlineError if it is none."""
    files.require(path)
    try:
        curves = pd.read_csv(path)
    except ValueError as error:  # pandas' parser errors are ValueErrors
        raise BertlineError(
            f"{path} cannot be read as the table that `evaluate` writes ({error}). "
            f"Run `dvc repro evaluate`."
        ) from error
    missing = [name for name in CURVES if name not in curves.columns]
    if missing or curves.empty:
        lacks = f"no column {', '.join(missing)}" if missing else "no rows"
        raise BertlineError(f"{path} has {lacks}. Run `dvc repro evaluate`.")
    return curves


def analyze(
    phenomena: pd.DataFrame,
    sentences: pd.DataFrame,
    predictions: pd.DataFrame,
    curves: pd.DataFrame,
    options: Analyze,
) -> tuple[dict[str, Any], dict[str, pd.DataFrame], list[dict[str, Any]]]:
    """Return what people compare, the small tables by name, and the most confident errors.

    The tables have the columns that the constants above name for each input.
    """
    rows = list_sentences(predictions, sentences)
    tested = rows["set"].isin(list_tests(rows))
    annotated, annotations = annotate(rows[tested].reset_index(drop=True), phenomena)
    levels = annotated.set_index("id")[list(LEVELS)]
    rows = rows.join(levels, on="id").astype(dict.fromkeys(LEVELS, object))
    validation, tests = arrange(predictions, rows)
    table = pd.concat(
        [
            breakdown.break_down(
                test.name,
                test.scored,
                group(test, options.length_bounds),
                smallest=options.min_group_size,
                confidence=options.confidence,
                false_discovery_rate=options.false_discovery_rate,
                orders={"length": breakdown.name_lengths(options.length_bounds)},
            )
            for test in tests
        ],
        ignore_index=True,
    )
    seeds = predictions["seed"].drop_duplicates().tolist()
    measures, points = calibrate(validation, tests, seeds, options)
    observed = overfitting.observe_all(curves)
    tables = {
        "breakdown": table,
        "calibration": measures,
        "reliability": points,
        "selection": overfitting.compare_rules(curves),
    }
    summary = summarize(annotations, table, measures, observed, options)
    # The test sets together come last.
    return summary, tables, most_confident(tests[-1], options.errors)


def write_tables(folder: Path, tables: dict[str, pd.DataFrame], options: Analyze) -> None:
    """Write the small tables, with six digits, and what the report tells of the parameters."""
    with files.whole_folder(folder) as out:
        for name, table in tables.items():
            table.to_csv(out / f"{name}.csv", index=False, float_format="%.6f", lineterminator="\n")
        told = {"confidence", "min_group_size", "false_discovery_rate"}
        told |= {"calibration_bins", "simulations"}
        files.write_json(out / "protocol.json", options.model_dump(include=told))


def tell(summary: dict[str, Any], table: pd.DataFrame) -> None:
    """Log what joined, what differs and what training did."""
    console.log(f"annotations: {summary['annotations']}")
    if not summary["annotations"]["sentences_annotated"]:
        console.log(
            "no sentence is annotated by the source that inputs.phenomena names in params.yaml: "
            "errors are told by source and length only."
        )
    whole = table[table["set"] == table["set"].iloc[-1]]
    for _, row in whole[whole["finding"].isin([breakdown.WORSE, breakdown.BETTER])].iterrows():
        console.log(
            f"{row['set']}, {row['grouping']}: {row['group']} has {row['finding']} than the rest "
            f"({row['error_rate']:.1%} of {row['sentences']})"
        )
    for note in summary["notes"]:
        console.log(note)


def main() -> None:
    """Read the arguments and the parameters, analyse, and write everything."""
    arguments = console.parser(__doc__)
    arguments.add_argument("phenomena", type=Path, help="Parquet table of phenomena")
    arguments.add_argument("tokens", type=Path, help="folder that tokenize wrote")
    arguments.add_argument("predictions", type=Path, help="folder that evaluate wrote")
    arguments.add_argument("curves", type=Path, help="CSV file of all seeds' epochs")
    arguments.add_argument("out", type=Path, help="folder to write the errors to")
    arguments.add_argument("--metrics", type=Path, help="write what people compare to this file")
    arguments.add_argument("--tables", type=Path, help="write the small tables to this folder")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "analyze", Analyze)
    phenomena = files.read_table(args.phenomena, columns=PHENOMENA)
    sentences = files.read_table(args.tokens / "tokens.parquet", columns=["id", "text", "pair"])
    path = args.predictions / "predictions.parquet"
    predictions = files.read_table(path, columns=PREDICTIONS)
    curves = read_curves(args.curves)
    if sentences["id"].duplicated().any() or predictions.duplicated(["id", "seed"]).any():
        raise BertlineError(
            f"{args.tokens} or {path}: an id occurs twice. Run `dvc repro tokenize evaluate`."
        )

    with receipt(
        args.receipt,
        "analyze",
        parameters={"analyze": options},
        inputs=[args.phenomena, args.tokens, args.predictions, args.curves],
        outputs=[args.out, args.metrics, args.tables],
    ):
        summary, tables, errors = analyze(phenomena, sentences, predictions, curves, options)
        tell(summary, tables["breakdown"])
        with files.whole_folder(args.out) as out:
            files.write_json(out / "errors.json", {"errors": errors})
            # Within, so that a failure leaves the earlier results.
            if args.metrics:
                files.write_json(args.metrics, summary)
            if args.tables:
                write_tables(args.tables, tables, options)


if __name__ == "__main__":
    console.run(main)
