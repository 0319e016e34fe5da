"""The cache cannot lie: what is changed makes exactly those stages stale that use it.

Each file of the code, each parameter, each key of a source and each version of a package is changed
in turn, in a copy of the project after its first run, and what `dvc status` then calls stale is
held against what the processes of that run really used: the modules that they had loaded, the files
that they had opened (`tests/recorder`), the parameters that they had read and the packages that
they had imported (their receipts). dvc.yaml and the derivation from the code have no say in it.

Where dvc.yaml names more than a run uses, a table here says what and why. Nothing makes up for
less.
"""

import ast
import copy
import functools
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import dvc.utils.serialize._yaml
import dvc.utils.strictyaml
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from bertline.core import files
from bertline.core import packages as environment
from bertline.core.dependencies import ROOT
from tests import light
from tests import project as projects
from tests.project import Project

pytestmark = pytest.mark.slow

ROLES = ("sentences", "documents", "backbone", "embedder", "phenomena")
DOWNLOADS = {f"download@{role}" for role in ROLES}

# --- what dvc.yaml names beyond what a run uses -------------------------------------------------

# DVC has no conditional deps, and all sources share one `download`, so a download depends on what
# any kind of source uses. It takes seconds, and gives the same bytes, so nothing follows from it.
UNUSED_FILES = {
    # topic_fit encodes words for two of the representations only
    "stages/embed.py": {"topic-fit"},
    "bertline/encoders/loading.py": {"topic-fit"},
    "bertline/core/checkpoint.py": {"topic-fit"},
}
# A person's own files: read for a source of kind `path` only. That they are a dep at all is so that
# a changed file is told of; what is laid down is decided by the hashes in sources.yaml.
UNUSED_OWN = {
    "own/tiny-bert/vocab.txt": DOWNLOADS - {"download@backbone", "download@embedder"},
    "own/tiny-documents/documents.csv": DOWNLOADS - {"download@documents"},
    "own/tiny-pairs/in_domain_train.tsv": DOWNLOADS - {"download@sentences"},
    "own/README.md": DOWNLOADS,
}

# --- what a run imports and dvc.yaml leaves out -------------------------------------------------

# Packages of packages.yaml that a stage's process imports and that cannot decide its result.
UNDECIDING = {
    # Lays down bytes as published, held to their SHA-256, or generates text with Python's own
    # `random`; arrays and tables come with the shared module of files.
    "download": {"numpy", "pandas", "pyarrow"},
    # scikit-learn imports it; what parse calls of that cuts strings with regular expressions.
    "parse": {"scipy"},
    # transformers imports them for models, attention masks and images; here it only looks up which
    # of the compiled tokenizers a folder holds.
    "tokenize": {"torch", "safetensors", "scipy", "pillow"},
    # transformers imports pillow for images, and scikit-learn scipy: it counts predictions with it,
    # in whole numbers, for figures; no weight depends on them.
    "adapt": {"pillow", "scipy"},
    "train": {"pillow", "scipy"},
    # transformers imports them for images and texts; evaluate gets sentences as ids.
    "evaluate": {"pillow", "tokenizers"},
    # The shared module of files imports pandas, and sentence-transformers the others, for images
    # and evaluations; embed reads with pyarrow, encodes with torch and writes with numpy.
    "embed": {"pandas", "pillow", "scikit-learn", "scipy"},
    # BERTopic imports it for images.
    "topic_fit": {"pillow"},
    # BERTopic imports them for its own encoders, and the fit's modules for files; refits are given
    # vectors.
    "topic_stability": {
        *("torch", "transformers", "tokenizers", "sentence-transformers", "safetensors", "pillow"),
    },
    # transformers and turftopic import them for images and figures.
    "topic_baselines": {"pillow", "matplotlib", "kiwisolver"},
}

# Packages that the project's own code imports and packages.yaml does not name: none decides a
# result.
UNNAMED = {
    # read and check YAML; values are fixed by YAML 1.2, and a type that does not fit is refused
    *("ruamel.yaml", "pydantic", "PyYAML"),
    # fetch bytes, which are held to their SHA-256, and find the folder to keep them in
    *("requests", "urllib3", "huggingface_hub", "platformdirs"),
    # show progress
    "tqdm",
    # sets and tells the number of threads, which the receipts record
    "threadpoolctl",
}

# --- the parameters' other values ---------------------------------------------------------------

# Where a number cannot just be moved a little.
OTHER_VALUES = {
    "parse.documents.remove": ["headers"],
    "parse.documents.empty": "drop",
    "adapt.precision": "fp32",
    "train.keep": "best_mcc",
    "topic_baselines.seeds": [3, 4],
    "evaluate.threshold": "validation",
    "evaluate.temperature": "validation",
    "analyze.length_bounds": [5, 10],
    "train.padding": "max_length",
    "train.precision": "fp32",
    "embed.precision": "fp32",
    "topic_fit.umap.metric": "euclidean",
    "topic_fit.hdbscan.cluster_selection_method": "leaf",
    "vocabulary.stop_words": None,
    "vocabulary.more_stop_words": ["don"],
    "vocabulary.boilerplate": 0.8,
    "topic_fit.outliers.strategy": "c-tf-idf",
    "topic_fit.outliers.threshold": 0.1,
    "topic_fit.words.representation": "mmr",
    "vocabulary.ngram_range": [1, 2],
    "visualize.font": "DejaVu Serif",
    "visualize.figure_size": [12.0, 8.0],
}


@dataclass(frozen=True)
class Evidence:
    """What the process of a stage used in the first run of the project."""

    modules: set[str]
    opened: set[str]
    parameters: dict[str, Any]
    packages: set[str]

    @property
    def code(self) -> set[str]:
        """The files below stages/; `__init__.py` are loaded too, and hold nothing."""
        used = {name for name in self.modules | self.opened if name.startswith("stages/")}
        return {name for name in used if not name.endswith("__init__.py")}

    @property
    def sources(self) -> set[str]:
        """The entries of sources.yaml that it read."""
        if "sources.yaml" not in self.opened:
            return set()
        return {name.rpartition(".")[0] for name in self.parameters if name.startswith("tiny-")}


@pytest.fixture(scope="module")
def evidence(made_project: Project) -> dict[str, Evidence]:
    """Return by stage what its process used."""
    found = {}
    for stage, used in projects.used_files(made_project).items():
        name = stage.replace("-", "_")
        receipt = files.read_json(made_project.folder / "metrics" / "receipts" / f"{name}.json")
        found[stage] = Evidence(
            used["modules"], used["opened"], receipt["parameters"], set(receipt["packages"])
        )
    return found


@pytest.fixture(scope="module")
def mutable(made_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return a copy of the project that all cases share: each puts back what it changes."""
    folder = tmp_path_factory.mktemp("mutable")
    mutable = projects.copy(made_project, folder / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", mutable.environment["DVC_SITE_CACHE_DIR"])
        parse = _remembering(dvc.utils.serialize._yaml.parse_yaml)
        patch.setattr(dvc.utils.serialize._yaml, "parse_yaml", parse)
        patch.setattr(dvc.utils.strictyaml, "parse_yaml", parse)
        assert stale(mutable) == {}
        yield mutable
        assert stale(mutable) == {}


def _remembering(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Return DVC's reader of YAML with a memory: it reads the same few texts 30 times a status."""

    @functools.lru_cache(maxsize=32)
    def parsed(text: str) -> Any:
        return parse(text, "")

    def remembering(text: str, path: str, typ: str = "safe") -> Any:
        return copy.deepcopy(parsed(text)) if typ == "safe" else parse(text, path, typ)

    return remembering


def stale(project: Project) -> dict[str, set[str]]:
    """Return the stages that `dvc status` calls stale, with all its reasons."""
    with Repo(str(project.folder)) as repo:
        return reasons(repo.status())


def reasons(status: Mapping[str, list[Any]]) -> dict[str, set[str]]:
    """Return the reasons of each stage: a file, `file: key` of a parameter, or what else it is."""
    found: dict[str, set[str]] = {}
    for name, entries in status.items():
        why = found.setdefault(name.rpartition(":")[2], set())
        for entry in entries:
            if isinstance(entry, str):
                why.add(entry)
                continue
            for changed in entry.values():
                for path, keys in changed.items():
                    named = keys if isinstance(keys, dict) else [None]
                    why |= {path if key is None else f"{path}: {key}" for key in named}
    return found


@contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """Change a file for a while."""
    before = path.read_bytes()
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def changed_values(path: Path, values: Mapping[str, Any]) -> Iterator[None]:
    """Change values of a YAML file, by their dotted names, for a while."""
    with changed(path, path.read_text(encoding="utf-8")):
        for name, value in values.items():
            _put(path, name.split("."), value)
        yield


def _put(path: Path, keys: list[str], value: Any) -> None:
    yaml = YAML()
    document = yaml.load(path)
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    yaml.dump(document, path)


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


def leaves(values: Mapping[str, Any], *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the keys that lead to each value that is no mapping, and the value."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, *above, key)
        else:
            yield (*above, key), value


def another(value: Any) -> Any:
    """Return another value of the same type, a little away."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.9 or 0.05
    if isinstance(value, list):
        return [*value, another(value[-1])]
    assert isinstance(value, str)
    return f"{value}x"


# --- code ---------------------------------------------------------------------------------------

CODE = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.joinpath("stages").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)


@pytest.mark.parametrize("name", CODE)
def test_a_changed_file_makes_the_stages_stale_that_use_it(
    name: str, mutable: Project, evidence: dict[str, Evidence]
) -> None:
    users = {stage for stage, used in evidence.items() if name in used.code}
    path = mutable.folder / name
    with changed(path, path.read_text(encoding="utf-8") + "# another line\n"):
        found = stale(mutable)

    needless = UNUSED_FILES.get(name, set())
    assert not users & needless
    assert found == {stage: {name} for stage in users | needless}


@pytest.mark.parametrize("name", sorted(UNUSED_OWN))
def test_a_changed_file_of_ones_own_is_told_of(
    name: str, mutable: Project, evidence: dict[str, Evidence]
) -> None:
    users = {stage for stage, used in evidence.items() if name in used.opened}
    path = mutable.folder / name
    with changed(path, path.read_text(encoding="utf-8") + "another line\n"):
        found = stale(mutable)

    assert not users & UNUSED_OWN[name]
    assert found == {stage: {"own"} for stage in users | UNUSED_OWN[name]}


def test_what_a_stage_opens_besides_code_is_an_input_or_its_own(
    mutable: Project, evidence: dict[str, Evidence]
) -> None:
    with Repo(str(mutable.folder)) as repo:
        declared = {
            stage.name: {file.def_path for file in (*stage.deps, *stage.outs)}
            for stage in repo.index.stages
        }
    assert set(declared) == set(evidence)
    for stage, used in evidence.items():
        opened = {name for name in used.opened if not name.startswith("stages/")}
        assert {name for name in opened if not _lies_in(name, declared[stage])} == set(), stage


def _lies_in(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)


# --- parameters ---------------------------------------------------------------------------------

PARAMETERS = {".".join(keys): value for keys, value in leaves(read(ROOT / "params.yaml"))}
ORDINARY = [
    name
    for name in PARAMETERS
    if name not in {"seeds", "topic_numbers"} and not name.startswith("inputs.")
]


@pytest.mark.parametrize("name", ORDINARY)
def test_a_changed_parameter_makes_the_stages_stale_that_read_it(
    name: str, mutable: Project, evidence: dict[str, Evidence]
) -> None:
    path = mutable.folder / "params.yaml"
    value = functools.reduce(lambda place, key: place[key], name.split("."), read(path))
    readers = {
        stage: section
        for stage, used in evidence.items()
        for section in used.parameters
        if name.startswith(f"{section}.")
    }
    for stage, section in readers.items():  # it has it in its receipt, as it stands in the file
        below = name.removeprefix(f"{section}.").split(".")
        assert value == functools.reduce(
            lambda place, key: place[key], below, evidence[stage].parameters[section]
        )
    with changed_values(path, {name: OTHER_VALUES.get(name, _moved(value))}):
        found = stale(mutable)

    assert readers
    assert found == {stage: {f"params.yaml: {key}"} for stage, key in readers.items()}


def _moved(value: Any) -> Any:
    return another(value) if isinstance(value, bool | int | float) else None


def test_the_other_values_are_valid(mutable: Project) -> None:
    """Nobody would ask what a value makes stale that the stage refuses."""
    sections = {"parse": "Parse", "topic_fit": "TopicFit"}
    sections |= {"topic_stability": "TopicStability", "topic_baselines": "TopicBaselines"}
    path = mutable.folder / "params.yaml"
    values = {name: OTHER_VALUES.get(name, _moved(PARAMETERS[name])) for name in ORDINARY}
    with changed_values(path, values):
        lines = ["from pathlib import Path", "from stages import params"]
        for name in dict.fromkeys(name.partition(".")[0] for name in ORDINARY):
            section = sections.get(name, name.capitalize())
            lines += [f"from stages.{name} import {section}"]
            lines += [f"params.load(Path('params.yaml'), '{name}', {section})"]
        mutable.run("python", "-c", "\n".join(lines))


@pytest.mark.parametrize("role", ROLES)
def test_another_source_for_a_role_makes_its_own_stages_stale(
    role: str, mutable: Project, evidence: dict[str, Evidence]
) -> None:
    readers = {
        stage for stage, used in evidence.items() if used.sources and stage.endswith(f"@{role}")
    }
    path = mutable.folder / "params.yaml"
    with changed_values(path, {f"inputs.{role}": PARAMETERS[f"inputs.{role}"]}):
        found = stale(mutable)

    assert set(found) == readers
    for why in found.values():
        assert "changed command" in why
        others = why - {"changed command"}
        assert all(reason.startswith("sources.yaml: ") for reason in others), others


def test_another_seed_is_trained_and_evaluated(
    mutable: Project, evidence: dict[str, Evidence]
) -> None:
    readers = {stage for stage, used in evidence.items() if "seeds" in used.parameters}
    with changed_values(mutable.folder / "params.yaml", {"seeds": [1, 2, 3]}):
        found = stale(mutable)

    assert set(found) == readers | {"train@3"}
    assert {stage: found[stage] for stage in readers} == dict.fromkeys(
        readers, {"params.yaml: seeds"}
    )


def test_a_seed_less_is_evaluated_anew_and_nothing_is_trained(
    mutable: Project, evidence: dict[str, Evidence]
) -> None:
    readers = {stage for stage, used in evidence.items() if "seeds" in used.parameters}
    with changed_values(mutable.folder / "params.yaml", {"seeds": [2]}):
        assert stale(mutable) == dict.fromkeys(readers, {"params.yaml: seeds"})


# --- sources ------------------------------------------------------------------------------------

USED_SOURCES = ("tiny-bert", "tiny-documents", "tiny-pairs", "tiny-phenomena")
# What people are told and no stage reads.
TOLD = ("licence", "homepage", "citation")


@pytest.mark.parametrize("source", USED_SOURCES)
def test_a_changed_key_of_a_source_makes_the_stages_stale_that_read_it(
    source: str, mutable: Project, evidence: dict[str, Evidence]
) -> None:
    path = mutable.folder / "sources.yaml"
    entry = dict.fromkeys(TOLD, "as told") | read(path)[source]
    found, expected = {}, {}
    for keys, value in leaves(entry):
        with changed(path, path.read_text(encoding="utf-8")):
            _put(path, [source, *keys], another(value))
            found[keys] = stale(mutable)
        part = f"{source}.{keys[0]}"
        readers = {
            stage
            for stage, used in evidence.items()
            # a receipt has what decides the result; that the entry serves the role is only checked
            if part in used.parameters or (keys[0] == "roles" and source in used.sources)
        }
        expected[keys] = {stage: {f"sources.yaml: {part}"} for stage in readers}

    assert found == expected
    assert {keys for keys in found if not found[keys]} >= {(key,) for key in TOLD}


@pytest.mark.parametrize("source", sorted(read(ROOT / "sources.yaml")))
def test_a_source_that_serves_no_role_makes_nothing_stale(source: str, mutable: Project) -> None:
    path = mutable.folder / "sources.yaml"
    with changed(path, path.read_text(encoding="utf-8")):
        for keys, value in leaves(read(path)[source]):
            _put(path, [source, *keys], another(value))
        assert stale(mutable) == {}


# --- packages -----------------------------------------------------------------------------------

PACKAGES = environment.stated(ROOT)


def deciding(stage: str, used: Evidence) -> set[str]:
    """Return the packages that decide a stage's result: imported, and not argued away."""
    script = stage.partition("@")[0].replace("-", "_")
    return {"python"} | (used.packages & set(PACKAGES)) - UNDECIDING.get(script, set())


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_another_version_makes_the_stages_stale_whose_result_it_decides(
    name: str, mutable: Project, evidence: dict[str, Evidence]
) -> None:
    expected = {stage for stage, used in evidence.items() if name in deciding(stage, used)}
    path = mutable.folder / environment.PACKAGES
    text = path.read_text(encoding="utf-8")
    new = text.replace(f'\n{name}: "{PACKAGES[name]}"', f'\n{name}: "99.0"')
    with changed(path, new):
        found = stale(mutable)

    assert new != text
    assert expected
    assert found == {stage: {f"packages.yaml: {name}"} for stage in expected}


def test_every_package_that_is_argued_away_is_imported(evidence: dict[str, Evidence]) -> None:
    for script, names in UNDECIDING.items():
        for stage, used in evidence.items():
            if stage.partition("@")[0].replace("-", "_") == script:
                assert names <= used.packages, stage


def test_every_package_that_the_code_imports_is_named_or_argued_away(
    evidence: dict[str, Evidence],
) -> None:
    modules = {name for used in evidence.values() for name in used.code if name.endswith(".py")}
    imported = set().union(*(_imports(ROOT / module) for module in modules))
    by_module = metadata.packages_distributions()
    direct = {name for module in imported for name in by_module.get(module, ())}

    assert direct - set(PACKAGES) == UNNAMED


def _imports(path: Path) -> set[str]:
    """Return the top-level modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


# --- an upgrade, through the environment's own hook ---------------------------------------------


def test_after_an_upgrade_dvc_status_says_which_stages_are_stale_and_why(
    mutable: Project, evidence: dict[str, Evidence], tmp_path: Path
) -> None:
    """The environment is a real one whose packages are those of the tests, but for the upgraded."""
    upgraded = light.make(tmp_path / "environment", below=light.packages())
    light.install_hook(upgraded)
    path = mutable.folder / environment.PACKAGES
    before = path.read_bytes()

    def run(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [upgraded.python, "-m", *command],
            cwd=mutable.folder,
            env=mutable.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    # nothing reads the version of a package that packages.yaml does not name
    light.upgrade(upgraded, "Jinja2")
    assert "Jinja2" in evidence["train@1"].packages
    finished = run("dvc", "status")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "Data and pipelines are up to date.\n"
    assert path.read_bytes() == before

    light.upgrade(upgraded, "scipy")
    try:
        # without DVC, which would write it down first, a stage refuses
        refused = run("stages.split", "data/tokenize", str(tmp_path / "split"))
        assert refused.returncode == 2
        assert f"scipy is 99.0 and stated as {PACKAGES['scipy']}" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert not (tmp_path / "split").exists()
        assert path.read_bytes() == before

        finished = run("dvc", "status")
        assert finished.returncode == 0, finished.stderr
        sentence = f"packages.yaml: scipy was {PACKAGES['scipy']} and is 99.0\n"
        assert finished.stderr.count(sentence) == 1
        expected = {stage for stage, used in evidence.items() if "scipy" in deciding(stage, used)}
        topics = {"topic-fit", "topic-stability", "topic-baselines"}
        assert expected == {"split", "evaluate", "analyze"} | topics
        assert told(finished.stdout) == {
            stage: ["packages.yaml:", "modified: scipy"] for stage in expected
        }
        assert path.read_bytes() == before.replace(
            f'scipy: "{PACKAGES["scipy"]}"'.encode(), b'scipy: "99.0"'
        )
    finally:
        path.write_bytes(before)


def told(printed: str) -> dict[str, list[str]]:
    """Return the lines below each stage's name in what `dvc status` prints, but for headings."""
    found: dict[str, list[str]] = {}
    for line in printed.splitlines():
        if not line.startswith("\t"):
            lines = found.setdefault(line.rstrip(":"), [])
        elif "changed deps" not in line:
            lines.append(" ".join(line.split()))
    return found
