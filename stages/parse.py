"""Turn a source's published bytes into typed rows with stable ids, and check the counts.

Reads   the files of data/download/<role> as sources.yaml says how, and `parse.<role>` of
        params.yaml.
Writes  a Parquet table. Sentences: id, set, source, label (the number of its class), class (its
        name), mark, text, pair. Documents: id, part, group, date, text. Phenomena: by (sentence or
        source), set, value (that sentence or source), label, major and minor (lists). And a JSON
        file of counts: rows read, kept, dropped and why, classes, duplicates.

    python -m stages.parse sentences cola data/download/sentences data/parse/sentences.parquet
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import pyarrow as pa
from pydantic import Field

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.core.receipt import receipt
from bertline.corpora import annotations, cola, labels, newsgroups, table
from bertline.corpora.readers import Layout
from bertline.corpora.rows import TRAINING_SETS, Rows
from bertline.sources import catalogue

SENTENCES = pa.schema(
    [
        ("id", pa.string()),
        ("set", pa.string()),
        ("source", pa.string()),
        ("label", pa.int16()),
        ("class", pa.string()),
        ("mark", pa.string()),
        ("text", pa.string()),
        ("pair", pa.string()),
    ]
)
DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("part", pa.string()),
        ("group", pa.string()),
        ("date", pa.string()),
        ("text", pa.string()),
    ]
)
PHENOMENA = pa.schema(
    [
        ("by", pa.string()),
        ("set", pa.string()),
        ("value", pa.string()),
        ("label", pa.int8()),
        ("major", pa.list_(pa.string())),
        ("minor", pa.list_(pa.string())),
    ]
)

PREVIEW_WIDTH = 100  # characters of a text shown in the log
PREVIEW_CLASSES = 10  # classes of each set that texts are shown of


class ParseSentences(Section):
    """`parse.sentences` of params.yaml."""

    preview: Annotated[int, Field(ge=0)]


class ParseDocuments(Section):
    """`parse.documents` of params.yaml."""

    remove: list[Literal["headers", "footers", "quotes"]]
    empty: Literal["keep", "drop"]
    preview: Annotated[int, Field(ge=0)]


class ParsePhenomena(Section):
    """`parse.phenomena` of params.yaml."""

    preview: Annotated[int, Field(ge=0)]


class Parse(Section):
    """The section `parse` of params.yaml."""

    sentences: ParseSentences
    documents: ParseDocuments
    phenomena: ParsePhenomena


def layout_of(recipe: catalogue.TableParse) -> Layout:
    """Return how the files of a table are laid out."""
    return Layout(recipe.type, recipe.separator, recipe.header, recipe.encoding)


def read_sentences(folder: Path, recipe: catalogue.Parse) -> Rows:
    """Read sentences as `recipe`, the source's `parse`, says."""
    match recipe:
        case catalogue.ColaParse():
            return cola.read(
                folder, archive=recipe.archive, inner=recipe.folder, pairs=recipe.pairs
            )
        case catalogue.TableParse():
            return table.read_sentences(
                folder,
                files=recipe.files,
                columns=dict(recipe.columns.items()),
                layout=layout_of(recipe),
                listed=recipe.labels,
            )
    raise BertlineError(
        f"sources.yaml: the format {recipe.format} holds no labelled sentences; expected cola or "
        f"table."
    )


def read_documents(
    folder: Path, recipe: catalogue.Parse, remove: Sequence[str]
) -> tuple[Rows, list[str]]:
    """Read documents as `recipe` says; return them and what was removed from each message."""
    match recipe:
        case catalogue.NewsgroupsParse():
            rows = newsgroups.read_archive(folder / recipe.archive, remove=remove)
            return rows, [name for name in newsgroups.REMOVERS if name in remove]
        case catalogue.NewsgroupsTokensParse():
            return newsgroups.read_tokens(folder, files=recipe.files), []
        case catalogue.TableParse():
            rows = table.read_documents(
                folder,
                files=recipe.files,
                columns=dict(recipe.columns.items()),
                layout=layout_of(recipe),
            )
            return rows, []
    raise BertlineError(
        f"sources.yaml: the format {recipe.format} holds no documents; expected "
        f"newsgroups-archive, newsgroups-tokens or table."
    )


def read_phenomena(folder: Path, recipe: catalogue.Parse) -> Rows:
    """Read which phenomena sentences or sources show, as `recipe` says."""
    match recipe:
        case catalogue.ColaAnnotationsParse():
            return annotations.read_cola(folder, archive=recipe.archive)
        case catalogue.SourceListParse():
            return annotations.read_list(folder, file=recipe.file)
    raise BertlineError(
        f"sources.yaml: the format {recipe.format} holds no phenomena; expected cola-annotations "
        f"or source-list."
    )


def count_sentences(sentences: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return for each set: rows, those of each class, sources, repeated sentences.

    Classes come in the order of their numbers, and all in each set.
    """
    names = sentences.groupby("label")["class"].first().to_dict()
    counts = {}
    for name, rows in sentences.groupby("set", sort=False):
        of_label = Counter(rows["label"])
        counts[str(name)] = {
            "rows": len(rows),
            "classes": {of_class: of_label[label] for label, of_class in names.items()},
            "sources": int(rows["source"].nunique()),
            "duplicates": int(rows["text"].duplicated().sum()),
        }
    return counts


def is_empty(texts: pd.Series) -> pd.Series:
    """Return, for each text, whether it has neither a letter nor a digit."""
    return ~texts.str.contains(r"[^\W_]", regex=True)


def check_expected(expected: dict[str, Any] | None, found: dict[str, Any], *, source: str) -> None:
    """Raise BertlineError if a count that sources.yaml states differs from what was found."""
    if expected is None:
        return
    wrong = [
        f"{name}: expected {count}, found {found.get(name)}"
        for name, count in expected.items()
        if found.get(name) != count
    ]
    if wrong:
        raise BertlineError(
            f"{source} does not have the counts that sources.yaml states under "
            f"{source}.parse.expect. {'; '.join(wrong)}. The file is of another edition, or the "
            f"numbers in sources.yaml are wrong."
        )


def preview(rows: pd.DataFrame, columns: list[str], count: int) -> str:
    """Return the first `count` rows as lines of text, long cells cut."""
    lines = []
    for row in rows[columns].head(count).itertuples(index=False):
        cells = [" ".join(str(cell).split())[:PREVIEW_WIDTH] for cell in row]
        lines.append("  " + " | ".join(cells))
    return "\n".join(lines)


def expected_counts(
    name: str, recipe: catalogue.Parse, found: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return what `expect` states of each set, and the same counts of what was `found`.

    CoLA's layout states the acceptable sentences, a table those of any class or none.
    """
    if recipe.expect is None:
        return None, {}
    if isinstance(recipe, catalogue.ColaParse):
        acceptable = cola.CLASSES[1]
        return {key: counts.model_dump() for key, counts in recipe.expect.items()}, {
            key: {"rows": of_set["rows"], "acceptable": of_set["classes"].get(acceptable, 0)}
            for key, of_set in found.items()
        }
    # Of a table it is checked here: its `expect` may be of sentences or of documents.
    stated = {
        key: params.validate(
            value, catalogue.ClassCounts, where=f"sources.yaml: {name}.parse.expect.{key}"
        ).model_dump(exclude_none=True)
        for key, value in recipe.expect.items()
    }
    return stated, {
        key: {kind: of_set[kind] for kind in stated.get(key, {})} for key, of_set in found.items()
    }


def preview_sentences(sentences: pd.DataFrame, count: int) -> str:
    """Return the first `count` texts of each class, of PREVIEW_CLASSES classes at most."""
    shown = []
    by_class = sentences.groupby("class", sort=False)
    columns = [name for name in ("source", "mark") if (sentences[name] != "").any()]
    for name, rows in list(by_class)[:PREVIEW_CLASSES]:
        shown.append(f"{name}:\n{preview(rows, [*columns, 'text'], count)}")
    if len(by_class) > PREVIEW_CLASSES:
        shown.append(f"and {len(by_class) - PREVIEW_CLASSES} other classes")
    return "\n".join(shown)


def parse_sentences(
    folder: Path, name: str, recipe: catalogue.Parse, options: ParseSentences
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the sentences of source `name` and their counts; show some of them."""
    rows = read_sentences(folder, recipe)
    sentences = rows.table
    counts = count_sentences(sentences)
    stated, found = expected_counts(name, recipe, counts)
    check_expected(stated, found, source=name)
    named = recipe.files if isinstance(recipe, catalogue.TableParse) else cola.SETS
    training = next(key for key in named if key in TRAINING_SETS)
    if training not in counts:
        raise BertlineError(f"{name} has no sentence to train on: {training} is empty.")
    labels.check(sentences, training=training, source=name)
    for key, of_set in sentences.groupby("set", sort=False):
        told = labels.summarize(counts[str(key)])
        console.log(f"{key}: {told}\n{preview_sentences(of_set, options.preview)}")
    return sentences, {"rows_in": rows.rows_in, "dropped": rows.dropped, "sets": counts}


def parse_documents(
    folder: Path, name: str, recipe: catalogue.Parse, options: ParseDocuments
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the documents of source `name` and their counts; show some of them."""
    rows, removed = read_documents(folder, recipe, options.remove)
    documents = rows.table.reindex(columns=DOCUMENTS.names)  # no published corpus has dates
    groups = int(documents["group"].nunique())
    parts = {
        str(key): int(count) for key, count in documents["part"].value_counts(sort=False).items()
    }
    check_expected(recipe.expect, {**parts, "groups": groups}, source=name)
    if options.remove and not removed:
        console.log(
            f"{name} has no {', '.join(options.remove)} to remove: its texts stay as they are."
        )
    empty = is_empty(documents["text"])
    dropped = dict(rows.dropped)
    if options.empty == "drop":
        documents = documents[~empty].reset_index(drop=True)
        dropped["no letter or digit"] = int(empty.sum())
    if not len(documents):
        raise BertlineError(f"{name} has no document left: all {rows.rows_in:,} are empty.")
    counts = {
        "rows_in": rows.rows_in,
        "kept": len(documents),
        "dropped": dropped,
        "empty": int(empty.sum()),
        "parts": parts,
        "groups": groups,
        "removed": removed,
        "duplicates": int(documents["text"].duplicated().sum()),
        "mean_words": round(float(documents["text"].map(lambda text: len(text.split())).mean()), 1),
    }
    console.log(f"documents: {counts}\n{preview(documents, ['group', 'text'], options.preview)}")
    return documents, counts


def parse_phenomena(
    folder: Path, name: str, recipe: catalogue.Parse, options: ParsePhenomena
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the phenomena of source `name` and their counts; show some of them."""
    rows = read_phenomena(folder, recipe)
    phenomena = rows.table
    if phenomena.empty:
        raise BertlineError(f"{name} annotates nothing: it has no row below its header.")
    counts = {
        "rows": len(phenomena),
        "major": int(phenomena["major"].explode().nunique()),
        "minor": int(phenomena["minor"].explode().nunique()),
    }
    check_expected(recipe.expect, counts, source=name)
    shown = preview(phenomena, ["value", "major", "minor"], options.preview)
    console.log(f"phenomena: {counts}\n{shown}")
    by = sorted(phenomena["by"].unique())
    return phenomena, {"by": ", ".join(by), **counts}


def parse(
    role: str, folder: Path, name: str, recipe: catalogue.Parse, options: Parse
) -> tuple[pd.DataFrame, dict[str, Any], pa.Schema]:
    """Return the rows of source `name` for a role, their counts, and the columns to write."""
    if role == "sentences":
        return *parse_sentences(folder, name, recipe, options.sentences), SENTENCES
    if role == "documents":
        return *parse_documents(folder, name, recipe, options.documents), DOCUMENTS
    return *parse_phenomena(folder, name, recipe, options.phenomena), PHENOMENA


def main() -> None:
    """Read the arguments and the parameters, parse, and write the table and the counts."""
    arguments = console.parser(__doc__)
    arguments.add_argument("role", choices=["sentences", "documents", "phenomena"])
    arguments.add_argument("source", help="entry of sources.yaml")
    arguments.add_argument("raw", type=Path, help="folder of the downloaded files")
    arguments.add_argument("out", type=Path, help="Parquet table to write")
    arguments.add_argument("--metrics", type=Path, help="write the counts to this JSON file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "parse", Parse)
    recipe = catalogue.load_parse(args.source, args.role)
    title = catalogue.load_title(args.source)
    files.require(args.raw)
    if args.out.is_dir():
        raise BertlineError(
            f"{args.out} is a folder, and the output is a file. Name one, such as "
            f"data/parse/{args.role}.parquet."
        )

    with receipt(
        args.receipt,
        f"parse@{args.role}",
        parameters={
            f"parse.{args.role}": getattr(options, args.role),
            f"{args.source}.title": title,
            f"{args.source}.parse": recipe,
        },
        inputs=[args.raw],
        outputs=[args.out, args.metrics],
    ):
        try:
            rows, counts, schema = parse(args.role, args.raw, args.source, recipe, options)
        except BertlineError as error:
            message = catalogue.with_own_names(str(error), args.source, args.raw)
            raise BertlineError(message) from error
        with files.whole_file(args.out) as partial:
            files.write_table(partial, rows, schema)
            if args.metrics:  # within, so that a failure leaves the earlier table
                files.write_json(args.metrics, {"source": args.source, "title": title, **counts})


if __name__ == "__main__":
    console.run(main)
