"""dvc.yaml against a recorded run: whatever a stage used makes it stale when it changes.

The processes of the miniature run record the modules that they loaded and the files that they
opened (`tests/recorder`); their receipts have the parameters that they read and the packages that
they imported. All of it has to be covered by deps and params of dvc.yaml, which DVC compares.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from bertline.core import dependencies, files, packages
from tests import project as projects
from tests.project import Project, edit

pytestmark = pytest.mark.slow

# Packages of packages.yaml that a stage's process imports and whose groups it does not list: they
# cannot decide its result.
UNDECIDING = {
    # transformers imports it for images
    "tokenize": {"pillow"},
    "adapt": {"pillow"},
    "train": {"pillow"},
    "evaluate": {"pillow"},
    # sentence-transformers imports them for images and evaluations
    "embed": {"pillow", "scikit-learn", "scipy"},
    # BERTopic imports it for images
    "topic-words": {"pillow"},
}
# torch imports it for compiled templates of kernels.
EVERYWHERE = {"Jinja2"}
# Packages of the groups of an expensive stage that it does not import: an upgrade re-runs it
# needlessly.
PACKAGES_NEEDLESS = {
    # A release of its own moves rarely without transformers, which both use.
    "adapt": {"sentence-transformers"},
    "train": {"sentence-transformers"},
    # The method hdbscan imports them; the map needs the others.
    "topic-fit": {"hdbscan"},
    "topic-stability": {"hdbscan", "llvmlite", "numba", "pynndescent", "umap-learn"},
}


@pytest.fixture(scope="module")
def used(made_project: Project) -> dict[str, dict[str, set[str]]]:
    """Return by stage the `modules` and the `opened` files of the recorded run."""
    return projects.used_files(made_project)


@pytest.fixture(scope="module")
def receipts(made_project: Project) -> dict[str, dict[str, Any]]:
    """Return the receipts of the recorded run by stage."""
    found = {}
    for path in made_project.folder.joinpath("metrics", "receipts").iterdir():
        found[path.stem.replace("_", "-")] = files.read_json(path)
    return found


@pytest.fixture(scope="module")
def declared(made_project: Project) -> dict[str, dict[str, Any]]:
    """Return the entries of the project's dvc.yaml by stage, with a foreach stage's template."""
    return dependencies.stages(made_project.folder)


def covers(places: set[str], name: str) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)


def test_every_file_that_a_process_used_is_a_dep_an_out_or_a_parameter_file(
    made_project: Project, used: dict[str, dict[str, set[str]]]
) -> None:
    with Repo(str(made_project.folder)) as repo:
        stages = {stage.name: stage for stage in repo.index.stages}
    assert set(used) == set(stages) == set(made_project.first)
    for name, found in used.items():
        places = {file.def_path for file in (*stages[name].deps, *stages[name].outs)}
        opened = found["modules"] | found["opened"] - {"packages.yaml", "dvc.yaml"}
        wrong = {path for path in opened if not path.endswith("__init__.py")}
        assert {path for path in wrong if not covers(places, path)} == set(), name


def test_every_stage_read_the_parameters_that_it_declares(
    declared: dict[str, dict[str, Any]], receipts: dict[str, dict[str, Any]]
) -> None:
    for stage, receipt in receipts.items():
        entry = declared[stage.partition("@")[0]]
        named = {item for item in entry.get("params", ()) if isinstance(item, str)}
        read = {name for name in receipt["parameters"] if not name.startswith("tiny-")}
        assert {name.replace("${key}", stage.partition("@")[2]) for name in named} == read, stage


def test_every_package_that_a_stage_imported_is_in_its_groups_or_argued_away(
    made_project: Project,
    declared: dict[str, dict[str, Any]],
    receipts: dict[str, dict[str, Any]],
) -> None:
    stated = set(packages.stated(made_project.folder))
    grouped = files_of_groups(made_project.folder)
    missing: dict[str, set[str]] = {}
    for stage, receipt in receipts.items():
        name = stage.partition("@")[0]
        listed = {
            package for group in dependencies.groups(declared[name]) for package in grouped[group]
        }
        undeclared = set(receipt["packages"]) & stated - listed - EVERYWHERE
        if undeclared:
            missing.setdefault(name, set()).update(undeclared)
    assert missing == UNDECIDING


def files_of_groups(project: Path) -> dict[str, dict[str, str]]:
    return dependencies.params.read_yaml(project / packages.PACKAGES)


def test_needless_upgrades_of_expensive_stages_are_named(
    made_project: Project, declared: dict[str, dict[str, Any]]
) -> None:
    folder = made_project.folder / "metrics" / "receipts"
    found = {}
    for name in ("adapt", "train", "embed", "topic-fit", "topic-stability"):
        receipt = folder / ("train@1.json" if name == "train" else f"{name.replace('-', '_')}.json")
        found[name] = dependencies.needless_packages(declared[name], receipt)
    assert {name: needless for name, needless in found.items() if needless} == PACKAGES_NEEDLESS


# --- DVC compares what dvc.yaml lists -------------------------------------------------------------


@pytest.fixture(scope="module")
def mutable(made_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return a copy of the project that the cases share: each puts back what it changes."""
    copied = projects.copy(made_project, tmp_path_factory.mktemp("mutable") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", copied.environment["DVC_SITE_CACHE_DIR"])
        assert stale(copied) == set()
        yield copied
        assert stale(copied) == set()


def stale(project: Project) -> set[str]:
    """Return the stages that `dvc status` calls stale, without the items of foreach stages."""
    with Repo(str(project.folder)) as repo:
        return {name.rpartition(":")[2].partition("@")[0] for name in repo.status()}


@pytest.mark.parametrize(
    "name",
    [
        "bertline/core/files.py",
        "bertline/encoders/loading.py",
        "bertline/scoring/names.py",
        "bertline/topics/words.py",
        "stages/train.py",
    ],
)
def test_a_changed_file_makes_the_stages_stale_whose_deps_cover_it(
    name: str, mutable: Project, declared: dict[str, dict[str, Any]]
) -> None:
    path = mutable.folder / name
    before = path.read_bytes()
    path.write_bytes(before + b"# another line\n")
    found = stale(mutable)
    path.write_bytes(before)

    assert found == {
        stage
        for stage, entry in declared.items()
        if covers(set(dependencies.code_deps(entry)), name)
    }


@pytest.mark.parametrize(
    ("file", "key", "value", "expected"),
    [
        ("params.yaml", "train.learning_rate", 3e-4, {"train"}),
        ("params.yaml", "vocabulary.min_df", 2, {"topic-words"}),
        ("params.yaml", "topic_words.contrast", 0, {"topic-words"}),
        ("params.yaml", "topic_words.outliers.strategy", "c-tf-idf", {"topic-words"}),
        ("params.yaml", "topic_numbers", [2, 4], {"topic-words"}),
        ("params.yaml", "topic_fit.seed", 7, {"topic-fit"}),
        ("params.yaml", "seeds", [1], {"evaluate"}),
        ("packages.yaml", "topics.bertopic", "99.0", {"topic-words"}),
        ("packages.yaml", "figures.pillow", "99.0", {"visualize"}),
        ("sources.yaml", "tiny-bert.licence", "another", set()),
        ("sources.yaml", "tiny-documents.parse.columns.group", None, {"parse"}),
        ("sources.yaml", "cola.title", "another", set()),
    ],
)
def test_a_changed_key_makes_the_stages_stale_that_read_it(
    file: str, key: str, value: object, expected: set[str], mutable: Project
) -> None:
    path = mutable.folder / file
    before = path.read_bytes()
    edit(path, {key: value})
    found = stale(mutable)
    path.write_bytes(before)

    assert found == expected
