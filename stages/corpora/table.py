"""A person's own table: CSV, TSV, JSON lines or Parquet, by the file's ending."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.corpora.rows import Rows, decode
from stages.errors import BertlineError
from stages.params import nearest

LABELS = {"0": 0, "1": 1}
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


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
            f"sources.yaml: `files` should name the table of in_domain_train, which is trained "
            f"on; found {', '.join(files)}."
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
    table["pair"] = pairs.where(pairs != "", table["id"])  # a sentence without one is its own
    columns = ["id", "set", "source", "label", "mark", "text", "pair"]
    return Rows(table[columns], rows.rows_in, rows.dropped)


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
        frame = pd.DataFrame({key: raw[column] for key, column in columns.items()})
        if "id" in frame:
            frame["id"] = frame["id"].map(_cell)
        else:
            frame["id"] = [f"{name}:{number}" for number in range(1, len(frame) + 1)]
        frame[group] = name
        for key in set(columns) - {"id"}:
            frame[key] = frame[key].map(_cell)
        empty = frame["text"].str.strip() == ""
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
            return pq.read_table(path).to_pandas()
        text = decode(path.read_bytes(), str(path), encoding)
        if path.suffix == ".jsonl":
            return _read_json_lines(text, path)
        separator = "\t" if path.suffix == ".tsv" else ","
        table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)
    except (ValueError, pa.ArrowInvalid) as error:  # pandas' parser errors are ValueErrors
        raise BertlineError(
            f"{path} cannot be read as a {path.suffix[1:]} table: {error}"
        ) from error
    if not isinstance(table.index, pd.RangeIndex):  # what pandas makes of cells too many
        raise BertlineError(
            f"{path}: the rows have more cells than the first line has names of columns "
            f"({', '.join(table.columns)}). Name every column; quote texts that hold the separator."
        )
    return table


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


def _cell(value: object) -> str:
    """Return a cell as text: nothing for a missing one, 1 for 1.0 and True."""
    if isinstance(value, str):
        return value
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return str(value)
