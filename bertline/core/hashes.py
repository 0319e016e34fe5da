"""Hash files and folders as DVC does, so that receipts can be held against dvc.lock.

A file has the MD5 of its bytes. A folder has that of a JSON list of its files' paths and MD5s, in
order of the paths, with the ending `.dir`: names and contents count; times, modes and empty folders
do not. MD5 names contents here; what comes from outside is verified by SHA-256 (`bertline.core.files`).
"""

import hashlib
import json
from pathlib import Path

from bertline.core import files

# Endings of what stages keep beside their outputs while they work; .dvcignore names the same.
WORKING_FILES = (".part", ".checkpoint", ".lock")


def md5(path: Path) -> str | None:
    """Return the hash of a file or folder as dvc.lock has it, or None where there is nothing."""
    if path.is_dir():
        return _of_folder(path)
    return _of_file(path) if path.exists() else None


def _of_file(path: Path) -> str:
    return files.digest(path, hashlib.md5(usedforsecurity=False))


def _of_folder(folder: Path) -> str:
    within = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    listed = [
        {"md5": _of_file(folder / path), "relpath": path.as_posix()}
        for path in sorted(within, key=lambda path: path.as_posix())
        if not any(part.startswith(".") and part.endswith(WORKING_FILES) for part in path.parts)
    ]
    text = json.dumps(listed, sort_keys=True).encode()
    return f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"
