"""Whatever the bytes, the readers return rows or raise a sentence; what they wrote they read back.

`BERTLINE_FUZZ` is the number of examples for each property; the default is quick and always the
same, a larger number draws new ones every time.
"""

import csv
import importlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.corpora import annotations, cola, newsgroups, table
from bertline.corpora.readers import Layout
from bertline.corpora.rows import decode
from bertline.runs import compare
from bertline.sources import catalogue
from tests.command import PROJECT as ROOT
from tests.core.test_params import SECTIONS

NUMBER = os.environ.get("BERTLINE_FUZZ")
fuzzed = settings(
    max_examples=int(NUMBER or 40),
    derandomize=NUMBER is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Letters that divide or end something in one format or another, and a few that do not.
AWKWARD = st.text(alphabet="\t\n\r\"',\\{}[]:;#&*!|>%@`-?~ \0\ufeff\u2028\x85\x0b01aä\ud800")
# A mapping of bytes onto a file: noise, or text that is noise in its structure only.
BYTES = st.one_of(st.binary(max_size=200), AWKWARD.map(lambda text: text.encode(errors="replace")))
# A text that survives a line-based format: no tab, line end, NUL or half a character.
CELL = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\n\r"), min_size=1
).filter(lambda text: text.strip() and not text.startswith("\ufeff"))
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
    lambda text: text.strip()
)
LABELS = st.sampled_from(["0", "1"])
CLASSES = ["no", "yes, but", 'a "third"', "NA"]
COLUMNS = {"text": "text", "label": "label"}


def returns_or_explains(read: Callable[[], Any]) -> Any:
    """Return what `read` does, or None if it raises a sentence; anything else is a failure."""
    try:
        return read()
    except BertlineError as error:
        assert str(error).strip()
        return None


def read_table(folder: Path, name: str, content: bytes, encoding: str = "utf-8") -> pd.DataFrame:
    """Return the sentences of a table that is the training set."""
    (folder / name).write_bytes(content)
    named = {"in_domain_train": name}
    layout = Layout(encoding=encoding)
    return table.read_sentences(folder, files=named, columns=COLUMNS, layout=layout).table


class TestCola:
    @fuzzed
    @given(BYTES)
    def test_any_bytes_are_rows_or_a_sentence(self, content):
        rows = returns_or_explains(lambda: cola._parse(decode(content, "a.tsv", "utf-8"), "a.tsv"))

        assert rows is None or rows["label"].isin([0, 1]).all()

    @fuzzed
    @given(st.lists(st.tuples(CELL, LABELS, st.just("*"), CELL)), st.sampled_from(["\n", "\r\n"]))
    def test_rows_come_back_as_they_were_written(self, rows, end):
        text = "".join("\t".join(row) + end for row in rows)

        found = cola._parse(decode(text.encode(), "a.tsv", "utf-8"), "a.tsv")

        expected = [(source, int(label), mark, text) for source, label, mark, text in rows]
        assert list(found.itertuples(index=False, name=None)) == expected


class TestAnnotations:
    @fuzzed
    @given(BYTES, BYTES, st.booleans())
    def test_any_bytes_are_rows_or_a_sentence(self, tmp_path, major, minor, header):
        head = "\t".join([*annotations.COLUMNS, "Simple"]).encode() + b"\n" if header else b""
        for name, content in zip(annotations.FILES.values(), (major, minor), strict=True):
            (tmp_path / name).write_bytes(head + content)
        (tmp_path / "list.tsv").write_bytes(b"source\tmajor\tdescription\n" * header + major)

        returns_or_explains(lambda: annotations.read_cola(tmp_path, archive=None))
        returns_or_explains(lambda: annotations.read_list(tmp_path, file="list.tsv"))

    @fuzzed
    @given(st.lists(st.tuples(st.sampled_from(["In", "Out"]), LABELS, CELL, LABELS), min_size=1))
    def test_what_was_marked_comes_back(self, tmp_path, rows):
        head = "\t".join([*annotations.COLUMNS, "Simple"])
        lines = [head, *("\t".join(["s", *row]) for row in rows)]
        for name in annotations.FILES.values():
            (tmp_path / name).write_bytes(("\n".join(lines) + "\n").encode())

        found = annotations.read_cola(tmp_path, archive=None).table

        assert found["value"].tolist() == [row[2] for row in rows]
        marked = [["Simple"] if row[3] == "1" else [] for row in rows]
        assert found["major"].tolist() == found["minor"].tolist() == marked


class TestTable:
    @fuzzed
    @given(
        st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.parquet"]),
        st.sampled_from([b"", b"text,label\n", b"text\tlabel\n", b'{"text": "a", "label": 1}\n']),
        BYTES,
        st.sampled_from(["utf-8", "latin-1", "utf-16", "rot13"]),
    )
    def test_any_bytes_are_rows_or_a_sentence(self, tmp_path, name, head, content, encoding):
        returns_or_explains(lambda: read_table(tmp_path, name, head + content, encoding))

    @fuzzed
    @given(
        st.lists(st.tuples(TEXT, LABELS), min_size=1),
        st.sampled_from(["\n", "\r\n"]),
        st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    )
    def test_csv_comes_back_as_it_was_written(self, tmp_path, rows, end, quoting):
        if any("\r" in text for text, _ in rows):
            quoting = csv.QUOTE_ALL  # the writer leaves a lone CR bare, which ends a line elsewhere
        content = io.StringIO(newline="")
        writer = csv.writer(content, lineterminator=end, quoting=quoting)
        writer.writerows([("text", "label"), *rows])

        found = read_table(tmp_path, "a.csv", content.getvalue().encode())

        assert found["text"].tolist() == [text for text, _ in rows]
        assert found["class"].tolist() == [label for _, label in rows]

    @fuzzed
    @given(st.lists(st.tuples(CELL, LABELS), min_size=1))
    def test_tsv_comes_back_as_it_was_written(self, tmp_path, rows):
        lines = ["text\tlabel", *("\t".join(row) for row in rows)]

        found = read_table(tmp_path, "a.tsv", "\n".join(lines).encode())

        assert found["text"].tolist() == [text for text, _ in rows]

    @fuzzed
    @given(st.lists(st.tuples(TEXT, LABELS), min_size=1))
    def test_json_lines_come_back_as_they_were_written(self, tmp_path, rows):
        lines = [json.dumps({"text": text, "label": int(label)}) for text, label in rows]

        found = read_table(tmp_path, "a.jsonl", "\n".join(lines).encode())

        assert found["text"].tolist() == [text for text, _ in rows]


class TestNewsgroups:
    @fuzzed
    @given(BYTES, st.booleans())
    def test_any_tab_file_is_rows_or_a_sentence(self, tmp_path, content, headed):
        head = "\n".join([*newsgroups.TAB_HEADER, ""]).encode() if headed else b""
        (tmp_path / "a.tab").write_bytes(head + content)

        returns_or_explains(lambda: newsgroups.read_tokens(tmp_path, files={"all": "a.tab"}))

    @fuzzed
    @given(st.lists(st.tuples(CELL, CELL)))
    def test_documents_come_back_as_they_were_written(self, tmp_path, rows):
        lines = [*newsgroups.TAB_HEADER, *("\t".join(row) for row in rows)]
        (tmp_path / "a.tab").write_bytes("\n".join(lines).encode())

        found = newsgroups.read_tokens(tmp_path, files={"all": "a.tab"}).table

        assert list(found[["group", "text"]].itertuples(index=False, name=None)) == rows

    @fuzzed
    @given(st.text(alphabet="\n\r>:|- aWrites\x85\x0b\xff", max_size=80))
    def test_any_message_can_be_stripped(self, message):
        for remover in newsgroups.REMOVERS.values():
            message = remover(message)

        assert isinstance(message, str)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), AWKWARD, st.sampled_from(["last", "eom"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(AWKWARD | st.just("seed"), inner, max_size=3)
    ),
    max_leaves=6,
)
OWN = {
    name: params.read_yaml(ROOT / "params.yaml")[name] for name in ("parse", "split", "analyze")
}  # the project's own sections
ENTRY = {
    "title": "Mine",
    "roles": ["sentences", "documents"],
    "licence": "none",
    "fetch": {"kind": "path", "folder": "own", "files": {"a.csv": "0" * 64}},
    "parse": {"format": "table", "files": {"train": "a.csv"}, "columns": {"text": "body"}},
}
PLACES = [
    {"kind": "url", "url": "https://a.invalid/b", "file": "b", "sha256": ["0" * 64], "bytes": 1},
    {"kind": "wheel", "wheel": "a==1", "sha256": "0" * 64, "folder": "a", "members": ["b"]},
    {"kind": "hub", "hub": "a/b", "revision": "0" * 40, "files": {"b": "0" * 64}},
    ENTRY["fetch"],
]


def section_of(name: str) -> type[params.Section]:
    """Return the class of a stage's section."""
    return getattr(importlib.import_module(f"stages.{name}"), SECTIONS[name])


def mutated(data: st.DataObject, values: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a mapping in which one value, at any depth, is another one or is gone."""
    changed = json.loads(json.dumps(values))
    place = changed
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        match data.draw(st.sampled_from(["other", "gone", "renamed"])):
            case "other":
                place[key] = data.draw(VALUES)
            case "gone":
                del place[key]
            case "renamed":
                place[data.draw(AWKWARD)] = place.pop(key)
        return changed


class TestParameters:
    @fuzzed
    @given(st.data(), st.sampled_from(["parse", "split", "analyze"]))
    def test_a_changed_section_is_valid_or_a_sentence(self, data, name):
        values = mutated(data, OWN[name])

        returns_or_explains(lambda: params.validate(values, section_of(name), where=name))


class TestSources:
    @fuzzed
    @given(st.data(), st.sampled_from(PLACES))
    def test_a_changed_entry_is_valid_or_a_sentence(self, tmp_path, data, place):
        values = mutated(data, ENTRY | {"fetch": place})
        path = tmp_path / "sources.yaml"
        text = json.dumps({"mine": values, "other": data.draw(VALUES)})
        path.write_text(text, encoding="utf-8")

        for load in (catalogue.load_fetch, catalogue.load_parse):
            returns_or_explains(lambda load=load: load("mine", "documents", path))
        returns_or_explains(lambda: catalogue.load_fetch("mine", "backbone", path))
        returns_or_explains(lambda: catalogue.load_fetch("mien", "backbone", path))
        returns_or_explains(lambda: catalogue.kinds_serving("documents", path))


class TestPredictions:
    @fuzzed
    @given(BYTES)
    def test_any_bytes_are_predictions_or_a_sentence(self, content):
        found = returns_or_explains(lambda: compare.read_confusion(content, "a.csv", "", CLASSES))

        assert found is None or len(found.predicted) == len(found.rows)

    @fuzzed
    @given(
        st.dictionaries(CELL, st.sampled_from(CLASSES), min_size=1),
        st.integers(1, 3),
    )
    def test_predictions_that_were_written_are_read_back(self, rows, seeds):
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(compare.COLUMNS)
        for seed in range(seeds):
            writer.writerows([seed, name, name, label, label] for name, label in rows.items())

        found = compare.read_confusion(stream.getvalue().encode(), "a.csv", "", CLASSES)

        assert list(found.rows.index) == list(rows)
        assert found.predicted.eq(found.rows["actual"], axis=0).to_numpy().all()
        assert found.predicted.shape == (len(rows), seeds)
