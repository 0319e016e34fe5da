"""Get files of a Hugging Face Hub repository at a pinned commit, each with the declared SHA-256.

`huggingface_hub` fetches, retries, resumes, and keeps the files in its own cache (HF_HOME).
HF_ENDPOINT names a mirror of the Hub, HF_HUB_OFFLINE forbids the network. A public repository needs
no token.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import requests
from huggingface_hub import constants, errors, hf_hub_download

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.sources import certificates
from bertline.sources.fetch import FetchError, host

# Its own errors, and those of the HTTP library that it uses.
PROBLEMS = (
    errors.HTTPError,  # type: ignore[attr-defined]  # whichever library's it is
    errors.EntryNotFoundError,
    errors.FileMetadataError,
)


def download(repository: str, revision: str, expected: Mapping[str, str], folder: Path) -> None:
    """Write files of `repository` at the commit `revision` below `folder`.

    `expected` maps the name of each to its SHA-256. Raises FetchError if the Hub does not serve
    one of them, BertlineError if any has another hash.
    """
    certificates.share()
    wrong = []
    for name, digest in expected.items():
        console.log(f"{name}: {repository} from the Hub's cache or {host(constants.ENDPOINT)}")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_fetch(repository, revision, name), target)
        if files.sha256(target) != digest:  # of a damaged file in the Hub's cache, perhaps
            console.log(f"{name}: wrong content: fetching it anew")
            shutil.copyfile(_fetch(repository, revision, name, anew=True), target)
        found = files.sha256(target)
        if found != digest:
            wrong.append(f"\n- {name}: expected {digest}, found {found}")
    if wrong:
        raise BertlineError(
            f"{repository} at {revision}, as {host(constants.ENDPOINT)} serves it, has other "
            f"SHA-256 hashes than sources.yaml declares:{''.join(wrong)}\nA commit never changes: "
            f"either HF_ENDPOINT or a proxy serves something else, or the declaration is wrong and "
            f"its `files` need the hashes found."
        )


def _fetch(repository: str, revision: str, name: str, *, anew: bool = False) -> str:
    """Return the path of a file in the Hub's cache, fetched `anew` even if it is there."""
    try:
        return hf_hub_download(
            repository,
            name,
            revision=revision,
            force_download=anew,
            tqdm_class=console.bar_class(),
        )
    # ValueError: of a malformed repository, and for `anew` without a network.
    except (*PROBLEMS, ValueError) as error:
        message = f"{name} of {repository} at {revision}: {_explain(error)}."
        raise FetchError(message) from error


def _explain(error: Exception) -> str:
    """Return what keeps the Hub from serving a file, and what the user can do."""
    endpoint = host(constants.ENDPOINT)
    match error:
        case errors.GatedRepoError():
            return "access is gated: ask for it on the repository's page, then run `hf auth login`"
        case errors.RepositoryNotFoundError():
            return (
                f"{endpoint} has no such repository, or a private one; correct `hub` in "
                f"sources.yaml, or run `hf auth login` if you may read it"
            )
        case errors.RevisionNotFoundError():
            return f"{endpoint} has no such commit; correct `revision` in sources.yaml"
        case errors.RemoteEntryNotFoundError():
            return "the commit has no such file; correct `files` in sources.yaml"
    cause = error.__cause__ or error
    if isinstance(cause, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids the network, and the Hub's cache has no such file to trust"
    if isinstance(cause, errors.FileMetadataError):
        return f"{endpoint} does not answer as the Hub does; check HF_ENDPOINT and the proxy"
    first = str(cause).strip().partition("\n")[0].rstrip(".")
    if certificates.distrusted(first):
        return (
            f"{endpoint} has a certificate that this machine does not trust ({first}); "
            f"{certificates.ADVICE}"
        )
    proxies = requests.utils.get_environ_proxies(constants.ENDPOINT)
    if requests.utils.select_proxy(constants.ENDPOINT, proxies):
        endpoint += ", through the proxy that HTTPS_PROXY or HTTP_PROXY names"
    return f"{endpoint}: {first}; HF_ENDPOINT may name a mirror of the Hub"
