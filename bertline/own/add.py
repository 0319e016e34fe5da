"""Take up your own texts: say what a file holds, and write its entry of sources.yaml.

Reads   a table (CSV, TSV, JSON, Parquet), a text file with a text or a label and a text on each
        line, or a folder of text files, in which folders are classes. Several files are sets, whose
        names their own say: train, validation, test.
Writes  the entry of sources.yaml with the SHA-256 of each file, and its name under `inputs` in
        params.yaml. A file that lies elsewhere is copied into own/. A file that has changed is
        added again: its hash is renewed, and of the rest of its entry only what options say
        changes.

    bertline add own/reviews.csv
    bertline add own/train.csv own/test.csv --label category

What it finds out is shown with five rows. Options say it where the guess is wrong.
"""

import argparse
import difflib
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.core import console, params
from bertline.core.errors import BertlineError
from bertline.corpora.readers import ENDINGS, READERS, SEPARATORS, Layout, type_of
from bertline.corpora.rows import TRAINING_SETS
from bertline.own import contents, entries, layouts
from bertline.own.contents import Column, Contents
from bertline.sources import catalogue, own
from bertline.sources.catalogue import PathFetch, TableParse

FOLDER = Path("own")
PARAMS = Path("params.yaml")
# What a file's name has in it, and the set that it is then.
SETS = {"train": "train", "valid": "validation", "val": "validation", "dev": "validation"}
SETS |= {"test": "test"}
# What the columns of texts that are no table hold.
FIXED = {
    "lines": {"text": "text"},
    "labelled-lines": {"text": "text", "label": "label"},
    "folder": {"text": "text", "id": "path"},
}
NEXT = {"sentences": "make classifier", "documents": "make topics"}
ENCODERS = {"backbone": "make classifier", "embedder": "make topics"}
KINDS = {
    "text": "the texts",
    "label": "the classes to learn",
    "group": "known groups to compare topics with; the label, unless it is named",
    "id": "ids of the rows",
    "date": "dates, for topics over time",
}
# Options that are for texts and not for encoders, and the types of file that have no such thing.
LAYOUT = ("type", "separator", "header", "encoding")
OF_TEXTS = (*KINDS, "set", *LAYOUT)
WITHOUT = {
    "separator": ("json", "parquet", "lines", "folder"),
    "header": ("json", "parquet", "lines", "labelled-lines", "folder"),
    "encoding": ("parquet",),
}
CELL = 60  # characters of a cell that are shown
MOST = 8  # classes that are listed
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Found:
    """What was found out about files, from guesses and options."""

    layout: Layout
    contents: Contents
    columns: dict[str, str]
    roles: list[str]  # what the person wants them for


def main() -> None:
    """Read the arguments, look into the files, show what they hold, and write it down."""
    args = parse_arguments()
    for path in (catalogue.PATH, PARAMS):
        params.read_yaml(path)  # says where to run the command
    paths = {place_of(path): path for path in expand(args.files)}
    if is_encoder(args.files):
        ((folder, path),) = paths.items()
        listed = {folder / name: path / name for name in own.visible_files(path)}
        paths = listed if entries.find(catalogue.PATH, [*listed]) else paths
    name = entries.find(catalogue.PATH, [*paths])
    if name:
        if args.name not in (None, name):
            raise BertlineError(
                f"{catalogue.PATH}: these files are the source `{name}` already. Rename it there, "
                f"or leave --name out."
            )
        renew(name, paths, args)
    else:
        take_up(paths, args)


def is_encoder(paths: Sequence[Path]) -> bool:
    """Return whether the user adds a folder that holds a model."""
    return len(paths) == 1 and (paths[0] / "config.json").is_file()


def parse_arguments() -> argparse.Namespace:
    """Return what stands on the command line."""
    arguments = console.parser(__doc__)
    arguments.add_argument("files", nargs="+", type=Path, help="a file, several, or a folder")
    for kind, what in KINDS.items():
        arguments.add_argument(f"--{kind}", metavar="COLUMN", help=f"column of {what}")
    arguments.add_argument("--role", action="append", choices=[*NEXT, *ENCODERS], help="what for")
    arguments.add_argument("--set", action="append", help="set of each file, in their order")
    arguments.add_argument("--name", help="of the entry in sources.yaml")
    arguments.add_argument("--encoding", help="such as utf-8, cp1252 or utf-16")
    arguments.add_argument(
        "--separator", type=layouts.separator, help="a character, such as ';', or tab"
    )
    arguments.add_argument(
        "--header", action=argparse.BooleanOptionalAction, help="does the first line name columns?"
    )
    types = [kind for kind in READERS if kind != "folder"]
    arguments.add_argument("--type", choices=types, help="where the ending says another")
    arguments.add_argument("--dry-run", action="store_true", help="show it, and write nothing")
    return arguments.parse_args()


def expand(paths: Sequence[Path]) -> list[Path]:
    """Return the files to add: those in a folder that has tables, or its folders train and test."""
    if len(paths) != 1 or not paths[0].is_dir() or is_encoder(paths):
        return list(paths)
    within = sorted(path for path in paths[0].iterdir() if not path.name.startswith("."))
    tables = [path for path in within if ENDINGS.get(path.suffix.lower(), "lines") != "lines"]
    folders = [path for path in within if path.is_dir()]
    if tables:
        return tables
    sets = {set_of(path) for path in folders}
    return folders if "train" in sets and len(sets) == len(folders) == len(within) else list(paths)


def place_of(path: Path) -> Path:
    """Return where a file of the user belongs, relative to the project: below own/.

    Raises BertlineError for one that is not there.
    """
    if not path.exists():
        folder = path.parent
        there = [file.name for file in folder.iterdir()] if folder.is_dir() else []
        near = difflib.get_close_matches(path.name, there, n=1)  # not all of a folder of thousands
        hint = params.nearest(path.name, near) if near else ""
        raise BertlineError(f"{path} does not exist{hint}.")
    home = Path.cwd().resolve()
    resolved = path.resolve()
    if resolved == home / FOLDER:
        raise BertlineError(f"{path} is the folder of all your files. Name one in it.")
    inside = resolved.relative_to(home) if resolved.is_relative_to(home) else None
    if inside and (inside.is_relative_to(FOLDER) or entries.find(catalogue.PATH, [inside])):
        return inside
    return FOLDER / path.name


def take_up(paths: Mapping[Path, Path], args: argparse.Namespace) -> None:
    """Write the entry of new files, and let params.yaml name it."""
    name = args.name or name_of([*paths])
    if not NAME.fullmatch(name):
        raise BertlineError(
            f"{name!r} is no name for an entry of {catalogue.PATH}: expected a letter, then "
            f"letters, digits, - or _, 64 at most. Give one with --name."
        )
    if name in params.read_yaml(catalogue.PATH):
        raise BertlineError(
            f"{catalogue.PATH} has a source `{name}` with other files. Give this one another name "
            f"with --name, or remove that entry."
        )
    if is_encoder([*paths.values()]):
        refuse(typed(args, OF_TEXTS), f"{[*paths][0]} is an encoder")
        roles = roles_of_encoder(args.role, [*paths][0])
        entry = entry_of_encoder(*next(iter(paths.items())))
    else:
        found = find_out([*paths.values()], args)
        sets, roles = name_sets([*paths], args.set or [], found), found.roles
        entry = entry_of(sets, paths, found)
        show(paths, found)
    if args.dry_run:
        console.log(f"\nnothing is written; {catalogue.PATH} would have\n")
        console.log(entries.as_yaml(name, entry))
        return
    put(paths, recorded=[])
    entries.append(catalogue.PATH, name, entry)
    console.log(f"{catalogue.PATH}: `{name}` is new")
    choose(name, roles, paths)


def renew(name: str, paths: Mapping[Path, Path], args: argparse.Namespace) -> None:
    """Write the hashes of files that an entry has, and what options say of them."""
    entry = params.read_yaml(catalogue.PATH)[name]
    source = params.validate(entry, catalogue.Source, where=f"{catalogue.PATH}: {name}")
    fetch = params.validate(source.fetch, PathFetch, where=f"{catalogue.PATH}: {name}.fetch")
    whole = is_encoder(args.files) and not source.parse
    changes = hashes_again(name, fetch, paths, place_of(args.files[0]) if whole else None)
    inputs = read_inputs()
    used = [role for role in source.roles if inputs.get(role) == name]
    roles = args.role or used
    if source.parse and source.parse.get("format") == "table":
        where = f"{catalogue.PATH}: {name}.parse"
        recipe = params.validate(source.parse, TableParse, where=where)
        files = {place: place.relative_to(fetch.folder).as_posix() for place in paths}
        check_layout(name, recipe, [*files.values()], args)
        found = find_out([*paths.values()], args, recipe, used)
        show(paths, found)
        roles = found.roles
        given = dict(zip(files.values(), args.set or [], strict=False))
        sets = sets_again(name, recipe.files, given, needs_labels=needs_labels(roles, used))
        edited = edits(recipe, found, args, sets)
        params.validate({**source.parse, **edited}, TableParse, where=where)
        changes |= {(name, "parse", key): value for key, value in edited.items()}
        changes[name, "roles"] = list(dict.fromkeys([*source.roles, *roles]))
    else:
        refuse(typed(args, OF_TEXTS), f"{catalogue.PATH}: `{name}` is no table")
        if unfit := [role for role in roles if role not in source.roles]:
            raise BertlineError(
                f"{catalogue.PATH}: `{name}` is a source of {' and '.join(source.roles)}, not of "
                f"{unfit[0]}. Leave --role {unfit[0]} out."
            )
    told = entries.differences(catalogue.PATH, changes)
    if args.dry_run:
        told += entries.differences(PARAMS, inputs_of(name, roles))
        console.log("\n".join(["\nnothing is written; changes would be", *(told or ["none"])]))
        return
    put(paths, recorded=[*fetch.files.values()])
    entries.update(catalogue.PATH, changes)
    renewed = f"{catalogue.PATH}: the SHA-256 of `{name}` is renewed"
    console.log("\n".join([*told, renewed]))
    choose(name, roles, paths)


def hashes_again(
    name: str, fetch: PathFetch, paths: Mapping[Path, Path], encoder: Path | None
) -> dict[tuple[str, ...], Any]:
    """Return what is to be set in sources.yaml for the files of an entry to have their hashes.

    encoder: the folder if all files of an encoder are given, whose list may be another now. Raises
    BertlineError for a file that the entry does not have.
    """
    if encoder == Path(fetch.folder):
        listed = {
            place.relative_to(encoder).as_posix(): own.digest(path) for place, path in paths.items()
        }
        where = f"{catalogue.PATH}: {name}.fetch"
        params.validate({**fetch.model_dump(), "files": listed}, PathFetch, where=where)
        return {(name, "fetch", "files"): listed}
    known = {Path(fetch.folder) / file: file for file in fetch.files}
    unknown = [str(place) for place in paths if place not in known]
    if unknown:
        raise BertlineError(
            f"{catalogue.PATH}: `{name}` does not have {', '.join(unknown)}. To make one source of "
            f"all these files, remove that entry and add them together."
        )
    return {
        (name, "fetch", "files", known[place]): own.digest(path) for place, path in paths.items()
    }


def check_layout(
    name: str, recipe: TableParse, files: Sequence[str], args: argparse.Namespace
) -> None:
    """Raise BertlineError if options give another layout to some files of an entry and not all."""
    others = [file for file in recipe.files.values() if file not in files]
    new = [key for key in LAYOUT if getattr(args, key) not in (None, getattr(recipe, key))]
    if others and new:
        raise BertlineError(
            f"{catalogue.PATH}: a layout is that of all files of `{name}`, and "
            f"{' and '.join(typed(args, new))} would change that of {', '.join(others)}, too. Name "
            f"all of them: {', '.join(recipe.files.values())}."
        )


def edits(
    recipe: TableParse, found: Found, args: argparse.Namespace, sets: dict[str, str]
) -> dict[str, Any]:
    """Return the keys of an entry's `parse` that are another now: by options, or by the role."""
    keys: dict[str, Any] = {"files": sets, "columns": found.columns}
    layout = found.layout._asdict().items()
    keys |= {key: value for key, value in layout if getattr(args, key) is not None}
    return {key: value for key, value in keys.items() if value != getattr(recipe, key)}


def sets_again(
    name: str, sets: Mapping[str, str], given: Mapping[str, str], *, needs_labels: bool
) -> dict[str, str]:
    """Return the files of an entry by set; given: the new sets of some of its files."""
    if given:
        named = {file: earlier for earlier, file in sets.items()} | dict(given)
        check_double(named.values(), named)
        if needs_labels and not set(named.values()) & set(TRAINING_SETS):
            raise BertlineError(
                f"{catalogue.PATH}: `{name}` would have no training set: "
                f"{', '.join(named.values())}. Name one of its files with --set train."
            )
        return {set_name: file for file, set_name in named.items()}
    if needs_labels and not set(sets) & set(TRAINING_SETS):
        return train_among(sets, name)
    return {**sets}


def typed(args: argparse.Namespace, options: Iterable[str]) -> list[str]:
    """Return those of the options that were typed."""
    values = {option: getattr(args, option) for option in options}
    return [
        f"--no-{option}" if value is False else f"--{option}"
        for option, value in values.items()
        if value is not None
    ]


def refuse(options: Sequence[str], why: str) -> None:
    """Raise BertlineError, which says why, if there are options that would have no effect."""
    if options:
        raise BertlineError(f"{why}: {' and '.join(options)} would have no effect. Leave that out.")


def find_out(
    paths: Sequence[Path],
    args: argparse.Namespace,
    recipe: TableParse | None = None,
    used: Sequence[str] = (),
) -> Found:
    """Return what files hold: as options say, then as their entry says, or else by a guess.

    used: the roles for which params.yaml names the entry.
    """
    if args.set and len(args.set) != len(paths):
        raise BertlineError(
            f"--set is given {len(args.set)} times for {len(paths)} files. Give one for each."
        )
    if recipe:
        layout = Layout(recipe.type, recipe.separator, recipe.header, recipe.encoding)
        stated = {key: getattr(args, key) for key in LAYOUT}
        layout = layout._replace(**{k: value for k, value in stated.items() if value is not None})
        fixed = paths[0].is_dir() or paths[0].suffix.lower() == ".parquet"  # whatever is typed
        kind = recipe.type if fixed else layout.type
        layout = layout._replace(type=kind or type_of(paths[0]))
    else:
        given = Layout(args.type, args.separator, encoding=args.encoding or "")
        layout = layouts.guess(paths[0], given, header=args.header)
    idle = typed(args, [option for option, types in WITHOUT.items() if layout.type in types])
    idle += ["--type"] * (args.type not in (None, layout.type))
    refuse(idle, f"{paths[0]} is read as {layout.type}")
    found = contents.look_into(paths, layout)
    named = {kind: getattr(args, kind) for kind in KINDS if getattr(args, kind) is not None}
    kept = dict(recipe.columns.items()) if recipe else {}
    if recipe and any(value is not None for value in stated.values()):
        kept = {kind: name for kind, name in kept.items() if name in found.columns}
    if recipe and len(kept) == len(recipe.columns):
        columns = contents.check(found, kept | named)
    else:  # read with another separator, or without header, a file has other columns
        columns = guess_columns(found, layout, kept | named)
    label, before = columns.get("label"), recipe.columns if recipe else {}
    follows = before.get("group") == before.get("label")  # a new entry has neither
    if label and label != before.get("label") and follows and not args.group:
        columns["group"] = label  # classes to learn are groups to compare topics with
    return Found(layout, found, columns, choose_roles(paths[0], args, columns, found, used))


def choose_roles(
    path: Path,
    args: argparse.Namespace,
    columns: Mapping[str, str],
    found: Contents,
    used: Sequence[str],
) -> list[str]:
    """Return what texts are for: as options say, as params.yaml says, or by their columns.

    Raises BertlineError for a role that they are not fit for, also one that they have already.
    """
    if set(args.role or []) & set(ENCODERS):
        raise BertlineError(f"{path} holds texts and no encoder: --role {' or '.join(NEXT)}.")
    guess = ["sentences" if "label" in columns else "documents"]
    roles = args.role or (not args.label and used) or guess
    if needs_labels(roles, used) and "label" not in columns:
        remedy = "find topics: --role documents."
        if "sentences" in used:
            remedy = f"correct the layout (--separator): {PARAMS} has these texts as sentences."
        raise BertlineError(
            f"{path}: no column holds classes: {', '.join(found.columns)}. Name one (--label "
            f"COLUMN), or {remedy}"
        )
    return list(dict.fromkeys(roles))


def needs_labels(roles: Sequence[str], used: Sequence[str]) -> bool:
    """Return whether texts are sentences to learn from, by what they get or have as roles."""
    return "sentences" in {*roles, *used}


def guess_columns(found: Contents, layout: Layout, given: dict[str, str]) -> dict[str, str]:
    """Return the columns by what they hold, as the type of the file says or by a guess."""
    fixed = dict(FIXED.get(layout.type or "", {}))
    if layout.type == "folder" and len(found.columns["folder"].values) > 1:
        fixed["label"] = "folder"
    return contents.check(found, fixed | given) if fixed else contents.guess_columns(found, given)


def name_of(places: Sequence[Path]) -> str:
    """Return a name for an entry: of the file, or of the folder of several."""
    path = places[0]
    if len(places) > 1 and path.parent != FOLDER:
        path = path.parent
    name = re.sub(r"[^a-z0-9_]+", "-", path.name.partition(".")[0].lower()).strip("-_")
    return name if name[:1].isalpha() else f"own-{name}".strip("-")


def set_of(path: Path) -> str:
    """Return the set that a file's name says it is, or else the name itself."""
    stem = path.name.partition(".")[0]
    words = re.split(r"[^a-z]+", stem.lower())
    found = [name for mark, name in SETS.items() if any(word.startswith(mark) for word in words)]
    return found[0] if found else re.sub(r"[^\w .-]", "-", stem).strip(" .-") or "all"


def name_sets(places: Sequence[Path], given: Sequence[str], found: Found) -> dict[str, Path]:
    """Return the files by set. Raises BertlineError for names that are double, or without train."""
    names = list(given)
    if not names:
        alone = "train" if "label" in found.columns else "all"  # a classifier may follow
        names = [alone] if len(places) == 1 else [set_of(place) for place in places]
    check_double(names, places)
    if "sentences" in found.roles and not set(names) & set(TRAINING_SETS):
        raise BertlineError(
            f"no file is the training set: the sets are {', '.join(names)}. Name the set of each: "
            f"{' '.join(f'--set {name}' for name in ['train', *names[1:]])}"
        )
    return dict(zip(names, places, strict=True))


def check_double(names: Iterable[str], places: Iterable[object]) -> None:
    """Raise BertlineError if several files would be one set."""
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        raise BertlineError(
            f"several files would be the set {double[0]}: {', '.join(map(str, places))}. Name the "
            f"set of each with --set."
        )


def entry_of(sets: Mapping[str, Path], paths: Mapping[Path, Path], found: Found) -> dict[str, Any]:
    """Return the entry of new files; raises BertlineError if sources.yaml would not take it."""
    folders = {place.parent for place in paths}
    folder = folders.pop() if len(folders) == 1 else FOLDER
    inside = {place: place.relative_to(folder).as_posix() for place in paths}
    roles = ["sentences", "documents"] if "label" in found.columns else ["documents"]
    parse = {
        "format": "table",
        "files": {name: inside[place] for name, place in sets.items()},
        **described(found.layout, [*paths][0]),
        "columns": found.columns,
    }
    fetch = {
        "kind": "path",
        "folder": folder.as_posix(),
        "files": {inside[place]: own.digest(path) for place, path in paths.items()},
    }
    params.validate(parse, TableParse, where="parse")
    params.validate(fetch, PathFetch, where="fetch")
    title = ", ".join(inside.values())
    return {"title": title, "roles": roles, "licence": "not stated", "fetch": fetch, "parse": parse}


def train_among(sets: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the sets of documents as those of sentences: a single one is the training set."""
    if len(sets) > 1:
        raise BertlineError(
            f"{catalogue.PATH}: `{name}` has no training set: {', '.join(sets)}. Name one of them "
            f"`train` under parse.files."
        )
    return {"train": next(iter(sets.values()))}


def roles_of_encoder(given: Sequence[str] | None, path: Path) -> list[str]:
    """Return what the user wants an encoder for; BertlineError if that is not said."""
    roles = list(dict.fromkeys(given or []))
    if not roles or not set(roles) <= set(ENCODERS):
        raise BertlineError(
            f"{path} is an encoder. Say what for: --role backbone, which is fine-tuned, --role "
            f"embedder, which computes vectors for topics, or both."
        )
    return roles


def entry_of_encoder(place: Path, path: Path) -> dict[str, Any]:
    """Return the entry of a folder with a model: each of its files has its hash."""
    hashes = {name: own.digest(path / name) for name in own.visible_files(path)}
    fetch = {"kind": "path", "folder": place.as_posix(), "files": hashes}
    params.validate(fetch, PathFetch, where="fetch")
    return {"title": path.name, "roles": [*ENCODERS], "licence": "not stated", "fetch": fetch}


def described(layout: Layout, place: Path) -> dict[str, Any]:
    """Return the keys of a layout that differ from what the file's ending stands for."""
    usual = "folder" if layout.type == "folder" else ENDINGS.get(place.suffix.lower())
    keys: dict[str, Any] = {} if layout.type in (None, usual) else {"type": layout.type}
    plain = {"csv": ",", "tsv": "\t"}.get(layout.type or usual or "")
    if layout.separator not in (None, plain):
        keys["separator"] = layout.separator
    if layout.header is not True:
        keys["header"] = layout.header
    if layout.encoding != "utf-8":
        keys["encoding"] = layout.encoding
    return keys


def show(paths: Mapping[Path, Path], found: Found) -> None:
    """Log what was understood, and the first rows."""
    layout, held = found.layout, found.contents
    what = [(layout.type or "table").replace("-", " ").replace("csv", "CSV").replace("tsv", "TSV")]
    if layout.type in ("csv", "tsv") and layout.separator:
        what.append(f"separated by {SEPARATORS.get(layout.separator, layout.separator)}")
        what.append("the first line names the columns" if layout.header is True else "no header")
    what.append(layout.encoding)
    for path in paths.values():
        console.log(f"{path}: {', '.join(what)}; {held.rows[str(path)]:,} rows")
    for kind, name in found.columns.items():
        if kind != "group" or name != found.columns.get("label"):
            console.log(f"  {kind:<6} {name!r}: {summary(kind, held, name)}")
    unused = [name for name in held.columns if name not in found.columns.values()]
    if unused:
        listed = (f"{name!r}{why_unused(held.columns[name], name)}" for name in unused)
        console.log(f"  not used: {', '.join(listed)}")
    shown = [name for kind, name in found.columns.items() if kind not in ("text", "group")]
    for row in held.first:
        cells = [row[name] for name in dict.fromkeys([*shown, found.columns["text"]])]
        console.log("  | " + " | ".join(" ".join(cell.split())[:CELL] for cell in cells))


def why_unused(column: Column, name: str) -> str:
    """Return in brackets why a column that seems to be of use is none."""
    if "several values" in column.refused:
        return " (several values in a cell)"
    if layouts.known_as(name, "date") and column.dates < column.filled:
        return f" (no dates such as 2001-02-03{column.no_date})"
    return ""


def summary(kind: str, held: Contents, name: str) -> str:
    """Return in words what a column holds."""
    column = held.columns[name]
    missing = held.total - column.filled
    empty = f"; {missing:,} rows have none" if missing else ""
    if kind == "label" and missing:
        empty += ": give them one, or take them out, before you train on it"
    if kind == "text":
        also = f"; {missing:,} rows have none and will be left out" if missing else ""
        return f"{column.words / max(column.filled, 1):,.0f} words on average{also}"
    if kind in ("label", "group"):
        common = column.values.most_common(MOST)
        listed = ", ".join(f"{value} {count:,}" for value, count in common)
        more = ", …" if len(column.values) > MOST else ""
        return f"{len(column.values):,} classes: {listed}{more}{empty}"
    return f"{column.filled:,} values{empty}"


def put(paths: Mapping[Path, Path], recorded: Sequence[str]) -> None:
    """Copy files that lie elsewhere into own/; replace only what is a copy of an earlier time.

    recorded: hashes that the entry has.
    """
    moved = {place: path for place, path in paths.items() if place.resolve() != path.resolve()}
    for place, path in moved.items():
        if place.exists() and own.digest(place) not in (own.digest(path), *recorded):
            raise BertlineError(
                f"{place} is there already, with other content than {path}. Rename one of them."
            )
    for place, path in moved.items():
        if place.is_dir():
            shutil.rmtree(place)
        own.copy(path, place)
        console.log(f"{path} is copied to {place}, where git ignores it and DVC sees it change")


def read_inputs() -> dict[str, Any]:
    """Return the sources that params.yaml names, by role."""
    inputs = params.read_yaml(PARAMS).get("inputs")
    return inputs if isinstance(inputs, dict) else {}


def inputs_of(name: str, roles: Sequence[str]) -> dict[tuple[str, ...], Any]:
    """Return what is to be set in params.yaml for it to name the source for these roles."""
    inputs = read_inputs()
    return {("inputs", role): name for role in roles if inputs.get(role) != name}


def choose(name: str, roles: Sequence[str], places: Iterable[Path]) -> None:
    """Let params.yaml name the source for these roles, and say what to type next."""
    changes = inputs_of(name, roles)
    if changes:
        told = entries.differences(PARAMS, changes)
        entries.update(PARAMS, changes)
        console.log("\n".join(told))
    if list(roles) == ["sentences"] and read_inputs().get("documents") != name:
        again = shlex.join(["bertline", "add", *map(str, places), "--role", "documents"])
        console.log(f"topics of the same texts: {again}")
    commands = dict.fromkeys((NEXT | ENCODERS).get(role, "make repro") for role in roles)
    console.log(f"next: {' and '.join(commands) or 'make repro'}")


if __name__ == "__main__":
    console.run(main)
