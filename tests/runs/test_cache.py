"""verify-cache: damage that DVC does not see is found, and the commands it names repair it."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from bertline.runs import cache as verify_cache
from tests import project as projects
from tests.project import Project


def put(cache: Path, content: bytes, ending: str = "") -> Path:
    """Put a file into the cache as DVC does: under its hash and read-only."""
    name = hashlib.md5(content, usedforsecurity=False).hexdigest() + ending
    place = cache / "files" / "md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod(0o444)
    return place


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


def test_damaged_files_and_listings_are_removed_and_nothing_else(tmp_path):
    good, listing = put(tmp_path, b"good"), put(tmp_path, b"[]", ".dir")
    damaged = [put(tmp_path, b"bad"), put(tmp_path, b"[{}]", ".dir")]
    beside = tmp_path / "files" / "md5" / "ab" / ".a-file-on-its-way"
    beside.parent.mkdir(exist_ok=True)
    beside.write_bytes(b"half")
    for path in damaged:
        flip(path)

    total, removed = verify_cache.remove_damaged(tmp_path)

    assert (total, sorted(removed)) == (4, sorted(damaged))
    assert good.exists() and listing.exists() and beside.exists()
    assert not any(path.exists() for path in damaged)


def test_unreadable_block_is_damage_and_other_errors_are_errors(tmp_path, monkeypatch):
    place = put(tmp_path, b"x")

    def fail(code: int) -> None:
        def digest(path: Path, hasher: object) -> str:
            raise OSError(code, os.strerror(code), str(path))

        monkeypatch.setattr(verify_cache.files, "digest", digest)

    fail(errno.EIO)
    assert not verify_cache.is_intact(place)
    fail(errno.EACCES)
    with pytest.raises(PermissionError):
        verify_cache.is_intact(place)


def check(project: Project) -> str:
    """Run the command; return what it printed, with the exit code at the end."""
    return project.run("bash", "-c", "python -m bertline.runs.cache 2>&1; echo exit $?")


@pytest.mark.slow
def test_damage_is_found_and_repaired_by_the_commands_that_are_named(
    made_project: Project, tmp_path: Path
) -> None:
    project = projects.copy(made_project, tmp_path / "ünïcode path")
    sentences, documents = "data/parse/sentences.parquet", "data/parse/documents.parquet"
    right = {name: (project.folder / name).read_bytes() for name in (sentences, documents)}
    assert check(project).rstrip().endswith("exit 0")

    # Damaged in the cache and lost in data/: DVC hands the damaged copy out, and sees nothing.
    name = hashlib.md5(right[sentences], usedforsecurity=False).hexdigest()
    damaged = project.folder / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]
    flip(damaged)
    (project.folder / sentences).unlink()
    project.run("dvc", "checkout", sentences)
    # Damaged in data/ while the cache is right.
    flip(project.folder / documents)

    printed = check(project)

    assert printed.rstrip().endswith("exit 3")
    assert f"damaged in the cache, and removed: {damaged}" in printed
    assert f"`dvc checkout --force {documents} {sentences}`" in printed
    project.run("bash", "-c", f"dvc checkout --force {documents} {sentences} || true")
    assert (project.folder / documents).read_bytes() == right[documents]
    assert "parse@sentences" in project.repro()
    assert (project.folder / sentences).read_bytes() == right[sentences]
    assert check(project).rstrip().endswith("exit 0")
    assert project.run("git", "status", "--porcelain", "--", ":!metrics/receipts") == ""
