"""Keep verified downloads for a person, by content, so that nothing is fetched twice.

Two roles, two clones of the project and `dvc exp run --temp` all find them. The folder is
`BERTLINE_CACHE`, or the platform's place for caches, and can be deleted at any time:

    sha256/<hash>        verified files; the hash is computed again before each use
    partial/<key>/       transfers of one file that broke off, by origin, to be gone on with
    partial/<key>.lock   held by the one process that fetches that file
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from bertline.core import console, files

VARIABLE = "BERTLINE_CACHE"


def folder() -> Path:
    """Return the cache's folder, which need not exist."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("bertline")


def find(root: Path, accepted: Sequence[str]) -> Path | None:
    """Return the kept file with one of the SHA-256 hashes `accepted`, or None.

    A kept file whose bytes have changed is removed, with a line that says so.
    """
    for digest in accepted:
        kept = _kept(root, digest)
        try:
            if files.sha256(kept) == digest:
                return kept
        except FileNotFoundError:
            continue
        except OSError as error:  # no permission, a broken disk: as good as not there
            console.log(f"the cache's {kept} cannot be read ({error.strerror}): fetching it anew")
            continue
        console.log(f"the cache's {kept} has changed since it was verified: fetching it anew")
        try:
            kept.unlink(missing_ok=True)
        except OSError as error:
            console.log(f"{kept} cannot be removed ({error.strerror}): remove it by hand")
    return None


@contextmanager
def opened() -> Iterator[Path]:
    """Yield a folder to fetch into: the cache, or a temporary one if it cannot be written to."""
    root = folder()
    try:
        (root / "sha256").mkdir(parents=True, exist_ok=True)
        (root / "partial").mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=root / "partial"):
            pass
    except OSError as error:
        console.log(
            f"the cache {root} cannot be written to ({error.strerror}): fetching without it; "
            f"{VARIABLE} names another folder"
        )
    else:
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="bertline-") as temporary:
        root = Path(temporary)
        (root / "sha256").mkdir()
        (root / "partial").mkdir()
        yield root


@contextmanager
def workspace(root: Path, accepted: Sequence[str], *, label: str) -> Iterator[Path]:
    """Yield the folder for broken transfers of a file, while no other process fetches that file.

    It is removed if the block succeeds, and kept for a later attempt if it fails.
    """
    key = hashlib.sha256("\n".join(accepted).encode()).hexdigest()
    lock = root / "partial" / f"{key}.lock"
    with files.alone(lock, f"{label}: another process is fetching it; waiting for that one"):
        place = root / "partial" / key
        place.mkdir(exist_ok=True)
        yield place
        shutil.rmtree(place)


def keep(root: Path, fetched: Path, digest: str) -> Path:
    """Move a verified file to its place in the cache and return that."""
    return fetched.replace(_kept(root, digest))


def _kept(root: Path, digest: str) -> Path:
    return root / "sha256" / digest
