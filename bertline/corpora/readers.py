"""The rows of a file, one after another: a table, JSON, Parquet, lines, or a folder of texts.

A CSV cell that holds the separator, a line break or a quotation mark stands in quotation marks (RFC
4180). TSV is read as CoLA is: tabs and line ends divide it, and a quotation mark is a letter.
Each reader yields the values of the wanted columns, None for one that is not there, and enters the
names of all columns that it meets into `names`. Memory holds a row or a batch of them; JSON arrays,
UTF-16 and files without a line feed are read whole.
"""

import codecs
import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.corpora.rows import decode

BATCH = 1_024  # rows of Parquet read at once
SEPARATORS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "vertical bars"}
LABEL = "__label__"  # what fastText writes before each label
EXCEL = re.compile(r"sep=(.)[\r\n]*")  # a first line that tells Excel the separator
ADVICE = "`bertline add` finds out the separator, the encoding and the header of a file"


class Layout(NamedTuple):
    """How a file is laid out: `type`, `separator`, `header` and `encoding` of sources.yaml.

    type: a key of `READERS`, or None to go by the file's ending. separator: of cells, or after the
    label; None for the type's own. header: whether the first line names the columns, which are else
    named 1, 2, and so on; or their names, where it does not.
    """

    type: str | None = None
    separator: str | None = None
    header: bool | Sequence[str] = True
    encoding: str = "utf-8"


Names = dict[str, int]  # how many columns have each name
Values = Sequence[Any]


def lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, with its end: LF, or CR where the file has no LF.

    Raises BertlineError, with the line, for bytes that are not of `encoding`.
    """
    with path.open("rb") as stream:
        first = stream.readline()
        whole = not first.endswith(b"\n") or _is_wide(encoding)
        if whole:
            text = decode(first + stream.read(), str(path), encoding)
            yield from enumerate(_with_ends(text), start=1)
            return
        yield 1, decode(first, str(path), encoding)
        for number, line in enumerate(stream, start=2):
            yield number, decode(line, str(path), encoding, line=number)


def _is_wide(encoding: str) -> bool:
    """Return whether a line feed is more than one byte."""
    try:
        return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    except LookupError:
        return False  # decode says so


def _with_ends(text: str) -> Iterator[str]:
    """Yield lines with their ends, LF or, where none is, CR; StringIO takes 4 bytes a character."""
    end, start = "\n" if "\n" in text else "\r", 0
    while start < len(text):
        stop = text.find(end, start) + 1 or len(text)
        yield text[start:stop]
        start = stop


def bare(line: str) -> str:
    """Return a line without its end."""
    if line.endswith("\n"):
        return line[:-1].removesuffix("\r")
    return line.removesuffix("\r")


def read_table(path: Path, wanted: Sequence[str], names: Names, how: Layout) -> Iterator[Values]:
    """Yield the rows of a CSV or TSV file; ValueError, with the line, for a malformed one."""
    tabs = how.type == "tsv"
    separator, source = how.separator or ("\t" if tabs else ","), lines(path, how.encoding)
    first = next(source, (1, ""))
    stated = EXCEL.fullmatch(first[1])
    if stated:
        separator = how.separator or stated[1]
    else:
        source = _chain(first, source)
    rows = _plain_rows(source, separator, path) if tabs else _quoted_rows(source, separator)
    start, header = next(rows, (0, []))
    if not any(header):
        raise ValueError("it is empty; the first line should name the columns.")
    titles = _titles(header, how.header)
    names.update({name: titles.count(name) for name in titles})
    missing = [name for name in wanted if name not in names]
    if missing and (other := _other_separator(header, separator)):
        raise ValueError(
            f"there is no column {missing[0]!r}, and the file looks separated by "
            f"{SEPARATORS[other]}. Set `separator: {json.dumps(other)}` for it in sources.yaml; "
            f"{ADVICE}. `bertline predict` takes --separator and --encoding."
        )
    places = [titles.index(name) if name in names else None for name in wanted]
    if how.header is not True:
        rows = _chain((start, header), rows)
    for line, cells in rows:
        if len(cells) != len(titles):
            raise ValueError(_uneven(line, cells, titles, rows, separator, how))
        yield [None if place is None else cells[place] for place in places]


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _titles(first: Sequence[str], header: bool | Sequence[str]) -> list[str]:
    if header is True:
        return [name.strip() for name in first]
    return [str(number) for number in range(1, len(first) + 1)] if header is False else [*header]


def _other_separator(header: Sequence[str], used: str) -> str | None:
    """Return what divides a first line that `used` leaves whole, or None."""
    others = [mark for mark in SEPARATORS if mark != used and any(mark in cell for cell in header)]
    return others[0] if len(header) == 1 and others else None


def _uneven(
    line: int,
    cells: Sequence[str],
    titles: Sequence[str],
    rest: Iterator[tuple[int, list[str]]],
    separator: str,
    how: Layout,
) -> str:
    """Return what is wrong with a row that has not as many cells as there are columns."""
    than = "more" if len(cells) > len(titles) else "fewer"
    others = sum(len(row) != len(titles) for _, row in rest)
    also = f" {others:,} other lines have another number of cells, too." if others else ""
    listed = ", ".join(titles)
    what = f"{len(titles)} columns are named ({listed})"
    if how.header is True:
        what = f"the first line has names of columns ({listed})"
    name = SEPARATORS.get(separator, repr(separator)).removesuffix("s")
    advice = (
        "Texts with tabs or line breaks fit into CSV or JSON lines, not into TSV"
        if how.type == "tsv"
        else f"A text with a {name} or a line break stands in quotation marks"
    )
    if other := _other_separator(titles, separator):
        advice = f"The file looks separated by {SEPARATORS[other]}; {ADVICE}"
    count = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
    return f"line {line} has {count}, {than} cells than {what}.{also} {advice}."


def _plain_rows(
    source: Iterable[tuple[int, str]], separator: str, path: Path
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line that is not empty; nothing is quoted."""
    quoted = 0
    for number, line in source:
        if text := bare(line):
            cells = text.split(separator)
            quoted += any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)
            yield number, cells
    if quoted:
        console.log(
            f"{path}: {quoted:,} lines have a cell in quotation marks, which are taken for part of "
            f'the text. If they are not, set `type: csv` and `separator: "\\t"` for it.'
        )


def _quoted_rows(
    source: Iterable[tuple[int, str]], separator: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line and the cells of each row that is not empty.

    Raises ValueError, with the line, for a quotation mark that does not close or closes early, and
    for a carriage return without quotation marks in the middle of a line.
    """
    earlier = csv.field_size_limit(sys.maxsize)  # else a text of a million characters is refused
    try:
        reader = csv.reader((line for _, line in source), strict=True, delimiter=separator)
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "new-line character" in str(error):
                    raise ValueError(
                        f"line {start} has a carriage return in its middle, and other lines end "
                        f"in a line feed. A text with a line break stands in quotation marks."
                    ) from error
                raise ValueError(
                    f"line {start}: {error}. A cell that begins with a quotation mark ends with "
                    f"one, and one within it is doubled."
                ) from error
            if cells:
                yield start, cells
    finally:
        csv.field_size_limit(earlier)


def read_json(path: Path, wanted: Sequence[str], names: Names, how: Layout) -> Iterator[Values]:
    """Yield the rows of JSON lines, or of a JSON array; integers keep the digits that they have."""
    for place, row in _json_rows(path, how.encoding):
        if not isinstance(row, dict):
            raise BertlineError(f'{path}, {place}: expected {{"column": value, …}}.')
        for name in row:
            names[name] = 1
        yield [row.get(name) for name in wanted]


def _json_rows(path: Path, encoding: str) -> Iterator[tuple[str, Any]]:
    source = lines(path, encoding)
    for number, line in source:
        if number == 1 and line.lstrip().startswith("["):
            text = line + "".join(line for _, line in source)
            values = _from_json(text, f"{path}")
            yield from ((f"row {place}", row) for place, row in enumerate(values, start=1))
            return
        if line.strip():
            yield f"line {number}", _from_json(bare(line), f"{path}, line {number}")


def _from_json(text: str, place: str) -> Any:
    try:
        return json.loads(text, parse_int=str, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise BertlineError(
            f"{place} is not valid JSON: {error}. A file holds an object on each line, or one "
            f"array of objects."
        ) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated!r} stands there twice")
    return row


def read_parquet(path: Path, wanted: Sequence[str], names: Names, how: Layout) -> Iterator[Values]:
    """Yield the rows of a Parquet file, read in batches."""
    del how  # the file says how it is laid out
    with pq.ParquetFile(path) as file:
        titles = file.schema_arrow.names
        names.update({name: titles.count(name) for name in titles})
        single = [name for name in wanted if names.get(name) == 1]
        for batch in file.iter_batches(batch_size=BATCH, columns=single):
            batch.validate(full=True)  # reading does not look whether texts are UTF-8
            held = batch.schema.names  # for the name a.b, with a part b of a column a
            columns = [
                _values(batch.column(held.index(name))) if name in single else [None] * len(batch)
                for name in wanted
            ]
            yield from zip(*columns, strict=True) if columns else ([] for _ in range(len(batch)))


def _values(column: pa.Array) -> Values:
    # As numbers of NumPy, floats keep their precision: 0.1 in 32 bits is no 0.10000000149.
    if pa.types.is_floating(column.type):
        return list(column.to_numpy(zero_copy_only=False))
    values: list[Any] = column.to_pylist()
    return values


def read_lines(path: Path, wanted: Sequence[str], names: Names, how: Layout) -> Iterator[Values]:
    """Yield a text on each line, as the column `text`."""
    names["text"] = 1
    for _, line in lines(path, how.encoding):
        yield [bare(line) if name == "text" else None for name in wanted]


def read_labelled(path: Path, wanted: Sequence[str], names: Names, how: Layout) -> Iterator[Values]:
    """Yield the columns `label` and `text` of lines that begin with a label, as fastText's do.

    The separator stands after the label; without one, it is the first tab or blank. Raises
    ValueError, with the line, where there is none, or several labels of fastText's.
    """
    names |= {"label": 1, "text": 1}
    mark = re.escape(how.separator) if how.separator else r"[\t ]"
    for number, line in lines(path, how.encoding):
        if not (content := bare(line)).strip():
            continue
        label, *rest = re.split(mark, content, maxsplit=1)
        if not rest:
            raise ValueError(
                f"line {number} has a label and no text, or the other way round: expected a label, "
                f"{json.dumps(how.separator or ' ')} and a text."
            )
        if rest[0].lstrip().startswith(LABEL):
            raise ValueError(f"line {number} has several labels, and a text has one class.")
        row = {"label": label.removeprefix(LABEL), "text": rest[0]}
        yield [row.get(name) for name in wanted]


def read_folder(path: Path, wanted: Sequence[str], names: Names, how: Layout) -> Iterator[Values]:
    """Yield the texts of a folder's files by name, with the columns text, folder and path.

    `folder` is the folder in `path` that a file lies in, the name of a class or group.
    """
    names |= {"text": 1, "folder": 1, "path": 1}
    for name in texts_below(path):
        text = decode((path / name).read_bytes(), str(path / name), how.encoding)
        folder = name.partition("/")[0] if "/" in name else None
        row = {"text": text, "folder": folder, "path": f"{path.name}/{name}"}
        yield [row.get(column) for column in wanted]


def texts_below(folder: Path) -> list[str]:
    """Return the files below a folder, by their relative path, without hidden ones."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts)
    )


READERS = {
    "csv": read_table,
    "tsv": read_table,
    "json": read_json,
    "parquet": read_parquet,
    "lines": read_lines,
    "labelled-lines": read_labelled,
    "folder": read_folder,
}
# The type that an ending stands for; in capitals, too.
ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "lines",
}
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
PACKED = (".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz")


def type_of(path: Path) -> str:
    """Return the type of a file or folder by its ending; BertlineError for one that is not read."""
    ending = path.suffix.lower()
    if path.is_dir():
        return "folder"
    if ending in ENDINGS:
        return ENDINGS[ending]
    message = f"{path}: expected a file that ends in {', '.join(ENDINGS)}, or a folder of texts."
    if ending in SPREADSHEETS:
        message += (
            " A spreadsheet is exported first: in Excel by File, Save As, `CSV UTF-8 (Comma "
            "delimited)`; in LibreOffice by File, Save As, `Text CSV`, character set UTF-8."
        )
    elif ending in PACKED:
        message += " Unpack it first."
    else:
        message += " If it is one of them by its content, give it that ending."
    raise BertlineError(message)
