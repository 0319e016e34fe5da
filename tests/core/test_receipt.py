"""Receipts: what a run was made of and on, apart from results, and only of runs that succeeded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bertline.core import hashes, packages
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


def test_code_is_every_file_below_the_code_deps_of_dvc_yaml(target):
    Path("dvc.yaml").write_text(
        "stages:\n  topic-fit:\n    foreach: [1]\n    do:\n      cmd: x\n"
        "      deps: [stages/a.py, bertline/core, data/in]\n"
    )
    for name in ("stages/a.py", "bertline/core/b.py", "bertline/core/c/d.txt", "data/in"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path("bertline/core/__pycache__").mkdir()
    Path("bertline/core/__pycache__/b.pyc").write_text("bytecode")

    with receipt(target, "topic_fit@1", **PLAIN):
        pass

    code = json.loads(target.read_text())["code"]
    assert list(code) == ["bertline/core/b.py", "bertline/core/c/d.txt", "stages/a.py"]
    room = {path.removeprefix("bertline/core/"): code[path] for path in list(code)[:2]}
    assert hashes.of_listing(room) == hashes.md5(Path("bertline/core"))


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
