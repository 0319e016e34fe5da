"""A table of the user: CSV, TSV, JSON lines or Parquet, by the file's ending.

A CSV cell that holds a comma, a line break or a quotation mark stands in quotation marks (RFC
4180). TSV is read as CoLA is: tabs and line ends divide it, and a quotation mark is a letter.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.core.params import nearest
from bertline.corpora.rows import Rows, decode

LABELS = {"0": 0, "1": 1}
# A surrogate without its partner: JSON can hold one, and no file can be written with it.
HALF = re.compile("[\ud800-\udfff]")
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
# Folds that `split` draws from the training set: a test set of that name would be trained on.
FOLDS = ("train", "validation")


def read_sentences(
    folder: Path, *, files: Mapping[str, str], columns: Mapping[str, str], encoding: str
) -> Rows:
    """Read one table per set of labelled sentences.

    Returns rows with the columns id, set, source, label, mark, text and pair (the id, where the
    table has no such column): sentences of one pair share a fold. A row without text is
    dropped and counted; a missing column or a label other than 0 and 1 raises BertlineError.
    """
    if "in_domain_train" not in files:
        raise BertlineError(
            f"sources.yaml: `files` should name the table of in_domain_train, the "
            f"training set; found {', '.join(files)}."
        )
    taken = [name for name in files if name in FOLDS]
    if taken:
        raise BertlineError(
            f"sources.yaml: `files` has a set named {taken[0]}, like a fold of in_domain_train. "
            f"Give it another name, such as in_domain_dev."
        )
    rows = _read(folder, files, columns, encoding, required=("text", "label"), group="set")
    table = rows.table
    known = table["label"].isin(list(LABELS))
    if not known.all():
        row = table[~known].iloc[0]
        raise BertlineError(
            f"{folder / files[row['set']]}, row {row['id']}: expected the label 0 or 1 in column "
            f"{columns['label']!r}, found {row['label']!r}."
        )
    table["label"] = table["label"].map(LABELS)
    for name in ("source", "mark"):
        if name not in table:
            table[name] = ""
    pairs = table["pair"] if "pair" in table else pd.Series("", index=table.index)
    table["pair"] = pairs.where(
        pairs != "", table["id"]
    )  # a sentence without a pair is a pair of its own
    ordered = table[["id", "set", "source", "label", "mark", "text", "pair"]]
    return Rows(ordered, rows.rows_in, rows.dropped)


def read_documents(
    folder: Path, *, files: Mapping[str, str], columns: Mapping[str, str], encoding: str
) -> Rows:
    """Read one table per part of a document collection.

    Returns rows with the columns id, part, group (None without such a column) and text.
    """
    rows = _read(folder, files, columns, encoding, required=("text",), group="part")
    table = rows.table
    if "group" not in table:
        table["group"] = None
    return Rows(table[["id", "part", "group", "text"]], rows.rows_in, rows.dropped)


def _read(
    folder: Path,
    files: Mapping[str, str],
    columns: Mapping[str, str],
    encoding: str,
    *,
    required: tuple[str, ...],
    group: str,
) -> Rows:
    frames, rows_in, dropped = [], 0, 0
    for name in required:
        if name not in columns:
            raise BertlineError(f"sources.yaml: `columns` should say which column is the {name}.")
    for name, file in files.items():
        path = folder / file
        raw = _load(path, encoding)
        for column in columns.values():
            if column not in raw.columns:
                raise BertlineError(
                    f"{path} has no column {column!r}{nearest(column, list(raw.columns))}."
                )
            if list(raw.columns).count(column) > 1:
                raise BertlineError(
                    f"{path} has several columns named {column!r}, so it is not clear which "
                    f"one to read. Rename them."
                )
        frame = pd.DataFrame({key: raw[column] for key, column in columns.items()})
        for key in columns:
            frame[key] = [
                _cell(value, f"{path}, row {number}, column {columns[key]!r}")
                for number, value in enumerate(frame[key], start=1)
            ]
        if "id" not in frame:
            frame["id"] = [f"{name}:{number}" for number in range(1, len(frame) + 1)]
        frame[group] = name
        empty = frame["text"].astype("str").str.strip() == ""
        rows_in += len(frame)
        dropped += int(empty.sum())
        frames.append(frame[~empty])
    table = pd.concat(frames, ignore_index=True)
    repeated = table["id"][table["id"].duplicated()]
    if len(repeated):
        raise BertlineError(
            f"the id {repeated.iloc[0]!r} occurs more than once; ids must be distinct over all "
            f"files. Leave `id` out of `columns` to have the rows numbered."
        )
    return Rows(table, rows_in=rows_in, dropped={"no text": dropped})


def _load(path: Path, encoding: str) -> pd.DataFrame:
    if path.suffix not in ENDINGS:
        raise BertlineError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}.")
    if not path.is_file():
        raise BertlineError(f"{path} does not exist; `fetch.files` should list it too.")
    try:
        if path.suffix == ".parquet":
            rows = pq.read_table(path)
            rows.validate(full=True)  # reading does not look whether texts are UTF-8
            return rows.to_pandas()
        text = decode(path.read_bytes(), str(path), encoding)
        if path.suffix == ".jsonl":
            return _read_json_lines(text, path)
        rows = _tab_rows(text, path) if path.suffix == ".tsv" else _comma_rows(text)
        return _from_rows(rows, path)
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        raise BertlineError(
            f"{path} cannot be read as a {path.suffix[1:]} table: {error}"
        ) from error


def _from_rows(rows: Iterator[tuple[int, list[str]]], path: Path) -> pd.DataFrame:
    """Return a table of `rows`, each a line number and cells; the first names the columns."""
    _, header = next(rows, (0, []))
    if not any(header):
        raise ValueError("it is empty; the first line should name the columns.")
    table = []
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
        table.append(cells)
    return pd.DataFrame(table, columns=header, dtype=object)


def _tab_rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line that is not empty; nothing is quoted."""
    quoted = 0
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
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

    Raises ValueError, with the line, for a quotation mark that does not close or closes early.
    """
    earlier = csv.field_size_limit(sys.maxsize)  # else a text of a million characters is refused
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise ValueError(
                    f"line {start}: {error}. A cell that begins with a quotation mark ends with "
                    f"one, and one within it is doubled."
                ) from error
            if cells:
                yield start, cells
    finally:
        csv.field_size_limit(earlier)


def _read_json_lines(text: str, path: Path) -> pd.DataFrame:
    """Return a row per line that is not blank; the values keep the types that JSON gives them."""
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BertlineError(f"{path}, line {number} is not valid JSON: {error}.") from error
        if not isinstance(row, dict):
            raise BertlineError(f'{path}, line {number}: expected {{"column": value, …}}.')
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def _cell(value: Any, place: str) -> str:
    """Return a cell as text: an empty one for a missing value, 1 for 1.0 and True.

    Raises BertlineError, which names the `place`, for a cell with several values or half a
    character.
    """
    if isinstance(value, str):
        if HALF.search(value):
            raise BertlineError(f"{place}: half a character (a lone surrogate); correct the text.")
        return value
    if not pd.api.types.is_scalar(value):
        raise BertlineError(
            f"{place}: expected a text or a number, found a {type(value).__name__} of several "
            f"values."
        )
    if pd.isna(value):
        return ""
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return str(value)
