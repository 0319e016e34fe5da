"""Say whether one run is better than another, worse, or whether nobody can tell from these data.

Reads   metrics/evaluate/confusion/ and protocol.json of the runs A and B: a project's folder, a
        branch, tag or commit of the current project, a DVC experiment by its name, or `workspace`,
        the current folder, which is also B's default.
Writes  nothing but what it prints, and with --json the same to a file for programs.

    python -m bertline.runs.compare HEAD
    python -m bertline.runs.compare main faster --sets out_of_domain_dev
    python -m bertline.runs.compare ../colleague/bertline . --json comparison.json

Both have to be scored on the same sentences, as the SHA-256 of each set tells. The difference in
MCC is paired over these, the two of a minimal pair count as one, and seeds count as drawn:
docs/statistics.md says how, and how often it errs. With several sets the p-values are corrected
(Holm 1979), as one of many looks finds something by chance; --sets with one name asks of it alone.
Where one side has a single seed, the answer is of the models and not of how they were trained.

Exit codes: 0 compared; 2 a mistake in the command, or runs that cannot be compared.
"""

import csv
import io
import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.runs import recorded
from bertline.runs.recorded import Run
from bertline.scoring import differences, intervals
from bertline.scoring.differences import Difference
from bertline.scoring.intervals import Interval
from bertline.scoring.names import BOTH, DEV_SETS, LABELS, VALIDATION
from bertline.scoring.tables import CONFUSION as COLUMNS

PLOTS = "metrics/evaluate"
CONFUSION = f"{PLOTS}/confusion"
WIDTH = 100  # columns of what is printed

BETTER, WORSE, SAME, UNKNOWN = "better", "worse", "same", "not significant"


@dataclass(frozen=True)
class Scored:
    """A set as one run predicted it: ids and pairs (n,), labels (n,), predictions (seeds, n)."""

    ids: list[str]
    pairs: list[str]
    labels: np.ndarray
    predicted: np.ndarray
    seeds: list[str]
    sha256: str

    def reordered(self, ids: Sequence[str]) -> "Scored":
        """Return the same with the sentences in the order of `ids`."""
        place = {name: number for number, name in enumerate(self.ids)}
        order = [place[name] for name in ids]
        return replace(
            self,
            ids=list(ids),
            pairs=[self.pairs[number] for number in order],
            labels=self.labels[order],
            predicted=self.predicted[:, order],
        )


@dataclass(frozen=True)
class Side:
    """What is read of a run: its sets, what it was trained on, and how labels were decided."""

    run: Run
    data: str
    backbone: str
    threshold: str
    sets: dict[str, Scored]


@dataclass(frozen=True)
class Finding:
    """The comparison on one set. p_corrected: for the number of sets that are compared."""

    name: str
    a: Interval
    b: Interval
    difference: Difference
    p_corrected: float | None
    verdict: str
    says: str


# --- what is read ---------------------------------------------------------------------------------


def read_side(run: Run) -> Side:
    """Return what evaluate stored of a run.

    Raises BertlineError if it is missing, of an earlier version, or not what evaluate writes.
    """
    protocol = _read_json(run, f"{PLOTS}/protocol.json")
    hashed = protocol.get("sentences")
    if not isinstance(hashed, dict):
        raise BertlineError(
            f"{PLOTS}/protocol.json of {run.title} does not name its sentences, so that nothing "
            f"can be paired: an earlier version of `evaluate` wrote it. Run `dvc repro evaluate` "
            f"there."
        )
    paths = {PurePosixPath(path).stem: path for path in run.tree.names(CONFUSION)}
    sets = {}
    for name, sha256 in hashed.items():
        if name not in paths:
            raise BertlineError(
                f"{run.title} has no {CONFUSION}/{name}.csv. Run `dvc repro evaluate` there."
            )
        content = run.tree.read(paths[name]) or b""
        sets[name] = read_confusion(content, f"{paths[name]} of {run.title}", str(sha256))
    return Side(
        run,
        _named(run, "metrics/parse/sentences.json", "title"),
        _encoder(run),
        str(protocol.get("threshold", "half")),
        sets,
    )


def read_confusion(content: bytes, where: str, sha256: str) -> Scored:
    """Return a set's predictions from the CSV file that evaluate wrote: seeds behind one another.

    Raises BertlineError if it is no such file, or if seeds have not the same sentences.
    """
    again = "Run `dvc repro evaluate` there."
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BertlineError(f"{where} is not a table in CSV ({error}). {again}") from error
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise BertlineError(
            f"{where} has no column {', '.join(missing)}; an earlier version of `evaluate` wrote "
            f"it. {again}"
        )
    by_seed: dict[str, dict[str, dict[str, str]]] = {}
    for number, row in enumerate(rows, start=2):
        if row["actual"] not in LABELS or row["predicted"] not in LABELS:
            raise BertlineError(
                f"{where}, row {number}: labels should be {' or '.join(LABELS)}, and are "
                f"{row['actual']!r} and {row['predicted']!r}. {again}"
            )
        of_seed = by_seed.setdefault(str(row["seed"]), {})
        if str(row["id"]) in of_seed:
            raise BertlineError(
                f"{where}, row {number}: seed {row['seed']} has the sentence {row['id']} twice. "
                f"{again}"
            )
        of_seed[str(row["id"])] = row
    if not by_seed:
        raise BertlineError(f"{where} has no rows. {again}")
    first_seed, first = next(iter(by_seed.items()))
    for seed, of_seed in by_seed.items():
        if any(
            name not in of_seed or of_seed[name]["actual"] != row["actual"]
            for name, row in first.items()
        ) or len(of_seed) != len(first):
            raise BertlineError(
                f"{where}: the seeds {first_seed} and {seed} have not the same sentences with the "
                f"same labels. {again}"
            )
    return Scored(
        ids=list(first),
        pairs=[str(row["pair"]) for row in first.values()],
        labels=np.array([row["actual"] == LABELS[1] for row in first.values()]),
        predicted=np.array(
            [
                [of_seed[name]["predicted"] == LABELS[1] for name in first]
                for of_seed in by_seed.values()
            ]
        ),
        seeds=list(by_seed),
        sha256=sha256,
    )


def _read_json(run: Run, path: str) -> dict[str, Any]:
    content = run.tree.read(path)
    if content is None:
        raise BertlineError(
            f"{run.title} has no {path}: `evaluate` has not run there. Type `dvc repro evaluate` "
            f"in it, and commit dvc.lock and metrics/."
        )
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BertlineError(
            f"{path} of {run.title} is no JSON ({error}). Run `dvc repro evaluate` there."
        ) from error
    if not isinstance(document, dict):
        raise BertlineError(
            f"{path} of {run.title} should hold a JSON object. Run `dvc repro evaluate` there."
        )
    return document


def _named(run: Run, path: str, key: str) -> str:
    """Return what a run calls itself in a file that the comparison can do without."""
    try:
        return str(_read_json(run, path).get(key, "unknown"))
    except BertlineError:
        return "unknown"


def _encoder(run: Run) -> str:
    """Return the backbone's name, and whether it was adapted before it was fine-tuned."""
    backbone = _named(run, "metrics/download/backbone.json", "source")
    try:
        epochs = _read_json(run, "metrics/adapt.json").get("epochs")
    except BertlineError:  # as of a run from before there was `adapt`
        epochs = None
    return f"{backbone}, adapted" if epochs else backbone


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
            f"the runs have no set in common: A was scored on {_list(a.sets)}, B on "
            f"{_list(b.sets)}."
        )
    for name in asked:
        if name not in shared:
            raise BertlineError(
                f"{name} is no set of both runs; these are {_list(shared)}. Change --sets."
            )
    tests = [name for name in shared if name != VALIDATION]
    return list(dict.fromkeys(asked)) or tests or shared


def pair(a: Side, b: Side, name: str) -> tuple[Scored, Scored]:
    """Return a set of both runs with the sentences in the same order.

    Raises BertlineError, naming what differs, if they are not the same sentences.
    """
    if name == BOTH:
        parts = [pair(a, b, part) for part in DEV_SETS]
        return _together([part[0] for part in parts]), _together([part[1] for part in parts])
    one, other = a.sets[name], b.sets[name]
    only_a = [key for key in one.ids if key not in set(other.ids)]
    only_b = [key for key in other.ids if key not in set(one.ids)]
    differing = ""
    if only_a or only_b:
        differing = f"{_count(only_a)} only in A, {_count(only_b)} only in B"
    else:
        other = other.reordered(one.ids)
        moved = [one.ids[place] for place in np.flatnonzero(one.labels != other.labels)]
        if moved:
            differing = f"{_count(moved)} with another label"
        elif one.sha256 != other.sha256:
            differing = "the same ids and labels, and other texts"
    if differing:
        hint = (
            f" A was scored on {a.data}, B on {b.data}."
            if a.data != b.data
            else " The validation fold depends on `split`: compare test sets."
            if name == VALIDATION
            else ""
        )
        raise BertlineError(
            f"A and B were not scored on the same sentences of {name}: {differing}.{hint} Their "
            f"MCC cannot be compared in pairs; score both on one data set."
        )
    return one, other


def _together(parts: Sequence[Scored]) -> Scored:
    seeds = parts[0].seeds
    if any(sorted(part.seeds) != sorted(seeds) for part in parts):
        raise BertlineError(
            f"{' and '.join(DEV_SETS)} have not the same seeds. Run `dvc repro evaluate`."
        )
    rows = [part.predicted[[part.seeds.index(seed) for seed in seeds]] for part in parts]
    return Scored(
        ids=[name for part in parts for name in part.ids],
        pairs=[name for part in parts for name in part.pairs],
        labels=np.concatenate([part.labels for part in parts]),
        predicted=np.hstack(rows),
        seeds=seeds,
        sha256="",
    )


def compare(a: Side, b: Side, names: Sequence[str], confidence: float) -> list[Finding]:
    """Return the comparison on each set, p-values corrected for their number."""
    found = {}
    for name in names:
        one, other = pair(a, b, name)
        pairs = np.array(one.pairs)
        found[name] = (
            intervals.interval(one.labels, one.predicted, confidence, pairs),
            intervals.interval(other.labels, other.predicted, confidence, pairs),
            differences.difference(
                one.labels, one.predicted, other.predicted, confidence, pairs
            ),
        )
    corrected = differences.holm([difference.p for _, _, difference in found.values()])
    findings = []
    for (name, (of_a, of_b, difference)), p in zip(found.items(), corrected, strict=True):
        verdict = judge(difference, p, confidence)
        says = put_in_words(difference, verdict, confidence, len(names))
        findings.append(Finding(name, of_a, of_b, difference, p, verdict, says))
    return findings


def judge(difference: Difference, p: float | None, confidence: float) -> str:
    """Return the verdict on B, by the corrected p-value."""
    if difference.identical:
        return SAME
    if p is None or p >= 1 - confidence:
        return UNKNOWN
    return BETTER if difference.estimate > 0 else WORSE


def put_in_words(difference: Difference, verdict: str, confidence: float, looks: int) -> str:
    """Return the verdict as a sentence or three, with what would be needed to tell."""
    if verdict == SAME:
        return "A and B predict the same for every sentence and seed: there is no difference."
    if difference.p is None:
        return "Not significant: MCC is 0 where all labels, or all predictions, are of one class."
    if verdict != UNKNOWN:
        if difference.recipes:
            return f"B is {verdict}."
        return f"B's model is {verdict} than A's; of how they were trained one seed says nothing."
    alone = ""
    if difference.p < 1 - confidence:
        alone = f" (it would count if this were the only set; {looks} are looked at)"
    return f"Not significant{alone}: {_what_is_needed(difference)}"


def _what_is_needed(difference: Difference) -> str:
    seeds, sentences = difference.seeds_needed, difference.sentences_needed
    more = []
    if seeds:
        counts = difference.seeds
        now = str(counts[0]) if counts[0] == counts[1] else f"{counts[0]} and {counts[1]}"
        more.append(f"{max(seeds, max(counts) + 1):,} seeds on each side (now {now})")
    if sentences:
        least = max(sentences, difference.sentences + 1)
        more.append(f"{least:,} sentences ({_rounded(least - difference.sentences)} more than now)")
    size = f"to tell a true difference of {abs(difference.estimate):.3f}"
    if more:
        needed = f"you would need about {' or '.join(more)} {size} four times of five."
    else:
        needed = f"neither 1,000 seeds nor a million sentences would do {size}."
    if not seeds and sentences and difference.recipes:
        needed += " More seeds alone do not suffice: the sentences are too few."
    if seeds and not sentences:
        needed += " More sentences alone do not suffice: seeds differ too much."
    if not difference.recipes:
        needed += " With one seed on a side it cannot be said what more seeds would do."
    return (
        f"{needed} As things are, a true difference of {difference.detectable:.3f} would be found "
        f"that often."
    )


def _rounded(number: int) -> str:
    """Return a number with two significant digits: a plan is no more exact."""
    digits = max(0, len(str(number)) - 2)
    return f"{round(number, -digits):,}"


# --- what is printed ------------------------------------------------------------------------------


def describe(a: Side, b: Side, findings: Sequence[Finding], confidence: float) -> str:
    """Return the comparison for a person: the runs, each set's figures and verdict, notes."""
    lines = [_title("A", a), _title("B", b)]
    for finding in findings:
        lines += ["", *_figures(finding, confidence, len(findings)), *_wrap(finding.says, "")]
    notes = list_notes(a, b, findings, confidence)
    lines += ["", *(line for note in notes for line in _wrap(f"note: {note}", " " * 6))]
    # What another project's files say must not command the terminal.
    text = "\n".join(line.rstrip() for line in lines).rstrip()
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def list_notes(a: Side, b: Side, findings: Sequence[Finding], confidence: float) -> list[str]:
    """Return what has to be known beside the verdicts."""
    notes = []
    single = [
        letter
        for letter, count in zip("AB", findings[0].difference.seeds, strict=True)
        if count == 1
    ]
    if single:
        notes.append(
            f"{' and '.join(single)} {'has' if len(single) == 1 else 'have'} one seed. The "
            f"comparison is of {'these two models' if len(single) == 2 else 'that model'}, not of "
            f"recipes: another seed may turn it round. Train three or more for each."
        )
    if len(findings) > 1:
        notes.append(
            f"{len(findings)} sets are looked at, so p is corrected (Holm): of runs that do not "
            f"differ, about {1 - confidence:.0%} are called better or worse on any. Decide "
            f"beforehand which set counts, and name it with --sets. Intervals are of each alone."
        )
    if any(finding.name == BOTH for finding in findings):
        notes.append(
            f"{BOTH} is {' and '.join(DEV_SETS)} together, for CoLA the GLUE dev set of others."
        )
    if any(finding.name == VALIDATION for finding in findings):
        notes.append(f"{VALIDATION} may have steered decisions of A or B: it is no test set.")
    if a.threshold != b.threshold:
        notes.append(
            f"labels were decided differently: evaluate.threshold is {a.threshold} in A and "
            f"{b.threshold} in B."
        )
    for letter, side in (("A", a), ("B", b)):
        touched = [path for path in side.run.touched if path.startswith(PLOTS)]
        if touched:
            notes.append(f"{touched[0]} of {letter} is not the one that dvc.lock records.")
        stale = recorded.stale(side.run).get("evaluate")
        if stale:
            notes.append(
                f"evaluate of {letter} ran with other code, parameters or inputs than {letter} has "
                f"now; `dvc repro` runs what has changed."
            )
    notes.append("`python -m bertline.runs.verify A B` says in what the two runs differ.")
    return notes


def _title(letter: str, side: Side) -> str:
    seeds = next(iter(side.sets.values())).seeds
    number = f"{len(seeds)} seed{'s' * (len(seeds) != 1)}"
    return f"{letter}  {side.run.title}: {side.data}, {side.backbone}, {number}"


def _figures(finding: Finding, confidence: float, looks: int) -> list[str]:
    """Return the lines of a set: its size, both sides, and their difference."""
    difference = finding.difference
    size = f"{finding.name}, {difference.sentences:,} sentences"
    lines = [f"{size}, MCC and {100 * confidence:g}% intervals"]
    for letter, of_side in (("A", finding.a), ("B", finding.b)):
        spread = "one seed" if of_side.sd is None else f"{of_side.seeds} seeds, SD {of_side.sd:.3f}"
        lines.append(f"  {letter:<6}{of_side.estimate:>7.3f}   {_bounds(of_side):<18}{spread}")
    p = "" if difference.p is None else f"p {_p(difference.p)}"
    if p and looks > 1:
        p += f", {_p(finding.p_corrected)} for {looks} sets"
    lines.append(f"  {'B - A':<6}{difference.estimate:>+7.3f}   {_bounds(difference):<18}{p}")
    return lines


def _bounds(found: Interval | Difference) -> str:
    return "-" if found.low is None else f"{found.low:.3f} to {found.high:.3f}"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}"


def _wrap(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, width=WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _count(ids: Sequence[str]) -> str:
    return f"{len(ids):,} sentences{f' (first {ids[0]})' if ids else ''}"


def as_json(a: Side, b: Side, findings: Sequence[Finding], confidence: float) -> dict[str, Any]:
    """Return the comparison for programs."""
    return {
        "a": a.run.title,
        "b": b.run.title,
        "confidence": confidence,
        "sets": [
            {
                "set": finding.name,
                "verdict": finding.verdict,
                "says": finding.says,
                "p_corrected": finding.p_corrected,
                "recipes": finding.difference.recipes,
                "a": asdict(finding.a),
                "b": asdict(finding.b),
                "difference": asdict(finding.difference),
            }
            for finding in findings
        ],
        "notes": list_notes(a, b, findings, confidence),
    }


def main() -> None:
    """Read the arguments, compare the two runs, and say what can be concluded."""
    arguments = console.parser(__doc__)
    recorded.add_sides(arguments)
    arguments.add_argument(
        "--confidence", type=float, default=0.95, help="of the intervals (default: %(default)s)"
    )
    arguments.add_argument(
        "--sets", nargs="+", default=[], metavar="SET", help="compare these (default: test sets)"
    )
    args = arguments.parse_args()
    if not 0 < args.confidence < 1:
        raise BertlineError(
            f"--confidence should be more than 0 and less than 1, such as 0.95; found "
            f"{args.confidence}."
        )
    a, b = read_side(recorded.open_run(args.a)), read_side(recorded.open_run(args.b))
    names = choose_sets(a, b, args.sets)
    findings = compare(a, b, names, args.confidence)
    if args.json:
        files.write_json(args.json, as_json(a, b, findings, args.confidence))
    sys.stdout.write(f"{describe(a, b, findings, args.confidence)}\n")


if __name__ == "__main__":
    console.run(main)
