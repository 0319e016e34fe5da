"""Read a recorded run: dvc.lock, receipts and metrics of a project's folder or of a git revision.

`open_run` takes a project's folder, whatever git resolves, the name of a DVC experiment, or
`workspace`. A revision is extracted to a temporary folder. Nothing of another project is run.
"""

import argparse
import atexit
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertline.core import console, hashes, params
from bertline.core.dependencies import CODE
from bertline.core.errors import BertlineError
from bertline.runs.tolerances import ABSENT

LOCK = "dvc.lock"
WORKSPACE = "workspace"
PACKAGES = "packages.yaml"
SOURCES = "sources.yaml"
DATA = ("data", "metrics")  # deps below these are outputs of other stages
SHOWN = 3  # stages of an error that are described
OWN = "own"  # a person's own files, which git ignores
EXPERIMENTS = "refs/exps/*/*/*"  # <2 digits>/<38 digits of the commit below it>/<name>

# The parts of a receipt that are mappings by name or path.
MAPPINGS = ("parameters", "inputs", "outputs", "code", "packages")


@dataclass(frozen=True)
class Stage:
    """What dvc.lock records of the last run of a stage: MD5s by path, as DVC computes them."""

    name: str
    command: str
    deps: dict[str, str | None]
    outs: dict[str, str | None]
    params: dict[str, dict[str, Any]]  # by file; keys as dvc.yaml names them

    @property
    def code(self) -> dict[str, str | None]:
        """The deps that are code: scripts, modules and rooms."""
        return {path: md5 for path, md5 in self.deps.items() if _top(path) in CODE}

    @property
    def data(self) -> dict[str, str | None]:
        """The deps that are data."""
        return {path: md5 for path, md5 in self.deps.items() if _top(path) not in CODE}

    @property
    def sources(self) -> set[str]:
        """The entries of sources.yaml that the stage reads."""
        return {key.rpartition(".")[0] for key in self.params.get(SOURCES, {})}

    @property
    def packages(self) -> dict[str, str]:
        """The versions of the packages in the stage's groups of packages.yaml."""
        found: dict[str, str] = {}
        for name, value in self.params.get(PACKAGES, {}).items():
            found |= value if isinstance(value, dict) else {name: value}
        return {normal(name): str(version) for name, version in found.items()}

    def values(self, file: str) -> dict[str, Any]:
        """Return the parameters of a file by their full dotted names."""
        return flatten(self.params.get(file, {}))


@dataclass(frozen=True)
class Receipt:
    """A receipt of the run that dvc.lock records; `problem` says why a receipt is not one.

    altered: outputs for which dvc.lock records other content than the stage wrote. of_another:
    whether it is of a run with other outputs, as after DVC took outputs from its run cache.
    contradiction: how receipt and dvc.lock contradict each other on what made the same outputs, or
    on the outputs of the same making; "" if they do not.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    altered: list[str] = field(default_factory=list)
    problem: str | None = None
    of_another: bool = False
    contradiction: str = ""


@dataclass(frozen=True)
class Run:
    """A recorded run of the pipeline.

    root: its folder, or the temporary folder of a revision. stages: the recorded ones, in the order
    of dvc.lock. waiting: stages of dvc.yaml that have not run. touched: outputs that are not what
    dvc.lock records, with their MD5.
    """

    title: str
    root: Path
    is_revision: bool
    stages: dict[str, Stage]
    waiting: list[str]
    touched: dict[str, str]
    _receipts: dict[str, Receipt] = field(default_factory=dict, repr=False)  # judged so far

    def hash_of(self, stage: str, path: str) -> str | None:
        """Return the MD5 of an output: as it is on disk or in git, else as recorded."""
        return self.touched.get(path, self.stages[stage].outs.get(path))

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, or None if there is none."""
        place = self.root / path
        return place.read_bytes() if place.is_file() else None

    def receipt(self, stage: str) -> Receipt:
        """Return the receipt that the stage's command names, judged against dvc.lock.

        It is read and judged once: verdicts, causes, errors and notes all ask for it.
        """
        if stage not in self._receipts:
            named = re.search(r"--receipt (\S+)", self.stages[stage].command)
            content = self.read(named[1]) if named else None
            self._receipts[stage] = judge_receipt(self.stages[stage], content)
        return self._receipts[stage]


def add_sides(arguments: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that compares two runs: A, B, and a file for its result."""
    arguments.add_argument("a", metavar="A", help="a folder, revision or experiment")
    arguments.add_argument(
        "b", metavar="B", nargs="?", default=WORKSPACE, help="another (default: %(default)s)"
    )
    arguments.add_argument("--json", type=Path, help="write the comparison to this file as well")


def open_run(name: str) -> Run:
    """Return the run in a folder, the workspace, a git revision or a DVC experiment.

    Raises BertlineError if there is nothing of this name, or no recorded run.
    """
    folder = Path() if name == WORKSPACE else Path(name)
    if name == WORKSPACE or (folder / LOCK).is_file():
        if not (folder / LOCK).is_file():
            raise BertlineError(
                f"{folder.absolute()} has no {LOCK}: type `dvc repro` there first, or run this "
                f"command in a project's folder."
            )
        title = "the workspace" if name == WORKSPACE else name
        return _read_run(title, folder, is_revision=False)
    commit = find_commit(name)
    extracted = _extract(commit)
    if not (extracted / LOCK).is_file():
        raise BertlineError(
            f"{name} has no {LOCK}: no run was committed there. Type `dvc repro` in it, and commit "
            f"{LOCK} and metrics/."
        )
    return _read_run(f"{name} ({commit[:7]})", extracted, is_revision=True)


def _read_run(title: str, root: Path, *, is_revision: bool) -> Run:
    try:
        locked = read_lock(root / LOCK)
        names = stage_names(root)
    except BertlineError as error:
        raise BertlineError(f"{title}: {str(error).replace(f'{root}/', '')}") from error
    # DVC keeps entries of stages that are gone, such as those of a seed taken out.
    stages = {name: stage for name, stage in locked.items() if names is None or name in names}
    waiting = [name for name in names or [] if name not in locked]
    outs = {path: md5 for stage in stages.values() for path, md5 in stage.outs.items()}
    counted = console.progress(outs, total=len(outs), label="hash outputs", unit="outputs")
    found = {path: hashes.md5(root / path) for path in counted}
    # An output that is not there is no change: `dvc checkout` or `dvc pull` brings it.
    touched = {path: md5 for path, md5 in found.items() if md5 not in (None, outs[path])}
    return Run(title, root, is_revision, stages, waiting, touched)


def read_lock(path: Path) -> dict[str, Stage]:
    """Return the stages that a dvc.lock records."""
    document = params.read_yaml(path)
    stages = document.get("stages")
    if document.get("schema") != "2.0" or not isinstance(stages, dict):
        raise BertlineError(
            f"{path} should have `schema: '2.0'` and `stages`, as DVC 3 writes it. Take it from "
            f"git, or type `dvc repro`."
        )
    return {
        name: Stage(
            name=name,
            command=" ".join(str(entry["cmd"]).split()),
            deps={file["path"]: file.get("md5") for file in entry.get("deps", [])},
            outs={file["path"]: file.get("md5") for file in entry.get("outs", [])},
            params={file: dict(keys) for file, keys in entry.get("params", {}).items()},
        )
        for name, entry in stages.items()
    }


def stage_names(root: Path) -> list[str] | None:
    """Return the names of the stages in dvc.yaml, or None if only DVC itself can expand them."""
    paths = [root / "dvc.yaml", root / "params.yaml"]
    if not all(path.is_file() for path in paths):
        return None
    pipeline, values = map(params.read_yaml, paths)
    names: list[str] = []
    for name, stage in pipeline.get("stages", {}).items():
        if "matrix" in stage:
            return None
        if "foreach" not in stage:
            names.append(name)
            continue
        items = stage["foreach"]
        if isinstance(items, str):
            items = look_up(values, items.strip().removeprefix("${").removesuffix("}"))
        # Over a mapping or a list of plain values stages are named for these, else by number.
        if not isinstance(items, dict | list) or any(isinstance(item, dict) for item in items):
            return None
        names += [f"{name}@{item}" for item in items]
    return names


def look_up(values: Any, key: str) -> Any:
    """Return the value at a dotted key, or None. Names may contain dots themselves."""
    if not isinstance(values, dict):
        return None
    if key in values:
        return values[key]
    parts = key.split(".")
    for cut in range(1, len(parts)):
        found = look_up(values.get(".".join(parts[:cut])), ".".join(parts[cut:]))
        if found is not None:
            return found
    return None


def flatten(values: Any, name: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted names; lists are leaves."""
    if not isinstance(values, dict) or (name and not values):
        return {name: values}
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        leaves |= flatten(value, f"{name}.{key}" if name else str(key))
    return leaves


def is_folder(md5: str | None) -> bool:
    """Return whether a hash of DVC's is that of a folder."""
    return md5 is not None and md5.endswith(".dir")


def normal(package: str) -> str:
    """Return a package's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def stale(run: Run) -> dict[str, list[str]]:
    """Return the stages whose code, parameters or inputs have changed since they ran, and these.

    `dvc repro` would run these stages.
    """
    code = {path for stage in run.stages.values() for path in stage.code}
    current = {path: hashes.md5(run.root / path) for path in code}
    parameter_files = {file for stage in run.stages.values() for file in stage.params}
    documents = {
        file: params.read_yaml(run.root / file) if (run.root / file).is_file() else {}
        for file in parameter_files
    }
    current |= {path: hashes.md5(run.root / path) for path in _written_by_hand(run)}
    current |= {path: md5 for stage in run.stages.values() for path, md5 in stage.outs.items()}
    found: dict[str, list[str]] = {}
    for name, stage in run.stages.items():
        changed = [path for path, md5 in stage.deps.items() if current.get(path, md5) != md5]
        for file, keys in stage.params.items():
            now = flatten({key: look_up(documents[file], key) for key in keys})
            changed += [f"{key} of {file}" for key in differing(stage.values(file), now)]
        if changed:
            found[name] = changed
    return found


def _written_by_hand(run: Run) -> set[str]:
    """Return the deps that are neither code nor below data/ and metrics/, where stages write.

    Git does not hold what lies below own/, so that a revision's is not known.
    """
    paths = {path for stage in run.stages.values() for path in stage.data if _top(path) not in DATA}
    return {path for path in paths if not (run.is_revision and _top(path) == OWN)}


def overlap(path: str, other: str) -> bool:
    """Return whether one path is the other, or lies below it."""
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")


def upstream(run: Run, stage: str) -> list[str]:
    """Return a stage and all that it depends on, in the order of dvc.lock."""
    found, left = set(), {stage} & run.stages.keys()
    while left:
        found |= left
        deps = [path for name in left for path in run.stages[name].data]
        left = {
            name
            for name, other in run.stages.items()
            if name not in found and any(overlap(out, dep) for out in other.outs for dep in deps)
        }
    return [name for name in run.stages if name in found]


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the keys that differ or that only one of two mappings has."""
    keys = [*old, *(key for key in new if key not in old)]
    return [key for key in keys if key not in old or key not in new or old[key] != new[key]]


def _top(path: str) -> str:
    return path.partition("/")[0]


# --- receipts -------------------------------------------------------------------------------------


def judge_receipt(stage: Stage, content: bytes | None) -> Receipt:
    """Return a receipt if it is of the run that dvc.lock records, else why it is not.

    DVC may restore outputs of an earlier run from its cache; the receipt is then of another run. A
    receipt that agrees with dvc.lock in everything but outputs is of this run: the outputs were
    changed after it.
    """
    if content is None:
        return Receipt(problem="there is none")
    try:
        facts = json.loads(content)
    except ValueError:
        return Receipt(problem="it is no JSON")
    if not isinstance(facts, dict) or not all(isinstance(facts.get(k), dict) for k in MAPPINGS):
        return Receipt(problem=f"it lacks one of {', '.join(MAPPINGS)}")
    written = facts["outputs"]
    altered = [path for path, md5 in stage.outs.items() if written.get(path) != md5]
    found = contradictions(stage, facts)
    if not written.keys() & stage.outs.keys():
        found["its outputs"] = "its outputs"
    if found:
        named, shown = _first(list(found)), _first(list(found.values()))
        how = f"its run wrote these very outputs, and it and {LOCK} disagree on {shown}"
        return Receipt(
            problem=f"it is of another run: it and {LOCK} disagree on {named}",
            of_another=bool(altered),
            contradiction="" if altered else how,
        )
    what = f"{LOCK} records other content than the stage wrote of {_first(altered)}"
    return Receipt(facts=facts, altered=altered, contradiction=what if altered else "")


def _first(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{' and more' if len(names) > 3 else ''}"


def contradictions(stage: Stage, facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the code, inputs, parameters and packages on which a receipt and dvc.lock disagree.

    By name, with both values where they say something. A receipt that does not name what dvc.lock
    records disagrees as well. Exceptions: folders such as own/, of which a stage takes only what
    its parameters name; keys of sources.yaml that the stage does not use; listed packages that the
    stage has not imported.
    """
    paths = [path for path, md5 in stage.code.items() if code_hash(facts["code"], path) != md5]
    inputs, read = facts["inputs"], flatten(facts["parameters"])
    named = [path for path in stage.data if path in inputs or _top(path) in DATA]
    paths += [path for path in named if inputs.get(path) != stage.data[path]]
    found = {path: path for path in paths}
    for file in sorted({*stage.params} - {PACKAGES}):
        wanted = stage.values(file)
        shared = wanted.keys() & read.keys() if file == SOURCES else wanted.keys()
        for key in sorted(shared):
            if key not in read or read[key] != wanted[key]:
                found[key] = f"{key} ({read.get(key, ABSENT)} and {wanted[key]})"
        if wanted and not shared:
            found[file] = file
    versions = imported_versions(facts)
    listed = stage.packages
    shared = listed.keys() & versions.keys()
    for name in sorted(shared):
        if _stated(name, versions[name]) != listed[name]:
            found[name] = f"{name} ({versions[name]} and {listed[name]})"
    if listed and not shared:
        found[PACKAGES] = PACKAGES
    return found


def say_contradictions(letter: str, run: Run, found: Mapping[str, str]) -> str:
    """Return an error with what to do about contradictions by stage, "" if there are none."""
    wrong = {stage: how for stage, how in found.items() if how}
    if not wrong:
        return ""
    how = "; ".join(f"{stage}: {how}" for stage, how in list(wrong.items())[:SHOWN])
    more = f"; and {len(wrong) - SHOWN} more stages" if len(wrong) > SHOWN else ""
    where = f"check {letter} out and type" if run.is_revision else f"type in {run.root.absolute()}"
    return (
        f"{letter} does not record what made its outputs. {how}{more}. Something was changed while "
        f"the stage ran or after it, or DVC took the outputs from its run cache. If git has the "
        f"receipt of this run, restore it (`git restore metrics/receipts`). Otherwise {where} `dvc "
        f"repro --force --single-item {' '.join(wrong)}` and then `dvc repro`; before it, delete "
        f"`runs` in DVC's cache (.dvc/cache), or a later run may take the outputs from there again."
    )


def code_hash(code: Mapping[str, str], path: str) -> str | None:
    """Return the hash of a module or room as dvc.lock has it, from a receipt's hashes of files."""
    if path in code:
        return code[path]
    below = {
        name.removeprefix(f"{path}/"): md5
        for name, md5 in code.items()
        if name.startswith(f"{path}/")
    }
    return hashes.of_listing(below) if below else None


def imported_versions(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions that a receipt names, Python's patch level among them."""
    python = {"python": str(facts["python"])} if "python" in facts else {}
    return python | {normal(name): str(version) for name, version in facts["packages"].items()}


def _stated(package: str, version: str) -> str:
    """Return a version as packages.yaml states it: 2.13.0 of 2.13.0+cpu, 3.11 of Python 3.11.7."""
    return version.rpartition(".")[0] if package == "python" else version.partition("+")[0]


# --- git ------------------------------------------------------------------------------------------


def find_commit(name: str) -> str:
    """Return the commit of a git revision or a DVC experiment.

    Experiments on different commits may share a name: one on HEAD comes first, as in DVC. Raises
    BertlineError if there is none, or several.
    """
    if not name.startswith("-") and (commit := _resolve(name)):
        return commit
    listed = _git("for-each-ref", "--format=%(refname) %(objectname)", EXPERIMENTS)
    if listed.returncode:
        raise BertlineError(
            f"{name} is no folder with a {LOCK}, and git reads no repository in {Path.cwd()}:"
            f"{_words(listed)}\nFollow its advice, run this command in a project, or name two "
            f"projects' folders."
        )
    lines = os.fsdecode(listed.stdout).split("\n")  # a name may hold U+2028, or bytes of no text
    references = dict(line.split(" ") for line in lines if line)
    found = {ref: commit for ref, commit in references.items() if ref.endswith(f"/{name}")}
    if len(found) > 1 and (head := _resolve("HEAD")):
        on_head = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
        found = {on_head: found[on_head]} if on_head in found else found
    if len(found) > 1:
        raise BertlineError(
            f"{name} is the name of {len(found)} experiments, none of them on the current "
            f"commit. Name one in full: {', '.join(found)}."
        )
    if found:
        return next(iter(found.values()))
    heads = _git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags").stdout
    known = [WORKSPACE, *heads.decode(errors="replace").split()]
    if _resolve("HEAD"):
        known.append("HEAD")
    elif name == "HEAD":
        raise BertlineError(
            f"{Path.cwd()} is on a branch without a commit. Commit {LOCK} and metrics/ first, or "
            f"name another revision{params.nearest(name, known)}."
        )
    known += [reference.rpartition("/")[2] for reference in references]
    raise BertlineError(
        f"{name} is no folder with a {LOCK}, no revision that git knows, and no DVC experiment"
        f"{params.nearest(name, known)}."
    )


def _resolve(name: str) -> str | None:
    found = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return found.stdout.decode().strip() if found.returncode == 0 else None


def _extract(commit: str) -> Path:
    """Return a temporary folder with the files of a commit below the current folder."""
    # A zip holds no links, and names in it cannot lead out of the folder; a tar archive is safe
    # with tarfile's filter only, which Python 3.11.2 lacks.
    archive = _git("archive", "--format=zip", "-0", commit)
    if archive.returncode:
        raise BertlineError(
            f"`git archive {commit[:7]}` fails in {Path.cwd()}:{_words(archive)}\nDoes the commit "
            f"have this folder?"
        )
    folder = Path(tempfile.mkdtemp(prefix="bertline-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(archive.stdout)) as opened:
        opened.extractall(folder)
    return folder


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Return what came of a git command; BertlineError if there is no git."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError as error:
        raise BertlineError(
            f"git, which reads revisions, cannot be run ({error.strerror}). Install it, or name "
            f"two projects' folders."
        ) from None


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return what git says of a failure, with its advice, each line set in."""
    lines = done.stderr.decode(errors="replace").splitlines()
    return "".join(f"\n    {line.strip()}" for line in lines if line.strip())
