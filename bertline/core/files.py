"""Read tables with a useful error, and write files and folders whole or not at all.

Data is written beside the target, flushed to disk, and put in place by a rename: a killed process
leaves the earlier result or none, never half of one. One process at a time writes a folder. A stage
can have a check called before any of its outputs is put in place (`checked`).
"""

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from bertline.core import console
from bertline.core.errors import BertlineError

HASH_CHUNK = 1 << 20  # bytes read at a time: large enough for disk speed, small for memory

CELL = 32_767  # characters that fit a cell of a spreadsheet
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the start of one

# The outputs of the running stage, and what is called before one of them is put in place.
_CHECK: ContextVar[tuple[Collection[Path], Callable[[], None]] | None] = ContextVar(
    "check", default=None
)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    return digest(path, hashlib.sha256())


def digest(path: Path, hasher: "hashlib._Hash") -> str:
    """Return the digest of a file's bytes by `hasher`, in hexadecimal digits."""
    with path.open("rb") as stream:
        while chunk := stream.read(HASH_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write to; rename it to `target` if the block succeeds."""
    partial = _partial(target)
    partial.unlink(missing_ok=True)
    try:
        yield partial
        _flush(partial)
        _call_check(target)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; it replaces `target` if the block succeeds.

    Waits while another process writes the same folder.
    """
    _refuse_to_replace(target)
    partial = _partial(target)
    lock = target.parent / f".{target.name}.lock"
    with alone(lock, f"{target} is being written by another process; waiting for that one"):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            for path in sorted(partial.rglob("*")):
                if path.is_file():
                    _flush(path)
            _call_check(target)
            if target.exists():
                shutil.rmtree(target)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def checked(outputs: Collection[Path], check: Callable[[], None]) -> Iterator[None]:
    """In the block, call `check` before any of `outputs` is put in place; it raises to prevent it.

    Files of checkpoints, and files within an output, are written without it.
    """
    token = _CHECK.set((outputs, check))
    try:
        yield
    finally:
        _CHECK.reset(token)


def _call_check(target: Path) -> None:
    wanted = _CHECK.get()
    if wanted and target in wanted[0]:
        wanted[1]()


@contextmanager
def alone(lock: Path, waiting: str) -> Iterator[None]:
    """Run the block while no other process holds the file `lock`; log `waiting` if one does.

    The file is removed at the end; the system releases the lock of a killed process.
    """
    held = FileLock(lock)
    try:
        held.acquire(blocking=False)
    except Timeout:
        console.log(waiting)
        held.acquire()
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # a waiting process notices, and locks a new file
        held.release()


def write_json(target: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, indented, keys in the order given, floats as they are."""
    with whole_file(target) as partial:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


def write_csv(target: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a small table as CSV with LF line ends on every platform."""
    with whole_file(target) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(map(csv_line, (header, *rows)))


def csv_line(cells: Sequence[Any]) -> str:
    """Return a row as a line of CSV, which ends with LF."""
    # Python quotes the characters of the line's end alone: with LF, it leaves a CR bare.
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def write_spreadsheet(target: Path, table: pd.DataFrame) -> None:
    """Write a table for people as CSV, after a byte-order mark, which Excel needs for UTF-8.

    Longer texts are cut to what a cell holds. What a spreadsheet would take for a formula gets an
    apostrophe in front.
    """
    shown = table.astype(object).where(table.notna(), "")
    rows = [[_as_cell(value) for value in row] for row in shown.itertuples(index=False)]
    first, *others = table.columns
    write_csv(target, ["\ufeff" + first, *others], rows)


def _as_cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    return ("'" + value if value.startswith(FORMULA) else value)[:CELL]


def write_table(target: Path, table: pd.DataFrame, schema: pa.Schema) -> None:
    """Write a data frame as Parquet with exactly the columns and types of `schema`."""
    columns = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
    with whole_file(target) as partial:
        # Without pandas' metadata, which would record its version in every output.
        pq.write_table(columns.replace_schema_metadata(None), partial, compression="zstd")


def read_table(path: Path, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table that an earlier stage wrote.

    Raises BertlineError if the file is missing, is no Parquet file, lacks one of `columns` or has
    no row.
    """
    require_table(path, columns=columns or ())
    try:
        table = pq.read_table(path, columns=list(columns) if columns else None)
        table.validate(full=True)  # reading does not check that texts are UTF-8
    except (pa.ArrowException, OSError) as error:  # arrow raises OSError for damaged pages
        raise _no_table(path, error) from error
    return table.to_pandas()


def require_table(path: Path, *, columns: Sequence[str]) -> None:
    """Raise BertlineError unless `path` is a Parquet table with `columns` and a row; read no row.

    For a stage that reads the rows a window at a time; `read_table` calls it too.
    """
    require(path)
    try:
        with pq.ParquetFile(path) as table:
            present, rows = table.schema_arrow.names, table.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _no_table(path, error) from error
    missing = [name for name in columns if name not in present]
    if missing:
        raise BertlineError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(present)}. "
            f"It was written by another version of the stage: run `dvc repro`."
        )
    if not rows:
        raise BertlineError(
            f"{path} has no rows. No stage writes such a table: delete it and run `dvc repro`."
        )


def _no_table(path: Path, error: Exception) -> BertlineError:
    return BertlineError(
        f"{path} cannot be read as the Parquet table that an earlier stage writes ({error}). "
        f"Delete it and run `dvc repro`."
    )


def read_csv(path: Path, columns: Mapping[str, str], *, command: str) -> pd.DataFrame:
    """Read `columns` (names and types) of the CSV table that `command` wrote.

    Raises BertlineError if the file is missing, lacks a column, or holds another type.
    """
    require(path)
    try:
        # Only an empty cell is a missing value: a set may well be called NA.
        table = pd.read_csv(path, dtype=dict(columns), keep_default_na=False, na_values=[""])
    except (ValueError, OverflowError) as error:  # pandas' parser errors are ValueErrors
        raise BertlineError(
            f"{path} cannot be read as the table that `{command}` writes ({error}). Run it again."
        ) from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise BertlineError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(table.columns)}. "
            f"Run `{command}`."
        )
    return table[[*columns]]


def read_json(path: Path, *, keys: Sequence[str] = ()) -> dict[str, Any]:
    """Read a JSON object that an earlier stage wrote; BertlineError if it is none with `keys`."""
    require(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:  # ValueError: no UTF-8, or no JSON
        raise BertlineError(
            f"{path} cannot be read as the JSON object that an earlier stage writes ({error}). "
            f"Delete it and run `dvc repro`."
        ) from error
    if not isinstance(content, dict):
        raise BertlineError(
            f"{path} should hold a JSON object, as the stage that writes it does, and holds a "
            f"{type(content).__name__}. Delete it and run `dvc repro`."
        )
    missing = [key for key in keys if key not in content]
    if missing:
        raise BertlineError(
            f"{path} has no `{'`, `'.join(missing)}`; it has {', '.join(content)}. It was written "
            f"by another version of the stage: run `dvc repro`."
        )
    return content


def require(path: Path) -> None:
    """Raise BertlineError if `path`, an input of a stage, does not exist."""
    if not path.exists():
        raise BertlineError(
            f"{path} does not exist. It is what an earlier stage writes: run `dvc repro` for the "
            f"whole pipeline, or the command in dvc.yaml whose `outs` name it."
        )


def _refuse_to_replace(target: Path) -> None:
    """Refuse a target that no stage writes: a typo in a command must not delete a project."""
    if Path.cwd().resolve().is_relative_to(target.resolve()) or (target / ".git").exists():
        raise BertlineError(
            f"{target} would be deleted and written anew, and the project lies in it. Name a "
            f"folder for the output alone, such as data/download/sentences."
        )
    if target.exists() and not target.is_dir():
        raise BertlineError(f"{target} is a file, and the output is a folder. Name another one.")


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _partial(target: Path) -> Path:
    """Return the path beside `target` to which it is written first.

    The name is fixed, so the next run removes the remains of a killed one; .dvcignore keeps it out
    of hashes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.parent / f".{target.name}.part"
