"""docs/your-data.md as a person follows it: its example, and every command of its walk."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bertline.core import files
from bertline.core.dependencies import ROOT
from tests import project as projects

EXAMPLE = ROOT / "docs" / "example"
PAGE = ROOT.joinpath("docs", "your-data.md").read_text(encoding="utf-8")
WALK = PAGE.partition("## Five minutes")[2].partition("\n## ")[0]
COMMANDS = [
    line
    for language, block in re.findall(r"^```(.*)\n((?:.*\n)*?)^```$", WALK, re.MULTILINE)
    for line in block.splitlines()
    if not language
]


def test_example_is_what_its_generator_writes(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLE / "generate.py", tmp_path / "messages.csv"]
    subprocess.run(command, check=True)

    assert (tmp_path / "messages.csv").read_bytes() == (EXAMPLE / "messages.csv").read_bytes()


def test_walk_has_two_commands_for_topics_and_two_for_a_classifier() -> None:
    verbs = [" ".join(command.split()[:2]) for command in COMMANDS]
    assert verbs[:4] == ["bertline add", "make topics", "bertline add", "make classifier"]


@pytest.mark.slow
def test_commands_of_the_walk_succeed(tmp_path: Path) -> None:
    made = projects.make(tmp_path / "project", tmp_path / "home")
    shutil.copytree(EXAMPLE, made.folder / "docs" / "example")
    made.environment |= {"VENV": str(tmp_path / "venv"), "PYTHONPATH": str(made.folder)}
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / ".installed").touch()  # this environment stands in for an installed one

    printed = [made.run("bash", "-ec", command) for command in COMMANDS]

    shown = re.search(r"```text\n(.*?)  …\n", WALK, re.DOTALL).group(1).splitlines()
    assert [line.rstrip() for line in printed[0].splitlines()[: len(shown)]] == [
        line.rstrip() for line in shown
    ]
    pages = [made.folder / "data" / "visualize" / name for name in ("topics", "classification")]
    assert all((page / "index.html").is_file() for page in pages)
    confusion = files.read_json(made.folder / "data" / "train" / "1" / "config.json")["id2label"]
    assert confusion == {"0": "account", "1": "delivery", "2": "payment"}
    assert "visualize@topics" in printed[1] and "visualize@classification" in printed[3]
