"""Hostile annotations and predictions: what parse reads of phenomena, and what analyze is given."""

from collections.abc import Callable
from typing import Any

from bertline.corpora import annotations
from tests.hostile.desk import Case, Desk, accepted, zipped
from tests.hostile.downloads import PAGE
from tests.hostile.parameters import value

PHENOMENA = "phenomena mine raw out --params params.yaml"
HEADER = b"Source\tDomain\tAcceptability\tSentence\tSimple\n"
ROW = b"t01\tIn\t1\tThe lamp glows.\t1\n"
NAMES = list(annotations.FILES.values())
GOOD = HEADER + ROW
PREDICTIONS = "predictions/predictions.parquet"


def archive(name: str, message: str, content: bytes, make: Callable[..., Case] = Case, **rest: Any):
    """Return a case of the archive of CoLA's annotations."""

    def corrupt(desk: Desk) -> None:
        desk.write("raw/a.zip", content)
        recipe = {"format": "cola-annotations", "archive": "a.zip"} | rest
        desk.declare(roles=["phenomena"], parse=recipe)

    return make(f"annotations-{name}", "parse", message, corrupt, arguments=PHENOMENA)


def features(name: str, message: str, major: bytes, minor: bytes = GOOD, **rest: Any) -> Case:
    """Return a case of an archive whose two files are whole, and hold something else."""
    return archive(name, message, zipped(list(zip(NAMES, (major, minor), strict=True))), **rest)


def listed(name: str, message: str, content: bytes, make: Callable[..., Case] = Case) -> Case:
    """Return a case of a list of sources."""

    def corrupt(desk: Desk) -> None:
        desk.write("raw/list.tsv", content)
        recipe = {"format": "source-list", "file": "list.tsv"}
        desk.declare(roles=["phenomena"], parse=recipe)

    return make(f"source-list-{name}", "parse", message, corrupt, arguments=PHENOMENA)


def predicted(name: str, message: str, change: Callable, make: Callable[..., Case] = Case) -> Case:
    """Return a case of the table that evaluate wrote."""
    return make(name, "analyze", message, lambda desk: desk.change_table(PREDICTIONS, change))


ANNOTATIONS = [
    archive("page", "is not a zip file that can be read", PAGE),
    archive(
        "member-missing",
        r"has no member CoLA_grammatical_annotations_minor_features\.tsv; is it the archive",
        zipped([(NAMES[0], GOOD)]),
    ),
    features("other-header", "line 1: expected the header", HEADER.replace(b"Domain", b"Set")),
    features(
        "unknown-mark", "line 2: expected 0 or 1 for Simple, found '2'", HEADER + ROW[:-2] + b"2\n"
    ),
    features("unknown-domain", "line 2: expected the domain In or Out", GOOD.replace(b"In", b"On")),
    features("short-row", "line 2: expected 5 tab-separated columns", HEADER + b"t01\tIn\t1\n"),
    features("latin-1", "line 2: byte 0xe4 is not utf-8", GOOD.replace(b"glows", b"gl\xe4ws")),
    features(
        "other-sentences",
        "line 2: expected the sentence of the same line",
        GOOD.replace(b"lamp", b"oven"),
    ),
    features("fewer-sentences", "has 1 sentences, and .* has 0", GOOD, HEADER),
    features("no-sentences", "mine annotates nothing", HEADER, HEADER),
    features("good", "phenomena: .*'rows': 1", GOOD, make=accepted),
    listed("no-header", "line 1: expected the header source, major", b"a\tb\tc\n"),
    listed(
        "twice",
        "line 3: a is on line 2 already",
        b"source\tmajor\tdescription\n" + b"a\tb\tc\n" * 2,
    ),
    listed("good", "phenomena: .*'rows': 1", b"source\tmajor\tdescription\na\tb\t\n", accepted),
    Case(
        "phenomena-of-sentences",
        "parse",
        "the format cola holds no phenomena; expected cola-annotations or source-list",
        lambda desk: desk.declare(roles=["phenomena"]),
        arguments=PHENOMENA,
    ),
    Case(
        "sentences-of-phenomena",
        "parse",
        "the format source-list holds no labelled sentences",
        lambda desk: desk.declare(parse={"format": "source-list", "file": "a.tsv"}),
    ),
]

INPUTS = [
    predicted("no-logits", "has no column logits", lambda rows: rows.drop(columns="logits")),
    Case(
        "other-classes",
        "analyze",
        "the predictions are of 2 classes, and the sentences have 3",
        lambda desk: desk.write("tokens/settings.json", '{"labels": ["a", "b", "c"]}'),
    ),
    predicted("repeated", "an id occurs twice", lambda rows: rows.iloc[[0, 0, 1]]),
    predicted(
        "other-sentences",
        "predicted sentences are not among the tokens",
        lambda rows: rows.assign(id="x" + rows["id"]),
    ),
    predicted(
        "seeds-of-other-sentences",
        "predictions of seed 1 are not of the same sentences",
        lambda rows: rows.assign(seed=[2] + [1] * (len(rows) - 1)),
    ),
    predicted(
        "set-named-as-all",
        "a set is called all test sets",
        lambda rows: rows.assign(set=rows["set"].replace("in_domain_dev", "all test sets")),
    ),
    predicted("all-right", "", lambda rows: rows.assign(predicted=rows["label"]), accepted),
    predicted("one-class", "", lambda rows: rows.assign(label=1), accepted),
    Case(
        "curves-are-missing",
        "analyze",
        "curves.csv does not exist",
        lambda desk: desk.remove("curves.csv"),
    ),
    Case(
        "curves-of-other-columns",
        "analyze",
        "has no column seed",
        lambda desk: desk.write("curves.csv", "a,b\n1,2\n"),
    ),
    value(
        "analyze",
        "bounds-fall",
        "analyze.length_bounds",
        [4, 4],
        "each number once, the smaller first",
    ),
]

CASES = [*ANNOTATIONS, *INPUTS]
