"""Time `make repro` of several revisions in turn, each from empty caches, stage by stage.

    python -m benchmarks.default_run 90a3faa HEAD --scratch /tmp/runs
    python -m benchmarks.default_run 90a3faa HEAD --scratch /tmp/runs --target parse@sentences

Each revision gets a clone and an environment of its own below the scratch folder, made by its own
`make install` before the clock starts. DVC's cache and database, the cache of downloads and those
of compiled code are empty when `make repro` starts, as on a new machine. Scratch folders can be
used again: environments stay, everything else is removed first. `--install` prepares them only.

Writes  default_run.json and default_run.md beside this file (`--out` names another place): wall
        and CPU seconds, seconds of each stage, peak memory, and the headline figures of the first
        and the last revision, held to the tolerances of `bertline.runs.tolerances`. Both files are
        written after each revision: what was measured before an interruption stays.
"""

import os
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bertline.core import console, files
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.runs import recorded, tolerances

OUT = Path(__file__).with_name("default_run.json")
STARTS = re.compile(r"^(?P<lane>\S*)\s*Running stage '(?P<stage>[^']+)'")
COSTS = ("metrics/costs", "metrics/receipts")  # the second: revisions before costs were apart

# Headline figures, and where revisions keep them: the first place that a revision has counts. The
# class of tolerance is that of the first.
HEADLINES: dict[str, tuple[tuple[str, str], ...]] = {
    "MCC, out_of_domain_dev": (
        ("metrics/evaluate/summary.json", "out_of_domain_dev.mcc"),
        ("metrics/evaluate.json", "out_of_domain_dev.mcc"),
    ),
    "MCC, in_domain_dev": (
        ("metrics/evaluate/summary.json", "in_domain_dev.mcc"),
        ("metrics/evaluate.json", "in_domain_dev.mcc"),
    ),
    "topics": (
        ("metrics/topic_words/measures.json", "topics"),
        ("metrics/topic_fit.json", "topics"),
    ),
    "AMI": (("metrics/topic_words/measures.json", "ami"), ("metrics/topic_fit.json", "ami")),
    "NPMI": (("metrics/topic_words/measures.json", "npmi"), ("metrics/topic_fit.json", "npmi")),
    "coverage": (
        ("metrics/topic_words/measures.json", "coverage"),
        ("metrics/topic_fit.json", "coverage"),
    ),
}


class StageTimes:
    """Seconds of stages from the lines that a run prints, as they arrive.

    A stage lasts from its line `Running stage` to the next one. Where stages run side by side their
    names are in front of their lines, and a stage lasts to the last line of its own.
    """

    def __init__(self) -> None:
        """Begin without stages."""
        self.spans: dict[str, list[float]] = {}  # begin and end of each
        self._of_lane: dict[str, str] = {}

    def read(self, line: str, at: float) -> None:
        """Take a line that arrived `at` so many seconds after the start."""
        words = line.split(maxsplit=1)
        lane = words[0] if words and words[0] in self._of_lane else ""
        started = STARTS.match(line)
        if started:
            lane = started["lane"]
        if lane in self._of_lane:
            self.spans[self._of_lane[lane]][1] = at
        if started:
            self._of_lane[lane] = started["stage"]
            self.spans[started["stage"]] = [at, at]

    def finish(self, at: float) -> dict[str, float]:
        """Return the seconds of each stage; one without a name in front lasted to the end."""
        if "" in self._of_lane:
            self.spans[self._of_lane[""]][1] = at
        return {name: round(end - begin, 2) for name, (begin, end) in self.spans.items()}


class Revision:
    """A revision in a scratch folder of its own, to be installed and run."""

    def __init__(self, name: str, scratch: Path, python: str) -> None:
        """name: what git knows it by. Raises BertlineError if there is no such revision."""
        self.name, self.python = name, python
        self.commit = recorded.find_commit(name)
        self.folder = scratch.resolve() / self.commit[:12]
        self.project = self.folder / "project"
        self.environment = self.folder / "venv"

    def variables(self) -> dict[str, str]:
        """Return the environment variables of its commands: caches of its own, no settings."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BERTLINE_", "MAKE", "MFLAGS", "DVC_", "VIRTUAL_ENV", "PYTHON"))
        }
        mirror = os.environ.get("BERTLINE_MIRROR")
        return kept | {
            **({"BERTLINE_MIRROR": str(Path(mirror).resolve())} if mirror else {}),
            "BERTLINE_CACHE": str(self.folder / "cache" / "bertline"),
            "DVC_SITE_CACHE_DIR": str(self.folder / "cache" / "dvc"),
            "NUMBA_CACHE_DIR": str(self.folder / "cache" / "numba"),
            "MPLCONFIGDIR": str(self.folder / "cache" / "matplotlib"),
            "DVC_NO_ANALYTICS": "1",
            "PYTHONUNBUFFERED": "1",  # lines arrive when they are printed
        }

    def prepare(self) -> None:
        """Clone, install, and empty all caches; BertlineError if a command fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.project / ".git").exists():
            shutil.rmtree(self.project, ignore_errors=True)
            self._do("git", "clone", "--quiet", "--no-checkout", str(ROOT), str(self.project))
        self._do("git", "-C", str(self.project), "fetch", "--quiet", str(ROOT), self.commit)
        checkout = ("checkout", "--quiet", "--force", "--detach", self.commit)
        self._do("git", "-C", str(self.project), *checkout)
        clean = ("clean", "--quiet", "-ffdx", "--exclude=*.egg-info")
        self._do("git", "-C", str(self.project), *clean)
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        self._do(*self._make("install"), where=self.project)
        # It names a database that other runs of this person share.
        (self.project / ".dvc" / "config.local").unlink(missing_ok=True)
        (self.folder / "cache").mkdir(exist_ok=True)

    def run(self, targets: Sequence[str]) -> dict[str, Any]:
        """Run `make repro`, or `dvc repro` of some targets, and return what it took."""
        variables = self.variables()
        path = f"{self.environment / 'bin'}{os.pathsep}{variables['PATH']}"  # as make sets it
        command = self._make("repro")
        if targets:
            command = (str(self.environment / "bin" / "dvc"), "repro", *targets)
            variables |= {"PATH": path}
        times = StageTimes()
        before, since = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
        started = time.perf_counter()
        code = _follow(command, self.project, variables, self.folder / "run.log", times, started)
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "revision": self.name,
            "commit": self.commit,
            "command": " ".join(["dvc", *command[1:]] if targets else ["make", "repro"]),
            "exit_code": code,
            "wall_seconds": round(wall, 1),
            "cpu_seconds": round(
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
            ),
            "stages": times.finish(wall),
            "own": self._costs(since),
            "recorded": read_headlines(self._committed),
            "measured": read_headlines(partial(self._written, since)),
        }

    def _costs(self, since: float) -> dict[str, dict[str, float]]:
        """Return the seconds and memory that stages of this run state of themselves."""
        found: dict[str, dict[str, float]] = {}
        for folder in COSTS:
            for path in sorted((self.project / folder).glob("*.json")):
                content = files.read_json(path)
                if "seconds" in content and path.stat().st_mtime >= since - 1:
                    kept = {key: content[key] for key in ("seconds", "peak_memory_mib")}
                    found.setdefault(path.stem, kept)
        return found

    def _committed(self, path: str) -> bytes | None:
        done = subprocess.run(
            ["git", "-C", str(self.project), "show", f"{self.commit}:{path}"],
            capture_output=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else None

    def _written(self, since: float, path: str) -> bytes | None:
        file = self.project / path
        if not file.is_file() or file.stat().st_mtime < since - 1:  # it came with the commit
            return None
        return file.read_bytes()

    def _make(self, target: str) -> tuple[str, ...]:
        return ("make", target, f"VENV={self.environment}", f"PYTHON={self.python}")

    def _do(self, *command: str, where: Path | None = None) -> None:
        done = subprocess.run(
            command,
            cwd=where,
            env=self.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BertlineError(
                f"`{' '.join(command)}` failed for revision {self.name}: "
                f"{done.stdout.strip()[-900:]}"
            )


def _follow(
    command: Sequence[str],
    where: Path,
    variables: Mapping[str, str],
    log: Path,
    times: StageTimes,
    started: float,
) -> int:
    """Run a command, keep its lines with their seconds in `log`, and return its exit code."""
    with (
        log.open("w", encoding="utf-8") as stream,
        subprocess.Popen(
            command,
            cwd=where,
            env=dict(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                at = time.perf_counter() - started
                times.read(line, at)
                stream.write(f"{at:8.1f} {line}")
                stream.flush()
        except KeyboardInterrupt:
            process.terminate()
            raise
    return process.returncode


def read_headlines(read: Callable[[str], bytes | None]) -> dict[str, Any]:
    """Return the headline figures of a run that it has. read: returns the content of a file."""
    found = {}
    for name, places in HEADLINES.items():
        for path, key in places:
            content = read(path)
            if content is None:
                continue
            (figures,) = tolerances.read_figures(path, content)
            if key in figures:
                found[name] = figures[key]
                break
    return found


def compare(first: Mapping[str, Any], last: Mapping[str, Any]) -> list[tolerances.Difference]:
    """Return each headline figure that both have, held to its tolerance; equal ones too."""
    return [
        tolerances.judge(*HEADLINES[name][0], first[name], last[name])
        for name in HEADLINES
        if name in first and name in last
    ]


def render(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the runs as Markdown: totals, stages, and figures of the first and the last."""
    names = [f"`{run['revision']}` ({run['commit'][:7]})" for run in runs]
    lines = ["# The default run, revision by revision", ""]
    lines += [
        f"`{runs[0]['command']}` in turn on one machine, each from empty caches, in an "
        f"environment installed before. Ratios are to the first.",
        "",
        *_table(
            ["", "exit code", "wall s", "ratio", "CPU s", "ratio"],
            (
                [
                    name,
                    str(run["exit_code"]),
                    f"{run['wall_seconds']:,.0f}",
                    _ratio(run["wall_seconds"], runs[0]["wall_seconds"]),
                    f"{run['cpu_seconds']:,.0f}",
                    _ratio(run["cpu_seconds"], runs[0]["cpu_seconds"]),
                ]
                for name, run in zip(names, runs, strict=True)
            ),
        ),
        "",
        "Seconds from the start of each stage's command to its end, those of Python and its "
        "imports included. Stages that ran side by side share the cores.",
        "",
    ]
    stages = list(dict.fromkeys(stage for run in runs for stage in run["stages"]))
    rows = ([stage, *(_seconds(run["stages"].get(stage)) for run in runs)] for stage in stages)
    lines += [*_table(["stage", *names], rows), ""]
    lines += _figures(runs, names)
    return "\n".join(lines).rstrip() + "\n"


def _figures(runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Return the headline figures: committed with each revision, measured, and their tolerance."""
    first, last = runs[0], runs[-1]
    if not first["measured"]:
        return []
    found = [name for name in HEADLINES if name in last["measured"] and name in first["measured"]]
    judged = compare(first["measured"], last["measured"])
    header = ["figure", f"{names[0]}: committed", "measured", f"{names[-1]}: committed"]
    rows = (
        [
            name,
            str(first["recorded"].get(name, "")),
            str(difference.a),
            str(last["recorded"].get(name, "")),
            str(difference.b),
            "-" if difference.difference is None else f"{difference.difference:.4g}",
            "-" if difference.tolerance is None else f"{difference.tolerance:g}",
            "yes" if difference.within else "no",
        ]
        for name, difference in zip(found, judged, strict=True)
    )
    return _table([*header, "measured", "difference", "tolerance", "within"], rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _ratio(value: float, first: float) -> str:
    return f"{value / first:.2f}" if first else "-"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def main() -> None:
    """Install every revision, then run each in turn and write what was measured so far."""
    arguments = console.parser(__doc__)
    arguments.add_argument(
        "revisions", nargs="+", help="revisions of git, in the order of the runs"
    )
    arguments.add_argument(
        "--scratch", type=Path, required=True, help="folder for clones and caches"
    )
    arguments.add_argument("--target", action="append", default=[], help="run this stage alone")
    arguments.add_argument("--install", action="store_true", help="prepare, and run nothing")
    arguments.add_argument("--python", default="python3", help="the Python of the environments")
    arguments.add_argument("--out", type=Path, default=OUT, help="JSON file (default: %(default)s)")
    args = arguments.parse_args()
    revisions = [Revision(name, args.scratch, args.python) for name in args.revisions]
    for revision in revisions:
        console.log(f"{revision.name}: installing in {revision.folder}")
        revision.prepare()
    if args.install:
        return
    runs: list[dict[str, Any]] = []
    for revision in revisions:
        console.log(f"{revision.name}: running, with its lines in {revision.folder / 'run.log'}")
        runs.append(revision.run(args.target))
        files.write_json(args.out, {"runs": runs})
        with files.whole_file(args.out.with_suffix(".md")) as unfinished:
            unfinished.write_text(render(runs), encoding="utf-8")
        console.log(f"{revision.name}: {runs[-1]['wall_seconds']:,.1f} s")
        if runs[-1]["exit_code"]:
            raise BertlineError(
                f"`{runs[-1]['command']}` of {revision.name} failed; {revision.folder / 'run.log'} "
                f"says why."
            )


if __name__ == "__main__":
    console.run(main)
