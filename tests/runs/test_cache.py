"""What DVC misses of loss and damage is found, and the next `dvc repro` mends it."""

import errno
import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from bertline.core.errors import BertlineError
from bertline.runs import cache as verify_cache
from tests import project as projects
from tests.project import Project

AS_RECORDED = re.compile(r"[\d,]+ files in the cache and [\d,]+ outputs are as recorded")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def put(cache: Path, content: bytes, name: str | None = None) -> Path:
    """Put a file into the cache as DVC does: under its hash and read-only."""
    name = name or md5(content)
    place = cache / "files" / "md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod(0o444)
    return place


def put_folder(cache: Path, entries: list[object]) -> str:
    content = json.dumps(entries).encode()
    name = f"{md5(content)}.dir"
    put(cache, content, name)
    return name


def flip(path: Path) -> None:
    """Change one byte as a failing disk does: size, times and permissions stay."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(content)
    path.chmod(before.st_mode & 0o777)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_is_not_what_its_name_says_is_removed_and_nothing_else(cache):
    good, bad = put(cache, b"good"), put(cache, b"bad")
    folder = cache / "files" / "md5" / put_folder(cache, [])[:2]
    beside = cache / "files" / "md5" / "ab" / ".a-file-on-its-way"
    beside.parent.mkdir(exist_ok=True)
    beside.write_bytes(b"half")
    flip(bad)

    assert verify_cache.remove_damaged(verify_cache.everything(cache)) == [bad]
    assert good.exists() and beside.exists() and list(folder.iterdir())


def test_a_list_of_a_folder_counts_too(cache):
    name = put_folder(cache, [{"md5": md5(b"x"), "relpath": "a/x"}])
    (place,) = verify_cache.everything(cache)
    assert verify_cache.is_intact(place)
    flip(place)

    assert verify_cache.remove_damaged([place]) == [place]
    assert verify_cache.everything(cache) == [] and verify_cache.place_of(cache, name) == place


def test_the_files_of_an_output_are_known_also_where_they_are_lost(cache):
    entries = [{"md5": md5(b"within"), "relpath": "a/x"}, {"md5": md5(b"lost"), "relpath": "y"}]
    file, within = put(cache, b"file"), put(cache, b"within")
    name = put_folder(cache, entries)
    folder, lost = (verify_cache.place_of(cache, of) for of in (name, md5(b"lost")))

    assert verify_cache.parts(cache, "file", md5(b"file")) == {file: "file"}
    found = verify_cache.parts(cache, "out", name)
    assert found == {folder: "out", within: "out/a/x", lost: "out/y"}
    flip(folder)
    assert verify_cache.parts(cache, "out", name) == {folder: "out"}


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param(["md5"], id="no-mapping"),
        pytest.param([{"md5": 7, "relpath": "x"}], id="number"),
        pytest.param([{"relpath": "x"}], id="no-hash"),
        pytest.param({"md5": "0" * 32}, id="no-list"),
        pytest.param([{"md5": "../../../precious", "relpath": "x"}], id="up"),
    ],
)
def test_a_list_that_others_wrote_leads_to_nothing_outside_the_cache(cache, entries):
    precious = cache.parent / "precious"
    precious.write_bytes(b"not named by its hash")
    absolute = {"md5": f"..{precious}", "relpath": "x"}
    entries = [*entries, absolute] if isinstance(entries, list) else entries

    found = verify_cache.parts(cache, "out", put_folder(cache, entries))

    assert precious not in found
    assert all(path.is_relative_to(cache) and ".." not in path.parts for path in found)
    assert list(found.values()) == ["out"]


def test_a_list_that_is_no_json_is_left_to_dvc(cache):
    content = b"\xff{"
    place = put(cache, content, f"{md5(content)}.dir")
    assert verify_cache.parts(cache, "out", verify_cache.name_of(place)) == {place: "out"}


def test_what_the_disk_cannot_read_is_damaged_and_other_errors_are_errors(cache, monkeypatch):
    place = put(cache, b"x")

    def fail(code: int) -> None:
        def digest(path: Path, hasher: object) -> str:
            raise OSError(code, os.strerror(code), str(path))

        monkeypatch.setattr(verify_cache.files, "digest", digest)

    fail(errno.EIO)
    assert not verify_cache.is_intact(place)
    fail(errno.EACCES)
    with pytest.raises(PermissionError):
        verify_cache.is_intact(place)


def test_outside_a_project_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BertlineError, match=r"is no DVC project: it has no folder \.dvc\."):
        verify_cache.find_cache()


# --- a project through DVC ----------------------------------------------------------------------


def check(project: Project, *options: str) -> tuple[bool, str]:
    """Run the command; return whether all was as recorded, and what it printed."""
    code = f"python -m bertline.runs.cache {' '.join(options)}; test $? -eq 0 -o $? -eq 3 || exit 1"
    printed = project.run("bash", "-c", code)
    return AS_RECORDED.search(printed) is not None, printed


def object_of(project: Project, output: str) -> Path:
    name = md5((project.folder / output).read_bytes())
    return project.folder / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]


@pytest.mark.slow
def test_loss_and_damage_are_noticed_and_mended_by_the_next_run(
    made_project: Project, tmp_path: Path
) -> None:
    project = projects.copy(made_project, tmp_path / "ünïcode path")
    sentences, folds = "data/parse/sentences.parquet", "data/split/folds.parquet"
    documents, vectors = "data/parse/documents.parquet", "data/embed/embeddings.npy"
    names = (sentences, folds, documents, vectors)
    right = {name: (project.folder / name).read_bytes() for name in names}
    intact, printed = check(project, "--all")
    assert intact, printed

    # Damaged in the cache and lost in data/: DVC hands the damaged copy out, and sees nothing.
    damaged = object_of(project, sentences)
    flip(damaged)
    (project.folder / sentences).unlink()
    project.run("dvc", "checkout")
    intact, printed = check(project)
    assert not intact
    assert f"damaged in the cache, and removed: {damaged} ({sentences})" in printed
    assert f"not what dvc.lock records: {sentences}" in printed
    # Damaged in the cache while data/ is right.
    within = object_of(project, folds)
    flip(within)
    assert not check(project)[0] and not within.exists()
    # Damaged or lost in data/ while the cache is right: back at once, where DVC would compute it.
    flip(project.folder / documents)
    (project.folder / vectors).unlink()
    intact, printed = check(project)
    assert f"not what dvc.lock records: {documents}" in printed
    assert f"written from the cache: data/embed, {documents}" in printed
    # Lost in the cache: DVC notices that itself.
    object_of(project, "data/evaluate/predictions.parquet").unlink()

    assert project.repro() == ["parse@sentences", "split", "evaluate"]

    assert {name: (project.folder / name).read_bytes() for name in right} == right
    intact, printed = check(project, "--all")
    assert intact, printed
    assert "Data and pipelines are up to date." in project.run("dvc", "status")
    assert project.run("git", "status", "--porcelain", "--", ":!metrics/receipts") == ""
