"""Cache, mirror and publisher of a published file, in this order, with the same hashes for all."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.core.errors import BertlineError
from bertline.sources import fetch, published
from bertline.sources.fetch import FetchError
from bertline.sources.published import Place, Wanted
from tests.loopback import Loopback, answer

BODY = random.Random(2).randbytes(100_000)
OTHER = b"something else"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


WANTED = Wanted("a.zip", [sha256(b"published"), sha256(BODY)], len(BODY))


@pytest.fixture
def server(monkeypatch, tmp_path) -> Iterator[Loopback]:
    """A publisher, an empty cache, no mirror, no waiting."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(published.CACHE, str(tmp_path / "cache"))
    monkeypatch.delenv(published.MIRROR, raising=False)
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    with Loopback() as loopback:
        loopback.files["/v1/a.zip"] = BODY
        yield loopback


@pytest.fixture
def mirror(monkeypatch, tmp_path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv(published.MIRROR, str(folder))
    return folder


def obtain(server: Loopback) -> tuple[bytes, str]:
    def get(target: Path) -> None:
        fetch.fetch(server.url + "/v1/a.zip", target, label="a.zip")

    with published.verified(WANTED, Place("publisher", "here", get)) as (path, kind):
        return path.read_bytes(), kind


def kept(tmp_path: Path) -> list[str]:
    """Return all files and folders of the cache."""
    return sorted(path.name for path in (tmp_path / "cache").rglob("*"))


def test_the_second_time_asks_nobody(server, tmp_path):
    assert obtain(server) == (BODY, "publisher")
    assert obtain(server) == (BODY, "cache")
    assert len(server.requests) == 1
    assert kept(tmp_path) == sorted([sha256(BODY), "sha256"])


def test_a_changed_file_in_the_cache_is_fetched_anew(server, tmp_path, capsys):
    obtain(server)
    (tmp_path / "cache" / "sha256" / sha256(BODY)).write_bytes(OTHER)
    assert obtain(server) == (BODY, "publisher")
    assert obtain(server) == (BODY, "cache")
    assert "has changed since it was verified" in capsys.readouterr().err


def test_wrong_content_is_refused_with_both_hashes_and_not_kept(server, tmp_path):
    server.files["/v1/a.zip"] = OTHER
    hashes = f"{sha256(b'published')} or {sha256(BODY)}, found {sha256(OTHER)} .14 bytes"
    with pytest.raises(FetchError, match=f"- publisher: wrong content: expected SHA-256 {hashes}"):
        obtain(server)
    assert kept(tmp_path) == ["sha256"]


def test_a_web_page_instead_of_the_file_is_named(server):
    server.files["/v1/a.zip"] = b"\n<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
    with pytest.raises(FetchError, match="It is an HTML page, such as a proxy or a login sends"):
        obtain(server)


class TestMirrorFolder:
    def test_is_searched_first_and_not_needed_a_second_time(self, server, mirror):
        (mirror / "a.zip").write_bytes(BODY)
        assert obtain(server) == (BODY, "mirror")
        (mirror / "a.zip").unlink()
        mirror.rmdir()
        assert obtain(server) == (BODY, "cache")
        assert server.requests == []

    def test_may_be_relative_to_the_current_folder(self, server, mirror, monkeypatch):
        (mirror / "a.zip").write_bytes(BODY)
        monkeypatch.chdir(mirror.parent)
        monkeypatch.setenv(published.MIRROR, "mirror")
        assert obtain(server) == (BODY, "mirror")

    @pytest.mark.parametrize(
        ("content", "message"),
        [(None, "there is no file a.zip in"), (OTHER, "wrong content: expected SHA-256")],
        ids=["no-file", "another-file"],
    )
    def test_without_the_file_leaves_it_to_the_publisher(
        self, server, mirror, capsys, content, message
    ):
        if content is not None:
            (mirror / "a.zip").write_bytes(content)
        assert obtain(server) == (BODY, "publisher")
        assert f"a.zip: mirror: {message}" in capsys.readouterr().err

    def test_is_named_in_the_error_if_the_publisher_fails_too(self, server, mirror):
        (mirror / "a.zip").write_bytes(OTHER)
        server.files.clear()
        expected = rf"- mirror: wrong content.* found {sha256(OTHER)}(.|\n)*- publisher: 127.*404"
        with pytest.raises(FetchError, match=expected):
            obtain(server)

    @pytest.mark.parametrize("name", ["nowhere", "s3://bucket/data"])
    def test_that_does_not_exist_is_a_mistake(self, server, monkeypatch, name):
        monkeypatch.setenv(published.MIRROR, name)
        with pytest.raises(BertlineError, match=f"names `{name}`: there is no folder"):
            obtain(server)
        assert server.requests == []


@pytest.mark.parametrize("acts", [[], [answer(404)]], ids=["has-it", "has-it-not"])
def test_a_mirror_address_is_asked_first(server, monkeypatch, acts):
    with Loopback() as mirror:
        monkeypatch.setenv(published.MIRROR, mirror.url + "/data/")
        mirror.files["/data/a.zip"] = BODY
        mirror.acts["/data/a.zip"] = list(acts)
        assert obtain(server) == (BODY, "publisher" if acts else "mirror")
        assert [request.path for request in mirror.requests] == ["/data/a.zip"]


def test_a_cache_that_cannot_be_written_is_done_without(server, monkeypatch, tmp_path, capsys):
    # A file in its place: unlike a mode, this also stops the superuser.
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv(published.CACHE, str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    assert obtain(server) == (BODY, "publisher")

    assert "cannot be written to (Not a directory)" in capsys.readouterr().err
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_cache_lies_where_the_platform_wants_it(monkeypatch, tmp_path):
    monkeypatch.delenv(published.CACHE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert published.cache_folder().name == "bertline"
