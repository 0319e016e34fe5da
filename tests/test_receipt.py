"""Receipts: machine facts apart from results, and only of runs that succeeded."""

import json

import pytest

from stages.receipt import receipt


def test_a_receipt_has_time_memory_machine_versions_and_the_stages_facts(tmp_path):
    with receipt(tmp_path / "a.json", "train@1") as facts:
        facts["precision"] = "fp32"

    found = json.loads((tmp_path / "a.json").read_text())
    assert found["stage"] == "train@1"
    assert found["precision"] == "fp32"
    assert found["seconds"] >= 0
    assert found["peak_memory_mib"] > 0
    assert found["cores"] > 0
    assert "pytest" in found["packages"]


def test_a_failed_run_leaves_no_receipt(tmp_path):
    with pytest.raises(ValueError, match="stop"), receipt(tmp_path / "a.json", "train@1"):
        raise ValueError("stop")

    assert list(tmp_path.iterdir()) == []


def test_without_a_target_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with receipt(None, "train@1"):
        pass

    assert list(tmp_path.iterdir()) == []
