"""Load a section of params.yaml into a typed object that refuses unknown keys.

Each stage declares its own section as a `Section` subclass and loads it before any other work.
The file is read as YAML 1.2, as DVC reads it: YAML 1.1 would take `2e-5` for a string.
"""

import difflib
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bertline.core.errors import BertlineError


class Section(BaseModel):
    """A mapping of params.yaml or sources.yaml: strict, finite, no unknown keys, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


SectionType = TypeVar("SectionType", bound=Section)

# The documents that this process has read, as they were when it read them last.
_READ: dict[Path, dict[str, Any]] = {}

# How much of a wrong value a message shows.
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 100
_SHOWN.maxlevel = 3


def load(path: Path, name: str, section: type[SectionType]) -> SectionType:
    """Return the section `name` of the YAML file at `path` as an instance of `section`.

    Raises BertlineError with one line for each unknown, missing, mistyped or impossible value.
    """
    document = read_yaml(path)
    if name not in document:
        raise BertlineError(
            f"{path} has no section `{name}`{nearest(name, list(document))}. "
            f"Compare it with the file that the project came with."
        )
    return validate(document[name], section, where=f"{path}: {name}")


def validate(values: Any, section: type[SectionType], *, where: str) -> SectionType:
    """Return `values` as an instance of `section`; `where` opens each line of the message."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        lines = [_sentence(problem, values, section, where) for problem in error.errors()]
        raise BertlineError("\n".join(lines)) from error


def _distinct(values: list[int]) -> list[int]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"each number once, and {repeated} is repeated")
    return values


def _increasing(numbers: list[int]) -> list[int]:
    if sorted(set(numbers)) != numbers:
        raise ValueError("each number once, the smaller first")
    return numbers


# 2**32 is NumPy's limit for a seed.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
# More threads than any machine has cores: starting them would fail far from here.
Threads = Annotated[int, Field(ge=1, le=1024)]
# What becomes of a text longer than an encoder takes: `tokenize.long_texts`, `embed.long_texts`.
LongTexts = Literal["head", "head_tail", "windows"]
Increasing = AfterValidator(_increasing)  # of a list of numbers
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]


def load_list(path: Path, name: str, kind: Any) -> list[int]:
    """Return the list `name:` of the YAML file at `path`; `kind` is its annotated type.

    Raises BertlineError if it is missing or not of the type.
    """
    values = read_yaml(path)
    fields: dict[str, Any] = {name: (kind, ...)}
    section = create_model("List", __base__=Section, **fields)
    present = {name: values[name]} if name in values else {}
    found: list[int] = getattr(validate(present, section, where=str(path)), name)
    return found


def load_seeds(path: Path) -> list[int]:
    """Return the list `seeds:` of params.yaml: one model is trained for each of them."""
    return load_list(path, "seeds", Seeds)


def parse_seed(text: str) -> int:
    """Return a seed typed on a command line; a ValueError becomes argparse's own message."""
    return TypeAdapter(Seed).validate_python(int(text))


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that the YAML 1.2 file at `path` holds.

    Raises BertlineError for a file that cannot be read, is no YAML, or is no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BertlineError(
            f"{path} does not exist. Run the command in the project's folder, or give the file "
            f"with --params."
        ) from None
    except UnicodeDecodeError as error:
        raise BertlineError(f"{path} is not UTF-8 ({error}). Save it as UTF-8.") from error
    except IsADirectoryError:
        raise BertlineError(f"{path} is a folder; name the YAML file in it.") from None
    except OSError as error:
        raise BertlineError(
            f"{path} cannot be read ({error.strerror}). Correct its name or who may read it."
        ) from error
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise BertlineError(f"{path} is not valid YAML. {error}") from error
    # ruamel.yaml raises these for values such as 2001-99-99.
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BertlineError(f"{path} holds a value that is not valid YAML: {error}.") from error
    if not isinstance(document, dict):
        raise BertlineError(f"{path} should hold `name: value` pairs and holds {shown(document)}.")
    _READ[path] = document
    return document


def documents() -> dict[Path, dict[str, Any]]:
    """Return the YAML documents that this process has read, as it read them last."""
    return dict(_READ)


def changes(before: Mapping[Path, Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """Return a clause for each value below `names` that is another in its file than `before` says.

    before: documents by path, as `documents` returned them. names: sections, such as `train`, or a
    key of one, such as `parse.sentences`. Raises BertlineError if a file cannot be read any more.
    """
    found = []
    for path, document in before.items():
        own = [name for name in names if _find(document, name) is not _MISSING]
        now = read_yaml(path) if own else {}
        for name in own:
            found += _differences(f"{path}: {name}", _find(document, name), _find(now, name))
    return found


_MISSING = object()


def _find(document: Mapping[str, Any], name: str) -> Any:
    """Return the value of a section or of a key of one, or _MISSING."""
    if name in document:
        return document[name]
    section, _, key = name.rpartition(".")
    within = document.get(section)
    return within.get(key, _MISSING) if isinstance(within, Mapping) else _MISSING


def _differences(place: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = [*before, *(key for key in now if key not in before)]
        pairs = ((key, before.get(key, _MISSING), now.get(key, _MISSING)) for key in keys)
        return [clause for key, *two in pairs for clause in _differences(f"{place}.{key}", *two)]
    if before == now:
        return []
    was, has = ("missing" if value is _MISSING else shown(value) for value in (before, now))
    return [f"{place} was {was} and is {has}"]


def shown(value: Any) -> str:
    """Return a value as a message shows it: as Python writes it, cut where it is long."""
    return _SHOWN.repr(value)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a clause that suggests the known name most like `name`, or lists the known ones."""
    matches = difflib.get_close_matches(str(name), [str(key) for key in known], n=1)
    if matches:
        return f" (did you mean `{matches[0]}`?)"
    return f" (known: {', '.join(sorted(str(key) for key in known))})"


def _sentence(problem: ErrorDetails, values: Any, section: type[Section], where: str) -> str:
    location = ".".join(str(part) for part in problem["loc"])
    place = f"{where}.{location}" if location else where
    found = shown(problem["input"])
    if problem["type"] == "extra_forbidden":
        known = _known_keys(section, problem["loc"][:-1])
        return f"{place} is not a parameter{nearest(str(problem['loc'][-1]), known)}."
    if problem["type"] == "missing":
        return f"{place} is missing. Add it; the project's own params.yaml explains it."
    if problem["type"] == "model_type":
        return f"{place}: should be `name: value` pairs; found {found}."
    expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    hint = ""
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        values = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
        matches = difflib.get_close_matches(problem["input"], values, n=1)
        hint = f" (did you mean `{matches[0]}`?)" if matches else ""
    return f"{place}: {expected}; found {found}{hint}."


def _known_keys(section: type[Section], location: Sequence[Any]) -> list[str]:
    for part in location:
        field = section.model_fields.get(part) if isinstance(part, str) else None
        if field is None:
            continue
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, Section):
                section = candidate
                break
    return list(section.model_fields)
