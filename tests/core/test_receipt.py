"""Receipts: what a run was made of and on, apart from results, and only of runs that succeeded."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bertline.core import files, hashes, packages, params
from bertline.core import receipt as receipts
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt

PLAIN = {"parameters": {}, "inputs": [], "outputs": []}


@pytest.fixture
def target(tmp_path, monkeypatch):
    """Return where a stage's receipt goes in an empty project, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    return Path("metrics/receipts/split.json")


def test_a_receipt_has_machine_versions_and_the_stages_facts_and_costs_lie_apart(target):
    with receipt(target, "train@1", **PLAIN) as run:
        run["precision"] = "fp32"
        run.costs["training_seconds"] = 1.5

    found = json.loads(target.read_text())
    assert found["stage"] == "train@1"
    assert found["precision"] == "fp32"
    assert found["cores"] > 0
    assert found["processor"]
    assert "pytest" in found["packages"]
    costs = json.loads(Path("metrics/costs/split.json").read_text())
    assert costs.pop("seconds") >= 0
    assert costs.pop("peak_memory_mib") > 0
    assert costs == {"training_seconds": 1.5}
    assert not {"seconds", "peak_memory_mib", "training_seconds"} & set(found)


def test_a_receipt_has_the_hashes_of_code_inputs_and_outputs_and_the_parameters(target):
    read, written = Path("read.txt"), Path("written")
    read.write_text("a\n")
    with receipt(
        target,
        "split",
        parameters={"split": {"seed": 1}, "seeds": [1, 2]},
        inputs=[read],
        outputs=[written, None],
    ):
        written.mkdir()
        (written / "b.txt").write_text("b\n")

    found = json.loads(target.read_text())
    assert found["parameters"] == {"split": {"seed": 1}, "seeds": [1, 2]}
    # MD5 of the two bytes `a` and LF, as md5sum prints it
    assert found["inputs"] == {"read.txt": "60b725f10c9c85c70d97880dfe8191b3"}
    assert found["outputs"] == {"written": hashes.md5(written)}
    # no dvc.yaml here: what the script imports
    assert {"stages/split.py", "bertline/core/files.py"} <= set(found["code"])
    assert "stages/train.py" not in found["code"]


@pytest.fixture
def project(target, monkeypatch):
    """Write a project with one stage, its code, an input and parameters; return its receipt."""
    Path("dvc.yaml").write_text(
        "stages:\n  topic-fit:\n    foreach: [1]\n    do:\n      cmd: x\n"
        "      deps: [stages/a.py, bertline/core, data/in]\n"
    )
    for name in ("stages/a.py", "bertline/core/b.py", "bertline/core/c/d.txt", "data/in/e"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path("bertline/core/__pycache__").mkdir()
    Path("bertline/core/__pycache__/b.pyc").write_text("bytecode")
    Path("params.yaml").write_text("topic_fit: {seed: 1, umap: {dist: 0.1}}\nother: {a: 1}\n")
    monkeypatch.setattr(receipts, "STARTED", time.time() + 60)
    return target


def test_code_is_every_file_below_the_code_deps_of_dvc_yaml(project):
    with receipt(project, "topic_fit@1", **PLAIN):
        pass

    code = json.loads(project.read_text())["code"]
    assert list(code) == ["bertline/core/b.py", "bertline/core/c/d.txt", "stages/a.py"]
    room = {path.removeprefix("bertline/core/"): code[path] for path in list(code)[:2]}
    assert hashes.of_listing(room) == hashes.md5(Path("bertline/core"))


def run_while(act, project):
    """Run the stage, which calls `act` before it writes its two outputs."""
    section = params.read_yaml(Path("params.yaml"))["topic_fit"]
    with receipt(
        project,
        "topic_fit@1",
        parameters={"topic_fit": section},
        inputs=[Path("data/in")],
        outputs=[Path("data/out"), Path("metrics/out.json")],
    ):
        act()
        with files.whole_folder(Path("data/out")) as out:
            files.write_json(out / "result.json", {})
            files.write_json(Path("metrics/out.json"), {})


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        (
            "params.yaml",
            "topic_fit: {seed: 2, umap: {dist: 0.5}}\n",
            "params.yaml: topic_fit.seed was 1 and is 2; "
            "params.yaml: topic_fit.umap.dist was 0.1 and is 0.5",
        ),
        ("params.yaml", "other: {a: 1}\n", "topic_fit was .* and is missing"),
        ("params.yaml", "topic_fit: [\n", "params.yaml is not valid YAML"),
        ("stages/a.py", "edited", "stages/a.py was changed"),
        ("bertline/core/new.py", "added", "bertline/core/new.py was changed"),
        ("data/in/e", "edited", "data/in was changed"),
        ("data/in/f", "added", "data/in was changed"),
        ("packages.yaml", 'numpy: "0.1"\n', "numpy is .* and stated as 0.1"),
    ],
)
def test_what_is_edited_while_a_stage_runs_is_not_filed_as_what_made_it(project, path, text, named):
    run_while(lambda: None, project)
    earlier = project.read_bytes()
    Path("data/out/result.json").write_text("earlier")
    Path("metrics/out.json").write_text("earlier")

    with pytest.raises(BertlineError, match=named):
        run_while(lambda: Path(path).write_text(text), project)

    assert Path("data/out/result.json").read_text() == "earlier"
    assert Path("metrics/out.json").read_text() == "earlier"
    assert project.read_bytes() == earlier


def test_code_that_was_written_while_a_stage_was_starting_is_refused(project, monkeypatch):
    monkeypatch.setattr(receipts, "STARTED", Path("stages/a.py").stat().st_mtime - 1)

    with pytest.raises(BertlineError, match="stages/a.py was written while the stage was starting"):
        run_while(lambda: pytest.fail("work was begun"), project)


def test_code_of_a_time_in_the_future_is_no_code_that_was_written_just_now(project, monkeypatch):
    monkeypatch.setattr(receipts, "STARTED", time.time() - 60)
    for path in ("stages/a.py", "bertline/core/b.py", "bertline/core/c/d.txt"):
        os.utime(path, (time.time() + 3600,) * 2)

    run_while(lambda: None, project)

    assert Path("data/out/result.json").is_file()


def test_a_process_began_before_its_imports():
    code = (
        "import time; t = time.time(); time.sleep(0.3)\n"
        "from bertline.core import receipt; print(receipt.STARTED - t)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert -2 < float(done.stdout) <= 0.01


def test_a_package_that_is_upgraded_while_a_stage_runs_is_named(project, monkeypatch):
    Path("packages.yaml").write_text('core:\n  numpy: "1"\n')
    monkeypatch.setattr(packages, "installed", lambda _: packages.stated(Path())["numpy"])

    with pytest.raises(BertlineError, match=r"packages\.yaml: numpy was 1 and is 2"):
        run_while(lambda: Path("packages.yaml").write_text('core:\n  numpy: "2"\n'), project)


def test_an_edit_that_a_stage_does_not_read_does_not_stop_it(project):
    def edit():
        Path("params.yaml").write_text("topic_fit: {umap: {dist: 0.1}, seed: 1} # same\n")
        Path("data/in/e").touch()
        Path("stages/b.py").write_text("another stage's")

    run_while(edit, project)

    assert Path("data/out/result.json").is_file()


def test_a_run_that_repeats_another_leaves_its_receipt(target):
    with receipt(target, "split", **PLAIN):
        pass
    earlier = json.loads(target.read_text()) | {"processor": "another"}
    target.write_text(json.dumps(earlier))

    with receipt(target, "split", **PLAIN) as run:
        run["device"] = "cuda"
    assert json.loads(target.read_text()) == earlier

    with receipt(target, "split", **PLAIN | {"parameters": {"split": {"seed": 2}}}):
        pass
    assert json.loads(target.read_text())["processor"] != "another"


def test_a_failed_run_leaves_no_receipt(tmp_path):
    with pytest.raises(ValueError, match="stop"), receipt(tmp_path / "a.json", "train@1", **PLAIN):
        raise ValueError("stop")

    assert list(tmp_path.iterdir()) == []


def test_without_a_target_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with receipt(None, "train@1", **PLAIN):
        pass

    assert list(tmp_path.iterdir()) == []


def test_other_versions_than_packages_yaml_states_are_refused_before_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / packages.PACKAGES).write_text('numpy: "0.1"\n')

    with (
        pytest.raises(BertlineError, match="numpy is .* and stated as 0.1.*bertline packages"),
        receipt(None, "train@1", **PLAIN),
    ):
        pytest.fail("work was begun")


@pytest.mark.slow
def test_folders_have_the_hash_that_dvc_gives_them(tmp_path):
    folder = tmp_path / "data"
    for name in ("b/x.txt", "b.txt", "a/é.txt", "b-c/y"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".b.part").write_text("half")
    (folder / "b" / "__pycache__").mkdir()
    (folder / "b" / "__pycache__" / "x.pyc").write_text("bytecode")
    shutil.copyfile(ROOT / ".dvcignore", tmp_path / ".dvcignore")
    for command in (["init", "--no-scm", "--quiet"], ["add", "--quiet", "data"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True)

    stated = (tmp_path / "data.dvc").read_text()

    assert f"md5: {hashes.md5(folder)}\n" in stated
