"""A table of the user as labelled sentences or documents; `columns` reads the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bertline.core.errors import BertlineError
from bertline.corpora import columns as cells
from bertline.corpora import labels
from bertline.corpora.readers import Layout
from bertline.corpora.rows import TRAINING_SETS, Rows

# Columns whose values tell rows apart: a number that lost its digits would merge them silently.
IDENTIFIERS = ("id", "pair", "group")
# Columns of each role; an entry that serves both roles has those of the other, too.
OF_SENTENCES = ("id", "text", "label", "source", "mark", "pair")
OF_DOCUMENTS = ("id", "text", "group", "date")
# Columns whose values are names in tables and figures.
NAMES = ("source", "group", "label")


def read_sentences(
    folder: Path,
    *,
    files: Mapping[str, str],
    columns: Mapping[str, str],
    layout: Layout = cells.AS_READ,
    listed: Sequence[labels.Written] | Mapping[labels.Written, str] | None = None,
) -> Rows:
    """Read one table per set of labelled sentences.

    Returns rows with the columns id, set, source, label, class, mark, text and pair (the id, where
    the table has no such column): sentences of one pair share a fold. `label` is the number of the
    class and `class` its name; `labels.read` makes them, in the order of `listed` if it is given. A
    row without text is dropped and counted; a missing column or a blank label raises BertlineError.
    """
    named = [name for name in files if name in TRAINING_SETS]
    if len(named) != 1:
        raise BertlineError(
            f"sources.yaml: `files` should name the table of one training set, `train`; found "
            f"{', '.join(files)}."
        )
    columns = {key: column for key, column in columns.items() if key in OF_SENTENCES}
    rows = _read(folder, files, columns, layout, required=("text", "label"), group="set")
    table = rows.table
    blank = table["label"].str.strip() == ""
    if blank.any():
        row = table[blank].iloc[0]
        raise BertlineError(
            f"{folder / files[row['set']]}, row {row['id']}: the label in column "
            f"{columns['label']!r} is blank, as are {blank.sum():,} of {len(table):,} in all. Give "
            f"each text a label, or take these rows out of the table."
        )
    where = f"sources.yaml: column {columns['label']!r}"
    table["label"], names = labels.read(table["label"], listed, where=where)
    table["class"] = table["label"].map(dict(enumerate(names)))
    for name in ("source", "mark"):
        if name not in table:
            table[name] = ""
    pairs = table["pair"] if "pair" in table else pd.Series("", index=table.index)
    # A sentence without a pair, of which a blank is no name, is a pair of its own.
    table["pair"] = pairs.where(pairs.str.strip() != "", table["id"])
    ordered = table[["id", "set", "source", "label", "class", "mark", "text", "pair"]]
    return Rows(ordered, rows.rows_in, rows.dropped)


def read_documents(
    folder: Path,
    *,
    files: Mapping[str, str],
    columns: Mapping[str, str],
    layout: Layout = cells.AS_READ,
) -> Rows:
    """Read one table per part of a document collection.

    Returns rows with the columns id, part, group, date and text; group and date are missing without
    such a column, and where it is empty or blank.
    """
    columns = {key: column for key, column in columns.items() if key in OF_DOCUMENTS}
    rows = _read(folder, files, columns, layout, required=("text",), group="part")
    table = rows.table
    for name in ("group", "date"):
        if name not in table:
            table[name] = None
        else:
            table[name] = table[name].where(table[name].str.strip() != "")
    return Rows(table[["id", "part", "group", "date", "text"]], rows.rows_in, rows.dropped)


def _read(
    folder: Path,
    files: Mapping[str, str],
    columns: Mapping[str, str],
    layout: Layout,
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
        if not path.exists():
            raise BertlineError(f"{path} does not exist; `fetch.files` should list it too.")
        found = cells.read(path, list(columns.values()), layout=layout)
        for key, column in columns.items():
            if key in IDENTIFIERS:
                cells.check_identifiers(found[column], path, column)
            if key in NAMES:
                cells.check_names(found[column], path, column)
            if key == "date":
                cells.check_dates(found[column], path, column)
        frame = pd.DataFrame({key: found[column] for key, column in columns.items()}, dtype="str")
        if "id" not in frame:
            frame["id"] = [f"{name}:{number}" for number in range(1, len(frame) + 1)]
        frame[group] = name
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
