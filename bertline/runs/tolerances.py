"""How far the figures of two runs may lie apart and still count as the same result.

Processors round sums differently, so two machines cannot give the same floats; one machine gives
the same bytes. A figure has a class by its name, which is a column of a CSV file or a key of a JSON
file, and a class has one tolerance with its reason. A figure without a class has to be the same,
and so have the bytes of outputs that hold no floats.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from bertline.core.errors import BertlineError

ABSENT = "absent"  # in place of a figure that only the other run has

# Figures are rounded when they are written: a difference of just the tolerance is within it.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Tolerance:
    """A class of figures, and by how much they may differ; None: they are not compared."""

    absolute: float | None
    reason: str


WRITTEN = Tolerance(2e-6, "Counted, and written with six digits, of which the last is rounded.")
COUNTED = Tolerance(0, "Counted from integers and text, or a parameter: the same on every machine.")

# Classification. Rounding sends a training on another path, as far as another seed does: bf16 with
# AVX-512 and fp32 with AVX2 gave a validation MCC of .579 and .550 (docs/experiments.md). Two
# models of different seeds differ by the SD over seeds times the square root of 2; tolerances are
# about twice this.
CORRELATION = Tolerance(
    0.12, "MCC of one model: the SD over seeds is .04 in the first epoch, .042 in the last on CoLA."
)
MEAN_CORRELATION = Tolerance(
    0.06,
    "Mean MCC over seeds, and its interval: the SD of a mean of three is .024 for .042 a seed.",
)
BASELINE_CORRELATION = Tolerance(
    0.006, "Computed in double precision; one sentence of 516 on the other side moves MCC by .005."
)
ENSEMBLE_CORRELATION = Tolerance(
    0.08, "One model, whose SD between draws of its seeds is between that of the mean and of one."
)
BATCH_CORRELATION = Tolerance(
    0.45,
    "One of 32 sentences moves MCC by .07; of 183 pairs of seeds the largest difference was .41.",
)
ADAPT_CORRELATION = Tolerance(0.065, "MCC of detecting corrupted sentences in one epoch.")
SHARE = Tolerance(
    0.045, "Accuracy or macro F1 of one model: twice the SD between two seeds of .021."
)
MEAN_SHARE = Tolerance(0.02, "As of one model, for means over seeds.")
CALIBRATION = Tolerance(0.06, "Calibration error of one model: the SD over seeds is up to .02.")
MEAN_CALIBRATION = Tolerance(
    0.04, "As of one model, for means over seeds: three times the SD of .012 with three seeds."
)
SPREAD = Tolerance(0.05, "The SD of a few seeds is uncertain by half of it.")
ERROR_OF_SENTENCES = Tolerance(
    0.012, "A standard error of .04 moves by less than a third of itself with other predictions."
)
ERROR_OF_SEEDS = Tolerance(0.03, "The SD over seeds by the root of their number, as uncertain.")
LOSS = Tolerance(0.05, "Cross-entropy in training: the SD over seeds is at most .017 in an epoch.")
TEST_LOSS = Tolerance(
    0.13, "Twice the SD between two seeds, which is .044 over seeds out of domain."
)
BASELINE_LOSS = Tolerance(0.001, "The logistic regression stops within its own tolerance.")
MEAN_LOSS = Tolerance(0.08, "As of one model, for means over seeds.")
ADAPT_LOSS = Tolerance(0.15, "In the training loss of adapt, the loss of tokens counts four times.")
EPOCH = Tolerance(1, "Two epochs of like validation loss or MCC may change places as the best.")
THRESHOLD = Tolerance(
    0.3, "A threshold follows the confidence of one model; MCC is flat at its top."
)
TEMPERATURE = Tolerance(0.5, "A temperature follows the confidence of one model, as its loss does.")

# Topics. Rounding of the vectors moves documents between topics. SDs are over four fits of 20
# Newsgroups, to vectors that differ as those in bf16 and fp32 do (docs/experiments.md); tolerances
# are three times the SD between two such fits, as an SD of four is itself uncertain.
TOPICS = Tolerance(14, "The SD was 3.3 of 79 topics.")
MEDIAN_TOPIC = Tolerance(16, "The SD was 3.9 of 87 documents in the median topic.")
TOPICS_OF_REFITS = Tolerance(24, "The SD of the number of topics is 6 between refits by seed.")
LARGEST_TOPIC = Tolerance(100, "The SD was 24 of 1,939 documents in the largest topic.")
DOCUMENTS = Tolerance(0.05, "A share of the documents: the SD of the core's share was .012.")
COHERENCE = Tolerance(0.04, "NPMI's SD was .0095, mostly of small topics that come and go.")
WEIGHTED_COHERENCE = Tolerance(0.05, "NPMI's tolerance, and what coverage adds where it is not 1.")
AGREEMENT = Tolerance(0.015, "NMI and diversity: SDs of .0030 to .0035.")
PARTS_OF_AGREEMENT = Tolerance(0.02, "More topics raise homogeneity and lower completeness.")
PAIRS = Tolerance(0.07, "ARI counts pairs: the SD was .016; a large topic that splits weighs most.")
STRATEGY = Tolerance(0.05, "As the figures of the fit, for another strategy.")
PAIRS_BY_NUMBER = Tolerance(0.1, "As of the fit, and another large topic may be cut out of fewer.")
BY_NUMBER = Tolerance(0.06, "As of the fit; ten topics have a few words each that may change.")
STABILITY = Tolerance(0.1, "Means over topics and refits; between single refits the SD is .04.")
STABLE = Tolerance(
    0.2, "A topic has .015 of the documents in the mean, and a dozen lie near the threshold."
)

ROWS = Tolerance(
    None,
    "Rows of small groups, single sentences or numbered topics; other figures count all.",
)

# Tables in which the class of a figure depends on its row as well as on its column.
BY_ROW = ("metrics/evaluate/scores.csv", "metrics/analyze/breakdown.csv")

# File, names and class of figures; of the lines that fit a figure, the first counts. A name is that
# of a column or of the last key in JSON, or the whole dotted key; * stands for any letters.
CLASSES: tuple[tuple[str, str, Tolerance], ...] = (
    ("metrics/download/*", "*", COUNTED),
    ("metrics/parse/*", "*", COUNTED),
    ("metrics/tokenize.json", "*", COUNTED),
    ("metrics/split.json", "*", COUNTED),
    ("*/protocol.json", "*", COUNTED),
    # tables whose rows are not compared
    ("metrics/evaluate/confusion*", "predicted", ROWS),
    ("metrics/evaluate/classes.csv", "precision* recall* f1*", ROWS),
    ("metrics/evaluate/summary.json", "notes", ROWS),
    ("metrics/analyze/breakdown.csv", "*.majority_share", WRITTEN),
    ("metrics/analyze/breakdown.csv", "*,?all,?all.mcc*", MEAN_CORRELATION),
    ("metrics/analyze/breakdown.csv", "*,?all,?all.error_rate*", MEAN_SHARE),
    ("metrics/analyze/breakdown.csv", "*", ROWS),
    ("metrics/analyze/reliability.csv", "*", ROWS),
    ("metrics/analyze/summary.json", "breakdown.* notes", ROWS),
    ("metrics/topic_words/topics.csv", "*", ROWS),
    ("metrics/topic_words/groups.csv", "*", ROWS),
    ("metrics/topic_words/hierarchy.csv", "*", ROWS),
    ("metrics/topic_words/over_time.csv", "*", ROWS),
    ("metrics/topic_words/measures.json", "notes*", ROWS),
    ("metrics/topic_stability/topics.csv", "*", ROWS),
    # classification
    ("metrics/evaluate/scores.csv", "*TF-IDF*.loss", BASELINE_LOSS),
    ("metrics/evaluate/scores.csv", "*TF-IDF*", BASELINE_CORRELATION),
    ("metrics/evaluate/scores.csv", "*majority*", WRITTEN),
    ("metrics/evaluate/scores.csv", "*mean?of*.mcc*", MEAN_CORRELATION),
    ("metrics/evaluate/scores.csv", "*mean?of*.loss", MEAN_LOSS),
    ("metrics/evaluate/scores.csv", "*mean?of*.accuracy* *mean?of*.macro_f1*", MEAN_SHARE),
    ("metrics/evaluate/scores.csv", "*ensemble*.mcc*", ENSEMBLE_CORRELATION),
    ("metrics/adapt.csv", "*mcc*", ADAPT_CORRELATION),
    ("metrics/adapt.csv", "training_loss", ADAPT_LOSS),
    ("*", "*_loss*", LOSS),
    ("*", "loss", TEST_LOSS),
    ("*", "*_epoch overfits", EPOCH),
    ("metrics/analyze/selection.csv", "epoch", EPOCH),
    ("metrics/evaluate*", "mcc_sd", SPREAD),
    ("metrics/evaluate.json", "*mcc*", MEAN_CORRELATION),
    ("metrics/evaluate/summary.json", "se_sentences", ERROR_OF_SENTENCES),
    ("metrics/evaluate/summary.json", "se_seeds", ERROR_OF_SEEDS),
    ("metrics/evaluate/summary.json", "tfidf_mcc", BASELINE_CORRELATION),
    ("metrics/evaluate/summary.json", "ensemble_mcc", ENSEMBLE_CORRELATION),
    ("metrics/evaluate/summary.json", "mcc_min mcc_max", CORRELATION),
    ("metrics/evaluate/summary.json", "*mcc*", MEAN_CORRELATION),
    ("metrics/evaluate/mcc_per_batch.csv", "mcc", BATCH_CORRELATION),
    ("*", "*mcc*", CORRELATION),
    ("metrics/evaluate/summary.json", "accuracy* macro_f1*", MEAN_SHARE),
    ("*", "*accuracy* macro_f1*", SHARE),
    ("metrics/evaluate/decisions.csv", "threshold", THRESHOLD),
    ("*", "temperature", TEMPERATURE),
    ("metrics/analyze/summary.json", "ece* brier overconfidence", MEAN_CALIBRATION),
    ("*", "ece* brier overconfidence", CALIBRATION),
    # topics
    ("metrics/topic_stability.json", "stable_share", STABLE),
    ("metrics/topic_stability.json", "*topics*", TOPICS_OF_REFITS),
    ("metrics/topic_stability.json", "*", STABILITY),
    ("metrics/topic_fit.json", "topics", TOPICS),
    ("metrics/topic_words/*", "topics", TOPICS),
    ("metrics/topic_fit.json", "core_share", DOCUMENTS),
    ("metrics/topic_words/by_number.csv", "ari", PAIRS_BY_NUMBER),
    ("metrics/topic_words/by_number.csv", "*", BY_NUMBER),
    ("metrics/topic_words/*", "ari*", PAIRS),
    ("metrics/topic_words/coverage.csv", "*", STRATEGY),
    ("metrics/topic_words/measures.json", "median_topic", MEDIAN_TOPIC),
    ("metrics/topic_words/measures.json", "largest_topic", LARGEST_TOPIC),
    ("metrics/topic_words/measures.json", "*_share coverage", DOCUMENTS),
    ("metrics/topic_words*.json", "npmi npmi_held_out c_v", COHERENCE),
    ("metrics/topic_words/measures.json", "npmi_times_coverage", WEIGHTED_COHERENCE),
    ("metrics/topic_words/measures.json", "homogeneity* completeness*", PARTS_OF_AGREEMENT),
    ("metrics/topic_words*.json", "nmi* ami* v_measure* diversity", AGREEMENT),
)

# Outputs that are computed in floats, or drawn from such: their bytes may differ if the figures
# agree. The outputs of download, parse, tokenize and split are text, counts and draws of integers.
FLOAT_OUTPUTS = (
    *("data/adapt", "data/train/*", "data/evaluate", "data/analyze", "data/embed"),
    *("data/topic_fit", "data/topic_words", "data/topic_stability", "data/visualize/*"),
)


@dataclass(frozen=True)
class Difference:
    """A figure that differs between two runs.

    difference: how far the values lie apart, None if they are not both numbers. tolerance: None
    where the figure is not compared. within: whether the difference is allowed.
    """

    file: str
    key: str
    a: Any
    b: Any
    difference: float | None
    tolerance: float | None
    within: bool
    reason: str


def holds_floats(output: str) -> bool:
    """Return whether the bytes of an output may differ between machines."""
    return any(fnmatchcase(output, pattern) for pattern in FLOAT_OUTPUTS)


def class_of(file: str, key: str) -> Tolerance | None:
    """Return the class of a figure, or None: it has to be the same.

    key: dotted, such as `epochs.0.validation_mcc` or `validation, seed 1.mcc`.
    """
    whole = file.endswith(".json") or file in BY_ROW
    return _class_of(file, key if whole else key.rpartition(".")[2])


@lru_cache(maxsize=10_000)
def _class_of(file: str, key: str) -> Tolerance | None:
    name = next((part for part in reversed(key.split(".")) if not part.isdigit()), key)
    for files, patterns, tolerance in CLASSES:
        if fnmatchcase(file, files) and any(
            fnmatchcase(name, pattern) or fnmatchcase(key, pattern) for pattern in patterns.split()
        ):
            return tolerance
    return None


def compare(file: str, a: bytes, b: bytes) -> tuple[list[Difference], bool]:
    """Return the figures of a file that differ between two runs, and whether any has a tolerance.

    Raises BertlineError if the file is neither JSON nor CSV.
    """
    of_a, of_b = read_figures(file, a, b)
    keys = list(dict.fromkeys([*of_a, *of_b]))
    found = [
        judge(file, key, of_a.get(key, ABSENT), of_b.get(key, ABSENT))
        for key in keys
        if of_a.get(key, ABSENT) != of_b.get(key, ABSENT)
    ]
    classes = (class_of(file, key) for key in keys)
    return found, any(tolerance and tolerance.absolute for tolerance in classes)


def judge(file: str, key: str, a: Any, b: Any) -> Difference:
    """Return the difference of two values of a figure, held against the tolerance of its class."""
    tolerance = class_of(file, key) or Tolerance(0, "It has no class of tolerance: to be the same.")
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b)
    )
    size = abs(a - b) if numbers else None
    allowed = tolerance.absolute
    within = allowed is None or (size is not None and size <= allowed + ROUNDING)
    return Difference(file, key, a, b, size, allowed, within, tolerance.reason)


def read_figures(file: str, *contents: bytes) -> list[dict[str, Any]]:
    """Return the figures of a JSON or CSV file in each of several runs, by key.

    Keys of JSON are dotted, with numbers in lists: `epochs.0.validation_mcc`. Those of CSV are row
    and column, `validation, seed 1.mcc`: a row is named by as many leading columns as tell the rows
    apart in each of the runs, or by its number.

    Raises BertlineError if the file is neither.
    """
    try:
        if file.endswith(".json"):
            return [dict(_leaves(json.loads(content), "")) for content in contents]
        tables = [list(csv.reader(io.StringIO(content.decode()))) for content in contents]
    except ValueError as error:
        raise BertlineError(
            f"{file} is not the JSON or CSV file that a stage writes ({error}). Take it from git, "
            f"or run the stage again."
        ) from error
    names = _key_columns([rows[1:] for rows in tables])
    return [dict(_cells(rows, names)) for rows in tables]


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict | list):
        yield name, value
        return
    items: Mapping[Any, Any] = value if isinstance(value, dict) else dict(enumerate(value))
    for key, item in items.items():
        yield from _leaves(item, f"{name}.{key}" if name else str(key))


def _key_columns(tables: list[list[list[str]]]) -> int:
    """Return how many leading columns name a row, 0 if none do."""
    width = min((len(row) for rows in tables for row in rows), default=0)
    for count in range(1, width):
        if all(len({tuple(row[:count]) for row in rows}) == len(rows) for rows in tables):
            return count
    return 0


def _cells(rows: list[list[str]], key_columns: int) -> Iterator[tuple[str, Any]]:
    header = rows[0] if rows else []
    for number, row in enumerate(rows[1:], start=1):
        name = ", ".join(row[:key_columns]) or f"row {number}"
        for column, cell in list(zip(header, row, strict=False))[key_columns:]:
            yield f"{name}.{column}", _number(cell)


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
