"""Outputs: whole or not at all, and the same bytes for the same content."""

import csv
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.core import files
from bertline.core.errors import BertlineError

SCHEMA = pa.schema([("id", pa.string()), ("count", pa.int32())])
TABLE = pd.DataFrame({"count": [1, 2], "id": ["a", "b"]})


def test_a_file_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "a.txt"

    with files.whole_file(target) as partial:
        partial.write_text("half")
        assert not target.exists()

    assert target.read_text() == "half"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("earlier")

    with pytest.raises(KeyboardInterrupt), files.whole_file(target) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt

    assert target.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_earlier_folder_and_nothing_else(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "a.txt").write_text("earlier")

    with pytest.raises(ValueError, match="stop"), files.whole_folder(target) as partial:
        (partial / "b.txt").write_text("half")
        raise ValueError("stop")

    assert [path.name for path in target.iterdir()] == ["a.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_replaces_the_earlier_one_whole(tmp_path):
    target = tmp_path / "out"
    for name in ("a.txt", "b.txt"):
        with files.whole_folder(target) as partial:
            (partial / name).write_text(name)

    assert [path.name for path in target.iterdir()] == ["b.txt"]


def test_what_a_killed_run_left_is_cleared(tmp_path):
    left = tmp_path / ".out.part"
    left.mkdir()
    (left / "old.txt").write_text("half")

    with files.whole_folder(tmp_path / "out") as partial:
        (partial / "new.txt").write_text("whole")

    assert [path.name for path in tmp_path.rglob("*.txt")] == ["new.txt"]
    assert not left.exists()


def test_a_table_has_the_schemas_columns_and_no_trace_of_pandas(tmp_path):
    files.write_table(tmp_path / "a.parquet", TABLE, SCHEMA)
    files.write_table(tmp_path / "b.parquet", TABLE, SCHEMA)

    assert pq.read_schema(tmp_path / "a.parquet") == SCHEMA
    assert pq.read_schema(tmp_path / "a.parquet").metadata is None
    assert files.sha256(tmp_path / "a.parquet") == files.sha256(tmp_path / "b.parquet")
    assert files.read_table(tmp_path / "a.parquet")["count"].tolist() == [1, 2]


def test_reading_a_missing_table_says_what_writes_it(tmp_path):
    with pytest.raises(BertlineError, match="does not exist.*dvc repro"):
        files.read_table(tmp_path / "a.parquet")


def test_reading_what_is_no_table_is_explained(tmp_path):
    (tmp_path / "a.parquet").write_text("<html>")

    with pytest.raises(BertlineError, match=r"cannot be read as the Parquet table.*dvc repro"):
        files.read_table(tmp_path / "a.parquet")


def test_json_keeps_order_and_refuses_what_is_no_number(tmp_path):
    files.write_json(tmp_path / "a.json", {"b": 1, "a": "é"})

    assert list(json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))) == ["b", "a"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "b.json", {"a": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_csv_has_line_feeds_only(tmp_path):
    files.write_csv(tmp_path / "a.csv", ["a", "b"], [[1, "x, y"]])

    assert (tmp_path / "a.csv").read_bytes() == b'a,b\n1,"x, y"\n'


def test_csv_keeps_a_line_break_within_a_cell(tmp_path):
    cells = ["x\ry", "x\ny", "x\r\ny\r\n"]
    files.write_csv(tmp_path / "a.csv", ["a"], [[cell] for cell in cells])

    with (tmp_path / "a.csv").open(newline="") as stream:
        assert [row for (row,) in csv.reader(stream)] == ["a", *cells]


def test_a_folder_that_holds_the_project_is_never_replaced(tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "kept.txt").write_text("work")
    monkeypatch.chdir(project / "data")

    for target in (project, tmp_path, project / "data"):
        with (
            pytest.raises(BertlineError, match="the project lies in it"),
            files.whole_folder(target),
        ):
            pass

    assert (project / "kept.txt").read_text() == "work"


def test_a_repository_is_never_replaced(tmp_path):
    (tmp_path / "other" / ".git").mkdir(parents=True)

    with (
        pytest.raises(BertlineError, match="the project lies in it"),
        files.whole_folder(tmp_path / "other"),
    ):
        pass

    assert (tmp_path / "other" / ".git").is_dir()


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    (tmp_path / "out").write_text("work")

    with (
        pytest.raises(BertlineError, match="is a file, and the output is a folder"),
        files.whole_folder(tmp_path / "out"),
    ):
        pass

    assert (tmp_path / "out").read_text() == "work"


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        files.write_table(tmp_path / name / "a.parquet", TABLE, SCHEMA)
        files.write_json(tmp_path / name / "a.json", {"b": 0.1, "a": ["é"]})

    for name in ("a.parquet", "a.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
