"""The analysis of predictions: errors by group, calibration, confident errors, overfitting.

`breakdown`, `calibration` and `overfitting` have the methods; here sentences, predictions and
annotations are joined, arranged into sets, and the findings collected.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from bertline.core import files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.scoring import breakdown, calibration, overfitting, tables, thresholds
from bertline.scoring.breakdown import Scored
from bertline.scoring.names import ALL_TESTS, BOTH, DEV_SETS, MEAN, VALIDATION
from bertline.scoring.tables import ALL, BETTER, SCALED, UNCALIBRATED, WORSE

LEVELS = ("major", "minor")
LISTS = (list, np.ndarray)  # how pandas gives what Parquet holds as a list


class Analyze(Section):
    """The section `analyze` of params.yaml."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    min_group_size: Annotated[int, Field(ge=2)]
    length_bounds: (
        Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1), params.Increasing] | None
    )
    false_discovery_rate: Annotated[float, Field(gt=0, lt=1)]
    calibration_bins: Annotated[int, Field(ge=2, le=1000)]
    simulations: Annotated[int, Field(ge=100, le=100_000)]
    seed: params.Seed
    confident_errors: Annotated[int, Field(ge=0, le=100_000)]


@dataclass(frozen=True)
class TestSet:
    """A set to be analysed: its sentences, a row each, and every seed's predictions of them."""

    name: str
    rows: pd.DataFrame  # id, source, label, class, text, pair, major, minor
    predicted: np.ndarray  # shape (seeds, n), numbers of classes
    probabilities: np.ndarray  # (seeds, n, K), as evaluate has them
    logits: np.ndarray  # (seeds, n, K), as the model gives them

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
        name: np.stack([np.array(of_seed[name].tolist()) for _, of_seed in by_seed])
        for by_seed in [predictions.groupby("seed", sort=False)]
        for name in ("predicted", "probabilities", "logits")
    }

    def select(name: str, chosen: pd.Series) -> TestSet:
        place = np.flatnonzero(chosen.to_numpy())
        arrays = {key: values[:, place] for key, values in stacked.items()}
        return TestSet(name, rows.iloc[place].reset_index(drop=True), **arrays)

    tests = list_tests(rows)
    sets = [select(name, rows["set"] == name) for name in tests]
    if ALL_TESTS in tests:
        raise BertlineError(
            f"a set is called {ALL_TESTS}, which is the name for all of them. Give it another name."
        )
    if len(tests) > 1:
        name = BOTH if set(tests) == set(DEV_SETS) else ALL_TESTS
        sets.append(select(name, rows["set"].isin(tests)))
    held_out = rows["set"] == VALIDATION
    return select(VALIDATION, held_out) if held_out.any() else None, sets


def group(test: TestSet, bounds: list[int]) -> dict[str, pd.Series]:
    """Return what each sentence of a set is grouped by: lists of names, or None for not known."""
    rows = test.rows
    words = count_words(rows["text"])
    return {
        "class": rows["class"].map(lambda name: [name]),
        "source": rows["source"].map(lambda name: [name]),
        "length": breakdown.bin_lengths(words, bounds).map(lambda name: [name]),
        **{level: rows[level] for level in LEVELS if rows[level].map(bool).any()},
    }


def count_words(texts: pd.Series) -> pd.Series:
    """Return the number of words of each text: what blanks divide."""
    return texts.map(lambda text: len(text.split()))


def choose_bounds(words: pd.Series) -> list[int]:
    """Return the fifths of numbers of words as bounds of lengths, one at least."""
    fifths = np.floor(words.quantile([0.2, 0.4, 0.6, 0.8])).astype(int)
    return sorted({max(bound, 1) for bound in fifths.tolist()})


def most_confident(test: TestSet, number: int, names: list[str]) -> list[dict[str, Any]]:
    """Return the sentences that most seeds get wrong, the surest first, at most `number`.

    `predicted` is the wrong class that most seeds answer, and `probability` its mean over seeds.
    names: of the classes, by number.
    """
    labels = test.rows["label"].to_numpy()
    places = np.arange(len(labels))
    wrong = (test.predicted != labels).sum(axis=0)
    mean = test.probabilities.mean(axis=0, dtype=np.float64)
    votes = np.stack([(test.predicted == k).sum(axis=0) for k in range(len(names))], axis=1)
    votes[places, labels] = -1
    answer = (votes + mean / 2).argmax(axis=1)  # of as many votes, the more probable
    table = test.rows.assign(wrong=wrong, answer=answer, sure=mean[places, answer])
    chosen = table[wrong * 2 > len(test.predicted)]
    chosen = chosen.sort_values(["sure", "id"], ascending=[False, True]).head(number)
    return [
        {
            "id": row["id"],
            "set": row["set"],
            "source": row["source"],
            "label": row["class"],
            "predicted": names[row["answer"]],
            "probability": round(float(row["sure"]), 6),
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
    states = {UNCALIBRATED: [1.0] * len(seeds)}
    if validation is not None:
        labels = validation.rows["label"].to_numpy()
        states[SCALED] = [thresholds.fit_temperature(labels, row) for row in validation.logits]
    measured: list[dict[str, Any]] = []
    points: list[tuple[Any, ...]] = []
    fold = [validation] if validation is not None else []
    for test in [*fold, *(test for test in tests if test.name != VALIDATION)]:
        for state, temperatures in states.items():
            common = {"set": test.name, "scaled": state, "sentences": len(test.rows)}
            rows = measure_seeds(test, seeds, temperatures, options)
            measured += [common | row for row in rows]
            bins = reliability(test, temperatures, options)
            points += [(test.name, state, *row) for row in bins]
    return (
        pd.DataFrame(measured, columns=list(tables.CALIBRATION)),
        pd.DataFrame(points, columns=list(tables.RELIABILITY)),
    )


def measure_seeds(
    test: TestSet, seeds: list[int], temperatures: list[float], options: Analyze
) -> list[dict[str, Any]]:
    """Return the calibration of each seed's model on a set, and behind it their mean."""
    rows: list[dict[str, Any]] = [
        {"seed": str(seed), "temperature": temperature}
        | asdict(
            calibration.measure(
                logits,
                test.rows["label"].to_numpy(),
                temperature=temperature,
                number=options.calibration_bins,
                simulations=options.simulations,
                seed=options.seed,
            )
        )
        for seed, temperature, logits in zip(seeds, temperatures, test.logits, strict=True)
    ]
    mean = pd.DataFrame(rows).drop(columns="seed").mean()
    return [*rows, {"seed": MEAN} | {str(name): value for name, value in mean.items()}]


def reliability(
    test: TestSet, temperatures: list[float], options: Analyze
) -> list[tuple[int, int, float, float, float, float]]:
    """Return the points of a set's reliability diagram, as `calibration.reliability` does."""
    labels = test.rows["label"].to_numpy()
    return calibration.reliability(
        [
            calibration.find_top(row, labels, temperature)
            for row, temperature in zip(test.logits, temperatures, strict=True)
        ],
        number=options.calibration_bins,
        simulations=options.simulations,
        confidence=options.confidence,
        seed=options.seed,
    )


def summarize(
    annotations: dict[str, int],
    table: pd.DataFrame,
    measures: pd.DataFrame,
    observed: dict[str, dict[str, Any]],
    options: Analyze,
) -> dict[str, Any]:
    """Return what a person compares: counts, calibration by set, and overfitting, with words."""
    groups = table[table["grouping"] != ALL]
    intervals = int(table[["error_rate_low", "mcc_low", "difference_low"]].notna().sum().sum())
    findings = {
        str(name): {
            "groups": len(of_set),
            "too_small": int((of_set["sentences"] < options.min_group_size).sum()),
            "tested": int(of_set["p"].notna().sum()),
            "more_errors": int((of_set["finding"] == WORSE).sum()),
            "fewer_errors": int((of_set["finding"] == BETTER).sum()),
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
        "notes": overfitting.describe(observed),
    }


def analyze(
    phenomena: pd.DataFrame,
    sentences: pd.DataFrame,
    predictions: pd.DataFrame,
    curves: pd.DataFrame,
    names: list[str],
    options: Analyze,
) -> tuple[dict[str, Any], dict[str, pd.DataFrame], list[dict[str, Any]]]:
    """Return what people compare, the small tables by name, and the most confident errors.

    The tables have the columns that `tables` names for each; names: of the classes, by number.
    """
    rows = list_sentences(predictions, sentences)
    rows["class"] = rows["label"].map(dict(enumerate(names)))
    tested = rows["set"].isin(list_tests(rows))
    annotated, annotations = annotate(rows[tested].reset_index(drop=True), phenomena)
    levels = annotated.set_index("id")[list(LEVELS)]
    rows = rows.join(levels, on="id").astype(dict.fromkeys(LEVELS, object))
    validation, tests = arrange(predictions, rows)
    bounds = options.length_bounds or choose_bounds(count_words(annotated["text"]))
    table = pd.concat(
        [
            breakdown.break_down(
                test.name,
                test.scored,
                group(test, bounds),
                smallest=options.min_group_size,
                confidence=options.confidence,
                false_discovery_rate=options.false_discovery_rate,
                orders={"length": breakdown.name_lengths(bounds), "class": names},
            )
            for test in tests
        ],
        ignore_index=True,
    )
    seeds = predictions["seed"].drop_duplicates().tolist()
    measures, points = calibrate(validation, tests, seeds, options)
    observed = overfitting.observe_all(curves)
    found = {
        "breakdown": table,
        "calibration": measures,
        "reliability": points,
        "selection": overfitting.compare_rules(curves),
    }
    summary = summarize(annotations, table, measures, observed, options)
    # The test sets together come last.
    return summary, found, most_confident(tests[-1], options.confident_errors, names)


def write_tables(
    folder: Path, summary: dict[str, Any], found: dict[str, pd.DataFrame], options: Analyze
) -> None:
    """Write the summary, the tables, with six digits, and the parameters that the report shows."""
    with files.whole_folder(folder) as out:
        files.write_json(out / "summary.json", summary)
        for name, table in found.items():
            table.to_csv(out / f"{name}.csv", index=False, float_format="%.6f", lineterminator="\n")
        files.write_json(out / "protocol.json", options.model_dump(include=set(tables.PROTOCOL)))
