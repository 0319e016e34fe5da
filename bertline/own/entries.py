"""Entries of sources.yaml and the inputs of params.yaml, written with comments and layout kept."""

import copy
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bertline.core import files, params
from bertline.core.errors import BertlineError

WIDTH = 4096  # characters of a line: none is folded
INDENTS: tuple[dict[str, int], ...] = (
    {},
    {"mapping": 2, "sequence": 4, "offset": 2},
)  # DVC's, and that of sources.yaml
ON_ONE_LINE = 3  # files that are listed on one line
HASH = 12  # of its characters that are shown


def find(path: Path, wanted: Sequence[Path]) -> str | None:
    """Return the source that one of these files belongs to, or None.

    Raises BertlineError if they belong to several.
    """
    resolved = {file.resolve() for file in wanted}
    names = []
    for name, entry in params.read_yaml(path).items():
        fetch = entry.get("fetch") if isinstance(entry, Mapping) else None
        if not isinstance(fetch, Mapping) or fetch.get("kind") != "path":
            continue
        listed = fetch.get("files") or {}
        if resolved & {Path(str(fetch.get("folder")), str(file)).resolve() for file in listed}:
            names.append(str(name))
    if len(names) > 1:
        raise BertlineError(
            f"{path}: {' and '.join(names)} name these files. Add those of one source at a time."
        )
    return names[0] if names else None


def tables(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return `parse` of the tables that sources.yaml has, by the names of their entries."""
    found = {}
    for name, entry in params.read_yaml(path).items():
        parse = entry.get("parse") if isinstance(entry, Mapping) else None
        if isinstance(parse, Mapping) and parse.get("format") == "table":
            found[str(name)] = parse
    return found


def append(path: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Write a new entry at the end of sources.yaml."""
    text = path.read_text(encoding="utf-8")
    gap = "" if text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
    with files.whole_file(path) as partial:
        partial.write_text(text + gap + as_yaml(name, entry), encoding="utf-8")


def as_yaml(name: str, entry: Mapping[str, Any]) -> str:
    """Return an entry as it stands in sources.yaml."""
    yaml, stream = _yaml({}), io.StringIO()
    yaml.dump(CommentedMap({name: _laid_out(entry)}), stream)
    return stream.getvalue()


def _laid_out(value: Any, key: str = "") -> Any:
    """Return mappings and lists as ruamel writes them, short ones on one line."""
    if isinstance(value, Mapping):
        laid = CommentedMap({name: _laid_out(item, name) for name, item in value.items()})
        if key == "columns" or (key == "files" and len(value) <= ON_ONE_LINE and _short(value)):
            laid.fa.set_flow_style()
        return laid
    if isinstance(value, list):
        listed = CommentedSeq(value)
        listed.fa.set_flow_style()
        return listed
    return value


def _short(listed: Mapping[str, str]) -> bool:
    """Return whether files and their sets, not their hashes, fit on a line."""
    return sum(len(key) + len(value) + 4 for key, value in listed.items()) < 80 and not any(
        len(value) == 64 for value in listed.values()
    )


def update(path: Path, changes: Mapping[tuple[str, ...], Any]) -> None:
    """Set values of a YAML file by their keys from the outside in, and keep all else as it is."""
    text = path.read_text(encoding="utf-8")
    # The editor that leaves the text as it is, if there is one: people indent lists differently.
    editors = [_yaml(indent) for indent in INDENTS]
    editor = next((editor for editor in editors if _same(editor, text)), editors[0])
    document = editor.load(text)
    _set(document, changes)
    with files.whole_file(path) as partial, partial.open("w", encoding="utf-8") as stream:
        editor.dump(document, stream)


def differences(path: Path, changes: Mapping[tuple[str, ...], Any]) -> list[str]:
    """Return in words what `update` would change, a line for each key: its value and the last."""
    before = params.read_yaml(path)
    document = copy.deepcopy(before)
    _set(document, changes)
    old, new = _flat(before), _flat(document)
    lines = []
    for key in dict.fromkeys([*old, *new]):
        was = f"it was {_shown(old[key])}" if key in old else "it was not given"
        if key not in new:
            lines.append(f"{path}: {key} is left out ({was})")
        elif key not in old or old[key] != new[key]:
            lines.append(f"{path}: {key} is {_shown(new[key])} ({was})")
    return lines


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return what is not a mapping, by its keys from the outside in, with dots between."""
    if not isinstance(value, Mapping):
        return {name: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{name}.{key}" if name else str(key))
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, bool):
        return str(value).lower()
    text = "tab" if value == "\t" else str(value)
    return f"{text[:HASH]}…" if re.fullmatch("[0-9a-f]{64}", text) else text


def _set(document: Any, changes: Mapping[tuple[str, ...], Any]) -> None:
    for (*outer, last), value in changes.items():
        place = document
        for key in outer:
            place = place.setdefault(key, CommentedMap())
        laid = _laid_out(value, last)
        if isinstance(laid, CommentedMap) and not laid.fa.flow_style():
            _keep_comments(place.get(last), laid)
        place[last] = laid


def _keep_comments(old: Any, new: CommentedMap) -> None:
    """Give a block its comments again; what follows the last key belongs to the next entry."""
    if isinstance(old, CommentedMap) and old and new:
        ends = {[*old][-1]: [*new][-1]}
        kept = {ends.get(key, key): comment for key, comment in old.ca.items.items()}
        new.ca.items.update({key: comment for key, comment in kept.items() if key in new})


def _same(editor: YAML, text: str) -> bool:
    """Return whether a text is written as it was read."""
    stream = io.StringIO()
    editor.dump(editor.load(text), stream)
    return stream.getvalue() == text


def _yaml(indent: Mapping[str, int]) -> YAML:
    yaml = YAML()
    yaml.width, yaml.preserve_quotes, yaml.default_flow_style = WIDTH, True, False
    if indent:
        yaml.indent(**indent)
    return yaml
