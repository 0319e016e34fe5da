"""`bertline add` as people type it: what it understands, writes and says, and what it refuses."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bertline.core import params
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.own import add
from bertline.sources import catalogue, own
from stages import download, parse
from tests.command import call

TEXTS = [f"The lamp of house {number} glows, and nobody knows why." for number in range(12)]
LABELS = ["good", "bad", "null"] * 4


class Desk:
    """A project with its own sources.yaml and params.yaml, and the command run in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture) -> None:
        self.folder, self.capsys = folder, capsys

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def table(self, name: str, *, texts=TEXTS, labels=LABELS, **options) -> Path:
        frame = pd.DataFrame({"body": texts, "kind": labels, "price": range(len(texts))})
        content = frame.to_csv(index=False, lineterminator="\n", **options)
        return self.write(name, content)

    def add(self, *words: object) -> str:
        """Run the command and return what it prints."""
        self.capsys.readouterr()
        call(add, *words)
        return self.capsys.readouterr().err

    def fails(self, *words: object) -> str:
        """Return the message of a command that fails and changes nothing."""
        before = self.listing()
        with pytest.raises(BertlineError) as caught:
            call(add, *words)
        assert self.listing() == before
        return str(caught.value)

    def listing(self) -> dict[str, bytes]:
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}

    def entry(self, name: str) -> dict:
        return params.read_yaml(self.folder / "sources.yaml")[name]

    def inputs(self) -> dict:
        return params.read_yaml(self.folder / "params.yaml")["inputs"]

    def parsed(self, name: str, role: str) -> pd.DataFrame:
        """Return what `download` and `parse` make of a source."""
        call(download, role, name, "raw")
        call(parse, role, name, "raw", "out.parquet", "--params", "params.yaml")
        return pd.read_parquet("out.parquet")


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys) -> Desk:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(params, "_READ", {})
    for name in ("sources.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "own").mkdir()
    return Desk(folder, capsys)


def test_labelled_table_becomes_an_entry_and_the_input(desk):
    path = desk.table("own/Reviews 2.csv")

    said = desk.add("own/Reviews 2.csv")

    assert desk.entry("reviews-2") == {
        "title": "Reviews 2.csv",
        "roles": ["sentences", "documents"],
        "licence": "not stated",
        "fetch": {"kind": "path", "folder": "own", "files": {path.name: own.digest(path)}},
        "parse": {
            "format": "table",
            "files": {"train": "Reviews 2.csv"},
            "columns": {"text": "body", "label": "kind", "group": "kind"},
        },
    }
    assert desk.inputs()["sentences"] == "reviews-2"
    assert desk.inputs()["documents"] == "newsgroups-tokens"
    assert "own/Reviews 2.csv: CSV, separated by commas, the first line names" in said
    assert "3 classes: good 4, bad 4, null 4" in said
    assert "not used: 'price'" in said
    assert said.count("| The lamp of house") == add.contents.SHOWN
    assert said.endswith("next: make classifier\n")
    assert "bertline add 'own/Reviews 2.csv' --role documents" in said


def test_comments_and_layout_of_both_files_are_kept(desk):
    desk.table("own/reviews.csv")
    before = desk.listing()

    desk.add("own/reviews.csv")
    first = desk.listing()
    assert first["sources.yaml"].startswith(before["sources.yaml"] + b"\nreviews:\n")
    lines = [set(listing["params.yaml"].splitlines()) for listing in (before, first)]
    assert lines[1] - lines[0] == {b"  sentences: reviews"}

    desk.write("own/reviews.csv", "body,kind\n" + "a lamp,x\nlamps,y\n" * 3)
    desk.add("own/reviews.csv")
    second = desk.listing()["sources.yaml"].splitlines()
    changed = [line for line in second if line not in first["sources.yaml"].splitlines()]
    assert len(changed) == 1 and b"reviews.csv: " in changed[0]
    assert second[: len(before["sources.yaml"].splitlines())] == (
        before["sources.yaml"].splitlines()
    )


def test_what_is_added_is_downloaded_and_parsed(desk):
    desk.table("own/reviews.csv", sep=";", encoding="utf-8")
    desk.add("own/reviews.csv", "--role", "documents")

    found = desk.parsed("reviews", "documents")

    assert found["text"].tolist() == TEXTS
    assert found["group"].tolist() == LABELS
    assert desk.inputs()["documents"] == "reviews"


LAYOUTS: dict[str, tuple[str, str | bytes, dict[str, object]]] = {
    "semicolon": ("a.csv", "body;kind\n", {"separator": ";"}),
    "tab": ("a.csv", "body\tkind\n", {"separator": "\t"}),
    "tsv": ("a.tsv", "body\tkind\n", {}),
    "tab-in-text-file": ("a.txt", "body\tkind\n", {"type": "tsv"}),
    "capitals": ("A.CSV", "body,kind\n", {}),
    "blanks": ("a.csv", " body , kind \n", {}),
    "no-header": ("a.csv", "", {"header": False}),
    "no-header-tab": ("a.txt", "", {"type": "tsv", "header": False}),
    "other-ending": ("a.dat", "body,kind\n", {"type": "csv"}),
}


@pytest.mark.parametrize(("name", "header", "keys"), LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "mac-roman", "utf-16"])
def test_layout_is_found_out(desk, name, header, keys, encoding):
    texts = [f"{text[:-1]} – schön für Käthe" for text in TEXTS]
    separator = next((mark for mark in "\t;" if mark in header or "tab" in str(keys)), ",")
    separator = "\t" if keys.get("type") == "tsv" else separator
    rows = [f'"{text}"{separator}{label}' for text, label in zip(texts, LABELS, strict=True)]
    if separator == "\t":
        rows = [row.replace('"', "") for row in rows]
    desk.write(f"own/{name}", (header + "\n".join(rows) + "\n").encode(encoding))

    desk.add(f"own/{name}", "--name", "mine", "--role", "documents")

    recipe = desk.entry("mine")["parse"]
    usual = {"format", "files", "columns", *([] if encoding == "utf-8" else ["encoding"])}
    assert {key: recipe[key] for key in recipe if key not in usual} == keys
    assert recipe.get("encoding", "utf-8") == encoding
    found = desk.parsed("mine", "documents")
    assert found["text"].tolist() == texts
    assert found["group"].tolist() == LABELS


LINES = {
    "documents": ([*TEXTS], {"text": "text"}, None),
    "fasttext": (
        [f"__label__{label} {text}" for label, text in zip(LABELS, TEXTS, strict=True)],
        {"text": "text", "label": "label", "group": "label"},
        "labelled-lines",
    ),
    "labels": (
        [f"{label}: {text}" for label, text in zip(LABELS * 2, TEXTS * 2, strict=True)],
        {"text": "text", "label": "label", "group": "label"},
        "labelled-lines",
    ),
    "lines-with-commas": (["Lamps, and light, glow."] * 11 + ["One"], {"text": "text"}, None),
}


@pytest.mark.parametrize(("lines", "columns", "kind"), LINES.values(), ids=LINES)
def test_lines_of_a_text_file_are_texts_or_begin_with_a_label(desk, lines, columns, kind):
    desk.write("own/a.txt", "\n".join(lines))

    desk.add("own/a.txt", "--role", "documents")

    recipe = desk.entry("a")["parse"]
    assert (recipe["columns"], recipe.get("type")) == (columns, kind)


def test_json_array_and_parquet_are_taken_up(desk):
    rows = [{"body": text, "kind": label} for text, label in zip(TEXTS, LABELS, strict=True)]
    nested = [row | {"tags": ["a"], "size": 1e300} for row in rows]
    desk.write("own/a.json", json.dumps(nested, indent=1))
    pd.DataFrame(nested).to_parquet(desk.folder / "own" / "b.parquet")

    for name in ("a.json", "b.parquet"):
        said = desk.add(f"own/{name}", "--role", "documents")
        assert desk.parsed(name[0], "documents")["text"].tolist() == TEXTS
        assert "not used: 'tags' (several values in a cell), 'size'" in said


def test_folders_in_a_folder_are_classes(desk):
    for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)):
        desk.write(f"own/news/{label}/{number}.txt", text)
    desk.write("own/news/.DS_Store", b"\0")

    said = desk.add("own/news")

    recipe = desk.entry("news")["parse"]
    columns = {"text": "text", "label": "folder", "id": "path", "group": "folder"}
    assert recipe == {"format": "table", "files": {"train": "news"}, "columns": columns}
    assert "own/news: folder, utf-8; 12 rows" in said
    documents = desk.parsed("news", "documents")
    assert set(documents["id"]) == {f"news/{label}/{n}.txt" for n, label in enumerate(LABELS)}
    assert documents["group"].value_counts().to_dict() == {"bad": 4, "good": 4, "null": 4}

    desk.write("own/news/good/0.txt", "Another text")
    with pytest.raises(BertlineError, match="own/news: the content has another .*"):
        call(download, "documents", "news", "raw")
    desk.add("own/news")
    assert "Another text" in desk.parsed("news", "documents")["text"].tolist()


@pytest.mark.parametrize("given", ["folder", "files"])
def test_several_files_are_sets_by_their_names(desk, given):
    for name in ("train", "dev", "test-2024"):
        desk.table(f"own/spam/{name}.csv")
    names = ["own/spam"] if given == "folder" else sorted((desk.folder / "own/spam").iterdir())

    desk.add(*names)

    sets = {"train": "train.csv", "validation": "dev.csv", "test": "test-2024.csv"}
    assert desk.entry("spam")["parse"]["files"] == sets
    assert desk.entry("spam")["fetch"]["folder"] == "own/spam"


def test_sets_can_be_named(desk):
    for name in ("one", "two"):
        desk.table(f"own/{name}.csv")

    message = desk.fails("own/one.csv", "own/two.csv")
    assert "the sets are one, two. Name the set of each: --set train --set two" in message
    assert "given 1 times for 2" in desk.fails("own/one.csv", "own/two.csv", "--set", "train")
    double = desk.fails("own/one.csv", "own/two.csv", *["--set", "train"] * 2)
    assert "several files would be the set train" in double

    desk.add("own/one.csv", "own/two.csv", "--set", "train", "--set", "later")
    assert desk.entry("one")["parse"]["files"] == {"train": "one.csv", "later": "two.csv"}


def test_sets_are_renamed_when_files_are_added_again(desk):
    for name in ("one", "two"):
        desk.table(f"own/{name}.csv")
    desk.add("own/one.csv", "own/two.csv", "--role", "documents", "--name", "both")

    desk.add("own/two.csv", "--set", "train")
    assert desk.entry("both")["parse"]["files"] == {"one": "one.csv", "train": "two.csv"}
    desk.add("own/two.csv", "own/one.csv", "--set", "test", "--set", "train", "--label", "kind")
    assert desk.entry("both")["parse"]["files"] == {"train": "one.csv", "test": "two.csv"}
    assert desk.parsed("both", "sentences")["set"].unique().tolist() == ["train", "test"]

    assert "would be the set train" in desk.fails("own/two.csv", "--set", "train")
    lacking = "`both` would have no training set: later, test. Name one of its files with --set tr"
    assert lacking in desk.fails("own/one.csv", "--set", "later")
    for role in ("documents", "sentences"):  # the sentences stay in use
        assert lacking in desk.fails("own/one.csv", "--set", "later", "--role", role)
    assert "both.parse.files" in desk.fails("own/two.csv", "--set", "a/b")
    assert "given 2 times for 1" in desk.fails("own/one.csv", *["--set", "train"] * 2)


def test_layout_goes_back_to_the_usual_one_when_a_file_is_added_again(desk):
    desk.table("own/a.csv", sep=";", header=False)
    desk.add("own/a.csv", "--encoding", "latin-1", "--role", "documents")
    desk.table("own/a.csv")

    words = ["--separator", ",", "--header", "--encoding", "utf-8", "--type", "csv"]
    desk.add("own/a.csv", *words)

    recipe = desk.entry("a")["parse"]
    layout = {key: recipe[key] for key in ("separator", "header", "encoding", "type")}
    assert layout == {"separator": ",", "header": True, "encoding": "utf-8", "type": "csv"}
    assert recipe["columns"] == {"text": "body", "label": "kind", "group": "kind"}
    assert desk.parsed("a", "documents")["text"].tolist() == TEXTS


def test_file_elsewhere_is_copied_and_copied_again_when_it_changes(desk, tmp_path):
    elsewhere = tmp_path / "letters.csv"
    shutil.move(desk.table("letters.csv"), elsewhere)

    said = desk.add(elsewhere)
    assert f"{elsewhere} is copied to own/letters.csv" in said
    assert (desk.folder / "own/letters.csv").read_bytes() == elsewhere.read_bytes()

    elsewhere.write_text(elsewhere.read_text() + "One more lamp of a house.,good,1\n")
    desk.add(elsewhere)
    assert (desk.folder / "own/letters.csv").read_bytes() == elsewhere.read_bytes()
    assert desk.entry("letters")["fetch"]["files"]["letters.csv"] == own.digest(elsewhere)

    desk.write("own/letters.csv", "body\nedited here\n")
    elsewhere.write_text(elsewhere.read_text() + "A last lamp.,bad,2\n")
    assert "own/letters.csv is there already, with other content" in desk.fails(elsewhere)


def test_options_override_each_guess(desk):
    desk.table("own/a.csv", sep="|", encoding="utf-8")
    frame = pd.read_csv(desk.folder / "own/a.csv", sep="|")
    frame["when"], frame["key"] = "2001-02", range(12)
    frame.to_csv(desk.folder / "own/a.csv", sep="|", index=False, header=False)

    words = "--no-header --separator | --encoding latin-1 --text 1 --label 3 --group 2 --id 5"
    said = desk.add("own/a.csv", *words.split(), "--date", "4", "--name", "mine", "--dry-run")
    assert "nothing is written" in said and "mine" not in params.read_yaml(Path("sources.yaml"))

    desk.add("own/a.csv", *words.split(), "--date", "4", "--name", "mine")
    assert desk.entry("mine")["parse"] == {
        "format": "table",
        "files": {"train": "a.csv"},
        "separator": "|",
        "header": False,
        "encoding": "latin-1",
        "columns": {"text": "1", "label": "3", "group": "2", "id": "5", "date": "4"},
    }


def test_renewal_keeps_what_was_edited_and_takes_what_options_say(desk):
    desk.table("own/a.csv")
    desk.add("own/a.csv", "--role", "documents")
    text = Path("sources.yaml").read_text().replace("title: a.csv", "title: Letters  # mine")
    Path("sources.yaml").write_text(text.replace("group: kind", "group: price"))
    desk.write("own/a.csv", "body;kind;price\n" + "A lamp that glows;x;1\nNo lamp;y;2\n" * 5)

    message = desk.fails("own/a.csv")
    assert "own/a.csv cannot be read as a csv table" in message or "has no column" in message
    desk.add("own/a.csv", "--separator", ";")

    assert "title: Letters  # mine" in Path("sources.yaml").read_text()
    recipe = desk.entry("a")["parse"]
    assert recipe["columns"] == {"text": "body", "label": "kind", "group": "price"}
    assert recipe["separator"] == ";"
    assert desk.inputs() == params.read_yaml(ROOT / "params.yaml")["inputs"] | {"documents": "a"}
    desk.add("own/a.csv", "--role", "sentences")
    assert desk.inputs()["sentences"] == "a"


def test_group_that_is_the_label_follows_it(desk):
    desk.table("own/a.csv")
    desk.add("own/a.csv")

    desk.add("own/a.csv", "--label", "price")
    assert desk.entry("a")["parse"]["columns"] == {
        "text": "body",
        "label": "price",
        "group": "price",
    }
    desk.add("own/a.csv", "--label", "kind", "--group", "price")
    desk.add("own/a.csv", "--label", "kind")
    assert desk.entry("a")["parse"]["columns"] == {
        "text": "body",
        "label": "kind",
        "group": "price",
    }


def test_group_that_was_taken_out_stays_out(desk):
    desk.table("own/a.csv")
    desk.add("own/a.csv")
    text = Path("sources.yaml").read_text()
    Path("sources.yaml").write_text(text.replace(", group: kind", ""))

    for options in ([], ["--label", "kind"], ["--label", "price"]):
        desk.add("own/a.csv", *options)
        assert "group" not in desk.entry("a")["parse"]["columns"]


@pytest.mark.parametrize("role", [(), ("--role", "documents")], ids=["no-role", "documents"])
def test_sentences_in_use_do_not_lose_their_label(desk, role):
    desk.table("own/a.csv")
    desk.add("own/a.csv")
    assert desk.inputs()["sentences"] == "a"
    desk.write("own/a.csv", "body,kind,price\n" + "A lamp that glows,x,1\nNo lamp,y,2\n" * 5)

    message = desk.fails("own/a.csv", "--separator", ";", *role)

    assert "own/a.csv: no column holds classes: body,kind,price. Name one (--label" in message
    assert "or correct the layout (--separator): params.yaml has these texts as sen" in message


def test_layout_is_that_of_all_files_of_an_entry(desk):
    files = ["own/train.csv", "own/test.csv"]
    for name in files:
        desk.table(name)
    desk.add(*files, "--name", "both")
    desk.table("own/test.csv", sep=";")

    message = desk.fails("own/test.csv", "--separator", ";", "--encoding", "latin-1")
    assert (
        "a layout is that of all files of `both`, and --separator and --encoding would" in message
    )
    assert "change that of train.csv, too. Name all of them: train.csv, test.csv." in message

    desk.table("own/train.csv", sep=";")
    desk.add(*files, "--separator", ";")
    assert desk.parsed("both", "sentences")["set"].unique().tolist() == ["train", "test"]
    desk.add("own/test.csv", "--separator", ";")  # which is that of all
    assert desk.entry("both")["parse"]["separator"] == ";"


def test_renewal_says_what_it_changes_and_a_trial_what_it_would(desk):
    earlier = own.digest(desk.table("own/a.csv", sep="|"))[:12]
    desk.add("own/a.csv", "--label", "kind")
    now = own.digest(desk.table("own/a.csv", sep=";"))[:12]
    words = ["own/a.csv", "--separator", ";", "--label", "price", "--role", "documents"]
    lines = [
        f"sources.yaml: a.fetch.files.a.csv is {now}… (it was {earlier}…)",
        "sources.yaml: a.parse.separator is ; (it was |)",
        "sources.yaml: a.parse.columns.label is price (it was kind)",
        "sources.yaml: a.parse.columns.group is price (it was kind)",
        "params.yaml: inputs.documents is a (it was newsgroups-tokens)",
    ]

    before = desk.listing()
    said = desk.add(*words, "--dry-run").splitlines()
    assert desk.listing() == before
    assert said[said.index("nothing is written; changes would be") + 1 :] == [*lines]
    assert set(lines) <= set(desk.add(*words).splitlines())
    assert desk.add(*words, "--dry-run").endswith("changes would be\nnone\n")


def test_documents_become_sentences_with_a_training_set(desk):
    desk.table("own/a.csv")
    desk.add("own/a.csv", "--role", "documents")
    assert desk.entry("a")["parse"]["files"] == {"train": "a.csv"}
    desk.add("own/a.csv", "--role", "sentences")
    assert desk.parsed("a", "sentences")["set"].unique().tolist() == ["train"]

    desk.write("own/b.csv", "text,mood\n" + "".join(f'"{t}",{n}\n' for n, t in enumerate(TEXTS)))
    desk.add("own/b.csv")
    assert desk.entry("b")["parse"]["files"] == {"all": "b.csv"}
    desk.write("own/b.csv", "text,mood\n" + "a lamp,x\nlamps,y\n" * 5)
    desk.add("own/b.csv", "--label", "mood")
    assert desk.entry("b")["parse"]["files"] == {"train": "b.csv"}
    assert desk.entry("b")["roles"] == ["documents", "sentences"]
    assert desk.inputs()["sentences"] == "b"


def test_documents_of_several_parts_need_a_training_set(desk):
    for name in ("one", "two"):
        desk.table(f"own/{name}.csv")
    desk.add("own/one.csv", "own/two.csv", "--role", "documents", "--name", "both")

    message = desk.fails("own/one.csv", "--role", "sentences")
    assert "`both` has no training set: one, two. Name one of them `train`" in message


def test_layout_that_was_taken_up_wrongly_is_corrected_by_adding_again(desk):
    desk.table("own/a.csv", sep=";")
    desk.add("own/a.csv", "--separator", "|")
    assert desk.entry("a")["parse"]["columns"] == {"text": "body;kind;price"}

    desk.add("own/a.csv", "--separator", ";")

    columns = {"text": "body", "label": "kind", "group": "kind"}
    assert desk.entry("a")["parse"]["columns"] == columns
    assert desk.parsed("a", "documents")["text"].tolist() == TEXTS


def test_why_a_column_is_not_used_is_said(desk):
    rows = [{"text": text, "day": "27.1.2001", "meta": {"a": 1}} for text in TEXTS]
    desk.write("own/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    said = desk.add("own/a.jsonl")

    assert "'day' (no dates such as 2001-02-03; the first is '27.1.2001')" in said
    assert "'meta' (several values in a cell)" in said


def test_topics_of_the_same_texts_are_proposed_once(desk):
    desk.table("own/a.csv")

    assert "topics of the same texts: bertline add own/a.csv" in desk.add("own/a.csv")
    desk.add("own/a.csv", "--role", "documents")
    assert "topics of the same texts" not in desk.add("own/a.csv", "--role", "sentences")


def test_ids_and_dates_are_recognised(desk):
    frame = pd.DataFrame({"id": range(12), "created_at": "2001-02-03 10:00", "text": TEXTS})
    frame.to_csv(desk.folder / "own/a.csv")  # with the index of pandas

    desk.add("own/a.csv")

    assert desk.entry("a")["parse"]["columns"] == {
        "text": "text",
        "id": "id",
        "date": "created_at",
    }
    assert desk.entry("a")["roles"] == ["documents"]
    assert desk.parsed("a", "documents")["date"][0] == "2001-02-03 10:00"


def test_encoder_is_taken_up_for_the_roles_that_are_said(desk, tiny_bert):
    shutil.copytree(tiny_bert, desk.folder / "own" / "tiny")

    assert "is an encoder. Say what for: --role backbone" in desk.fails("own/tiny")
    message = desk.fails("own/tiny", "--role", "backbone", "--set", "train")
    assert "own/tiny is an encoder: --set would have no effect. Leave that out." in message
    said = desk.add("own/tiny", "--role", "backbone", "--role", "embedder")

    assert "model.safetensors" in desk.entry("tiny")["fetch"]["files"]
    assert {desk.inputs()[role] for role in ("backbone", "embedder")} == {"tiny"}
    assert said.endswith("next: make classifier and make topics\n")
    assert catalogue.load_fetch("tiny", "embedder")
    desk.write("own/tiny/config.json", "{ }")
    for changed in ("own/tiny/config.json", "own/tiny"):
        assert "is renewed" in desk.add(changed)
        path = desk.folder / "own/tiny/config.json"
        assert desk.entry("tiny")["fetch"]["files"]["config.json"] == own.digest(path)
        desk.write("own/tiny/config.json", "{}")
    message = desk.fails("own/tiny", "--text", "body", "--no-header")
    assert "`tiny` is no table: --text and --no-header would have no effect" in message
    message = desk.fails("own/tiny", "--role", "documents")
    assert "`tiny` is a source of backbone and embedder, not of documents" in message


@pytest.mark.parametrize("elsewhere", [False, True])
def test_list_of_an_encoders_files_is_renewed(desk, tiny_bert, tmp_path, elsewhere):
    folder = tmp_path / "tiny" if elsewhere else Path("own/tiny")
    shutil.copytree(tiny_bert, folder)
    desk.add(folder, "--role", "backbone")
    text = Path("sources.yaml").read_text()
    Path("sources.yaml").write_text(f"{text}\n# The next one.\nnext: {{}}\n")
    assert "tokenizer.json" in desk.entry("tiny")["fetch"]["files"]

    (folder / "tokenizer.json").unlink()
    (folder / "words.txt").write_text("a\n")
    said = desk.add(folder)

    listed = {name: own.digest(folder / name) for name in own.visible_files(folder)}
    assert desk.entry("tiny")["fetch"]["files"] == listed
    assert Path("sources.yaml").read_text().endswith("\n\n# The next one.\nnext: {}\n")
    assert "tiny.fetch.files.tokenizer.json is left out (it was " in said
    assert f"words.txt is {listed['words.txt'][:12]}… (it was not given)" in said
    call(download, "backbone", "tiny", "raw")
    assert {path.name for path in Path("raw").iterdir()} >= {*listed}


# Contents of a file, by its name, and options that are for files of other types.
IDLE = {
    "a.jsonl": ('{"text": "a"}\n', "--separator ;"),
    "a.json": ('{"text": "a"}\n', "--no-header"),
    "a.txt": ("a lamp\n", "--type lines --separator ;"),
    "b.txt": ("a lamp\n", "--type labelled-lines --header"),
    "a.parquet": ("", "--encoding utf-8"),
    "b.parquet": ("", "--type csv"),
    "c/a.txt": ("a lamp", "--type lines"),
}


@pytest.mark.parametrize(("name", "content", "options"), [(k, *v) for k, v in IDLE.items()])
def test_options_that_would_have_no_effect_are_refused(desk, name, content, options):
    path = desk.write(f"own/{name}", content)
    if name.endswith("parquet"):
        pd.DataFrame({"text": TEXTS}).to_parquet(path)

    message = desk.fails(f"own/{name.partition('/')[0]}", *options.split())

    wrong = next(word for word in reversed(options.split()) if word.startswith("--"))
    assert f": {wrong} would have no effect. Leave that out." in message


@pytest.mark.parametrize(("name", "content", "options"), [(k, *v) for k, v in IDLE.items()])
def test_options_without_effect_are_refused_for_an_entry_too(desk, name, content, options):
    path = desk.write(f"own/{name}", content)
    if name.endswith("parquet"):
        pd.DataFrame({"text": TEXTS}).to_parquet(path)
    added = f"own/{name.partition('/')[0]}"
    *before, wrong = re.split(" (?=--)", options)
    desk.add(added, "--role", "documents", *" ".join(before).split())

    message = desk.fails(added, *wrong.split())

    assert f": {wrong.split()[0]} would have no effect. Leave that out." in message


@pytest.mark.parametrize("mark", [";;", "", '"'])
def test_separator_is_one_character(desk, mark, capsys):
    desk.table("own/a.csv")
    with pytest.raises(SystemExit):
        call(add, "own/a.csv", "--separator", mark)
    assert "--separator: expected one character, such as ';', or tab" in capsys.readouterr().err


@pytest.mark.parametrize("mark", ["tab", r"\t", "\t"])
def test_separator_may_be_a_tab(desk, mark):
    desk.table("own/a.csv", sep="\t")
    desk.add("own/a.csv", "--separator", mark)
    assert desk.entry("a")["parse"]["separator"] == "\t"
    assert desk.parsed("a", "sentences")["text"].tolist() == TEXTS


Refused = Callable[[Desk], object]
REFUSALS: dict[str, tuple[Refused, list[str], str]] = {
    "missing": (lambda desk: desk.table("own/reviews.csv"), ["own/review.csv"], "did you mean"),
    "empty": (lambda desk: desk.write("own/a.csv", " \n"), ["own/a.csv"], "own/a.csv is empty"),
    "no-rows": (lambda desk: desk.write("own/a.csv", "text\n"), ["own/a.csv"], "no row of text"),
    "spreadsheet": (
        lambda desk: desk.write("own/a.xlsx", b"PK\3\4"),
        ["own/a.xlsx"],
        "in Excel by File, Save As",
    ),
    "spreadsheet-called-csv": (
        lambda desk: desk.write("own/a.csv", b"PK\3\4"),
        ["own/a.csv"],
        r"own/a.csv is a spreadsheet such as .xlsx .*, and not csv, as its ending says. Save a",
    ),
    "packed": (lambda desk: desk.write("own/a.gz", b"\x1f\x8b0"), ["own/a.gz"], "Unpack it"),
    "empty-folder": (lambda desk: Path("own/a").mkdir(), ["own/a"], "has no file in it"),
    "all-of-own": (lambda desk: None, ["own"], "is the folder of all your files"),
    "column": (
        lambda desk: desk.table("own/a.csv"),
        ["own/a.csv", "--text", "boody"],
        r"own/a.csv has no column 'boody' for the text; it has 'body', 'kind', 'price'",
    ),
    "no-label": (
        lambda desk: desk.write("own/a.txt", "\n".join(TEXTS)),
        ["own/a.txt", "--role", "sentences"],
        "no column holds classes: text.*--role documents",
    ),
    "no-text": (
        lambda desk: desk.write("own/a.csv", "a,b\n1,2\n3,4\n"),
        ["own/a.csv"],
        "no column holds texts: a, b. Name one: --text",
    ),
    "name": (lambda desk: desk.table("own/a.csv"), ["own/a.csv", "--name", "a.b"], "is no name"),
    "name-taken": (
        lambda desk: desk.table("own/cola.csv"),
        ["own/cola.csv"],
        "has a source `cola` with other files",
    ),
    "encoding": (
        lambda desk: desk.write("own/a.csv", "text\nKöln\n".encode("cp1252")),
        ["own/a.csv", "--encoding", "utf-8"],
        "is not text in utf-8",
    ),
    "row": (
        lambda desk: desk.write("own/a.csv", "text,label\na,1\nb\nc,1\nd,0\n"),
        ["own/a.csv"],
        "own/a.csv cannot be read as a csv table: line 3 has 1 cell",
    ),
    "code-in-a-folder": (
        lambda desk: (desk.write("own/a/x/1.txt", "a lamp"), desk.write("own/a/b.py", "pass")),
        ["own/a"],
        "own/a/b.py may run code",
    ),
    "second-file-differs": (
        lambda desk: (desk.table("own/train.csv"), desk.write("own/test.csv", "body,x\na,b\n")),
        ["own/train.csv", "own/test.csv"],
        "own/test.csv has no column 'kind'",
    ),
    "role-of-an-encoder": (
        lambda desk: desk.table("own/a.csv"),
        ["own/a.csv", "--role", "embedder"],
        "holds texts and no encoder",
    ),
}


@pytest.mark.parametrize(("prepare", "words", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_taken_up_is_explained_and_nothing_is_written(desk, prepare, words, message):
    prepare(desk)

    assert re.search(message, desk.fails(*words), re.DOTALL)


def test_command_is_run_in_the_projects_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(BertlineError, match="Run the command in the project's folder"):
        call(add, "a.csv")
