"""A person's own table: CSV, TSV, JSON lines or Parquet, by the file's ending."""

import io
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
            f"row {row['id']}: expected the label 0 or 1 in column {columns['label']!r}, "
            f"found {row['label']!r}."
        )
    table["label"] = table["label"].map(LABELS)
    for name in ("source", "mark"):
        if name not in table:
            table[name] = ""
    if "pair" not in table:
        table["pair"] = table["id"]
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
        text = io.StringIO(decode(path.read_bytes(), str(path), encoding))
        if path.suffix == ".jsonl":
            return pd.read_json(text, lines=True, dtype=False, convert_dates=False)
        separator = "\t" if path.suffix == ".tsv" else ","
        return pd.read_csv(text, sep=separator, dtype=str, keep_default_na=False)
    except (ValueError, pa.ArrowInvalid) as error:  # pandas' parser errors are ValueErrors
        raise BertlineError(
            f"{path} cannot be read as a {path.suffix[1:]} table: {error}"
        ) from error


def _cell(value: object) -> str:
    """Return a cell as text: nothing for a missing one, 1 for 1.0 and True."""
    if isinstance(value, str):
        return value
    if value is None or value != value:  # NaN alone differs from itself
        return ""
    if isinstance(value, bool | float) and value == int(value):
        return str(int(value))
    return str(value)
