"""Get a published file, verified by SHA-256: from the cache, from a mirror, or from its publisher.

Verified files are kept by content in a cache of the user, `<cache>/sha256/<hash>`, for all roles,
all clones and `dvc exp run --temp`. The cache is the folder BERTLINE_CACHE, or the platform's place
for caches, and can be deleted at any time. BERTLINE_MIRROR, a folder or a base URL, is searched by
file name before the publisher is asked. The same hashes hold for every place, so none of them can
change a result.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import platformdirs

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.sources import fetch
from bertline.sources.fetch import FetchError

CACHE = "BERTLINE_CACHE"
MIRROR = "BERTLINE_MIRROR"

SNIFFED = 4096  # bytes in which a page says that it is HTML


@dataclass(frozen=True)
class Wanted:
    """A published file: the name that a mirror has it under, and the hashes that it may have."""

    name: str
    accepted: Sequence[str]  # SHA-256, any of them
    size: int | None = None  # in bytes, if known


@dataclass(frozen=True)
class Place:
    """Where a file may be, and what writes it from there to a path or raises FetchError."""

    kind: str  # for the costs and messages: names no host and no folder
    where: str  # for the log: host or folder
    get: Callable[[Path], None]


def cache_folder() -> Path:
    """Return the cache's folder, which need not exist."""
    named = os.environ.get(CACHE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("bertline")


@contextmanager
def verified(wanted: Wanted, publisher: Place) -> Iterator[tuple[Path, str]]:
    """Yield a path where the file is while the block runs, and the kind of place it came from.

    The kind is `cache`, `mirror` or `publisher.kind`. Raises FetchError with a line for each place
    that was asked, BertlineError if BERTLINE_MIRROR names nothing that can be searched.
    """
    kept = _find(wanted)
    if kept:
        console.log(f"{wanted.name}: in the cache")
        yield kept, "cache"
        return
    places = [*_mirrors(wanted), publisher]
    with _workspace() as (root, workspace):
        target = workspace / "file"
        digest, kind = _ask(places, wanted, target)
        yield target.replace(root / digest), kind


def check(path: Path, accepted: Sequence[str]) -> str:
    """Return the SHA-256 of a file; raise FetchError unless it is one of `accepted`."""
    digest = files.sha256(path)
    if digest in accepted:
        return digest
    with path.open("rb") as stream:
        head = stream.read(SNIFFED)
    looks = ""
    if re.match(rb"\s*(<!doctype html|<html)", head, re.IGNORECASE):
        looks = (
            ". It is an HTML page, such as a proxy or a login sends instead of the file: open the "
            "address in a browser"
        )
    raise FetchError(
        f"wrong content: expected SHA-256 {' or '.join(accepted)}, found {digest} "
        f"({path.stat().st_size:,} bytes){looks}"
    )


def _find(wanted: Wanted) -> Path | None:
    """Return the file in the cache, or None. One whose bytes have changed is fetched anew."""
    for digest in wanted.accepted:
        kept = cache_folder() / "sha256" / digest
        try:
            if files.sha256(kept) == digest:
                return kept
        except OSError:  # not there, or not readable
            continue
        console.log(f"{kept} has changed since it was verified: fetching it anew")
    return None


@contextmanager
def _workspace() -> Iterator[tuple[Path, Path]]:
    """Yield the folder for verified files and one to fetch into, both temporary without a cache."""
    with tempfile.TemporaryDirectory(prefix="bertline-") as temporary:
        root = cache_folder() / "sha256"
        try:
            root.mkdir(parents=True, exist_ok=True)
            partial = tempfile.TemporaryDirectory(prefix="partial-", dir=root)
        except OSError as error:
            console.log(
                f"the cache {root} cannot be written to ({error.strerror}): fetching without it; "
                f"{CACHE} names another folder"
            )
            root = Path(temporary)
            partial = tempfile.TemporaryDirectory(prefix="partial-", dir=root)
        with partial as workspace:
            yield root, Path(workspace)


def _ask(places: Sequence[Place], wanted: Wanted, target: Path) -> tuple[str, str]:
    """Let the first place that has the right file write it; return its hash and kind of place."""
    problems = []
    for place in places:
        console.log(f"{wanted.name}: from the {place.kind} {place.where}")
        try:
            place.get(target)
            return check(target, wanted.accepted), place.kind
        except FetchError as error:
            problems.append(f"\n- {place.kind}: {error}.")
            if place is not places[-1]:
                console.log(f"{wanted.name}: {place.kind}: {error}; asking the {places[-1].kind}")
    raise FetchError(f"{wanted.name} cannot be fetched:{''.join(problems)}")


def _mirrors(wanted: Wanted) -> list[Place]:
    """Return the place that BERTLINE_MIRROR names, if it does."""
    named = os.environ.get(MIRROR)
    if not named:
        return []
    if named.startswith(("http://", "https://")):
        url = f"{named.rstrip('/')}/{quote(wanted.name)}"

        def get(target: Path) -> None:
            fetch.fetch(url, target, label=wanted.name, size=wanted.size)

        return [Place("mirror", fetch.host(url), get)]
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise BertlineError(
            f"{MIRROR} should name a folder or begin with http:// or https://, and names "
            f"`{named}`: there is no folder {folder.absolute()}. Correct or unset it."
        )

    def copy(target: Path) -> None:
        source = folder / wanted.name
        if not source.is_file():
            raise FetchError(f"there is no file {wanted.name} in {named}")
        shutil.copyfile(source, target)

    return [Place("mirror", named, copy)]
