"""CoLA's layout: one file per set, four tab-separated columns, no header, no quoting.

The columns are the source (a publication's code), the label (0 or 1), the mark that its author
printed, and the sentence. Warstadt, Singh and Bowman (2019), TACL 7.
"""

from pathlib import Path

import pandas as pd

from bertline.core.errors import BertlineError
from bertline.corpora.rows import Rows, decode, read_published, split_lines

SETS = ("in_domain_train", "in_domain_dev", "out_of_domain_dev")
COLUMNS = ("source", "label", "mark", "text")
LABELS = {"0": 0, "1": 1}
CLASSES = ("unacceptable", "acceptable")  # by number
LAYOUT = f"CoLA's layout has {', '.join(SETS)}.tsv"


def read(folder: Path, *, archive: str | None, inner: str, pairs: bool) -> Rows:
    """Read the three sets below `folder`, or below `inner` in the zip file `archive` of it.

    Returns rows with the columns id, set, source, label, class (one of CLASSES), mark, text and
    pair; a row without a sentence is dropped and counted. With `pairs`, an unacceptable sentence is
    the partner of the acceptable one on the line before, and `pair` is the id of that one;
    otherwise each sentence is a pair of its own. Raises BertlineError, with file and line, for
    anything else.
    """
    frames, dropped = [], 0
    for name in SETS:
        file = f"{inner}/{name}.tsv".lstrip("/")
        place, content = read_published(folder, archive, file, layout=LAYOUT, edition="CoLA 1.1")
        frame = _parse(decode(content, place, "utf-8"), place)
        frame.insert(0, "set", name)
        frame.insert(0, "id", [f"{name}:{line}" for line in frame.index])
        frame.insert(4, "class", frame["label"].map(dict(enumerate(CLASSES))))
        frame["pair"] = frame["id"]
        if pairs:
            frame.loc[frame["label"] == 0, "pair"] = frame["id"].shift(1)
            frame["pair"] = frame["pair"].fillna(frame["id"])
        empty = frame["text"].str.strip() == ""
        dropped += int(empty.sum())
        frames.append(frame[~empty])
    table = pd.concat(frames, ignore_index=True)
    return Rows(table, rows_in=len(table) + dropped, dropped={"no sentence": dropped})


def _parse(text: str, place: str) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(split_lines(text), start=1):
        cells = line.split("\t")
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
