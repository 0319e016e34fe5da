"""Guess what the columns of a file hold: text, label or group, id and date."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from bertline.core.errors import BertlineError
from bertline.corpora import columns
from bertline.corpora.columns import ROUNDED
from bertline.corpora.readers import Layout, Names
from bertline.own.layouts import NAMES, known_as

DISTINCT = 100_000  # values of a column that are counted; more are no classes
LONG = 100  # characters from which a value is neither class nor id
NAMED = 1_000  # rows that are asked for the names of the columns
CLASSES = 1_000  # classes that a column has at most
WORDS = 4  # words of a class's name, on average, at most
SHOWN = 5  # rows that are shown
DATED = 0.5  # share of rows that have a date, at least


@dataclass
class Column:
    """What a column of the files holds."""

    filled: int = 0  # rows with something in it
    characters: int = 0
    words: int = 0
    long: int = 0  # values of LONG characters or more
    dates: int = 0
    rounded: int = 0
    values: Counter[str] = field(default_factory=Counter)  # the shorter ones, DISTINCT at most
    refused: str = ""  # why a value is no text

    def count(self, cell: str) -> None:
        """Count a cell."""
        if not cell.strip():
            return
        self.filled += 1
        self.characters += len(cell)
        self.words += cell.count(" ") + 1
        if len(cell) >= LONG:
            self.long += 1
            return
        self.dates += columns.is_date(cell)
        self.rounded += bool(ROUNDED.fullmatch(cell))
        value = cell.strip()
        if len(self.values) < DISTINCT or value in self.values:
            self.values[value] += 1

    @property
    def length(self) -> float:
        """Mean number of characters."""
        return self.characters / max(self.filled, 1)

    @property
    def is_classes(self) -> bool:
        """Whether the values can be classes: several, repeated, and short."""
        number = len(self.values)
        repeated = number <= max(2, self.filled / 2)
        short = not self.long and self.words <= WORDS * self.filled
        return 2 <= number <= CLASSES and repeated and short

    @property
    def no_date(self) -> str:
        """A clause with the first value that is no date."""
        first = next((value for value in self.values if not columns.is_date(value)), None)
        return f"; the first is {first!r}" if first else ""

    @property
    def is_number(self) -> bool:
        """Whether all values are numbers."""
        numbers = (value.replace(".", "", 1).lstrip("-").isdigit() for value in self.values)
        return not self.long and all(numbers)


@dataclass
class Contents:
    """What files of one layout hold, all of them together."""

    rows: dict[str, int]  # by file
    columns: dict[str, Column]
    first: list[dict[str, str]]  # the first rows of the first file

    @property
    def total(self) -> int:
        """Number of all rows."""
        return sum(self.rows.values())


def look_into(paths: Sequence[Path], layout: Layout) -> Contents:
    """Read files from start to end; BertlineError for one that cannot be read or has no row.

    Columns that share their name with another are left out.
    """
    names: Names = {}
    for _ in islice(columns.raw_rows(paths[0], [], names, layout), NAMED):
        pass
    wanted = [name for name, count in names.items() if count == 1]
    found = Contents({}, {name: Column() for name in wanted}, [])
    for path in paths:
        number, present = 0, Names()
        for number, row in enumerate(columns.raw_rows(path, wanted, present, layout), start=1):
            cells = {}
            for name, value in zip(wanted, row, strict=True):
                cells[name] = _take(value, found.columns[name], path, number, name)
            if len(found.first) < SHOWN:
                found.first.append(cells)
        if not number:
            raise BertlineError(f"{path} has no row of text.")
        columns.check_columns(path, present, wanted if layout.type != "json" else [], wanted)
        found.rows[str(path)] = number
    return found


def _take(value: Any, column: Column, path: Path, row: int, name: str) -> str:
    """Return a value as text and count it; a column with another value is no use, and says so."""
    try:
        cell = columns.as_text(value, path, row, name)
    except BertlineError as error:
        remedy = (
            " Write each of its values into a column of its own." if isinstance(value, dict) else ""
        )
        column.refused = column.refused or f"{error}{remedy}"
        return ""
    column.count(cell)
    return cell


def guess_columns(found: Contents, given: Mapping[str, str]) -> dict[str, str]:
    """Return which column is the text, the label, the id and the date, of those that there are.

    given: what the user says, by these names. Raises BertlineError for a column that is not there.
    """
    named = check(found, given)
    free = {
        name: column
        for name, column in found.columns.items()
        if name not in given.values() and not column.refused
    }
    guesses = {"text": _text, "label": _label, "id": _id, "date": _date}
    for kind, guess in guesses.items():
        if kind not in named and (name := guess(free, found.total)):
            named[kind] = name
            del free[name]
    if "text" not in named:
        refused = "".join(f" {column.refused}".rstrip() for column in found.columns.values())
        raise BertlineError(
            f"{next(iter(found.rows))}: no column holds texts: {', '.join(found.columns)}. Name "
            f"one: --text COLUMN.{refused}"
        )
    return {kind: named[kind] for kind in (*guesses, *given) if kind in named}


def check(found: Contents, named: Mapping[str, str]) -> dict[str, str]:
    """Return columns by what they hold; BertlineError for one that is not there or is no text."""
    for kind, name in named.items():
        if name not in found.columns:
            raise BertlineError(
                f"{next(iter(found.rows))} has no column {name!r} for the {kind}; it has "
                f"{', '.join(map(repr, found.columns))}. Name another: --{kind} COLUMN."
            )
        column = found.columns[name]
        if column.refused:
            raise BertlineError(column.refused)
        if kind == "date" and column.dates < column.filled:
            raise BertlineError(
                f"{next(iter(found.rows))}, column {name!r}: {column.filled - column.dates:,} of "
                f"{column.filled:,} values are no dates such as 2001-02-03, 2001-02 or 2001, with "
                f"or without a time{column.no_date}. Write them so, or name another column: --date "
                f"COLUMN."
            )
    return dict(named)


Free = Mapping[str, Column]


def _known(free: Free, kind: str, names: Iterable[str]) -> list[str]:
    """Return columns that are named as this kind, the clearest name first."""
    order = NAMES[kind].split()
    return sorted(
        (name for name in names if known_as(name, kind)),
        key=lambda name: order.index(name.strip().lower()),
    )


def _text(free: Free, total: int) -> str | None:
    texts = [
        name
        for name, column in free.items()
        if column.filled and not column.is_number and not known_as(name, "id")
    ]
    longest = max(texts, key=lambda name: free[name].length, default=None)
    if longest is None:
        return None
    clear = [
        name for name in _known(free, "text", texts) if free[name].length > free[longest].length / 4
    ]
    return clear[0] if clear else longest


def _label(free: Free, total: int) -> str | None:
    classes = [name for name, column in free.items() if name and column.is_classes]
    clear = _known(free, "label", classes) + _known(free, "group", classes)
    few = [
        name
        for name in classes
        if len(free[name].values) <= max(2, total / 4) and not _is_dates(free[name], total)
    ]
    words = [name for name in few if not free[name].is_number]
    return next(iter([*clear, *words, *few]), None)


def _id(free: Free, total: int) -> str | None:
    for name in _known(free, "id", free):
        column = free[name]
        if len(column.values) == column.filled == total and not column.rounded:
            return name
    return None


def _date(free: Free, total: int) -> str | None:
    dated = [name for name, column in free.items() if _is_dates(column, total)]
    named = [name for name in dated if "date" in name.lower() or "time" in name.lower()]
    return next(iter([*_known(free, "date", dated), *named]), None)


def _is_dates(column: Column, total: int) -> bool:
    return column.dates == column.filled >= DATED * total
