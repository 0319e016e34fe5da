"""What runs in front of every `dvc`: the folder that DVC's database is kept in."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stages import environment
from stages.environment import SITE


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder, with the variable unset and a place of temporary folders."""
    (tmp_path / "project" / ".dvc").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(environment, "TEMPORARY", tmp_path / "tmp")
    monkeypatch.setenv(SITE, "")  # so that it is unset again at the end
    return tmp_path / "project"


@pytest.fixture
def folder(root: Path) -> Path:
    return root.parent / "tmp" / f"dvc-{os.getuid()}"


def test_the_database_is_in_a_folder_of_ones_own(root, folder):
    for _ in range(2):
        os.environ[SITE] = ""
        assert environment.keep_private(root) == []
        assert os.environ[SITE] == str(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_a_person_has_chosen_is_left_alone(root, folder, monkeypatch):
    monkeypatch.setenv(SITE, "/elsewhere")
    assert environment.keep_private(root) == []
    assert os.environ[SITE] == "/elsewhere"
    monkeypatch.setenv(SITE, "")
    (root / ".dvc" / "config.local").write_text("[core]\n    site_cache_dir = /chosen\n")
    assert environment.keep_private(root) == []
    assert not os.environ[SITE] and not folder.exists()


def open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def link(folder: Path) -> None:
    (folder.parent / "theirs").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "theirs")


def file(folder: Path) -> None:
    folder.write_text("")


@pytest.mark.parametrize("before", [open_to_all, link, file], ids=lambda made: made.__name__)
def test_a_folder_that_others_may_have_prepared_is_not_used(root, folder, before):
    before(folder)
    (sentence,) = environment.keep_private(root)
    assert "should be a folder that is yours alone" in sentence and SITE in sentence
    assert not os.environ[SITE]


def test_a_folder_of_another_person_is_not_used(root, folder, monkeypatch):
    another = os.getuid() + 1
    folder.with_name(f"dvc-{another}").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: another)
    (sentence,) = environment.keep_private(root)
    assert "yours alone" in sentence and not os.environ[SITE]


def test_no_place_for_it_is_a_sentence_and_dvc_works_as_ever(root, monkeypatch):
    monkeypatch.setattr(environment, "TEMPORARY", root / "missing")
    (sentence,) = environment.keep_private(root)
    assert "No such file" in sentence and SITE in sentence


def test_every_dvc_of_the_environment_is_told_and_no_other_program(root, folder, tmp_path):
    """A folder on the path stands for the environment's packages."""
    packages = tmp_path / "packages"
    packages.mkdir()
    environment.install(packages)
    hook = packages / f"{environment.HOOK}.py"
    hook.write_text(hook.read_text().replace('Path("/var/tmp")', f"Path({str(folder.parent)!r})"))
    (packages / "sitecustomize.py").write_text(f"import site; site.addsitedir({str(packages)!r})")
    for name in ("dvc.yaml", environment.PACKAGES):
        (root / name).write_text("")

    def told(name: str) -> str:
        program = tmp_path / name
        program.write_text(f"import os; print(os.environ.get({SITE!r}))")
        variables = {key: value for key, value in os.environ.items() if key != SITE}
        return subprocess.run(
            [sys.executable, program],
            cwd=root,
            env=variables | {"PYTHONPATH": str(packages)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    assert told("dvc") == str(folder)
    assert told("another") == "None"
