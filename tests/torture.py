"""Kill a run again and again at random moments, and compare what it ends with to a quiet run.

    python -m tests.torture             # 20 kills; `make torture`
    python -m tests.torture --kills 3 --seed 7

Runs the pipeline on miniature inputs once undisturbed. Then runs it anew and ends it after a random
time: by SIGKILL to DVC alone (its stage is left an orphan), to the stage alone, or to both, by
Ctrl-C, or by a disk that fills up. The next `dvc repro` is all that is done, except where the kill
tore a file that DVC itself writes in place: then dvc.lock is restored (here it is not committed, so
it is removed) or DVC's rwlock is removed, as docs/guarantees.md says. When a run gets to its end,
every output must have the hash of the quiet run and no working file may be left; then it begins
anew, until the kills are used up. Prints a line for each; exits 1 if anything differs.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bertline.core import hashes
from tests import project
from tests.project import Project
from tests.twice import outputs_of

# Long enough in the loops of these stages to be killed there, with a checkpoint at every step.
LONGER = {"adapt.epochs": 60, "train.epochs": 30, "embed.tokens_per_batch": 64}
CHECKPOINT_SECONDS = "0"

VICTIMS = ("dvc", "stage", "both", "Ctrl-C", "full disk")
DISK = "600M"  # of the file system that fills up
PATIENCE = 600  # seconds that a `dvc repro` may take


@dataclass
class Outcome:
    """What one kill met and what came of it."""

    number: int
    seconds: float  # after the start of `dvc repro`
    victim: str
    stage: str  # that was running
    resumed: list[str] = field(default_factory=list)  # what the next run said of resuming


def start(made: Project, log: Path) -> subprocess.Popen:
    """Start `dvc repro` in a process group of its own, its words going to `log`."""
    with log.open("wb") as stream:
        return subprocess.Popen(
            ["dvc", "repro"],
            cwd=made.folder,
            env=made.environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def descendants(process: subprocess.Popen) -> list[psutil.Process]:
    """Return the stage that DVC runs at this moment, with what it has started."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def end(process: subprocess.Popen, victim: str, ballast: Path | None) -> None:
    """Let `victim` end."""
    stages = descendants(process)
    if victim == "full disk" and ballast is not None:
        fill(ballast)
        return
    if victim == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
        return
    if victim in ("dvc", "both"):
        process.kill()
    if victim in ("stage", "both"):
        for stage in stages:
            stage.kill()


def fill(ballast: Path) -> None:
    """Fill the file system up to its last byte."""
    # Unbuffered: what is left in a buffer would fail once more when the file is closed.
    with ballast.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while stream.write(b"\0" * size) == size:
                    continue
            except OSError:
                continue


def running(log: Path) -> str:
    """Return the stage that DVC said it runs last."""
    found = re.findall(r"Running stage '([^']+)'", log.read_text(errors="replace"))
    return found[-1] if found else "before any stage"


def leftovers(folder: Path) -> list[str]:
    """Return the working files of stages that lie below data/ and metrics/."""
    return sorted(
        path.relative_to(folder).as_posix()
        for place in ("data", "metrics")
        for path in (folder / place).rglob("*")
        if path.name.startswith(".") and path.name.endswith(hashes.WORKING_FILES)
    )


def begin_anew(made: Project) -> None:
    """Remove everything that runs have left, DVC's cache among it."""
    for place in ("data", "metrics", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(made.folder / place, ignore_errors=True)
    (made.folder / "dvc.lock").unlink(missing_ok=True)


def mount(folder: Path) -> bool:
    """Mount a small file system at `folder`; False where that is not permitted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class Torture:
    """A project under torture, and the hashes that it has to end with."""

    def __init__(self, base: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.log = base / "log"
        self.mounted = mount(base / "disk")
        self.ballast = base / "disk" / "ballast" if self.mounted else None
        if not self.mounted:
            sys.stdout.write("no full disk here: mounting a small one is not permitted\n")
        place = base / "disk" if self.mounted else base
        self.made = project.make(place / "project", base / "home")
        project.edit(self.made.folder / "params.yaml", LONGER)
        self.made.environment["BERTLINE_CHECKPOINT_SECONDS"] = CHECKPOINT_SECONDS
        self.mount_point = base / "disk"
        self.problems: list[str] = []
        self.outcomes: list[Outcome] = []
        self.whole_runs = 0

    def measure(self) -> float:
        """Run once undisturbed, note the hashes, begin anew; return the seconds."""
        started = time.monotonic()
        self.made.run("dvc", "repro")
        self.expected = outputs_of(self.made.folder)
        begin_anew(self.made)
        return time.monotonic() - started

    def kill_once(self, longest: float) -> None:
        """Start `dvc repro` and end it after `longest` seconds at most, if it takes that long."""
        wait = self.random.uniform(0.3, longest)
        victims = [victim for victim in VICTIMS if self.mounted or victim != "full disk"]
        victim = victims[len(self.outcomes) % len(victims)]
        process = start(self.made, self.log)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            outcome = Outcome(len(self.outcomes) + 1, wait, victim, running(self.log))
            end(process, victim, self.ballast)
            status = self.await_end(process)
            if victim == "full disk":
                self.ballast.unlink(missing_ok=True)
            self.listen()
            self.outcomes.append(outcome)
            if status == 0:
                self.judge()  # it was ended in its last moments, or did not need the disk
        else:
            self.conclude(process)

    def retry(self, process: subprocess.Popen) -> subprocess.Popen:
        """Return the run after the documented remedy, if DVC refused a file that the kill tore."""
        said = self.log.read_text(errors="replace")
        if process.returncode == 0:
            return process
        if "dvc.lock' is invalid" in said:
            torn = self.made.folder / "dvc.lock"
        elif "Unable to read RWLock-file" in said:
            torn = self.made.folder / ".dvc" / "tmp" / "rwlock"
        else:
            return process
        torn.unlink()
        self.outcomes[-1].resumed.append(f"{torn.name} was torn")
        process = start(self.made, self.log)
        self.await_end(process)
        return process

    def await_end(self, process: subprocess.Popen) -> int:
        """Return DVC's exit code; a DVC that nothing ends is a problem, and is ended by hand."""
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.complain(f"dvc repro did not end in {PATIENCE} s")
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def finish(self) -> None:
        """Let `dvc repro` get to its end, and judge."""
        process = start(self.made, self.log)
        self.await_end(process)
        self.conclude(process)

    def conclude(self, process: subprocess.Popen) -> None:
        """Judge a `dvc repro` that ended by itself, after the remedy for torn files if need be."""
        process = self.retry(process)
        self.listen()
        self.judge() if process.returncode == 0 else self.complain("dvc repro failed by itself")

    def listen(self) -> None:
        """Add what the run said of resuming to the kill before it."""
        said = re.findall(
            r"resuming after .*|.*written by another process.*",
            self.log.read_text(errors="replace"),
        )
        if self.outcomes:
            self.outcomes[-1].resumed += said

    def judge(self) -> None:
        """Hold a run that got to its end against the quiet one, and begin anew."""
        found = outputs_of(self.made.folder)
        for key, value in self.expected.items():
            if found.get(key) != value:
                self.complain(f"{key[1]} of {key[0]} is {found.get(key)} and should be {value}")
            if hashes.md5(self.made.folder / key[1]) != value:
                self.complain(f"{key[1]} on disk is not what dvc.lock says")
        for path in leftovers(self.made.folder):
            self.complain(f"{path} is left")
        self.whole_runs += 1
        begin_anew(self.made)

    def complain(self, problem: str) -> None:
        """Note something that must not be, with the end of the log."""
        tail = "\n    ".join(self.log.read_text(errors="replace").splitlines()[-15:])
        self.problems.append(f"after kill {len(self.outcomes)}: {problem}\n    {tail}")

    def close(self) -> None:
        """Take the small file system away."""
        if self.mounted:
            subprocess.run(["umount", "-l", self.mount_point], check=False)


def table(outcomes: list[Outcome]) -> str:
    """Return a line for each kill."""
    lines = [f"{'kill':>4} {'after':>7}  {'ended':<10} {'while':<20} the next run said"]
    for outcome in outcomes:
        said = "; ".join(outcome.resumed)
        lines.append(
            f"{outcome.number:>4} {outcome.seconds:>5.1f} s  {outcome.victim:<10} "
            f"{outcome.stage:<20} {said}".rstrip()
        )
    return "\n".join(lines)


def torture(base: Path, *, kills: int, seed: int) -> Torture:
    """Kill as often as told, let the last run get to its end, and return what was found."""
    tortured = Torture(base, seed)
    try:
        seconds = tortured.measure()
        while len(tortured.outcomes) < kills and not tortured.problems:
            tortured.kill_once(seconds / 3)
        if not tortured.problems:
            tortured.finish()
    finally:
        tortured.close()
    return tortured


def main() -> None:
    """Torture, print the table and the problems, and exit 1 if there is one."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--kills", type=int, default=20, help="default: %(default)s")
    arguments.add_argument("--seed", type=int, default=1, help="of the moments")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="bertline-torture-") as base:
        tortured = torture(Path(base), kills=args.kills, seed=args.seed)
    sys.stdout.write(table(tortured.outcomes) + "\n")
    for problem in tortured.problems:
        sys.stdout.write(f"PROBLEM {problem}\n")
    sys.stdout.write(
        f"{len(tortured.outcomes)} kills, {tortured.whole_runs} runs to the end, each of them with "
        f"the {len(tortured.expected)} hashes of the quiet run: "
        f"{'no' if tortured.problems else 'yes'}\n"
    )
    sys.exit(1 if tortured.problems else 0)


if __name__ == "__main__":
    main()
