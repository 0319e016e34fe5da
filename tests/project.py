"""The whole project on miniature inputs, in a repository of its own, for tests that run DVC."""

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
from tests import tiny

# On PYTHONPATH it records what every stage uses.
RECORDER = ROOT / "tests" / "recorder"

MINIATURE = {
    "inputs.sentences": "tiny-sentences",
    "inputs.documents": "tiny-documents",
    "inputs.backbone": "tiny-bert",
    "inputs.embedder": "tiny-bert",
    "inputs.phenomena": "tiny-phenomena",
    "seeds": [1, 2],
    "tokenize.max_length": 32,
    "adapt.epochs": 1,
    "adapt.texts": "documents",
    "adapt.sentences": 100,
    "adapt.held_out": 50,
    "train.epochs": 2,
    "analyze.min_group_size": 5,
    "analyze.simulations": 100,
    "topic_fit.graph.n_neighbors": 5,
    "topic_fit.graph.min_topic_size": 5,
    "topic_fit.umap.n_neighbors": 5,
    "topic_fit.hdbscan.min_cluster_size": 5,
    "topic_fit.hdbscan.min_samples": 3,
    "vocabulary.min_df": 1,
    "vocabulary.boilerplate": None,
    "topic_numbers": [2, 3],
    "topic_stability.seeds": 1,
    "topic_stability.resamples": 1,
    "topic_stability.roundings": 1,
    "visualize.topics.top_topics": 4,
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

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the project; its messages are in its output."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

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


def own_source(
    folder: Path, title: str, roles: list[str], parse: dict[str, object] | None
) -> dict[str, object]:
    """Return an entry of sources.yaml for the files below `own/<folder>`."""
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): files.sha256(path) for path in names}
    entry: dict[str, object] = {
        "title": title,
        "roles": roles,
        "licence": "Apache-2.0",
        "fetch": {"kind": "path", "folder": f"own/{folder.name}", "files": hashes},
    }
    return entry if parse is None else entry | {"parse": parse}


def make(folder: Path, home: Path) -> Project:
    """Write the project with miniature inputs to `folder`, in a git repository, not yet run.

    home: a folder for what is kept per person.
    """
    copy_tracked(folder)
    write_inputs(folder)
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


def write_inputs(folder: Path) -> None:
    """Write miniature inputs below own/ and declare them in sources.yaml."""
    own = folder / "own"
    tiny.write_bert(own / "tiny-bert")
    tiny.write_documents(own / "tiny-documents" / "documents.csv", 80)
    sizes = {"in_domain_train": 240, "in_domain_dev": 60, "out_of_domain_dev": 60}
    tiny.write_sentences(own / "tiny-sentences", sizes, seed=5)
    rows = [
        ("source", "major", "description"),
        *((f"t{n:02}", "all", "agreement") for n in range(3)),
    ]
    (own / "tiny-phenomena").mkdir()
    text = "".join("\t".join(row) + "\n" for row in rows)
    (own / "tiny-phenomena" / "phenomena.tsv").write_text(text, encoding="utf-8")
    table: dict[str, object] = {"format": "table", "files": {"train": "documents.csv"}}
    table["columns"] = {"text": "text", "group": "group"}
    listed: dict[str, object] = {"format": "source-list", "file": "phenomena.tsv"}
    encoder = ["backbone", "embedder"]
    yaml = YAML()
    sources = yaml.load(folder / "sources.yaml")
    sources |= {
        "tiny-bert": own_source(own / "tiny-bert", "Miniature encoder", encoder, None),
        "tiny-documents": own_source(own / "tiny-documents", "Documents", ["documents"], table),
        "tiny-sentences": own_source(
            own / "tiny-sentences", "Sentences (synthetic)", ["sentences"], {"format": "cola"}
        ),
        "tiny-phenomena": own_source(own / "tiny-phenomena", "Phenomena", ["phenomena"], listed),
    }
    yaml.dump(sources, folder / "sources.yaml")
