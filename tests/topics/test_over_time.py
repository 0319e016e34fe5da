"""Documents are counted by topic and period, and the periods suit the range of dates."""

from datetime import date, timedelta

import numpy as np
import pytest

from bertline.topics.over_time import UNITS, count_periods

START = date(2016, 2, 27)  # a Saturday


def days(count: int, step: int = 1) -> list[str]:
    return [(START + timedelta(days=step * number)).isoformat() for number in range(count)]


def periods(dates: list[str]) -> list[str]:
    return [row["period"] for row in count_periods(np.zeros(len(dates)), dates)]


def test_documents_by_topic_and_period_by_hand():
    dates = ["2001", "2001", "2003", "2001", "2003", None, "", float("nan")]

    rows = count_periods(np.array([0, 0, 0, -1, 1, 1, 1, 1]), dates)

    assert [tuple(row.values()) for row in rows] == [
        # topic, period, documents, share of the 3, 0 and 2 documents of the years
        (-1, "2001", 1, 0.3333),
        (-1, "2002", 0, None),
        (-1, "2003", 0, 0.0),
        (0, "2001", 2, 0.6667),
        (0, "2002", 0, None),
        (0, "2003", 1, 0.5),
        (1, "2001", 0, 0.0),
        (1, "2002", 0, None),
        (1, "2003", 1, 0.5),
    ]


@pytest.mark.parametrize(
    ("dates", "number", "first", "last"),
    [
        (["2016-02-27"], 1, "2016-02-27", "2016-02-27"),
        (days(30), 30, "2016-02-27", "2016-03-27"),
        (days(31), 6, "2016-02-22", "2016-03-28"),  # weeks begin on Mondays
        (days(300), 11, "2016-02", "2016-12"),
        (days(40, 50), 22, "2016-Q1", "2021-Q2"),
        (days(40, 200), 22, "2016", "2037"),
        (days(40, 500), 6, "2010s", "2060s"),
        (["0001-01-01", "9999-12-31"], 1000, "0000s", "9990s"),
        # no finer than the dates
        (["2016-01", "2016-02-03T10:00:00Z"], 2, "2016-01", "2016-02"),
        (["2016", "2017-02-03 10:00"], 2, "2016", "2017"),
    ],
    ids=["day", "days", "weeks", "months", "quarters", "years", "decades", "all", "month", "year"],
)
def test_the_unit_suits_the_range(dates, number, first, last):
    found = periods(dates)

    assert len(found) == number
    assert (found[0], found[-1]) == (first, last)
    assert found == sorted(found)


def test_a_stray_date_decides_nothing_and_is_counted(capsys):
    found = periods([*days(30) * 10, "1016-02-27"])

    assert len(found) == 30
    assert "1 documents have no date, or one outside of 2016-02-27 to 2016-03-27" in (
        capsys.readouterr().err
    )


def test_without_dates_there_are_no_rows():
    assert count_periods(np.array([0, 1]), [None, " "]) == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_label_of_a_day_is_that_of_its_period(unit):
    labels = [unit.label(unit.number(date.fromisoformat(day))) for day in days(800, 13)]

    assert labels == sorted(labels)
    if unit.name != "week":
        assert labels[0][:3] == "201"
