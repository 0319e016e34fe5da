"""Read a run as it was recorded: dvc.lock, receipts and metrics of a folder, or of a git revision.

`open_run` takes what a person types: a project's folder, whatever git resolves, the name of a DVC
experiment, or `workspace`. Nothing is written, and nothing of the other project is executed.
"""

import argparse
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bertline.core import console, hashes, params
from bertline.core.errors import BertlineError

LOCK = "dvc.lock"
WORKSPACE = "workspace"
CODE = "stages/"  # where the deps of a stage that are code lie; the others are data
PACKAGES = "packages.yaml"
SOURCES = "sources.yaml"

EXPERIMENTS = "refs/exps"
# What DVC keeps below refs/exps beside the experiments: its queue and its own state.
NOT_EXPERIMENTS = ("exec", "stash", "celery", "apply", "tempdir", "temp")

# What a receipt has by name or path.
MAPPINGS = ("parameters", "inputs", "outputs", "code", "packages")


class Tree(Protocol):
    """The files of a project, in a folder or in a git commit."""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, or None where there is none."""

    def names(self, below: str) -> list[str]:
        """Return the paths of all files below a folder, sorted."""


@dataclass(frozen=True)
class FolderTree:
    """The files of a project in a folder."""

    root: Path

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, or None where there is none."""
        place = self.root / path
        return place.read_bytes() if place.is_file() else None

    def names(self, below: str) -> list[str]:
        """Return the paths of all files below a folder, sorted."""
        found = (path for path in (self.root / below).rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in found)


@dataclass(frozen=True)
class GitTree:
    """The files of the current project as a commit has them."""

    commit: str
    objects: Mapping[str, str]  # path: name of the blob

    @classmethod
    def of(cls, commit: str) -> "GitTree":
        """List the files of a commit below the current folder."""
        # <mode> SP blob SP <name> TAB <path>, NUL
        listed = _git("ls-tree", "-r", "-z", commit).decode(errors="surrogateescape").split("\0")
        entries = (line.partition("\t") for line in listed if line)
        return cls(commit, {path: facts.split()[2] for facts, _, path in entries})

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, or None where there is none."""
        if path not in self.objects:
            return None
        return _git("cat-file", "blob", self.objects[path])

    def names(self, below: str) -> list[str]:
        """Return the paths of all files below a folder, sorted."""
        return sorted(path for path in self.objects if path.startswith(f"{below}/"))


@dataclass(frozen=True)
class Recorded:
    """What dvc.lock says of the last run of a stage. Paths have their MD5, as DVC makes it."""

    name: str
    command: str
    deps: dict[str, str | None]
    outs: dict[str, str | None]
    params: dict[str, dict[str, Any]]  # by file; keys as dvc.yaml names them

    @property
    def code(self) -> dict[str, str | None]:
        """The deps that are code."""
        return {path: md5 for path, md5 in self.deps.items() if path.startswith(CODE)}

    @property
    def data(self) -> dict[str, str | None]:
        """The deps that are data."""
        return {path: md5 for path, md5 in self.deps.items() if not path.startswith(CODE)}

    @property
    def sources(self) -> set[str]:
        """The entries of sources.yaml that the stage reads."""
        return {key.rpartition(".")[0] for key in self.params.get(SOURCES, {})}

    def values(self, file: str) -> dict[str, Any]:
        """Return the parameters of a file by their full dotted names."""
        return flatten(self.params.get(file, {}))


@dataclass(frozen=True)
class Receipt:
    """A receipt, if it is of the run that dvc.lock records; `problem` says why it does not count.

    altered: outputs of that run that dvc.lock records with another content than was written.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    altered: list[str] = field(default_factory=list)
    problem: str | None = None


@dataclass(frozen=True)
class Run:
    """A recorded run of the pipeline.

    stages: those that have run, in the order of dvc.lock. waiting: those that have not. touched:
    outputs, in the folder or in git, that are not what dvc.lock records, with their MD5.
    """

    name: str
    title: str
    tree: Tree
    stages: dict[str, Recorded]
    waiting: list[str]
    touched: dict[str, str]

    def hash_of(self, stage: str, path: str) -> str | None:
        """Return the MD5 of an output: what is there counts, then what was recorded."""
        return self.touched.get(path, self.stages[stage].outs.get(path))

    @property
    def in_folder(self) -> bool:
        """Whether it is a folder's, not a commit's."""
        return isinstance(self.tree, FolderTree)

    def receipt(self, stage: str) -> Receipt:
        """Return the receipt of a stage, which the stage's own command names."""
        recorded = self.stages[stage]
        named = re.search(r"--receipt (\S+)", recorded.command)
        content = self.tree.read(named[1]) if named else None
        return judge_receipt(recorded, content)


def add_sides(arguments: argparse.ArgumentParser) -> None:
    """Let a command take the two runs that it is about, A and B, and a file for its result."""
    arguments.add_argument("a", metavar="A", help="a folder, revision or experiment")
    arguments.add_argument(
        "b", metavar="B", nargs="?", default=WORKSPACE, help="another (default: %(default)s)"
    )
    arguments.add_argument("--json", type=Path, help="write the comparison to this file as well")


def open_run(name: str) -> Run:
    """Return the run that a person's word names.

    Raises BertlineError if it names nothing, or something without a recorded run.
    """
    if name == WORKSPACE:
        return open_folder(Path(), name)
    if (Path(name) / LOCK).is_file():
        return open_folder(Path(name), name)
    commit = find_commit(name)
    if commit is None:
        raise BertlineError(_unknown(name))
    tree = GitTree.of(commit)
    lock = tree.read(LOCK)
    if lock is None:
        raise BertlineError(
            f"{name} has no {LOCK}: no run was committed there. Type `dvc repro` in it, and commit "
            f"{LOCK} and metrics/."
        )
    return _run(name, f"{name} ({commit[:7]})", tree, lock, None)


def open_folder(folder: Path, name: str) -> Run:
    """Return the run that a project's folder holds, outputs on disk held against dvc.lock."""
    tree = FolderTree(folder)
    lock = tree.read(LOCK)
    if lock is None:
        raise BertlineError(
            f"{folder.absolute()} has no {LOCK}: type `dvc repro` there first, or run this command "
            f"in a project's folder."
        )
    return _run(name, "the workspace" if name == WORKSPACE else name, tree, lock, folder)


def _run(name: str, title: str, tree: Tree, lock: bytes, folder: Path | None) -> Run:
    stages, waiting = _live(tree, read_lock(lock, f"{name}: {LOCK}"))
    outs = {path: md5 for stage in stages.values() for path, md5 in stage.outs.items()}
    if folder is None:
        found = {path: _md5_in(tree, path) for path in outs}
    else:
        counted = console.progress(outs, total=len(outs), label="hash outputs", unit="outputs")
        found = {path: hashes.md5(folder / path) for path in counted}
    # What is not there is no change: data comes with `dvc checkout` or `dvc pull`.
    present = {path: md5 for path, md5 in found.items() if md5 is not None}
    touched = {path: md5 for path, md5 in present.items() if md5 != outs[path]}
    return Run(name, title, tree, stages, waiting, touched)


def _md5_in(tree: Tree, path: str) -> str | None:
    """Return the MD5 of a file or folder of a commit, as `hashes.md5` does for those on disk."""
    names = tree.names(path)
    if not names:
        return md5(tree.read(path))
    listed = [
        {"md5": md5(tree.read(name)), "relpath": name.removeprefix(f"{path}/")} for name in names
    ]
    return f"{md5(json.dumps(listed, sort_keys=True).encode())}.dir"


def read_lock(content: bytes, where: str) -> dict[str, Recorded]:
    """Return the stages of a dvc.lock."""
    document = read_yaml(content, where)
    stages = document.get("stages")
    if document.get("schema") != "2.0" or not isinstance(stages, dict):
        raise BertlineError(
            f"{where} should have `schema: '2.0'` and `stages`, as DVC 3 writes it. Take it from "
            f"git, or type `dvc repro`."
        )
    try:
        return {name: _recorded(name, entry) for name, entry in stages.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise BertlineError(
            f"{where} has an entry that is not as DVC writes it ({error!r}). Take the file from "
            f"git, or type `dvc repro`, which mends what a killed dvc left."
        ) from error


def _recorded(name: str, entry: Mapping[str, Any]) -> Recorded:
    return Recorded(
        name=name,
        command=" ".join(str(entry["cmd"]).split()),
        deps={file["path"]: file.get("md5") for file in entry.get("deps", [])},
        outs={file["path"]: file.get("md5") for file in entry.get("outs", [])},
        params={file: dict(keys) for file, keys in entry.get("params", {}).items()},
    )


def read_yaml(content: bytes, where: str) -> dict[str, Any]:
    """Return the mapping in YAML 1.2, as DVC reads it."""
    try:
        document = YAML(typ="safe", pure=True).load(content.decode())
    except (YAMLError, UnicodeDecodeError) as error:
        raise BertlineError(f"{where} is not valid YAML. {error}") from error
    if not isinstance(document, dict):
        raise BertlineError(f"{where} should hold `name: value` pairs and holds {document!r}.")
    return document


def _live(tree: Tree, locked: dict[str, Recorded]) -> tuple[dict[str, Recorded], list[str]]:
    """Return the recorded stages that the pipeline still has, and those that it has not run.

    DVC keeps entries in dvc.lock of stages that are gone, such as those of a seed taken out.
    """
    names = stage_names(tree)
    if names is None:
        return locked, []
    live = {name: recorded for name, recorded in locked.items() if name in names}
    return live, [name for name in names if name not in locked]


def stage_names(tree: Tree) -> list[str] | None:
    """Return the stages of dvc.yaml by name, or None if they cannot be told without DVC."""
    contents = {name: tree.read(name) for name in ("dvc.yaml", "params.yaml")}
    if None in contents.values():
        return None
    pipeline, values = (read_yaml(content, name) for name, content in contents.items())
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
        # Over a mapping or a list of plain values stages are named for them, else by number.
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
        inner = values.get(".".join(parts[:cut]))
        found = look_up(inner, ".".join(parts[cut:]))
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


def judge_receipt(recorded: Recorded, content: bytes | None) -> Receipt:
    """Return a receipt if it is of the run that dvc.lock records, else why it is not.

    DVC may restore outputs of an earlier run from its cache; the receipt is then of another one.
    One that agrees with dvc.lock in code, inputs, parameters and versions, and names other
    outputs, is of this run: the outputs were changed after it.
    """
    if content is None:
        return Receipt(problem="there is none")
    try:
        facts = json.loads(content)
    except ValueError:
        return Receipt(problem="it is no JSON")
    if not isinstance(facts, dict) or "outputs" not in facts:
        return Receipt(problem="it is of an older format, without hashes")
    if not all(isinstance(facts.get(key, {}), dict) for key in MAPPINGS):
        return Receipt(problem="it is not as a stage writes it")
    altered = [path for path, md5 in recorded.outs.items() if facts["outputs"].get(path) != md5]
    if altered and not _is_of(facts, recorded):
        return Receipt(problem="it is of another run; DVC restored the outputs from its cache")
    return Receipt(facts=facts, altered=altered)


def _is_of(facts: Mapping[str, Any], recorded: Recorded) -> bool:
    wanted = {
        key: value
        for file in recorded.params
        if file != PACKAGES
        for key, value in recorded.values(file).items()
    }
    versions = {normal(name): base(text) for name, text in facts.get("packages", {}).items()}
    listed = {normal(name): text for name, text in recorded.values(PACKAGES).items()}
    read = flatten(facts.get("parameters", {}))
    return (
        bool(facts.get("code"))
        and _agree(facts["code"], recorded.code)
        and _agree(facts.get("inputs", {}), recorded.data)
        and _agree(versions, listed)
        and _agree(read, wanted)
        and (bool(read.keys() & wanted.keys()) or not wanted)
    )


def _agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[key] == other[key] for key in one.keys() & other.keys())


def normal(package: str) -> str:
    """Return a package's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def base(version: str) -> str:
    """Return a version without the label of a build."""
    return version.partition("+")[0]


def stale(run: Run) -> dict[str, list[str]]:
    """Return the stages whose code, parameters or inputs are not those of their recorded run.

    The value names what has changed. `dvc repro` would run these stages.
    """
    documents = {
        file: read_yaml(content, file) if (content := run.tree.read(file)) else {}
        for file in {file for stage in run.stages.values() for file in stage.params}
    }
    code = {path for stage in run.stages.values() for path in stage.code}
    current = {path: md5(run.tree.read(path)) for path in sorted(code)}
    outs = {path: md5 for stage in run.stages.values() for path, md5 in stage.outs.items()}
    found: dict[str, list[str]] = {}
    for name, stage in run.stages.items():
        changed = [path for path, md5 in stage.code.items() if current[path] != md5]
        changed += [path for path, md5 in stage.data.items() if outs.get(path, md5) != md5]
        for file, keys in stage.params.items():
            ran = flatten(keys)
            now = flatten({key: look_up(documents[file], key) for key in keys})
            differing = [key for key in ran | now if ran.get(key) != now.get(key)]
            changed += [f"{key} of {file}" for key in differing]
        if changed:
            found[name] = changed
    return found


def md5(content: bytes | None) -> str | None:
    """Return the MD5 of a file's content as dvc.lock has it."""
    return None if content is None else hashlib.md5(content, usedforsecurity=False).hexdigest()


# --- git ------------------------------------------------------------------------------------------


def find_commit(name: str) -> str | None:
    """Return the commit that git or DVC knows by this name, or None."""
    if name.startswith("-"):
        return None
    for reference in (name, *_experiment(name)):
        finished = _call("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
        if finished.returncode == 0:
            return finished.stdout.decode().strip()
    return None


def _experiment(name: str) -> Iterator[str]:
    """Yield the reference of the DVC experiment of this name, if there is one.

    Experiments on different commits may share a name: that on HEAD goes first, as in DVC.
    """
    found = [reference for reference in experiments() if reference.rpartition("/")[2] == name]
    if len(found) > 1:
        head = _call("rev-parse", "HEAD").stdout.decode().strip()
        on_head = [item for item in found if item == f"{EXPERIMENTS}/{head[:2]}/{head[2:]}/{name}"]
        if not on_head:
            raise BertlineError(
                f"{name} is the name of {len(found)} experiments, none of them on the current "
                f"commit. Name one in full: {', '.join(found)}."
            )
        found = on_head
    yield from found


def experiments() -> list[str]:
    """Return the references of the DVC experiments of the current repository."""
    finished = _call("for-each-ref", "--format=%(refname)", EXPERIMENTS)
    if finished.returncode:
        return []
    # refs/exps/<2 digits>/<38 digits of the commit that it is based on>/<name>
    references = finished.stdout.decode().split()
    return [
        reference
        for reference in references
        if len(parts := reference.split("/")) > 4 and parts[2] not in NOT_EXPERIMENTS
    ]


def _unknown(name: str) -> str:
    listed = _call("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags")
    if listed.returncode:
        return (
            f"{name} is no folder with a {LOCK}, and this folder is no git repository. Name two "
            f"projects' folders, or run this command in a project."
        )
    known = [WORKSPACE, "HEAD", *listed.stdout.decode(errors="replace").split()]
    known += [reference.rpartition("/")[2] for reference in experiments()]
    kind = f"a folder without {LOCK}" if Path(name).is_dir() else "no folder"
    return (
        f"{name} is {kind}, and neither a revision that git knows nor a DVC experiment"
        f"{params.nearest(name, known)}."
    )


def _git(*arguments: str) -> bytes:
    finished = _call(*arguments)
    if finished.returncode:
        said = finished.stderr.decode(errors="replace").strip()
        raise BertlineError(f"`git {' '.join(arguments)}` failed: {said}")
    return finished.stdout


def _call(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise BertlineError("git is not installed, and revisions are read with it.") from None
