"""Get a published file, verified: from the cache, from a mirror, or from its publisher.

`BERTLINE_MIRROR`, a folder or a base URL, is looked in by file name before the publisher is asked.
The same hashes hold for every place, so none of them can change a result.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.sources import cache, fetch
from bertline.sources.fetch import FetchError

VARIABLE = "BERTLINE_MIRROR"

SNIFFED = 4096  # bytes; a page says in its first few hundred that it is HTML, and its title


@dataclass(frozen=True)
class Wanted:
    """A published file: the name that a mirror has it under, and the hashes that it may have."""

    name: str
    accepted: Sequence[str]  # SHA-256, any of them
    declared: int | None = None  # size in bytes, if known


@dataclass(frozen=True)
class Place:
    """Where a file may be, and what writes it from there to a path.

    `get` returns whether it went on with what an earlier transfer had left at the path.
    """

    kind: str  # for the receipt and messages: names no host and no folder
    where: str  # for the log: host or folder
    origin: str  # tells broken transfers from different places apart
    get: Callable[[Path], bool]


class WrongContentError(FetchError):
    """A place served a file with another hash."""


@contextmanager
def verified(wanted: Wanted, publisher: Place) -> Iterator[tuple[Path, str]]:
    """Yield a path where the file is while the block runs, and the kind of place it came from.

    The kind is `cache`, `mirror` or `publisher.kind`. Raises FetchError with a line for each place
    that was asked, BertlineError if BERTLINE_MIRROR names nothing that can be looked in.
    """
    kept = cache.find(cache.folder(), wanted.accepted)
    if kept:
        console.log(f"{wanted.name}: in the cache")
        yield kept, "cache"
        return
    places = [*_mirrors(wanted), publisher]
    with (
        cache.opened() as root,
        cache.workspace(root, wanted.accepted, label=wanted.name) as workspace,
    ):
        kind = "cache"
        kept = cache.find(root, wanted.accepted)  # another process may have fetched it meanwhile
        if not kept:
            fetched, digest, kind = _ask(places, wanted, workspace)
            kept = cache.keep(root, fetched, digest)
        yield kept, kind


def check(path: Path, accepted: Sequence[str]) -> str:
    """Return the SHA-256 of a file; raise WrongContentError unless it is one of `accepted`."""
    digest = files.sha256(path)
    if digest in accepted:
        return digest
    with path.open("rb") as stream:
        head = stream.read(SNIFFED).decode("latin-1")
    looks = ""
    if re.match(r"\s*(<!doctype html|<html)", head, re.IGNORECASE):
        title = re.search(r"<title[^>]*>\s*([^<]{1,80})", head, re.IGNORECASE)
        named = f" titled `{' '.join(title[1].split())}`" if title else ""
        looks = (
            f". It is an HTML page{named}, such as a proxy or a login sends instead of the file: "
            f"open the address in a browser"
        )
    raise WrongContentError(
        f"wrong content: expected SHA-256 {' or '.join(accepted)}, found {digest} "
        f"({path.stat().st_size:,} bytes){looks}"
    )


def _ask(places: Sequence[Place], wanted: Wanted, workspace: Path) -> tuple[Path, str, str]:
    """Return where the first place that has the right file wrote it, its hash and that kind."""
    problems = []
    for place in places:
        console.log(f"{wanted.name}: from the {place.kind} {place.where}")
        target = workspace / hashlib.sha256(place.origin.encode()).hexdigest()
        try:
            return target, _get_right(place, wanted, target), place.kind
        except FetchError as error:
            problems.append(f"\n- {place.kind}: {error}.")
            if place is not places[-1]:
                console.log(f"{wanted.name}: {place.kind}: {error}; asking the {places[-1].kind}")
    raise FetchError(f"{wanted.name} cannot be fetched:{''.join(problems)}")


def _get_right(place: Place, wanted: Wanted, target: Path) -> str:
    """Let `place` write the file and return its hash; leave nothing if it is another file."""
    again = False
    while True:
        resumed = place.get(target)
        try:
            return check(target, wanted.accepted)
        except WrongContentError:
            fetch.discard(target)
            if again or not resumed:
                raise
        # What an earlier transfer had left may be of an older file, or of a proxy's page.
        console.log(f"{wanted.name}: wrong content after a resumed transfer; once more from zero")
        again = True


def _mirrors(wanted: Wanted) -> list[Place]:
    """Return the place that BERTLINE_MIRROR names, if it does."""
    named = os.environ.get(VARIABLE)
    if not named:
        return []
    if named.startswith(("http://", "https://")):
        url = f"{named.rstrip('/')}/{quote(wanted.name)}"

        def get(target: Path) -> bool:
            return fetch.fetch(url, target, label=wanted.name, declared=wanted.declared)

        return [Place("mirror", fetch.host(url), url, get)]
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise BertlineError(
            f"{VARIABLE} should name a folder or begin with http:// or https://, and names "
            f"`{named}`: there is no folder {folder.absolute()}. Correct or unset it."
        )

    def copy(target: Path) -> bool:
        source = folder / wanted.name
        if not source.is_file():
            raise FetchError(f"there is no file {wanted.name} in {named}")
        shutil.copyfile(source, target)
        return False

    return [Place("mirror", named, str(folder.absolute()), copy)]
