"""What one run of a stage was made of: the receipt in `metrics/receipts/`.

A receipt names the content of everything that can decide the result (code, parameters, inputs,
packages, processor, precision, threads) and of the result itself. It differs between two machines
that compute the same bytes, so it is no DVC output; git keeps it beside the figures that it
explains, and `bertline verify` compares the receipts of two runs. A run that repeats an earlier one
leaves the earlier receipt as it is.

What a run took on this machine (seconds, memory, where bytes came from) differs each time: it
goes to `metrics/costs/`, which git ignores.

DVC reads parameters and hashes code and inputs when a stage has ended. What is edited while it runs
would be filed as what made the result, so a stage compares them with those that it began with
before it puts an output in place, and refuses if they differ.
"""

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from bertline.core import dependencies, files, hashes, machine, params
from bertline.core import packages as environment
from bertline.core.errors import BertlineError
from bertline.core.params import Section

# What two runs have in common if one repeats the other; the rest of a receipt names the machine.
IDENTITY = ("parameters", "inputs", "outputs", "code", "packages", "python")


# Code that was written since may be other code than this process has imported.
STARTED = machine.process_start()


class Run(dict[str, Any]):
    """One run of a stage: what it is made of, and as a dictionary the facts that the stage adds.

    `costs` takes what the stage measures of its own time.
    """

    def __init__(self, stage: str, parameters: Mapping[str, Any], inputs: Sequence[Path]) -> None:
        super().__init__()
        self.costs: dict[str, Any] = {}
        self.stage = stage
        self.parameters = {name: _plain(values) for name, values in parameters.items()}
        self._inputs = inputs
        self._documents = params.documents()
        self._versions = _stated()

    @cached_property
    def inputs(self) -> dict[str, str | None]:
        """The hash of each input, as it was when it was asked for first."""
        return {path.as_posix(): hashes.md5(path) for path in self._inputs}

    @cached_property
    def code(self) -> dict[str, str]:
        """The hash of each file of the project that the stage's code consists of."""
        return dependencies.hashed(*self._code)

    @cached_property
    def _code(self) -> tuple[Path, list[str]]:
        return dependencies.code_of(self.stage)

    @cached_property
    def _states(self) -> dict[Path, list[tuple[str, int, int]]]:
        return {path: _state(path) for path in self._inputs}

    def begin(self) -> None:
        """Hash code and inputs now, and not when they are asked for first.

        Raises BertlineError if code was written while this process imported it.
        """
        _ = self._states, self.inputs, self.code
        root, _ = self._code
        # A time in the future says nothing: a clock was set back, or is another machine's.
        written = {path: (root / path).stat().st_mtime for path in self.code}
        late = [path for path, at in written.items() if STARTED < at <= time.time()]
        if late:
            self._refuse([f"{path} was written while the stage was starting" for path in late])

    def check(self) -> None:
        """Raise BertlineError if parameters, code or inputs are other ones than at the beginning.

        Inputs are hashed again if their size or time of modification is another one.
        """
        found = params.changes(self._documents, self.parameters)
        versions = _stated()
        found += [
            f"{environment.PACKAGES}: {name} was {was} and is {versions.get(name, 'missing')}"
            for name, was in self._versions.items()
            if versions.get(name) != was
        ]
        now = dependencies.hashed(*self._code)
        names = sorted(name for name in {*self.code, *now} if self.code.get(name) != now.get(name))
        for path, state in self._states.items():
            if _state(path) != state and hashes.md5(path) != self.inputs[path.as_posix()]:
                names.append(path.as_posix())
        found += [f"{name} was changed" for name in names]
        if found:
            self._refuse(found)

    def _refuse(self, reasons: Sequence[str]) -> NoReturn:
        raise BertlineError(
            f"{self.stage} is not made of what lies here now. Since it began: "
            f"{'; '.join(reasons)}. DVC would file the result under the present state, so the "
            f"outputs were not written. Run `dvc repro` again, with this state or the earlier one; "
            f"leave its parameters, code and inputs alone until it ends."
        )

    def key(self, **more: str) -> str:
        """Return a hash of everything that decides the result; `more` is what the stage knows."""
        content = [
            *(self.stage, self.parameters, list(self.inputs.values()), self.code),
            *(packages(), platform.python_version(), machine.processor(), more),
        ]
        text = json.dumps(content, sort_keys=True).encode()
        return hashlib.sha256(text).hexdigest()[:32]


@contextmanager
def receipt(
    target: Path | None,
    stage: str,
    *,
    parameters: Mapping[str, Any],
    inputs: Sequence[Path],
    outputs: Sequence[Path | None],
) -> Iterator[Run]:
    """Yield a dictionary for the stage's own facts; write them with the common ones at the end.

    target: the receipt; the costs go to `costs_file(target)`. stage: its name, with the item behind
    an `@`. parameters: what it read, by section. inputs, outputs: the paths that it read and wrote,
    hashed as DVC hashes them; None stands for an output that was not asked for. Nothing is written
    if the block fails or `target` is None.

    Raises BertlineError if packages.yaml does not state what is installed, before the block; and if
    parameters, code or inputs change during the block, instead of putting `outputs` in place. DVC
    would record the result under other ones than those that made it.
    """
    _check_packages(Path())
    started = time.monotonic()
    run = Run(stage, parameters, inputs)
    if target is None:
        yield run
        return
    run.begin()

    def check() -> None:
        run.check()
        _check_packages(Path())

    with files.checked([path for path in outputs if path is not None], check):
        yield run
    check()  # a stage may have written an output without `files`, or none at all
    seconds = round(time.monotonic() - started, 2)
    costs = {"seconds": seconds, "peak_memory_mib": machine.peak_memory_mib(), **run.costs}
    files.write_json(costs_file(target), costs)
    place = {
        "stage": stage,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": machine.processor(),
        "instruction_sets": machine.instruction_sets(),
        "cores": os.cpu_count(),
        "libraries": machine.libraries(),
        "python": platform.python_version(),
    }
    content = {
        "parameters": run.parameters,
        "inputs": run.inputs,
        "outputs": {path.as_posix(): hashes.md5(path) for path in outputs if path is not None},
        "code": run.code,
        "packages": packages(),
    }
    written = place | run | content
    if not _repeats(target, written):
        files.write_json(target, written)


def costs_file(target: Path) -> Path:
    """Return where the costs of the run with the receipt `target` go: costs/ beside receipts/."""
    if target.parent.name == "receipts":
        return target.parent.with_name("costs") / target.name
    return target.with_suffix(".costs.json")


def _repeats(target: Path, written: Mapping[str, Any]) -> bool:
    """Return whether the receipt that is there is of a run with the same identity and result."""
    try:
        earlier = json.loads(target.read_text(encoding="utf-8"))
        return all(earlier[key] == json.loads(json.dumps(written[key])) for key in IDENTITY)
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or one of another format
        return False


def _stated() -> dict[str, str]:
    """Return the versions that packages.yaml states: an upgrade may have written them anew."""
    return environment.stated(Path()) if Path(environment.PACKAGES).is_file() else {}


def _check_packages(root: Path) -> None:
    if not (root / environment.PACKAGES).is_file():
        return  # a stage on its own, outside of the project
    wrong = [
        f"{name} is {found} and stated as {version}"
        for name, (version, found) in environment.differing(root).items()
    ]
    if wrong:
        raise BertlineError(
            f"{environment.PACKAGES} states other versions than those that are installed: "
            f"{'; '.join(wrong)}. Run `bertline packages`, which corrects it, and then the command "
            f"again."
        )


def _state(path: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of modification of each file below a path, or of the file."""
    below = [path / name for name in sorted(hashes.files_below(path))] if path.is_dir() else [path]
    states = ((file, file.stat()) for file in below if file.exists())
    return [(file.as_posix(), state.st_size, state.st_mtime_ns) for file, state in states]


def _plain(values: Any) -> Any:
    return values.model_dump(mode="json") if isinstance(values, Section) else values


def packages() -> dict[str, str]:
    """Return name and version of every distribution that this process has imported from."""
    by_module = metadata.packages_distributions()
    imported = {name.partition(".")[0] for name in sys.modules}
    names = {distribution for module in imported for distribution in by_module.get(module, ())}
    return {name: metadata.version(name) for name in sorted(names, key=str.lower)}
