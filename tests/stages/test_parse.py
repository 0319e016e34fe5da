"""Parsing: counts that are stated are held, nothing is dropped unseen, the same bytes every time.

Set BERTLINE_MIRROR to a folder with the published archives to parse these as well.
"""

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from bertline.core import files, params
from bertline.core.errors import BertlineError
from bertline.corpora import newsgroups
from bertline.scoring import analysis
from bertline.sources import catalogue
from stages import parse
from tests import tiny
from tests.command import PROJECT, call, write_params

SIZES = {"in_domain_train": 20, "in_domain_dev": 10, "out_of_domain_dev": 10}
# 7 of 10 sentences of tiny are acceptable.
COUNTS = {name: {"rows": size, "acceptable": size * 7 // 10} for name, size in SIZES.items()}


def source(role: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    fetch = {"kind": "path", "folder": "own/a", "files": {"a.csv": "0" * 64}}
    common = {"title": "Lamps (invented)", "roles": [role], "licence": "none"}
    return common | {"fetch": fetch, "parse": dict(recipe)}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple]:
    """Return a function that parses `raw` as a recipe says; it returns the table and counts."""
    monkeypatch.chdir(tmp_path)

    def run(role: str, recipe: Mapping[str, Any], name: str = "out", **changes) -> tuple:
        (tmp_path / "raw").mkdir(exist_ok=True)
        table = {"mine": source(role, recipe)}
        (tmp_path / "sources.yaml").write_text(json.dumps(table), encoding="utf-8")
        changed = {f"parse.{role}.{key}": value for key, value in changes.items()}
        settings = write_params(tmp_path / "params.yaml", changed)
        out, metrics = tmp_path / f"{name}.parquet", tmp_path / f"{name}.json"
        call(parse, role, "mine", "raw", out, "--params", settings, "--metrics", metrics)
        return files.read_table(out), json.loads(metrics.read_text(encoding="utf-8"))

    return run


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Return the folder of the downloaded files."""
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def test_sentences_are_counted_by_set(run, raw):
    tiny.write_sentences(raw, SIZES)
    path = raw / "in_domain_train.tsv"
    path.write_text(path.read_text() + "t09\t1\t\t \n")
    lines = path.read_text().splitlines()
    repeated = (raw / "out_of_domain_dev.tsv").read_text() + lines[0] + "\n" + lines[0] + "\n"
    (raw / "out_of_domain_dev.tsv").write_text(repeated)

    table, counts = run("sentences", {"format": "cola"})

    assert table.columns.tolist() == parse.SENTENCES.names
    assert len(table) == 42
    assert counts["title"] == "Lamps (invented)"
    assert (counts["source"], counts["rows_in"]) == ("mine", 43)
    assert counts["dropped"] == {"no sentence": 1}
    assert counts["sets"]["in_domain_train"] == {
        "rows": 20,
        "classes": {"unacceptable": 6, "acceptable": 14},
        "sources": 3,
        "duplicates": 0,
    }
    classes = {"unacceptable": 3, "acceptable": 9}  # one of the latter twice more
    assert counts["sets"]["out_of_domain_dev"]["classes"] == classes
    assert counts["sets"]["out_of_domain_dev"]["duplicates"] == 1


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("in_domain_train", {"rows": 21}, "expected .*21.*found .*20"),
        ("out_of_domain_dev", {"acceptable": 6}, "expected .*6.*found .*7"),
        ("of_another_edition", {"rows": 1, "acceptable": 1}, "expected .*found None"),
    ],
)
def test_stated_counts_that_differ_are_refused(run, raw, tmp_path, name, change, message):
    tiny.write_sentences(raw, SIZES)
    expected = COUNTS | {name: COUNTS.get(name, {}) | change}

    with pytest.raises(BertlineError, match=rf"(?s)mine\.parse\.expect\. {name}.*{message}"):
        run("sentences", {"format": "cola", "expect": expected})

    assert not (tmp_path / "out.parquet").exists()


TABLE = {
    "format": "table",
    "files": {"in_domain_train": "a.csv"},
    "columns": {"text": "text", "label": "label"},
}


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"rows": 10, "classes": {"0": 3, "1": 7}}, None),
        ({"rows": 10}, None),
        ({"rows": 10, "classes": {"0": 4, "1": 6}}, "expected .*'0': 4.*found .*'0': 3"),
        ({"classes": {}}, r"in_domain_train\.rows is missing"),
        (10, "in_domain_train: .*found 10"),
    ],
    ids=["right", "rows-alone", "wrong", "incomplete", "number"],
)
def test_counts_of_a_table_s_sentences_are_checked(run, raw, expected, message):
    tiny.sentences(10).to_csv(raw / "a.csv", index=False)
    recipe = TABLE | {"expect": {"in_domain_train": expected}}

    if message is None:
        assert len(run("sentences", recipe)[0]) == 10
        return
    with pytest.raises(BertlineError, match=message):
        run("sentences", recipe)


def test_nothing_to_train_on_is_refused(run, raw):
    tiny.write_sentences(raw, SIZES)
    (raw / "in_domain_train.tsv").write_text("")

    with pytest.raises(BertlineError, match="no sentence to train on"):
        run("sentences", {"format": "cola"})


DOCUMENTS = {
    "format": "table",
    "files": {"all": "a.csv"},
    "columns": {"text": "text", "group": "group"},
}


def write_lamps(raw: Path) -> None:
    rows = [
        ("lamp one", "a"),
        ("...", "a"),
        ("lamp one", "b"),
        ("_ _", "b"),
        ("\u7bc7", "b"),
        ("", "b"),
    ]
    pd.DataFrame(rows, columns=["text", "group"]).to_csv(raw / "a.csv", index=False)


def test_documents_without_a_letter_are_kept_and_counted(run, raw):
    write_lamps(raw)

    table, counts = run("documents", DOCUMENTS, empty="keep")

    assert table.columns.tolist() == parse.DOCUMENTS.names
    assert table["text"].tolist() == ["lamp one", "...", "lamp one", "_ _", "\u7bc7"]
    assert counts == {
        "source": "mine",
        "title": "Lamps (invented)",
        "rows_in": 6,
        "kept": 5,
        "dropped": {"no text": 1},
        "empty": 2,
        "parts": {"all": 5},
        "groups": 2,
        "removed": [],
        "duplicates": 1,
        "mean_words": 1.6,  # (2 + 1 + 2 + 2 + 1) / 5
    }


def test_documents_without_a_letter_are_dropped_on_demand(run, raw):
    write_lamps(raw)

    table, counts = run("documents", DOCUMENTS, empty="drop")

    assert table["id"].tolist() == ["all:1", "all:3", "all:5"]
    assert (counts["rows_in"], counts["kept"]) == (6, 3)
    assert counts["dropped"] == {"no text": 1, "no letter or digit": 2}


def test_no_document_left_is_refused(run, raw):
    pd.DataFrame({"text": ["...", "!"], "group": ["a", "b"]}).to_csv(raw / "a.csv", index=False)

    with pytest.raises(BertlineError, match="no document left: all 2 are empty"):
        run("documents", DOCUMENTS, empty="drop")


def test_counts_of_documents_are_checked(run, raw):
    write_lamps(raw)

    assert len(run("documents", DOCUMENTS | {"expect": {"all": 5, "groups": 2}})[0]) == 5
    with pytest.raises(BertlineError, match="groups: expected 3, found 2"):
        run("documents", DOCUMENTS | {"expect": {"all": 5, "groups": 3}})


def test_dates_of_documents_are_written(run, raw):
    (raw / "a.csv").write_text("text,day\na lamp,2001-02\nlamps,\n", encoding="utf-8")
    columns = {"text": "text", "date": "day"}

    table, _ = run("documents", DOCUMENTS | {"columns": columns})

    assert table["date"].fillna("none").tolist() == ["2001-02", "none"]


def test_message_names_the_users_own_file(run, raw):
    (raw / "a.csv").write_text("body,group\na lamp,x\n", encoding="utf-8")

    with pytest.raises(BertlineError, match="^own/a/a.csv has no column 'text'"):
        run("documents", DOCUMENTS)


def test_what_cannot_be_removed_is_said(run, raw, capsys):
    write_lamps(raw)

    run("documents", DOCUMENTS, remove=["headers", "quotes"])
    assert "no headers, quotes to remove" in capsys.readouterr().err

    run("documents", DOCUMENTS, remove=[])
    assert "to remove" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "empty"),
    [("", True), (" \n\t", True), ("--- ***", True), ("___", True)]
    + [("a", False), ("7", False), ("\u00e9", False), ("\u4e2d", False), ("_a_", False)],
)
def test_empty_is_what_has_neither_letter_nor_digit(text, empty):
    assert parse.is_empty(pd.Series([text])).tolist() == [empty]


@pytest.mark.parametrize(
    ("role", "recipe"),
    [
        ("sentences", {"format": "newsgroups-tokens", "files": {"train": "a.tab"}}),
        ("documents", {"format": "cola"}),
    ],
)
def test_format_of_the_other_role_is_refused(run, role, recipe):
    with pytest.raises(BertlineError, match=f"the format {recipe['format']} holds no .*; expected"):
        run(role, recipe)


def test_preview_shows_some_rows_cut_and_on_a_line_each(run, raw, capsys):
    long = "lamp\n" * 100
    frame = pd.DataFrame({"text": [long, "second", "third"], "group": ["a", "b", "c"]})
    frame.to_csv(raw / "a.csv", index=False)

    run("documents", DOCUMENTS, preview=2)

    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  ")]
    assert lines == [f"  a | {('lamp ' * 20)}"[:106], "  b | second"]


def test_preview_has_sentences_of_each_class(run, raw, capsys):
    tiny.write_sentences(raw, SIZES)

    run("sentences", {"format": "cola"}, preview=1)

    shown = capsys.readouterr().err
    assert shown.count("\nacceptable:\n  t0") == shown.count("\nunacceptable:\n  t0") == 3
    assert shown.count(" | * | ") == 3


def write_classes(raw: Path, count: int, names: Callable[[int], object]) -> None:
    frame = tiny.sentences(count)
    frame.assign(label=[names(row) for row in range(count)]).to_csv(raw / "a.csv", index=False)


def test_hundred_classes_are_counted_and_ten_are_shown(run, raw, capsys):
    write_classes(raw, 300, lambda row: f"class {row % 100:02}")
    recipe = TABLE | {"files": {"train": "a.csv"}}

    table, counts = run("sentences", recipe, preview=1)

    assert table.loc[7, ["label", "class"]].tolist() == [7, "class 07"]
    assert counts["sets"]["train"]["classes"] == {f"class {k:02}": 3 for k in range(100)}
    shown = capsys.readouterr().err
    assert "class 09:" in shown and "class 10:" not in shown and "and 90 other classes" in shown
    assert "'classes': '100, of 3 to 3 each'" in shown


def test_classes_are_in_the_order_and_by_the_names_of_sources_yaml(run, raw):
    write_classes(raw, 20, lambda row: row % 2)

    # The keys are texts here, as sources.yaml is JSON; YAML has numbers.
    table, counts = run("sentences", TABLE | {"labels": {"1": "spam", "0": "ham"}})

    assert table["class"].tolist() == ["ham", "spam"] * 10
    assert table["label"].tolist() == [1, 0] * 10
    assert list(counts["sets"]["in_domain_train"]["classes"]) == ["spam", "ham"]


@pytest.mark.parametrize("listed", ["ham", [], {"1": 2}, [["a"]]])
def test_labels_of_sources_yaml_that_are_none_are_explained(run, raw, listed):
    write_classes(raw, 20, lambda row: row % 2)

    with pytest.raises(BertlineError, match=r"parse\.labels: should be .*\{0: ham, 1: spam\}; fo"):
        run("sentences", TABLE | {"labels": listed})


def test_class_of_a_test_set_alone_is_refused(run, raw, tmp_path):
    write_classes(raw, 20, lambda row: f"c{row % 2}")
    (raw / "b.csv").write_text("text,label\nA lamp.,c0\nA glow.,c7\n")

    with pytest.raises(BertlineError, match=r"mine: train lacks 1 of .*test: 'c7' \(1 text\)"):
        run("sentences", TABLE | {"files": {"train": "a.csv", "test": "b.csv"}})

    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("role", ["sentences", "documents"])
def test_same_inputs_give_the_same_bytes(run, raw, tmp_path, role):
    tiny.write_sentences(raw, SIZES)
    write_lamps(raw)
    recipe = {"sentences": {"format": "cola"}, "documents": DOCUMENTS}[role]

    run(role, recipe, "first")
    run(role, recipe, "again")

    for ending in ("parquet", "json"):
        first, again = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("first", "again"))
        assert again == first


def published(name: str) -> Path:
    """Return the folder that holds the published archive of this name, or skip the test."""
    mirror = os.environ.get("BERTLINE_MIRROR", "")
    if not mirror or not (Path(mirror) / name).is_file():
        pytest.skip(f"BERTLINE_MIRROR names no folder with {name}")
    return Path(mirror)


def recipe_of(name: str, role: str) -> catalogue.Parse:
    return catalogue.load_parse(name, role, PROJECT / "sources.yaml")


def test_cola_as_published():
    folder = published("cola_public_1.1.zip")

    table, counts = parse.parse_sentences(
        folder,
        "cola",
        recipe_of("cola", "sentences"),
        params.load(PROJECT / "params.yaml", "parse", parse.Parse).sentences,
    )

    found = {
        name: (of_set["rows"], of_set["classes"]["acceptable"], of_set["duplicates"])
        for name, of_set in counts["sets"].items()
    }
    assert found["in_domain_train"] == (8551, 6023, 19)
    assert found["in_domain_dev"][:2] == (527, 365)
    assert found["out_of_domain_dev"] == (516, 354, 3)
    assert counts["sets"]["in_domain_train"]["sources"] == 17
    assert counts["dropped"] == {"no sentence": 0}
    assert table["id"].is_unique
    with zipfile.ZipFile(folder / "cola_public_1.1.zip") as bundle:
        content = bundle.read("cola_public/raw/in_domain_train.tsv").decode()
    in_training = table[table["set"] == "in_domain_train"]
    rebuilt = [
        f"{row.source}\t{row.label}\t{row.mark}\t{row.text}" for row in in_training.itertuples()
    ]
    assert "\n".join(rebuilt) + "\n" == content


def test_annotations_of_cola_as_published_join_all_but_four_sentences():
    published("cola_public_1.1.zip")
    folder = published("CoLA_grammatical_annotations.zip")
    options = params.load(PROJECT / "params.yaml", "parse", parse.Parse)
    recipes = [recipe_of("cola-phenomena", "phenomena"), recipe_of("cola", "sentences")]

    phenomena, counted = parse.parse_phenomena(
        folder, "cola-phenomena", recipes[0], options.phenomena
    )
    table, _ = parse.parse_sentences(folder, "cola", recipes[1], options.sentences)
    tested = table[table["set"] != "in_domain_train"].reset_index(drop=True)
    _, joined = analysis.annotate(tested, phenomena)

    assert (counted["rows"], counted["major"], counted["minor"]) == (1043, 15, 63)
    assert (joined["sentences_annotated"], joined["sentences_without"]) == (1039, 4)
    assert (joined["annotations_without_sentence"], joined["labels_that_differ"]) == (4, 2)


def test_newsgroups_as_published():
    folder = published("20news-bydate.tar.gz")
    recipe = recipe_of("newsgroups", "documents")

    table = newsgroups.read_archive(folder / recipe.archive, remove=[]).table

    assert table["part"].value_counts().to_dict() == {"train": 11_314, "test": 7_532}
    assert table["group"].nunique() == 20
    assert table["id"].is_unique
    in_training = table[table["part"] == "train"]["text"]
    # What scikit-learn's own documentation states for `fetch_20newsgroups_vectorized`.
    assert len(CountVectorizer().fit(in_training).vocabulary_) == 130_107
