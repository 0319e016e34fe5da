"""Recorded runs: which run a name is, and which receipts count."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from bertline.core import hashes
from bertline.core.errors import BertlineError
from bertline.runs import recorded, verify
from tests.runs.story import ROWS, Story, edit, write, write_json

# --- receipts -------------------------------------------------------------------------------------


def problem(folder: Path, change=None, stage: str = "train@1") -> str | None:
    """Return why the receipt of a stage does not count after a change to it."""
    path = folder / f"metrics/receipts/{stage}.json"
    if change is not None:
        edit(path, change)
    return recorded.open_run(str(folder)).receipt(stage).problem


def test_receipts_of_the_run_count(tmp_path):
    run = recorded.open_run(str(Story().write(tmp_path)))

    assert [run.receipt(stage).problem for stage in run.stages] == [None] * 4


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("code", {"bertline/core/files.py": "0" * 32}, "bertline/core"),
        ("code", {"bertline/core/another.py": "0" * 32}, "bertline/core"),
        ("code", {"stages/train.py": "0" * 32}, "stages/train.py"),
        ("inputs", {ROWS: "0" * 32}, ROWS),
        ("parameters", {"train": {"epochs": 7}}, "train.epochs"),
        ("packages", {"torch": "2.12.0+cpu"}, "torch"),
        ("code", {}, "stages/train.py, bertline/core"),
        ("inputs", {}, ROWS),
        ("parameters", {}, "train.epochs"),
        ("packages", {}, "packages.yaml"),
        ("outputs", {}, "its outputs"),
    ],
)
def test_receipt_that_contradicts_dvc_lock_or_shares_nothing_with_it_does_not_count(
    tmp_path, key, value, named
):
    def change(receipt):
        receipt[key] = receipt[key] | value if value else {}
        receipt.pop("python")

    found = problem(Story().write(tmp_path), change)

    assert found is not None and found.startswith("it is of another run: it and dvc.lock disagree")
    assert named in found


def test_other_python_or_unnamed_source_contradicts_dvc_lock(tmp_path):
    folder = Story().write(tmp_path)

    assert "python" in str(problem(folder, lambda receipt: receipt.update(python="3.12.1")))
    found = problem(folder, lambda receipt: receipt.update(parameters={}), "download@documents")
    assert "sources.yaml" in str(found)


def test_receipt_that_is_missing_or_unreadable_does_not_count(tmp_path):
    folder = Story().write(tmp_path)
    path = folder / "metrics/receipts/train@1.json"

    assert "lacks one of" in str(problem(folder, lambda receipt: receipt.pop("outputs")))
    assert "lacks one of" in str(problem(folder, lambda receipt: receipt.update(code=["a"])))
    path.write_text("{")
    assert problem(folder) == "it is no JSON"
    path.unlink()
    assert problem(folder) == "there is none"


# --- revisions and experiments --------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder: a project in a folder of a git repository, with two commits."""
    folder = Story().write(tmp_path / "repository" / "inner")
    monkeypatch.chdir(folder)
    git("init", "--quiet", "--initial-branch", "main")
    write(folder / ".gitignore", "__pycache__/\n/data/\n")
    commit()
    git("tag", "first")
    Story(train={"epochs": 3}, weights="other", mcc=0.9).write(folder)
    commit()
    return folder


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit() -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", "Run")


def differing(a: str, b: str) -> list[verify.Finding]:
    found = verify.verify(recorded.open_run(a), recorded.open_run(b))
    return [finding for finding in found if finding.verdict != verify.IDENTICAL]


def test_revisions_are_read_from_git(repository):
    (finding,) = differing("first", "workspace")
    assert finding.why[0] == "parameter: train.epochs: 2 -> 3"
    assert finding.figures[0].b == 0.9
    assert differing("HEAD", "workspace") == []
    assert recorded.open_run("first").title.startswith("first (")
    assert recorded.stale(recorded.open_run("main")) == {}


@pytest.mark.parametrize("path", ["metrics/train/1.json", "metrics/parse/documents.json"])
def test_figures_that_were_edited_and_committed_are_seen(repository, path):
    edit(repository / path, lambda content: content.update(mcc=0.9))
    commit()

    (finding,) = differing("HEAD~1", "HEAD")

    assert finding.why[0] == (
        f"data: {path} in B is not what dvc.lock records: changed after the run, or not committed "
        f"with it"
    )


def test_folders_in_git_are_hashed_as_those_on_disk(repository):
    for name in ("b/x.csv", "b.csv", "a/é.csv"):
        write(repository / "metrics" / "evaluate" / name, name)
    commit()

    root = recorded.open_run("HEAD").root

    assert hashes.md5(root / "metrics/evaluate") == hashes.md5(repository / "metrics/evaluate")


def test_experiment_is_found_by_its_name_and_one_on_the_current_commit_first(repository):
    git("update-ref", "refs/exps/exec/EXEC_HEAD", "HEAD")
    git("update-ref", f"refs/exps/{'0' * 2}/{'1' * 38}/slower", "first")
    git("update-ref", f"refs/exps/{'0' * 2}/{'1' * 38}/other\u2028line", "first")
    head = git("rev-parse", "HEAD")

    assert recorded.find_commit("slower") == git("rev-parse", "first")
    git("update-ref", f"refs/exps/{'2' * 2}/{'1' * 38}/slower", "first")
    with pytest.raises(BertlineError, match="slower is the name of 2 experiments, none"):
        recorded.open_run("slower")
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/slower", "HEAD")
    assert recorded.find_commit("slower") == head
    with pytest.raises(BertlineError, match="EXEC_HEAD is no folder"):
        recorded.open_run("EXEC_HEAD")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mein", r"mein is no folder with a dvc\.lock, .* \(did you mean `main`\?\)"),
        ("--main", "no revision that git knows"),
        ("empty", "empty has no dvc.lock: no run was committed there"),
    ],
    ids=["misspelt", "option", "no-run"],
)
def test_name_of_no_run_is_refused_with_the_nearest_name(repository, name, message):
    git("checkout", "--quiet", "--orphan", "empty")
    git("rm", "--quiet", "--cached", "dvc.lock")
    git("commit", "--quiet", "--message", "No run")

    with pytest.raises(BertlineError, match=message):
        recorded.open_run(name)


def test_outside_of_a_repository_the_message_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(BertlineError, match="(?s)git reads no repository.*not a git repository"):
        recorded.open_run("main")
    with pytest.raises(BertlineError, match=r"has no dvc\.lock: type `dvc repro` there first"):
        recorded.open_run("workspace")


def test_repository_of_another_user_gets_gits_own_advice(repository, monkeypatch):
    # git's own tests set this to have every repository belong to another user.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    with pytest.raises(BertlineError, match="dubious ownership") as caught:
        recorded.open_run("HEAD")

    assert f"git config --global --add safe.directory {repository}" in str(caught.value)


def test_branch_without_a_commit_is_named(repository):
    git("checkout", "--quiet", "--orphan", "empty")

    with pytest.raises(BertlineError, match="is on a branch without a commit"):
        recorded.open_run("HEAD")
    assert recorded.open_run("main").title.startswith("main (")


def test_bare_repository_has_revisions_and_no_workspace(repository, tmp_path, monkeypatch):
    git("clone", "--quiet", "--bare", str(repository), str(tmp_path / "bare.git"))
    monkeypatch.chdir(tmp_path / "bare.git")

    assert recorded.open_run("main").stages
    with pytest.raises(BertlineError, match=r"bare\.git has no dvc\.lock"):
        recorded.open_run("workspace")


def test_commit_without_this_folder_is_answered_with_gits_words(repository, monkeypatch):
    (repository / "other").mkdir()
    monkeypatch.chdir(repository / "other")

    with pytest.raises(BertlineError, match="(?s)`git archive .*fatal: .*Does the commit have"):
        recorded.open_run("main")


def test_machine_without_git_says_so(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BertlineError, match="git, which reads revisions, cannot be run"):
        recorded.open_run("main")


@pytest.mark.parametrize(
    ("lock", "message"),
    [
        ("schema: '1.0'", "should have `schema: '2.0'`"),
        ("a: 1\n<<<<<<< HEAD\n", "is not valid YAML"),
    ],
    ids=["schema", "merge-conflict"],
)
def test_lock_that_dvc_has_not_written_is_refused(tmp_path, lock, message):
    write(tmp_path / "dvc.lock", lock)

    with pytest.raises(BertlineError, match=message):
        recorded.open_run(str(tmp_path))


def test_names_that_contain_dots_are_looked_up():
    values = {"a.b": {"c": 1}, "a": {"d": 2, "d.e": 3}}

    found = [recorded.look_up(values, key) for key in ("a.b.c", "a.d", "a.d.e", "a.x", "a.b.c.d")]

    assert found == [1, 2, 3, None, None]


def test_lock_of_single_modules_is_read(tmp_path):
    """As of a run from before rooms: deps are files, and packages.yaml is flat."""
    folder = Story(packages={"numpy": "2.4.6", "torch": "2.13.0"}).write(tmp_path)
    lock = json.loads((folder / "dvc.lock").read_text())
    for stage in lock["stages"].values():
        script, room, *inputs = stage["deps"]
        file = "bertline/core/files.py"
        stage["deps"] = [script, room | {"path": file, "md5": hashes.md5(folder / file)}, *inputs]
    write_json(folder / "dvc.lock", lock)

    run = recorded.open_run(str(folder))

    assert [run.receipt(stage).problem for stage in run.stages] == [None] * 4
    assert run.stages["embed"].packages == {"numpy": "2.4.6", "torch": "2.13.0"}
