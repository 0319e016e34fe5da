"""docs/your-data.md: its example, and the commands of its walk."""

import re
import subprocess
import sys
from pathlib import Path

from bertline.core.dependencies import ROOT

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
