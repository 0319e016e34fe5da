"""Encodings, separators and headers as people's files have them."""

from pathlib import Path

import pytest

from bertline.core.errors import BertlineError
from bertline.own import layouts

GERMAN = "Käthe – größer, „schön“ für 5 €\n"


def write(folder: Path, content: bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "encoding", ["utf-8", "cp1252", "mac-roman", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_encoding_is_found_out(tmp_path, encoding):
    path = write(tmp_path, ("text\n" + GERMAN * 20).encode(encoding))

    assert layouts.guess_encoding([path]) == encoding


def test_byte_order_mark_is_utf_8(tmp_path):
    assert layouts.guess_encoding([write(tmp_path, GERMAN.encode("utf-8-sig"))]) == "utf-8"


def test_other_encoding_gives_the_letters_that_were_written(tmp_path):
    russian = "Эта лампа светит ярко, и никто не знает почему.\n" * 20
    path = write(tmp_path, russian.encode("cp1251"))

    assert path.read_bytes().decode(layouts.guess_encoding([path])) == russian


def test_byte_of_another_encoding_late_in_a_long_file_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "SAMPLE", 64)
    path = write(tmp_path, b"text\n" + b"a lamp\n" * 50 + "größer\n".encode("cp1252"))

    assert layouts.guess_encoding([path]) == "cp1252"


def test_encodings_of_all_files_count(tmp_path):
    paths = [write(tmp_path, b"a lamp", "a"), write(tmp_path, "größer".encode("cp1252"), "b")]

    assert layouts.guess_encoding(paths) == "cp1252"


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("text;label\nA, b;1\nC;0\n", ";"),
        ("text,label\nA;1\nC,0\n", ","),
        ('a,b\n"x, y",1\n', ","),
        ("text\nhello\n", ","),
        ("a|b|c\n1,5|2|3\n", "|"),
        ('text;label\n"a\nb; c";1\nC;0\n', ";"),
    ],
)
def test_separator_divides_all_rows_alike(text, separator):
    assert layouts.guess_separator(text, ",") == separator


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([["text", "label"], ["a lamp", "x"]], True),
        ([["Satz", "Gruppe"], ["Die Lampe leuchtet hell.", "x"]], True),
        ([["", "text"], ["0", "a lamp"]], True),
        ([["The lamp of the house glows", "x"], ["No lamp glows in the house", "x"]], False),
        ([["A lamp that nobody knows", "y"], ["No lamp glows in the house", "x"]], False),
        ([["a lamp", "1"], ["lamps", "0"]], False),
        ([["x", "x"], ["a", "b"]], False),
        ([["a", "2001-02-03"], ["b", "2001-02-04"]], False),
    ],
)
def test_header_is_told_from_a_row(rows, named):
    assert layouts.guess_header(rows) is named


@pytest.mark.parametrize("word", ["The", "a"])
def test_sentences_that_begin_alike_are_no_labelled_lines(tmp_path, word):
    lines = [f"{word} lamp {number}" for number in range(30)]
    path = write(tmp_path, "\n".join(lines).encode(), "a.txt")

    assert layouts.guess(path, layouts.Layout(encoding=""), header=None).type == "lines"


def test_encoding_that_python_does_not_know_is_named(tmp_path):
    path = write(tmp_path, b"text\n")

    with pytest.raises(BertlineError, match="is not text in ansi .*Leave --encoding out"):
        layouts.guess(path, layouts.Layout(encoding="ansi"), header=None)
