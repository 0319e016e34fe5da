"""Texts of each format are predicted in batches, and written whole, in order."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.apply import predict
from bertline.apply.classifier import Classifier
from bertline.apply.topics import Topics
from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.encoders import text_vectors
from bertline.own import entries
from tests import tiny
from tests.apply.models import write_classifier
from tests.command import PROJECT, call
from tests.topics import planted

TEXTS = ["Köln, um 8", "007", "1e5", "True", "The dog sings."]
NEIGHBOURS = [1517074359571075123, 1517074359571075124]  # the same as floats


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    return write_classifier(tmp_path_factory.mktemp("models") / "1", tiny_bert)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, tiny_bert_cls: Path) -> Path:
    """Return the folder of a fit, with its documents, vectors and encoder."""
    folder = tmp_path_factory.mktemp("fit")
    with pytest.MonkeyPatch.context() as patch:
        planted.skip_umap(patch)
        table, vectors = planted.planted(100)
        changes = {"topic_words__outliers__strategy": "embeddings"}
        planted.fit(folder, table, vectors, topic_fit__method="graph", **changes)
    (folder / "download").mkdir()
    (folder / "download" / "embedder").symlink_to(tiny_bert_cls)
    return folder


def run(*arguments: object) -> list[dict[str, Any]]:
    """Call the command, whose second argument is a .jsonl file; return its rows."""
    call(predict, *arguments)
    lines = Path(str(arguments[1])).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


# --- formats ------------------------------------------------------------------------------------


def write(path: Path, table: pd.DataFrame) -> None:
    match path.suffix.lower():
        case ".jsonl":
            table.to_json(path, orient="records", lines=True)
        case ".parquet":
            table.to_parquet(path)
        case ".tsv":
            table.to_csv(path, index=False, sep="\t")
        case ".csv":
            table.to_csv(path, index=False)
        case ".txt":
            path.write_text("".join(f"{text}\n" for text in table["text"]), encoding="utf-8")


@pytest.mark.parametrize("ending", ["csv", "CSV", "tsv", "jsonl", "parquet", "txt"])
@pytest.mark.parametrize("numbered", [True, False])
def test_texts_of_every_format_have_the_same_classes(
    tmp_path, model, monkeypatch, ending, numbered
):
    monkeypatch.setattr(predict, "BATCH", 2)
    table = pd.DataFrame({"text": TEXTS, "id": [7, 8, 9, 10, 11], "other": 1.5})
    write(tmp_path / f"new.{ending}", table.drop(columns="id") if numbered else table)

    found = run(tmp_path / f"new.{ending}", tmp_path / "out.jsonl", "--classifier", model)

    expected = Classifier(model)(TEXTS)
    assert [row["class"] for row in found] == expected["class"].tolist()
    sure = expected["probability"].tolist()
    assert [row["class_probability"] for row in found] == pytest.approx(sure, abs=1e-5)
    assert [*found[0]] == ["id", "class", "class_probability"]
    numbers = range(1, 6) if numbered or ending == "txt" else range(7, 12)
    assert [row["id"] for row in found] == [str(number) for number in numbers]


def test_folder_of_files_has_their_paths(tmp_path, model):
    (tmp_path / "mail" / "a").mkdir(parents=True)
    (tmp_path / "mail" / "a" / "1.txt").write_text("The dog sings.\nOften.")
    (tmp_path / "mail" / "2.txt").write_text("The cat runs.")

    found = run(tmp_path / "mail", tmp_path / "out.jsonl", "--classifier", model)

    assert [row["id"] for row in found] == ["mail/2.txt", "mail/a/1.txt"]


def test_columns_are_named(tmp_path, model):
    (tmp_path / "new.csv").write_text("key;body\na;The dog sings.\n", encoding="utf-16")
    options = ("--text", "body", "--id", "key", "--separator", ";", "--encoding", "utf-16")

    found = run(tmp_path / "new.csv", tmp_path / "out.jsonl", "--classifier", model, *options)

    assert [row["id"] for row in found] == ["a"]


LIKE = {
    "files": {"train": "reviews.csv"},
    "separator": ";",
    "header": False,
    "encoding": "cp1252",
    "columns": {"text": "2", "label": "3", "id": "1"},
}


@pytest.fixture
def entry(tmp_path, monkeypatch) -> None:
    """Work where sources.yaml has a table `reviews`, as `bertline add` writes it."""
    monkeypatch.chdir(tmp_path)
    Path("sources.yaml").write_text("odd: 5\nlist: {parse: {format: source-list}}\n")
    entries.append(Path("sources.yaml"), "reviews", {"parse": {"format": "table"} | LIKE})


def test_layout_and_columns_are_those_of_an_entry(tmp_path, model, entry, monkeypatch):
    content = "a;Köln, um 8;good\nb;The dog sings.;\n"
    Path("new.csv").write_text(content, encoding="cp1252")
    Path("other.csv").write_text(content, encoding="utf-16")
    like = ("--classifier", model, "--like", "reviews")

    found = run("new.csv", tmp_path / "out.jsonl", *like)
    assert [row["id"] for row in found] == ["a", "b"]
    classes = Classifier(model)(["Köln, um 8", "The dog sings."])["class"].tolist()
    assert [row["class"] for row in found] == classes

    found = run("other.csv", tmp_path / "out.jsonl", *like, "--encoding", "utf-16", "--id", "2")
    assert [row["id"] for row in found] == ["Köln, um 8", "The dog sings."]
    monkeypatch.setattr(predict, "INPUT", Path("new.csv"))  # standard input has the entry's ending
    assert [row["id"] for row in run("-", tmp_path / "out.jsonl", *like)] == ["a", "b"]


@pytest.mark.parametrize("kind", [None, "csv"], ids=["by-ending", "stated"])
def test_type_is_that_of_an_entry_whatever_the_ending(tmp_path, model, entry, kind):
    stated = {"type": kind} if kind else {}
    entries.update(Path("sources.yaml"), {("reviews", "parse", key): kind for key in stated})
    for name in ("m.txt", "m.dat", "m"):
        Path(name).write_text("a;Köln, um 8;good\nb;The dog sings.;\n", encoding="cp1252")
        found = run(name, tmp_path / "out.jsonl", "--classifier", model, "--like", "reviews")
        assert [row["id"] for row in found] == ["a", "b"]

    Path("m.jsonl").write_text('{"2": "The dog sings.", "1": "a"}\n')
    like = ("--classifier", model, "--like", "reviews")
    with pytest.raises(BertlineError, match=r"--format.*: it is read as `reviews` of sources"):
        call(predict, "m.jsonl", "out.csv", *like)
    rows = run("m.jsonl", tmp_path / "out.jsonl", *like, "--format", "json")
    assert [row["id"] for row in rows] == ["a"]


def test_folder_is_read_as_one_whatever_the_entry(tmp_path, model, entry):
    Path("mail").mkdir()
    Path("mail/1.txt").write_text("The dog sings.")
    options = ("--classifier", model, "--like", "reviews", "--text", "text")

    found = run("mail", tmp_path / "out.jsonl", *options)

    assert [row["id"] for row in found] == ["mail/1.txt"]


def test_like_needs_a_project(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("new.csv").write_text("text\na\n")

    with pytest.raises(BertlineError, match="--like reviews needs sources.yaml, which is not here"):
        call(predict, "new.csv", "out.csv", "--classifier", model, "--like", "reviews")


@pytest.mark.parametrize(("name", "key"), [("new.csv", "key"), ("new.jsonl", "key"), ("a", "id")])
def test_identifier_that_is_named_has_to_be_there(tmp_path, model, monkeypatch, name, key):
    monkeypatch.chdir(tmp_path)
    Path("a").mkdir()
    for path, content in (("new.csv", "text\na\n"), ("new.jsonl", '{"text": "a"}'), ("a/1", "a")):
        Path(path).write_text(content)

    with pytest.raises(BertlineError, match=rf"no column '{key}'.*--text COLUMN, --id COLUMN"):
        call(predict, name, "out.csv", "--classifier", model, "--id", key)
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("new.csv", "--text COLUMN, --format, --separator, --encoding"),
        ("new.jsonl", "--text COLUMN, --format"),
        ("new.parquet", "--text COLUMN, --format"),
    ],
)
def test_advice_has_the_options_that_a_format_has(tmp_path, model, monkeypatch, name, options):
    monkeypatch.chdir(tmp_path)
    write(Path(name), pd.DataFrame({"body": TEXTS}))

    with pytest.raises(BertlineError) as caught:
        call(predict, name, "out.csv", "--classifier", model)
    assert f" Say what this file has ({options}), or name a table of" in str(caught.value)


def test_options_of_texts_are_refused_for_vectors(tmp_path):
    np.save(tmp_path / "new.npy", np.ones((2, 3), np.float32))
    options = "--like a --text b --id c --format csv --separator ; --encoding utf-8"
    listed = "--like and --text and --id and --format and --separator and --encoding"

    with pytest.raises(BertlineError, match=f"new.npy holds vectors: {listed} would have no eff"):
        call(predict, tmp_path / "new.npy", "out.csv", "--topics", tmp_path, *options.split())


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            "body;key\na;1\n",
            "",
            "--text COLUMN, --format, --separator.*--like NAME, one of reviews",
        ),
        ("body\na\n", "--text boddy", "did you mean .*--text COLUMN.*one of reviews"),
        ("text\nKöln\n", "", "0xf6 is not utf-8.*--like NAME, one of reviews"),
        ("a\nb\n", "--like reviews", "'2'.*--encoding.: it is read as `reviews` of sources.yaml.$"),
        (
            "text\na\n",
            "--like revews",
            "sources.yaml has no table `revews`.*`reviews`.*bertline add",
        ),
    ],
)
def test_layout_that_is_another_is_answered_with_options(model, entry, content, options, message):
    Path("new.csv").write_text(content, encoding="cp1252")

    with pytest.raises(BertlineError, match=message):
        call(predict, "new.csv", "out.csv", "--classifier", model, *options.split())


@pytest.mark.parametrize("mark", [";;", "", '"'])
def test_separator_is_one_character(model, mark, capsys):
    with pytest.raises(SystemExit):
        call(predict, "new.csv", "out.csv", "--classifier", model, "--separator", mark)
    assert "--separator: expected one character, such as ';', or tab" in capsys.readouterr().err


def test_large_identifiers_are_kept_beside_a_missing_one(tmp_path, model):
    table = pa.table({"id": pa.array([*NEIGHBOURS, None]), "text": ["a", "b", "c"]})
    pq.write_table(table, tmp_path / "new.parquet")

    found = run(tmp_path / "new.parquet", tmp_path / "out.jsonl", "--classifier", model)

    assert [row["id"] for row in found] == [*map(str, NEIGHBOURS), "3"]


def test_csv_of_the_output_is_read_back(tmp_path, model, monkeypatch, capsys):
    monkeypatch.setattr(predict, "BATCH", 2)
    ids = ["a,b", 'c"d', "e\nf", "g\rh", "ö"]
    files.write_csv(tmp_path / "new.csv", ["id", "text"], list(zip(ids, TEXTS, strict=True)))

    call(predict, tmp_path / "new.csv", tmp_path / "out.csv", "--classifier", model)

    content = (tmp_path / "out.csv").read_bytes().decode()
    header, *rows = csv.reader(io.StringIO(content, newline=""))
    assert header == ["id", "class", "class_probability"]
    assert [row[0] for row in rows] == ids
    assert "out.csv: 5 texts, " in capsys.readouterr().err


def test_blank_texts_are_counted(tmp_path, model, capsys):
    (tmp_path / "new.jsonl").write_text('{"text": "a"}\n{"text": null}\n{"text": " "}\n{"id": 1}\n')

    found = run(tmp_path / "new.jsonl", tmp_path / "out.jsonl", "--classifier", model)

    assert [row["class"] is None for row in found] == [False, True, True, True]
    assert found[1] == {"id": "2", "class": None, "class_probability": None}
    assert "3 blank ones without a class" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "content"),
    [
        ((), "The dog sings.\n\nÖl runs.\n"),
        (("--format", "json"), '{"text": "The dog sings."}\n{"text": ""}\n{"text": "Öl runs."}\n'),
        (("--format", "csv"), 'text\nThe dog sings.\n""\nÖl runs.\n'),
    ],
    ids=["lines", "json", "csv"],
)
def test_standard_input_and_output(model, options, content):
    command = [sys.executable, "-m", "bertline.cli", "predict", "-", "--classifier", str(model)]
    done = subprocess.run(
        [*command, *options], input=content.encode(), capture_output=True, cwd=PROJECT, check=True
    )

    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row["class"] is None for row in rows] == [False, True, False]


@pytest.mark.slow
def test_reader_of_the_output_may_end_early(model):
    command = f"yes 'The dog sings.' | {sys.executable} -m bertline.cli predict - "
    done = subprocess.run(
        ["bash", "-c", f"{command} --classifier {model} | head -1"],
        capture_output=True,
        cwd=PROJECT,
        check=True,
        timeout=300,
    )

    assert json.loads(done.stdout)["id"] == "1"
    assert b"Traceback" not in done.stderr


# --- topics -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fitted_vectors_have_their_topics(stored, tmp_path):
    found = run(stored / "embeddings.npy", tmp_path / "out.jsonl", "--topics", stored / "out")

    assigned = files.read_table(stored / "out" / "assignments.parquet")
    names = files.read_table(stored / "out" / "topics.parquet").set_index("topic")["name"]
    topics = [row["topic"] for row in found]
    assert topics == assigned["topic"].tolist()
    assert [row["topic_name"] for row in found] == names[topics].tolist()
    assert [*found[0]] == ["id", "topic", "topic_name", "topic_probability"]
    assert [row["id"] for row in found] == [str(number) for number in range(1, 101)]


@pytest.mark.slow
def test_classes_and_topics_of_texts_stand_beside_each_other(stored, model, tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "BATCH", 30)
    vectors = np.load(stored / "embeddings.npy")
    monkeypatch.setattr(
        Topics, "embed", lambda _, texts: np.full((len(texts), 16), -1, np.float32)
    )  # unlike all fitted ones
    table = files.read_table(stored / "documents.parquet")[["id", "text"]]
    more = pd.DataFrame({"id": ["new", "blank", "marks"], "text": ["soil", " ", "?!"]})
    write(tmp_path / "new.csv", pd.concat([table, more]))

    models = ("--classifier", model, "--topics", stored / "out")
    found = run(tmp_path / "new.csv", tmp_path / "out.jsonl", *models)

    assert len(found) == len(vectors) + 3
    assigned = files.read_table(stored / "out" / "assignments.parquet")
    assert [row["topic"] for row in found[:100]] == assigned["topic"].tolist()  # by their texts
    for row in found[100:]:
        assert (row["topic"], row["topic_name"], row["topic_probability"]) == (-1, None, 0)
    assert [row["class"] is None for row in found[100:]] == [False, True, False]


@pytest.mark.slow
def test_texts_are_embedded_as_the_fit_did(stored, tmp_path, tiny_bert_cls):
    topics = Topics(stored / "out", embedder=tiny_bert_cls)
    texts = [*TEXTS, *tiny.documents(4, words=100)["text"]]

    for how in ("head", "windows"):
        topics.model.settings = topics.model.settings.model_copy(update={"long_texts": how})
        expected = text_vectors.encode(tiny_bert_cls, texts, long_texts=how)
        assert topics.embed(texts) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(BertlineError, match=r"elsewhere does not exist.*--embedder"):
        Topics(stored / "out", embedder=tmp_path / "elsewhere")(["a"])


# --- models and errors --------------------------------------------------------------------------


def test_models_of_the_project_are_applied_by_default(tmp_path, tiny_bert, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert predict.choose_models(Path("a"), None, vectors=False) == (Path("a"), None)
    assert predict.choose_models(None, Path("b"), vectors=False) == (None, Path("b"))
    with pytest.raises(BertlineError, match="There is no model: neither data/train nor data/topic"):
        predict.choose_models(None, None, vectors=False)
    for seed in (10, 2):
        write_classifier(Path("data/train", str(seed)), tiny_bert)
    assert predict.choose_models(None, None, vectors=False) == (Path("data/train/2"), None)
    Path("data/topic_words").mkdir()
    both = (Path("data/train/2"), Path("data/topic_words"))
    assert predict.choose_models(None, None, vectors=False) == both
    assert predict.choose_models(None, None, vectors=True) == (None, Path("data/topic_words"))
    with pytest.raises(BertlineError, match="the input is vectors"):
        predict.choose_models(Path("a"), None, vectors=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("new.doc", b"orbit", "expected a file that ends in .csv"),
        ("new.xlsx", b"PK\3\4", "in Excel by File, Save As"),
        ("new.csv", b"PK\3\4", "is a spreadsheet such as .xlsx or a zip archive, and not csv"),
        ("new.jsonl", b"\x1f\x8b", "is a gzip archive, and not json"),
        ("new.csv", b"body\norbit\n", "has no column 'text' .known: body"),
        ("new.csv", b"text\n", "new.csv has no text"),
        ("new.csv", b"", "cannot be read as a csv table: it is empty"),
        ("new.csv", b"text\nm\xfcsli\n", "line 2: byte 0xfc is not utf-8.*--encoding"),
        ("new.csv", b"text,id\na,1\nb,c,2\n", "line 3 has 3 cells, more"),
        ("new.csv", b"text,text\na,b\n", "several columns named 'text'"),
        ("new.csv", b"text,id\na,1\nb,2\nc,1.517074359571075e+18\n", "row 3, column 'id': .*lost"),
        ("new.jsonl", b'{"text": "a"}\n{"text": "a"', "line 2 is not valid JSON"),
        ("new.jsonl", b'{"body": "a"}\n', "has no column 'text'"),
        ("new.txt", b"orbit\n\nm\0sli\n", "line 3: a NUL byte"),
        ("new.txt", b"", "new.txt has no text"),
        ("new.parquet", b"orbit", "cannot be read as a parquet table"),
    ],
)
def test_texts_that_cannot_be_read_are_refused(
    tmp_path, model, monkeypatch, name, content, message
):
    monkeypatch.setattr(predict, "BATCH", 2)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "out.csv").write_text("an earlier result\n")

    with pytest.raises(BertlineError, match=rf"{name}.*{message}|{message}"):
        call(predict, tmp_path / name, tmp_path / "out.csv", "--classifier", model)

    assert (tmp_path / "out.csv").read_text() == "an earlier result\n"
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent.csv",), r"absent\.csv does not exist\. Name the file"),
        (("new.txt", "out.xlsx"), r"out\.xlsx: expected a file that ends in \.csv or \.jsonl"),
        (("same.csv", "same.csv"), r"same\.csv is the file of the texts"),
        (("new.txt", "out.csv", "--classifier", "nowhere"), "nowhere has no model"),
        (("new.txt", "out.csv", "--topics", "nowhere"), r"settings\.json does not exist"),
        (("new.npy", "out.csv", "--topics", "nowhere"), "cannot be read as the array|not exist"),
        (("new.txt", "out.csv", "--encoding", "hex", "--classifier", "1"), "is not an encoding"),
    ],
)
def test_places_that_are_wrong_are_named(tmp_path, model, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("new.txt", "same.csv", "new.npy"):
        Path(name).write_text("text\norbit\n")
    Path("1").symlink_to(model)

    with pytest.raises(BertlineError, match=message):
        call(predict, *arguments)
