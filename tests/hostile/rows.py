"""Hostile rows: CoLA's files, tables of a person's own, Orange's tab files, and the folds."""

import io
from collections.abc import Callable
from typing import Any

import pandas as pd

from tests.hostile.desk import Case, Desk, accepted
from tests.hostile.downloads import PAGE

ROW = b"t01\t1\t\tThe lamp glows.\n"
OTHER = b"t01\t0\t*\tThe lamp glow.\n"
TRAIN = "raw/in_domain_train.tsv"
HEADER = "text,label\n"
DOCUMENTS = "documents mine raw out --params params.yaml"
TAB_HEADER = "Category\tText\nd\tstring\nclass\t\n"


def cola(name: str, message: str, content: bytes, make: Callable[..., Case] = Case, **rest: Any):
    """Return a case of CoLA's training set."""
    return make(name, "parse", message, lambda desk: desk.write(TRAIN, content), **rest)


def table(
    name: str,
    message: str,
    file: str,
    content: bytes | str,
    make: Callable[..., Case] = Case,
    holds: Callable[[Desk], object] | None = None,
    **recipe: Any,
) -> Case:
    """Return a case of a person's own table."""
    rest = {"holds": holds} if holds else {}
    return make(name, "parse", message, lambda desk: desk.table(file, content, **recipe), **rest)


NOISE = "A. " * 20_000 + "(" * 20_000 + "Ab \0\ud7ff\u2028" + ">" * 5000 + "The x-" * 20_000


def sentences_of(documents: pd.DataFrame) -> list[str]:
    """Return all sentences of documents that have a full stop after each."""
    return [f"{part}." for text in documents["text"] for part in text.split(".") if part]


def tab(name: str, message: str, content: str, *, header: str = TAB_HEADER) -> Case:
    """Return a case of Orange's tab file."""

    def corrupt(desk: Desk) -> None:
        desk.write("raw/a.tab", header + content)
        recipe = {"format": "newsgroups-tokens", "files": {"all": "a.tab"}}
        desk.declare(roles=["documents"], parse=recipe)

    return Case(name, "parse", message, corrupt, arguments=DOCUMENTS)


def training(*texts: str, labels: list[int] | None = None) -> Callable[[Desk], None]:
    """Return what holds the training set to these texts."""

    def holds(desk: Desk) -> None:
        rows = desk.read_table()
        rows = rows[rows["set"] == "in_domain_train"]
        assert rows["text"].tolist() == list(texts)
        assert labels is None or rows["label"].tolist() == labels

    return holds


def empty(desk: Desk) -> None:
    """Let no document have a text, and drop the empty ones."""
    desk.parameters({"parse.documents.empty": "drop"})
    desk.write("raw/a.tab", TAB_HEADER + "sci.space\t \nsci.space\t--\n")
    recipe = {"format": "newsgroups-tokens", "files": {"all": "a.tab"}}
    desk.declare(roles=["documents"], parse=recipe)


def parquet(frame: pd.DataFrame) -> bytes:
    """Return a Parquet file."""
    content = io.BytesIO()
    frame.to_parquet(content, compression=None)
    return content.getvalue()


def tokens(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Desk], None]:
    """Return what changes the table that tokenize wrote."""
    return lambda desk: desk.change_table("tokens/tokens.parquet", change)


def repeat(rows: pd.DataFrame, *, of: slice, at: slice) -> pd.DataFrame:
    """Return sentences of which those `at` are the ones `of` again."""
    pieces = rows["input_ids"].tolist()
    pieces[at] = pieces[of]
    return rows.assign(input_ids=pieces)


def shares(pair: str, count: int) -> Callable[[Desk], None]:
    """Return what holds two folds to this many common sentences."""

    def holds(desk: Desk) -> None:
        assert desk.read_json()["shared_sentences"][pair] == count

    return holds


GOOD = pd.DataFrame({"text": ["The lamp glows.", "The lamp glow."], "label": [1, 0]})
LONG = "lamp " * 200_000  # a million characters

COLA = [
    cola(
        "too-few-columns", r"in_domain_train\.tsv, line 2: expected 4 .*found 3", ROW + b"a\t1\tb\n"
    ),
    cola("too-many-columns", r"line 2: expected 4 .*found 5", ROW + b"a\t1\t\tb\tc\n"),
    cola("blank-line", r"line 2: expected 4 .*found 1", ROW + b"\n" + OTHER),
    cola("nul", "line 2: a NUL byte", ROW + b"t01\t1\t\tThe l\0mp.\n"),
    cola("latin-1", "line 2: byte 0xe4 is not utf-8", ROW + b"t01\t1\t\tThe l\xe4mp.\n"),
    cola("utf-16", "line 1: byte 0xff is not utf-8", ROW.decode().encode("utf-16")),
    cola("label-outside", "line 1: expected the label 0 or 1, found '2'", b"t01\t2\t\tA lamp.\n"),
    cola("label-missing", "line 1: expected the label 0 or 1, found ''", b"t01\t\t\tA lamp.\n"),
    cola("label-in-other-digits", "expected the label 0 or 1", "t01\t\uff11\t\tA lamp.\n".encode()),
    cola("page", "line 1: expected 4", PAGE),
    cola("no-rows", "mine has no sentence to train on: in_domain_train is empty", b""),
    cola("only-empty-texts", "has no sentence to train on", b"t01\t1\t\t \n" * 3),
    cola(
        "bom", "in_domain_train", b"\xef\xbb\xbf" + ROW, accepted, holds=training("The lamp glows.")
    ),
    cola(
        "crlf",
        "in_domain_train",
        (ROW + OTHER).replace(b"\n", b"\r\n"),
        accepted,
        holds=training("The lamp glows.", "The lamp glow.", labels=[1, 0]),
    ),
    cola(
        "lone-quote",
        "in_domain_train",
        b't01\t1\t\tA 3" lamp.\n' + OTHER + b't01\t1\t\t"A\n',
        accepted,
        holds=training('A 3" lamp.', "The lamp glow.", '"A'),
    ),
    cola(
        "no-line-end", "in_domain_train", ROW.rstrip(), accepted, holds=training("The lamp glows.")
    ),
    cola("one-class", "in_domain_train", ROW, accepted, holds=training("The lamp glows.")),
    cola(
        "million-characters",
        "in_domain_train",
        b"t01\t1\t\t" + LONG.encode() + b"\n",
        accepted,
        holds=training(LONG),
    ),
    cola(
        "separators-of-other-kinds",
        "in_domain_train",
        "t01\t1\t\ta\u2028b\x85c\x0bd\n".encode(),
        accepted,
        holds=training("a\u2028b\x85c\x0bd"),
    ),
    Case(
        "set-missing",
        "parse",
        "in_domain_dev.tsv does not exist",
        lambda desk: desk.remove("raw/in_domain_dev.tsv"),
    ),
    Case(
        "other-edition",
        "parse",
        "in_domain_train: expected .*'rows': 7.*found .*'rows': 60",
        lambda desk: desk.declare(
            parse={"format": "cola", "expect": {"in_domain_train": {"rows": 7, "acceptable": 5}}}
        ),
    ),
]

TABLES = [
    table("csv-lone-quote", r"a\.csv .*line 3: .*ends with one", "a.csv", HEADER + 'a,1\n"b,0\n'),
    table("csv-merging-quote", r"a\.csv .*line 2: ", "a.csv", HEADER + '"a,1\n"b",0\nc,1\n'),
    table("csv-too-few-cells", "line 3 has 1 cell, fewer", "a.csv", HEADER + "a,1\nb\n"),
    table("csv-too-many-cells", "line 2 has 3 cells, more", "a.csv", HEADER + "a, b,1\n"),
    table("csv-empty", "it is empty; the first line should name the columns", "a.csv", ""),
    table("csv-without-rows", "has no sentence to train on", "a.csv", HEADER),
    table(
        "csv-column-missing",
        r"no column 'label' \(did you mean `labels`",
        "a.csv",
        "text,labels\na,1\n",
    ),
    table("csv-column-twice", "several columns named 'text'", "a.csv", "text,text,label\na,b,1\n"),
    table("csv-nul", "line 2: a NUL byte", "a.csv", HEADER + "a\0,1\n"),
    table(
        "csv-latin-1",
        "line 2: byte 0xe4 is not utf-8. Save the file as utf-8, or name its encoding",
        "a.csv",
        HEADER.encode() + b"l\xe4mp,1\n",
    ),
    table(
        "csv-unknown-encoding",
        "`encoding: utf8-sig-7` is not an encoding",
        "a.csv",
        HEADER + "a,1\n",
        encoding="utf8-sig-7",
    ),
    table("csv-encoding-of-no-text", "a.csv|encoding", "a.csv", b"\xff" * 80, encoding="idna"),
    table("csv-page", r"a\.csv", "a.csv", PAGE),
    table(
        "csv-label-outside",
        "row in_domain_train:2: expected the label 0 or 1.*'maybe'",
        "a.csv",
        HEADER + "a,1\nb,maybe\n",
    ),
    table(
        "csv-id-twice",
        "the id 'x' occurs more than once",
        "a.csv",
        "id,text,label\nx,a,1\nx,b,0\n",
        columns={"id": "id", "text": "text", "label": "label"},
    ),
    table(
        "csv-set-named-train",
        "a set named train, as a fold",
        "a.csv",
        HEADER + "a,1\n",
        files={"in_domain_train": "a.csv", "train": "a.csv"},
    ),
    table(
        "csv-set-named-like-a-path",
        r"parse\.files\.\.\./x",
        "a.csv",
        HEADER + "a,1\n",
        files={"in_domain_train": "a.csv", "../x": "a.csv"},
    ),
    table(
        "csv-no-training-set",
        "should name the table of in_domain_train",
        "a.csv",
        HEADER + "a,1\n",
        files={"in_domain_dev": "a.csv"},
    ),
    table(
        "csv-unknown-column-role",
        r"parse\.columns",
        "a.csv",
        HEADER + "a,1\n",
        columns={"text": "text", "lable": "label"},
    ),
    table(
        "csv-bom", "in_domain_train", "a.csv", "\ufeff" + HEADER + "a,1\n", accepted, training("a")
    ),
    table(
        "csv-crlf",
        "in_domain_train",
        "a.csv",
        (HEADER + '"a\r\nb",1\r\nc,0\r\n'),
        accepted,
        training("a\r\nb", "c", labels=[1, 0]),
    ),
    table(
        "csv-latin-1-declared",
        "in_domain_train",
        "a.csv",
        HEADER.encode() + b"l\xe4mp,1\n",
        accepted,
        training("l\u00e4mp"),
        encoding="latin-1",
    ),
    table(
        "csv-million-characters",
        "in_domain_train",
        "a.csv",
        f'{HEADER}"{LONG}",1\n',
        accepted,
        training(LONG),
    ),
    table(
        "csv-quote-midway",
        "in_domain_train",
        "a.csv",
        HEADER + 'a 3" lamp,1\n"a ""b""",0\n',
        accepted,
        training('a 3" lamp', 'a "b"'),
    ),
    table(
        "tsv-lone-quote",
        "in_domain_train",
        "a.tsv",
        'text\tlabel\n"a\t1\nb"\t0\n',
        accepted,
        training('"a', 'b"', labels=[1, 0]),
    ),
    table(
        "tsv-too-few-cells",
        "line 2 has 1 cell, fewer .*Texts with tabs",
        "a.tsv",
        "text\tlabel\na\n",
    ),
    table(
        "jsonl-broken",
        "line 2 is not valid JSON",
        "a.jsonl",
        '{"text": "a", "label": 1}\n{"text": "a", ',
    ),
    table("jsonl-nested", "line 1 is not valid JSON", "a.jsonl", "[" * 100_000),
    table("jsonl-list", "line 1: expected", "a.jsonl", "[1, 2]\n"),
    table(
        "jsonl-several-values",
        "row 1, column 'text': .* found a list",
        "a.jsonl",
        '{"text": ["a"], "label": 1}\n',
    ),
    table(
        "jsonl-half-a-character",
        "row 1, column 'text': half a character",
        "a.jsonl",
        '{"text": "\\ud800", "label": 1}\n',
    ),
    table("jsonl-key-twice", "a key comes twice", "a.jsonl", '{"text": "a", "text": "b"}\n'),
    table(
        "jsonl-not-a-number",
        "expected the label 0 or 1",
        "a.jsonl",
        '{"text": "a", "label": NaN}\n',
    ),
    table("parquet-is-a-page", "cannot be read as a parquet table", "a.parquet", PAGE),
    table(
        "parquet-truncated", "cannot be read as a parquet table", "a.parquet", parquet(GOOD)[:-100]
    ),
    table("parquet-column-missing", "no column 'label'", "a.parquet", parquet(GOOD[["text"]])),
    table(
        "parquet-damaged-page",
        "cannot be read as a parquet table|half|label|text",
        "a.parquet",
        parquet(GOOD)[:4] + b"\xff" * 40 + parquet(GOOD)[44:],
    ),
    table(
        "parquet-not-utf-8",
        "cannot be read as a parquet table: .*[Uu][Tt][Ff]",
        "a.parquet",
        parquet(GOOD).replace(b"glows", b"gl\xffws"),
    ),
    table("spreadsheet", r"expected a file that ends in \.csv", "a.xlsx", b"PK\3\4"),
    Case(
        "file-missing",
        "parse",
        r"a\.csv does not exist; `fetch\.files`",
        lambda desk: (desk.table("a.csv", ""), desk.remove("raw/a.csv")),
    ),
    Case(
        "raw-missing",
        "parse",
        "raw does not exist. It is what an earlier stage writes",
        lambda desk: desk.remove("raw"),
    ),
    Case("no-recipe", "parse", "mine has no `parse`", lambda desk: desk.declare(parse=None)),
    Case(
        "unknown-format",
        "parse",
        r"mine\.parse\.format: expected one of cola, .*'colla'",
        lambda desk: desk.declare(parse={"format": "colla"}),
    ),
    tab("tab-header", "should begin with the lines", "a\tb\n", header="Text\tCategory\n"),
    tab("tab-three-columns", "line 5: expected a group, a tab and a text, found 3", "\na\tb\tc\n"),
    tab("tab-one-column", "line 4: expected a group, a tab and a text, found 1", "a\n"),
    tab("tab-without-rows", "has no document left", ""),
    Case(
        "only-empty-documents",
        "parse",
        "mine has no document left: all 2 are empty",
        empty,
        arguments=DOCUMENTS,
    ),
]

FOLDS = [
    accepted(
        "duplicates-in-training",
        "split",
        "sentences in two folds: ",
        tokens(lambda rows: repeat(rows, of=slice(0, 10), at=slice(10, 20))),
        holds=shares("train and validation", 0),
    ),
    accepted(
        "duplicates-across-sets",
        "split",
        "'train and in_domain_dev': [1-9]",
        tokens(lambda rows: repeat(rows, of=slice(0, 20), at=slice(60, 80))),
        holds=lambda desk: (
            desk.read_json()["shared_sentences"]["in_domain_dev and out_of_domain_dev"] == 0
        ),
    ),
    Case(
        "all-the-same",
        "split",
        "duplicates, which cannot be divided",
        tokens(lambda rows: rows.assign(input_ids=[[1, 2, 3]] * len(rows))),
    ),
    Case(
        "share-too-small",
        "split",
        "split.validation is 1e-09, which leaves one of the folds empty",
        lambda desk: desk.parameters({"split.validation": 1e-9}),
    ),
    Case(
        "tokens-without-a-column",
        "split",
        r"tokens\.parquet has no column pair; it has id",
        tokens(lambda rows: rows.drop(columns="pair")),
    ),
    Case(
        "tokens-without-rows",
        "split",
        r"tokens\.parquet has no rows",
        tokens(lambda rows: rows.head(0)),
    ),
    Case(
        "tokens-are-a-page",
        "split",
        "cannot be read as the Parquet table",
        lambda desk: desk.write("tokens/tokens.parquet", PAGE),
    ),
    Case(
        "tokens-are-missing",
        "split",
        "tokens.parquet does not exist",
        lambda desk: desk.remove("tokens"),
    ),
    Case(
        "one-class",
        "train",
        "the training fold should hold acceptable .*with the labels .1.",
        tokens(lambda rows: rows.assign(label=rows["label"].clip(lower=1))),
    ),
    Case(
        "one-class",
        "evaluate",
        "two training sentences of each label at least",
        tokens(lambda rows: rows.assign(label=rows["label"].clip(lower=1))),
    ),
    Case(
        "folds-of-another-run",
        "train",
        "1 sentences have no fold",
        lambda desk: desk.change_table("folds/folds.parquet", lambda rows: rows.iloc[1:]),
    ),
    Case(
        "folds-of-another-run",
        "evaluate",
        "1 sentences of tokens have no fold",
        lambda desk: desk.change_table("folds/folds.parquet", lambda rows: rows.iloc[1:]),
    ),
    Case(
        "fold-twice",
        "train",
        "a sentence has two folds",
        lambda desk: desk.change_table(
            "folds/folds.parquet", lambda rows: pd.concat([rows, rows.head(1)])
        ),
    ),
    Case(
        "settings-of-another-version",
        "train",
        "settings.json has no `max_length`; it has longest",
        lambda desk: desk.write("tokens/settings.json", '{"longest": 64}'),
    ),
    Case(
        "settings-are-broken",
        "train",
        "settings.json cannot be read as the JSON object that an earlier stage writes",
        lambda desk: desk.write("tokens/settings.json", b"\xff"),
    ),
    Case(
        "fold-twice",
        "evaluate",
        "folds: an id occurs twice",
        lambda desk: desk.change_table(
            "folds/folds.parquet", lambda rows: pd.concat([rows, rows.head(1)])
        ),
    ),
    Case(
        "set-named-as-both-dev-sets",
        "evaluate",
        "a set is called both_dev, which is the name for in_domain_dev and out_of_domain_dev",
        lambda desk: desk.change_table(
            "folds/folds.parquet", lambda rows: rows.replace("validation", "both_dev")
        ),
    ),
    Case(
        "history-is-empty",
        "evaluate",
        "history.csv cannot be read",
        lambda desk: desk.write("models/1/history.csv", ""),
    ),
    Case(
        "model-is-missing",
        "evaluate",
        "models/1 does not exist",
        lambda desk: desk.remove("models/1"),
    ),
    Case(
        "figures-are-broken",
        "visualize",
        "split.json cannot be read as the JSON object",
        lambda desk: desk.write("figures/split.json", '{"folds": '),
    ),
    Case(
        "figures-are-a-list",
        "visualize",
        "split.json should hold a JSON object",
        lambda desk: desk.write("figures/split.json", "[]"),
    ),
    Case("figures-are-missing", "visualize", "protocol.json does not exist"),
]

PROSE = "prose.parquet"
FEW = r"{} has {} different plain sentences of at most 18 words, and adapt needs 82\. A plain"

DOCUMENT_ROWS = [
    Case(
        "documents-without-sentences",
        "adapt",
        FEW.format(r"documents\.parquet", 0) + ".*inputs.documents, or set adapt.epochs to 0",
        arguments="documents.parquet sentences.parquet encoder out --params params.yaml",
    ),
    Case(
        "few-sentences",
        "adapt",
        FEW.format(r"prose\.parquet", r"\d+"),
        lambda desk: desk.change_table(PROSE, lambda rows: rows.head(12)),
    ),
    Case(
        "all-sentences-in-the-corpus",
        "adapt",
        FEW.format(r"prose\.parquet", 0),
        lambda desk: desk.change_table(
            "sentences.parquet",
            lambda rows: pd.DataFrame({"text": sentences_of(desk.read_table(PROSE))}),
        ),
    ),
    accepted(
        "documents-without-sentences-and-no-epochs",
        "adapt",
        "adapt.epochs is 0: the backbone stays as it is",
        lambda desk: desk.parameters({"adapt.epochs": 0}),
        arguments="documents.parquet sentences.parquet encoder out --params params.yaml",
        holds=lambda desk: (desk.folder / "out" / "1_Pooling" / "config.json").is_file(),
    ),
    accepted(
        "documents-in-one-line-of-noise",
        "adapt",
        "100 of 300 plain sentences",
        lambda desk: desk.change_table(
            PROSE, lambda rows: pd.concat([rows, rows.head(1).assign(text=NOISE)])
        ),
    ),
    Case(
        "documents-without-text",
        "adapt",
        r"prose\.parquet has no column text",
        lambda desk: desk.change_table(PROSE, lambda rows: rows.drop(columns="text")),
    ),
    Case(
        "documents-without-rows",
        "adapt",
        r"prose\.parquet has no rows",
        lambda desk: desk.change_table(PROSE, lambda rows: rows.head(0)),
    ),
    Case(
        "documents-are-a-page",
        "adapt",
        "cannot be read as the Parquet table",
        lambda desk: desk.write(PROSE, PAGE),
    ),
    Case(
        "sentences-are-missing",
        "adapt",
        "sentences.parquet does not exist",
        lambda desk: desk.remove("sentences.parquet"),
    ),
]

CASES = [*COLA, *TABLES, *FOLDS, *DOCUMENT_ROWS]
