"""Hostile rows: CoLA's files, tables of the user, Orange's tab files, and the folds."""

import io
from collections.abc import Callable

import pandas as pd

from tests.hostile.desk import Case, Desk, accepted
from tests.hostile.downloads import PAGE

ROW = b"t01\t1\t\tThe lamp glows.\n"
TRAIN = "raw/in_domain_train.tsv"
HEADER = "text,label\n"
DOCUMENTS = "documents mine raw out --params params.yaml"
TAB_HEADER = "Category\tText\nd\tstring\nclass\t\n"


NOISE = "A. " * 20_000 + "(" * 20_000 + "Ab \0\ud7ff\u2028" + ">" * 5000 + "The x-" * 20_000


def sentences_of(documents: pd.DataFrame) -> list[str]:
    """Return all sentences of documents that have a full stop after each."""
    return [f"{part}." for text in documents["text"] for part in text.split(".") if part]


def tokens_file(content: str) -> Callable[[Desk], None]:
    """Return what puts Orange's tab file with these rows into raw/, and declares it."""

    def corrupt(desk: Desk) -> None:
        desk.write("raw/a.tab", TAB_HEADER + content)
        recipe = {"format": "newsgroups-tokens", "files": {"all": "a.tab"}}
        desk.declare(roles=["documents"], parse=recipe)

    return corrupt


def training(*texts: str) -> Callable[[Desk], None]:
    """Return what holds the training set to these texts."""

    def holds(desk: Desk) -> None:
        rows = desk.read_table()
        assert rows[rows["set"] == "in_domain_train"]["text"].tolist() == list(texts)

    return holds


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
    pieces = rows["windows"].tolist()
    pieces[at] = pieces[of]
    return rows.assign(windows=pieces)


def shares(pair: str, count: int) -> Callable[[Desk], None]:
    """Return what holds two folds to this many common sentences."""

    def holds(desk: Desk) -> None:
        assert desk.read_json()["shared_sentences"][pair] == count

    return holds


GOOD = pd.DataFrame({"text": ["The lamp glows.", "The lamp glow."], "label": [1, 0]})
LONG = "lamp " * 200_000  # a million characters

CORPORA = [
    Case(
        "cola-malformed-line",
        "parse",
        r"in_domain_train\.tsv, line 2: expected 4 .*found 3",
        lambda desk: desk.write(TRAIN, ROW + b"a\t1\tb\n"),
    ),
    Case(
        "cola-no-rows",
        "parse",
        "mine has no sentence to train on: in_domain_train is empty",
        lambda desk: desk.write(TRAIN, b"t01\t1\t\t \n" * 3),
    ),
    accepted(
        "cola-million-characters",
        "parse",
        "in_domain_train",
        lambda desk: desk.write(TRAIN, ROW + b"t01\t0\t\t" + LONG.encode() + b"\n"),
        holds=training("The lamp glows.", LONG),
    ),
    Case(
        "set-missing",
        "parse",
        "in_domain_dev.tsv does not exist",
        lambda desk: desk.remove("raw/in_domain_dev.tsv"),
    ),
    Case(
        "zip-is-a-page",
        "parse",
        "is not a zip file that can be read",
        lambda desk: desk.archive("cola.zip", PAGE),
    ),
    Case(
        "zip-folder-outside",
        "parse",
        "parse.folder: should be a path inside",
        lambda desk: desk.archive("cola.zip", b"", folder="../.."),
    ),
    Case(
        "tar-is-a-page",
        "parse",
        "cannot be read as the archive of 20 Newsgroups",
        lambda desk: desk.archive("20news-bydate.tar.gz", PAGE),
        arguments=DOCUMENTS,
    ),
    Case(
        "other-edition",
        "parse",
        "in_domain_train: expected .*'rows': 7.*found .*'rows': 60",
        lambda desk: desk.declare(
            parse={"format": "cola", "expect": {"in_domain_train": {"rows": 7, "acceptable": 5}}}
        ),
    ),
    Case(
        "csv-with-semicolons",
        "parse",
        r"own/a\.csv .*no column 'text', and the file looks separated by semicolons",
        lambda desk: desk.table("a.csv", "text;label\na, b;1\n"),
    ),
    Case(
        "csv-without-a-header",
        "parse",
        r"own/a\.csv has no column 'text' .*, and no column 'label'",
        lambda desk: desk.table("a.csv", "a lamp,1\nlamps,0\n"),
    ),
    Case(
        "csv-separated-by-words",
        "parse",
        r"parse\.separator: should be one character",
        lambda desk: desk.table("a.csv", HEADER + "a,1\n", separator="comma"),
    ),
    Case(
        "spreadsheet",
        "parse",
        r"own/a\.xlsx: expected a file that ends in .*in Excel by File, Save As",
        lambda desk: desk.table("a.xlsx", b"PK\3\4"),
    ),
    Case(
        "date-of-another-country",
        "parse",
        r"own/a\.csv, row 2, column 'day': expected a date such as 2001-02-03.* found '3/2/01'",
        lambda desk: (
            desk.table("a.csv", "text,day\na,2001\nb,3/2/01\n"),
            desk.declare(
                roles=["documents"],
                parse={
                    "format": "table",
                    "files": {"all": "a.csv"},
                    "columns": {"text": "text", "date": "day"},
                },
            ),
        ),
        arguments=DOCUMENTS,
    ),
    Case(
        "lines-without-a-label",
        "parse",
        r"own/a\.txt cannot be read as labelled-lines: line 2 has a label and no text",
        lambda desk: desk.table("a.txt", "1 a lamp\nlamps\n", type="labelled-lines"),
    ),
    Case(
        "folder-with-a-picture",
        "parse",
        r"own/a/1/b\.png, line 1: byte 0x89 is not utf-8",
        lambda desk: (
            desk.write("raw/a/1/a.txt", "a lamp"),
            desk.write("raw/a/1/b.png", b"\x89PNG"),
            desk.declare(
                parse={
                    "format": "table",
                    "files": {"in_domain_train": "a"},
                    "columns": {"text": "text", "label": "folder"},
                },
            ),
        ),
    ),
    Case(
        "csv-lone-quote",
        "parse",
        r"a\.csv .*line 3: .*ends with one",
        lambda desk: desk.table("a.csv", HEADER + 'a,1\n"b,0\n'),
    ),
    Case(
        "csv-set-named-like-a-path",
        "parse",
        r"parse\.files\.\.\./x",
        lambda desk: desk.table(
            "a.csv", HEADER + "a,1\n", files={"in_domain_train": "a.csv", "../x": "a.csv"}
        ),
    ),
    accepted(
        "csv-million-characters",
        "parse",
        "in_domain_train",
        lambda desk: desk.table("a.csv", f'{HEADER}"{LONG}",1\nlamp,0\n'),
        holds=training(LONG, "lamp"),
    ),
    Case(
        "parquet-not-utf-8",
        "parse",
        "cannot be read as a parquet table: .*[Uu][Tt][Ff]",
        lambda desk: desk.table("a.parquet", parquet(GOOD).replace(b"glows", b"gl\xffws")),
    ),
    accepted(
        "parquet-bytes",
        "parse",
        "in_domain_train",
        lambda desk: desk.table(
            "a.parquet", parquet(GOOD.assign(text=[b"K\xc3\xb6ln glows.", b"The lamp glow."]))
        ),
        holds=training("Köln glows.", "The lamp glow."),
    ),
    Case(
        "parquet-other-bytes",
        "parse",
        r"a\.parquet, row 1, column 'text': .*byte 0xf6 is not UTF-8\. Store the column as text",
        lambda desk: desk.table(
            "a.parquet", parquet(GOOD.assign(text=[b"K\xf6ln glows.", b"The lamp glow."]))
        ),
    ),
    Case(
        "pairs-that-were-rounded",
        "parse",
        r"a\.csv, row 1, column 'pair': 1\.517e\+18 has lost its last digits",
        lambda desk: desk.table(
            "a.csv",
            "text,label,pair\na,1,1.517e+18\nb,0,1.517e+18\n",
            columns={"text": "text", "label": "label", "pair": "pair"},
        ),
    ),
    Case(
        "labels-of-one-class",
        "parse",
        "mine: the training set in_domain_train has 2 texts of the one class 'spam'",
        lambda desk: desk.table("a.csv", HEADER + "a,spam\nb, spam\n"),
    ),
    Case(
        "labels-blank",
        "parse",
        r"a\.csv, row in_domain_train:2: the label in column 'label' is blank, as are 2 of 4",
        lambda desk: desk.table("a.csv", HEADER + "a,x\nb,\nc,y\nd,  \n"),
    ),
    Case(
        "labels-are-scores",
        "parse",
        "120 training texts have 120 different labels, such as .* is it the right column",
        lambda desk: desk.table(
            "a.csv", HEADER + "".join(f"a,{number / 7}\n" for number in range(120))
        ),
    ),
    Case(
        "label-is-a-paragraph",
        "parse",
        "row 2, column 'label': expected a name on one line",
        lambda desk: desk.table("a.csv", HEADER + 'a,x\nb,"y\nz"\n'),
    ),
    Case(
        "labels-that-are-not-listed",
        "parse",
        r"`labels` lists 'ham', .* other labels: 'Ham' \(1 text\), 'egg' \(2 texts\)\. Add them",
        lambda desk: desk.table("a.csv", HEADER + "a,ham\nb,Ham\nc,egg\nd,egg\n", labels=["ham"]),
    ),
    Case(
        "labels-that-no-text-has",
        "parse",
        "`labels` lists 'spam', and no text has such a label",
        lambda desk: desk.table("a.csv", HEADER + "a,0\nb,1\n", labels=["0", "1", "spam"]),
    ),
    Case(
        "labels-are-a-word",
        "parse",
        r"mine\.parse\.labels: should be the labels in the order .* found 'ham'",
        lambda desk: desk.table("a.csv", HEADER + "a,0\nb,1\n", labels="ham"),
    ),
    Case(
        "class-of-the-test-set-alone",
        "parse",
        r"lacks 1 of the classes that other sets have \(test: 'c' \(1 text\)\).*move some",
        lambda desk: (
            desk.write("raw/b.csv", HEADER + "d,c\n"),
            desk.table("a.csv", HEADER + "a,a\nb,b\n", files={"train": "a.csv", "test": "b.csv"}),
        ),
    ),
    Case(
        "two-training-sets",
        "parse",
        "should name the table of one training set, `train`; found train, in_domain_train",
        lambda desk: desk.table(
            "a.csv", HEADER + "a,0\nb,1\n", files={"train": "a.csv", "in_domain_train": "a.csv"}
        ),
    ),
    accepted(
        "labels-in-odd-spellings",
        "parse",
        r"'classes': \{'0': 2, '1': 3\}",
        lambda desk: desk.table("a.csv", HEADER + "a,1.0\nb, TRUE\nc,0\nd,false\ne,1\n"),
    ),
    Case(
        "raw-missing",
        "parse",
        "raw does not exist. It is what an earlier stage writes",
        lambda desk: desk.remove("raw"),
    ),
    Case("no-recipe", "parse", "mine has no `parse`", lambda desk: desk.declare(parse=None)),
    Case(
        "tab-without-rows",
        "parse",
        "has no document left",
        tokens_file(""),
        arguments=DOCUMENTS,
    ),
    Case(
        "only-empty-documents",
        "parse",
        "mine has no document left: all 2 are empty",
        lambda desk: (
            desk.parameters({"parse.documents.empty": "drop"}),
            tokens_file("sci.space\t \nsci.space\t--\n")(desk),
        ),
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
        "the validation fold lacks 6 of 6 sentences: .* 60 training sentences make 1 groups of "
        "duplicates or pairs, which cannot be divided.*or set split.validation to 0",
        tokens(lambda rows: rows.assign(windows=[[[1, 2, 3]]] * len(rows))),
    ),
    Case(
        "all-the-same-and-no-test-set",
        "split",
        r"(?s)the test fold lacks 12 of 12 .*set split\.test to 0 for no test\.\n"
        r".*the validation fold lacks 6 of 6 .*set split\.validation to 0",
        tokens(lambda rows: rows.head(60).assign(windows=[[[1, 2, 3]]] * 60)),
    ),
    Case(
        "four-sentences-of-four-classes",
        "split",
        "the validation fold lacks 1 of 1 sentences: .*and each class keeps one of its own",
        tokens(lambda rows: rows.iloc[[0, 1, 2, 3, -1]].assign(label=[0, 1, 2, 3, 0])),
    ),
    Case(
        "settings-without-labels",
        "split",
        "settings.json has no `labels`; it has max_length",
        lambda desk: desk.write("tokens/settings.json", '{"max_length": 64}'),
    ),
    Case(
        "sentences-of-another-version",
        "tokenize",
        r"sentences\.parquet has no column class; it has id",
        lambda desk: desk.change_table(
            "sentences.parquet", lambda rows: rows.drop(columns="class")
        ),
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
        "the training fold should hold .*it has 50, and none of unacceptable",
        tokens(lambda rows: rows.assign(label=rows["label"].clip(lower=1))),
    ),
    Case(
        "one-class",
        "evaluate",
        "two classes at least, and the training fold has one class",
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
        "settings.json has no `max_length`, `long_texts`, `labels`; it has longest",
        lambda desk: desk.write("tokens/settings.json", '{"longest": 64}'),
    ),
    Case(
        "settings-are-broken",
        "train",
        "settings.json cannot be read as the JSON object that an earlier stage writes",
        lambda desk: desk.write("tokens/settings.json", b"\xff"),
    ),
    Case(
        "models-of-other-classes",
        "evaluate",
        "models/1 was trained on the classes unacceptable, acceptable, and the sentences have no",
        lambda desk: desk.write(
            "tokens/settings.json",
            '{"labels": ["no", "yes"], "max_length": 64, "long_texts": "head"}',
        ),
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
    Case("figures-are-missing", "visualize", "figures.*json does not exist"),
    Case(
        "figures-of-topics-are-missing",
        "visualize",
        "topics/topics.parquet does not exist",
        arguments="topics figures topics out --params params.yaml",
    ),
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
    Case(
        "epochs-on-the-sentences-themselves",
        "adapt",
        "adapt.epochs is 1, and adapt.texts is sentences, .* Set adapt.texts to documents",
        lambda desk: desk.parameters({"adapt.texts": "sentences"}),
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

CASES = [*CORPORA, *FOLDS, *DOCUMENT_ROWS]
