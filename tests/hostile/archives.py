"""Hostile archives: 20 Newsgroups' tar and CoLA's zip, read by parse."""

import gzip
import io
import tarfile
from collections.abc import Callable
from typing import Any

from tests.hostile.desk import Case, Desk, accepted, zipped
from tests.hostile.downloads import PAGE, encrypted, packed_as

TAR, ZIP = "20news-bydate.tar.gz", "cola.zip"
MESSAGE = "20news-bydate-train/sci.space/7"
TEXT = b"From: a@b.invalid\n\nThe comet was seen again.\n"
DOCUMENTS = "documents mine raw out --params params.yaml"
NONE_OF_THEM = "is not one message of 20 Newsgroups"
ROW = b"t01\t1\t\tThe lamp glows.\n"
SETS = [f"{name}.tsv" for name in ("in_domain_train", "in_domain_dev", "out_of_domain_dev")]


def member(name: str, content: bytes = TEXT, **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a tar member with its content, a file unless `attributes` say otherwise."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for key, value in attributes.items():
        setattr(entry, key, value)
    return entry, content


def tarred(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a gzipped tar archive with these members."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as bundle:
        for entry, content in members:
            bundle.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return packed.getvalue()


GOOD_TAR = tarred(member(MESSAGE), member("20news-bydate-test/sci.space/8"))


def messages(
    name: str, message: str, content: bytes | tuple, make: Callable[..., Case] = Case, **rest: Any
) -> Case:
    """Return a case of 20 Newsgroups' archive: its bytes, or the members of one."""
    packed = content if isinstance(content, bytes) else tarred(*content)
    arguments = {"arguments": DOCUMENTS} | rest
    return make(name, "parse", message, lambda desk: desk.archive(TAR, packed), **arguments)


def odd(name: str, **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member that is no file."""
    return member(name, b"", **attributes)


def sentences(name: str, message: str, content: bytes, **rest: Any) -> Case:
    """Return a case of CoLA's archive."""
    return Case(name, "parse", message, lambda desk: desk.archive(ZIP, content), **rest)


def has_texts(*texts: str) -> Callable[[Desk], None]:
    """Return what holds the table to these texts."""

    def holds(desk: Desk) -> None:
        assert desk.read_table()["text"].tolist() == list(texts)

    return holds


def changed(content: bytes, old: bytes, new: bytes) -> bytes:
    """Return a gzipped tar with bytes of its headers changed."""
    return gzip.compress(gzip.decompress(content).replace(old, new))


def endless() -> bytes:
    """Return a tar whose first header is extended by 8 GiB, which a bomb would unpack to zeros."""
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, (1 << 33) - 1
    return entry.tobuf(tarfile.GNU_FORMAT) + bytes(2048)


PAX = gzip.decompress(tarred(member("pax", b"99999999 path=x\n", type=tarfile.XHDTYPE)))
WHOLE_ZIP = zipped([(name, ROW) for name in SETS])
FIRST_ZIP = zipped([(SETS[0], ROW)])

CASES = [
    messages("tar-leaves-the-folder", NONE_OF_THEM, (member("../etc/cron.d/7"),)),
    messages("tar-leaves-midway", NONE_OF_THEM, (member("20news-bydate-train/../x/7"),)),
    messages("tar-absolute", NONE_OF_THEM, (member(f"/{MESSAGE}"),)),
    messages(
        "tar-symlink", NONE_OF_THEM, (odd(MESSAGE, type=tarfile.SYMTYPE, linkname="/etc/passwd"),)
    ),
    messages(
        "tar-hard-link",
        NONE_OF_THEM,
        (
            member("20news-bydate-train/sci.space/6"),
            odd(MESSAGE, type=tarfile.LNKTYPE, linkname="20news-bydate-train/sci.space/6"),
        ),
    ),
    messages("tar-device", NONE_OF_THEM, (odd(MESSAGE, type=tarfile.CHRTYPE),)),
    messages("tar-pipe", NONE_OF_THEM, (odd(MESSAGE, type=tarfile.FIFOTYPE),)),
    messages("tar-same-name", "each once", (member(MESSAGE), member(MESSAGE))),
    messages("tar-same-name-in-disguise", "each once", (member(MESSAGE), member(f"./{MESSAGE}"))),
    messages(
        "tar-same-number",
        "each once",
        (member(MESSAGE), member("20news-bydate-train/sci.space/007")),
    ),
    messages("tar-bomb", "messages have at most 4,194,304", (member(MESSAGE, bytes(5 << 20)),)),
    messages("tar-truncated", "cannot be read as the archive of 20 Newsgroups", GOOD_TAR[:-40]),
    messages("tar-is-a-page", "cannot be read as the archive of 20 Newsgroups", PAGE),
    messages("tar-empty", "cannot be read as the archive of 20 Newsgroups", b""),
    messages("tar-without-members", "has no document left", ()),
    messages(
        "tar-header-damaged",
        "cannot be read as the archive|is not one message",
        changed(GOOD_TAR, b"00000000055", b"0000zzzzz55"),
    ),
    messages(
        "tar-extended-header-without-end",
        "cannot be read as the archive .*followed by 8,589,934,592 bytes of its own",
        gzip.compress(endless()),
    ),
    messages("tar-extended-header-lies", "cannot be read as the archive", gzip.compress(PAX)),
    Case(
        "tar-missing",
        "parse",
        "cannot be read as the archive of 20 Newsgroups",
        lambda desk: (desk.archive(TAR, b""), desk.remove(f"raw/{TAR}")),
        arguments=DOCUMENTS,
    ),
    messages(
        "tar-dot-slash",
        "documents: ",
        (odd("./20news-bydate-train", type=tarfile.DIRTYPE), member(f"./{MESSAGE}")),
        accepted,
        holds=has_texts("The comet was seen again.\n"),
    ),
    messages(
        "tar-every-byte",
        "documents: ",
        (member(MESSAGE, b"Subject: x\n\nna\xefve \x85 \xff"),),
        accepted,
        holds=has_texts("na\u00efve \x85 \u00ff"),
    ),
    sentences("zip-is-a-page", "is not a zip file that can be read", PAGE),
    sentences("zip-empty", "is not a zip file that can be read", b""),
    sentences("zip-truncated", "is not a zip file that can be read", WHOLE_ZIP[:-40]),
    sentences(
        "zip-damaged", "is not a zip file that can be read", WHOLE_ZIP.replace(b"PK\3\4", b"PK\0\0")
    ),
    sentences("zip-member-missing", r"no member in_domain_dev\.tsv; is it CoLA 1\.1\?", FIRST_ZIP),
    sentences(
        "zip-member-twice",
        r"has 2 members named in_domain_train\.tsv",
        zipped([(SETS[0], ROW), (SETS[0], ROW)]),
    ),
    sentences(
        "zip-bomb",
        "unpacks to 30,000,000 bytes; at most 2,9..,...",
        zipped([(SETS[0], bytes(30_000_000))]),
    ),
    sentences(
        "zip-encrypted", "is not a zip file that can be read: .*encrypted", encrypted(FIRST_ZIP)
    ),
    sentences(
        "zip-packed-oddly",
        "is not a zip file that can be read: .*compression",
        packed_as(FIRST_ZIP, 97),
    ),
    Case(
        "zip-folder-outside",
        "parse",
        "parse.folder: should be a path inside",
        lambda desk: desk.archive(ZIP, WHOLE_ZIP, folder="../.."),
    ),
]
