"""Find why a stage has other outputs in one run than in another, from what the two runs recorded.

Causes are listed by how likely they made the difference: the data that a stage read, its
parameters, its code, the packages that decide results, the machine, and what was merely imported.
What differs in a stage with the same outputs too comes behind what does not.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bertline.runs import text
from bertline.runs.recorded import (
    PACKAGES,
    SOURCES,
    Receipt,
    Run,
    Stage,
    differing,
    imported_versions,
)
from bertline.runs.tolerances import ABSENT

DATA = "data"
PARAMETER = "parameter"
CODE = "code"
PACKAGE = "package"
MACHINE = "machine"
IMPORTED = "imported package"  # packages.yaml does not list it: it is not known to decide a result
IRREPRODUCIBLE = "not reproducible"
UNKNOWN = "unknown"

# Facts of a receipt on which floats can depend. `libraries` names the kernels of linear algebra.
MACHINE_FACTS = (
    *("processor", "instruction_sets", "device", "precision", "threads"),
    *("libraries", "system", "cores"),
)

JOINED = (CODE, MACHINE, IMPORTED)  # kinds of which a stage has one cause for all

# Keys of a source that identify its content; the others say how it is parsed.
CONTENT_KEYS = ("sha256", "files", "bytes", "revision", "wheel", "hub", "url")
COMMON = "bertline/core/"  # code that every stage has, and that rarely decides a result


@dataclass(frozen=True)
class Cause:
    """A possible reason of a difference: its kind, and what differs."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Pair:
    """A stage in two runs, with the receipts of both."""

    a: Stage
    b: Stage
    receipts: tuple[Receipt, Receipt]

    @property
    def complete(self) -> bool:
        """Whether both runs have a receipt without a problem."""
        return all(receipt.problem is None for receipt in self.receipts)


def pair(a: Run, b: Run, stage: str) -> Pair:
    """Return what two runs recorded of a stage that both have."""
    return Pair(a.stages[stage], b.stages[stage], (a.receipt(stage), b.receipt(stage)))


def differences(found: Pair, harmless: Collection[Cause] = ()) -> list[Cause]:
    """Return what differs in a stage's parameters, code, packages and machine, the likeliest first.

    harmless: single causes that stages with the same outputs have too.
    """
    by_kind: dict[tuple[str, str], list[Cause]] = {}
    for cause in single_differences(found):
        apart = "" if cause.kind in JOINED else cause.text
        by_kind.setdefault((cause.kind, apart), []).append(cause)
    groups = [sorted(group, key=lambda cause: cause in harmless) for group in by_kind.values()]
    groups.sort(key=lambda group: (group[0].kind == IMPORTED, group[0] in harmless))
    if any(group[0].kind != IMPORTED for group in groups):
        groups = [
            group for group in groups if group[0].kind != IMPORTED or group[0] not in harmless
        ]
    return [Cause(group[0].kind, _joined(group)) for group in groups]


def single_differences(found: Pair) -> list[Cause]:
    """Return the same as single causes: a cause for each parameter, file, package and fact."""
    return [
        *_sources(found),
        *_parameters(found),
        *_code(found),
        *_packages(found),
        *_machine(found),
        *_imported(found),
    ]


def _joined(group: Collection[Cause]) -> str:
    texts = [cause.text for cause in group]
    return text.some(texts) if next(iter(group)).kind != MACHINE else ", ".join(texts)


def changed_outputs(a: Run, b: Run, found: Pair) -> list[Cause]:
    """Return the outputs that were changed after the stage wrote them, those of A first."""
    causes = []
    for letter, run, receipt in zip("AB", (a, b), found.receipts, strict=True):
        for path in dict.fromkeys([*found.a.outs, *found.b.outs]):
            if a.hash_of(found.a.name, path) == b.hash_of(found.a.name, path):
                continue
            if path in run.touched:
                how = "changed after the run"
                how += ", or not committed with it" if run.is_revision else ""
                causes.append(f"{path} in {letter} is not what dvc.lock records: {how}")
            elif path in receipt.altered:
                how = "changed after the run, and committed"
                causes.append(f"{path} in {letter} is not what the stage wrote: {how}")
    return [Cause(DATA, cause) for cause in causes]


def changed_inputs(found: Pair, paths: Iterable[str]) -> list[Cause]:
    """Return those of the paths that the stage reads and that differ between the runs."""
    among = set(paths)
    changed = (path for path in differing(found.a.data, found.b.data) if path in among)
    return [Cause(DATA, f"input {path} has other content") for path in changed]


def nothing_recorded(found: Pair) -> Cause:
    """Return the cause of a difference that nothing recorded explains."""
    problems = [
        f"{letter} has no receipt of this run ({receipt.problem})"
        for letter, receipt in zip("AB", found.receipts, strict=True)
        if receipt.problem
    ]
    if problems:
        return Cause(
            UNKNOWN,
            f"dvc.lock records the same for both; {' and '.join(problems)}, so machine and full "
            f"versions are not known",
        )
    return Cause(
        IRREPRODUCIBLE,
        "same code, parameters, data, packages and machine, but other outputs: please report it",
    )


def _sources(found: Pair) -> list[Cause]:
    """Compare the declarations of the sources: other bytes are data, another choice a parameter."""
    before, after = found.a.sources, found.b.sources
    if before != after:
        role = found.a.name.partition("@")[2]
        step = f"{', '.join(sorted(before))} -> {', '.join(sorted(after))}"
        return [Cause(PARAMETER, f"inputs.{role}: {step}")]
    old, new = found.a.values(SOURCES), found.b.values(SOURCES)
    data, parameters = [], []
    for key in differing(old, new):
        source = next(name for name in before if key.startswith(f"{name}."))
        group, field, *rest = [*key.removeprefix(f"{source}.").split("."), ""]
        if group != "fetch" or field not in CONTENT_KEYS:
            parameters.append(Cause(PARAMETER, f"sources.yaml: {key}: {_step(key, old, new)}"))
        elif field == "files":
            where = "" if key in old and key in new else " (only in one run)"
            name = ".".join(filter(None, rest))
            data.append(f"the file {name} of source {source} has other content (SHA-256){where}")
        elif field == "sha256":
            data.append(f"the file of source {source} has other content (SHA-256)")
        elif field != "bytes":  # sha256 says more
            data.append(f"source {source}: {field} {_step(key, old, new)}")
    return [*(Cause(DATA, line) for line in data), *parameters]


def _parameters(found: Pair) -> list[Cause]:
    causes = []
    for file in sorted({*found.a.params, *found.b.params} - {SOURCES, PACKAGES}):
        old, new = found.a.values(file), found.b.values(file)
        where = "" if file == "params.yaml" else f"{file}: "
        causes += [f"{where}{key}: {_step(key, old, new)}" for key in differing(old, new)]
    commands = [
        # The source's name in a command is a parameter of its own.
        [word for word in stage.command.split() if word not in stage.sources]
        for stage in (found.a, found.b)
    ]
    if commands[0] != commands[1]:
        gone = " ".join(word for word in commands[0] if word not in commands[1])
        come = " ".join(word for word in commands[1] if word not in commands[0])
        causes.append(f"the command in dvc.yaml, `{gone}` -> `{come}`")
    return [Cause(PARAMETER, cause) for cause in causes]


def _code(found: Pair) -> list[Cause]:
    """Name the files that differ where both receipts list them, else the deps of dvc.lock."""
    changed = differing(found.a.code, found.b.code)
    if changed and found.complete:
        old, new = (receipt.facts["code"] for receipt in found.receipts)
        changed = differing(old, new)
    script = f"stages/{found.a.name.partition('@')[0].replace('-', '_')}.py"
    changed.sort(key=lambda path: (path != script, path.startswith(COMMON), path))
    return [Cause(CODE, path) for path in changed]


def _packages(found: Pair) -> list[Cause]:
    """Return the packages of the stage's groups, by builds where the versions are the same."""
    old, new = found.a.packages, found.b.packages
    names = [name for name in old if name in new]
    causes = [f"{name} {_step(name, old, new)}" for name in names if old[name] != new[name]]
    builds = _other_builds(found)
    causes += [builds[name] for name in builds if name in names]
    return [Cause(PACKAGE, cause) for cause in causes]


def _imported(found: Pair) -> list[Cause]:
    """Return the packages that the stage imported and that its groups do not list."""
    listed = found.a.packages.keys() & found.b.packages.keys()
    builds = _other_builds(found)
    return [Cause(IMPORTED, step) for name, step in builds.items() if name not in listed]


def _other_builds(found: Pair) -> dict[str, str]:
    """Return by package how the full versions of receipts differ where dvc.lock's do not."""
    if not found.complete:
        return {}
    stated_old, stated_new = found.a.packages, found.b.packages
    old, new = (imported_versions(receipt.facts) for receipt in found.receipts)
    names = [name for name in differing(old, new) if stated_old.get(name) == stated_new.get(name)]
    return {name: f"{name} {_step(name, old, new)}" for name in names}


def _machine(found: Pair) -> list[Cause]:
    if not found.complete:
        return []
    old, new = (receipt.facts for receipt in found.receipts)
    steps = []
    for key in MACHINE_FACTS:
        if key not in old or key not in new or old[key] == new[key]:
            continue
        name = key.replace("_", " ")
        if isinstance(old[key], list) and isinstance(new[key], list):
            lost = [f"-{item}" for item in old[key] if item not in new[key]]
            won = [f"+{item}" for item in new[key] if item not in old[key]]
            steps.append(f"{name} {' '.join([*lost, *won]) or 'in another order'}")
        else:
            steps.append(f"{name} {_step(key, old, new)}")
    return [Cause(MACHINE, step) for step in steps]


def _step(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return f"{old.get(key, ABSENT)} -> {new.get(key, ABSENT)}"
