"""CoLA's layout: one file per set, four tab-separated columns, no header, no quoting.

The columns are the source (a publication's code), the label (0 or 1), the mark that its author
printed, and the sentence. Warstadt, Singh and Bowman (2019), TACL 7.
"""

import lzma
import struct
import zipfile
import zlib
from pathlib import Path

import pandas as pd

from stages.corpora.rows import Rows, decode
from stages.errors import BertlineError

SETS = ("in_domain_train", "in_domain_dev", "out_of_domain_dev")
COLUMNS = ("source", "label", "mark", "text")
LABELS = {"0": 0, "1": 1}
# Of one file, unpacked. CoLA's largest has 429 kB; a million sentences have some 100 MB.
MAX_BYTES = 2 << 30
# A member may unpack to this many times the archive's size, or to LEAST_LIMIT: text packs to a
# fifth, even a made-up corpus hardly to a fiftieth, and a bomb to a thousandth.
LARGEST_RATIO = 100
LEAST_LIMIT = 1 << 20

# What zipfile raises for an archive that is damaged, encrypted or packed in a way it cannot read.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, RuntimeError, ValueError, OverflowError),
)


def read(folder: Path, *, archive: str | None, inner: str, pairs: bool) -> Rows:
    """Read the three sets below `folder`, or below `inner` in the zip file `archive` of it.

    Returns rows with the columns id, set, source, label, mark, text and pair; a row without a
    sentence is dropped and counted. With `pairs`, an unacceptable sentence is the partner of the
    acceptable one on the line before, and `pair` is the id of that; otherwise each is its own.
    Raises BertlineError, with file and line, for anything else.
    """
    frames, dropped = [], 0
    for name in SETS:
        place, content = _content(folder, archive, f"{inner}/{name}.tsv".lstrip("/"))
        frame = _parse(decode(content, place, "utf-8"), place)
        frame.insert(0, "set", name)
        frame.insert(0, "id", [f"{name}:{line}" for line in frame.index])
        frame["pair"] = frame["id"]
        if pairs:
            frame.loc[frame["label"] == 0, "pair"] = frame["id"].shift(1)
            frame["pair"] = frame["pair"].fillna(frame["id"])
        empty = frame["text"].str.strip() == ""
        dropped += int(empty.sum())
        frames.append(frame[~empty])
    table = pd.concat(frames, ignore_index=True)
    return Rows(table, rows_in=len(table) + dropped, dropped={"no sentence": dropped})


def _content(folder: Path, archive: str | None, name: str) -> tuple[str, bytes]:
    if archive is None:
        path = folder / name
        if not path.is_file():
            raise BertlineError(f"{path} does not exist; CoLA's layout has {', '.join(SETS)}.tsv.")
        return str(path), path.read_bytes()
    path = folder / archive
    place = f"{path}: {name}"
    try:
        with zipfile.ZipFile(path) as bundle:
            entries = [entry for entry in bundle.infolist() if entry.filename == name]
            if not entries:
                raise BertlineError(f"{path} has no member {name}; is it CoLA 1.1?")
            if len(entries) > 1:
                raise BertlineError(
                    f"{path} has {len(entries)} members named {name}, so it is not clear which is "
                    f"meant. Pack the archive anew."
                )
            size = entries[0].file_size
            limit = min(MAX_BYTES, max(LEAST_LIMIT, LARGEST_RATIO * path.stat().st_size))
            if size > limit:
                raise BertlineError(
                    f"{place} unpacks to {size:,} bytes; at most {limit:,} are read from an "
                    f"archive of this size. Unpack it, and leave out `archive` in sources.yaml."
                )
            return place, bundle.read(entries[0])
    except UNREADABLE as error:
        raise BertlineError(f"{path} is not a zip file that can be read: {error}.") from error


def _parse(text: str, place: str) -> pd.DataFrame:
    lines = text.removesuffix("\n").split("\n") if text else []
    rows = []
    for number, line in enumerate(lines, start=1):
        cells = line.removesuffix("\r").split("\t")
        if len(cells) != len(COLUMNS):
            raise BertlineError(
                f"{place}, line {number}: expected {len(COLUMNS)} tab-separated columns "
                f"({', '.join(COLUMNS)}), found {len(cells)}."
            )
        if cells[1] not in LABELS:
            raise BertlineError(
                f"{place}, line {number}: expected the label 0 or 1, found {cells[1]!r}."
            )
        rows.append((cells[0], LABELS[cells[1]], cells[2], cells[3]))
    return pd.DataFrame(rows, columns=list(COLUMNS), index=range(1, len(rows) + 1))
