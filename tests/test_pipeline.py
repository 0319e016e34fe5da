"""dvc.yaml against the code, and the whole pipeline through DVC on miniature inputs."""

import ast
import difflib
import json
import re
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest
from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from bertline.core import dependencies, files, packages
from bertline.core.dependencies import ROOT, closure
from tests.project import Project, ran

# The stages that take longest. Their needless re-runs are named here, with the reason.
EXPENSIVE = ("adapt", "train", "embed", "topic-fit", "topic-stability")
# Files that a stage's code deps cover and that it does not import.
NEEDLESS = {
    "adapt": {
        "bertline/training/fine_tuning.py": "the room is shared; few lines, adapt is mostly off",
    },
    "topic-fit": {
        "bertline/core/checkpoint.py": "the room is shared by all stages; changes are rare",
    },
    "topic-stability": {
        "bertline/core/checkpoint.py": "the room is shared by all stages; changes are rare",
    },
}

# Packages that the code imports and packages.yaml does not name, as none can decide a result.
UNDECIDING = {
    # read and check YAML; values are fixed by YAML 1.2, and a type that does not fit is refused
    *("ruamel.yaml", "pydantic", "pydantic_core"),
    # fetch bytes, which are held to their SHA-256, and find the folder to keep them in
    *("requests", "huggingface_hub", "platformdirs"),
    # show progress, lock outputs
    *("tqdm", "filelock"),
    # sets and tells the number of threads, which the receipts record
    "threadpoolctl",
}

# What a call in a stage's script reads of the parameter files: section of params.yaml, or keys of
# the source's entry in sources.yaml.
SOURCE_READERS = {
    "load_fetch": {"roles", "fetch"},
    "load_parse": {"roles", "parse"},
    "load_title": {"title"},
}


def pipeline_stages() -> list[PipelineStage]:
    """Return the stages of dvc.yaml, templates resolved by DVC itself."""
    with Repo(str(ROOT)) as repo:
        return [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]


ROLES = ("sentences", "documents", "backbone", "embedder", "phenomena")
CLASSIFICATION = "visualize@classification"
STAGES = pipeline_stages()
TEMPLATES = dependencies.stages(ROOT)
BY_NAME = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)


def script_of(stage: PipelineStage) -> Path:
    assert stage.cmd.startswith("exec python -m stages.")
    return ROOT / dependencies.script_of({"cmd": stage.cmd})


def params_of(stage: PipelineStage) -> dict[str, set[str]]:
    """Return what a stage's `params` name, by file."""
    return {
        dependency.def_path: set(dependency.params)
        for dependency in stage.deps
        if isinstance(dependency, ParamsDependency)
    }


def params_read(script: Path) -> tuple[set[str], set[str]]:
    """Return the sections of params.yaml and the keys of a source that a script's calls read."""
    sections, keys = set(), set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        called = ast.unparse(node.func)
        if called == "params.load":
            sections.add(ast.literal_eval(node.args[1]))
        elif called == "params.load_seeds":
            sections.add("seeds")
        elif called == "measures.load_numbers":
            sections.add("topic_numbers")
        elif called.startswith("catalogue."):
            keys |= SOURCE_READERS.get(node.func.attr, set())
    return sections, keys


@pytest.mark.parametrize("name", TEMPLATES)
def test_code_deps_cover_what_the_script_imports_and_nothing_else(name: str) -> None:
    entry = TEMPLATES[name]
    imported = closure(ROOT / dependencies.script_of(entry))
    deps = dependencies.code_deps(entry)

    assert imported - dependencies.expand(deps, ROOT) == set()
    for dep in deps:
        assert dependencies.expand([dep], ROOT) & imported, f"{name} uses nothing of {dep}"
    assert len(deps) == len(set(deps)) <= 7


def test_needless_re_runs_of_expensive_stages_are_named() -> None:
    found = {name: dependencies.needless_files(TEMPLATES[name]) for name in EXPENSIVE}
    assert found == {name: set(NEEDLESS.get(name, ())) for name in EXPENSIVE}


def test_packages_that_the_code_imports_are_in_packages_yaml_or_decide_no_result() -> None:
    modules = {
        path
        for entry in TEMPLATES.values()
        for path in closure(ROOT / dependencies.script_of(entry))
    }
    imported = set().union(*(imports(ROOT / path) for path in modules if path.endswith(".py")))
    by_module = metadata.packages_distributions()
    direct = {name for module in imported for name in by_module.get(module, ())}
    assert direct - set(packages.stated(ROOT)) - {"bertline"} == UNDECIDING


def imports(path: Path) -> set[str]:
    """Return the top-level modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@BY_NAME
def test_deps_that_are_data_are_the_arguments_of_the_command(stage: PipelineStage) -> None:
    arguments = {word for word in stage.cmd.split() if word.startswith(("data/", "metrics"))}
    outs = {out.def_path for out in stage.outs}
    deps = {
        dependency.def_path
        for dependency in stage.deps
        if dependency.def_path.startswith(("data/", "metrics/"))
    }
    receipts = {word for word in arguments if word.startswith("metrics/receipts/")}
    read = arguments - outs - receipts
    if stage.name.startswith(
        "visualize@"
    ):  # it is given the folder `metrics`, and deps name its files
        read = (read - {"metrics"}) | {path for path in deps if path.startswith("metrics/")}
    assert outs <= arguments
    assert len(receipts) == 1
    assert deps == read


@BY_NAME
def test_params_are_exactly_what_the_script_reads(stage: PipelineStage) -> None:
    sections, keys = params_read(script_of(stage))
    declared = params_of(stage)
    assert {name.partition(".")[0] for name in declared.get("params.yaml", set())} == sections
    assert {name.rpartition(".")[2] for name in declared.get("sources.yaml", set())} == keys


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("train.epochs=3", ["-  epochs: 2", "+  epochs: 3"]),
        ("topic_words.contrast=0", ["-  contrast: 0.5", "+  contrast: 0"]),
        ("seeds=[1,3,5]", ["-- 2", "-- 4"]),
        ("analyze.length_bounds=[4,6,8,11,14,20]", ["+  - 20"]),
    ],
)
def test_parameter_that_dvc_sets_is_one_line_of_diff(
    override: str, changes: list[str], tmp_path: Path
) -> None:
    """`dvc exp run -S` writes params.yaml anew, and drops comments that follow a list."""
    before = ROOT.joinpath("params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(before, encoding="utf-8")
    apply_overrides(path, [override])
    after = path.read_text(encoding="utf-8")
    diff = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0))[2:]
    assert [line for line in diff if not line.startswith("@@")] == changes


def test_every_chart_of_dvc_is_of_columns_of_a_file_in_git() -> None:
    """DVC draws a chart without an x against `step`, and one of a missing column as nothing."""
    command = [sys.executable, "-m", "dvc", "plots", "show", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout)
    assert shown.get("errors", []) == []
    cached = tuple(f"{out.def_path}/" for stage in STAGES for out in stage.outs if out.use_cache)
    assert shown["data"].pop("metrics/adapt.csv") == []  # it has no row: adapt is off
    assert len(shown["data"]) == 6
    for name, charts in shown["data"].items():
        for chart in charts:
            rows = chart["content"]["data"]["values"]
            assert rows and "step" not in rows[0], name
            assert "<DVC_METRIC" not in json.dumps(chart["content"]), name
    with Repo(str(ROOT)) as repo:
        assert not [path for path in repo.index._plot_sources if path.startswith(cached)]


@pytest.mark.parametrize(
    ("name", "needless"),
    [
        (CLASSIFICATION, {"documents", "embedder"}),
        ("visualize@topics", {"sentences", "backbone", "phenomena"}),
    ],
)
def test_either_branch_runs_without_the_inputs_of_the_other(name: str, needless: set[str]) -> None:
    with Repo(str(ROOT)) as repo:
        (report,) = [stage for stage in repo.index.stages if stage.addressing == name]
        needed = {stage.addressing for stage in nx.descendants(repo.index.graph, report)}
    roles = {stage.partition("@")[2] for stage in needed if stage.startswith("download@")}
    assert roles == {*ROLES} - needless
    assert not any(stage.startswith("parse@") and stage[6:] not in roles for stage in needed)


def test_packages_hold_only_a_docstring() -> None:
    """So deps may leave `__init__.py` out: it cannot change a result."""
    for path in [*ROOT.glob("stages/__init__.py"), *ROOT.glob("bertline/**/__init__.py")]:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1 and isinstance(body[0], ast.Expr), path


def test_every_stage_has_its_section_script_and_data_folder_under_one_name() -> None:
    sections = set(YAML(typ="safe", pure=True).load(ROOT / "params.yaml"))
    names = {stage.name.partition("@")[0].replace("-", "_") for stage in STAGES}
    assert names == {script_of(stage).stem for stage in STAGES}
    assert sections - names == {"inputs", "seeds", "vocabulary", "topic_numbers"}
    for stage in STAGES:
        name = stage.name.partition("@")[0].replace("-", "_")
        folders = {out.def_path.split("/")[1] for out in stage.outs if "data/" in out.def_path}
        assert folders == {name}


def test_only_what_people_compare_is_a_metric() -> None:
    metrics = {out.def_path for stage in STAGES for out in stage.outs if out.metric}
    assert metrics == {
        *("metrics/evaluate.json", "metrics/topic_fit.json"),
        *("metrics/topic_words.json", "metrics/topic_stability.json"),
    }


@BY_NAME
def test_dvc_can_bring_back_every_result_that_takes_long(stage: PipelineStage) -> None:
    """Its run cache takes no stage with an output that is neither cached nor metric nor plot."""
    if stage.name.partition("@")[0] in {*EXPENSIVE, "visualize"}:
        for out in stage.outs:
            assert out.use_cache or out.metric or out.plot, out.def_path


def test_stages_run_as_modules_say_what_they_read_and_write() -> None:
    for script in {script_of(stage) for stage in STAGES}:
        documentation = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
        assert "\nReads   " in documentation and "\nWrites  " in documentation, script
        assert f"    python -m stages.{script.stem} " in documentation, script


# --- the pipeline through DVC -------------------------------------------------------------------


@pytest.mark.slow
def test_repro_runs_every_stage_once(project: Project) -> None:
    assert sorted(project.first) == sorted(
        {stage.name for stage in STAGES if not stage.name.startswith("train@")}
        | {"train@1", "train@2"}
    )


@pytest.mark.slow
def test_repro_with_nothing_changed_says_so_and_status_is_clean(project: Project) -> None:
    assert "Data and pipelines are up to date." in project.run("dvc", "repro")
    assert "Data and pipelines are up to date." in project.run("dvc", "status")
    assert project.run("git", "status", "--porcelain") == ""


@pytest.mark.slow
def test_repro_leaves_what_the_readme_promises(project: Project) -> None:
    data = project.folder / "data"
    predictions = pd.read_parquet(data / "evaluate" / "predictions.parquet")
    assert set(predictions["seed"]) == {1, 2}
    assert set(predictions["set"]) == {"validation", "in_domain_dev", "out_of_domain_dev"}
    assignments = pd.read_parquet(data / "topic_words" / "assignments.parquet")
    assert len(assignments) == 80
    reports = [data / "visualize" / name / "index.html" for name in ("classification", "topics")]
    assert "synthetic" in reports[0].read_text(encoding="utf-8")
    assert "80 documents" in reports[1].read_text(encoding="utf-8")
    shown = project.run("dvc", "metrics", "show")
    assert "metrics/evaluate.json" in shown and "metrics/topic_fit.json" in shown
    assert max(map(len, shown.splitlines())) <= 100
    folds = files.read_json(project.folder / "metrics" / "split.json")["folds"]
    assert folds["train"]["sentences"] + folds["validation"]["sentences"] == 240


@pytest.mark.slow
def test_outputs_hold_no_path_of_the_machine_and_no_partial_file(project: Project) -> None:
    for path in project.folder.joinpath("data").rglob("*"):
        assert not path.name.endswith(".part"), path
        if path.is_file():
            assert str(project.folder).encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_a_changed_learning_rate_re_runs_only_what_follows_training(project: Project) -> None:
    printed = project.run("dvc", "exp", "run", "--name", "faster", "-S", "train.learning_rate=3e-4")
    assert sorted(ran(printed)) == ["analyze", "evaluate", "train@1", "train@2", CLASSIFICATION]
    shown = project.run("dvc", "exp", "show", "--only-changed", "--csv")
    assert "faster" in shown and "train.learning_rate" in shown
    project.run("git", "restore", ".")
    project.run("dvc", "checkout")
    assert "Data and pipelines are up to date." in project.run("dvc", "status")


@pytest.mark.slow
def test_other_words_need_no_other_clusters_and_no_refits(project: Project) -> None:
    data = project.folder / "data"
    before = pd.read_parquet(data / "topic_words" / "topics.parquet")
    project.set(topic_words__representation="mmr", vocabulary__top_words=3)
    assert sorted(project.repro()) == ["topic-words", "visualize@topics"]
    after = pd.read_parquet(data / "topic_words" / "topics.parquet")
    assert after["count"].tolist() == before["count"].tolist()
    assert max(map(len, after["words"])) == 3


@pytest.mark.slow
def test_first_command_in_a_fresh_clone_may_be_an_experiment(
    project: Project, tmp_path: Path
) -> None:
    """Without a cache DVC cannot list a folder output: charts must not be of files within one."""
    clone = Project(tmp_path / "clone", project.environment)
    project.run("git", "clone", "--quiet", ".", str(clone.folder))
    for source in project.folder.joinpath("own").iterdir():
        if source.is_dir():  # which git ignores
            shutil.copytree(source, clone.folder / "own" / source.name, dirs_exist_ok=True)
    options = ("--name", "first", "-S", "parse.sentences.preview=1", "parse@sentences")
    needed = ["download@sentences", "parse@sentences"]
    assert ran(clone.run("dvc", "exp", "run", *options)) == needed
    assert "[first]" in clone.run("dvc", "exp", "list")
    assert clone.run("git", "diff", "-U0", "params.yaml").count("\n+") == 2  # with the file's name


@pytest.mark.slow
def test_adding_a_seed_trains_one_model_and_removing_it_leaves_no_trace(project: Project) -> None:
    before = (project.folder / "metrics" / "evaluate.json").read_bytes()
    project.set(seeds=[1, 2, 3])
    assert sorted(project.repro()) == ["analyze", "evaluate", "train@3", CLASSIFICATION]
    scores = pd.read_csv(project.folder / "metrics" / "evaluate" / "scores.csv")
    assert {"seed 1", "seed 2", "seed 3"} <= set(scores["model"])
    project.set(seeds=[1, 2])
    assert not [name for name in project.repro() if name.startswith("train")]
    project.run("dvc", "checkout")
    assert "Data and pipelines are up to date." in project.run("dvc", "status")
    assert (project.folder / "metrics" / "evaluate.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("edited", ["params.yaml", "stages/train.py"])
def test_an_edit_while_a_stage_runs_is_not_recorded(project: Project, edited: str) -> None:
    lock = project.folder / "dvc.lock"
    before = lock.read_bytes()
    path = project.folder / edited
    kept = path.read_bytes()
    training = project.start("dvc", "repro", "--single-item", "--force", "train@1")
    # The stage makes this folder after it has read everything.
    working = project.folder / "data" / "train" / ".1.part"
    while not working.exists() and training.poll() is None:
        time.sleep(0.01)
    if edited == "params.yaml":
        project.set(train__learning_rate=3e-4)
    else:
        path.write_bytes(kept + b"# edited\n")
    printed, _ = training.communicate()

    assert training.returncode != 0
    what = r"train\.learning_rate was \S+ and is 0\.0003" if edited == "params.yaml" else edited
    assert re.search(what, printed), printed
    assert lock.read_bytes() == before
    path.write_bytes(kept)
    assert project.repro() == []  # DVC had removed the outputs, and brings them back
    assert (project.folder / "data" / "train" / "1" / "history.csv").is_file()
    assert lock.read_bytes() == before
