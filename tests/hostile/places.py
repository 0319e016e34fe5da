"""Hostile places: full, read-only, forbidden, odd or impossible targets."""

from collections.abc import Callable

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
        "embed",
        "the disk is full: free some space",
        full_of_vectors,
        arguments="documents.parquet encoder small/out --params params.yaml",
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
        "split",
        "the file system is read-only",
        read_only_metrics,
        arguments=SPLIT.format("out") + " --metrics small/metrics.json",
    ),
    Case(
        "forbidden",
        "parse",
        "cannot read or write .*theirs/.*permission is denied",
        forbidden,
        arguments=SENTENCES.format("theirs/out"),
    ),
    Case("project", "split", "the project lies in it", arguments=SPLIT.format(".")),
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
        "adapt",
        "100 of 300 plain sentences",
        moved,
        arguments=f"{QUOTED}/prose.parquet {QUOTED}/sentences.parquet {QUOTED}/encoder {OUT} "
        f"--params {QUOTED}/params.yaml",
        holds=has("model.safetensors"),
        writes=WRITES,
    ),
]
