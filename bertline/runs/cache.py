"""Hash what the last run left, in DVC's cache and in data/, and mend loss and damage.

Reads   dvc.lock, the outputs that it names and their copies in DVC's cache; with --all everything
        in the cache, the outputs of other revisions and of other projects that share it included.
Writes  outputs that are lost or not what dvc.lock records, from the cache. What the cache holds
        damaged is removed from it, and the next `dvc repro` computes that again.

    python -m bertline.runs.cache
    python -m bertline.runs.cache --all

DVC names a file in its cache by its MD5, makes it read-only and never hashes it again: a byte that
a disk or a program has changed is checked out as if it were right. Of an output it looks at inode,
size and time alone. And `dvc repro` runs a stage whose output is lost, though the cache has it, if
git keeps another output of that stage. `make repro` calls this first.

Exit codes: 0 all as recorded; 3 something was lost or damaged; 2 a mistake in the command.
"""

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.runs import recorded

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
    asked = _dvc("cache", "dir")
    if asked.returncode:
        raise BertlineError(
            f"`dvc cache dir` does not say where the cache is: {asked.stderr.strip()}. Look at "
            f"`cache` in .dvc/config and .dvc/config.local."
        )
    return Path(asked.stdout.strip())


def place_of(cache: Path, name: object) -> Path | None:
    """Return where the cache would keep what has the hash `name`, or None if that is no hash.

    Names come from files that others may have written: one that is no hash could lead elsewhere.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return None
    return cache / "files" / "md5" / name[:2] / name[2:]


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


def parts(cache: Path, output: str, name: str | None) -> dict[Path, str]:
    """Return where the cache keeps the files of an output, or would, each with its path in data/.

    name: the hash of the output in dvc.lock. A folder's list is one of them. The files in a list
    that is lost or damaged are unknown. Entries of it that are none are DVC's to complain of.
    """
    place = place_of(cache, name)
    if place is None:
        return {}
    found = {place: output}
    if place.suffix == FOLDER and place.is_file() and is_intact(place):
        try:
            entries = json.loads(place.read_bytes())
        except ValueError:
            entries = []
        for entry in entries if isinstance(entries, list) else []:
            file = place_of(cache, entry.get("md5")) if isinstance(entry, dict) else None
            if file is not None:
                found[file] = f"{output}/{entry.get('relpath')}"
    return found


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


def restore(outputs: list[str]) -> None:
    """Let DVC write these outputs from its cache; BertlineError if it fails."""
    done = _dvc("checkout", "--force", *outputs)
    if done.returncode:
        raise BertlineError(f"`dvc checkout` fails: {done.stderr.strip()}")


def _dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> None:
    """Read the arguments, hash, mend, and say what was lost or damaged."""
    arguments = console.parser(__doc__)
    arguments.add_argument("--all", action="store_true", help="hash everything in the cache")
    args = arguments.parse_args()
    cache = find_cache()
    if not Path(recorded.LOCK).is_file():
        console.log(
            f"there is no {recorded.LOCK}: no stage has run yet, and there is nothing to hash"
        )
        return
    run = recorded.open_folder(Path(), recorded.WORKSPACE)
    outs = {path: md5 for stage in run.stages.values() for path, md5 in stage.outs.items()}
    kept = {out: parts(cache, out, name) for out, name in outs.items()}
    known = {path: of for places in kept.values() for path, of in places.items() if path.is_file()}
    paths = everything(cache) if args.all else sorted(known)
    damaged = remove_damaged(paths)
    for path in damaged:
        of = known.get(path, "of another revision or project")
        console.log(f"damaged in the cache, and removed: {path} ({of})")
    for output in sorted(run.touched):
        console.log(f"not what {recorded.LOCK} records: {output}")
        renew_time(Path(output))
    away = [out for out in sorted(outs) if out in run.touched or not Path(out).exists()]
    # What git keeps is in no cache, and a folder of which a file is lacking is computed.
    mended = [out for out in away if kept[out] and all(path.is_file() for path in kept[out])]
    if mended:
        restore(mended)
        console.log(f"written from the cache: {', '.join(mended)}")
    lacking = len(away) - len(mended)
    if lacking and not (damaged or run.touched or mended):
        console.log(
            f"{lacking} of {len(outs)} outputs are not here yet: `dvc repro` computes them, or "
            f"`dvc pull` gets what a remote has"
        )
    elif lacking or damaged:
        console.log(
            f"lacking now: {lacking} of {len(outs)} outputs, {len(damaged)} of the cache's files. "
            f"`dvc repro` computes them, or `dvc pull` gets what a remote has"
        )
    if away or damaged:
        sys.exit(EXIT_DAMAGED)
    console.log(f"{len(paths):,} files in the cache and {len(outs):,} outputs are as recorded")


if __name__ == "__main__":
    console.run(main)
