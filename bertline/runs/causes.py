"""Why a stage has other outputs in one run than in another, from what the two runs recorded.

Causes are listed by how likely they are to have made the difference: the data that a stage read,
its parameters, its code, its packages, the machine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bertline.runs import recorded
from bertline.runs.recorded import PACKAGES, SOURCES, Receipt, Recorded, Run
from bertline.runs.tolerances import ABSENT

DATA = "data"
PARAMETER = "parameter"
CODE = "code"
PACKAGE = "package"
MACHINE = "machine"
IRREPRODUCIBLE = "not reproducible"
UNKNOWN = "unknown"

# Facts of a receipt by which a machine can decide about floats; a receipt need not have each.
MACHINE_FACTS = (
    *("processor", "instruction_sets", "device", "precision", "threads"),
    *("libraries", "system", "cores"),
)

# Keys of a source that say what its content is; of the others, some say how to choose or draw it.
CONTENT_KEYS = ("sha256", "files", "bytes", "revision", "wheel", "hub", "url")

# Modules that every stage has and that decide about no result, as far as their purpose goes.
HOUSEKEEPING = tuple(
    f"stages/{name}.py"
    for name in ("closure", "console", "environment", "errors", "hashes", "params", "receipt")
)

LISTED = 3  # changed modules or packages that a cause names; it counts the others


@dataclass(frozen=True)
class Cause:
    """One possible reason of a difference, in words that follow its kind."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Pair:
    """A stage in two runs, with the receipts that count."""

    a: Recorded
    b: Recorded
    receipts: tuple[Receipt, Receipt]

    @property
    def complete(self) -> bool:
        """Whether both runs have a receipt that counts."""
        return all(receipt.problem is None for receipt in self.receipts)


def pair(a: Run, b: Run, stage: str) -> Pair:
    """Return what two runs recorded of a stage that both have."""
    return Pair(a.stages[stage], b.stages[stage], (a.receipt(stage), b.receipt(stage)))


def differences(found: Pair) -> list[Cause]:
    """Return what differs in a stage's parameters, code, packages and machine."""
    return [
        *_sources(found),
        *_parameters(found),
        *_code(found),
        *_packages(found),
        *_machine(found),
    ]


def changed_outputs(a: Run, b: Run, found: Pair) -> list[Cause]:
    """Return the outputs that were changed after the stage wrote them, in the order of the runs."""
    causes = []
    for letter, run, receipt in zip("AB", (a, b), found.receipts, strict=True):
        for path in found.a.outs:
            if a.hash_of(found.a.name, path) == b.hash_of(found.a.name, path):
                continue
            if path in run.touched:
                known = "dvc.lock records"
                how = (
                    f"changed after the run{'' if run.in_folder else ', or not committed with it'}"
                )
            elif path in receipt.altered:
                known, how = "the stage wrote", "changed after the run, and committed"
            else:
                continue
            causes.append(Cause(DATA, f"{path} in {letter} is not what {known}: {how}"))
    return causes


def changed_inputs(found: Pair, paths: Iterable[str]) -> list[Cause]:
    """Return those of the paths that the stage reads and that differ between the runs."""
    changed = _changed(found.a.data, found.b.data)
    return [
        Cause(DATA, f"{path}, which it reads, has other content")
        for path in changed
        if path in set(paths)
    ]


def nothing_recorded(found: Pair) -> Cause:
    """Return what can be said of a difference for which no cause was found."""
    problems = [
        f"{letter} has no receipt of this run ({receipt.problem})"
        for letter, receipt in zip("AB", found.receipts, strict=True)
        if receipt.problem
    ]
    if problems:
        return Cause(
            UNKNOWN,
            f"all that dvc.lock records is the same; {' and '.join(problems)}, so its machine and "
            f"its full versions are not known",
        )
    return Cause(
        IRREPRODUCIBLE,
        "same code, parameters, data, packages and machine, and other outputs: please report it",
    )


def _sources(found: Pair) -> list[Cause]:
    """Compare the declarations of the sources: other bytes are data, another choice a parameter."""
    before, after = found.a.sources, found.b.sources
    role = found.a.name.partition("@")[2]
    if before != after:
        text = f"inputs.{role}: {', '.join(sorted(before))} -> {', '.join(sorted(after))}"
        return [Cause(PARAMETER, text)]
    old, new = found.a.values(SOURCES), found.b.values(SOURCES)
    data, parameters = [], []
    for key in _changed(old, new):
        source = next(name for name in before if key.startswith(f"{name}."))
        part = key.removeprefix(f"{source}.").split(".")
        if part[0] != "fetch" or part[1] not in CONTENT_KEYS:
            parameters.append(Cause(PARAMETER, f"sources.yaml: {_step(key, old, new)}"))
        elif part[1] == "files":
            name = ".".join(part[2:])
            data.append(Cause(DATA, f"{_what(key, old, new)} file {name} of source {source}"))
        elif part[1] == "sha256":
            data.append(Cause(DATA, f"the file of source {source} has other content (SHA-256)"))
        elif part[1] != "bytes":
            data.append(Cause(DATA, f"source {source}: {part[1]} {_arrow(key, old, new)}"))
    return [*data, *parameters]


def _what(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if key not in new:
        return "B lacks the"
    return "other content (SHA-256) in the" if key in old else "A lacks the"


def _parameters(found: Pair) -> list[Cause]:
    causes = []
    for file in sorted({*found.a.params, *found.b.params} - {SOURCES, PACKAGES}):
        old, new = found.a.values(file), found.b.values(file)
        where = "" if file == "params.yaml" else f"{file}: "
        causes += [Cause(PARAMETER, f"{where}{_step(key, old, new)}") for key in _changed(old, new)]
    if _command(found.a) != _command(found.b):
        old_words, new_words = found.a.command.split(), found.b.command.split()
        gone = [word for word in old_words if word not in new_words]
        come = [word for word in new_words if word not in old_words]
        text = f"the command in dvc.yaml, `{' '.join(gone)}` -> `{' '.join(come)}`"
        causes.append(Cause(PARAMETER, text))
    return causes


def _command(stage: Recorded) -> list[str]:
    """Return a stage's command without the source's name, which is a parameter of its own."""
    return [word for word in stage.command.split() if word not in stage.sources]


def _code(found: Pair) -> list[Cause]:
    own = f"stages/{found.a.name.partition('@')[0].replace('-', '_')}.py"
    changed = sorted(
        _changed(found.a.code, found.b.code),
        key=lambda path: (path != own, path in HOUSEKEEPING, path),
    )
    return [Cause(CODE, _some(changed))] if changed else []


def _packages(found: Pair) -> list[Cause]:
    listed = [
        {recorded.normal(name): version for name, version in stage.values(PACKAGES).items()}
        for stage in (found.a, found.b)
    ]
    names = [name for name in listed[0] if name in listed[1]]
    steps = {
        name: f"{name} {listed[0][name]} -> {listed[1][name]}"
        for name in names
        if listed[0][name] != listed[1][name]
    }
    causes = [Cause(PACKAGE, step) for step in steps.values()]
    if found.complete:
        old, new = (_versions(receipt.facts) for receipt in found.receipts)
        full = [name for name in _changed(old, new) if name not in steps]
        causes += [Cause(PACKAGE, _arrowed(name, old, new)) for name in full if name in names]
        others = [_arrowed(name, old, new) for name in full if name not in names]
        if others:
            causes.append(Cause(PACKAGE, f"imported as well: {_some(others)}"))
    return causes


def _versions(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions that a receipt names, Python's patch level among them."""
    python = {"python": facts["python"]} if "python" in facts else {}
    found = {recorded.normal(name): version for name, version in facts.get("packages", {}).items()}
    return python | found


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
            steps.append(f"{name} {old[key]} -> {new[key]}")
    return [Cause(MACHINE, ", ".join(steps))] if steps else []


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the keys that differ or that only one of two mappings has."""
    keys = [*old, *(key for key in new if key not in old)]
    return [key for key in keys if key not in old or key not in new or old[key] != new[key]]


def _step(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return f"{key}: {_arrow(key, old, new)}"


def _arrowed(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return f"{name} {_arrow(name, old, new)}"


def _arrow(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return f"{old.get(key, ABSENT)} -> {new.get(key, ABSENT)}"


def _some(items: list[str]) -> str:
    shown = ", ".join(items[:LISTED])
    return shown if len(items) <= LISTED else f"{shown} and {len(items) - LISTED} more"
