"""20 Newsgroups by date: the archive of messages, and Orange's edition of lower-cased words.

Lang (1995), NewsWeeder; the "by date" order is Jason Rennie's. Parts of a message are removed by
scikit-learn's functions, so that the texts are those of `fetch_20newsgroups(remove=...)`.
"""

import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from sklearn.datasets._twenty_newsgroups import (
    strip_newsgroup_footer,
    strip_newsgroup_header,
    strip_newsgroup_quoting,
)

from bertline.core.errors import BertlineError
from bertline.corpora.rows import Rows, decode

# In the order in which scikit-learn applies them.
REMOVERS = {
    "headers": strip_newsgroup_header,
    "footers": strip_newsgroup_footer,
    "quotes": strip_newsgroup_quoting,
}

MESSAGE = re.compile(r"(?:\./)?20news-bydate-(train|test)/([a-z0-9][a-z0-9.-]*)/([0-9]{1,15})")
ENCODING = "latin-1"  # as published; every byte is a character of it
TAB_HEADER = ("Category\tText", "d\tstring", "class\t")


def read_archive(path: Path, *, remove: Sequence[str]) -> Rows:
    """Read the messages of the tar archive at `path`, in order of part, group and number.

    Returns rows with the columns id (`train/sci.space/60829`), part, group and text. Nothing is
    unpacked to disk. Raises BertlineError for a member that is no message of the corpus.
    """
    rows = []
    try:
        with tarfile.open(path) as bundle:
            for part, group, number, text in _messages(bundle, path):
                for name, remover in REMOVERS.items():
                    if name in remove:
                        text = remover(text)
                rows.append((part, group, number, text))
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise BertlineError(
            f"{path} cannot be read as the archive of 20 Newsgroups: {error}. "
            f"Delete {path.parent} and run `dvc repro` to fetch it again."
        ) from error
    table = pd.DataFrame(rows, columns=["part", "group", "number", "text"])
    # The order inside the archive is an accident of its packing.
    table = table.sort_values(["part", "group", "number"], ignore_index=True)
    numbers = table.pop("number").astype(str)
    table.insert(0, "id", table["part"] + "/" + table["group"] + "/" + numbers)
    return Rows(table, rows_in=len(table))


def _messages(bundle: tarfile.TarFile, path: Path) -> Iterator[tuple[str, str, int, str]]:
    """Yield part, group, number and text of each message."""
    for member in bundle:
        if member.isdir():
            continue
        match = MESSAGE.fullmatch(member.name)
        content = bundle.extractfile(member) if member.isreg() else None
        if match is None or content is None:
            raise BertlineError(
                f"{path}: the member {member.name!r} is not a message of 20 Newsgroups "
                f"(a file 20news-bydate-<train or test>/<group>/<number>)."
            )
        yield match[1], match[2], int(match[3]), content.read().decode(ENCODING)


def read_tokens(folder: Path, *, files: Mapping[str, str]) -> Rows:
    """Read Orange's tab files: three header lines, then `<group> TAB <text>`, blank lines between.

    `files` gives the file of each part. Returns rows with the columns id (`train:12`, counting
    documents), part, group and text.
    """
    frames = []
    for part, name in files.items():
        path = folder / name
        if not path.is_file():
            raise BertlineError(f"{path} does not exist; run `dvc repro download@documents`.")
        header, lines = _tab_lines(path)
        if header != list(TAB_HEADER):
            raise BertlineError(
                f"{path} should begin with the lines {list(TAB_HEADER)}; found {header}."
            )
        rows: list[tuple[str, str, str, str]] = []
        for number, line in lines:
            group, tab, text = line.partition("\t")
            if not tab or "\t" in text:
                raise BertlineError(
                    f"{path}, line {number}: expected a group, a tab and a text, found "
                    f"{line.count(chr(9)) + 1} columns."
                )
            rows.append((f"{part}:{len(rows) + 1}", part, group, text))
        frames.append(pd.DataFrame(rows, columns=["id", "part", "group", "text"]))
    table = pd.concat(frames, ignore_index=True)
    return Rows(table, rows_in=len(table))


def _tab_lines(path: Path) -> tuple[list[str], list[tuple[int, str]]]:
    lines = decode(path.read_bytes(), str(path), "utf-8").split("\n")
    body = enumerate(lines[len(TAB_HEADER) :], start=len(TAB_HEADER) + 1)
    return lines[: len(TAB_HEADER)], [(number, line) for number, line in body if line.strip()]
