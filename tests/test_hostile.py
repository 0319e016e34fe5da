"""Bad input gets an error in a sentence and changes nothing: a table of inputs for each stage.

The cases are in `tests/hostile/`, by what they corrupt; each runs the stage's real command line.
"""

import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from bertline.core import console
from tests.command import PROJECT
from tests.hostile import analysis, downloads, encoders, parameters, places, rows, topics
from tests.hostile.desk import MEASURED, Case, Desk, build, lay_earlier_results, prepare

CASES: list[Case] = [
    case
    for module in (analysis, downloads, rows, parameters, encoders, topics, places)
    for case in module.CASES
]

# What a command may replace; everything else at the desk stays as it is.
WRITTEN = ("out", "metrics.json", "receipt.json", "receipt.costs.json", "table.csv", "plots")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project in which every command succeeds."""
    return build(tmp_path_factory.mktemp("template") / "project")


@pytest.mark.parametrize("case", CASES, ids=[f"{case.stage}-{case.name}" for case in CASES])
def test_hostile_input(case, template, tmp_path, monkeypatch, capsys):
    folder = Path(shutil.copytree(template, tmp_path / "project"))
    lay_earlier_results(folder, case.stage)
    prepare(folder, monkeypatch)
    with ExitStack() as resources:
        desk = Desk(folder, monkeypatch, resources, case)
        desk.declare()
        case.corrupt(desk)
        before = desk.listing()
        capsys.readouterr()

        code = desk.run()

        printed = capsys.readouterr().err
        after = desk.listing()
        assert code == case.code, printed
        assert re.search(case.message, printed, re.DOTALL), printed
        assert "Traceback" not in printed
        assert not [name for name in after if name.endswith(".part")], "half-written"
        if code:
            assert re.search(r"^error: |: error: ", printed, re.MULTILINE), printed
            assert after == before, "earlier results, inputs or the folder have changed"
        else:
            changed = [name for name in before | after if before.get(name) != after.get(name)]
            written = (*WRITTEN, *case.writes)
            assert {name for name in changed if name.split("/")[0] not in written} == set()
            expected = {"receipt.json"} | ({"metrics.json"} if case.stage in MEASURED else set())
            assert expected <= set(changed), "the command wrote nothing"
        assert all(name == digest for name, digest in desk.kept().items())
        assert case.holds(desk) is not False


def test_command_in_a_process_of_its_own(template, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(template, tmp_path / "project"))
    lay_earlier_results(folder, "split")
    prepare(folder, monkeypatch)
    with ExitStack() as resources:
        desk = Desk(folder, monkeypatch, resources, CASES[0])
        desk.parameters({"split.seed": "eleven"})
    before = desk.listing()

    done = subprocess.run(
        [sys.executable, "-m", "stages.split", "tokens", "out", "--params", "params.yaml"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == console.EXIT_MISTAKE, done.stderr
    assert done.stderr.startswith("error: ")
    assert "split.seed: should be a valid integer" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert desk.listing() == before
