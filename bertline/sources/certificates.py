"""The certificates that all sources trust: one variable for requests, huggingface_hub and pip.

Behind a company proxy, HTTPS is signed by an authority of the company, and each library reads
another variable for the file of its certificates.
"""

import os
import ssl
from pathlib import Path

from bertline.core.errors import BertlineError

# requests and pip read the first and the last, huggingface_hub and OpenSSL the second.
BUNDLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
FOLDER = "SSL_CERT_DIR"  # what OpenSSL calls a folder of certificates, by their hashes
PIP = "PIP_CERT"

ADVICE = (
    "behind a company proxy, let SSL_CERT_FILE or REQUESTS_CA_BUNDLE name the file of its "
    'certificates (docs/sharing.md, "Proxies, mirrors, offline")'
)


def share() -> None:
    """Let every library of this process and of those it starts trust what a variable names.

    A library for which a variable of its own is set keeps it. Raises BertlineError if the variable
    that is taken names no file of certificates.
    """
    named = [name for name in (*BUNDLES, PIP, FOLDER) if os.environ.get(name)]
    if not named:
        return
    place = os.environ[named[0]]
    _check(named[0], Path(place))
    openssl = FOLDER if Path(place).is_dir() else "SSL_CERT_FILE"
    if not (os.environ.get("SSL_CERT_FILE") or os.environ.get(FOLDER)):
        os.environ[openssl] = place
    if not (os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")):
        os.environ["REQUESTS_CA_BUNDLE"] = place


def distrusted(text: str) -> bool:
    """Return whether a library's message says that a certificate is not trusted."""
    return "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text


def _check(name: str, place: Path) -> None:
    if not place.exists():
        raise BertlineError(
            f"{name} should name a file of certificates, and there is no {place.absolute()}. "
            f"Correct it, or unset it."
        )
    if place.is_dir():
        return
    try:
        ssl.create_default_context(cafile=place)
    except (ssl.SSLError, OSError) as error:
        raise BertlineError(
            f"{name} names {place}, which holds no certificates in PEM ({error}). Correct it, or "
            f"unset it."
        ) from error
