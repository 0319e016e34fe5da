"""Stage times from the lines of a run, headline figures, and results that outlive a failure."""

import json
import subprocess

import pytest

from benchmarks import default_run
from benchmarks.default_run import Revision, StageTimes
from bertline.core import console
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError


def test_stages_in_turn_last_until_the_next_one_begins():
    times = StageTimes()
    for at, line in [
        (1.0, "Running stage 'tokenize':"),
        (1.1, "> exec python -m stages.tokenize"),
        (4.0, "Running stage 'split':"),
        (5.0, "Use `dvc push` to send your updates"),
    ]:
        times.read(line, at)
    assert times.finish(6.0) == {"tokenize": 3.0, "split": 2.0}


def test_stages_side_by_side_last_to_their_own_last_line():
    times = StageTimes()
    for at, line in [
        (1.0, "train@1                  Running stage 'train@1':"),
        (2.0, "embed                    Running stage 'embed':"),
        (5.0, "train@1                  epoch 1: training loss 0.5"),
        (7.0, "embed                    embed: 100 of 100 documents"),
        (9.0, "Data and pipelines are up to date."),
    ]:
        times.read(line, at)
    assert times.finish(9.5) == {"train@1": 4.0, "embed": 5.0}


def test_headline_figures_are_found_where_either_layout_keeps_them():
    new = {"metrics/topic_words/measures.json": b'{"topics": 38, "ami": 0.641}'}
    old = {
        "metrics/topic_fit.json": b'{"topics": 66, "ami": 0.633}',
        "metrics/evaluate.json": b'{"out_of_domain_dev": {"mcc": 0.21}}',
    }
    assert default_run.read_headlines(new.get) == {"topics": 38, "AMI": 0.641}
    found = default_run.read_headlines(old.get)
    assert found == {"MCC, out_of_domain_dev": 0.21, "topics": 66, "AMI": 0.633}


def test_figures_of_two_runs_are_held_to_their_tolerances():
    ami, npmi = default_run.compare({"AMI": 0.60, "NPMI": 0.20}, {"AMI": 0.64, "NPMI": 0.21})
    assert (ami.within, npmi.within) == (False, True)


def run_of(name: str, seconds: float) -> dict:
    return {
        "revision": name,
        "commit": "0123456789" * 4,
        "command": "make repro",
        "exit_code": 0,
        "wall_seconds": seconds,
        "cpu_seconds": 2 * seconds,
        "stages": {"embed": seconds / 2},
        "own": {},
        "recorded": {"AMI": 0.63},
        "measured": {"AMI": 0.63},
    }


def test_table_has_ratios_to_the_first_revision():
    text = default_run.render([run_of("old", 900.0), run_of("new", 300.0)])
    assert "| `new` (0123456) | 0 | 300 | 0.33 | 600 | 0.33 |" in text
    assert "| embed | 450.0 | 150.0 |" in text
    assert "| AMI | 0.63 | 0.63 | 0.63 | 0.63 | 0 | 0.015 | yes |" in text


def test_what_was_measured_stays_when_a_later_revision_fails(tmp_path, monkeypatch, capsys):
    def run(self: Revision, targets: list[str]) -> dict:
        if self.name == "HEAD~0":
            raise BertlineError("it failed")
        return run_of(self.name, 10.0)

    monkeypatch.setattr(Revision, "prepare", lambda self: None)
    monkeypatch.setattr(Revision, "run", run)
    monkeypatch.chdir(ROOT)
    out = tmp_path / "runs.json"
    words = ["default_run", "HEAD", "HEAD~0", "--scratch", str(tmp_path), "--out", str(out)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit):
        console.run(default_run.main)
    assert [run["revision"] for run in json.loads(out.read_text())["runs"]] == ["HEAD"]
    assert "`HEAD`" in out.with_suffix(".md").read_text()


def test_figures_that_came_with_the_commit_are_not_taken_for_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    revision = Revision("HEAD", tmp_path, "python3")
    file = revision.project / "metrics" / "topic_fit.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"topics": 4}')
    written = file.stat().st_mtime
    assert revision._written(written, "metrics/topic_fit.json") == b'{"topics": 4}'
    assert revision._written(written + 60, "metrics/topic_fit.json") is None


def test_each_revision_has_empty_caches_of_its_own_and_no_settings_of_this_shell(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("BERTLINE_CHECKPOINT_SECONDS", "1")
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    revision = Revision("HEAD", tmp_path, "python3")
    found = revision.variables()
    assert revision.commit == head.stdout.strip()
    assert "BERTLINE_CHECKPOINT_SECONDS" not in found
    for name in ("BERTLINE_CACHE", "DVC_SITE_CACHE_DIR", "NUMBA_CACHE_DIR"):
        assert found[name].startswith(str(revision.folder))
