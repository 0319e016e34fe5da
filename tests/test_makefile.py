"""What make says before it installs anything."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from bertline.core import params
from tests.command import PROJECT

VERSION = re.search(
    r"^PYTHON_VERSION := (.*)$", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
)[1]


def install(folder: Path, python: str) -> subprocess.CompletedProcess:
    """Let make install into `folder` with this interpreter."""
    return subprocess.run(
        ["make", "install", f"VENV={folder / 'venv'}", f"PYTHON={python}"],
        cwd=PROJECT,
        env={name: text for name, text in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", ["2.7.18", "3.9.18", "3.10.13", "3.12.1", "3.13.0", "3.110.1"])
def test_other_python_is_refused_before_anything_is_installed(tmp_path, version):
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\necho {version}\n")
    python.chmod(0o755)

    done = install(tmp_path, str(python))

    assert done.returncode == 2
    said = f"error: requirements.lock is made for Python {VERSION}, and {python} is {version}. "
    assert done.stderr.startswith(said)
    assert f"make install PYTHON=python{VERSION}" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_name_of_no_python_is_refused(tmp_path):
    done = install(tmp_path, str(tmp_path / "python9"))
    assert done.returncode == 2
    assert "python9 is no Python that runs here. Install" in done.stderr


def test_one_version_of_python_is_stated_everywhere():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    next_minor = f"3.{int(VERSION.split('.')[1]) + 1}"
    assert project["requires-python"] == f">={VERSION},<{next_minor}"
    assert params.read_yaml(PROJECT / "packages.yaml")["core"]["python"] == VERSION
    assert f"Python {VERSION}" in (PROJECT / "README.md").read_text(encoding="utf-8")
