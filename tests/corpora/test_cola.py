"""CoLA's layout, from sentences made up for these tests: none of the corpus is in this project."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bertline.core.errors import BertlineError
from bertline.corpora import cola

GOOD = "a1\t1\t\tThe lamp glows.\na1\t0\t*\tThe lamp glow.\n"
INNER = "corpus/raw"


@pytest.fixture(params=["folder", "zip"])
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Callable:
    """Return a function that lays down files, as they are or zipped, and reads them."""

    def read(*, pairs: bool = False, **contents: str | bytes | None) -> cola.Rows:
        sets: dict = dict.fromkeys(cola.SETS, GOOD) | contents
        encoded = {
            f"{name}.tsv": content.encode() if isinstance(content, str) else content
            for name, content in sets.items()
            if content is not None
        }
        if request.param == "folder":
            (tmp_path / INNER).mkdir(parents=True)
            for name, content in encoded.items():
                (tmp_path / INNER / name).write_bytes(content)
            return cola.read(tmp_path, archive=None, inner=INNER, pairs=pairs)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
            for name, content in encoded.items():
                bundle.writestr(f"{INNER}/{name}", content)
        return cola.read(tmp_path, archive="a.zip", inner=INNER, pairs=pairs)

    return read


def test_rows_are_typed_and_have_ids_of_set_and_line(read):
    rows = read(in_domain_dev="b2\t0\t??\tLamps the glow.\n")

    good, bad = "acceptable", "unacceptable"
    assert rows.table.to_dict("split")["data"] == [
        ["in_domain_train:1", "in_domain_train", "a1", 1, good, "", "The lamp glows."]
        + ["in_domain_train:1"],
        ["in_domain_train:2", "in_domain_train", "a1", 0, bad, "*", "The lamp glow."]
        + ["in_domain_train:2"],
        ["in_domain_dev:1", "in_domain_dev", "b2", 0, bad, "??", "Lamps the glow."]
        + ["in_domain_dev:1"],
        ["out_of_domain_dev:1", "out_of_domain_dev", "a1", 1, good, "", "The lamp glows."]
        + ["out_of_domain_dev:1"],
        ["out_of_domain_dev:2", "out_of_domain_dev", "a1", 0, bad, "*", "The lamp glow."]
        + ["out_of_domain_dev:2"],
    ]
    names = ["id", "set", "source", "label", "class", "mark", "text", "pair"]
    assert list(rows.table.columns) == names
    assert (rows.rows_in, rows.dropped) == (5, {"no sentence": 0})


@pytest.mark.parametrize(
    "text",
    [
        '"The lamp," he said.',
        '"Glow, lamp',
        "It isn't 5 o'clock",
        "Das Lämpchen glüht – immer.",
        "NA",
        "  spaces around  ",
        "null",
    ],
)
def test_texts_are_taken_as_they_stand(read, text):
    """With quoting on, a lone quotation mark would swallow the lines behind it."""
    rows = read(in_domain_dev=f"a1\t1\t\t{text}\na1\t1\t\tThe lamp glows.\n")

    of_set = rows.table[rows.table["set"] == "in_domain_dev"]
    assert of_set["text"].tolist() == [text, "The lamp glows."]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD.replace("\n", "\r\n"), id="carriage-returns"),
        pytest.param(GOOD.removesuffix("\n"), id="no-last-line-end"),
        pytest.param("\ufeff" + GOOD, id="byte-order-mark"),
    ],
)
def test_line_ends_and_marks_of_editors_are_no_text(read, content):
    rows = read(in_domain_train=content)

    of_set = rows.table[rows.table["set"] == "in_domain_train"]
    assert of_set["text"].tolist() == ["The lamp glows.", "The lamp glow."]
    assert of_set["source"].tolist() == ["a1", "a1"]


def test_row_without_a_sentence_is_dropped_and_counted(read):
    rows = read(in_domain_train="a1\t1\t\tThe lamp glows.\na1\t1\t\t  \na1\t0\t*\tGlow lamp.\n")

    ids = rows.table[rows.table["set"] == "in_domain_train"]["id"].tolist()
    assert ids == ["in_domain_train:1", "in_domain_train:3"]
    assert (rows.rows_in, rows.dropped) == (7, {"no sentence": 1})


def test_partner_of_an_unacceptable_sentence_is_the_line_before(read):
    lines = ["a1\t0\t*\tGlow the.", *GOOD.splitlines(), "a1\t1\t\tLamps glow."]

    rows = read(in_domain_train="\n".join(lines) + "\n", pairs=True)

    pairs = rows.table.set_index("id")["pair"]
    # The first has no line before it and is its own; the third is the partner of the second.
    assert [pairs[f"in_domain_train:{line}"] for line in (1, 2, 3, 4)] == [
        f"in_domain_train:{line}" for line in (1, 2, 2, 4)
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("a1\t1\tThe lamp.\n", r"line 1: expected 4 .* found 3\.", id="3-columns"),
        pytest.param(GOOD + "\n", r"line 3: expected 4 .* found 1\.", id="blank-line"),
        pytest.param(GOOD + "a1\tyes\t\tb\n", r"line 3: .*0 or 1, found 'yes'", id="label"),
        pytest.param(GOOD.encode() + b"a1\t1\t\tL\xe4mp\n", "line 3: byte 0xe4", id="latin-1"),
        pytest.param(GOOD + "a1\t1\t\tLa\0mp\n", "line 3: a NUL byte", id="nul"),
    ],
)
def test_malformed_line_is_named_by_file_and_number(read, content, message):
    with pytest.raises(BertlineError, match=rf"in_domain_dev\.tsv, {message}"):
        read(in_domain_dev=content)


def test_missing_set_is_named(read):
    with pytest.raises(BertlineError, match=r"in_domain_dev\.tsv"):
        read(in_domain_dev=None)


@pytest.mark.parametrize("content", [None, b"<html>not found</html>"], ids=["missing", "web-page"])
def test_archive_that_cannot_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "a.zip").write_bytes(content)

    with pytest.raises(BertlineError, match=r"a\.zip is not a zip file that can be read"):
        cola.read(tmp_path, archive="a.zip", inner="", pairs=False)
