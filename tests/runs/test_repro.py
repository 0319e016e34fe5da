"""repro: stages run after what they need, beside what they do not need, and failures are told."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml

from bertline.core import machine
from bertline.core.errors import BertlineError
from bertline.encoders import running
from bertline.runs import repro
from tests import command

NEEDS = {"embed": set(), "train": set(), "fit": {"embed"}, "report": {"fit", "train"}}

# Two stages of which each ends when the other has begun, and one that needs both.
WAIT = (
    "touch {own}.begun; for i in $(seq 600); do [ -e {other}.begun ] && break; sleep .1; done; "
    "[ -e {other}.begun ] && cp in {own}.out"
)
STAGES = {
    "a": {
        "cmd": WAIT.format(own="a", other="b"),
        "deps": ["in"],
        "outs": ["a.out"],
    },
    "b": {
        "cmd": WAIT.format(own="b", other="a"),
        "deps": ["in"],
        "outs": ["b.out"],
    },
    "both": {"cmd": "cat a.out b.out > both.out", "deps": ["a.out", "b.out"], "outs": ["both.out"]},
    "alone": {"cmd": "echo x > alone.out", "outs": ["alone.out"]},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a DVC project of four stages, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    Path("in").write_text("1")
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    return tmp_path


def schedule(monkeypatch: pytest.MonkeyPatch, jobs: int, fails: str = "") -> list[tuple[str, str]]:
    """Run NEEDS with stages that only say when they begin and end."""
    events: list[tuple[str, str]] = []

    def run(name: str, processes: object) -> int:
        events.append(("begin", name))
        time.sleep(0.05)
        events.append(("end", name))
        return int(name == fails)

    monkeypatch.setattr(repro, "run_stage", run)
    repro.run_all(NEEDS, jobs)
    return events


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_each_stage_runs_once_after_those_it_needs(monkeypatch, jobs):
    events = schedule(monkeypatch, jobs)

    assert sorted(name for event, name in events if event == "begin") == sorted(NEEDS)
    for name, needed in NEEDS.items():
        assert all(events.index(("end", n)) < events.index(("begin", name)) for n in needed)


def test_no_more_stages_than_jobs_run_at_a_time(monkeypatch):
    events = schedule(monkeypatch, 1)

    assert [event for event, _ in events] == ["begin", "end"] * len(NEEDS)


def test_what_most_stages_wait_for_begins_first(monkeypatch):
    needs = {"a": set(), "b": set(), "c": {"b"}, "d": {"c"}, "e": {"a"}, "f": set()}
    monkeypatch.setattr(repro, "run_stage", lambda name, processes: begun.append(name) or 0)
    begun: list[str] = []

    assert repro.depths(needs) == {"a": 1, "b": 2, "c": 1, "d": 0, "e": 0, "f": 0}
    repro.run_all(needs, 1)

    assert begun == ["b", "a", "c", "d", "e", "f"]


def test_failure_lets_the_stage_beside_it_end_and_none_begin(monkeypatch):
    begun = []
    together = threading.Barrier(2)

    def run(name: str, processes: object) -> int:
        begun.append(name)
        together.wait(timeout=10)
        time.sleep(0.1 * (name == "train"))
        return int(name == "embed")

    monkeypatch.setattr(repro, "run_stage", run)
    with pytest.raises(BertlineError, match="embed failed, for the reason above"):
        repro.run_all(NEEDS, 2)

    assert sorted(begun) == ["embed", "train"]


def test_a_chain_has_nothing_to_run_side_by_side():
    assert not repro.independent({"fit": set(), "words": {"fit"}, "report": {"fit", "words"}})
    assert repro.independent(NEEDS)
    assert not repro.independent({})


@pytest.mark.slow
def test_independent_stages_of_a_project_run_at_the_same_time(project, capfd):
    assert set(repro.find_changed([])) == set(STAGES)
    assert repro.find_changed(["both"]) == {"a": set(), "b": set(), "both": {"a", "b"}}
    with pytest.raises(SystemExit) as stop:
        command.call(repro, "both", "--jobs", "2")

    printed = capfd.readouterr()
    assert stop.value.code == 0
    assert "Data and pipelines are up to date." in printed.out
    assert Path("both.out").read_text() == "11"
    assert not Path("alone.out").exists()  # no target
    assert set(yaml.safe_load(Path("dvc.lock").read_text())["stages"]) == {"a", "b", "both"}
    assert set(repro.find_changed([])) == {"alone"}
    Path("in").write_text("2")
    assert set(repro.find_changed([])) == set(STAGES)


def test_nothing_that_changed_is_looked_at_once(monkeypatch, capfd):
    monkeypatch.setattr(repro, "find_changed", lambda targets: {})
    monkeypatch.setattr(repro, "dvc", lambda arguments: pytest.fail("looked at once more"))
    command.call(repro)

    assert capfd.readouterr().out == "Data and pipelines are up to date.\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows drivers as files")
def test_number_of_jobs_is_found_without_torch_where_there_is_no_gpu():
    code = (
        "import sys; from bertline.runs import repro; repro.GPUS = (); "
        "print(repro.choose_jobs(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cores = len(os.sched_getaffinity(0))
    assert done.stdout.split() == [str(cores), "False"]


def test_gpu_runs_one_stage_at_a_time(tmp_path, monkeypatch):
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(repro, "DEVICES", tmp_path)
    monkeypatch.setattr(running, "choose_device", lambda: torch.device("cuda"))
    assert repro.choose_jobs() == 1

    monkeypatch.setattr(running, "choose_device", lambda: torch.device("cpu"))  # a driver alone
    assert repro.choose_jobs() == machine.cores()


@pytest.mark.slow
def test_failed_stage_is_named_and_the_exit_code_is_two(project, capfd):
    stages = {
        "good": {"cmd": "cp in good.out", "deps": ["in"], "outs": ["good.out"]},
        "bad": {"cmd": "echo a sentence of why >&2; exit 2", "deps": ["in"], "outs": ["bad.out"]},
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    with pytest.raises(BertlineError, match="^bad failed"):
        command.call(repro, "--jobs", "2")

    assert f"{'bad':<{repro.NAME_WIDTH}} a sentence of why" in capfd.readouterr().err
    assert Path("good.out").exists()


def test_what_is_no_stage_is_refused_by_name(project):
    with pytest.raises(BertlineError, match=r"dvc\.yaml has no stage nothing"):
        command.call(repro, "nothing")
    with pytest.raises(BertlineError, match="--jobs is 0"):
        command.call(repro, "--jobs", "0")


def test_outside_of_a_project_the_reason_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BertlineError, match="DVC cannot read this project"):
        command.call(repro)
