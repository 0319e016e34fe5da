"""Columns of a table as texts: CSV, TSV, JSON lines or Parquet, by the file's ending.

A CSV cell that holds a comma, a line break or a quotation mark stands in quotation marks (RFC
4180). TSV is read as CoLA is: tabs and line ends divide it, and a quotation mark is a letter.

A cell of CSV or TSV is the text that stands there. Values of JSON lines and Parquet become texts by
one rule: bytes are UTF-8, an integer keeps all its digits, a whole number has no decimals, and a
missing value is an empty text. None passes through pandas, which turns integers with a missing
value into floats.
"""

import csv
import datetime
import decimal
import json
import re
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.core.params import nearest
from bertline.corpora.rows import decode, split_lines

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
# A surrogate without its partner: JSON can hold one, and no file can be written with it.
HALF = re.compile("[\ud800-\udfff]")
# A large number as pandas and spreadsheets write it: 1.517074359571075e+18, 1,51707E+18, 2E+18.
ROUNDED = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d\d+")
ROUNDED_ADVICE = "Write the column as integers or as text, from where its digits are complete."
PLAIN = (datetime.date, datetime.time, datetime.timedelta, uuid.UUID)

Cells = dict[str, list[str]]


def read(
    path: Path, required: Sequence[str], *, optional: Sequence[str] = (), encoding: str
) -> Cells:
    """Return the cells of the columns that are asked for, by name, in the order of the rows.

    A missing value is an empty text; `optional` columns that the file lacks are left out.
    `encoding` is that of a text file. Raises BertlineError, with the line or the row, for a file
    that cannot be read, lacks a required column or has it twice, and for a cell that is no text.
    """
    if path.suffix not in ENDINGS:
        raise BertlineError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}.")
    names = list(dict.fromkeys([*required, *optional]))
    try:
        if path.suffix == ".parquet":
            present, found = _read_parquet(path, names)
        else:
            text = decode(path.read_bytes(), str(path), encoding)
            if path.suffix == ".jsonl":
                present, found = _read_json_lines(text, path, names)
            else:
                rows = _tab_rows(text, path) if path.suffix == ".tsv" else _comma_rows(text)
                present, found = _read_rows(rows, path, names)
    # Arrow raises OSError for damaged pages, and OverflowError for a date after the year 9999.
    except (pa.ArrowException, OSError, ValueError, OverflowError, csv.Error) as error:
        raise BertlineError(
            f"{path} cannot be read as a {path.suffix[1:]} table: {error}"
        ) from error
    for name in names:
        if present.count(name) > 1:
            raise BertlineError(
                f"{path} has several columns named {name!r}, so it is not clear which one to "
                f"read. Rename them."
            )
        if name in required and name not in present:
            raise BertlineError(f"{path} has no column {name!r}{nearest(name, present)}.")
    return {
        name: [
            as_text(value, f"{path}, row {number}, column {name!r}")
            for number, value in enumerate(values, start=1)
        ]
        for name, values in found.items()
    }


def check_identifiers(values: Iterable[str], path: Path, column: str) -> None:
    """Raise BertlineError for a cell that was rounded when it was written: 1.517e+18.

    Different identifiers are the same after that. For columns that tell rows apart.
    """
    for number, value in enumerate(values, start=1):
        if ROUNDED.fullmatch(value):
            raise BertlineError(
                f"{path}, row {number}, column {column!r}: {value} has lost its last digits, so "
                f"that different rows look alike. {ROUNDED_ADVICE}"
            )


def check_names(values: Iterable[str], path: Path, column: str) -> None:
    """Raise BertlineError for a name of several lines: it would divide rows of tables."""
    for number, value in enumerate(values, start=1):
        if "\n" in value or "\r" in value:
            raise BertlineError(
                f"{path}, row {number}, column {column!r}: expected a name on one line, found "
                f"{value[:100]!r}. Is it the right column, and are its quotation marks complete?"
            )


def as_text(value: Any, place: str) -> str:
    """Return a cell as text: "" for a missing value, bytes as UTF-8, 1 for 1.0, True for true.

    Raises BertlineError, which names the `place`, for a cell with several values, bytes that are
    not UTF-8, half a character, and a float too large to tell it from its neighbours.
    """
    match value:
        case None:
            return ""
        case str():
            if HALF.search(value):
                raise BertlineError(
                    f"{place}: half a character (a lone surrogate); correct the text."
                )
            return value
        case bytes():
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BertlineError(
                    f"{place}: the column holds bytes, and byte 0x{value[error.start]:02x} is not "
                    f"UTF-8. Store the column as text."
                ) from error
        case int():  # True and False, too
            return str(value)
        case float() | np.floating():
            return _float(value, place)
        case decimal.Decimal():
            whole = value == value.to_integral_value()
            return str(int(value)) if whole else f"{value:f}"
        case _ if isinstance(value, PLAIN):
            return str(value)
    raise BertlineError(
        f"{place}: expected a text or a number, found a {type(value).__name__} of several values."
    )


def _float(value: float | np.floating, place: str) -> str:
    if value != value:  # not a number
        return ""
    if not value.is_integer():
        return str(value)
    if abs(value) >= 2 ** (np.finfo(type(value)).nmant + 1):
        raise BertlineError(
            f"{place}: {value} is a float too large to keep its last digits, so that different "
            f"rows may look alike. {ROUNDED_ADVICE}"
        )
    return str(int(value))


# Each reader returns the names of all columns, and the values of those `wanted` that there are.
Found = tuple[list[str], dict[str, Sequence[Any]]]


def _read_parquet(path: Path, wanted: Sequence[str]) -> Found:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        single = [name for name in wanted if names.count(name) == 1]
        table = file.read(columns=single)  # for the name a.b, with a part b of a column a
    table.validate(full=True)  # reading does not look whether texts are UTF-8
    found: dict[str, Sequence[Any]] = {}
    for name in single:
        column = table.column(name)
        # As numbers of NumPy, floats keep their precision: 0.1 in 32 bits is no 0.10000000149.
        exact = not pa.types.is_floating(column.type)
        found[name] = column.to_pylist() if exact else list(column.to_numpy())
    return names, found


def _read_rows(rows: Iterator[tuple[int, list[str]]], path: Path, wanted: Sequence[str]) -> Found:
    """Read `rows`, each a line number and cells; the first names the columns."""
    _, header = next(rows, (0, []))
    if not any(header):
        raise ValueError("it is empty; the first line should name the columns.")
    places = {name: header.index(name) for name in wanted if name in header}
    found: dict[str, list[str]] = {name: [] for name in places}
    for line, cells in rows:
        if len(cells) != len(header):
            count = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
            than = "more" if len(cells) > len(header) else "fewer"
            advice = (
                "A text with a comma or a line break stands in quotation marks"
                if path.suffix == ".csv"
                else "Texts with tabs or line breaks fit into CSV or JSON lines, not into TSV"
            )
            raise ValueError(
                f"line {line} has {count}, {than} cells than the first line has names of columns "
                f"({', '.join(header)}). {advice}."
            )
        for name, place in places.items():
            found[name].append(cells[place])
    return header, {**found}


def _tab_rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line that is not empty; nothing is quoted."""
    quoted = 0
    for number, line in enumerate(split_lines(text), start=1):
        if line:
            cells = line.split("\t")
            quoted += any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)
            yield number, cells
    if quoted:
        console.log(
            f"{path}: {quoted:,} lines have a cell in quotation marks, which are taken for part of "
            f"the text. If they are not, save the table as .csv."
        )


def _comma_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line and the cells of each row that is not empty.

    Raises ValueError, with the line, for a quotation mark that does not close or closes early, and
    for a carriage return without quotation marks in the middle of a line.
    """
    earlier = csv.field_size_limit(sys.maxsize)  # else a text of a million characters is refused
    try:
        reader = csv.reader(_lines_with_ends(text), strict=True)
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


def _lines_with_ends(text: str) -> Iterator[str]:
    """Yield lines with their ends, LF or, where none is, CR; StringIO takes 4 bytes a character."""
    end, start = "\n" if "\n" in text else "\r", 0
    while start < len(text):
        stop = text.find(end, start) + 1 or len(text)
        yield text[start:stop]
        start = stop


def _read_json_lines(text: str, path: Path, wanted: Sequence[str]) -> Found:
    """Read a row per line that is not blank; integers keep the digits that they have."""
    names: dict[str, None] = {}
    found: dict[str, list[Any]] = {name: [] for name in wanted}
    for number, line in enumerate(split_lines(text), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_int=str, object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError) as error:
            raise BertlineError(f"{path}, line {number} is not valid JSON: {error}.") from error
        if not isinstance(row, dict):
            raise BertlineError(f'{path}, line {number}: expected {{"column": value, …}}.')
        names.update(dict.fromkeys(row))
        for name, values in found.items():
            values.append(row.get(name))
    return [*names], {name: values for name, values in found.items() if name in names}


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated!r} stands there twice")
    return row
