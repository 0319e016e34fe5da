"""The command line: a mistake is a sentence and exit code 2, a bug a traceback."""

import errno

import pytest

from bertline.core import console
from bertline.core.errors import BertlineError


def fail(error: BaseException):
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BertlineError("the label is 7."), 2, "error: the label is 7.\n"),
        (KeyboardInterrupt(), 130, "interrupted: nothing half-written is kept"),
        (OSError(errno.ENOSPC, "full", "out/a"), 2, "cannot write out/a: the disk is full"),
        (OSError(errno.EROFS, "read-only", "out/a"), 2, "the file system is read-only"),
        (PermissionError(errno.EACCES, "denied", "in/a"), 2, "cannot read or write in/a: permis"),
        (IsADirectoryError(errno.EISDIR, "folder", "out"), 2, "out: it is a folder, and a file is"),
        (OSError(errno.ENAMETOOLONG, "long", "ooo"), 2, "the name is longer than the file system"),
        (MemoryError("Unable to allocate 8 TiB"), 2, "memory does not suffice (Unable to allocate"),
        (MemoryError(), 2, "memory does not suffice (out of memory)"),
        (RuntimeError("CUDA out of memory. Tried\nmore"), 2, "(CUDA out of memory. Tried). Use"),
    ],
    ids=[
        *("mistake", "interrupt", "full", "read-only", "denied", "folder", "long"),
        *("memory", "bare-memory", "gpu-memory"),
    ],
)
def test_a_persons_mistake_is_a_sentence_and_an_exit_code(capsys, error, code, message):
    with pytest.raises(SystemExit) as stop:
        console.run(fail(error))

    assert stop.value.code == code
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("defect"), OSError(errno.EIO, "broken disk"), RuntimeError("shapes differ")],
)
def test_a_defect_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        console.run(fail(error))


def test_a_log_file_gets_lines_with_what_is_left(monkeypatch, capsys):
    monkeypatch.setattr(console, "LOG_INTERVAL", 0)

    assert list(console.progress(iter("abc"), total=3, label="spell", unit="letters")) == [
        "a",
        "b",
        "c",
    ]

    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith("spell: ") and "of 3 letters" in line for line in lines)


def test_quick_work_prints_nothing(capsys):
    list(console.progress(range(3), total=3, label="count", unit="numbers"))

    assert capsys.readouterr().err == ""
