"""Hash what the last run left, in DVC's cache and in data/, so that the next run mends damage.

Reads   dvc.lock, the outputs that it names and their copies in DVC's cache; with --all everything
        in the cache, the outputs of other revisions and of other projects that share it included.
Writes  nothing, but removes from the cache what is not what its name says, and sets the time of
        outputs that are not what dvc.lock records to now.

    python -m stages.verify_cache
    python -m stages.verify_cache --all

DVC names a file in its cache by its MD5, makes it read-only and never hashes it again: a byte that
a disk or a program has changed is checked out as if it were right. Of an output it looks at inode,
size and time alone. With the damaged copy gone and the time new, `dvc repro` sees what is lacking,
and fetches it from the run cache or computes it. `make repro` calls this first.

Exit codes: 0 all as recorded; 3 something was damaged; 2 a mistake in the command.
"""

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from stages import console, files, runs
from stages.errors import BertlineError

EXIT_DAMAGED = 3

FOLDER = ".dir"  # ends the name of a list of a folder's files
NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")
READ_ERROR = errno.EIO  # what a disk says of a block that it cannot read


def find_cache() -> Path:
    """Return the folder of DVC's cache; BertlineError if this is no project's folder."""
    if not Path(".dvc").is_dir():
        raise BertlineError(
            f"{Path.cwd()} is no DVC project: it has no folder .dvc. Run this command in the "
            f"project's folder."
        )
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise BertlineError(
            f"`dvc cache dir` does not say where the cache is: {asked.stderr.strip()}. Look at "
            f"`cache` in .dvc/config and .dvc/config.local."
        )
    return Path(asked.stdout.strip())


def place_of(cache: Path, name: object) -> Path | None:
    """Return where the cache keeps what has the hash `name`, or None if it keeps no such thing.

    Names come from files that others may have written: one that is no hash could lead elsewhere.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return None
    place = cache / "files" / "md5" / name[:2] / name[2:]
    return place if place.is_file() else None


def name_of(path: Path) -> str:
    """Return the hash that a file of the cache should have, as dvc.lock spells it."""
    return path.parent.name + path.name


def is_intact(path: Path) -> bool:
    """Return whether a file of the cache is what its name says."""
    try:
        found = files.digest(path, hashlib.md5(usedforsecurity=False))
    except OSError as error:
        if error.errno != READ_ERROR:
            raise
        return False
    return found == name_of(path).removesuffix(FOLDER)


def recorded(cache: Path, outs: Mapping[str, str | None]) -> dict[Path, str]:
    """Return the files that the cache has of these outputs, each with the output that it is of.

    outs: the MD5 of each output, as dvc.lock has it.
    """
    found = {}
    for out, name in outs.items():
        place = place_of(cache, name)
        if place is None:
            continue  # an output that git keeps, or one that DVC itself sees the lack of
        found[place] = out
        if place.suffix == FOLDER and is_intact(place):
            for relative, file in listed(cache, place):
                found[file] = f"{out}/{relative}"
    return found


def listed(cache: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that the cache has of a folder: path within the folder, place in the cache.

    folder: the list that the cache keeps of it. Entries that are none are DVC's to complain of.
    """
    try:
        entries = json.loads(folder.read_bytes())
    except ValueError:
        return
    for entry in entries if isinstance(entries, list) else []:
        place = place_of(cache, entry.get("md5")) if isinstance(entry, dict) else None
        if place is not None:
            yield str(entry.get("relpath")), place


def everything(cache: Path) -> list[Path]:
    """Return all files of the cache that are named by a hash, sorted."""
    found = (cache / "files" / "md5").glob("*/*")
    return sorted(path for path in found if NAME.fullmatch(name_of(path)) and path.is_file())


def remove_damaged(paths: list[Path]) -> list[Path]:
    """Remove the files of the cache that are not what their names say, and return them."""
    counted = console.progress(paths, total=len(paths), label="hash the cache", unit="files")
    damaged = [path for path in counted if not is_intact(path)]
    for path in damaged:
        path.unlink(missing_ok=True)
    return damaged


def renew_time(output: Path) -> None:
    """Set the time of an output's files to now: DVC hashes anew what has another time."""
    for path in [output, *output.rglob("*")]:
        if path.is_file():
            os.utime(path)


def main() -> None:
    """Read the arguments, hash, and say what was damaged."""
    arguments = console.parser(__doc__)
    arguments.add_argument("--all", action="store_true", help="hash everything in the cache")
    args = arguments.parse_args()
    cache = find_cache()
    if not Path(runs.LOCK).is_file():
        console.log(f"there is no {runs.LOCK}: no stage has run yet, and there is nothing to hash")
        return
    run = runs.open_folder(Path(), runs.WORKSPACE)
    outs = {path: md5 for stage in run.stages.values() for path, md5 in stage.outs.items()}
    known = recorded(cache, outs)
    paths = everything(cache) if args.all else sorted(known)
    damaged = remove_damaged(paths)
    for path in damaged:
        of = known.get(path, "another revision or project")
        console.log(f"damaged in the cache, and removed: {path} ({of})")
    for output in sorted(run.touched):
        renew_time(Path(output))
        console.log(f"not what {runs.LOCK} records: {output}")
    if damaged or run.touched:
        console.log("`dvc repro` mends this; `dvc pull` does, if the team's remote has the files")
        sys.exit(EXIT_DAMAGED)
    console.log(f"{len(paths):,} files in the cache and {len(outs):,} outputs are as recorded")


if __name__ == "__main__":
    console.run(main)
