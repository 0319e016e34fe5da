"""Get files of a Hugging Face Hub repository at a pinned commit, each with the declared SHA-256.

`huggingface_hub` does the talking and keeps the files in its own cache (HF_HOME), where they may
lie already; it tries again and goes on by itself when a line breaks. HF_ENDPOINT names a mirror of
the Hub, HF_HUB_OFFLINE forbids the network. A public repository needs no token.
"""

import errno
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import constants, errors, hf_hub_download, try_to_load_from_cache
from huggingface_hub.utils import validate_repo_id

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.sources.fetch import FetchError, host

UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}

# Its own errors, and those of the HTTP library that it uses.
PROBLEMS = (errors.HTTPError, errors.EntryNotFoundError, errors.FileMetadataError)


def download(repository: str, revision: str, expected: Mapping[str, str], folder: Path) -> None:
    """Write files of `repository` at the commit `revision` below `folder`.

    `expected` maps the name of each to its SHA-256. Raises FetchError if the Hub does not serve
    one of them, BertlineError if any has another hash.
    """
    try:
        validate_repo_id(repository)
    except errors.HFValidationError as error:
        raise BertlineError(f"sources.yaml: `hub`: {_first_line(error)}.") from error
    try:
        found = _download(repository, revision, expected, folder, cache=None)
    except OSError as error:
        if error.errno not in UNWRITABLE or folder in Path(error.filename or "").parents:
            raise
        console.log(
            f"the Hub's cache {constants.HF_HUB_CACHE} cannot be written to ({error.strerror}): "
            f"fetching without it; HF_HOME names another folder"
        )
        with tempfile.TemporaryDirectory(prefix="bertline-") as cache:
            found = _download(repository, revision, expected, folder, cache=cache)
    wrong = [name for name, digest in expected.items() if found[name] != digest]
    if wrong:
        listed = "".join(
            f"\n- {name}: expected {expected[name]}, found {found[name]}" for name in wrong
        )
        raise BertlineError(
            f"{repository} at {revision}, as {_endpoint()} serves it, has other SHA-256 hashes "
            f"than sources.yaml declares:{listed}\nA commit never changes: either HF_ENDPOINT or a "
            f"proxy serves something else, or the declaration is wrong and its `files` need the "
            f"hashes found."
        )


def _download(
    repository: str,
    revision: str,
    expected: Mapping[str, str],
    folder: Path,
    *,
    cache: str | None,
) -> dict[str, str]:
    """Copy the files to `folder` and return the SHA-256 of each copy."""
    found = {}
    for name, digest in expected.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = try_to_load_from_cache(repository, name, revision=revision, cache_dir=cache)
        if isinstance(kept, str):
            console.log(f"{name}: {repository} from the Hub's cache")
            shutil.copyfile(kept, target)
            found[name] = files.sha256(target)
            if found[name] == digest:
                continue
            console.log(f"{name}: wrong content in the Hub's cache: fetching it anew")
        console.log(f"{name}: {repository} from {_endpoint()}")
        anew = isinstance(kept, str)
        shutil.copyfile(_fetch(repository, revision, name, cache=cache, anew=anew), target)
        found[name] = files.sha256(target)
    return found


def _fetch(repository: str, revision: str, name: str, *, cache: str | None, anew: bool) -> str:
    """Fetch a file into the Hub's cache, `anew` if it is there already, and return its path."""
    try:
        return hf_hub_download(
            repository,
            name,
            revision=revision,
            cache_dir=cache,
            force_download=anew,
            tqdm_class=console.bar_class(),
        )
    except (*PROBLEMS, ValueError) as error:  # ValueError: `anew` without a network
        message = f"{name} of {repository} at {revision}: {_explain(error)}."
        raise FetchError(message) from error


def _explain(error: Exception) -> str:
    """Return what keeps the Hub from serving a file, and what a person can do."""
    match error:
        case errors.GatedRepoError():
            return (
                "its authors give it only to those whom they admit; ask on the repository's page, "
                "then run `hf auth login`"
            )
        case errors.RepositoryNotFoundError():
            return (
                f"{_endpoint()} has no such repository, or a private one; correct `hub` in "
                f"sources.yaml, or run `hf auth login` if you may read it"
            )
        case errors.RevisionNotFoundError():
            return f"{_endpoint()} has no such commit; correct `revision` in sources.yaml"
        case errors.RemoteEntryNotFoundError():
            return "the commit has no such file; correct `files` in sources.yaml"
    cause = error.__cause__ or error
    match cause:
        case errors.OfflineModeIsEnabled():
            return (
                "HF_HUB_OFFLINE forbids the network, and the Hub's cache has no such file to trust"
            )
        case errors.FileMetadataError():
            return f"{_endpoint()} does not answer as the Hub does; check HF_ENDPOINT and the proxy"
    return f"{_endpoint()}: {_first_line(cause)}; HF_ENDPOINT may name a mirror of the Hub"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def _endpoint() -> str:
    return host(constants.ENDPOINT)
