"""Caches of a user without a home: a private folder, named before any library looks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bertline.core import caches
from tests.command import PROJECT

VARIABLES = ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")

PLACES = """
from bertline.core import console
import matplotlib, numba
from huggingface_hub import constants
from bertline.sources import published
for place in (
    numba.config.CACHE_DIR, matplotlib.get_cachedir(), constants.HF_HUB_CACHE,
    published.cache_folder(),
):
    print(place)
"""


def places(home: Path, temporary: Path, **variables: str) -> list[str]:
    """Return where libraries keep their caches in a process of a user with this home."""
    left = (*VARIABLES, "HF_HOME", "HF_HUB_CACHE", "BERTLINE_CACHE", "XDG_CONFIG_HOME")
    kept = {name: text for name, text in os.environ.items() if name not in left}
    own = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", PLACES],
        env=kept | own | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""  # matplotlib warns of a place that it has to make up
    return done.stdout.splitlines()


@pytest.fixture
def no_home(tmp_path: Path) -> Path:
    """Return a home that not even root can write to: it lies below a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "home"


@pytest.mark.skipif(sys.platform == "darwin", reason="caches lie in ~/Library there")
def test_user_without_a_home_has_all_caches_in_a_private_folder(no_home, tmp_path):
    folder = tmp_path / f"bertline-{os.getuid()}"

    found = places(no_home, tmp_path)

    names = ("numba", "matplotlib", "huggingface/hub", "bertline")
    assert found == [str(folder / name) for name in names]
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("stage", ["download", "visualize"])
def test_stage_names_the_place_before_it_imports_a_library_that_looks(no_home, tmp_path, stage):
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage}", "--help"],
        cwd=PROJECT,
        env={name: text for name, text in os.environ.items() if name not in VARIABLES}
        | {"HOME": str(no_home), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [
        f"bertline-{os.getuid()}"
    ]


def test_user_whose_home_nobody_knows_has_a_private_folder_too(monkeypatch, tmp_path):
    def unknown() -> Path:
        raise RuntimeError("could not determine the home directory")

    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)  # so that what `settle` sets is taken back
    monkeypatch.setattr(caches.platformdirs, "user_cache_path", unknown)
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path))

    caches.settle()

    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / f"bertline-{os.getuid()}")


def test_variable_of_one_library_is_left_as_it_is(no_home, tmp_path):
    found = places(no_home, tmp_path, NUMBA_CACHE_DIR="/of/mine")
    assert found[0] == "/of/mine"


def test_user_with_a_home_keeps_the_usual_places(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    caches.settle()
    assert not set(VARIABLES) & set(os.environ)


@pytest.mark.parametrize("kind", ["writable-by-all", "link", "file"])
def test_place_that_another_user_could_have_made_is_not_used(monkeypatch, tmp_path, kind):
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path))
    taken = tmp_path / f"bertline-{os.getuid()}"
    if kind == "writable-by-all":
        taken.mkdir()
        taken.chmod(0o777)
    elif kind == "link":
        (tmp_path / "other").mkdir()
        taken.symlink_to(tmp_path / "other")
    else:
        taken.write_text("")

    folder = caches._private_folder()

    assert folder != taken and folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
