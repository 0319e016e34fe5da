"""A person's own files and folders of files: their hash, and copies of them."""

import hashlib
import shutil
from pathlib import Path

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.sources.catalogue import CODE_ENDINGS


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the list of a folder's files that `sha256sum` prints.

    find * -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
    """
    if path.is_file():
        return files.sha256(path)
    lines = [f"{files.sha256(path / name)}  {name}\n" for name in visible_files(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def visible_files(folder: Path) -> list[str]:
    """Return the files below a folder by their relative paths, sorted, without hidden ones.

    Raises BertlineError for a file that may run code when it is read.
    """
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = sorted(
        path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts)
    )
    for name in names:
        if name.lower().endswith(CODE_ENDINGS):
            raise BertlineError(
                f"{folder / name} may run code when it is read, and a source is data. Move it out "
                f"of {folder}."
            )
    return names


def copy(path: Path, target: Path) -> None:
    """Copy a file, or the visible files of a folder."""
    if path.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        return
    for name in visible_files(path):
        copy(path / name, target / name)
