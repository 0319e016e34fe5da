"""Cache, mirror and publisher of a published file, in this order, with the same hashes for all."""

import hashlib
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bertline.core.errors import BertlineError
from bertline.sources import cache, fetch, published
from bertline.sources.fetch import CHUNK, FetchError
from bertline.sources.published import Place, Wanted, WrongContentError
from tests.loopback import Loopback, answer, break_off

PROJECT = Path(__file__).parents[1]
BODY = random.Random(2).randbytes(4 * CHUNK)
OTHER = b"something else"
LOGIN = b"\n<!DOCTYPE html><html><head><title>Sign in\n to ACME</title></head></html>"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


WANTED = Wanted("a.zip", [sha256(b"published"), sha256(BODY)], len(BODY))


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A publisher, an empty cache, no mirror, no waiting."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(published.VARIABLE, raising=False)
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    with Loopback() as loopback:
        loopback.files["/v1/a.zip"] = BODY
        yield loopback


def publisher(server, *, path="/v1/a.zip") -> Place:
    url = server.url + path

    def get(target: Path) -> bool:
        return fetch.fetch(url, target, label="a.zip", declared=len(BODY))

    return Place("publisher", fetch.host(url), url, get)


def obtain(server, wanted: Wanted = WANTED) -> tuple[bytes, str]:
    with published.verified(wanted, publisher(server)) as (path, kind):
        return path.read_bytes(), kind


def kept(tmp_path) -> list[str]:
    """Return all files of the cache but the locks."""
    found = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    return sorted(path.name for path in found if path.suffix != ".lock")


def test_the_second_time_asks_nobody(server, tmp_path):
    assert obtain(server) == (BODY, "publisher")
    assert obtain(server) == (BODY, "cache")
    assert len(server.requests) == 1
    assert kept(tmp_path) == [sha256(BODY)]


def test_a_changed_file_in_the_cache_is_fetched_anew(server, tmp_path, capsys):
    obtain(server)
    (tmp_path / "cache" / "sha256" / sha256(BODY)).write_bytes(OTHER)
    assert obtain(server) == (BODY, "publisher")
    assert len(server.requests) == 2
    assert "has changed since it was verified" in capsys.readouterr().err


def test_wrong_content_is_refused_with_both_hashes(server, tmp_path):
    server.files["/v1/a.zip"] = OTHER
    hashes = f"{sha256(b'published')} or {sha256(BODY)}, found {sha256(OTHER)} .14 bytes"
    with pytest.raises(FetchError, match=f"- publisher: wrong content: expected SHA-256 {hashes}"):
        obtain(server)
    assert kept(tmp_path) == []


def test_says_that_a_web_page_came_instead_of_the_file(server):
    server.files["/v1/a.zip"] = LOGIN
    with pytest.raises(FetchError, match="It is an HTML page titled `Sign in to ACME`, such as"):
        obtain(server)


def test_says_that_the_file_is_empty(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(WrongContentError, match=r"\(0 bytes\)"):
        published.check(tmp_path / "a", [sha256(BODY)])


def test_a_broken_transfer_is_gone_on_with_by_the_next_run(server, monkeypatch, tmp_path):
    server.acts["/v1/a.zip"] = [break_off(3 * CHUNK), *[answer(503)] * 4]
    with pytest.raises(FetchError, match=r"answers 503 .* \(5 attempts\)"):
        obtain(server)
    assert obtain(server) == (BODY, "publisher")
    assert server.requests[-1].headers["Range"] == f"bytes={3 * CHUNK}-"
    assert kept(tmp_path) == [sha256(BODY)]


def test_a_broken_transfer_of_another_file_is_found_out(server, tmp_path, capsys):
    server.files["/v1/a.zip"] = OTHER * CHUNK
    server.acts["/v1/a.zip"] = [break_off(2 * CHUNK), *[answer(503)] * 4]
    with pytest.raises(FetchError):
        obtain(server)
    server.files["/v1/a.zip"] = BODY  # and no tag tells them apart
    assert obtain(server) == (BODY, "publisher")
    assert "wrong content after a resumed transfer; once more from zero" in capsys.readouterr().err


class TestMirrorFolder:
    @pytest.fixture
    def mirror(self, monkeypatch, tmp_path) -> Path:
        folder = tmp_path / "mirror"
        folder.mkdir()
        monkeypatch.setenv(published.VARIABLE, str(folder))
        return folder

    def test_is_looked_in_first(self, server, mirror):
        (mirror / "a.zip").write_bytes(BODY)
        assert obtain(server) == (BODY, "mirror")
        assert server.requests == []

    def test_is_not_needed_a_second_time(self, server, mirror):
        (mirror / "a.zip").write_bytes(BODY)
        obtain(server)
        (mirror / "a.zip").unlink()
        mirror.rmdir()
        assert obtain(server) == (BODY, "cache")

    def test_may_be_named_relative_to_the_current_folder(self, server, mirror, monkeypatch):
        (mirror / "a.zip").write_bytes(BODY)
        monkeypatch.chdir(mirror.parent)
        monkeypatch.setenv(published.VARIABLE, "mirror")
        assert obtain(server) == (BODY, "mirror")

    def test_without_the_file_leaves_it_to_the_publisher(self, server, mirror, capsys):
        assert obtain(server) == (BODY, "publisher")
        assert (
            f"there is no file a.zip in {mirror}; asking the publisher" in capsys.readouterr().err
        )

    def test_with_another_file_leaves_it_to_the_publisher(self, server, mirror, capsys):
        (mirror / "a.zip").write_bytes(OTHER)
        assert obtain(server) == (BODY, "publisher")
        assert f"a.zip: mirror: wrong content: expected SHA-256 {WANTED.accepted[0]}" in (
            capsys.readouterr().err
        )

    def test_is_named_in_the_error_if_the_publisher_fails_too(self, server, mirror, tmp_path):
        (mirror / "a.zip").write_bytes(OTHER)
        server.files.clear()
        expected = rf"- mirror: wrong content.* found {sha256(OTHER)}(.|\n)*- publisher: 127.*404"
        with pytest.raises(FetchError, match=expected):
            obtain(server)
        assert kept(tmp_path) == []

    @pytest.mark.parametrize("name", ["nowhere", "s3://bucket/data"])
    def test_that_does_not_exist_is_a_mistake(self, server, monkeypatch, name):
        monkeypatch.setenv(published.VARIABLE, name)
        with pytest.raises(BertlineError, match=f"names `{name}`: there is no folder"):
            obtain(server)
        assert server.requests == []


class TestMirrorAddress:
    @pytest.fixture
    def mirror(self, monkeypatch):
        with Loopback() as loopback:
            monkeypatch.setenv(published.VARIABLE, loopback.url + "/data/")
            yield loopback

    def test_is_asked_first(self, server, mirror):
        mirror.files["/data/a.zip"] = BODY
        assert obtain(server) == (BODY, "mirror")
        assert [request.path for request in mirror.requests] == ["/data/a.zip"]
        assert server.requests == []

    def test_without_the_file_leaves_it_to_the_publisher(self, server, mirror):
        assert obtain(server) == (BODY, "publisher")
        assert len(mirror.requests) == 1

    def test_never_mixes_with_the_publisher(self, server, mirror):
        mirror.files["/data/a.zip"] = OTHER * CHUNK
        mirror.acts["/data/a.zip"] = [break_off(2 * CHUNK), *[answer(503)] * 4]
        assert obtain(server) == (BODY, "publisher")
        assert "Range" not in server.requests[0].headers


class TestCacheThatCannotBeWritten:
    @pytest.fixture
    def blocked(self, monkeypatch, tmp_path) -> Path:
        # A file in its place: unlike a mode, this also stops the superuser.
        (tmp_path / "file").touch()
        monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file" / "cache"))
        return tmp_path / "file" / "cache"

    def test_is_done_without(self, server, blocked, capsys):
        assert obtain(server) == (BODY, "publisher")
        assert obtain(server) == (BODY, "publisher")
        expected = f"the cache {blocked} cannot be written to (Not a directory)"
        assert expected in capsys.readouterr().err

    def test_leaves_nothing_behind(self, server, blocked, monkeypatch, tmp_path):
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        obtain(server)
        server.files.clear()
        with pytest.raises(FetchError):
            obtain(server)
        assert list((tmp_path / "temporary").iterdir()) == []


def test_the_cache_lies_where_the_platform_wants_it(monkeypatch, tmp_path):
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache.folder() == tmp_path / "bertline"
    assert cache.folder().name == "bertline"


def test_two_threads_fetch_once(server):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: obtain(server), range(4)))
    assert {content for content, _ in results} == {BODY}
    assert sorted(kind for _, kind in results) == ["cache", "cache", "cache", "publisher"]
    assert len(server.requests) == 1


def test_two_processes_fetch_once(server, tmp_path):
    script = f"""
from bertline.sources import fetch, published
url = "{server.url}/v1/a.zip"
get = lambda target: fetch.fetch(url, target, label="a.zip")
wanted = published.Wanted("a.zip", ["{sha256(BODY)}"])
with published.verified(wanted, published.Place("publisher", "here", url, get)) as (path, kind):
    print(kind)
"""
    command = [sys.executable, "-c", script]
    started = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=dict(os.environ), cwd=PROJECT
        )
        for _ in range(2)
    ]
    assert sorted(process.communicate()[0].strip() for process in started) == ["cache", "publisher"]
    assert len(server.requests) == 1
