"""The whole project on miniature inputs, in a repository of its own, for tests that run DVC."""

import copy as copying
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from bertline.core import files
from bertline.core.dependencies import ROOT
from minimal_pairs import generate
from tests import tiny

# On PYTHONPATH it records what every stage uses.
RECORDER = ROOT / "tests" / "recorder"

MINIATURE = {
    "inputs.sentences": "tiny-pairs",
    "inputs.documents": "tiny-documents",
    "inputs.backbone": "tiny-bert",
    "inputs.embedder": "tiny-bert",
    "inputs.phenomena": "tiny-phenomena",
    "seeds": [1, 2],
    "tokenize.max_length": 32,
    "adapt.epochs": 1,
    "adapt.sentences": 100,
    "adapt.held_out": 50,
    "train.epochs": 2,
    "analyze.min_group_size": 5,
    "analyze.simulations": 100,
    "topic_fit.umap.n_neighbors": 5,
    "topic_fit.hdbscan.min_cluster_size": 5,
    "topic_fit.hdbscan.min_samples": 3,
    "vocabulary.min_df": 1,
    "vocabulary.boilerplate": None,
    "topic_numbers": [2, 3],
    "topic_stability.seeds": 1,
    "topic_stability.resamples": 1,
    "topic_baselines.seeds": [1],
    "topic_baselines.lda_passes": 3,
    "visualize.top_topics": 4,
}


@dataclass
class Project:
    """A copy of the project in a temporary repository, with inputs that run in seconds."""

    folder: Path
    environment: dict[str, str]
    first: list[str] = field(default_factory=list)

    def run(self, *command: str) -> str:
        """Run a command in the project and return what it printed; fail loudly if it fails."""
        finished = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        printed = finished.stdout + finished.stderr
        assert finished.returncode == 0, f"{' '.join(command)}\n{printed}"
        return printed

    def repro(self) -> list[str]:
        """Run `dvc repro` and return the names of the stages that ran."""
        return ran(self.run("dvc", "repro"))

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def set(self, **values: object) -> None:
        """Set parameters by their dotted name, a double underscore for each dot."""
        edit(
            self.folder / "params.yaml",
            {name.replace("__", "."): value for name, value in values.items()},
        )


def ran(printed: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", printed)


def edit(path: Path, values: dict[str, object]) -> None:
    """Set values by their dotted names in a YAML file, comments kept."""
    yaml = YAML()
    document = yaml.load(path)
    for name, value in values.items():
        *parents, last = name.split(".")
        place = document
        for parent in parents:
            place = place[parent]
        place[last] = value
    yaml.dump(document, path)


def own_source(role: str, folder: Path, parse: dict[str, object] | None) -> dict[str, object]:
    """Return an entry of sources.yaml for the files below `own/<folder>`."""
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): files.sha256(path) for path in names}
    entry: dict[str, object] = {
        "title": f"Miniature {role}",
        "roles": ["backbone", "embedder"] if role == "encoder" else [role],
        "licence": "Apache-2.0",
        "fetch": {"kind": "path", "folder": f"own/{folder.name}", "files": hashes},
    }
    return entry if parse is None else entry | {"parse": parse}


def make(folder: Path, home: Path) -> Project:
    """Write the project with miniature inputs to `folder`, in a git repository, not yet run.

    home: a folder for what is kept per person.
    """
    copy_tracked(folder)
    tiny.write_bert(folder / "own" / "tiny-bert")
    tiny.write_documents(folder / "own" / "tiny-documents" / "documents.csv", 80)
    sizes = {"in_domain_train": 240, "in_domain_dev": 60, "out_of_domain_dev": 60}
    generate.write(folder / "own" / "tiny-pairs", seed=5, sizes=sizes)
    write_sources(folder)
    edit(folder / "params.yaml", MINIATURE)
    shutil.rmtree(folder / "metrics", ignore_errors=True)
    (folder / "dvc.lock").unlink(missing_ok=True)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("BERTLINE_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "BERTLINE_CACHE": str(home / "cache"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "tester",
        "GIT_AUTHOR_EMAIL": "tester@example.com",
        "GIT_COMMITTER_NAME": "tester",
        "GIT_COMMITTER_EMAIL": "tester@example.com",
    }
    made = Project(folder, environment)
    made.run("git", "init", "--quiet", "--initial-branch", "main")
    made.commit("Start")
    return made


def run_first(made: Project) -> Project:
    """Run the whole pipeline for the first time and commit what it recorded.

    Every stage leaves a record of the files that it really used, for `used_files`.
    """
    records = _records(made)
    records.mkdir()
    recorded = made.environment | {"PYTHONPATH": str(RECORDER), "USED_FILES": str(records)}
    made.first = Project(made.folder, recorded).repro()
    made.commit("Run")
    return made


def used_files(made: Project) -> dict[str, dict[str, set[str]]]:
    """Return by stage the `modules` and the `opened` files of the project in its first run."""
    used: dict[str, dict[str, set[str]]] = {}
    for path in _records(made).iterdir():
        stage = used.setdefault(path.name.rsplit(".", 2)[0], {"modules": set(), "opened": set()})
        for kind, names in files.read_json(path).items():
            stage[kind] |= set(names)
    return used


def _records(made: Project) -> Path:
    return made.folder.with_name(f"{made.folder.name} used")


def copy(made: Project, folder: Path) -> Project:
    """Return a copy of a project, its outputs and DVC's cache included, to change at will."""
    shutil.copytree(made.folder, folder, symlinks=True)
    return Project(folder, dict(made.environment), list(made.first))


def copy_tracked(folder: Path) -> None:
    """Copy the project's files, those that git tracks or would track, to `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)


def write_sources(folder: Path) -> None:
    """Add the miniature inputs to sources.yaml."""
    path = folder / "sources.yaml"
    yaml = YAML()
    table = yaml.load(path)
    table["tiny-bert"] = own_source("encoder", folder / "own" / "tiny-bert", None)
    table["tiny-documents"] = own_source(
        "documents",
        folder / "own" / "tiny-documents",
        {
            "format": "table",
            "files": {"train": "documents.csv"},
            "columns": {"text": "text", "group": "group"},
        },
    )
    pairs = own_source("sentences", folder / "own" / "tiny-pairs", {"format": "cola"})
    table["tiny-pairs"] = pairs | {"title": "A few minimal pairs (synthetic)"}
    del table["tiny-pairs"]["fetch"]["files"]["phenomena.tsv"]
    table["tiny-phenomena"] = copying.deepcopy(table["minimal-pairs-phenomena"])
    yaml.dump(table, path)
