"""A run that is killed in training resumes there, and ends with the same model."""

import signal
import time
from pathlib import Path

import pytest

from tests import project, torture
from tests.project import Project
from tests.twice import outputs_of

# Hundreds of steps with a checkpoint at each: time enough to be killed among them.
CHANGED = {"train.epochs": 40}
TRAINED = ("train@1", "data/train/1")


@pytest.fixture(scope="module")
def expected(made_project: Project, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the hash of the model that an undisturbed run gives."""
    quiet = copy(made_project, tmp_path_factory.mktemp("torture") / "quiet")
    quiet.run("dvc", "repro", "train@1")
    return outputs_of(quiet.folder)[TRAINED]


def copy(made: Project, folder: Path) -> Project:
    copied = project.copy(made, folder)
    project.edit(copied.folder / "params.yaml", CHANGED)
    copied.environment["BERTLINE_CHECKPOINT_SECONDS"] = "0"
    return copied


def wait_for_checkpoint(made: Project) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if list(made.folder.glob("data/train/.1.checkpoint/*/state.safetensors")):
            return
        time.sleep(0.05)
    pytest.fail("training kept no checkpoint in two minutes")


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["dvc", "both"])
def test_killed_run_resumes_to_the_same_model(made_project, expected, tmp_path, victim):
    made = copy(made_project, tmp_path / "killed")
    killed = torture.start(made, tmp_path / "log")
    wait_for_checkpoint(made)

    torture.end(killed, victim, ballast=None)
    assert killed.wait(60) != 0
    printed = made.run("dvc", "repro", "train@1")

    assert "resuming after step" in printed
    assert outputs_of(made.folder)[TRAINED] == expected
    assert torture.leftovers(made.folder) == []


@pytest.mark.slow
def test_stage_ends_with_the_dvc_that_called_it(made_project, tmp_path):
    made = copy(made_project, tmp_path / "orphan")
    project.edit(made.folder / "params.yaml", {"train.epochs": 100_000})
    killed = torture.start(made, tmp_path / "log")
    wait_for_checkpoint(made)
    stages = torture.descendants(killed)

    killed.send_signal(signal.SIGKILL)

    for stage in stages:
        stage.wait(30)
    assert "the dvc that called this stage has ended" in (tmp_path / "log").read_text()
