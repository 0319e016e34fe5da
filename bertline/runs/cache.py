"""Hash DVC's cache and the outputs of the last run, and remove what is damaged.

Reads   every file of DVC's cache, those of other revisions and of projects that share it included,
        dvc.lock, and the outputs that it names.
Writes  nothing. It removes damaged files from the cache and prints what to type.

    bertline verify-cache

DVC names a file in its cache by its MD5, makes it read-only and never hashes it again: a byte that
a disk or a program has changed is checked out as if it were intact. Of an output DVC looks at
inode, size and time alone.

Exit codes: 0 all as recorded; 3 something is damaged or missing; 2 a mistake in the command.
"""

import errno
import hashlib
import os
import re
import sys
from pathlib import Path

from bertline.core import console, files, hashes
from bertline.runs import recorded

EXIT_DAMAGED = 3

NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")


def is_intact(path: Path) -> bool:
    """Return whether a file of the cache has the MD5 that it is named for."""
    try:
        found = files.digest(path, hashlib.md5(usedforsecurity=False))
    except OSError as error:
        if error.errno != errno.EIO:  # a block that the disk cannot read
            raise
        return False
    return found == _name(path).removesuffix(".dir")


def remove_damaged(cache: Path) -> tuple[int, list[Path]]:
    """Remove the files of the cache whose MD5 is not their name.

    Returns the number of files in the cache, and the removed ones.
    """
    found = sorted(
        path
        for path in (cache / "files" / "md5").glob("*/*")
        if NAME.fullmatch(_name(path)) and path.is_file()
    )
    counted = console.progress(found, total=len(found), label="hash the cache", unit="files")
    damaged = [path for path in counted if not is_intact(path)]
    for path in damaged:
        path.unlink()
    return len(found), damaged


def _name(path: Path) -> str:
    return path.parent.name + path.name


def renew_time(output: Path) -> None:
    """Set the time of an output's files to now, so that DVC hashes them again."""
    for path in [output, *output.rglob("*")]:
        if path.is_file():
            os.utime(path)


def main() -> None:
    """Hash cache and outputs, remove damaged files, and print what to type."""
    console.parser(__doc__).parse_args()
    total, damaged = remove_damaged(hashes.find_cache())
    for path in damaged:
        console.log(f"damaged in the cache, and removed: {path}")
    changed: list[str] = []
    if Path(recorded.LOCK).is_file():
        run = recorded.open_run(recorded.WORKSPACE)
        changed = sorted(run.touched)
    for output in changed:
        console.log(f"not what {recorded.LOCK} records: {output}")
        renew_time(Path(output))
    if changed:
        console.log(
            f"`dvc checkout --force {' '.join(changed)}` restores what the cache has, and git "
            f"what is below metrics/"
        )
    if damaged or changed:
        console.log("`dvc pull` gets what is missing from a remote, or `dvc repro` computes it")
        sys.exit(EXIT_DAMAGED)
    console.log(f"{total:,} files in the cache and the outputs are as recorded")


if __name__ == "__main__":
    console.run(main)
