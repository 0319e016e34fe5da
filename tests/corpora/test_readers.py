"""Every layout of a file that people have, and what is said of one that is laid out otherwise."""

import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.core.errors import BertlineError
from bertline.corpora import columns
from bertline.corpora.readers import Layout

BOTH = ["text", "label"]
ROWS = {"text": ["A lamp; it glows", "NA"], "label": ["null", "None"]}


@pytest.fixture
def read(tmp_path) -> Callable[..., columns.Cells]:
    """Return a function that writes a file and reads its text and label."""

    def read(name: str, content: str | bytes, wanted=BOTH, **layout) -> columns.Cells:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return columns.read(path, wanted, layout=Layout(**layout))

    return read


FILES = {
    "comma": ("a.csv", "text,label\nA lamp; it glows,null\nNA,None\n", {}),
    "semicolon": (
        "a.csv",
        'text;label\n"A lamp; it glows";null\nNA;None\n',
        {"separator": ";"},
    ),
    "bar": ("a.csv", "label|text\nnull|A lamp; it glows\nNone|NA\n", {"separator": "|"}),
    "quoted-tab": (
        "a.tsv",
        'text\tlabel\n"A lamp; it glows"\tnull\nNA\tNone\n',
        {"type": "csv", "separator": "\t"},
    ),
    "excel-says-separator": (
        "a.csv",
        'sep=;\r\ntext;label\r\n"A lamp; it glows";null\r\nNA;None\r\n',
        {},
    ),
    "blanks-in-the-header": ("a.csv", " text ,label \nA lamp; it glows,null\nNA,None\n", {}),
    "capitals": ("A.TSV", "text\tlabel\nA lamp; it glows\tnull\nNA\tNone\n", {}),
    "names-of-no-header": (
        "a.csv",
        "A lamp; it glows,null\nNA,None\n",
        {"header": ["text", "label"]},
    ),
    "json-lines": (
        "a.JSONL",
        '{"label": "null", "text": "A lamp; it glows"}\n\n{"text": "NA", "label": "None"}\n',
        {},
    ),
    "json-array": (
        "a.json",
        '[\n {"label": "null",\n  "text": "A lamp; it glows"},\n {"text": "NA", "label": "None"}]',
        {},
    ),
    "fasttext": (
        "a.txt",
        "__label__null A lamp; it glows\n__label__None NA\n",
        {"type": "labelled-lines"},
    ),
    "label-and-tab": (
        "a.txt",
        "null\tA lamp; it glows\r\nNone\tNA\r\n",
        {"type": "labelled-lines", "separator": "\t"},
    ),
    "wide": (
        "a.txt",
        "label\ttext\r\nnull\tA lamp; it glows\r\nNone\tNA\r\n".encode("utf-16"),
        {"type": "csv", "separator": "\t", "encoding": "utf-16"},
    ),
}


@pytest.mark.parametrize(("name", "content", "layout"), FILES.values(), ids=FILES)
def test_rows_are_the_same_from_every_layout(read, name, content, layout):
    assert read(name, content, **layout) == ROWS


def test_columns_without_a_header_are_named_by_number(read):
    found = read("a.csv", "1;A lamp\n0;A lamps\n", ["2", "1"], separator=";", header=False)

    assert found == {"2": ["A lamp", "A lamps"], "1": ["1", "0"]}


def test_line_of_a_text_file_is_a_text_and_an_empty_one_is_empty(read):
    assert read("a.txt", "A lamp.\n\nnan\n", ["text"]) == {"text": ["A lamp.", "", "nan"]}


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "utf-16", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_every_encoding_is_read_with_every_line_end(read, encoding, end):
    content = f"text{end}Lämpchen{end}größer{end}".encode(encoding)

    assert read("a.csv", content, ["text"], encoding=encoding)["text"] == ["Lämpchen", "größer"]


@pytest.mark.parametrize(
    ("name", "content", "layout", "message"),
    [
        ("a.csv", "text;label\nA;1\n", {}, 'separated by semicolons. Set `separator: ";"`'),
        ("a.csv", "text\tlabel\nA\t1\n", {}, r'separated by tabs. Set `separator: "\\t"`'),
        ("a.tsv", "text,label\nA,1\n", {}, "separated by commas"),
        ("a.csv", "text;label\nA, b;1\n", {}, "no column 'text', .*separated by semicolons"),
        ("a.csv", "text,label\na,1\nb\nc,1,2\nd\n", {}, "line 3 .* 2 other lines have another"),
        ("a.csv", "a,1\nb\n", {"header": BOTH}, r"line 2 has 1 cell, .* 2 columns are named"),
        ("a.txt", "good\n", {"type": "labelled-lines"}, "line 1 has a label and no text"),
        (
            "a.txt",
            "__label__a __label__b both\n",
            {"type": "labelled-lines"},
            "line 1 has several labels",
        ),
        ("a.json", '{"text": "a",\n "label": 1}', {}, "line 1 is not valid JSON.*one array"),
        ("a.json", '["a"]', {}, 'row 1: expected {"column": value'),
        ("a.xlsx", "", {}, "Save As, `CSV UTF-8"),
        ("a.csv.gz", "", {}, "Unpack it first"),
        ("a.doc", "", {}, "expected a file that ends in .csv"),
    ],
)
def test_file_that_is_laid_out_otherwise_is_explained(read, name, content, layout, message):
    with pytest.raises(BertlineError, match=rf"{name}.*{message}"):
        read(name, content, **layout)


def test_no_message_suggests_a_column_that_holds_a_separator(read):
    with pytest.raises(BertlineError) as caught:
        read("a.csv", "text;label\nA;1\n")

    assert "did you mean" not in str(caught.value) and "known:" not in str(caught.value)


def test_folder_of_texts_has_the_name_of_the_folder_and_the_path(tmp_path):
    for name, text in {"sport/b.txt": "A goal.", "sport/a.txt": "A race.\n", "c": "Loose."}.items():
        path = tmp_path / "news" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "news" / ".DS_Store").write_bytes(b"\0")

    found = columns.read(tmp_path / "news", ["text", "folder", "path"])

    assert found == {
        "text": ["Loose.", "A race.\n", "A goal."],
        "folder": ["", "sport", "sport"],
        "path": ["news/c", "news/sport/a.txt", "news/sport/b.txt"],
    }


def test_batches_of_parquet_are_one_table(tmp_path):
    count = 3_000
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(count)]}), tmp_path / "a.parquet")

    assert columns.read(tmp_path / "a.parquet", ["text"])["text"][-1] == f"text {count - 1}"


def test_json_column_that_some_rows_lack_is_empty_there(read):
    lines = "".join(json.dumps(row) + "\n" for row in ({"text": "a"}, {"text": "b", "label": 1}))

    assert read("a.jsonl", lines) == {"text": ["a", "b"], "label": ["", "1"]}
