"""Fetch a file over HTTP: with a limit, in the face of broken lines, going on where one broke off.

`requests` does the talking (proxies, certificates and .netrc as a person's machine has them). What
is added here: going on with a Range request after a broken transfer, also one of an earlier
process; waiting longer from attempt to attempt, or as long as the server asks; a limit on size.
Nothing here verifies content: `bertline.sources.published` does, before anything gets its final name.
"""

import contextlib
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from bertline.core import console
from bertline.core.errors import BertlineError

CHUNK = 1 << 14  # bytes; a broken line loses at most one chunk, and 16 KiB keeps up with any line

# Answers that may be other ones in a moment; any other that is no success is final.
PASSING = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}

# New bytes that make an attempt count as progress: the attempts then begin anew, so a line that
# breaks every few MiB still brings the whole file, and one that brings nothing ends.
PROGRESS = 1 << 20

# Bytes that a file may have beyond the declared ones: an accepted repack of a published archive is
# a little larger or smaller, and a server that never ends must not fill the disk.
SLACK_SHARE = 0.1
SLACK_BYTES = 1 << 20

NUMBER = r"[0-9]{1,18}"  # of bytes in a header: `\d` also takes digits that are no number

LARGEST = 1 << 34  # bytes of a file without a declared size: 16 GiB, beyond any encoder in use here


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server."""

    connect: float = 15  # seconds until a connection stands
    stall: float = 60  # seconds without a byte
    attempts: int = 5  # in a row that bring nothing new
    backoff: float = 1  # seconds before the second attempt, doubled before each further one
    longest_wait: float = 120  # seconds between two attempts, whatever the server asks for


PATIENCE = Patience()


class FetchError(BertlineError):
    """A place did not serve the file; another place may."""


class _Passing(FetchError):
    """Something that another attempt may mend."""

    def __init__(self, message: str, *, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def host(url: str) -> str:
    """Return the host of a URL with its port, and without a password that the URL may hold."""
    return urlsplit(url).netloc.rpartition("@")[2]


def fetch(
    url: str,
    target: Path,
    *,
    label: str,
    declared: int | None = None,
    patience: Patience = PATIENCE,
) -> bool:
    """Write what `url` serves to `target`, and return whether an earlier transfer was gone on with.

    What `target` holds already is taken for the beginning of the file; a broken transfer stays
    there. `label` names the file in progress lines. `declared` is its size in bytes; a server that
    sends more than that and some slack is refused.

    Raises FetchError, which names the URL's host.
    """
    failures, mark = 0, _size(target)
    with requests.Session() as session:
        while True:
            try:
                return _transfer(session, url, target, label, declared, patience)
            except _Passing as problem:
                if _size(target) - mark >= PROGRESS:
                    failures, mark = 0, _size(target)
                failures += 1
                if failures >= patience.attempts:
                    message = f"{problem} ({failures} attempts)"
                    raise FetchError(message) from problem
                wait = _wait(problem, failures, patience)
                console.log(
                    f"{label}: {problem}; attempt {failures + 1} of {patience.attempts} "
                    f"in {wait:.0f} s"
                )
                time.sleep(wait)


def discard(target: Path) -> None:
    """Forget a broken transfer."""
    target.unlink(missing_ok=True)
    _validator_path(target).unlink(missing_ok=True)


def _transfer(
    session: requests.Session,
    url: str,
    target: Path,
    label: str,
    declared: int | None,
    patience: Patience,
) -> bool:
    """Make one attempt; return whether it went on where `target` ended."""
    have = _size(target)
    with _ask(session, url, _headers(target, have), patience) as response:
        status = response.status_code
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return True  # the earlier transfer ended just before its file was verified
            discard(target)
            raise _Passing(f"{host(url)} cannot go on at byte {have:,}, so the file is begun anew")
        _refuse_failure(response, url)
        if have and status == HTTPStatus.OK:
            console.log(f"{label}: {host(url)} does not go on at byte {have:,} but starts over")
            discard(target)
            have = 0
        elif status == HTTPStatus.PARTIAL_CONTENT and _range_start(response) != have:
            discard(target)
            raise _Passing(f"{host(url)} sent another range of bytes than it was asked for")
        if not have:
            _keep_validator(response, target)
        _receive(response, url, target, have, label, declared)
    return have > 0


def _ask(
    session: requests.Session, url: str, headers: dict[str, str], patience: Patience
) -> requests.Response:
    timeout = (patience.connect, patience.stall)
    try:
        return session.get(url, headers=headers, stream=True, timeout=timeout)
    except requests.TooManyRedirects as error:
        raise FetchError(f"{host(url)} redirects in a circle") from error
    except requests.exceptions.SSLError as error:
        raise FetchError(
            f"{host(url)} has a certificate that this machine does not trust ({_reason(error)}); "
            f"behind a company proxy, let REQUESTS_CA_BUNDLE name the file of its certificates"
        ) from error
    except requests.exceptions.ProxyError as error:
        raise _Passing(
            f"{host(url)} is not reached through the proxy that HTTPS_PROXY or HTTP_PROXY names "
            f"({_reason(error)})"
        ) from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _Passing(f"{host(url)} is not reached ({_reason(error)})") from error
    # A malformed URL, or one of a proxy or redirect; ValueError is for brackets that do not close.
    except (requests.RequestException, ValueError) as error:
        raise FetchError(f"{host(url)} cannot be asked ({_reason(error)})") from error


def _headers(target: Path, have: int) -> dict[str, str]:
    # Without compression on the way, whose byte positions would be of no use for going on.
    headers = {"Accept-Encoding": "identity", "User-Agent": "bertline"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if _validator_path(target).exists():
            headers["If-Range"] = _validator_path(target).read_text(encoding="latin-1")
    return headers


def _refuse_failure(response: requests.Response, url: str) -> None:
    status = response.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    answer = f"{host(response.url)} answers {status}"
    if host(response.url) != host(url):
        answer = f"{host(url)} redirects to {answer}"
    if response.reason:
        answer += f" ({response.reason})"
    if status in PASSING:
        raise _Passing(answer, retry_after=response.headers.get("Retry-After"))
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise FetchError(f"{answer}: there is no such file (any more)")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise FetchError(f"{answer}: it, or a proxy before it, does not let this machine have it")
    raise FetchError(answer)


def _range_start(response: requests.Response) -> int | None:
    """Return the position of the first byte that a 206 answer brings."""
    pattern = rf"bytes ({NUMBER})-{NUMBER}/(?:{NUMBER}|\*)"
    match = re.fullmatch(pattern, response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _receive(
    response: requests.Response,
    url: str,
    target: Path,
    have: int,
    label: str,
    declared: int | None,
) -> None:
    """Append the body of `response` to `target`."""
    total = declared
    if response.headers.get("Content-Encoding", "identity") == "identity":
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if re.fullmatch(NUMBER, length) else declared
    limit = LARGEST if declared is None else declared * (1 + SLACK_SHARE) + SLACK_BYTES
    size = have
    bar = console.bar_class()(
        desc=label, total=total, initial=have, unit="B", unit_scale=True, leave=False
    )
    with bar, target.open("ab" if have else "wb") as stream:
        try:
            if (total or 0) <= limit:
                for chunk in response.iter_content(CHUNK):
                    size += len(chunk)
                    if size > limit:
                        break
                    stream.write(chunk)
                    bar.update(len(chunk))
        except requests.RequestException as error:
            raise _Passing(
                f"the transfer from {host(url)} broke off after {size:,} bytes ({_reason(error)})"
            ) from error
    if max(size, total or 0) > limit:
        discard(target)
        raise FetchError(
            f"{host(url)} sends {max(size, total or 0):,} bytes or more, and at most "
            f"{limit:,.0f} are expected"
        )


def _keep_validator(response: requests.Response, target: Path) -> None:
    """Note what says that a later answer is of the same file: for If-Range (RFC 9110, 13.1.5)."""
    tag = response.headers.get("ETag", "")
    # A weak tag promises the same meaning, not the same bytes.
    validator = tag if tag.startswith('"') else response.headers.get("Last-Modified")
    if validator:
        _validator_path(target).write_text(validator, encoding="latin-1")
    else:
        _validator_path(target).unlink(missing_ok=True)


def _validator_path(target: Path) -> Path:
    return target.with_name(target.name + ".validator")


def _wait(problem: _Passing, failures: int, patience: Patience) -> float:
    """Return the seconds to wait: what the server asks for, or twice as long as the last time."""
    wait = patience.backoff * 2 ** (failures - 1)
    if problem.retry_after:
        # The others are for a date far from any calendar, and for a number of 5,000 digits.
        with contextlib.suppress(InvalidHeader, ValueError, OverflowError):
            wait = max(wait, Retry().parse_retry_after(problem.retry_after))
    return min(wait, patience.longest_wait)


def _reason(error: BaseException) -> str:
    """Return the innermost cause of a network error in few words."""
    causes = [getattr(error, "reason", None), *error.args]
    for cause in causes:
        if isinstance(cause, BaseException):
            return _reason(cause)
    text = re.sub(r"\w*Connection\w*\([^)]*\): ", "", str(error)).strip()
    return text.rstrip(".") or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
