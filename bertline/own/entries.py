"""Entries of sources.yaml and the inputs of params.yaml, written with comments and layout kept."""

import io
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
    for (*outer, last), value in changes.items():
        place = document
        for key in outer:
            place = place.setdefault(key, CommentedMap())
        place[last] = _laid_out(value, last)
    with files.whole_file(path) as partial, partial.open("w", encoding="utf-8") as stream:
        editor.dump(document, stream)


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
