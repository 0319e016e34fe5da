"""Hash files and folders as DVC does, so that receipts can be compared with dvc.lock.

A file has the MD5 of its bytes. A folder has the MD5 of a JSON list of its files' paths and MD5s,
sorted by path, with the ending `.dir`: names and contents count; times, modes and empty folders do
not. MD5 names contents here; downloads are verified by SHA-256 (`bertline.core.files`).
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bertline.core import files
from bertline.core.errors import BertlineError

# Endings of the hidden files that stages keep beside their outputs, and Python's bytecode;
# .dvcignore lists the same.
WORKING_FILES = (".part", ".checkpoint", ".lock")
BYTECODE = "__pycache__"


def md5(path: Path) -> str | None:
    """Return the hash of a file or folder as dvc.lock has it, or None if there is neither."""
    if path.is_dir():
        return of_listing(listing(path))
    return of_file(path) if path.exists() else None


def of_file(path: Path) -> str:
    """Return the MD5 of a file's bytes."""
    return files.digest(path, hashlib.md5(usedforsecurity=False))


def listing(folder: Path) -> dict[str, str]:
    """Return the MD5 of every file below a folder, by its path relative to the folder."""
    return {name: of_file(folder / name) for name in files_below(folder)}


def files_below(folder: Path) -> list[str]:
    """Return the relative paths of the files below a folder that DVC does not ignore."""
    within = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path.as_posix() for path in within if not _is_ignored(path)]


def of_listing(listed: Mapping[str, str]) -> str:
    """Return the hash of the folder that holds exactly these files: MD5s by relative path."""
    entries = [{"md5": listed[path], "relpath": path} for path in sorted(listed)]
    text = json.dumps(entries, sort_keys=True).encode()
    return f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"


def find_cache() -> Path:
    """Return the folder of DVC's cache; BertlineError if this is no project's folder."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise BertlineError(
            f"`dvc cache dir` fails in {Path.cwd()}: {asked.stderr.strip()}. Run this command in "
            f"the project's folder, and look at `cache` in .dvc/config and .dvc/config.local."
        )
    return Path(asked.stdout.strip())


def _is_ignored(path: Path) -> bool:
    return any(
        part == BYTECODE or (part.startswith(".") and part.endswith(WORKING_FILES))
        for part in path.parts
    )
