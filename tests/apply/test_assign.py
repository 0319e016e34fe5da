"""Documents to assign topics to, in each format that is read."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.apply import assign
from bertline.core.errors import BertlineError
from tests.command import call

TEXTS = ["Köln, um 8", "007", "1e5", "True"]
NEIGHBOURS = [1517074359571075123, 1517074359571075124]  # the same as floats


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("numbered", [True, False])
def test_documents_are_the_same_from_every_format(tmp_path, ending, numbered):
    path = tmp_path / f"new.{ending}"
    table = pd.DataFrame({"text": TEXTS, "id": [7, 8, 9, 10], "other": 1.5})
    table = table.drop(columns="id") if numbered else table
    match ending:
        case "jsonl":
            table.to_json(path, orient="records", lines=True)
        case "parquet":
            table.to_parquet(path)
        case _:
            table.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")

    ids, texts = assign.read_documents(path)

    assert texts == TEXTS
    assert ids == (["1", "2", "3", "4"] if numbered else ["7", "8", "9", "10"])


def test_document_of_a_text_file_ends_at_a_line_feed_and_nowhere_else(tmp_path):
    path = tmp_path / "new.txt"
    lines = ["a\u2029b\u2028c", "d\x0be\x0cf\x85g", "h\x1ci\x1dj\x1ek", "l\rm", "", "n"]
    path.write_bytes("\n".join(lines).encode() + b"\r\n")

    ids, texts = assign.read_documents(path)

    assert texts == lines
    assert ids == ["1", "2", "3", "4", "5", "6"]


def test_lines_of_a_text_file_with_carriage_returns_alone_are_documents(tmp_path):
    path = tmp_path / "new.txt"
    path.write_bytes("\ufeffa\rb\u2028c\r".encode())

    assert assign.read_documents(path)[1] == ["a", "b\u2028c"]


def test_large_integers_are_kept_beside_a_missing_one(tmp_path):
    path = tmp_path / "new.parquet"
    ids = pa.array([*NEIGHBOURS, None])
    pq.write_table(pa.table({"id": ids, "text": ["a", "b", "c"]}), path)

    assert assign.read_documents(path)[0] == [*map(str, NEIGHBOURS), ""]


def test_bytes_are_decoded(tmp_path):
    path = tmp_path / "new.parquet"
    pq.write_table(pa.table({"text": ["Köln".encode()]}), path)

    assert assign.read_documents(path)[1] == ["Köln"]


@pytest.mark.parametrize("ending", ["txt", "csv"])
def test_another_encoding_is_named(tmp_path, ending):
    path = tmp_path / f"new.{ending}"
    path.write_text("text\nKöln\n", encoding="latin-1")

    assert assign.read_documents(path, "latin-1")[1][-1] == "Köln"


def test_documents_without_text_are_counted(tmp_path, capsys):
    path = tmp_path / "new.jsonl"
    path.write_text('{"text": "a"}\n{"text": null}\n{"text": " "}\n{"id": 1}\n')

    assert assign.read_documents(path)[1] == ["a", "", " ", ""]
    assert "3 of 4 documents have no text. They get no topic" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("doc", b"orbit", "expected a file that ends in .csv, .*.txt, or a folder"),
        ("csv", b"body\norbit\n", "has no column 'text' .known: body"),
        ("csv", b"text\n", "has no document"),
        ("csv", b"", "cannot be read as a csv table: it is empty"),
        ("csv", b"text\nm\xfcsli\n", "line 2: byte 0xfc is not utf-8.*--encoding"),
        ("csv", b'text,id\na,1\n"b,2\nc,3\n"d",4\n', "line 3: .*ends with one"),
        ("csv", b'text,id\na,1\n"b,2\nc,3\n', "line 3: .*ends with one"),
        ("csv", b"text,id\na,1\nb,c,2\n", "line 3 has 3 cells, more"),
        ("csv", b"text\na\rb\nc\n", "line 2 has a carriage return in its middle"),
        ("csv", b"text,text\na,b\n", "several columns named 'text'"),
        ("csv", b"text,id\na,1.517074359571075e+18\n", "row 1, column 'id': .*lost its last"),
        ("tsv", b"text\tid\na\n", "line 2 has 1 cell, fewer"),
        ("jsonl", b'{"text": "a"}\n{"text": "a"', "line 2 is not valid JSON"),
        ("jsonl", b'{"text": "a", "text": "b"}\n', "line 1 .*the key 'text' stands there twice"),
        ("txt", b"orbit\nm\xfcsli\n", "line 2: byte 0xfc is not utf-8"),
        ("txt", b"orbit\n\nm\0sli\n", "line 3: a NUL byte"),
        ("txt", b"", "has no document"),
        ("parquet", b"orbit", "cannot be read as a parquet table"),
        ("npy", b"orbit", "cannot be read as the array"),
    ],
)
def test_documents_that_cannot_be_read_are_refused(tmp_path, name, content, message):
    path = tmp_path / f"new.{name}"
    path.write_bytes(content)

    with pytest.raises(BertlineError, match=rf"new\.{name}.*{message}"):
        call(assign, tmp_path, path, tmp_path / "topics.csv")


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BertlineError, match=r"new\.csv does not exist\. Name the file"):
        assign.read_documents(tmp_path / "new.csv")
