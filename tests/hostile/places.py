"""Hostile places: full, read-only, forbidden, odd or impossible targets."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.hostile.desk import Case, Desk, accepted
from tests.hostile.downloads import GOOD, is_laid_down, own

LARGE = b"published bytes" * 20_000  # 300 kB
AWKWARD = "own data/\u00c4rger \u2014 \u6570\u636e 'x'"


def full(desk: Desk) -> None:
    """Let the target be on a file system that is too small for the download."""
    own(desk, content=LARGE)
    place = desk.mount("small", "size=64k")
    (place / "out").mkdir()
    (place / "out" / "earlier.txt").write_text("earlier")


def full_after_the_first(desk: Desk) -> None:
    """Let the target be on a file system that is too small for the table of a million letters."""
    noise = np.random.default_rng(0).integers(97, 123, size=1_000_000, dtype=np.uint8).tobytes()
    desk.write("raw/in_domain_train.tsv", b"t01\t1\t\t" + noise + b"\n")
    desk.mount("small", "size=256k")
    desk.write("small/out", b"earlier")


def full_of_vectors(desk: Desk) -> None:
    """Let there be room for the head and the tail of the mapped file, and not for all vectors."""
    desk.change_table("documents.parquet", lambda rows: pd.concat([rows] * 10))
    desk.mount("small", "size=16k")


def read_only(desk: Desk) -> None:
    """Let the target be on a file system that nobody may write to."""
    own(desk)
    place = desk.mount("small", "size=1m")
    (place / "out").mkdir()
    (place / "out" / "earlier.txt").write_text("earlier")
    desk.remount_read_only(place)


def read_only_metrics(desk: Desk) -> None:
    """Let the metrics alone be on a file system that nobody may write to."""
    own(desk)
    desk.remount_read_only(desk.mount("small", "size=1m"))


def forbidden(desk: Desk) -> None:
    """Let the folder of the target belong to somebody else."""
    desk.write("theirs/out", b"earlier")
    desk.run_as_nobody()
    (desk.folder / "theirs").chmod(0o555)


def cache_is_a_file(desk: Desk) -> None:
    """Let the cache's place be taken by a file."""
    desk.serve(GOOD, promised=GOOD)
    desk.write("cache", b"a file")


def circle(desk: Desk) -> None:
    """Let the target be a link to itself."""
    (desk.folder / "loop").symlink_to("loop")


def moved(desk: Desk) -> None:
    """Let the inputs lie at awkward paths."""
    place = desk.folder / AWKWARD
    place.mkdir(parents=True)
    names = ("encoder", "raw", "params.yaml", "sentences.parquet", "prose.parquet", "tokens")
    for name in names:
        (desk.folder / name).rename(place / name)


def has(name: str) -> Callable[[Desk], None]:
    """Return what holds the awkward folder to a file."""

    def holds(desk: Desk) -> None:
        assert (desk.folder / "out put/\u00d6" / name).stat().st_size

    return holds


QUOTED = AWKWARD.replace("'", "\\'").replace(" ", "\\ ")
OUT = "out\\ put/\u00d6"
WRITES = ("out put",)
SPLIT = "tokens {} --params params.yaml"
SENTENCES = "sentences mine raw {} --params params.yaml"

CASES = [
    Case(
        "full",
        "download",
        "the disk is full: free some space",
        full,
        arguments="sentences mine small/out",
    ),
    Case(
        "full",
        "parse",
        "the disk is full: free some space",
        full_after_the_first,
        arguments=SENTENCES.format("small/out"),
    ),
    Case(
        "full",
        "embed",
        "the disk is full: free some space",
        full_of_vectors,
        arguments="documents.parquet encoder small/out --params params.yaml",
    ),
    Case(
        "full",
        "adapt",
        "the disk is full: free some space",
        lambda desk: (desk.parameters({"adapt.epochs": 0}), desk.mount("small", "size=16k")),
        arguments="prose.parquet sentences.parquet encoder small/out --params params.yaml",
    ),
    Case(
        "metrics-read-only",
        "adapt",
        "the file system is read-only",
        lambda desk: (desk.parameters({"adapt.epochs": 0}), read_only_metrics(desk)),
        arguments="prose.parquet sentences.parquet encoder out --params params.yaml "
        "--metrics small/metrics.json",
    ),
    Case(
        "metrics-read-only",
        "evaluate",
        "the file system is read-only",
        read_only_metrics,
        arguments="tokens folds models out --params params.yaml --plots plots "
        "--metrics small/metrics.json",
    ),
    accepted(
        "cache-is-a-file",
        "download",
        "cache .* cannot be written to .*fetching without it",
        cache_is_a_file,
        holds=is_laid_down(),
    ),
    Case(
        "read-only",
        "download",
        "cannot write .*small/.*the file system is read-only",
        read_only,
        arguments="sentences mine small/out",
    ),
    Case(
        "metrics-read-only",
        "download",
        "the file system is read-only",
        read_only_metrics,
        arguments="sentences mine out --metrics small/metrics.json",
    ),
    Case(
        "metrics-read-only",
        "parse",
        "the file system is read-only",
        read_only_metrics,
        arguments=SENTENCES.format("out") + " --metrics small/metrics.json",
    ),
    Case(
        "metrics-read-only",
        "split",
        "the file system is read-only",
        read_only_metrics,
        arguments=SPLIT.format("out") + " --metrics small/metrics.json",
    ),
    Case(
        "metrics-read-only",
        "tokenize",
        "the file system is read-only",
        read_only_metrics,
        arguments="sentences.parquet encoder out --params params.yaml --metrics small/a.json",
    ),
    Case(
        "forbidden",
        "parse",
        "cannot read or write .*theirs/.*permission is denied",
        forbidden,
        arguments=SENTENCES.format("theirs/out"),
    ),
    Case("project", "split", "the project lies in it", arguments=SPLIT.format(".")),
    Case("above-the-project", "split", "the project lies in it", arguments=SPLIT.format("..")),
    Case(
        "file-for-a-folder",
        "split",
        "params.yaml is a file, and the output is a folder",
        arguments=SPLIT.format("params.yaml"),
    ),
    Case(
        "folder-for-a-file",
        "parse",
        "tokens is a folder, and the output is a file. Name one",
        arguments=SENTENCES.format("tokens"),
    ),
    Case(
        "below-a-file",
        "split",
        "cannot read or write .*(part of the path is a file|a file lies)",
        arguments=SPLIT.format("params.yaml/out"),
    ),
    Case(
        "name-too-long",
        "split",
        "the name is longer than the file system allows",
        arguments=SPLIT.format("o" * 300),
    ),
    Case(
        "link-to-itself",
        "parse",
        "cannot read or write .*(links lead in a circle|a file lies)",
        circle,
        arguments=SENTENCES.format("loop/out"),
    ),
    accepted(
        "awkward-path",
        "download",
        "out: ",
        lambda desk: own(desk, AWKWARD, "d\u00e4 ta.tsv"),
        holds=is_laid_down("d\u00e4 ta.tsv"),
    ),
    accepted(
        "awkward-path",
        "parse",
        "in_domain_train",
        moved,
        arguments=f"sentences mine {QUOTED}/raw {OUT}/rows --params {QUOTED}/params.yaml",
        holds=has("rows"),
        writes=WRITES,
    ),
    accepted(
        "awkward-path",
        "tokenize",
        "tokens: ",
        moved,
        arguments=f"{QUOTED}/sentences.parquet {QUOTED}/encoder {OUT} --params "
        f"{QUOTED}/params.yaml",
        holds=has("tokens.parquet"),
        writes=WRITES,
    ),
    accepted(
        "awkward-path",
        "adapt",
        "100 of 300 plain sentences",
        moved,
        arguments=f"{QUOTED}/prose.parquet {QUOTED}/sentences.parquet {QUOTED}/encoder {OUT} "
        f"--params {QUOTED}/params.yaml",
        holds=has("model.safetensors"),
        writes=WRITES,
    ),
    accepted(
        "awkward-path",
        "split",
        "sentences in two folds",
        moved,
        arguments=f"{QUOTED}/tokens {OUT} --params {QUOTED}/params.yaml",
        holds=has("folds.parquet"),
        writes=WRITES,
    ),
]
