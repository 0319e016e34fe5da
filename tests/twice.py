"""Run the pipeline in clean folders under different circumstances, and compare every output.

    python -m tests.twice             # miniature inputs; `make twice`
    python -m tests.twice --full      # default inputs, from clones of HEAD; `make twice FULL=1`
    python -m tests.twice --runs 20   # more repeats, for false alarms; `make twice RUNS=20`

The runs differ in what must not matter: the folder, the process, PYTHONHASHSEED, locale, time zone,
umask, home, and the number of threads that libraries start by themselves. Prints the hash of each
output of dvc.lock, and lets `bertline verify` compare the first run with every other; exits 1 if
any output differs or `verify` raises an alarm.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from bertline.core.dependencies import ROOT
from tests import project
from tests.project import Project

# What the runs are under, in turn.
CIRCUMSTANCES = (
    {
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "umask": "022",
    },
    {
        "PYTHONHASHSEED": "4242",
        "LC_ALL": "C",
        "TZ": "Asia/Kathmandu",
        "umask": "077",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
    },
    {
        "PYTHONHASHSEED": "7",
        "LC_ALL": "POSIX",
        "TZ": "America/St_Johns",
        "umask": "027",
        "OMP_NUM_THREADS": "5",
        "OPENBLAS_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
        "NUMBA_NUM_THREADS": "5",
    },
)


def outputs_of(folder: Path) -> dict[tuple[str, str], str]:
    """Return the hash of every output that dvc.lock of a project records, by stage and path."""
    lock = YAML(typ="safe").load(folder / "dvc.lock")
    return {
        (stage, out["path"]): out["md5"]
        for stage, entry in lock["stages"].items()
        for out in entry.get("outs", ())
    }


def place(base: Path, number: int) -> tuple[Path, dict[str, str]]:
    """Return a folder for a run, none like the other, and the environment with its own home."""
    circumstance = dict(CIRCUMSTANCES[number % len(CIRCUMSTANCES)])
    home = base / f"home of {number}"
    home.mkdir(parents=True)
    circumstance |= {
        "HOME": str(home),
        "BERTLINE_CACHE": str(home / "cache"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
    }
    of_pip = Path.home() / ".config" / "pip" / "pip.conf"
    if of_pip.exists():  # the index behind a proxy, which another home hides
        circumstance["PIP_CONFIG_FILE"] = os.environ.get("PIP_CONFIG_FILE", str(of_pip))
    return base / ("ünter " * (number % 3)).strip() / f"run {number}", circumstance


def prepare(base: Path, number: int, *, full: bool) -> tuple[Project, str]:
    """Return a project that is set up and not run, and the umask to run it under."""
    folder, circumstance = place(base, number)
    umask = circumstance.pop("umask")
    if full:
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        outside = {key: value for key, value in os.environ.items() if key != "BERTLINE_CACHE"}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        made = Project(folder, outside | {"PATH": path, "DVC_NO_ANALYTICS": "1"})
    else:
        made = project.make(folder, base / f"home of {number}")
    made.environment |= circumstance
    return made, umask


def run(made: Project, umask: str) -> float:
    """Run the whole pipeline and return the seconds that it took."""
    started = time.monotonic()
    # --force: without DVC's run cache, and whatever dvc.lock of the clone says.
    made.run("bash", "-c", f"umask {umask} && dvc repro --force")
    return time.monotonic() - started


def verify(one: Path, other: Path) -> str:
    """Return what `bertline verify` prints of two runs, or nothing if it calls all identical."""
    finished = subprocess.run(
        [sys.executable, "-m", "bertline.runs.verify", one, other],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    printed = finished.stdout + finished.stderr
    others = re.findall(r"DIFFERENT|within tolerance", printed)
    return printed if finished.returncode or others else ""


def table(
    runs: list[Mapping[tuple[str, str], str]], committed: Mapping[tuple[str, str], str]
) -> str:
    """Return a line for each output: its hash, and whether all runs agree on it."""
    keys = list(dict.fromkeys(key for found in (*runs, committed) for key in found))
    lines = [f"{'stage':<20} {'output':<36} {'hash':<14} {len(runs)} runs"]
    for stage, path in keys:
        found = [run.get((stage, path), "missing") for run in runs]
        agreed = "same" if len(set(found)) == 1 else "DIFFERENT"
        if (stage, path) in committed:
            like = committed[stage, path] == found[0]
            agreed += ", as committed" if like else ", not as committed"
        hashes = " ".join(dict.fromkeys(value[:12] for value in found))
        lines.append(f"{stage:<20} {path:<36} {hashes:<14} {agreed}")
    return "\n".join(lines)


def main() -> None:
    """Run as often as told, print the table, and exit 1 if an output differs."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--full", action="store_true", help="the default inputs, not miniatures")
    arguments.add_argument("--runs", type=int, default=2, help="default: %(default)s")
    args = arguments.parse_args()
    runs, folders, committed = [], [], {}
    with tempfile.TemporaryDirectory(prefix="bertline-twice-") as base:
        for number in range(args.runs):
            made, umask = prepare(Path(base), number, full=args.full)
            if args.full and not committed:
                committed = outputs_of(made.folder)
            seconds = run(made, umask)
            runs.append(outputs_of(made.folder))
            sys.stdout.write(f"run {number + 1} of {args.runs}: {seconds:.0f} s\n")
            sys.stdout.flush()
            folders.append(made.folder)
            for place in ("data", ".dvc/cache"):  # of the default inputs, a gigabyte
                shutil.rmtree(made.folder / place)
        alarms = [verify(folders[0], other) for other in folders[1:]]
    sys.stdout.write(table(runs, committed) + "\n")
    different = sum(len({found.get(key) for found in runs}) > 1 for key in runs[0])
    sys.stdout.write(f"{len(runs[0])} outputs, {different} different\n")
    raised = [alarm for alarm in alarms if alarm]
    sys.stdout.write(f"{len(alarms)} comparisons by verify, {len(raised)} alarms\n")
    sys.stdout.writelines(raised)
    sys.exit(1 if different or raised else 0)


if __name__ == "__main__":
    main()
