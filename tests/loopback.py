"""A web server on the loopback interface that can misbehave, one request after the other.

with Loopback() as server:
    server.files["/a.zip"] = b"..."
    server.acts["/a.zip"] = [break_off(100), answer(503)]  # then it behaves
"""

import re
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass
class Request:
    """What was asked for, and how many bytes of a body were sent in reply."""

    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0


class Loopback:
    """Serves `files` by path, with byte ranges, after the `acts` of that path are used up."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = defaultdict(dict)
        self.acts: dict[str, list[Act]] = defaultdict(list)
        self.requests: list[Request] = []
        self.released = threading.Event()  # ends what stalls
        handler = type("Handler", (_Handler,), {"loopback": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        # A client that hangs up has had enough: that is no error of the test.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    loopback: Loopback
    request_log: Request

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        loopback = self.loopback
        self.request_log = Request(self.command, self.path, dict(self.headers))
        loopback.requests.append(self.request_log)
        acts = loopback.acts[self.path]
        act = acts.pop(0) if acts else behave()
        act(self, loopback.files.get(self.path), loopback.headers[self.path])

    def reply(
        self, status: int, headers: dict[str, str], body: bytes = b"", length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.request_log.sent = len(body)
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


Act = Callable[[_Handler, bytes | None, dict[str, str]], None]


def behave(*, ranges: bool = True) -> Act:
    """Serve the file; honour Range and If-Range unless `ranges` is false."""

    def act(handler: _Handler, body: bytes | None, headers: dict[str, str]) -> None:
        if body is None:
            handler.reply(404, {})
            return
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        same = handler.headers.get("If-Range") in (None, headers.get("ETag"))
        if not (asked and ranges and same):
            handler.reply(200, headers, body)
            return
        start, total = int(asked[1]), len(body)
        if start >= total:
            handler.reply(416, {"Content-Range": f"bytes */{total}"})
            return
        part = {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
        handler.reply(206, headers | part, body[start:])

    return act


def break_off(count: int) -> Act:
    """Announce the whole file, send `count` bytes of it and hang up."""

    def act(handler: _Handler, body: bytes | None, headers: dict[str, str]) -> None:
        handler.reply(200, headers, body[:count], length=len(body))
        handler.close_connection = True

    return act


def announce(length: int) -> Act:
    """Send the whole file with another Content-Length."""

    def act(handler: _Handler, body: bytes | None, headers: dict[str, str]) -> None:
        handler.reply(200, headers, body, length=length)

    return act


def stall(count: int) -> Act:
    """Send `count` bytes and then nothing until the test ends."""

    def act(handler: _Handler, body: bytes | None, headers: dict[str, str]) -> None:
        handler.reply(200, headers, body[:count], length=len(body))
        handler.wfile.flush()
        handler.loopback.released.wait(20)

    return act


def answer(status: int, body: bytes = b"", **headers: str) -> Act:
    """Give this answer; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _, __: handler.reply(status, named, body)


def hang_up() -> Act:
    """Close the connection without an answer."""

    def act(handler: _Handler, body: bytes | None, headers: dict[str, str]) -> None:
        handler.close_connection = True

    return act
