"""Run one contender of a benchmark in a process of its own, and write what it took as JSON.

    python -m benchmarks.contender benchmarks.peers_training:article settings.json outcome.json

`benchmarks.runner` starts these processes. A contender is a function that is called with a `Clock`
and the settings as keywords. What it does within `clock.timing()` is measured: loading, imports and
the check of the quality are not. It returns its outcome as a dictionary: `items`, how many were
worked on, and what it knows of their quality.
"""

import importlib
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from bertline.core import console, files

POLL = 0.005  # seconds between two looks at the gate


class Gate:
    """Where processes that compute side by side wait until all of them are ready."""

    def __init__(self, folder: Path, number: int, count: int) -> None:
        """number: of this process, below `count`, that of all."""
        self.folder, self.number, self.count = folder, number, count

    def wait(self) -> None:
        """Return once all processes have called this."""
        (self.folder / f"ready-{self.number}").touch()
        while len([*self.folder.glob("ready-*")]) < self.count:
            time.sleep(POLL)


class Clock:
    """Measures seconds, in parts, those of the processor, and the peak of the resident memory."""

    def __init__(
        self, gate: Gate | None = None, around: AbstractContextManager[Any] | None = None
    ) -> None:
        """gate: waited at before the first part. around: entered for each part, as a profiler."""
        self.parts: dict[str, float] = {}
        self.cpu_seconds = 0.0  # of all threads
        self.peak_memory_mib = 0
        self._gate, self._around = gate, around or nullcontext()

    @contextmanager
    def timing(self, part: str = "all") -> Iterator[None]:
        """Add the seconds of the block to those of `part`."""
        if self._gate and not self.parts:
            self._gate.wait()
        with self._around:
            started, used = time.perf_counter(), time.process_time()
            yield
            seconds = time.perf_counter() - started
            self.cpu_seconds += time.process_time() - used
        self.parts[part] = self.parts.get(part, 0.0) + seconds
        self.peak_memory_mib = peak_memory_mib()

    @property
    def seconds(self) -> float:
        """The seconds of all parts."""
        return sum(self.parts.values())


def peak_memory_mib() -> int:
    """Return the largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def find(name: str) -> Any:
    """Return the function that `module:function` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def main() -> None:
    """Read the settings, call the contender, and write its outcome."""
    arguments = console.parser(__doc__)
    arguments.add_argument("function", help="module:function")
    arguments.add_argument("settings", type=Path, help="JSON file: keywords of the function")
    arguments.add_argument("outcome", type=Path, help="JSON file to write")
    arguments.add_argument("--number", type=int, default=0, help="of this process, side by side")
    arguments.add_argument("--count", type=int, default=1, help="of the processes side by side")
    arguments.add_argument("--threads", type=int, help="of torch (default: its own choice)")
    args = arguments.parse_args()
    gate = Gate(args.outcome.parent, args.number, args.count) if args.count > 1 else None
    clock = Clock(gate)
    import torch  # behind the parsing of the arguments, whose errors need not wait for it

    if args.threads:
        torch.set_num_threads(args.threads)
    outcome = find(args.function)(clock, **files.read_json(args.settings))
    measured = {"seconds": clock.seconds, "cpu_seconds": clock.cpu_seconds, "parts": clock.parts}
    memory = {"peak_memory_mib": clock.peak_memory_mib, "threads": torch.get_num_threads()}
    files.write_json(args.outcome, measured | memory | outcome)


if __name__ == "__main__":
    console.run(main)
