"""Say stage by stage whether two runs gave the same, and if not, which differs first and why.

Reads   dvc.lock, metrics/ and metrics/receipts/ of the runs A and B, and tolerances.yaml. A run is
        a project's folder, a branch, tag or commit of the current project, a DVC experiment by its
        name, or `workspace`, the current folder, which is also B's default. What a folder or
        revision holds of the outputs is hashed, so that a change after the run is seen.
Writes  nothing but what it prints, and with --json the same to a file for programs.

    python -m bertline.runs.verify HEAD
    python -m bertline.runs.verify main faster
    python -m bertline.runs.verify ../colleague/bertline .

Verdicts: identical, every output has the same bytes. within tolerance, other bytes where floats are
computed, and all figures as near as tolerances.yaml allows. DIFFERENT, anything else; also other
bytes from the same code, parameters, data, packages and machine, which is not reproducible.

Exit codes: 0 all identical or within tolerance; 3 something differs; 2 a mistake in the command.
"""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertline.core import console, files
from bertline.runs import causes, recorded, tolerances
from bertline.runs.causes import Cause
from bertline.runs.recorded import Run
from bertline.runs.tolerances import Difference, Tolerances

EXIT_DIFFERENT = 3

IDENTICAL = "identical"
WITHIN = "within tolerance"
DIFFERENT = "DIFFERENT"
ONLY_A, ONLY_B = "only in A", "only in B"

OTHER_MACHINE = "Other machines round otherwise: the same floats are not to be expected of them."
UNMEASURED = "no figure of its own measures it"
METRICS = "metrics/"  # where the outputs lie that are figures

# Causes that a person made: with one of these, other outputs are as expected.
DELIBERATE = (causes.DATA, causes.PARAMETER, causes.CODE, causes.PACKAGE)

WIDTH = 100  # columns of what is printed
SHOWN = 8  # figures that are shown of a stage at most, and of each kind; --json has all
NAMED = 3  # stages and files that a note names


@dataclass
class Finding:
    """What the comparison says of a stage.

    follows: the first stages that differ and that this one reads from. although: what was changed
    and made no difference.
    """

    stage: str
    verdict: str
    outputs: list[str] = field(default_factory=list)
    follows: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    although: list[Cause] = field(default_factory=list)
    figures: list[Difference] = field(default_factory=list)
    remark: str = ""

    @property
    def why(self) -> list[str]:
        """The reasons in words, the likeliest first."""
        follows = [f"follows from {', '.join(self.follows)}"] if self.follows else []
        although = [f"although {cause}" for cause in self.although]
        remark = [self.remark] if self.remark else []
        return [*follows, *map(str, self.causes), *although, *remark]


def verify(a: Run, b: Run, declared: Tolerances) -> list[Finding]:
    """Return a finding for every stage that one of two runs has, in the order of the pipeline."""
    producers = find_producers(a, b)
    findings: dict[str, Finding] = {}
    for stage in in_order(a, b, producers):
        if stage not in a.stages or stage not in b.stages:
            findings[stage] = _lone(a, b, stage)
        else:
            findings[stage] = _judge(a, b, stage, declared, producers, findings)
    return list(findings.values())


def find_producers(a: Run, b: Run) -> dict[str, list[str]]:
    """Return, for each dep of each stage, the stages that write it, part of it or around it."""
    stages = [stage for run in (a, b) for stage in run.stages.values()]
    outs = {path: stage.name for stage in stages for path in stage.outs}
    found: dict[str, list[str]] = {}
    for path in {path for stage in stages for path in stage.data}:
        writers = [
            name
            for out, name in outs.items()
            if out == path or out.startswith(f"{path}/") or path.startswith(f"{out}/")
        ]
        found[path] = list(dict.fromkeys(writers))
    return found


def in_order(a: Run, b: Run, producers: Mapping[str, list[str]]) -> list[str]:
    """Return the names of all stages, each behind those that it reads from."""
    ordered: dict[str, None] = {}

    def visit(stage: str) -> None:
        if stage in ordered:
            return
        for run in (a, b):
            if stage in run.stages:
                for path in run.stages[stage].data:
                    for producer in producers[path]:
                        visit(producer)
        ordered[stage] = None

    for run in (a, b):
        for stage in run.stages:
            visit(stage)
    return list(ordered)


def _lone(a: Run, b: Run, stage: str) -> Finding:
    verdict, other, letter = (ONLY_A, b, "B") if stage in a.stages else (ONLY_B, a, "A")
    remark = f"{letter} has not run it" if stage in other.waiting else f"no stage of {letter}"
    return Finding(stage, verdict, remark=remark)


def _judge(
    a: Run,
    b: Run,
    stage: str,
    declared: Tolerances,
    producers: Mapping[str, list[str]],
    before: Mapping[str, Finding],
) -> Finding:
    found = causes.pair(a, b, stage)
    paths = list(dict.fromkeys([*found.a.outs, *found.b.outs]))
    outputs = [path for path in paths if a.hash_of(stage, path) != b.hash_of(stage, path)]
    own = causes.differences(found)
    if not outputs:
        although = [cause for cause in own if cause.kind != causes.MACHINE]
        return Finding(stage, IDENTICAL, although=although)

    sources = _sources_of_difference(found, producers, before)
    roots = list(dict.fromkeys(root for source in sources for root in _roots(before[source])))
    finding = Finding(stage, DIFFERENT, outputs, follows=roots)
    if roots:  # reason enough; what a person changed comes on top, not the machine
        own = [cause for cause in own if cause.kind != causes.MACHINE]
    # Inputs that some stage writes, and none of those is known to have made them differ.
    unexplained = {path for path, names in producers.items() if names and not {*names} & {*sources}}
    outside = {path for path, names in producers.items() if not names}
    finding.causes = [
        *causes.changed_outputs(a, b, found),
        *causes.changed_inputs(found, unexplained),
        *own,
    ]
    if not finding.causes:
        # A folder such as own/, of which a stage takes the files that its parameters name.
        finding.causes = causes.changed_inputs(found, outside)
    if not finding.causes and not roots:
        finding.causes = [causes.nothing_recorded(found)]
    figures = _figures(a, b, stage, declared)
    finding.figures = figures.differing
    finding.verdict = _verdict(finding, [before[name] for name in sources], figures, declared)
    unmeasured = finding.verdict == WITHIN and not figures.measured
    finding.remark = "; ".join(figures.unread) or (UNMEASURED if unmeasured else "")
    return finding


def _sources_of_difference(
    found: causes.Pair, producers: Mapping[str, list[str]], before: Mapping[str, Finding]
) -> list[str]:
    """Return the earlier stages that differ and by which an input of this one differs."""
    old, new = found.a.data, found.b.data
    changed = [path for path in old | new if old.get(path) != new.get(path)]
    names = [name for path in changed for name in producers.get(path, [])]
    return [name for name in dict.fromkeys(names) if before[name].verdict != IDENTICAL]


def _roots(finding: Finding) -> list[str]:
    """Return the first stages that a difference goes back to: this one, if it has its own cause."""
    return finding.follows or [finding.stage]


@dataclass
class Figures:
    """The figures of a stage in two runs.

    measured: whether any is computed in floats, so that it says how far outputs lie apart. unread:
    what could not be compared.
    """

    differing: list[Difference] = field(default_factory=list)
    measured: bool = False
    unread: list[str] = field(default_factory=list)


def _figures(a: Run, b: Run, stage: str, declared: Tolerances) -> Figures:
    """Compare the figures in the metrics that both runs have of a stage."""
    found = Figures()
    outs = [path for path in a.stages[stage].outs if path.startswith(METRICS)]
    for out in outs:
        for path in sorted({*a.tree.names(out), *b.tree.names(out)}) or [out]:
            contents = [run.tree.read(path) for run in (a, b)]
            wanted = [run.hash_of(stage, path) for run in (a, b)]  # None within a folder
            for letter, content, md5 in zip("AB", contents, wanted, strict=True):
                if content is None:
                    found.unread.append(f"{path} is missing in {letter}")
                elif md5 not in (None, recorded.md5(content)):
                    found.unread.append(f"{path} in {letter} is not the one that dvc.lock records")
            if None in contents:
                continue
            sides = [tolerances.figures(path, content, declared.tables) for content in contents]
            found.differing += tolerances.compare(path, *sides, declared)
            allowed = (entry.absolute for key in sides[0] if (entry := declared.of(path, key)))
            found.measured |= any(absolute not in (0, tolerances.ANY) for absolute in allowed)
    return found


def _verdict(
    finding: Finding, sources: Sequence[Finding], figures: Figures, declared: Tolerances
) -> str:
    """Return whether outputs that are not the same are within tolerance."""
    exact = [
        path
        for path in finding.outputs
        if not path.startswith(METRICS) and not declared.covers(path)
    ]
    kinds = {cause.kind for cause in finding.causes}
    outside = [figure for figure in figures.differing if not figure.within]
    if exact or outside or figures.unread or causes.IRREPRODUCIBLE in kinds:
        return DIFFERENT
    if figures.measured:
        return WITHIN
    # No figure says how far the outputs lie apart, so what comes before has to.
    deliberate = kinds & set(DELIBERATE)
    behind = any(source.verdict not in (IDENTICAL, WITHIN) for source in sources)
    return DIFFERENT if deliberate or behind else WITHIN


# --- what is printed ------------------------------------------------------------------------------


def describe(a: Run, b: Run, findings: Sequence[Finding]) -> str:
    """Return the comparison for a person: a table, figures, notes, and a sentence at the end."""
    lines = [f"A  {a.title}", f"B  {b.title}", "", *_table(findings)]
    for finding in findings:
        lines += _figures_of(finding)
    notes = [*_notes("A", a, findings), *_notes("B", b, findings)]
    if notes:
        lines += ["", *(line for note in notes for line in _wrap(note, "note: ", " " * 6))]
    lines += ["", *_wrap(conclusion(findings), "", "")]
    # What another project's files say must not command the terminal.
    text = "\n".join(line.rstrip() for line in lines)
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def conclusion(findings: Sequence[Finding]) -> str:
    """Return the result in a sentence or two."""
    verdicts = {finding.verdict for finding in findings}
    if not findings:
        return "Neither run has a stage."
    if verdicts == {IDENTICAL}:
        return f"The runs are identical: all {len(findings)} stages wrote the same bytes."
    first = first_to_differ(findings)
    named = "; ".join(
        f"{finding.stage} ({finding.why[0] if finding.why else finding.verdict})"
        for finding in first[:NAMED]
    )
    more = f" and {len(first) - NAMED} more" if len(first) > NAMED else ""
    machine = any(cause.kind == causes.MACHINE for finding in first for cause in finding.causes)
    floats = f" {OTHER_MACHINE}" if machine else ""
    if verdicts <= {IDENTICAL, WITHIN}:
        return (
            f"The runs agree within the tolerances of tolerances.yaml. First to have other bytes: "
            f"{named}{more}.{floats}"
        )
    return f"The runs differ. First: {named}{more}.{floats}"


def first_to_differ(findings: Sequence[Finding]) -> list[Finding]:
    """Return the stages that differ, or that one run lacks, and follow from no other."""
    return [finding for finding in findings if finding.verdict != IDENTICAL and not finding.follows]


def _table(findings: Sequence[Finding]) -> list[str]:
    wide = max([len("stage"), *(len(finding.stage) for finding in findings)]) + 2
    behind = len(WITHIN) + 2
    lines = [f"{'stage':{wide}}{'verdict':{behind}}why"]
    for finding in findings:
        start = f"{finding.stage:{wide}}{finding.verdict:{behind}}"
        indent = " " * (wide + behind)
        for reason in finding.why or [""]:
            lines += _wrap(reason, start, f"{indent}  ") or [start.rstrip()]
            start = indent
    return lines


def _figures_of(finding: Finding) -> list[str]:
    """Return the lines with a stage's figures side by side, those outside of tolerance first."""
    outside = [figure for figure in finding.figures if not figure.within]
    free = [figure for figure in finding.figures if figure.absolute == tolerances.ANY]
    within = [figure for figure in finding.figures if figure.within and figure not in free]
    within.sort(key=lambda figure: -(figure.size or 0) / (figure.absolute or 1))
    lines = []
    for title, figures in (("outside of tolerance", outside), ("within tolerance", within)):
        if figures:
            columns = "".join(f"{name:>12}" for name in ("A", "B", "difference", "tolerance"))
            lines += ["", f"{f'{finding.stage}, {title}':{WIDTH - 48}}{columns}"]
            lines += [_row(figure) for figure in figures[:SHOWN]]
            if len(figures) > SHOWN:
                lines += [f"  and {len(figures) - SHOWN} more (--json FILE has all)"]
    for file in dict.fromkeys(figure.file for figure in free):
        same = [figure for figure in free if figure.file == file]
        text = f"{len(same)} differing values not compared. {same[0].reason}"
        lines += ["", *_wrap(text, f"{finding.stage}, {file}: ", "  ")]
    return lines


def _row(figure: Difference) -> str:
    name = _cut(f"  {figure.file.removeprefix(METRICS)}: {figure.key}", WIDTH - 49)
    cells = (figure.a, figure.b, "" if figure.size is None else figure.size, figure.absolute)
    return f"{name:{WIDTH - 48}}" + "".join(f"{_cell(cell):>12}" for cell in cells)


def _cell(value: Any) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 11 else f"{text[:9]}.."


def _cut(text: str, width: int) -> str:
    half = width // 2
    return text if len(text) <= width else f"{text[: half - 1]}..{text[len(text) - half + 1 :]}"


def _wrap(text: str, start: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        width=WIDTH,
        initial_indent=start,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def _notes(letter: str, run: Run, findings: Sequence[Finding]) -> list[str]:
    """Return what to know of a run beside the verdicts."""
    notes = []
    if run.waiting:
        notes.append(f"{letter} has not run {_some(run.waiting)}: `dvc repro` does.")
    stale = recorded.stale(run)
    if stale:
        changed = list(dict.fromkeys(what for whats in stale.values() for what in whats))
        notes.append(
            f"{_some(list(stale))} of {letter} ran with other code, parameters or inputs than "
            f"{letter} has now: {_some(changed)}. The verdict is of what ran; `dvc repro` runs "
            f"what has changed."
        )
    problems: dict[str, list[str]] = {}
    for finding in findings:
        if finding.outputs and (problem := run.receipt(finding.stage).problem):
            problems.setdefault(problem, []).append(finding.stage)
    for problem, stages in problems.items():
        notes.append(
            f"no receipt of {_some(stages)} of {letter} ({problem}): machine and full versions "
            f"are not compared."
        )
    return notes


def _some(items: Sequence[str]) -> str:
    shown = ", ".join(items[:NAMED])
    return shown if len(items) <= NAMED else f"{shown} and {len(items) - NAMED} more"


def as_json(a: Run, b: Run, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the comparison for programs."""
    return {
        "a": a.title,
        "b": b.title,
        "same": exit_code(findings) == 0,
        "first": [finding.stage for finding in first_to_differ(findings)],
        "conclusion": conclusion(findings),
        "stages": [
            {
                "stage": finding.stage,
                "verdict": finding.verdict.lower(),
                "outputs": finding.outputs,
                "follows": finding.follows,
                "causes": [vars(cause) for cause in finding.causes],
                "although": [vars(cause) for cause in finding.although],
                "remark": finding.remark,
                "figures": [_figure(figure) for figure in finding.figures],
            }
            for finding in findings
        ],
    }


def _figure(figure: Difference) -> dict[str, Any]:
    return {
        "file": figure.file,
        "key": figure.key,
        "a": figure.a,
        "b": figure.b,
        "difference": figure.size,
        "tolerance": figure.absolute,
        "within": figure.within,
        "reason": figure.reason,
    }


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 if nothing differs beyond tolerance, else 3."""
    same = all(finding.verdict in (IDENTICAL, WITHIN) for finding in findings)
    return 0 if same else EXIT_DIFFERENT


def main() -> None:
    """Read the arguments, compare the two runs, and say what was found."""
    arguments = console.parser(__doc__)
    recorded.add_sides(arguments)
    arguments.add_argument(
        "--tolerances",
        type=Path,
        default=Path("tolerances.yaml"),
        help="declared tolerances (default: %(default)s)",
    )
    args = arguments.parse_args()
    declared = tolerances.load(args.tolerances)
    a, b = recorded.open_run(args.a), recorded.open_run(args.b)
    findings = verify(a, b, declared)
    if args.json:
        files.write_json(args.json, as_json(a, b, findings))
    sys.stdout.write(f"{describe(a, b, findings)}\n")
    sys.exit(exit_code(findings))


if __name__ == "__main__":
    console.run(main)
