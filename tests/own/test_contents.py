"""Which column holds what."""

import json
from pathlib import Path

import pytest

from bertline.core.errors import BertlineError
from bertline.corpora.readers import Layout
from bertline.own import contents

COUNT = 20
TEXT = [f"The lamp of house {number} glows, and nobody knows why." for number in range(COUNT)]
TITLE = [f"Lamp {number}" for number in range(COUNT)]
KIND = ["good", "bad"] * (COUNT // 2)
DAY = [f"2001-02-{number + 1:02}" for number in range(COUNT)]
NUMBER = list(range(COUNT))

TABLES: dict[str, tuple[dict[str, list], dict[str, str]]] = {
    "by-name": ({"label": KIND, "text": TITLE}, {"text": "text", "label": "label"}),
    "by-length": ({"Titel": TITLE, "Inhalt": TEXT}, {"text": "Inhalt"}),
    "name-of-a-short-column": ({"title": KIND, "x": TEXT}, {"text": "x", "label": "title"}),
    "by-repetition": ({"Art": KIND, "Satz": TEXT}, {"text": "Satz", "label": "Art"}),
    "words-before-numbers": (
        {"stock": [1, 2] * 10, "Art": KIND, "Satz": TEXT},
        {"text": "Satz", "label": "Art"},
    ),
    "id-and-date": (
        {"id": NUMBER, "CreatedDateTime": DAY, "Satz": TEXT},
        {"text": "Satz", "id": "id", "date": "CreatedDateTime"},
    ),
    "id-that-repeats": ({"id": [1] * COUNT, "Satz": TEXT}, {"text": "Satz"}),
    "rounded-id": ({"id": ["1.5e+18", *NUMBER[1:]], "Satz": TEXT}, {"text": "Satz"}),
    "other-dates": ({"date": ["3/2/2001"] + DAY[1:], "Satz": TEXT}, {"text": "Satz"}),
    "years-are-no-classes": ({"n": ["2001", "2002"] * 10, "Satz": TEXT}, {"text": "Satz"}),
}


def look(folder: Path, table: dict[str, list]) -> contents.Contents:
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return contents.look_into([path], Layout("json"))


@pytest.mark.parametrize(("table", "expected"), TABLES.values(), ids=TABLES)
def test_columns_are_recognised(tmp_path, table, expected):
    assert contents.guess_columns(look(tmp_path, table), {}) == expected


def test_what_is_said_is_no_guess_and_not_guessed_twice(tmp_path):
    found = look(tmp_path, {"title": TITLE, "text": TEXT, "label": KIND})

    named = contents.guess_columns(found, {"text": "title", "group": "label"})

    assert named == {"text": "title", "group": "label"}


def test_column_of_lists_is_of_no_use(tmp_path):
    found = look(tmp_path, {"text": [["a"]] * COUNT, "Satz": TEXT})

    assert contents.guess_columns(found, {}) == {"text": "Satz"}
    with pytest.raises(BertlineError, match="row 1, column 'text': .*a list of several values"):
        contents.guess_columns(found, {"text": "text"})


def test_ids_are_no_texts_and_nested_fields_are_named(tmp_path):
    table = {"id": TITLE, "body": [{"text": text} for text in TEXT]}

    with pytest.raises(BertlineError, match="no column holds texts: id, body.*'body'.*of its own"):
        contents.guess_columns(look(tmp_path, table), {})


def test_column_named_as_dates_has_dates_only(tmp_path):
    found = look(tmp_path, {"day": ["27.1.2001"] + DAY[1:], "text": TEXT})

    with pytest.raises(BertlineError, match=r"'day': 1 of 20 values are no dates .*'27\.1\.2001'"):
        contents.guess_columns(found, {"date": "day"})


def test_empty_cells_and_rows_are_counted(tmp_path):
    found = look(tmp_path, {"text": ["a lamp", "", " "], "label": ["NA", "null", ""]})

    assert (found.total, found.columns["text"].filled) == (3, 1)
    assert dict(found.columns["label"].values) == {"NA": 1, "null": 1}
