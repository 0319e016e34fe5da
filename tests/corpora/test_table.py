"""A table of the user, in each format that is read, and what is said of one that cannot be read."""

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bertline.core.errors import BertlineError
from bertline.corpora import table
from bertline.corpora.readers import Layout

SENTENCES = {"text": "words", "label": "good"}
ENDINGS = ("csv", "tsv", "jsonl", "parquet")


def write(path: Path, frame: pd.DataFrame) -> Path:
    match path.suffix:
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True, force_ascii=False)
        case ".parquet":
            frame.to_parquet(path)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t", quoting=csv.QUOTE_NONE)
        case _:
            frame.to_csv(path, index=False)
    return path


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., table.Rows]:
    """Return a function that writes a training set, a frame or bytes, and reads it."""

    def read(content: pd.DataFrame | bytes, ending: str = "csv", **options) -> table.Rows:
        path = tmp_path / f"a.{ending}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            write(path, content)
        return table.read_sentences(
            tmp_path,
            files={"in_domain_train": path.name},
            columns=options.get("columns", SENTENCES),
            layout=Layout(**options.get("layout", {})),
            listed=options.get("listed"),
        )

    return read


TEXTS = ['A "lamp", glowing', "Lämpchen\nglüht", "NA", "007", "null"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_sentences_are_the_same_from_every_format(read, ending):
    texts = [text.replace("\n", " ") if ending == "tsv" else text for text in TEXTS]
    rows = read(pd.DataFrame({"words": texts, "good": [1, 0, 1, 0, 1], "other": 5}), ending)

    ids = [f"in_domain_train:{number}" for number in range(1, 6)]
    assert rows.table.to_dict("list") == {
        "id": ids,
        "set": ["in_domain_train"] * 5,
        "source": [""] * 5,
        "label": [1, 0, 1, 0, 1],
        "class": ["1", "0", "1", "0", "1"],
        "mark": [""] * 5,
        "text": texts,
        "pair": ids,
    }
    assert (rows.rows_in, rows.dropped) == (5, {"no text": 0})


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        pytest.param([True, False], ["true", "false"], id="truth-values"),
        pytest.param(["TRUE", "false"], ["true", "false"], id="truth-values-as-texts"),
        pytest.param([1.0, 0.0], ["1", "0"], id="floats"),
        pytest.param(["1", "0"], ["1", "0"], id="texts"),
        pytest.param(["1.0", "0.0"], ["1", "0"], id="floats-as-texts"),
        pytest.param(["True", "0"], ["1", "0"], id="mixed"),
        pytest.param(pd.array([1, 0], dtype="Int64"), ["1", "0"], id="nullable-integers"),
        pytest.param(["spam", " ham "], ["spam", "ham"], id="names"),
        pytest.param(["null", "NA"], ["null", "NA"], id="names-that-look-missing"),
    ],
)
def test_label_is_read_from_any_type_of_column(read, ending, labels, classes):
    rows = read(pd.DataFrame({"words": ["a b", "c d"], "good": labels}), ending)

    assert rows.table["label"].tolist() == [1, 0]
    assert rows.table["class"].tolist() == classes


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("empty", ["", "  ", None], ids=["empty", "blank", "missing"])
def test_row_without_text_is_dropped_and_counted(read, ending, empty):
    rows = read(pd.DataFrame({"words": ["a", empty, "c"], "good": [1, 1, 0]}), ending)

    assert rows.table["id"].tolist() == ["in_domain_train:1", "in_domain_train:3"]
    assert (rows.rows_in, rows.dropped) == (3, {"no text": 1})


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("blank", ["", "  ", None], ids=["empty", "blank", "missing"])
def test_blank_labels_are_named_by_file_and_row_and_counted(read, ending, blank):
    frame = pd.DataFrame({"words": ["a", "b", "c"], "good": ["x", blank, blank]})

    message = rf"a\.{ending}, row in_domain_train:2: .*column 'good' is blank, as are 2 of 3"
    with pytest.raises(BertlineError, match=message):
        read(frame, ending)


def test_labels_are_listed_in_sources_yaml_and_others_are_refused(read):
    frame = pd.DataFrame({"words": ["a", "b", "c"], "good": [1, 0, 1]})

    rows = read(frame, listed={0: "ham", 1: "spam"})
    assert rows.table["class"].tolist() == ["spam", "ham", "spam"]
    with pytest.raises(BertlineError, match=r"column 'good': .*other labels: '0' \(1 text\)\."):
        read(frame, listed=[1])


def test_json_lines_keep_numbers_and_dates_as_they_are_written(read):
    lines = b'{"date": "2001-02-03", "good": 1, "key": 12345678901234567891}\n\n'
    columns = {"text": "date", "label": "good", "id": "key"}

    rows = read(lines + b'{"good": 0, "date": "1e5", "key": 2}\n', "jsonl", columns=columns)

    assert rows.table["text"].tolist() == ["2001-02-03", "1e5"]
    assert rows.table["id"].tolist() == ["12345678901234567891", "2"]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""], ids=["lf", "crlf", "none-at-the-end"])
def test_quotation_marks_of_a_tsv_file_are_letters_and_divide_nothing(read, capsys, end):
    lines = ["words\tgood", 'a 3" lamp\t1', '"a lamp\t0', '"a lamp"\t1']
    content = (end or "\n").join(lines) + end

    rows = read(content.encode(), "tsv")

    assert rows.table["text"].tolist() == ['a 3" lamp', '"a lamp', '"a lamp"']
    assert "1 lines have a cell in quotation marks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"words": ["a"], "good": 1}', "row 2, column 'words': .* found a list"),
        (b'{"words": "\\ud800", "good": 1}', "row 2, column 'words': half a character"),
        (b'{"words": "a", ', "line 2 is not valid JSON"),
        (b'["a", 1]', "line 2: expected .*column"),
    ],
    ids=["list", "surrogate", "half", "json-list"],
)
def test_json_line_that_is_no_row_is_named(read, line, message):
    with pytest.raises(BertlineError, match=message):
        read(b'{"words": "a", "good": 0}\n' + line, "jsonl")


@pytest.mark.parametrize("training", ["train", "in_domain_train"])
def test_training_set_has_either_name(tmp_path, training):
    for name in "abc":
        write(tmp_path / f"{name}.csv", pd.DataFrame({"words": ["x"], "good": [name]}))

    rows = table.read_sentences(
        tmp_path,
        files={training: "a.csv", "validation": "b.csv", "test": "c.csv"},
        columns=SENTENCES,
    )

    assert rows.table["set"].tolist() == [training, "validation", "test"]
    assert rows.table["label"].tolist() == [0, 1, 2]  # of all sets together


def test_optional_columns_are_taken_and_a_sentence_without_a_pair_is_its_own(read):
    frame = pd.DataFrame(
        {
            "words": ["a", "b", "c", "d", "e", "f"],
            "good": [1, 0, 1, 0, 1, 0],
            "key": ["k1", "k2", "k3", "k4", "k5", "k6"],
            "book": ["x", "x", "y", None, "y", "y"],
            "star": [None, "*", None, "?", None, None],
            "couple": ["p", "p", "", None, " ", " "],
        }
    )
    names = {"id": "key", "source": "book", "mark": "star", "pair": "couple"}

    rows = read(frame, columns=SENTENCES | names)

    assert rows.table["id"].tolist() == ["k1", "k2", "k3", "k4", "k5", "k6"]
    assert rows.table["source"].tolist() == ["x", "x", "y", "", "y", "y"]
    assert rows.table["mark"].tolist() == ["", "*", "", "?", "", ""]
    assert rows.table["pair"].tolist() == ["p", "p", "k3", "k4", "k5", "k6"]


def test_number_that_identifies_keeps_no_decimals(read):
    frame = pd.DataFrame({"words": ["a", "b"], "good": [1, 0], "key": [7.0, 8.0]})

    rows = read(frame, "parquet", columns=SENTENCES | {"id": "key"})

    assert rows.table["id"].tolist() == ["7", "8"]


NEIGHBOURS = [1517074359571075123, 1517074359571075124]  # the same as floats


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_large_integers_are_kept_beside_a_missing_one(read, ending):
    keys = pd.array([*NEIGHBOURS, None], dtype="Int64")
    frame = pd.DataFrame({"words": ["a", "b", "c"], "good": [1, 0, 1], "key": keys, "two": keys})

    rows = read(frame, ending, columns=SENTENCES | {"id": "key", "pair": "two"})

    first, second = map(str, NEIGHBOURS)
    assert rows.table["id"].tolist() == rows.table["pair"].tolist() == [first, second, ""]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("role", ["id", "pair"])
def test_large_numbers_that_were_rounded_before_are_refused(read, ending, role):
    keys = [float(key) for key in NEIGHBOURS]
    frame = pd.DataFrame({"words": ["a", "b"], "good": [1, 0], "key": keys})

    with pytest.raises(BertlineError, match="row 1, column 'key': 1.517.*last digits"):
        read(frame, ending, columns=SENTENCES | {role: "key"})


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("name", ["one\rname", "one\nname"], ids=["cr", "lf"])
def test_name_of_several_lines_is_refused(read, ending, name):
    frame = pd.DataFrame({"words": ["a", "b"], "good": [1, 0], "book": ["x", name]})
    content = (
        frame.to_csv(index=False, quoting=csv.QUOTE_ALL).encode() if ending == "csv" else frame
    )

    with pytest.raises(BertlineError, match="row 2, column 'book': expected a name on one line"):
        read(content, ending, columns=SENTENCES | {"source": "book"})


def test_large_integers_name_groups_beside_a_missing_one(tmp_path):
    groups = pd.array([*NEIGHBOURS, None], dtype="Int64")
    pd.DataFrame({"text": ["a", "b", "c"], "of": groups}).to_parquet(tmp_path / "a.parquet")

    rows = table.read_documents(
        tmp_path,
        files={"all": "a.parquet"},
        columns={"text": "text", "group": "of"},
    )

    assert rows.table["group"].tolist()[:2] == [*map(str, NEIGHBOURS)]
    assert rows.table["group"].isna().tolist() == [False, False, True]


def test_an_empty_or_blank_group_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text('text,of\na,x\nb,\nc,"  "\nd,x y\n', encoding="utf-8")

    rows = table.read_documents(
        tmp_path,
        files={"all": "a.csv"},
        columns={"text": "text", "group": "of"},
    )

    assert rows.table["group"].dropna().tolist() == ["x", "x y"]
    assert rows.table["group"].isna().tolist() == [False, True, True, False]


def test_bytes_are_decoded(read):
    frame = pd.DataFrame({"words": ["Köln".encode(), b"b"], "good": [b"1", b"0"]})

    assert read(frame, "parquet").table["text"].tolist() == ["Köln", "b"]


@pytest.mark.parametrize(
    ("ids", "repeated"), [(["k", "k"], "'k'"), ([None, ""], "''")], ids=["same", "missing"]
)
def test_repeated_id_is_named(read, ids, repeated):
    frame = pd.DataFrame({"words": ["a", "b"], "good": [1, 0], "key": ids})

    with pytest.raises(BertlineError, match=f"the id {repeated} occurs more than once"):
        read(frame, columns=SENTENCES | {"id": "key"})


@pytest.mark.parametrize(
    ("content", "ending", "message"),
    [
        pytest.param(b"words,god\na,1\n", "csv", "no column 'good'.*`god`", id="column"),
        pytest.param(b"", "csv", "cannot be read as a csv table", id="empty"),
        pytest.param(b'words,good\na,1\n"b,1\n"c",0\n', "csv", "line 3: ", id="merging-quote"),
        pytest.param(
            b"words,good\na,1\nb,0,c\n", "csv", "cannot be read.*line 3 has 3", id="cells-in-a-row"
        ),
        pytest.param(b"words,good\na,1\nb\n", "csv", "line 3 has 1 cell, fewer", id="few-cells"),
        pytest.param(b"words\tgood\nb\n", "tsv", "line 2 has 1 cell, fewer", id="few-tab-cells"),
        pytest.param(b"words,good,words\na,1,b\n", "csv", "several columns", id="same-columns"),
        pytest.param(b"words\tgood\nl\xe4mp\t1\n", "tsv", "line 2: byte 0xe4", id="latin-1"),
        pytest.param(b"", "jsonl", "no column 'words'", id="empty-jsonl"),
        pytest.param(b"words,good\n", "parquet", "cannot be read as a parquet", id="no-parquet"),
        pytest.param(
            b"words,good\n", "xlsx", "expected a file that ends in .*in Excel by File", id="ending"
        ),
    ],
)
def test_table_that_cannot_be_read_is_named(read, content, ending, message):
    with pytest.raises(BertlineError, match=rf"a\.{ending}.*{message}"):
        read(content, ending)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_encoding_is_the_one_that_is_named(read, encoding):
    rows = read("words,good\nLämpchen,1\n".encode(encoding), layout={"encoding": encoding})

    assert rows.table["text"].tolist() == ["Lämpchen"]


def test_unknown_encoding_is_refused(read):
    with pytest.raises(BertlineError, match="`encoding: utf-7-bit` is not an encoding"):
        read(b"words,good\na,1\n", layout={"encoding": "utf-7-bit"})


@pytest.mark.parametrize("column", ["text", "label"])
def test_column_that_is_needed_must_be_named(read, column):
    columns = {key: value for key, value in SENTENCES.items() if key != column}

    with pytest.raises(BertlineError, match=f"`columns` should say which column is the {column}"):
        read(b"words,good\na,1\n", columns=columns)


@pytest.mark.parametrize("names", [["test"], ["train", "in_domain_train"]], ids=["none", "two"])
def test_one_table_to_train_on_must_be_named(tmp_path, names):
    message = f"table of one training set, `train`; found {', '.join(names)}"
    with pytest.raises(BertlineError, match=message):
        table.read_sentences(
            tmp_path,
            files=dict.fromkeys(names, "a.csv"),
            columns=SENTENCES,
        )


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BertlineError, match=r"a\.csv does not exist; `fetch\.files`"):
        table.read_sentences(tmp_path, files={"in_domain_train": "a.csv"}, columns=SENTENCES)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("grouped", [True, False], ids=["groups", "no-groups"])
def test_documents_of_several_parts(tmp_path, ending, grouped):
    for part, texts in (("old", ["a b", ""]), ("new", ["c d"])):
        frame = pd.DataFrame({"body": texts, "shelf": ["x"] * len(texts)})
        write(tmp_path / f"{part}.{ending}", frame)

    rows = table.read_documents(
        tmp_path,
        files={"old": f"old.{ending}", "new": f"new.{ending}"},
        columns={"text": "body"} | ({"group": "shelf"} if grouped else {}),
    )

    group = "x" if grouped else None
    assert rows.table.to_numpy().tolist() == [
        ["old:1", "old", group, None, "a b"],
        ["new:1", "new", group, None, "c d"],
    ]
    assert (rows.rows_in, rows.dropped) == (3, {"no text": 1})


def test_dates_of_documents_are_kept_and_labels_of_an_entry_for_both_roles_left(tmp_path):
    (tmp_path / "a.csv").write_text("body,kind,day\na,x,2001-02-03\nb,y,\n", encoding="utf-8")
    names = {"text": "body", "label": "kind", "group": "kind", "date": "day"}

    rows = table.read_documents(tmp_path, files={"all": "a.csv"}, columns=names)

    assert rows.table["group"].tolist() == ["x", "y"]
    assert rows.table["date"].isna().tolist() == [False, True]
    assert rows.table["date"][0] == "2001-02-03"
