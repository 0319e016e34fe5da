"""Columns of a file as texts, whatever its format (`bertline.corpora.readers`).

A cell of CSV or TSV is the text that stands there. Values of JSON and Parquet become texts by
one rule: bytes are UTF-8, an integer keeps all its digits, a whole number has no decimals, and a
missing value is an empty text. None passes through pandas, which turns integers with a missing
value into floats, and the text "NA" into a missing value.
"""

import csv
import datetime
import decimal
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bertline.core.errors import BertlineError
from bertline.core.params import nearest
from bertline.corpora.readers import READERS, Layout, Names, type_of

# A surrogate without its partner: JSON can hold one, and no file can be written with it.
HALF = re.compile("[\ud800-\udfff]")
# A large number as pandas and spreadsheets write it: 1.517074359571075e+18, 1,51707E+18, 2E+18.
ROUNDED = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d\d+")
ROUNDED_ADVICE = "Write the column as integers or as text, from where its digits are complete."
PLAIN = (datetime.date, datetime.time, datetime.timedelta, uuid.UUID)
# A year, a month or a day as ISO 8601 writes it, with or without a time.
DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ]\d\d:\d\d.*)?)?)?")
AS_READ = Layout()

Cells = dict[str, list[str]]


def read(
    path: Path, required: Sequence[str], *, optional: Sequence[str] = (), layout: Layout = AS_READ
) -> Cells:
    """Return the cells of the columns that are asked for, by name, in the order of the rows.

    A missing value is an empty text; `optional` columns that the file lacks are left out.
    Raises BertlineError, with the line or the row, for a file that cannot be read, lacks a required
    column or has it twice, and for a cell that is no text.
    """
    names: Names = {}
    wanted = list(dict.fromkeys([*required, *optional]))
    found: Cells = {name: [] for name in wanted}
    for row in _texts(path, required, wanted, names, layout):
        for cells, cell in zip(found.values(), row, strict=True):
            cells.append(cell)
    return {name: cells for name, cells in found.items() if name in names}


def stream(
    path: Path, required: Sequence[str], *, optional: Sequence[str] = (), layout: Layout = AS_READ
) -> Iterator[dict[str, str]]:
    """Yield the same row by row; a column that the file or the row lacks is an empty text."""
    wanted = list(dict.fromkeys([*required, *optional]))
    for row in _texts(path, required, wanted, {}, layout):
        yield dict(zip(wanted, row, strict=True))


def _texts(
    path: Path, required: Sequence[str], wanted: Sequence[str], names: Names, layout: Layout
) -> Iterator[list[str]]:
    checked = False
    for number, values in enumerate(raw_rows(path, wanted, names, layout), start=1):
        if not checked and (layout.type or type_of(path)) != "json":  # whose rows name their own
            check_columns(path, names, required, wanted)
            checked = True
        yield [
            as_text(value, path, number, name) for name, value in zip(wanted, values, strict=True)
        ]
    check_columns(path, names, required, wanted)


def raw_rows(
    path: Path, wanted: Sequence[str], names: Names, layout: Layout = AS_READ
) -> Iterator[Sequence[Any]]:
    """Yield the values of wanted columns as the file has them, None for those that it lacks.

    names: takes up how many columns have each name. Raises BertlineError for a file that cannot be
    read.
    """
    kind = layout.type or type_of(path)
    try:
        yield from READERS[kind](path, wanted, names, layout._replace(type=kind))
    # Arrow raises OSError for damaged pages, and OverflowError for a date after the year 9999.
    except (pa.ArrowException, OSError, ValueError, OverflowError, csv.Error) as error:
        what = f"a {kind} table" if kind in ("csv", "tsv", "parquet") else kind
        raise BertlineError(f"{path} cannot be read as {what}: {error}") from error


def check_columns(path: Path, names: Names, required: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise BertlineError for required columns that are missing, and wanted ones named twice."""
    wrong = [
        f"several columns named {name!r}, so it is not clear which one to read (rename them)"
        for name in wanted
        if names.get(name, 0) > 1
    ]
    wrong += [
        f"no column {name!r}{nearest(name, [*names])}" for name in required if name not in names
    ]
    if wrong:
        raise BertlineError(f"{path} has {', and '.join(wrong)}.")


def check_dates(values: Iterable[str], path: Path, column: str) -> None:
    """Raise BertlineError for what is neither empty nor a year, month or day of ISO 8601."""
    for number, value in enumerate(values, start=1):
        if value.strip() and not is_date(value):
            raise BertlineError(
                f"{path}, row {number}, column {column!r}: expected a date such as 2001-02-03, "
                f"2001-02 or 2001, with or without a time; found {value[:100]!r}. Leave `date` out "
                f"of `columns` if topics over time are of no use."
            )


def is_date(value: str) -> bool:
    """Return whether a text is a year, month or day of ISO 8601, with or without a time."""
    parts = DATE.fullmatch(value.strip())
    if not parts:
        return False
    try:
        datetime.date(int(parts[1]), int(parts[2] or 1), int(parts[3] or 1))
    except ValueError:
        return False
    return True


def check_identifiers(values: Iterable[str], path: Path, column: str, first: int = 1) -> None:
    """Raise BertlineError for a cell that was rounded when it was written: 1.517e+18.

    Different identifiers are the same after that. For columns that tell rows apart; first: the
    number of the first row.
    """
    for number, value in enumerate(values, start=first):
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


def as_text(value: Any, path: Path, row: int, column: str) -> str:
    """Return a cell as text: "" for a missing value, bytes as UTF-8, 1 for 1.0, True for true.

    Raises BertlineError, which names the place, for a cell with several values, bytes that are
    not UTF-8, half a character, and a float too large to tell it from its neighbours.
    """
    if isinstance(value, str) and not HALF.search(value):
        return value
    place = f"{path}, row {row}, column {column!r}"
    match value:
        case None:
            return ""
        case str():
            raise BertlineError(f"{place}: half a character (a lone surrogate); correct the text.")
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
    if abs(value) >= 2 ** (np.finfo(type(value)).nmant + 1):
        raise BertlineError(
            f"{place}: {value} is a float too large to keep its last digits, so that different "
            f"rows may look alike. {ROUNDED_ADVICE}"
        )
    return str(int(value)) if value.is_integer() else str(value)
