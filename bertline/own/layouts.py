"""Guess how a file is laid out: its type, encoding and separator, and whether it has a header.

A guess is what `bertline add` shows and an option overrides. Parsing never guesses: it reads as
sources.yaml says.
"""

import argparse
import codecs
import csv
import io
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from charset_normalizer import from_bytes

from bertline.core.errors import BertlineError
from bertline.corpora import columns
from bertline.corpora.readers import ENDINGS, LABEL, SEPARATORS, Layout, texts_below, type_of
from bertline.corpora.rows import split_lines

SAMPLE = 1 << 20  # characters that separators, headers and labels are guessed from
LINES = 1_000  # lines or rows of it
MARKS = {  # byte-order marks, the longer first
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
PACKED = {  # how files begin that are no text
    b"PK\3\4": "a spreadsheet such as .xlsx or a zip archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of an old Excel (.xls)",
    b"\x1f\x8b": "a gzip archive",
}
# What bytes above 127 are in Western texts, and what Excel calls `CSV` is encoded in: on Windows
# and, long ago, on a Mac.
WESTERN = "äöüÄÖÜßéèêëÉÈàáâãåÅæÆçìíîïñòóôõøØœùúûÿ“”„‘’–—…€£°§«»•¿¡\N{NO-BREAK SPACE}"
EXCEL = ("cp1252", "mac-roman")
PLAUSIBLE = 0.9  # share of them among the characters beyond ASCII
# Names that people give to columns, by what they hold; the first are the clearest.
NAMES = {
    "text": "text texts document documents content body sentence review message tweet abstract "
    "article comment question description post utterance headline title",
    "label": "label labels class classes category target sentiment intent tag stars rating "
    "score polarity topic section type",
    "group": "group category label class section newsgroup topic product author department tag",
    "id": "id ids key uuid doc_id document_id text_id tweet_id review_id",
    "date": "date day datetime time timestamp year created created_at published published_at",
}


def separator(typed: str) -> str:
    """Return what divides cells, as it is typed on a command line: a character, or `tab`."""
    mark = "\t" if typed in ("tab", r"\t") else typed
    if len(mark) != 1 or mark in '"\r\n':
        raise argparse.ArgumentTypeError(f"expected one character, such as ';', or tab; {typed!r}")
    return mark


def known_as(name: str, kind: str) -> bool:
    """Return whether a column's name says that it holds this kind."""
    return name.strip().lower() in NAMES[kind].split()


def guess(path: Path, given: Layout, *, header: bool | None) -> Layout:
    """Return how a file, or a folder of texts, is laid out.

    given: what the user says of `type`, `separator` and `encoding`; "" for an encoding to guess.
    header: whether the first line names the columns, None to guess. Raises BertlineError for a file
    of a type that is not read, and for one that is empty.
    """
    if path.is_dir():
        names = texts_below(path)
        if not names:
            raise BertlineError(f"{path} has no file in it. Put a text file for each text there.")
        paths = [path / name for name in names]
        return Layout("folder", encoding=given.encoding or guess_encoding(paths))
    refuse_packed(path)
    with path.open("rb") as stream:
        start = stream.read(SAMPLE)
    if not start.strip():
        raise BertlineError(f"{path} is empty. Put the texts into it.")
    ending = path.suffix.lower()
    if start.startswith(b"PAR1"):
        return Layout("parquet")
    encoding = given.encoding or guess_encoding([path])
    text = _decode_start(start, encoding, path)
    kind = given.type or ENDINGS.get(ending)
    if kind is None and text.lstrip().startswith(("{", "[")):
        kind = "json"
    if kind in ("json", "parquet"):
        return Layout(kind, encoding=encoding)
    return _guess_lines(path, text, given._replace(encoding=encoding), header)


def refuse_packed(path: Path) -> None:
    """Raise BertlineError for a spreadsheet or an archive, whatever ending it has."""
    with path.open("rb") as stream:
        start = stream.read(4)
    what = next((what for mark, what in PACKED.items() if start.startswith(mark)), None)
    if what:
        kind = type_of(path)  # says how to export or unpack it if it has another ending
        raise BertlineError(
            f"{path} is {what}, and not {kind}, as its ending says. Save a spreadsheet as `CSV "
            f"UTF-8 (Comma delimited)`, and unpack an archive."
        )


def guess_encoding(paths: Sequence[Path]) -> str:
    """Return the encoding of files; raises BertlineError, which names the first, if none fits."""
    with paths[0].open("rb") as stream:
        start = stream.read(SAMPLE)
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if zeros.count(0) > len(zeros) / 2:
            return encoding
    beyond = _beyond_ascii(paths)
    if beyond is None:
        return "utf-8"
    plain = sum(chr(byte).isalpha() for byte in start if byte < 128)
    seldom = sum(byte > 127 for byte in start) < plain  # as accents are among Western letters
    shares = {encoding: _western(beyond, encoding) for encoding in EXCEL}
    best = max(shares, key=lambda encoding: shares[encoding])
    if seldom and shares[best] >= PLAUSIBLE:
        return best
    found = from_bytes(start).best()
    if found:
        return found.encoding.replace("_", "-")
    raise BertlineError(
        f"{paths[0]}: its encoding is not clear. Save it as UTF-8, or name the encoding, such as "
        f"--encoding cp1252."
    )


def _beyond_ascii(paths: Iterable[Path]) -> bytes | None:
    """Return bytes beyond ASCII of files that are not UTF-8, SAMPLE at most; None if they are."""
    beyond, fits = bytearray(), True
    for path in paths:
        decoder = codecs.getincrementaldecoder("utf-8")()
        for chunk in _chunks(path):
            beyond += bytes(byte for byte in chunk if byte > 127)[: SAMPLE - len(beyond)]
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError:
                fits = False
        if not fits and len(beyond) == SAMPLE:
            break
    return None if fits else bytes(beyond)


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, an empty chunk last."""
    with path.open("rb") as stream:
        while chunk := stream.read(SAMPLE):
            yield chunk
    yield b""


def _western(beyond: bytes, encoding: str) -> float:
    """Return the share of characters that Western texts have."""
    text = beyond.decode(encoding, errors="replace")
    return sum(character in WESTERN for character in text) / max(len(text), 1)


def _decode_start(start: bytes, encoding: str, path: Path) -> str:
    """Return whole lines from the start of a file as text."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)(
            "strict" if len(start) < SAMPLE else "replace"
        )
        text = decoder.decode(start, final=len(start) < SAMPLE).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise BertlineError(
            f"{path} is not text in {encoding} ({error}). Leave --encoding out to have it guessed."
        ) from error
    return text if len(start) < SAMPLE else text[: text.rfind("\n") + 1] or text


def _guess_lines(path: Path, text: str, given: Layout, header: bool | None) -> Layout:
    """Return the layout of a table, or of lines."""
    ending = ENDINGS.get(path.suffix.lower(), "lines")
    sample = [line for line in split_lines(text) if line.strip()][:LINES]
    if given.type in ("lines", "labelled-lines"):
        return given
    if given.type is None and ending == "lines" and given.separator is None and header is None:
        if all(line.startswith(LABEL) for line in sample):
            return given._replace(type="labelled-lines")
        if not _is_table(sample):
            labelled = _begin_with_labels(sample)
            return given._replace(type="labelled-lines" if labelled else "lines")
    separator = given.separator or guess_separator(text, "\t" if ending != "csv" else ",")
    plain = separator == "\t" and ending != "csv" and not _is_quoted(text, sample)
    kind = given.type or ("tsv" if plain else "csv")
    rows = _cells(text, separator, quoted=kind == "csv")
    named = guess_header(rows) if header is None else header
    return Layout(kind, separator, named, given.encoding)


def guess_separator(text: str, first: str) -> str:
    """Return what divides all rows into the same number of cells, two or more.

    `first` is the one to prefer, and the answer where none divides them.
    """
    best, score = first, (0.0, 0)
    for mark in dict.fromkeys([first, *SEPARATORS]):
        sizes = Counter(len(row) for row in _cells(text, mark, quoted=True))
        size, rows = max(sizes.items(), key=lambda pair: (pair[1], pair[0]), default=(1, 0))
        even = rows / max(sizes.total(), 1)
        if size > 1 and (round(even, 1), size) > score:
            best, score = mark, (round(even, 1), size)
    return best


def _cells(text: str, separator: str, *, quoted: bool) -> list[list[str]]:
    """Return the first rows of a table; none after a quotation mark that does not close."""
    rows: list[list[str]] = []
    if not quoted:
        return [line.split(separator) for line in split_lines(text)[:LINES] if line]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == LINES:
                break
    except csv.Error:
        pass  # the reader of parse names the line
    return rows


def _is_quoted(text: str, sample: Sequence[str]) -> bool:
    """Return whether quotation marks enclose the cells of a table with tabs, as in CSV."""
    doubled = any(
        cell.startswith('"') and cell.endswith('"') and '""' in cell[1:-1]
        for line in sample
        for cell in line.split("\t")
    )
    uneven = len({line.count("\t") for line in sample}) > 1
    return (doubled or uneven) and len({len(row) for row in _cells(text, "\t", quoted=True)}) == 1


def _is_table(sample: Sequence[str]) -> bool:
    """Return whether lines of a text file are rows of a table: by tabs, or by names of columns."""
    if len({line.count("\t") for line in sample}) == 1 and "\t" in sample[0]:
        return True
    names = [
        name.strip().strip('"') for mark in SEPARATORS for name in sample[0].split(mark) if name
    ]
    divided = any(mark in sample[0] for mark in SEPARATORS)
    return len(sample) > 1 and divided and any(known_as(name, "text") for name in names)


def _begin_with_labels(sample: Sequence[str]) -> bool:
    """Return whether the first words of lines are labels: few, seldom unique, and no plain words.

    Of the first words of sentences, many occur once.
    """
    first = Counter(line.split(maxsplit=1)[0] for line in sample)
    single = sum(count == 1 for count in first.values()) / len(first)
    few = 2 <= len(first) <= len(sample) / 5 and single <= 0.1
    return few and (not any(word.istitle() and word.isalpha() for word in first))


def guess_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first of the rows of a table names the columns."""
    if len(rows) < 2:
        return True
    first, rest = rows[0], rows[1:]
    names = [cell.strip() for cell in first]
    below_each = [
        [row[place].strip() for row in rest if len(row) > place] for place in range(len(names))
    ]
    if any(name and name in below for name, below in zip(names, below_each, strict=True)):
        return False
    if any(known_as(name, kind) for name in names for kind in NAMES):
        return True
    if len(set(names)) < len(names) or not any(names):
        return False
    if any(cell.replace(".", "", 1).isdigit() or columns.is_date(cell) for cell in names if cell):
        return False
    for name, below in zip(names, below_each, strict=True):
        usual = statistics.median(map(len, below)) if below else 0
        if len(name.split()) > 3 and usual and len(name) > usual / 3:
            return False
    return True
