"""Grammatical annotations, from sentences made up for these tests, and the list of sources."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bertline.core.errors import BertlineError
from bertline.corpora import annotations
from minimal_pairs.generate import PHENOMENA
from tests.command import PROJECT
from tests.hostile.desk import zipped

HEAD = "Source\tDomain\tAcceptability\tSentence"
MAJOR = (
    f"{HEAD}\tSimple\tQuestion\na1\tIn\t1\tThe lamp glows.\t1\t0\nb1\tOut\t0\tGlows lamp?\t0\t1\n"
)
MINOR = f"{HEAD}\tSem  Violation\na1\tIn\t1\tThe lamp glows.\t0\nb1\tOut\t0\tGlows lamp?\t1\n"


@pytest.fixture(params=["folder", "zip"])
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Callable:
    """Return a function that lays down the two files, as they are or zipped, and reads them."""

    def read(major: str = MAJOR, minor: str = MINOR) -> annotations.Rows:
        contents = dict(zip(annotations.FILES.values(), (major, minor), strict=True))
        if request.param == "folder":
            for name, content in contents.items():
                (tmp_path / name).write_text(content, encoding="utf-8", newline="")
            return annotations.read_cola(tmp_path, archive=None)
        entries = [(name, content.encode()) for name, content in contents.items()]
        (tmp_path / "a.zip").write_bytes(zipped(entries))
        return annotations.read_cola(tmp_path, archive="a.zip")

    return read


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_name_the_set_and_the_features_of_each_sentence(read, end):
    rows = read(MAJOR.replace("\n", end), MINOR.replace("\n", end))

    assert rows.table.to_dict("split")["data"] == [
        ["sentence", "in_domain_dev", "The lamp glows.", 1, ["Simple"], []],
        ["sentence", "out_of_domain_dev", "Glows lamp?", 0, ["Question"], ["Sem Violation"]],
    ]
    assert rows.rows_in == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tSimple\t", "\tSimple\tSimple\t", "line 1: the feature Simple has two columns"),
        ("\tSimple", "\t ", "line 1: expected the header"),
        ("Domain", "Set", "line 1: expected the header"),
        ("\t1\t0\n", "\t1\n", "line 2: expected 6 tab-separated columns as in the header, found 5"),
        ("\t1\t0\n", "\t1\tyes\n", "line 2: expected 0 or 1 for Question, found 'yes'"),
        ("\tIn\t", "\tin\t", "line 2: expected the domain In or Out, found 'in'"),
        ("\tIn\t1\t", "\tIn\t*\t", "line 2: expected the label 0 or 1"),
        ("The lamp glows.", " ", "line 2: expected a sentence, found none"),
    ],
)
def test_what_is_not_of_the_format_is_named_with_its_line(read, old, new, message):
    with pytest.raises(BertlineError) as raised:
        read(major=MAJOR.replace(old, new, 1))

    assert message in str(raised.value)


def test_an_empty_file_is_named(read):
    with pytest.raises(BertlineError, match="minor_features.tsv is empty"):
        read(minor="")


def test_files_of_different_sentences_are_refused(read):
    with pytest.raises(BertlineError, match=r"minor.*line 3: expected the sentence of the same"):
        read(minor=MINOR.replace("Glows lamp?", "Glow lamps?"))
    with pytest.raises(BertlineError, match="has 2 sentences, and .* has 1"):
        read(minor=MINOR[: MINOR.index("b1")])


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(BertlineError, match="major_features.tsv does not exist; the annotations"):
        annotations.read_cola(tmp_path, archive=None)
    with pytest.raises(BertlineError, match="phenomena.tsv does not exist"):
        annotations.read_list(tmp_path, file="phenomena.tsv")


def test_list_of_the_synthetic_corpus_names_every_phenomenon_with_its_group():
    rows = annotations.read_list(PROJECT / "minimal_pairs" / "corpus", file="phenomena.tsv").table

    assert rows["value"].tolist() == list(PHENOMENA)
    assert set(rows["by"]) == {"source"} and not any(rows["minor"])
    groups = rows.set_index("value")["major"]
    assert set(groups.explode()) == {"agreement", "movement", "selection", "structure"}
    assert groups["that-trace"] == ["movement"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("source,major,description\n", "line 1: expected the header"),
        ("source\tmajor\tdescription\na\tb\n", "line 2: expected 3 tab-separated columns"),
        ("source\tmajor\tdescription\n\tb\tc\n", "line 2: expected 3 .* first two not empty"),
        ("source\tmajor\tdescription\na\tb\tc\na\td\t\n", "line 3: a is on line 2 already"),
    ],
)
def test_a_list_that_is_none_is_named_with_its_line(tmp_path, content, message):
    (tmp_path / "list.tsv").write_text(content, encoding="utf-8")

    with pytest.raises(BertlineError, match=message):
        annotations.read_list(tmp_path, file="list.tsv")
