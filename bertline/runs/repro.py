"""Run what has changed of the pipeline, with independent stages side by side.

Reads   what `dvc repro` reads.
Writes  what `dvc repro` writes, to the same bytes.

    bertline repro
    bertline repro visualize@topics --jobs 1

`dvc repro` runs one stage after another. Here a stage begins as soon as those that it needs have
ended, as a `dvc repro --single-item` of its own, and up to `--jobs` run at a time. At the end `dvc
repro` looks at everything once more, unless nothing had changed. When a stage fails, those beside
it run to their end, and no other begins.
"""

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from pathlib import Path

from dvc.cli import main as dvc
from dvc.exceptions import DvcException
from dvc.repo import Repo

from bertline.core import console, machine
from bertline.core.errors import BertlineError

UP_TO_DATE = "Data and pipelines are up to date."  # DVC's words
NAME_WIDTH = 24  # of a stage, in front of its lines

# What drivers of NVIDIA, AMD and Intel, Jetson, Windows' Linux and others make in DEVICES.
DEVICES = Path("/dev")
GPUS = ("nvidia*", "kfd", "dri/renderD*", "nvhost*", "dxg", "accel*")

# Stages print lines from threads of their own, and a line is written in two parts.
PRINTING = threading.Lock()

Needs = dict[str, set[str]]  # of each stage, those that it needs


def find_changed(targets: Sequence[str]) -> Needs:
    """Return the stages that have changed or need one that has, and which of these each needs.

    targets: stages to run with all that they need; none for the whole pipeline. Raises
    BertlineError where DVC cannot read the project or has no such stage.
    """
    try:
        with Repo() as repo:
            graph = repo.index.graph
            needs = {
                stage.addressing: {other.addressing for other in graph.successors(stage)}
                for stage in graph
            }
            changed = set(repo.status())
    except DvcException as error:
        raise BertlineError(f"DVC cannot read this project: {error}. Run `dvc status`.") from error
    for target in targets:
        if target not in needs:
            raise BertlineError(f"dvc.yaml has no stage {target}; `dvc stage list` has the names.")
    wanted = set(targets or needs)
    order = [*TopologicalSorter(needs).static_order()]
    for name in reversed(order):
        if name in wanted:
            wanted |= needs[name]
    for name in order:
        if needs[name] & changed:
            changed.add(name)
    return {name: needs[name] & changed for name in order if name in changed & wanted}


def independent(needs: Mapping[str, set[str]]) -> bool:
    """Return whether two of the stages could run at the same time."""
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        if len(ready) > 1:
            return True
        sorter.done(*ready)
    return False


def depths(needs: Mapping[str, set[str]]) -> dict[str, int]:
    """Return how many stages one after another wait for each stage, at most."""
    found = dict.fromkeys(needs, 0)
    for name in reversed([*TopologicalSorter(needs).static_order()]):
        for other in needs[name]:
            found[other] = max(found[other], found[name] + 1)
    return found


def run_stage(name: str, processes: dict[str, subprocess.Popen[str]]) -> int:
    """Run one stage by DVC, the stage's name in front of each line; return the exit code.

    The process is in `processes` from its start on.
    """
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        processes[name] = process
        for line in process.stdout or ():
            with PRINTING:
                console.log(f"{name:<{NAME_WIDTH}} {line.rstrip()}")
    return process.returncode


def run_all(needs: Needs, jobs: int) -> None:
    """Run the stages, `jobs` at a time, each after those that it needs.

    Of those that could begin, the one that most others wait for is first: otherwise the last
    training runs alone, and the stages behind it after that.
    Raises BertlineError, once all that had begun have ended, if one failed. What interrupts this
    process ends them.
    """
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    processes: dict[str, subprocess.Popen[str]] = {}
    running: dict[Future[int], str] = {}
    waiting: list[str] = []
    depth = depths(needs)
    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while sorter.is_active() and not failed:
                waiting += sorter.get_ready()
                waiting.sort(key=lambda name: (-depth[name], name))
                while waiting and len(running) < jobs:
                    name = waiting.pop(0)
                    running[pool.submit(run_stage, name, processes)] = name
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    sorter.done(name)
                    failed += [name] * bool(future.result())
        except KeyboardInterrupt:
            for process in processes.values():
                process.terminate()  # nothing, where it has ended
            raise
        failed += [name for future, name in running.items() if future.result()]
    if failed:
        raise BertlineError(
            f"{' and '.join(failed)} failed, for the reason above. What the other stages made is "
            f"kept: the same command continues from there."
        )


def choose_jobs() -> int:
    """Return how many stages may run at a time: one for each core, and one with a GPU."""
    if may_have_gpu():
        from bertline.encoders import running  # imports torch, which takes seconds

        if running.choose_device().type != "cpu":
            return 1
    return machine.cores()


def may_have_gpu() -> bool:
    """Return whether torch could find a GPU: on Linux, only where a driver has made a device."""
    if sys.platform != "linux":
        return True
    return any(path for pattern in GPUS for path in DEVICES.glob(pattern))


def main() -> None:
    """Read the arguments, run what has changed, and let DVC look at everything."""
    arguments = console.parser(__doc__)
    arguments.add_argument("targets", nargs="*", help="stages, such as evaluate (default: all)")
    arguments.add_argument(
        "--jobs", type=int, help="stages at a time (default: one a core, and one with a GPU)"
    )
    args = arguments.parse_args()
    if args.jobs is not None and args.jobs < 1:
        raise BertlineError(f"--jobs is {args.jobs}; give 1 or more.")
    changed = find_changed(args.targets)
    if not changed:  # as `dvc repro` would find by looking at everything once more, and print
        sys.stdout.write(f"{UP_TO_DATE}\n")
        return
    if independent(changed):
        jobs = args.jobs or choose_jobs()
        if jobs > 1:
            run_all(changed, jobs)

    sys.exit(dvc(["repro", *args.targets]))


if __name__ == "__main__":
    console.run(main)
