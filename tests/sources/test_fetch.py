"""Fetching over HTTP from a server that misbehaves; nothing leaves the loopback interface."""

import random
from pathlib import Path

import pytest

from bertline.core import console
from bertline.sources import fetch
from bertline.sources.fetch import FetchError
from tests.loopback import Loopback, answer, break_off, hang_up

BODY = random.Random(1).randbytes(200_000)


@pytest.fixture(autouse=True)
def waits(monkeypatch) -> list[float]:
    """Seconds that were slept between attempts, without waiting."""
    slept: list[float] = []
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch.time, "sleep", slept.append)
    monkeypatch.setattr(fetch, "TIMEOUT", (5, 0.3))
    return slept


@pytest.fixture
def server():
    with Loopback() as loopback:
        loopback.files["/a.zip"] = BODY
        yield loopback


def get(server: Loopback, target: Path) -> bytes:
    fetch.fetch(server.url + "/a.zip", target, label="a.zip", size=len(BODY))
    return target.read_bytes()


@pytest.mark.parametrize(
    "act",
    [*map(answer, sorted(fetch.TRANSIENT)), hang_up]
    + [break_off(70_000), break_off(70_000, stall=True)],
)
def test_a_transient_failure_is_retried_from_the_start(server, tmp_path, act):
    server.acts["/a.zip"] = [act, act]

    assert get(server, tmp_path / "a") == BODY
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("act", "message"),
    [(answer(500), "answers 500 "), (break_off(70_000), "the transfer from 127.0.0.1")],
    ids=["status", "broken"],
)
def test_gives_up_after_some_attempts_with_growing_waits(server, tmp_path, waits, act, message):
    server.acts["/a.zip"] = [act] * 9

    with pytest.raises(FetchError, match=rf"{message}.*\(4 attempts\)"):
        get(server, tmp_path / "a")

    assert waits == [1, 2, 4]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "answers 401 .*refuses this machine"),
        (403, "answers 403 .*refuses this machine"),
        (404, "answers 404 .*no such file"),
        (410, "answers 410 .*no such file"),
        (418, "answers 418"),
    ],
)
def test_gives_up_at_once_on_a_final_answer(server, tmp_path, status, message):
    server.acts["/a.zip"] = [answer(status)]

    with pytest.raises(FetchError, match=rf"^127\.0\.0\.1:\d+ {message}"):
        get(server, tmp_path / "a")

    assert len(server.requests) == 1


def test_a_failure_behind_a_redirect_names_both_hosts(server, tmp_path):
    with Loopback() as other:
        server.acts["/a.zip"] = [answer(302, Location=other.url + "/gone")]
        expected = f"{fetch.host(server.url)} answers 404 .* to {fetch.host(other.url)}"
        with pytest.raises(FetchError, match=expected):
            get(server, tmp_path / "a")


@pytest.mark.parametrize("place", ["/a.zip", "http://[::1", "file:///etc/hostname"])
def test_a_redirect_that_leads_nowhere_is_a_sentence(server, tmp_path, place):
    server.acts["/a.zip"] = [answer(302, Location=place)] * 40

    with pytest.raises(FetchError, match="cannot be asked"):
        get(server, tmp_path / "a")


def test_names_the_host_that_cannot_be_reached(server, tmp_path):
    with Loopback() as gone:
        pass
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:\d+ failed \(.*refused.*\)"):
        get(gone, tmp_path / "a")


def test_goes_through_the_proxy_of_the_environment_and_names_its_variables(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("http_proxy", server.url)
    server.files["http://publisher.invalid/a"] = BODY
    fetch.fetch("http://publisher.invalid/a", tmp_path / "a", label="a")
    assert (tmp_path / "a").read_bytes() == BODY

    with Loopback() as gone:
        monkeypatch.setenv("http_proxy", gone.url)
    with pytest.raises(FetchError, match=r"publisher\.invalid .*proxy that HTTPS_PROXY"):
        fetch.fetch("http://publisher.invalid/a", tmp_path / "a", label="a")


def test_no_message_shows_a_password(server, tmp_path, capsys):
    url = server.url.replace("//", "//me:secret@") + "/missing"
    with pytest.raises(FetchError) as caught:
        fetch.fetch(url, tmp_path / "a", label="a")
    assert "secret" not in str(caught.value) + capsys.readouterr().err


def test_a_log_file_gets_lines_of_progress(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(console, "LOG_INTERVAL", 0)
    get(server, tmp_path / "a")
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("a.zip: ") and " of 200k B, " in line for line in lines)
