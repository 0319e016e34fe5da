"""Compare two runs stage by stage: what is identical, which stage differs first, and why.

Reads   dvc.lock, metrics/ and metrics/receipts/ of the runs A and B. A run is a project's folder, a
        branch, tag or commit of the current project, a DVC experiment by its name, or `workspace`,
        the current folder, which is also B's default. Outputs that the folder or revision holds are
        hashed, so that a change after the run is seen.
Writes  what it prints, and with --json the same to a file for programs.

    bertline verify HEAD
    bertline verify main faster
    bertline verify ../colleague/bertline .

Verdicts: identical, every output has the same bytes. within tolerance, other bytes where floats are
computed, and all figures within the tolerances of their classes (bertline/runs/tolerances.py).
DIFFERENT, anything else; also other bytes from the same code, parameters, data, packages and
machine, which is not reproducible. A receipt that contradicts dvc.lock is an error: something else
made the outputs than is recorded.

Exit codes: 0 all identical or within tolerance; 3 something differs, or is recorded wrongly; 2 a
mistake in the command.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from bertline.core import console, files, hashes
from bertline.runs import causes, recorded, text, tolerances
from bertline.runs.causes import Cause
from bertline.runs.recorded import Run
from bertline.runs.tolerances import Difference

EXIT_DIFFERENT = 3

IDENTICAL = "identical"
WITHIN = "within tolerance"
DIFFERENT = "DIFFERENT"
ONLY_A, ONLY_B = "only in A", "only in B"

OTHER_MACHINE = "Machines round differently: do not expect the same floats of another one."
UNMEASURED = "no figure of its own measures it"
METRICS = "metrics/"  # outputs below it are figures

# Causes by which other outputs are expected.
DELIBERATE = (causes.DATA, causes.PARAMETER, causes.CODE, causes.PACKAGE)

SHOWN = 8  # figures that are shown of a stage and of each kind; --json has all


@dataclass
class Finding:
    """The comparison of a stage.

    follows: the first stages that differ and that this stage reads from. although: what was changed
    and made no difference. contradictions: by A and B, how receipt and dvc.lock contradict each
    other, so that it is not known what made the outputs.
    """

    stage: str
    verdict: str
    outputs: list[str] = field(default_factory=list)
    follows: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    although: list[Cause] = field(default_factory=list)
    figures: list[Difference] = field(default_factory=list)
    remark: str = ""
    contradictions: dict[str, str] = field(default_factory=dict)

    @property
    def why(self) -> list[str]:
        """The reasons in words, the likeliest first."""
        follows = [f"follows from {', '.join(self.follows)}"] if self.follows else []
        although = [f"although {cause}" for cause in self.although]
        remark = [self.remark] if self.remark else []
        if self.contradictions:
            remark.append(
                f"the receipt contradicts dvc.lock in {' and '.join(self.contradictions)}"
            )
        return [*follows, *map(str, self.causes), *although, *remark]


def verify(a: Run, b: Run) -> list[Finding]:
    """Return a finding for every stage of two runs, in the order of the pipeline."""
    producers = find_producers(a, b)
    harmless = _harmless(a, b)
    findings: dict[str, Finding] = {}
    for stage in in_order(a, b, producers):
        if stage not in a.stages or stage not in b.stages:
            findings[stage] = _lone(a, b, stage)
        else:
            findings[stage] = _judge(a, b, stage, producers, findings, harmless)
        for letter, run in (("A", a), ("B", b)):
            if stage in run.stages and (contradiction := run.receipt(stage).contradiction):
                findings[stage].contradictions[letter] = contradiction
    return list(findings.values())


def find_producers(a: Run, b: Run) -> dict[str, list[str]]:
    """Return, for each dep of each stage, the stages that write it, part of it or around it."""
    stages = [stage for run in (a, b) for stage in run.stages.values()]
    outs = {path: stage.name for stage in stages for path in stage.outs}
    return {
        path: list(dict.fromkeys(name for out, name in outs.items() if recorded.overlap(out, path)))
        for stage in stages
        for path in stage.data
    }


def in_order(a: Run, b: Run, producers: Mapping[str, list[str]]) -> list[str]:
    """Return the names of all stages, each behind those that it reads from."""
    graph: TopologicalSorter[str] = TopologicalSorter()
    for run in (a, b):
        for name, stage in run.stages.items():
            graph.add(name, *(producer for path in stage.data for producer in producers[path]))
    return list(graph.static_order())


def _harmless(a: Run, b: Run) -> set[Cause]:
    """Return what differs in stages with the same outputs: less likely to be a cause elsewhere.

    Another machine is harmless only where floats were computed.
    """
    found = set()
    for stage in a.stages.keys() & b.stages.keys():
        if differing_outputs(a, b, stage):
            continue
        floats = any(tolerances.holds_floats(path) for path in a.stages[stage].outs)
        kinds = (
            causes.CODE,
            causes.PACKAGE,
            causes.IMPORTED,
            *([causes.MACHINE] if floats else []),
        )
        single = causes.single_differences(causes.pair(a, b, stage))
        found |= {cause for cause in single if cause.kind in kinds}
    return found


def differing_outputs(a: Run, b: Run, stage: str) -> list[str]:
    """Return the outputs of a stage that do not have the same content in both runs."""
    paths = dict.fromkeys([*a.stages[stage].outs, *b.stages[stage].outs])
    return [path for path in paths if a.hash_of(stage, path) != b.hash_of(stage, path)]


def _lone(a: Run, b: Run, stage: str) -> Finding:
    verdict, other, letter = (ONLY_A, b, "B") if stage in a.stages else (ONLY_B, a, "A")
    remark = f"{letter} has not run it" if stage in other.waiting else f"no stage of {letter}"
    return Finding(stage, verdict, remark=remark)


def _judge(
    a: Run,
    b: Run,
    stage: str,
    producers: Mapping[str, list[str]],
    before: Mapping[str, Finding],
    harmless: Collection[Cause],
) -> Finding:
    found = causes.pair(a, b, stage)
    outputs = differing_outputs(a, b, stage)
    own = causes.differences(found, harmless)
    if not outputs:
        although = [cause for cause in own if cause.kind != causes.MACHINE]
        return Finding(stage, IDENTICAL, although=although)

    # Earlier stages by which an input differs, and the first stages that these go back to.
    changed = recorded.differing(found.a.data, found.b.data)
    sources = [
        before[name]
        for name in dict.fromkeys(name for path in changed for name in producers[path])
        if before[name].verdict != IDENTICAL
    ]
    roots = dict.fromkeys(root for source in sources for root in source.follows or [source.stage])
    finding = Finding(stage, DIFFERENT, outputs, follows=list(roots))
    if roots:  # another machine is no cause beside other inputs
        own = [cause for cause in own if cause.kind != causes.MACHINE]
    explained = {source.stage for source in sources}
    # Of a folder such as own/ a stage takes the files that its parameters name.
    folders = {
        path
        for path, names in producers.items()
        if not names and recorded.is_folder(found.a.data.get(path))
    }
    unexplained = {path for path, names in producers.items() if not explained & {*names}} - folders
    finding.causes = [
        *causes.changed_outputs(a, b, found),
        *causes.changed_inputs(found, unexplained),
        *own,
    ]
    if not finding.causes:
        finding.causes = causes.changed_inputs(found, folders)
    if not finding.causes and not roots:
        finding.causes = [causes.nothing_recorded(found)]
    finding.figures, measured, unread = _figures(a, b, stage)
    finding.verdict = _verdict(finding, sources, measured=measured, readable=not unread)
    unmeasured = finding.verdict == WITHIN and not measured
    finding.remark = "; ".join(unread) or (UNMEASURED if unmeasured else "")
    return finding


def _figures(a: Run, b: Run, stage: str) -> tuple[list[Difference], bool, list[str]]:
    """Return the figures of a stage that differ, whether any has a tolerance, and what is amiss."""
    differing: list[Difference] = []
    measured = False
    unread = []
    outs = dict.fromkeys([*a.stages[stage].outs, *b.stages[stage].outs])
    for out in (path for path in outs if path.startswith(METRICS)):
        listed = {name for run in (a, b) for name in hashes.files_below(run.root / out)}
        for path in [f"{out}/{name}" for name in sorted(listed)] or [out]:
            in_a, in_b = a.read(path), b.read(path)
            for letter, run, content in (("A", a, in_a), ("B", b, in_b)):
                if content is None:
                    unread.append(f"{path} is missing in {letter}")
                elif out in run.touched:
                    unread.append(f"{out} in {letter} is not the one that dvc.lock records")
            if in_a is not None and in_b is not None:
                found, has_tolerance = tolerances.compare(path, in_a, in_b)
                differing += found
                measured |= has_tolerance
    return differing, measured, list(dict.fromkeys(unread))


def _verdict(
    finding: Finding, sources: Sequence[Finding], *, measured: bool, readable: bool
) -> str:
    """Return whether outputs that are not the same are within tolerance."""
    exact = any(
        not path.startswith(METRICS) and not tolerances.holds_floats(path)
        for path in finding.outputs
    )
    kinds = {cause.kind for cause in finding.causes}
    outside = any(not figure.within for figure in finding.figures)
    if exact or outside or not readable or causes.IRREPRODUCIBLE in kinds:
        return DIFFERENT
    if measured:
        return WITHIN
    # No figure measures how far the outputs lie apart: the verdict is that of the inputs.
    behind = any(source.verdict not in (IDENTICAL, WITHIN) for source in sources)
    deliberate = kinds & set(DELIBERATE) or kinds == {causes.IMPORTED}
    return DIFFERENT if deliberate or behind else WITHIN


# --- what is printed ------------------------------------------------------------------------------


def describe(a: Run, b: Run, findings: Sequence[Finding]) -> str:
    """Return the comparison as text: a table, figures, notes, and a conclusion."""
    lines = [f"A  {a.title}", f"B  {b.title}", "", *_table(findings)]
    for finding in findings:
        lines += _figures_of(finding)
    for letter, run in (("A", a), ("B", b)):
        found = {finding.stage: finding.contradictions.get(letter, "") for finding in findings}
        error = recorded.say_contradictions(letter, run, found)
        lines += ["", *text.wrap(error, "error: ", " " * 7)] if error else []
    notes = [*_notes("A", a, findings), *_notes("B", b, findings)]
    if notes:
        lines += ["", *(line for note in notes for line in text.wrap(note, "note: ", " " * 6))]
    return text.printable([*lines, "", *text.wrap(conclusion(findings))])


def conclusion(findings: Sequence[Finding]) -> str:
    """Return the result in a sentence or two."""
    verdicts = {finding.verdict for finding in findings}
    if not findings:
        return "Neither run has a stage."
    wrong = [finding.stage for finding in findings if finding.contradictions]
    unknown = (
        f" But receipt and dvc.lock of {text.some(wrong)} contradict each other." if wrong else ""
    )
    if verdicts == {IDENTICAL}:
        return f"The runs are identical: all {len(findings)} stages wrote the same bytes.{unknown}"
    first = first_to_differ(findings)
    by_reason: dict[str, list[str]] = {}
    for finding in first:
        reason = finding.why[0] if finding.why else finding.verdict
        by_reason.setdefault(reason, []).append(finding.stage)
    named = "; ".join(f"{text.some(stages)} ({reason})" for reason, stages in by_reason.items())
    machine = any(cause.kind == causes.MACHINE for finding in first for cause in finding.causes)
    floats = f" {OTHER_MACHINE}" if machine else ""
    if verdicts <= {IDENTICAL, WITHIN}:
        return (
            f"The runs agree within tolerances. First with other bytes: {named}.{floats}{unknown}"
        )
    return f"The runs differ. First: {named}.{floats}{unknown}"


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
            lines += text.wrap(reason, start, f"{indent}  ") or [start]
            start = indent
    return lines


def _figures_of(finding: Finding) -> list[str]:
    """Return the figures of a stage in A and B, those outside of tolerance first."""
    free = [figure for figure in finding.figures if figure.tolerance is None]
    outside = [figure for figure in finding.figures if not figure.within]
    within = [figure for figure in finding.figures if figure.within and figure not in free]
    within.sort(key=lambda figure: -(figure.difference or 0) / (figure.tolerance or 1))
    lines = []
    for title, figures in (("outside of tolerance", outside), ("within tolerance", within)):
        if figures:
            rows = [[f"{finding.stage}, {title}", "A", "B", "difference", "tolerance"]]
            rows += [_row(figure) for figure in figures[:SHOWN]]
            lines += ["", *text.columns(rows)]
        if len(figures) > SHOWN:
            lines += [f"  and {len(figures) - SHOWN} more (--json FILE has all)"]
    for file in dict.fromkeys(figure.file for figure in free):
        same = [figure for figure in free if figure.file == file]
        note = f"differing and not compared: {len(same)}. {same[0].reason}"
        lines += ["", *text.wrap(note, f"{finding.stage}, {file}: ", "  ")]
    return lines


def _row(figure: Difference) -> list[str]:
    name = f"  {figure.file.removeprefix(METRICS)}: {figure.key}"
    size = "" if figure.difference is None else figure.difference
    cells = (figure.a, figure.b, size, figure.tolerance)
    shown = (f"{cell:.5g}" if isinstance(cell, float) else str(cell) for cell in cells)
    return [name, *(text.cut(cell, 11) for cell in shown)]


def _notes(letter: str, run: Run, findings: Sequence[Finding]) -> list[str]:
    """Return what to know of a run beside the verdicts."""
    notes = []
    if run.waiting:
        notes.append(f"{letter} has not run {text.some(run.waiting)}: `dvc repro` does.")
    outs = (path for stage in run.stages.values() for path in stage.outs)
    missing = [path for path in outs if path.startswith(METRICS) and not (run.root / path).exists()]
    if missing:  # data/ may not be checked out, but metrics/ is in git
        notes.append(
            f"{text.some(missing)} of {letter} is missing, and compared as dvc.lock has it: `git "
            f"restore metrics` brings back what was committed, `dvc repro` runs the stage."
        )
    if stale := recorded.stale(run):
        changed = list(dict.fromkeys(what for whats in stale.values() for what in whats))
        notes.append(
            f"{text.some(list(stale))} of {letter} ran with other code, parameters or inputs than "
            f"{letter} has now: {text.some(changed)}. The verdict is of what ran; `dvc repro` runs "
            f"what has changed."
        )
    problems: dict[str, list[str]] = {}
    for finding in (finding for finding in findings if finding.stage in run.stages):
        receipt = run.receipt(finding.stage)
        if (
            receipt.problem
            and not receipt.contradiction
            and (finding.outputs or receipt.of_another)
        ):
            problems.setdefault(receipt.problem, []).append(finding.stage)
    notes += [
        f"no receipt of {text.some(stages)} of {letter} ({problem}): machine and full versions "
        f"are not compared."
        for problem, stages in problems.items()
    ]
    return notes


def as_json(a: Run, b: Run, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the comparison for programs."""
    return {
        "a": a.title,
        "b": b.title,
        "same": exit_code(findings) == 0,
        "first": [finding.stage for finding in first_to_differ(findings)],
        "conclusion": conclusion(findings),
        "stages": [asdict(finding) | {"verdict": finding.verdict.lower()} for finding in findings],
    }


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 if nothing differs beyond tolerance and all is recorded as it ran, else 3."""
    same = all(
        finding.verdict in (IDENTICAL, WITHIN) and not finding.contradictions
        for finding in findings
    )
    return 0 if same else EXIT_DIFFERENT


def main() -> None:
    """Read the arguments, compare the two runs, and print what was found."""
    arguments = console.parser(__doc__)
    recorded.add_sides(arguments)
    args = arguments.parse_args()
    a, b = recorded.open_run(args.a), recorded.open_run(args.b)
    findings = verify(a, b)
    if args.json:
        files.write_json(args.json, as_json(a, b, findings))
    sys.stdout.write(f"{describe(a, b, findings)}\n")
    sys.exit(exit_code(findings))


if __name__ == "__main__":
    console.run(main)
