"""Values of any type as texts: what is exact, and what is refused because it is not."""

import datetime
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.core.errors import BertlineError
from bertline.corpora import columns

LARGE = 1517074359571075123  # and its neighbour are the same as floats


@pytest.fixture
def read(tmp_path) -> Callable[..., list[str]]:
    """Return a function that writes a Parquet column, or bytes, and reads its texts."""

    def read(content: pa.Array | bytes, ending: str = "parquet") -> list[str]:
        path = tmp_path / f"a.{ending}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pq.write_table(pa.table({"text": content}), path)
        return columns.read(path, ["text"])["text"]

    return read


UUID = uuid.UUID(int=5)
VALUES = {
    "text": (["a", None], pa.string(), ["a", ""]),
    "large-text": (["a", None], pa.large_string(), ["a", ""]),
    "bytes": (["Köln".encode(), None], pa.binary(), ["Köln", ""]),
    "large-bytes": (["Köln".encode(), None], pa.large_binary(), ["Köln", ""]),
    "fixed-bytes": ([b"ab", None], pa.binary(2), ["ab", ""]),
    "integers": ([LARGE, LARGE + 1, None], pa.int64(), [str(LARGE), str(LARGE + 1), ""]),
    "unsigned": ([2**64 - 1, None], pa.uint64(), ["18446744073709551615", ""]),
    "floats": ([7, 0.1, 2.0**53 - 1, None], pa.float64(), ["7", "0.1", "9007199254740991", ""]),
    "short-floats": ([7, 0.1, 2.0**24 - 1, None], pa.float32(), ["7", "0.1", "16777215", ""]),
    "half-floats": ([7, 0.5, None], pa.float16(), ["7", "0.5", ""]),
    "decimals": ([Decimal("7.00"), Decimal("7.25"), None], pa.decimal128(9, 2), ["7", "7.25", ""]),
    "large-decimals": ([Decimal("1" * 38), None], pa.decimal128(38, 0), ["1" * 38, ""]),
    "truth-values": ([True, False, None], pa.bool_(), ["True", "False", ""]),
    "dates": ([datetime.date(2001, 2, 3), None], pa.date32(), ["2001-02-03", ""]),
    "times": (
        [981158400000000001, None],
        pa.timestamp("ns"),
        ["2001-02-03 00:00:00.000000001", ""],
    ),
    "identifiers": ([UUID.bytes, None], pa.uuid(), [str(UUID), ""]),
    "nothing": ([None, None], pa.null(), ["", ""]),
}


@pytest.mark.parametrize(("values", "kind", "texts"), VALUES.values(), ids=VALUES)
def test_values_of_parquet_are_exact_texts(read, values, kind, texts):
    assert read(pa.array(values, kind)) == texts


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["a", None, "b", "a"], ["a", "", "b", "a"]),
        ([b"\xc3\xb6", None], ["ö", ""]),
        ([LARGE, None, LARGE + 1], [str(LARGE), "", str(LARGE + 1)]),
    ],
    ids=["texts", "bytes", "integers"],
)
def test_values_that_parquet_stores_once_are_exact_texts(read, values, texts):
    assert read(pa.array(values).dictionary_encode()) == texts


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([b"a", b"gl\xfcht"]), "row 2, column 'text': .*byte 0xfc is not UTF-8"),
        (pa.array([1, 1.5e18]), r"row 2, column 'text': 1\.5e\+18 is a float too large"),
        (pa.array([1, 2**24], pa.float32()), "row 2, column 'text': .*too large"),
        (pa.array([0.5, float("-inf")]), "row 2, column 'text': -inf is a float too large"),
        (pa.array([float("inf")], pa.float16()), "row 1, column 'text': inf .*too large"),
        (pa.array([["a"]]), "row 1, .* found a list of several values"),
        (pa.array([{"a": 1}]), "row 1, .* found a dict of several values"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())), "found a list of several"),
        (pa.array([2**60], pa.timestamp("ms")), "cannot be read as a parquet table"),
    ],
    ids=[
        "bytes",
        "float",
        "short-float",
        "infinite",
        "short-infinite",
        "list",
        "struct",
        "map",
        "date",
    ],
)
def test_value_of_parquet_that_is_no_text_is_named(read, values, message):
    with pytest.raises(BertlineError, match=rf"a\.parquet.*{message}"):
        read(values)


def test_index_of_a_frame_is_a_column_and_a_part_of_a_column_is_none(tmp_path):
    frame = pd.DataFrame({"text": ["x", "y"]}, index=pd.Index([5, 6], name="id"))
    frame.to_parquet(tmp_path / "a.parquet")
    parts = pa.table({"a": [{"b": "other"}], "a.b": ["x"]})
    pq.write_table(parts, tmp_path / "b.parquet")

    found = columns.read(tmp_path / "a.parquet", ["text"], optional=["id"])
    assert found == {"text": ["x", "y"], "id": ["5", "6"]}
    assert columns.read(tmp_path / "b.parquet", ["a.b"]) == {"a.b": ["x"]}
    with pytest.raises(BertlineError, match=r"no column 'b' \(known: a, a\.b\)"):
        columns.read(tmp_path / "b.parquet", ["b"])


def test_values_of_json_lines_are_exact_texts(read):
    values = f'null, NaN, true, 7.0, 0.10, 1e5, {LARGE}, {"1" * 5000}, "a\u2028b\\r", -0'
    lines = "".join(f'{{"text": {value}}}\n' for value in values.split(", "))

    assert read(lines.encode(), "jsonl") == [
        *("", "", "True", "7", "0.1", "100000", str(LARGE), "1" * 5000, "a\u2028b\r", "-0")
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f'{{"text": {LARGE}.0}}', "row 1, column 'text': .*too large"),
        ('{"text": 0.5}\n{"text": -1e400}', "row 2, column 'text': -inf is a float too large"),
        ('{"text": Infinity}', "row 1, column 'text': inf is a float too large"),
        ('{"text": "a", "text": "b"}', "line 1 is not valid JSON: the key 'text' stands"),
        ('{"text": ' + "[" * 100_000, "line 1 is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
    ],
    ids=["float", "huge", "infinite", "repeated-key", "nested", "nested-array"],
)
def test_json_line_that_would_be_misread_is_named(read, line, message):
    with pytest.raises(BertlineError, match=message):
        read(line.encode(), "jsonl")


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order-mark"])
def test_row_ends_at_the_end_of_a_line_and_nowhere_else(read, ending, end, mark):
    text = "a\u2029b\u2028c\x0bd\x0ce\x85f\x1cg"
    head, line = "text" + end, text
    if ending == "jsonl":
        head, line = "", json.dumps({"text": text}, ensure_ascii=False)

    assert read((mark + head + line + end + line + end).encode(), ending) == [text, text]


def test_line_ends_of_a_csv_file_may_be_mixed_and_those_in_a_text_are_kept(read):
    content = b'text\r\na\n"b\r\nc"\r\n"d\re\nf"\n'

    assert read(content, "csv") == ["a", "b\r\nc", "d\re\nf"]


@pytest.mark.parametrize("value", ["1.517074359571075e+18", "1,51707E+18", "-1.5e+18", "2E+18"])
def test_identifier_that_was_rounded_is_named(tmp_path, value):
    with pytest.raises(BertlineError, match=r"a\.csv, row 2, column 'key': .* lost its last"):
        columns.check_identifiers(["1", value], tmp_path / "a.csv", "key")


def test_identifier_that_looks_like_a_rounded_number_is_kept(tmp_path):
    # Digests and codes, and numbers with an exponent that keep their digits.
    columns.check_identifiers(["123e4567", "1e20", "1.5e-7", "E+18"], tmp_path / "a.csv", "key")


def test_float_is_whole_up_to_the_precision_of_its_type():
    values = [np.float32(2**24 - 1), float(2**24), -0.0]
    texts = [columns.as_text(value, Path("a.csv"), 1, "text") for value in values]
    assert texts == ["16777215", "16777216", "0"]


@pytest.mark.parametrize("date", ["2001", "2001-02", "2001-02-03", "2001-02-03T10:00Z", " 1999 "])
def test_year_month_and_day_are_dates(date):
    assert columns.is_date(date)


@pytest.mark.parametrize("other", ["3/2/2001", "2001-13", "2001-02-30", "01-02-2003", "20010203"])
def test_other_date_is_named(other):
    with pytest.raises(BertlineError, match=f"row 3, column 'day': .*found '{other}'"):
        columns.check_dates(["", "2001", other], Path("a.csv"), "day")


def test_rows_are_yielded_one_by_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,id\na,1\nb,2,3\n", encoding="utf-8")
    rows = columns.stream(path, ["text"], optional=["id", "other"])

    assert next(rows) == {"text": "a", "id": "1", "other": ""}
    with pytest.raises(BertlineError, match="line 3 has 3 cells"):
        next(rows)


def test_all_columns_that_are_missing_or_double_are_named_at_once(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("body,a,a\nx,1,2\n", encoding="utf-8")

    message = "several columns named 'a'.*, and no column 'text'.*, and no column 'label'"
    with pytest.raises(BertlineError, match=message):
        columns.read(path, ["text", "label", "a"])
