"""Run contenders in turn, each in fresh processes, and put their repeats together."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertline.core import console, files
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """Something to time: `function` (module:function), which gets the settings and a seed.

    processes: run so many side by side, with a seed each. threads: of torch in each; None leaves it
    to the library, which takes all cores. busy: so many other processes compute meanwhile. goal:
    how many times as fast Bertline is to be. seeded: whether the function takes a seed.
    """

    name: str
    function: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    processes: int = 1
    threads: int | None = None
    busy: int = 0
    goal: float | None = None
    seeded: bool = True


def run_once(contender: Contender, seed: int) -> Outcome:
    """Run a contender once, in fresh processes, and return the outcome of all together.

    seed: of the first process; the others have those that follow. The outcome has `per_second`, the
    sum of items a second over the processes, `cpu_ms` of an item, `seconds` of the slowest, and
    their memory together; `each` has the outcomes of the processes. Raises BertlineError if one
    fails.
    """
    with tempfile.TemporaryDirectory() as scratch, busy(contender.busy):
        outcomes = _run_processes(contender, seed, Path(scratch))
    return {
        "per_second": sum(one["items"] / one["seconds"] for one in outcomes),
        "cpu_ms": 1e3
        * sum(one["cpu_seconds"] for one in outcomes)
        / sum(one["items"] for one in outcomes),
        "seconds": max(one["seconds"] for one in outcomes),
        "peak_memory_mib": sum(one["peak_memory_mib"] for one in outcomes),
        "each": outcomes,
    }


def _run_processes(contender: Contender, seed: int, scratch: Path) -> list[Outcome]:
    started = []
    for number in range(contender.processes):
        settings = dict(contender.settings)
        if contender.seeded:
            settings["seed"] = seed + number
        files.write_json(scratch / f"settings-{number}.json", settings)
        command = [sys.executable, "-m", "benchmarks.contender", contender.function]
        command += [str(scratch / f"{name}-{number}.json") for name in ("settings", "outcome")]
        command += ["--number", str(number), "--count", str(contender.processes)]
        command += ["--threads", str(contender.threads)] if contender.threads else []
        log = (scratch / f"log-{number}").open("w+", encoding="utf-8")
        started.append(
            (subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT), log)
        )
    try:
        for process, _ in started:
            process.wait()
    finally:
        for process, _ in started:
            process.kill()  # nothing, where it has ended
    outcomes = []
    for number, (process, log) in enumerate(started):
        log.seek(0)
        said = log.read().strip()
        log.close()
        if process.returncode:
            raise BertlineError(f"{contender.name} failed in a benchmark: {said[-1500:]}")
        outcomes.append(files.read_json(scratch / f"outcome-{number}.json"))
    return outcomes


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Let so many other processes compute during the block."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def interleave(contenders: Sequence[Contender], repeats: int) -> dict[str, list[Outcome]]:
    """Return the outcomes of each contender by its name, which took turns: A B C A B C.

    A slow minute of the machine then falls on all of them. The repeat number is the first seed.
    """
    found: dict[str, list[Outcome]] = {contender.name: [] for contender in contenders}
    for repeat in range(repeats):
        for contender in contenders:
            outcome = run_once(contender, 1 + repeat * contender.processes)
            found[contender.name].append(outcome)
            console.log(
                f"repeat {repeat + 1} of {repeats}, {contender.name}: "
                f"{outcome['per_second']:,.1f} a second"
            )
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, smallest and largest of values."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def summarise(
    contenders: Sequence[Contender], found: Mapping[str, Sequence[Outcome]]
) -> list[dict[str, Any]]:
    """Return a row for each contender: items a second, and Bertline's ratio to it.

    The first contender is Bertline's own. A ratio is taken within each repeat, as the machine was
    about as fast then, and the median and the range are those of these ratios. `met` is None where
    there is no goal.
    """
    ours = [outcome["per_second"] for outcome in found[contenders[0].name]]
    rows = []
    for contender in contenders:
        outcomes = found[contender.name]
        rates = [outcome["per_second"] for outcome in outcomes]
        ratio = spread([own / rate for own, rate in zip(ours, rates, strict=True)])
        goal = contender.goal
        row = {
            "name": contender.name,
            "processes": contender.processes,
            "threads": outcomes[0]["each"][0]["threads"],
            "busy": contender.busy,
            "repeats": len(outcomes),
            "per_second": spread(rates),
            "cpu_ms": spread([outcome["cpu_ms"] for outcome in outcomes]),
            "seconds": spread([outcome["seconds"] for outcome in outcomes]),
            "peak_memory_mib": max(outcome["peak_memory_mib"] for outcome in outcomes),
            "ratio": ratio,
            "goal": goal,
            "met": None if goal is None else ratio["median"] >= goal,
        }
        flops = outcomes[0]["each"][0].get("flops")
        if flops:  # per item
            row["gflops"] = spread([rate * flops / 1e9 for rate in rates])
        rows.append(row)
    return rows


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole, with figures cut to what the noise leaves of them."""
    files.write_json(path, json.loads(json.dumps(content), parse_float=_six_digits))


def _six_digits(text: str) -> float:
    return float(f"{float(text):.6g}")
