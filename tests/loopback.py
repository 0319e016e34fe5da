"""A web server on the loopback interface that can misbehave, one request after the other.

with Loopback() as server:
    server.files["/a.zip"] = b"..."
    server.acts["/a.zip"] = [break_off(100), answer(503)]  # then it behaves
"""

import ssl
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self


@dataclass
class Request:
    """What was asked for."""

    method: str
    path: str


class Loopback:
    """Serves `files` by path, after the `acts` of that path are used up.

    certificate: a PEM file of a key and its certificate, to serve HTTPS.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = defaultdict(dict)
        self.acts: dict[str, list[Act]] = defaultdict(list)
        self.requests: list[Request] = []
        self.released = threading.Event()  # ends what stalls
        handler = type("Handler", (_Handler,), {"loopback": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        # A client that hangs up, or trusts no certificate of ours, is no error of the test.
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    loopback: Loopback

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        loopback = self.loopback
        loopback.requests.append(Request(self.command, self.path))
        acts = loopback.acts[self.path]
        act = acts.pop(0) if acts else behave
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
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


Act = Callable[[_Handler, bytes | None, dict[str, str]], None]


def behave(handler: _Handler, body: bytes | None, headers: dict[str, str]) -> None:
    """Serve the file."""
    if body is None:
        handler.reply(404, {})
    else:
        handler.reply(200, headers, body)


def break_off(count: int, *, stall: bool = False) -> Act:
    """Announce the whole file and send `count` bytes; then hang up, or `stall` until the end."""

    def act(handler: _Handler, body: bytes | None, headers: dict[str, str]) -> None:
        assert body is not None
        handler.reply(200, headers, body[:count], length=len(body))
        handler.close_connection = True
        if stall:
            handler.loopback.released.wait(20)

    return act


def answer(status: int, body: bytes = b"", **headers: str) -> Act:
    """Give this answer; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _, __: handler.reply(status, named, body)


def hang_up(handler: _Handler, body: bytes | None, headers: dict[str, str]) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
