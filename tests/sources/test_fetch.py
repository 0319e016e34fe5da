"""The HTTP transport against a server that misbehaves; nothing leaves the loopback interface."""

import random
from pathlib import Path

import pytest

from bertline.core import console
from bertline.sources import fetch
from bertline.sources.fetch import CHUNK, FetchError, Patience
from tests.loopback import Loopback, announce, answer, behave, break_off, hang_up, stall

BODY = random.Random(1).randbytes(10 * CHUNK + 123)
BREAK = 3 * CHUNK + 7  # the bytes beyond a whole chunk are lost when a line breaks

SIZE = len(BODY)
QUICK = Patience(connect=5, stall=0.3, attempts=5, backoff=0.01, longest_wait=3)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Loopback() as loopback:
        loopback.files["/a.zip"] = BODY
        loopback.headers["/a.zip"] = {"ETag": '"one"'}
        yield loopback


def get(server, target: Path, *, name="/a.zip", declared=SIZE, patience=QUICK) -> bool:
    return fetch.fetch(
        server.url + name, target, label="a.zip", declared=declared, patience=patience
    )


def test_writes_what_the_server_sends(server, tmp_path):
    assert get(server, tmp_path / "a") is False
    assert (tmp_path / "a").read_bytes() == BODY
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [break_off(BREAK), stall(BREAK)], ids=["broken", "stalled"])
def test_goes_on_where_a_transfer_broke_off(server, tmp_path, reply):
    server.acts["/a.zip"] = [reply]
    assert get(server, tmp_path / "a") is True
    assert (tmp_path / "a").read_bytes() == BODY
    first, second = server.requests
    assert "Range" not in first.headers
    assert second.headers["Range"] == f"bytes={3 * CHUNK}-"
    assert second.headers["If-Range"] == '"one"'
    assert second.sent == len(BODY) - 3 * CHUNK


def test_goes_on_with_the_transfer_of_an_earlier_process(server, tmp_path):
    server.acts["/a.zip"] = [break_off(BREAK)]
    with pytest.raises(FetchError, match="broke off after 49,152 bytes"):
        get(server, tmp_path / "a", patience=Patience(attempts=1))
    assert get(server, tmp_path / "a") is True
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.requests[1].sent == len(BODY) - 3 * CHUNK


def test_starts_over_if_the_file_has_changed_meanwhile(server, tmp_path):
    server.acts["/a.zip"] = [break_off(BREAK)]
    with pytest.raises(FetchError):
        get(server, tmp_path / "a", patience=Patience(attempts=1))
    server.files["/a.zip"] = BODY[::-1]
    server.headers["/a.zip"] = {"ETag": '"two"'}
    assert get(server, tmp_path / "a") is False
    assert (tmp_path / "a").read_bytes() == BODY[::-1]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ({"ETag": 'W/"weak"', "Last-Modified": "Tue, 01 Jan 2019 00:00:00 GMT"}, "Tue, 01 Jan"),
        ({"ETag": 'W/"weak"'}, None),
        ({}, None),
    ],
    ids=["date instead of a weak tag", "weak tag only", "no tag"],
)
def test_asks_only_strong_validators(server, tmp_path, tag, expected):
    server.headers["/a.zip"] = tag
    server.acts["/a.zip"] = [break_off(BREAK)]
    get(server, tmp_path / "a")
    sent = server.requests[1].headers.get("If-Range")
    assert (sent or "")[:11] == (expected or "")
    assert (tmp_path / "a").read_bytes() == BODY


def test_starts_over_with_a_server_that_ignores_ranges(server, tmp_path, capsys):
    server.acts["/a.zip"] = [break_off(BREAK), behave(ranges=False)]
    assert get(server, tmp_path / "a") is False
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.requests[1].sent == len(BODY)
    assert "starts over" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content_range", [f"bytes 5-{len(BODY) - 1}/{len(BODY)}", "bytes */9", "nonsense", ""]
)
def test_does_not_take_another_range_than_it_asked_for(server, tmp_path, content_range):
    wrong = answer(206, BODY[5:], Content_Range=content_range)
    server.acts["/a.zip"] = [break_off(BREAK), wrong]
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY
    assert "Range" not in server.requests[2].headers


def test_416_means_that_the_file_is_whole_already(server, tmp_path):
    (tmp_path / "a").write_bytes(BODY)
    assert get(server, tmp_path / "a") is True
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.requests[0].sent == 0


def test_416_of_a_shorter_file_starts_over(server, tmp_path):
    (tmp_path / "a").write_bytes(BODY + b"more")
    assert get(server, tmp_path / "a") is False
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_length_that_is_too_large_still_ends(server, tmp_path):
    server.acts["/a.zip"] = [announce(len(BODY) + 1000)]
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes()[:100] == BODY[:100]
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_tries_again_after_a_passing_failure(server, tmp_path, status):
    server.acts["/a.zip"] = [answer(status), answer(status)]
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY
    assert len(server.requests) == 3


def test_tries_again_after_a_closed_connection(server, tmp_path):
    server.acts["/a.zip"] = [hang_up()]
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.fixture
def waits(monkeypatch):
    slept = []
    monkeypatch.setattr(fetch.time, "sleep", slept.append)
    return slept


def test_waits_twice_as_long_each_time(server, tmp_path, waits):
    server.acts["/a.zip"] = [answer(500)] * 9
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:\d+ answers 500 .* \(6 attempts\)"):
        get(server, tmp_path / "a", patience=Patience(attempts=6, backoff=1, longest_wait=5))
    assert waits == [1, 2, 4, 5, 5]
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("header", "expected"),
    [("3", 3), ("86400", 60), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.5), ("soon", 0.5), ("", 0.5)],
)
def test_waits_as_long_as_the_server_asks(server, tmp_path, waits, header, expected):
    server.acts["/a.zip"] = [answer(429, Retry_After=header)]
    get(server, tmp_path / "a", patience=Patience(backoff=0.5, longest_wait=60))
    assert waits == [expected]


def test_attempts_begin_anew_while_there_is_progress(server, tmp_path, monkeypatch, waits):
    monkeypatch.setattr(fetch, "PROGRESS", CHUNK)

    def piece(handler, body, headers):
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        part = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        handler.reply(206, part, body[start : start + CHUNK], length=len(body) - start)

    server.acts["/a.zip"] = [piece] * 8
    get(server, tmp_path / "a", patience=Patience(attempts=2))
    assert (tmp_path / "a").read_bytes() == BODY
    assert len(server.requests) == 9


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "answers 401 .*does not let this machine"),
        (403, "answers 403 .*does not let this machine"),
        (404, "answers 404 .*no such file"),
        (410, "answers 410 .*no such file"),
        (204, "answers 204"),
    ],
)
def test_gives_up_at_once_on_a_final_answer(server, tmp_path, status, message):
    server.acts["/a.zip"] = [answer(status)]
    with pytest.raises(FetchError, match=r"^127\.0\.0\.1:\d+ " + message):
        get(server, tmp_path / "a")
    assert len(server.requests) == 1
    assert not (tmp_path / "a").exists()


def test_a_failure_behind_a_redirect_names_both_hosts(server, tmp_path):
    with Loopback() as other:
        server.acts["/a.zip"] = [answer(302, Location=other.url + "/gone")]
        expected = f"{fetch.host(server.url)} redirects to {fetch.host(other.url)} answers 404"
        with pytest.raises(FetchError, match=expected):
            get(server, tmp_path / "a")


def test_follows_a_redirect_with_the_range(server, tmp_path):
    server.acts["/old"] = [answer(302, Location="/a.zip")] * 2
    server.acts["/a.zip"] = [break_off(BREAK)]
    get(server, tmp_path / "a", name="/old")
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.requests[-1].headers["Range"] == f"bytes={3 * CHUNK}-"


def test_says_that_redirects_go_in_a_circle(server, tmp_path):
    server.acts["/a.zip"] = [answer(302, Location="/a.zip")] * 40
    with pytest.raises(FetchError, match="redirects in a circle"):
        get(server, tmp_path / "a")


def test_refuses_an_announced_size_beyond_the_limit(server, tmp_path):
    with pytest.raises(FetchError, match="sends 5,163,963 bytes or more, and at most"):
        server.acts["/a.zip"] = [announce(len(BODY) + 5_000_000)]
        get(server, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_stops_a_server_that_never_ends(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "SLACK_BYTES", 2 * CHUNK)
    sent = 0

    def endless(handler, body, headers):
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        try:
            while sent < 50_000_000:
                sent += handler.wfile.write(body)
        except OSError:
            pass

    server.acts["/a.zip"] = [endless]
    with pytest.raises(FetchError, match="at most"):
        get(server, tmp_path / "a", declared=CHUNK)
    assert sent < 50_000_000
    assert not (tmp_path / "a").exists()


def test_names_the_host_that_is_not_reached(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Loopback() as gone:
        url = gone.url
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:\d+ is not reached \(.*refused.*\)"):
        fetch.fetch(url + "/a", tmp_path / "a", label="a", patience=QUICK)


def test_goes_through_the_proxy_of_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("http_proxy", server.url)
    server.files["http://publisher.invalid/a.zip"] = BODY
    fetch.fetch("http://publisher.invalid/a.zip", tmp_path / "a", label="a", patience=QUICK)
    assert (tmp_path / "a").read_bytes() == BODY


def test_names_the_variables_of_a_proxy_that_is_not_reached(tmp_path, monkeypatch):
    with Loopback() as gone:
        monkeypatch.setenv("http_proxy", gone.url)
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(FetchError, match=r"publisher\.invalid .*proxy that HTTPS_PROXY"):
        fetch.fetch("http://publisher.invalid/a", tmp_path / "a", label="a", patience=QUICK)


def test_no_message_shows_a_password(server, tmp_path, capsys):
    url = server.url.replace("//", "//me:secret@") + "/missing"
    with pytest.raises(FetchError) as caught:
        fetch.fetch(url, tmp_path / "a", label="a", patience=QUICK)
    assert "secret" not in str(caught.value) + capsys.readouterr().err


def test_a_log_file_gets_lines_of_progress(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(console, "LOG_INTERVAL", 0)
    get(server, tmp_path / "a")
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("a.zip: ") and " of 164k B, " in line for line in lines)
