"""Classify new texts, and assign topics to them.

Reads   texts: a table (CSV, TSV, JSON lines or Parquet, by its ending) with a column `text` and
        perhaps `id`, a text file with a text on each line, a folder of text files, or standard
        input (-); or an npy array of vectors as embed writes it, which gets topics.
Writes  a row per text, in their order, to a file (.csv or .jsonl) or as JSON lines to standard
        output: id (of the table, or the number of the row), class and class_probability, topic,
        topic_name and topic_probability.

    bertline predict letters.csv predictions.csv
    bertline predict letters.csv predictions.csv --like reviews
    zcat letters.txt.gz | bertline predict - --classifier data/train/1

Without --classifier and --topics, the classifier of the first seed in data/train and the topics in
data/topic_words are applied, if they are there. Texts are read and written in batches, so memory
does not grow with their number, and a text's result does not depend on those beside it.

Class probabilities are the softmax of the logits, at the temperature that evaluate chose; a text
without a character has no class. The topic's probability is the share of the nearest fitted
documents in it. The topic is -1 for a text that is unlike all fitted documents, or has no letter or
digit. A fitted document keeps its topic.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bertline.apply.classifier import Classifier, find_models
from bertline.apply.topics import Topics
from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.corpora import columns
from bertline.corpora.readers import ENDINGS, READERS, Layout, type_of
from bertline.own import add, entries, layouts
from bertline.sources import catalogue
from bertline.sources.catalogue import TableParse
from bertline.topics.clustering import check_vectors, load_vectors
from bertline.topics.tables import OUTLIERS

BATCH = 4_096  # texts held in memory at once; those of like length are computed together
STANDARD = Path("-")
INPUT = Path("/dev/stdin")
MODELS, TOPICS = Path("data/train"), Path("data/topic_words")
OF_TEXTS = ("like", "text", "id", "format", "separator", "encoding")  # options
DIGITS = 6  # of probabilities; a text's vary from batch to batch by some 1e-7

Row = dict[str, Any]
Write = Callable[[Sequence[Row]], None]


class Recipe(NamedTuple):
    """How texts are read: columns of text and identifier, and the layout."""

    text: str = "text"
    key: str = "id"
    layout: Layout = Layout()
    keyed: bool = False  # whether a file has to have the identifier
    like: str | None = None  # the entry of sources.yaml that says so


class Batch(NamedTuple):
    """Texts, or vectors, with their identifiers."""

    ids: list[str]
    texts: list[str] | None
    vectors: np.ndarray | None = None


def read_texts(path: Path, recipe: Recipe) -> Iterator[Batch]:
    """Yield the texts of a file, `BATCH` at a time; a row without identifier has its number."""
    key = recipe.key
    if (recipe.layout.type or type_of(path)) == "folder" and not recipe.keyed:
        key = "path"
    rows = _rows(path, recipe._replace(key=key))
    first = 1
    while batch := list(islice(rows, BATCH)):
        ids = [row[key] or str(number) for number, row in enumerate(batch, start=first)]
        columns.check_identifiers(ids, path, key, first)
        yield Batch(ids, [row[recipe.text] for row in batch])
        first += len(batch)
    if first == 1:
        raise BertlineError(f"{path} has no text.")


def _rows(path: Path, recipe: Recipe) -> Iterator[dict[str, str]]:
    """Yield the rows of a file; an error about its layout names the options that say another."""
    required = [recipe.text, *[recipe.key] * recipe.keyed]
    try:
        yield from columns.stream(path, required, optional=[recipe.key], layout=recipe.layout)
    except BertlineError as error:
        undecoded = isinstance(error.__cause__, UnicodeDecodeError)
        lacking = any(f"no column {name!r}" in str(error) for name in required)
        # As its entry is read, and not as its own ending says.
        otherwise = recipe.like and recipe.layout.type != ENDINGS.get(path.suffix.lower())
        if not (undecoded or lacking or otherwise):
            raise
        raise BertlineError(f"{error} {_advice(path, recipe, undecoded=undecoded)}") from error


def _advice(path: Path, recipe: Recipe, *, undecoded: bool) -> str:
    """Return which options say how a file is laid out."""
    plain = (recipe.layout.type or type_of(path)) not in ("json", "parquet")
    options = ["--text COLUMN", *["--id COLUMN"] * recipe.keyed, "--format"]
    options += ["--separator"] * plain + ["--encoding"] * (plain or undecoded)
    advice = f"Say what this file has ({', '.join(options)})"
    if recipe.like:
        return f"{advice}: it is read as `{recipe.like}` of {catalogue.PATH}."
    names: list[str] = []
    with suppress(BertlineError):  # outside of a project there is no sources.yaml
        names = [*entries.tables(catalogue.PATH)]
    known = f", one of {', '.join(names)}" if names else ""
    return (
        f"{advice}, or name a table of {catalogue.PATH} with the same layout (--like NAME{known})."
    )


def read_vectors(path: Path) -> Iterator[Batch]:
    """Yield the vectors of an npy file, `BATCH` at a time; their numbers are their identifiers."""
    vectors = load_vectors(path)
    check_vectors(vectors, len(vectors) if vectors.ndim else 0)
    for start in range(0, len(vectors), BATCH):
        part = np.asarray(vectors[start : start + BATCH])
        yield Batch([str(start + number) for number in range(1, len(part) + 1)], None, part)


def predict(batch: Batch, classifier: Classifier | None, topics: Topics | None) -> list[Row]:
    """Return the rows of the output for a batch."""
    found: dict[str, Sequence[Any]] = {"id": batch.ids}
    if classifier is not None and batch.texts is not None:
        classes = classifier(batch.texts)
        found["class"] = classes["class"].tolist()
        found["class_probability"] = _rounded(classes["probability"])
    if topics is not None:
        if batch.texts is None:
            assigned = topics.assign(np.asarray(batch.vectors))
        else:
            assigned = topics(batch.texts)
        found["topic"] = assigned["topic"].tolist()
        found["topic_name"] = assigned["name"].tolist()
        found["topic_probability"] = _rounded(assigned["probability"])
    return [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]


def _rounded(probabilities: pd.Series) -> list[float | None]:
    return [None if value != value else round(value, DIGITS) for value in probabilities.tolist()]


@contextmanager
def writing(target: Path) -> Iterator[Write]:
    """Yield what writes rows to a .csv or .jsonl file, whole or not at all, or to standard output.

    Raises BertlineError for another ending.
    """
    if target == STANDARD:
        yield lambda rows: _write_lines(sys.stdout, rows)
        return
    with (
        files.whole_file(target) as partial,
        partial.open("w", encoding="utf-8", newline="") as out,
    ):
        if target.suffix.lower() == ".jsonl":
            yield lambda rows: _write_lines(out, rows)
        else:
            yield _CsvWriter(out)


def _write_lines(stream: Any, rows: Sequence[Row]) -> None:
    stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    stream.flush()


class _CsvWriter:
    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.started = False

    def __call__(self, rows: Sequence[Row]) -> None:
        head = [] if self.started else [[*rows[0]]]
        self.started = True
        lines = [*head, *([*row.values()] for row in rows)]
        self.stream.writelines(map(files.csv_line, lines))


class Summary:
    """What is said at the end, and every ten seconds."""

    def __init__(self) -> None:
        """Start the clock."""
        self.rows, self.classes, self.topics = 0, Counter[str | None](), Counter[int]()
        self.started = self.told = time.monotonic()

    def add(self, rows: Sequence[Row]) -> None:
        """Count the rows, and log how many there are if it is time."""
        self.rows += len(rows)
        self.classes.update(row["class"] for row in rows if "class" in row)
        self.topics.update(row["topic"] for row in rows if "topic" in row)
        now = time.monotonic()
        if now - self.told > console.LOG_INTERVAL:
            self.told = now
            rate = self.rows / (now - self.started)
            console.log(f"predict: {self.rows:,} texts, {rate:,.0f} per second")

    def __str__(self) -> str:
        """Return the number of texts of each class, and of those in topics and in none."""
        parts = [f"{self.rows:,} texts"]
        if self.classes:
            named = [(name, count) for name, count in self.classes.most_common(10) if name]
            others = len(self.classes) - (None in self.classes) - len(named)
            parts += [f"{name} {count:,}" for name, count in named]
            parts += [f"{others} other classes"] * bool(others)
            parts += [f"{self.classes[None]:,} blank ones without a class"] * (None in self.classes)
        if self.topics:
            outside = self.topics[OUTLIERS]
            number = len(self.topics) - (OUTLIERS in self.topics)
            parts.append(f"{self.rows - outside:,} in {number:,} topics and {outside:,} in none")
        return ", ".join(parts)


def choose_models(
    classifier: Path | None, topics: Path | None, *, vectors: bool
) -> tuple[Path | None, Path | None]:
    """Return the folders of the models to apply: those named, or else the project's own.

    vectors: whether the input is vectors, which get topics alone. Raises BertlineError if there is
    no model, or a classifier is named for vectors.
    """
    if vectors and classifier:
        raise BertlineError("A classifier reads texts, and the input is vectors. Give the texts.")
    if classifier or topics:
        return classifier, topics
    if MODELS.is_dir() and not vectors:
        found = find_models(MODELS)
        classifier = found[0] if found else None
    topics = TOPICS if TOPICS.is_dir() else None
    if not (classifier or topics):
        raise BertlineError(
            f"There is no model: neither {MODELS} nor {TOPICS} is here. Run `make repro` first, or "
            f"name a folder by --classifier or --topics."
        )
    return classifier, topics


def check_places(source: Path, target: Path) -> None:
    """Raise BertlineError for an input that is not there, and an output that cannot be written."""
    if target != STANDARD and target.suffix.lower() not in (".csv", ".jsonl"):
        raise BertlineError(f"{target}: expected a file that ends in .csv or .jsonl, or - .")
    if source == STANDARD:
        return
    if not source.exists():
        raise BertlineError(f"{source} does not exist. Name the file of the texts.")
    if target.exists() and source.samefile(target):
        raise BertlineError(f"{target} is the file of the texts. Name another one to write.")
    if source.is_file():
        layouts.refuse_packed(source)


def choose_recipe(args: argparse.Namespace) -> Recipe:
    """Return how the texts are read: as options say, or as the entry `--like` is.

    Raises BertlineError if sources.yaml has no such table.
    """
    layout, names, kind = Layout(), {}, None
    if args.like:
        like = find_table(args.like)
        layout = Layout(like.type, like.separator, like.header, like.encoding)
        names, file = like.columns, Path(next(iter(like.files.values())))
        kind = like.type or ENDINGS.get(file.suffix.lower())
    if args.texts == STANDARD:  # which has no ending
        kind = kind or "lines"
    if args.texts.is_dir():
        kind = None
    given = {"separator": args.separator, "encoding": args.encoding}
    given = {key: value for key, value in given.items() if value is not None}
    return Recipe(
        text=args.text or names.get("text", "text"),
        key=args.id or names.get("id", "id"),
        layout=layout._replace(type=args.format or kind, **given),
        keyed=args.id is not None,
        like=args.like,
    )


def find_table(name: str) -> TableParse:
    """Return how a table of sources.yaml is read; BertlineError if there is none of that name."""
    if not catalogue.PATH.exists():
        raise BertlineError(
            f"--like {name} needs {catalogue.PATH}, which is not here. Run the command in the "
            f"project's folder."
        )
    tables = entries.tables(catalogue.PATH)
    if name not in tables:
        raise BertlineError(
            f"--like: {catalogue.PATH} has no table `{name}`"
            f"{params.nearest(name, [*tables])}. `bertline add FILE` writes an entry."
        )
    return params.validate(tables[name], TableParse, where=f"{catalogue.PATH}: {name}.parse")


def read_arguments() -> argparse.Namespace:
    """Return what was typed."""
    arguments = console.parser(__doc__)
    endings = ", ".join(ENDINGS)
    arguments.add_argument("texts", type=Path, help=f"{endings}, .npy, a folder, or -")
    arguments.add_argument(
        "out", type=Path, nargs="?", default=STANDARD, help=".csv, .jsonl, or - (the default)"
    )
    arguments.add_argument(
        "--classifier",
        type=Path,
        help="folder of a model (default: the first one in data/train); data/train itself is the "
        "mean of all seeds, which takes as many times longer",
    )
    arguments.add_argument(
        "--topics", type=Path, help="folder that topic_words wrote (default: data/topic_words)"
    )
    arguments.add_argument(
        "--embedder",
        type=Path,
        help="folder of the encoder that embedded the fitted documents (default: "
        "download/embedder beside the folder of the topics)",
    )
    arguments.add_argument(
        "--like",
        metavar="NAME",
        help="table of sources.yaml that has the layout and the columns of the texts, as `bertline "
        "add` wrote it; --text, --id, --format, --separator and --encoding override it",
    )
    arguments.add_argument("--text", help="column of the text (default: text)")
    arguments.add_argument("--id", help="column of the identifier (default: id, if there is one)")
    arguments.add_argument(
        "--format",
        choices=[name for name in READERS if name != "folder"],
        help="of the texts (default: that of --like, or by the ending; of standard input: lines)",
    )
    arguments.add_argument(
        "--separator", type=layouts.separator, help="of cells, where it is no comma or tab"
    )
    arguments.add_argument("--encoding", help="of the texts (default: utf-8)")
    arguments.add_argument(
        "--precision",
        choices=["auto", "bf16", "fp32"],
        default="fp32",
        help="of the vectors for topics; bf16 is faster where the hardware has it, and a text's "
        "topic may then depend on those beside it (default: fp32)",
    )
    return arguments.parse_args()


def main() -> None:
    """Read the arguments, load the models, and predict batch by batch."""
    args = read_arguments()
    check_places(args.texts, args.out)
    vectors = args.texts.suffix == ".npy"
    classifier, topics = choose_models(args.classifier, args.topics, vectors=vectors)
    if vectors:
        add.refuse(add.typed(args, OF_TEXTS), f"{args.texts} holds vectors")
        batches = read_vectors(args.texts)
    else:
        source = INPUT if args.texts == STANDARD else args.texts
        batches = read_texts(source, choose_recipe(args))
    console.log(f"predict: with {' and '.join(str(path) for path in (classifier, topics) if path)}")
    classify = Classifier(classifier) if classifier else None
    assign = None
    if topics:
        assign = Topics(topics, embedder=args.embedder, precision=args.precision)
    summary = Summary()
    try:
        with writing(args.out) as write:
            for batch in batches:
                rows = predict(batch, classify, assign)
                write(rows)
                summary.add(rows)
    except BrokenPipeError:  # `head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    console.log(f"{args.out}: {summary}")


if __name__ == "__main__":
    console.run(main)
