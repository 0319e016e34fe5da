"""packages.yaml states what is installed, and `bertline packages` keeps it true."""

import sys

import pytest
from ruamel.yaml import YAML

from bertline import cli
from bertline.core import packages
from bertline.core.dependencies import ROOT


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the versions that are installed, to set."""
    installed = {"numpy": "2.4.6", "scikit-learn": "1.9.1", "python": "3.11"}
    monkeypatch.setattr(packages, "installed", lambda name: installed.get(name, packages.ABSENT))
    return installed


def test_refresh_writes_what_is_installed_and_keeps_every_comment(tmp_path, versions):
    text = (
        "# Versions of packages\n\n# arrays\n"
        'numpy: "2.4.6"\nscikit-learn: "1.8.0"  # was 1.7\n'
        "# written by a person\npython: '3.10'\ntorch: 2.13.0 # ü\n"
    )
    (tmp_path / packages.PACKAGES).write_text(text, encoding="utf-8")

    changed = packages.refresh(tmp_path)

    assert changed == {
        "scikit-learn": ("1.8.0", "1.9.1"),
        "python": ("3.10", "3.11"),
        "torch": ("2.13.0", "not installed"),
    }
    assert (tmp_path / "packages.yaml").read_text(encoding="utf-8") == (
        "# Versions of packages\n\n# arrays\n"
        'numpy: "2.4.6"\nscikit-learn: "1.9.1"  # was 1.7\n'
        '# written by a person\npython: "3.11"\ntorch: "not installed" # ü\n'
    )
    assert packages.stated(tmp_path)["torch"] == "not installed"
    assert packages.refresh(tmp_path) == {}


def test_a_file_that_is_true_is_not_written(tmp_path, versions):
    (tmp_path / packages.PACKAGES).write_text("numpy: 2.4.6\n")
    before = (tmp_path / "packages.yaml").stat()

    assert packages.refresh(tmp_path) == {}
    assert (tmp_path / "packages.yaml").stat().st_ino == before.st_ino
    assert (tmp_path / "packages.yaml").read_text() == "numpy: 2.4.6\n"


def test_every_key_of_the_projects_packages_is_kept_true():
    """An entry in a spelling that `LINE` does not match would never change."""
    groups = YAML(typ="safe").load(ROOT / "packages.yaml")
    assert packages.stated(ROOT) == {name: of[name] for of in groups.values() for name in of}


def test_builds_of_one_version_are_one(monkeypatch):
    monkeypatch.setattr(packages.metadata, "version", lambda name: "2.13.0+cu130")
    assert packages.installed("torch") == "2.13.0"


@pytest.mark.parametrize("content", [None, "Name: torn-package\n"], ids=["empty", "no version"])
def test_a_torn_installation_counts_as_none(tmp_path, monkeypatch, content):
    folder = tmp_path / "torn_package-1.0.dist-info"
    folder.mkdir()
    if content:
        (folder / "METADATA").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))

    assert packages.installed("torn-package") == packages.ABSENT
    assert packages.installed("no-such-package") == packages.ABSENT


def test_the_command_prints_what_it_changed(tmp_path, monkeypatch, capsys, versions):
    (tmp_path / packages.PACKAGES).write_text('core:\n  numpy: "1.0"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bertline", "packages"])

    cli.main()

    assert capsys.readouterr().err == "packages.yaml: numpy was 1.0 and is 2.4.6\n"
    assert packages.stated(tmp_path) == {"numpy": "2.4.6"}
