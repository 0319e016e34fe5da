"""Test whether two runs differ in a score, and which is better.

Reads   metrics/evaluate/confusion/ and protocol.json of the runs A and B: a project's folder, a
        branch, tag or commit of the current project, a DVC experiment by its name, or `workspace`,
        the current folder, which is also B's default.
Writes  what it prints, and with --json the same to a file for programs.

    bertline compare HEAD
    bertline compare main faster --sets out_of_domain_dev
    bertline compare main faster --score macro_f1
    bertline compare ../colleague/bertline . --json comparison.json

Both runs have to be scored on the same sentences with the same classes, which the SHA-256 of each
set shows. The score is MCC, macro F1 or accuracy. The difference is paired over sentences, the two
sentences of a minimal pair are one cluster, and
seeds are a random effect: docs/statistics.md has the method and its error rates. With several sets
the p-values are corrected (Holm 1979); --sets with one name tests that set alone. Where one side
has a single seed, the test compares models, not training recipes.

Exit codes: 0 compared; 3 compared, but a receipt of A or B contradicts dvc.lock, so that something
else made the scores than is recorded; 2 a mistake in the command, or runs that cannot be compared.
"""

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.runs import recorded, text
from bertline.runs.recorded import Run
from bertline.scoring import differences, intervals
from bertline.scoring.cells import MCC, SCORES, Score
from bertline.scoring.differences import Difference
from bertline.scoring.intervals import Interval
from bertline.scoring.names import BOTH, DEV_SETS, VALIDATION
from bertline.scoring.tables import CONFUSION as COLUMNS

EXIT_CONTRADICTED = 3
PLOTS = "metrics/evaluate"
CONFUSION = f"{PLOTS}/confusion"
AGAIN = "Run `dvc repro evaluate` there."

A_BETTER, B_BETTER, SAME, UNKNOWN = "A is better", "B is better", "the same", "not significant"


@dataclass(frozen=True)
class Scored:
    """A set as a run predicted it.

    rows: a row per sentence, by id: its `pair`, and `actual`, its class. predicted: the same rows,
    the class that each seed, a column, gave it. sha256: of the sentences.
    """

    rows: pd.DataFrame
    predicted: pd.DataFrame
    sha256: str


@dataclass(frozen=True)
class Side:
    """What is read of a run: its sets, its data, its classes, and how they were decided."""

    run: Run
    data: str
    backbone: str
    threshold: str
    labels: list[str]
    sets: dict[str, Scored]

    @property
    def seeds(self) -> int:
        """How many models the run trained."""
        return len(next(iter(self.sets.values())).predicted.columns)


@dataclass(frozen=True)
class Finding:
    """The comparison on one set. p_corrected: for the number of sets that are compared."""

    name: str
    a: Interval
    b: Interval
    difference: Difference
    p_corrected: float | None
    verdict: str


# --- what is read ---------------------------------------------------------------------------------


def read_side(run: Run) -> Side:
    """Return what evaluate stored of a run.

    Raises BertlineError if it is missing, of an earlier version, or not what evaluate writes.
    """
    protocol = _read_json(run, f"{PLOTS}/protocol.json")
    hashed, labels = protocol.get("sentences"), protocol.get("labels")
    if not isinstance(hashed, dict) or not isinstance(labels, list):
        lacking = "classes" if isinstance(hashed, dict) else "sentences"
        raise BertlineError(
            f"{PLOTS}/protocol.json of {run.title} does not name its {lacking}, so that nothing "
            f"can be paired: an earlier version of `evaluate` wrote it. {AGAIN}"
        )
    labels = [str(name) for name in labels]
    sets = {}
    for name, sha256 in hashed.items():
        content = run.read(f"{CONFUSION}/{name}.csv")
        if content is None:
            raise BertlineError(f"{run.title} has no {CONFUSION}/{name}.csv. {AGAIN}")
        where = f"{CONFUSION}/{name}.csv of {run.title}"
        sets[name] = read_confusion(content, where, str(sha256), labels)
    backbone = _named(run, "metrics/download/backbone.json", "source")
    adapted = len((run.read("metrics/adapt.csv") or b"").splitlines()) > 1  # epochs below a header
    return Side(
        run,
        data=_named(run, "metrics/parse/sentences.json", "title"),
        backbone=f"{backbone}, adapted" if adapted else backbone,
        threshold=str(protocol.get("threshold", "half")),
        labels=labels,
        sets=sets,
    )


def read_confusion(content: bytes, where: str, sha256: str, labels: Sequence[str]) -> Scored:
    """Return a set's predictions from the CSV file that evaluate wrote, one seed after another.

    labels: the names of the classes.

    Raises BertlineError if it is no such file, or if seeds do not have the same sentences.
    """
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8")
    except ValueError as error:  # no CSV, no UTF-8, or empty
        raise BertlineError(f"{where} is not a table in CSV ({error}). {AGAIN}") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise BertlineError(
            f"{where} has no column {', '.join(missing)}; an earlier version of `evaluate` wrote "
            f"it. {AGAIN}"
        )
    if table.empty:
        raise BertlineError(f"{where} has no rows. {AGAIN}")
    for column in ("actual", "predicted"):
        for row in np.flatnonzero(~table[column].isin(labels))[:1]:
            raise BertlineError(
                f"{where}, row {row + 2}: {column} should be {' or '.join(labels[:5])}"
                f"{' or another class of protocol.json' * (len(labels) > 5)}, and is "
                f"{table[column][row]!r}. {AGAIN}"
            )
    for row in np.flatnonzero(table.duplicated(["seed", "id"]))[:1]:
        raise BertlineError(
            f"{where}, row {row + 2}: seed {table['seed'][row]} has the sentence "
            f"{table['id'][row]} twice. {AGAIN}"
        )
    seeds = list(table["seed"].unique())
    of_seeds = [of_seed.set_index("id") for _, of_seed in table.groupby("seed", sort=False)]
    rows = of_seeds[0][["pair", "actual"]]
    for of_seed in of_seeds:
        if set(of_seed.index) != set(rows.index) or any(
            of_seed.loc[rows.index, "actual"] != rows["actual"]
        ):
            raise BertlineError(
                f"{where}: the seeds {', '.join(seeds)} do not have the same sentences with the "
                f"same labels. {AGAIN}"
            )
    predicted = [of_seed.loc[rows.index, "predicted"] for of_seed in of_seeds]
    return Scored(rows, pd.concat(predicted, axis=1, keys=seeds), sha256)


def _read_json(run: Run, path: str) -> dict[str, Any]:
    content = run.read(path)
    if content is None:
        raise BertlineError(
            f"{run.title} has no {path}: `evaluate` has not run there. Type `dvc repro evaluate` "
            f"in it, and commit dvc.lock and metrics/."
        )
    try:
        return dict(json.loads(content))
    except (ValueError, TypeError) as error:
        raise BertlineError(f"{path} of {run.title} is no JSON object. {AGAIN}") from error


def _named(run: Run, path: str, key: str) -> str:
    """Return the name of a run's data or backbone, which the comparison can do without."""
    return "unknown" if run.read(path) is None else str(_read_json(run, path).get(key, "unknown"))


# --- what is compared -----------------------------------------------------------------------------


def choose_sets(a: Side, b: Side, asked: Sequence[str]) -> list[str]:
    """Return the sets to compare: those asked for, or the test sets that both runs have.

    The validation fold may have steered decisions, and is compared only when asked for, or when
    there is nothing else. Raises BertlineError if there is no set, or one that was asked for is
    missing.
    """
    shared = [name for name in a.sets if name in b.sets]
    if all(name in shared for name in DEV_SETS):
        shared.append(BOTH)
    if not shared:
        raise BertlineError(
            f"the runs have no set in common: A was scored on {', '.join(a.sets) or 'none'}, B on "
            f"{', '.join(b.sets) or 'none'}."
        )
    for name in asked:
        if name not in shared:
            raise BertlineError(
                f"{name} is no set of both runs; these are {', '.join(shared)}. Change --sets."
            )
    tests = [name for name in shared if name != VALIDATION]
    return list(dict.fromkeys(asked)) or tests or shared


def check_labels(a: Side, b: Side) -> None:
    """Raise BertlineError unless both runs have the same classes, in whatever order."""
    only_a = [name for name in a.labels if name not in b.labels]
    only_b = [name for name in b.labels if name not in a.labels]
    if only_a or only_b:
        raise BertlineError(
            f"A and B do not have the same classes: {text.some(only_a) or 'none'} only in A, "
            f"{text.some(only_b) or 'none'} only in B. A score over other classes is another "
            f"score; train both on the same ones."
        )


def pair(a: Side, b: Side, name: str) -> tuple[Scored, Scored]:
    """Return a set of both runs with the sentences in the same order.

    Raises BertlineError, naming what differs, if they are not the same sentences.
    """
    if name == BOTH:
        parts = [pair(a, b, part) for part in DEV_SETS]
        return _together([part[0] for part in parts]), _together([part[1] for part in parts])
    one, other = a.sets[name], b.sets[name]
    only_a = one.rows.index.difference(other.rows.index, sort=False)
    only_b = other.rows.index.difference(one.rows.index, sort=False)
    differing = ""
    if len(only_a) or len(only_b):
        differing = f"{_count(only_a)} only in A, {_count(only_b)} only in B"
    else:
        order = one.rows.index
        same = set(one.predicted) == set(other.predicted)
        seeds = list((one if same else other).predicted)
        other = Scored(other.rows.loc[order], other.predicted.loc[order, seeds], other.sha256)
        moved = order[one.rows["actual"] != other.rows["actual"]]
        if len(moved):
            differing = f"{_count(moved)} with another label"
        elif one.sha256 != other.sha256:
            differing = "the same ids and labels, but other texts"
    if differing:
        hint = ""
        if a.data != b.data:
            hint = f" A was scored on {a.data}, B on {b.data}."
        elif name == VALIDATION:
            hint = " The validation fold depends on `split`: compare test sets."
        raise BertlineError(
            f"A and B were not scored on the same sentences of {name}: {differing}.{hint} Their "
            f"scores cannot be compared in pairs; score both on one data set."
        )
    return one, other


def _together(parts: Sequence[Scored]) -> Scored:
    if any(set(part.predicted) != set(parts[0].predicted) for part in parts):
        raise BertlineError(f"{' and '.join(DEV_SETS)} do not have the same seeds. {AGAIN}")
    rows, predicted = (
        pd.concat([part.rows for part in parts]),
        pd.concat([part.predicted for part in parts]),
    )
    return Scored(rows, predicted, "")


def compare(
    a: Side, b: Side, names: Sequence[str], confidence: float, score: Score = MCC
) -> list[Finding]:
    """Return the comparison on each set, p-values corrected for their number.

    Raises BertlineError if the runs have other classes, or other sentences.
    """
    check_labels(a, b)
    number = {of_class: place for place, of_class in enumerate(a.labels)}
    found = {}
    for name in names:
        one, other = pair(a, b, name)
        pairs = one.rows["pair"].to_numpy()
        labels = one.rows["actual"].map(number).to_numpy()
        of_a, of_b = (
            side.predicted.apply(lambda of_seed: of_seed.map(number)).to_numpy().T
            for side in (one, other)
        )
        found[name] = (
            intervals.interval(labels, of_a, confidence, pairs, score),
            intervals.interval(labels, of_b, confidence, pairs, score),
            differences.difference(labels, of_a, of_b, confidence, pairs, score),
        )
    corrected = differences.holm([difference.p for _, _, difference in found.values()])
    return [
        Finding(name, of_a, of_b, difference, p, judge(difference, p, confidence))
        for (name, (of_a, of_b, difference)), p in zip(found.items(), corrected, strict=True)
    ]


def judge(difference: Difference, p: float | None, confidence: float) -> str:
    """Return the verdict by the corrected p-value."""
    if difference.identical:
        return SAME
    if p is None or p >= 1 - confidence:
        return UNKNOWN
    return B_BETTER if difference.estimate > 0 else A_BETTER


# --- what is printed ------------------------------------------------------------------------------


def list_errors(a: Side, b: Side) -> list[str]:
    """Return what is recorded wrongly of the stages that lead to the scores of each side."""
    errors = []
    for letter, run in (("A", a.run), ("B", b.run)):
        stages = recorded.upstream(run, "evaluate")
        found = {stage: run.receipt(stage).contradiction for stage in stages}
        errors.append(recorded.say_contradictions(letter, run, found))
    return [error for error in errors if error]


def describe(
    a: Side, b: Side, findings: Sequence[Finding], confidence: float, score: Score = MCC
) -> str:
    """Return the comparison as text: the runs, each set's figures and verdict, notes."""
    lines = [
        f"{letter}  {side.run.title}: {side.data}, {side.backbone}, {_seeds(side.seeds)}"
        for letter, side in (("A", a), ("B", b))
    ]
    for finding in findings:
        lines += ["", *_figures(finding, confidence, score), say(finding)]
    for error in list_errors(a, b):
        lines += ["", *text.wrap(error, "error: ", " " * 7)]
    notes = list_notes(a, b, findings, confidence)
    lines += ["", *(line for note in notes for line in text.wrap(note, "note: ", " " * 6))]
    return text.printable(lines)


def say(finding: Finding) -> str:
    """Return the verdict as a sentence."""
    if finding.verdict == SAME:
        return "Identical: A and B predict the same for every sentence and seed."
    if finding.p_corrected is None:
        return "Not significant: all labels, or all predictions, are of one class."
    p = f"p {_p(finding.p_corrected)}"
    if finding.verdict == UNKNOWN:
        return f"Not significant ({p})."
    if not finding.difference.recipes:  # one seed on a side: nothing follows for the recipe
        return f"{finding.verdict[0]}'s model is better ({p})."
    return f"{finding.verdict} ({p})."


def _figures(finding: Finding, confidence: float, score: Score) -> list[str]:
    """Return the lines of a set: its size, both sides, and their difference."""
    lines = [
        f"{finding.name}, {finding.difference.sentences:,} sentences, {score.title} "
        f"and {100 * confidence:g}% intervals"
    ]
    for letter, of_side in (("A", finding.a), ("B", finding.b)):
        spread = "" if of_side.sd is None else f", SD {of_side.sd:.3f}"
        lines.append(
            _line(letter, f"{of_side.estimate:.3f}", of_side) + _seeds(of_side.seeds) + spread
        )
    difference = finding.difference
    p = "" if difference.p is None or difference.identical else f"p {_p(difference.p)}"
    if p and difference.p != finding.p_corrected and finding.p_corrected is not None:
        p += f", corrected p {_p(finding.p_corrected)}"
    return [*lines, _line("B - A", f"{difference.estimate:+.3f}", difference) + p]


def _line(name: str, estimate: str, found: Interval | Difference) -> str:
    bounds = "-" if found.low is None else f"{found.low:.3f} to {found.high:.3f}"
    return f"  {name:<6}{estimate:>7}   {bounds:<18}"


def list_notes(a: Side, b: Side, findings: Sequence[Finding], confidence: float) -> list[str]:
    """Return what has to be known beside the verdicts."""
    notes = []
    single = [letter for letter, side in (("A", a), ("B", b)) if side.seeds == 1]
    if single:
        notes.append(
            f"{' and '.join(single)} {'has' if len(single) == 1 else 'have'} one seed. The test "
            f"compares {'two models' if len(single) == 2 else 'this one model'}, not training "
            f"recipes: another seed may reverse it. Train three or more seeds for each."
        )
    names = {finding.name for finding in findings}
    identical = all(finding.difference.identical for finding in findings)
    if len(names) > 1 and not identical:
        notes.append(
            f"{len(names)} sets are tested, so p is corrected (Holm): of runs that do not differ, "
            f"about {1 - confidence:.0%} are called better or worse on any. Decide beforehand "
            f"which set counts, and name it with --sets. Intervals are not corrected."
        )
    if BOTH in names:
        notes.append(f"{BOTH} is {' and '.join(DEV_SETS)} together; for CoLA, the GLUE dev set.")
    for letter, side, other in (("A", a, b), ("B", b, a)):
        if alone := [name for name in side.sets if name not in other.sets]:
            notes.append(f"{text.some(alone)} is a set of {letter} alone, and not compared.")
    if VALIDATION in names:
        notes.append(f"{VALIDATION} may have steered decisions of A or B: it is no test set.")
    if any(finding.difference.paired for finding in findings):
        notes.append(
            "the same seeds make much the same errors in A and B, so the difference is paired over "
            "seeds as well."
        )
    if a.threshold != b.threshold:
        notes.append(
            f"labels were decided differently: evaluate.threshold is {a.threshold} in A and "
            f"{b.threshold} in B."
        )
    for letter, side in (("A", a), ("B", b)):
        touched = [path for path in side.run.touched if path.startswith(PLOTS)]
        if touched:
            notes.append(f"{touched[0]} of {letter} is not the one that dvc.lock records.")
        notes += _list_unrun(letter, side.run)
    notes.append("`bertline verify A B` shows in what the two runs differ.")
    return notes


def _list_unrun(letter: str, run: Run) -> list[str]:
    """Return what the scores of a run do not show: changes after it, and stages not yet run."""
    stages = recorded.upstream(run, "evaluate")
    stale = {stage: what for stage, what in recorded.stale(run).items() if stage in stages}
    changed = list(dict.fromkeys(what for whats in stale.values() for what in whats))
    kinds = {stage.partition("@")[0] for stage in stages}
    waiting = [stage for stage in run.waiting if stage.partition("@")[0] in kinds]
    notes = []
    if stale:
        notes.append(
            f"{text.some(list(stale))} of {letter} ran with other code, parameters or inputs than "
            f"{letter} has now: {text.some(changed)}. The scores are of what ran; `dvc repro "
            f"evaluate` runs what has changed."
        )
    if waiting:
        notes.append(f"{letter} has not run {text.some(waiting)}: `dvc repro evaluate` does.")
    return notes


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _p(value: float) -> str:
    """Return a p-value with two or three digits: < .001, = .006, = .65."""
    if value < 0.001:
        return "< .001"
    shown = f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
    return f"= {shown.removeprefix('0')}"


def _count(ids: pd.Index) -> str:
    return f"{len(ids):,} sentences{f' (first {ids[0]})' if len(ids) else ''}"


def as_json(
    a: Side, b: Side, findings: Sequence[Finding], confidence: float, name: str
) -> dict[str, Any]:
    """Return the comparison for programs; name: of the score."""
    return {
        "a": a.run.title,
        "b": b.run.title,
        "score": name,
        "confidence": confidence,
        "recipes": min(a.seeds, b.seeds) > 1,
        "sets": [asdict(finding) | {"says": say(finding)} for finding in findings],
        "errors": list_errors(a, b),
        "notes": list_notes(a, b, findings, confidence),
    }


def main() -> None:
    """Read the arguments, compare the two runs, and print what can be concluded."""
    arguments = console.parser(__doc__)
    recorded.add_sides(arguments)
    arguments.add_argument(
        "--confidence", type=float, default=0.95, help="of the intervals (default: %(default)s)"
    )
    arguments.add_argument(
        "--sets", nargs="+", default=[], metavar="SET", help="compare these (default: test sets)"
    )
    arguments.add_argument(
        "--score", choices=list(SCORES), default="mcc", help="what is compared (default: mcc)"
    )
    args = arguments.parse_args()
    if not 0 < args.confidence < 1:
        raise BertlineError(
            f"--confidence should be more than 0 and less than 1, such as 0.95; found "
            f"{args.confidence}."
        )
    a, b = read_side(recorded.open_run(args.a)), read_side(recorded.open_run(args.b))
    score = SCORES[args.score]
    findings = compare(a, b, choose_sets(a, b, args.sets), args.confidence, score)
    if args.json:
        files.write_json(args.json, as_json(a, b, findings, args.confidence, args.score))
    sys.stdout.write(f"{describe(a, b, findings, args.confidence, score)}\n")
    if list_errors(a, b):
        sys.exit(EXIT_CONTRADICTED)


if __name__ == "__main__":
    console.run(main)
