"""20 Newsgroups: messages as posted and as words, from messages made up for these tests."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.datasets._twenty_newsgroups import (
    strip_newsgroup_footer,
    strip_newsgroup_header,
    strip_newsgroup_quoting,
)

from bertline.core.errors import BertlineError
from bertline.corpora import newsgroups

MESSAGE = """From: a@b.c
Subject: Re: lamps

Someone writes:
> Do lamps glow?

Yes, they do.

--
Sent by hand
"""
NAME = "20news-bydate-train/misc.lamps/{}"


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that packs members, text or bytes or a TarInfo, to an archive."""

    def pack(*members: tuple[str, str | bytes] | tarfile.TarInfo) -> Path:
        path = tmp_path / "20news.tar.gz"
        with tarfile.open(path, "w:gz") as bundle:
            for member in members:
                if isinstance(member, tarfile.TarInfo):
                    bundle.addfile(member)
                    continue
                name, text = member
                content = text.encode() if isinstance(text, str) else text
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                bundle.addfile(entry, io.BytesIO(content))
        return path

    return pack


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_order_is_of_part_group_and_number_and_not_of_packing(pack):
    path = pack(
        special("20news-bydate-train", tarfile.DIRTYPE),
        ("20news-bydate-train/sci.b/10", "ten"),
        ("20news-bydate-train/sci.b/9", "nine"),
        ("20news-bydate-test/sci.b/3", "three"),
        ("./20news-bydate-train/alt.a/11", "eleven"),
    )

    rows = newsgroups.read_archive(path, remove=[])

    assert rows.table.to_numpy().tolist() == [
        ["test/sci.b/3", "test", "sci.b", "three"],
        ["train/alt.a/11", "train", "alt.a", "eleven"],
        ["train/sci.b/9", "train", "sci.b", "nine"],
        ["train/sci.b/10", "train", "sci.b", "ten"],
    ]
    assert list(rows.table.columns) == ["id", "part", "group", "text"]
    assert (rows.rows_in, rows.dropped) == (4, {})


def test_every_byte_is_a_latin_1_character(pack):
    content = bytes(range(256))

    rows = newsgroups.read_archive(pack((NAME.format(1), content)), remove=[])

    assert rows.table["text"][0] == content.decode("latin-1")


@pytest.mark.parametrize(
    ("remove", "gone", "left"),
    [
        ([], [], ["Subject", "writes", "glow", "they do", "by hand"]),
        (["headers"], ["Subject"], ["writes", "glow", "they do", "by hand"]),
        (["footers"], ["by hand"], ["Subject", "writes", "glow", "they do"]),
        (["quotes"], ["writes", "glow"], ["Subject", "they do", "by hand"]),
        (["headers", "footers", "quotes"], ["Subject", "writes", "glow", "by hand"], ["they do"]),
    ],
    ids=lambda value: "-".join(value) or "nothing",
)
def test_parts_of_a_message_are_removed(pack, remove, gone, left):
    text = newsgroups.read_archive(pack((NAME.format(1), MESSAGE)), remove=remove).table["text"][0]

    assert not [part for part in gone if part in text]
    assert [part for part in left if part in text] == left


def test_removing_is_that_of_scikit_learn_in_any_order_of_the_list(pack):
    path = pack((NAME.format(1), MESSAGE))
    expected = strip_newsgroup_quoting(strip_newsgroup_footer(strip_newsgroup_header(MESSAGE)))

    for remove in (["headers", "footers", "quotes"], ["quotes", "headers", "footers"]):
        assert newsgroups.read_archive(path, remove=remove).table["text"][0] == expected


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(("README", "text"), id="other-file"),
        pytest.param(("20news-bydate-train/a/b", "text"), id="no-number"),
        pytest.param(("20news-bydate-dev/a/1", "text"), id="other-part"),
        pytest.param(special(NAME.format(2), tarfile.SYMTYPE, "/etc/passwd"), id="link"),
    ],
)
def test_member_that_is_no_message_is_refused(pack, member):
    path = pack((NAME.format(1), "text"), member)

    with pytest.raises(BertlineError, match="is not a message of 20 Newsgroups"):
        newsgroups.read_archive(path, remove=[])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: None, id="missing"),
        pytest.param(lambda content: content[: len(content) // 2], id="half"),
    ],
)
def test_archive_that_cannot_be_read_is_named(pack, damage):
    path = pack(*((NAME.format(number), f"{number} {number**9}") for number in range(50)))
    content = damage(path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BertlineError, match="cannot be read as the archive.*dvc repro"):
        newsgroups.read_archive(path, remove=[])


HEADER = "Category\tText\nd\tstring\nclass\t\n"
FILES = {"train": "a.tab", "test": "b.tab"}


def write_tabs(folder: Path, train: str | bytes, test: str = HEADER) -> Path:
    for name, content in (("a.tab", train), ("b.tab", test)):
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_tab_files_are_documents_numbered_within_their_part(tmp_path):
    train = HEADER + "sci.b\tlamp glows\n\nalt.a\tlamps glow\n"
    write_tabs(tmp_path, train, HEADER + "sci.b\t\n\n")

    rows = newsgroups.read_tokens(tmp_path, files=FILES)

    assert rows.table.to_numpy().tolist() == [
        ["train:1", "train", "sci.b", "lamp glows"],
        ["train:2", "train", "alt.a", "lamps glow"],
        ["test:1", "test", "sci.b", ""],
    ]
    assert rows.rows_in == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("Text\tCategory\n", "should begin with the lines", id="header"),
        pytest.param("", "should begin with the lines", id="empty-file"),
        pytest.param(HEADER + "\nsci.b lamp\n", "line 5: .* found 1 columns", id="1-column"),
        pytest.param(HEADER + "sci.b\ta\tb\n", "line 4: .* found 3 columns", id="3-columns"),
        pytest.param(HEADER.encode() + b"a\tb\xff\n", "line 4: byte 0xff", id="not-utf-8"),
    ],
)
def test_malformed_tab_file_is_named_by_file_and_line(tmp_path, content, message):
    write_tabs(tmp_path, content)

    with pytest.raises(BertlineError, match=rf"a\.tab.*{message}"):
        newsgroups.read_tokens(tmp_path, files=FILES)


def test_missing_tab_file_is_named(tmp_path):
    write_tabs(tmp_path, HEADER)
    (tmp_path / "b.tab").unlink()

    with pytest.raises(BertlineError, match=r"b\.tab does not exist.*download@documents"):
        newsgroups.read_tokens(tmp_path, files=FILES)
