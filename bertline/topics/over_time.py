"""Topics over time: how many documents of each topic are of each decade, year, month, or day."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from bertline.core import console

MOST = 30  # periods: the finest unit with no more is taken
# Share of the dates at either end that decide no unit and are left out: a mistyped year would
# stretch the range.
STRAY = 0.005


class Unit(NamedTuple):
    """A unit of time; periods have numbers, one after another."""

    name: str
    letters: int  # of an ISO date that tell the unit
    number: Callable[[date], int]
    label: Callable[[int], str]  # of the period with a number, in the order of time


# From the finest to the coarsest. A week begins on Monday, as day 1 of the calendar was one.
UNITS = (
    Unit("day", 10, date.toordinal, lambda number: date.fromordinal(number).isoformat()),
    Unit(
        "week",
        10,
        lambda day: (day.toordinal() - 1) // 7,
        lambda number: date.fromordinal(7 * number + 1).isoformat(),
    ),
    Unit(
        "month",
        7,
        lambda day: 12 * day.year + day.month - 1,
        lambda number: f"{number // 12:04}-{number % 12 + 1:02}",
    ),
    Unit(
        "quarter",
        7,
        lambda day: 4 * day.year + (day.month - 1) // 3,
        lambda number: f"{number // 4:04}-Q{number % 4 + 1}",
    ),
    Unit("year", 4, lambda day: day.year, lambda number: f"{number:04}"),
    Unit("decade", 4, lambda day: day.year // 10, lambda number: f"{10 * number:04}s"),
)


def read_date(text: str) -> date:
    """Return the day of an ISO date, with a time or not; of a month or a year its first day."""
    year, month, day = (text[:10].split("-") + ["1", "1"])[:3]
    return date(int(year), int(month), int(day))


def count_periods(topics: np.ndarray, dates: Sequence[object]) -> list[dict[str, Any]]:
    """Return the rows of over_time.csv: each topic's documents in each period, and their share.

    topics: of each document, outliers too, shape (n,). dates: of each document as `parse` keeps
    them, None where there is none. `share` is of all documents of the period, None where it has
    none. The unit is the finest that all dates have and that divides their range into `MOST`
    periods or fewer. Documents without a date are left out, as are strays; the log has how many.
    """
    given = [text.strip() if isinstance(text, str) else "" for text in dates]  # pandas has NaN
    known = [number for number, text in enumerate(given) if text]
    if not known:
        return []
    texts = [given[number] for number in known]
    days = [read_date(text) for text in texts]
    ordered = sorted(days)
    stray = int(STRAY * len(days))
    first, last = ordered[stray], ordered[len(days) - 1 - stray]
    letters = min(len(text[:10]) for text in texts)
    usable = [unit for unit in UNITS if unit.letters <= letters]
    few = [unit for unit in usable if unit.number(last) - unit.number(first) < MOST]
    unit = (few or usable[-1:])[0]
    start, end = unit.number(first), unit.number(last)
    periods = np.array([unit.number(day) - start for day in days])
    within = (periods >= 0) & (periods <= end - start)
    left_out = len(dates) - int(within.sum())
    if left_out:
        console.log(
            f"topics over time: {left_out:,} documents have no date, or one outside of "
            f"{unit.label(start)} to {unit.label(end)}, and are left out"
        )
    of_topic = np.asarray(topics)[known][within]
    names = np.unique(topics)
    counts = np.zeros((len(names), end - start + 1), np.int64)
    np.add.at(counts, (np.searchsorted(names, of_topic), periods[within]), 1)
    totals = counts.sum(axis=0)
    return [
        {
            "topic": int(topic),
            "period": unit.label(start + period),
            "documents": int(count),
            "share": round(int(count) / int(totals[period]), 4) if totals[period] else None,
        }
        for topic, row in zip(names, counts, strict=True)
        for period, count in enumerate(row)
    ]
