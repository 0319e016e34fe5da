"""Fetch a file over HTTP with `requests`, with the proxies and certificates of the machine.

Transient errors are retried. Nothing here verifies content: `bertline.sources.published` does.
"""

import re
import time
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.sources import certificates

CHUNK = 1 << 16  # bytes
ATTEMPTS = 4
BACKOFF = 1.0  # seconds before the second attempt, doubled before each further one
TIMEOUT = (15.0, 60.0)  # seconds until a connection stands, and without a byte

TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class FetchError(BertlineError):
    """A place did not serve the file; another place may."""


class _TransientError(FetchError):
    """An error that another attempt may not meet."""


def host(url: str) -> str:
    """Return the host of a URL with its port, and without a password that the URL may hold."""
    return urlsplit(url).netloc.rpartition("@")[2]


def fetch(url: str, target: Path, *, label: str, size: int | None = None) -> None:
    """Write what `url` serves to `target`; `size` in bytes is for the progress bar named `label`.

    Raises FetchError, which names the URL's host, after ATTEMPTS attempts or a final answer.
    """
    certificates.share()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _transfer(url, target, label, size)
        except _TransientError as problem:
            if attempt == ATTEMPTS:
                raise FetchError(f"{problem} ({ATTEMPTS} attempts)") from problem
            wait = BACKOFF * 2 ** (attempt - 1)
            console.log(f"{label}: {problem}; attempt {attempt + 1} of {ATTEMPTS} in {wait:.0f} s")
            time.sleep(wait)
        else:
            return


def _transfer(url: str, target: Path, label: str, size: int | None) -> None:
    try:
        headers = {"User-Agent": "bertline"}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            _refuse_failure(response, url)
            bar = console.bar_class()(
                desc=label, total=size, unit="B", unit_scale=True, leave=False
            )
            with bar, target.open("wb") as stream:
                for chunk in response.iter_content(CHUNK):
                    stream.write(chunk)
                    bar.update(len(chunk))
    except requests.exceptions.SSLError as error:
        raise FetchError(
            f"{host(url)} has a certificate that this machine does not trust ({_reason(error)}); "
            f"{certificates.ADVICE}"
        ) from error
    except requests.exceptions.ProxyError as error:
        raise _TransientError(
            f"{host(url)} cannot be reached through the proxy that HTTPS_PROXY or HTTP_PROXY names "
            f"({_reason(error)})"
        ) from error
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        raise _TransientError(f"the transfer from {host(url)} failed ({_reason(error)})") from error
    # A malformed address, of a redirect too; ValueError is for brackets that do not close.
    except (requests.RequestException, ValueError) as error:
        raise FetchError(f"{host(url)} cannot be asked ({_reason(error)})") from error


def _refuse_failure(response: requests.Response, url: str) -> None:
    if response.ok:
        return
    answer = f"{host(url)} answers {response.status_code} ({response.reason})"
    if host(response.url) != host(url):
        answer += f" after a redirect to {host(response.url)}"
    if response.status_code in TRANSIENT:
        raise _TransientError(answer)
    if response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        answer += ": there is no such file (any more)"
    elif response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        answer += ": the server, or a proxy before it, refuses this machine"
    raise FetchError(answer)


def _reason(error: BaseException) -> str:
    """Return the innermost cause of a network error in few words."""
    for cause in (getattr(error, "reason", None), *error.args):
        if isinstance(cause, BaseException):
            return _reason(cause)
    text = re.sub(r"\w*Connection\w*\([^)]*\): ", "", str(error)).strip()
    return text.rstrip(".") or type(error).__name__
