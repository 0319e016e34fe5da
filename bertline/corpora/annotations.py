"""Grammatical annotations: which phenomena a sentence shows, for the breakdown of results.

Two formats. CoLA's authors annotated its two development sets by hand (Warstadt and Bowman 2019,
arXiv 1901.03438): two tab-separated files with a header, four columns that name the sentence and
then a column of 0 or 1 for each feature, 15 major and 63 minor ones. And a list by source: for a
corpus whose `source` column names the phenomenon, each source with the group that it belongs to.
"""

from pathlib import Path

import pandas as pd

from bertline.core.errors import BertlineError
from bertline.corpora.cola import LABELS
from bertline.corpora.rows import Rows, decode, read_published, split_lines

LEVELS = ("major", "minor")
FILES = {level: f"CoLA_grammatical_annotations_{level}_features.tsv" for level in LEVELS}
COLUMNS = ("Source", "Domain", "Acceptability", "Sentence")
DOMAINS = {"In": "in_domain_dev", "Out": "out_of_domain_dev"}
MARKS = ("0", "1")

LIST_COLUMNS = ("source", "major", "description")

LAYOUT = f"the annotations of CoLA are {' and '.join(FILES.values())}"
EDITION = "the archive of CoLA's grammatical annotations"


def read_cola(folder: Path, *, archive: str | None) -> Rows:
    """Read the annotated sentences of CoLA below `folder`, or in the zip file `archive` of it.

    Returns a row for each annotated sentence, with the columns by ("sentence"), set, value (the
    sentence as the annotators have it), label, major and minor (lists of features). Runs of
    spaces in the name of a feature become one. Raises BertlineError, with file and line, for a
    header or a row that is not of this format, and for files that list different sentences.
    """
    tables = {}
    for level, name in FILES.items():
        place, content = read_published(folder, archive, name, layout=LAYOUT, edition=EDITION)
        tables[level] = place, *_parse(decode(content, place, "utf-8"), place)
    (first, rows, _), (second, others, _) = tables.values()
    if len(rows) != len(others):
        raise BertlineError(
            f"{first} has {len(rows)} sentences, and {second} has {len(others)}: they are of "
            f"different editions. Fetch the archive anew."
        )
    for line, (one, other) in enumerate(zip(rows, others, strict=True), start=2):
        if one[: len(COLUMNS)] != other[: len(COLUMNS)]:
            raise BertlineError(
                f"{second}, line {line}: expected the sentence of the same line in {first}, found "
                f"another one. The two are of different editions; fetch the archive anew."
            )
    table = pd.DataFrame(
        {
            "by": "sentence",
            "set": [DOMAINS[row[1]] for row in rows],
            "value": [row[3] for row in rows],
            "label": pd.array([LABELS[row[2]] for row in rows], dtype="Int8"),
        }
    )
    for level, (_, marked, features) in tables.items():
        table[level] = [
            [name for name, mark in zip(features, row[len(COLUMNS) :], strict=True) if mark == "1"]
            for row in marked
        ]
    return Rows(table, rows_in=len(table))


def read_list(folder: Path, *, file: str) -> Rows:
    """Read a list of sources: a header, then source, major group and description by tabs.

    Returns a row for each source, with the columns of `read_cola`: `by` is "source" and `value`
    its name. Raises BertlineError, with the line, for anything else, and for a source with two
    lines.
    """
    path = folder / file
    if not path.is_file():
        raise BertlineError(f"{path} does not exist; sources.yaml names it as `file`.")
    header, *lines = _lines(decode(path.read_bytes(), str(path), "utf-8"), str(path))
    if tuple(header) != LIST_COLUMNS:
        raise BertlineError(
            f"{path}, line 1: expected the header {', '.join(LIST_COLUMNS)} (with tabs), found "
            f"{', '.join(header)}."
        )
    seen: dict[str, int] = {}
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(LIST_COLUMNS) or not cells[0].strip() or not cells[1].strip():
            raise BertlineError(
                f"{path}, line {number}: expected {len(LIST_COLUMNS)} tab-separated columns "
                f"({', '.join(LIST_COLUMNS)}), the first two not empty; found {len(cells)}."
            )
        if cells[0] in seen:
            raise BertlineError(
                f"{path}, line {number}: {cells[0]} is on line {seen[cells[0]]} already; each "
                f"source has one line."
            )
        seen[cells[0]] = number
    table = pd.DataFrame(
        {
            "by": "source",
            "set": None,
            "value": [cells[0] for cells in lines],
            "label": pd.array([pd.NA] * len(lines), dtype="Int8"),
            "major": [[cells[1]] for cells in lines],
            "minor": [[] for _ in lines],
        }
    )
    return Rows(table, rows_in=len(table))


def _lines(text: str, place: str) -> list[list[str]]:
    if not text:
        raise BertlineError(f"{place} is empty; expected a header and rows.")
    return [line.split("\t") for line in split_lines(text)]


def _parse(text: str, place: str) -> tuple[list[list[str]], list[str]]:
    """Return the rows of a file of features, and the features' names."""
    header, *rows = _lines(text, place)
    features = [" ".join(name.split()) for name in header[len(COLUMNS) :]]
    if tuple(header[: len(COLUMNS)]) != COLUMNS or not features or not all(features):
        raise BertlineError(
            f"{place}, line 1: expected the header {', '.join(COLUMNS)} and a name for each "
            f"feature; found {', '.join(header)[:200]!r}."
        )
    repeated = sorted({name for name in features if features.count(name) > 1})
    if repeated:
        raise BertlineError(f"{place}, line 1: the feature {repeated[0]} has two columns.")
    for number, cells in enumerate(rows, start=2):
        where = f"{place}, line {number}"
        if len(cells) != len(header):
            raise BertlineError(
                f"{where}: expected {len(header)} tab-separated columns as in the header, found "
                f"{len(cells)}."
            )
        _, domain, label, sentence, *marks = cells
        if domain not in DOMAINS:
            raise BertlineError(f"{where}: expected the domain In or Out, found {domain!r}.")
        if label not in LABELS:
            raise BertlineError(f"{where}: expected the label 0 or 1, found {label!r}.")
        if not sentence.strip():
            raise BertlineError(f"{where}: expected a sentence, found none.")
        for name, mark in zip(features, marks, strict=True):
            if mark not in MARKS:
                raise BertlineError(f"{where}: expected 0 or 1 for {name}, found {mark!r}.")
    return rows, features
