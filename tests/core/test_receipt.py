"""Receipts: what a run was made of and on, apart from results, and only of runs that succeeded."""

import json
import subprocess
import sys

import pytest

from bertline.core import hashes, packages
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt

PLAIN = {"parameters": {}, "inputs": [], "outputs": []}


def test_a_receipt_has_time_memory_machine_versions_and_the_stages_facts(tmp_path):
    with receipt(tmp_path / "a.json", "train@1", **PLAIN) as facts:
        facts["precision"] = "fp32"

    found = json.loads((tmp_path / "a.json").read_text())
    assert found["stage"] == "train@1"
    assert found["precision"] == "fp32"
    assert found["seconds"] >= 0
    assert found["peak_memory_mib"] > 0
    assert found["cores"] > 0
    assert found["processor"]
    assert "pytest" in found["packages"]


def test_a_receipt_has_the_hashes_of_code_inputs_and_outputs_and_the_parameters(tmp_path):
    read, written = tmp_path / "read.txt", tmp_path / "written"
    read.write_text("a\n")
    with receipt(
        tmp_path / "a.json",
        "split",
        parameters={"split": {"seed": 1}, "seeds": [1, 2]},
        inputs=[read],
        outputs=[written, None],
    ):
        written.mkdir()
        (written / "b.txt").write_text("b\n")

    found = json.loads((tmp_path / "a.json").read_text())
    assert found["parameters"] == {"split": {"seed": 1}, "seeds": [1, 2]}
    # MD5 of the two bytes `a` and LF, as md5sum prints it
    assert found["inputs"] == {read.as_posix(): "60b725f10c9c85c70d97880dfe8191b3"}
    assert found["outputs"] == {written.as_posix(): hashes.md5(written)}
    assert {"stages/split.py", "bertline/core/files.py"} <= set(found["code"])
    assert "stages/train.py" not in found["code"]


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
        pytest.raises(BertlineError, match="numpy is .* and stated as 0.1.*bertline.core.packages"),
        receipt(None, "train@1", **PLAIN),
    ):
        pytest.fail("work was begun")


def test_folders_have_the_hash_that_dvc_gives_them(tmp_path):
    folder = tmp_path / "data"
    for name in ("b/x.txt", "b.txt", "a/é.txt", "b-c/y"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".b.part").write_text("half")
    (tmp_path / ".dvcignore").write_text("*.part\n")
    for command in (["init", "--no-scm", "--quiet"], ["add", "--quiet", "data"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True)

    stated = (tmp_path / "data.dvc").read_text()

    assert f"md5: {hashes.md5(folder)}\n" in stated
