"""How far the figures of two runs may lie apart, as tolerances.yaml declares it with reasons.

Whatever tolerances.yaml does not name has to be the same: outputs byte for byte, figures exactly.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.core.params import Section

ABSENT = "absent"  # in place of a figure that only the other run has
ANY = "any"  # in place of a tolerance: not compared

# Figures are rounded when they are written: a difference of just the tolerance is within it.
ROUNDING = 1e-9

Reason = Annotated[str, Field(min_length=20)]


class Output(Section):
    """Outputs that are computed in floats: other bytes are no finding if the figures agree."""

    files: str
    reason: Reason


class Tolerance(Section):
    """The figures that a difference is allowed for; the first entry that fits a figure counts."""

    files: str
    keys: str = "*"
    absolute: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Literal["any"]
    reason: Reason


class Tolerances(Section):
    """The file tolerances.yaml."""

    tables: dict[str, Annotated[list[str], Field(min_length=1)]]
    outputs: list[Output]
    figures: list[Tolerance]

    def covers(self, path: str) -> bool:
        """Return whether the bytes of an output may differ."""
        return any(fnmatchcase(path, output.files) for output in self.outputs)

    def of(self, path: str, key: str) -> Tolerance | None:
        """Return what is declared for a figure, or None: it has to be the same."""
        fitting = (
            entry
            for entry in self.figures
            if fnmatchcase(path, entry.files) and fnmatchcase(key, entry.keys)
        )
        return next(fitting, None)


@dataclass(frozen=True)
class Difference:
    """A figure that differs between two runs; `within` says whether that is allowed."""

    file: str
    key: str
    a: Any
    b: Any
    absolute: float | str
    reason: str

    @property
    def size(self) -> float | None:
        """How far they lie apart, or None if they are not both numbers."""
        return abs(self.a - self.b) if is_number(self.a) and is_number(self.b) else None

    @property
    def within(self) -> bool:
        """Whether the difference is allowed."""
        if self.absolute == ANY:
            return True
        return self.size is not None and self.size <= self.absolute + ROUNDING


def load(path: Path) -> Tolerances:
    """Return what tolerances.yaml declares. Raises BertlineError with a line for each mistake."""
    if not path.is_file():
        raise BertlineError(
            f"{path} does not exist. Run the command in the project's folder, or give the file "
            f"with --tolerances."
        )
    return params.validate(params.read_yaml(path), Tolerances, where=str(path))


def figures(path: str, content: bytes, tables: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return every figure of a JSON or CSV file by its key, in the file's order.

    Keys of JSON are dotted, with numbers in lists: `epochs.0.validation_mcc`. Those of CSV are the
    row and the column, `validation, seed 1.mcc`: the row is named by the columns that `tables`
    gives for the file, or by its number.

    Raises BertlineError if the file is neither.
    """
    try:
        if path.endswith(".json"):
            return dict(_of_json(json.loads(content), ""))
        return _of_csv(content.decode(), tables.get(path, []))
    except ValueError as error:
        raise BertlineError(
            f"{path} is not the JSON or CSV file that a stage writes ({error}). Take it from git, "
            f"or run the stage again."
        ) from error


def _of_json(value: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        return [(name, value)]
    return [
        leaf
        for key, item in inner
        for leaf in _of_json(item, f"{name}.{key}" if name else str(key))
    ]


def _of_csv(text: str, naming: list[str]) -> dict[str, Any]:
    header, *rows = csv.reader(io.StringIO(text))
    named = [header.index(name) for name in naming if name in header]
    found: dict[str, Any] = {}
    for number, row in enumerate(rows, start=1):
        name = ", ".join(row[index] for index in named) or f"row {number}"
        if f"{name}.{header[0]}" in found:  # the columns do not tell the rows apart
            name = f"{name}, row {number}"
        found |= {
            f"{name}.{column}": _cell(cell) for column, cell in zip(header, row, strict=False)
        }
    return found


def _cell(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def is_number(value: Any) -> bool:
    """Return whether a figure is a number: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def compare(
    file: str, a: Mapping[str, Any], b: Mapping[str, Any], tolerances: Tolerances
) -> list[Difference]:
    """Return the figures of one file that differ between two runs, in the file's order."""
    found = []
    for key in [*a, *(key for key in b if key not in a)]:
        of_a, of_b = a.get(key, ABSENT), b.get(key, ABSENT)
        if of_a == of_b:
            continue
        declared = tolerances.of(file, key)
        absolute = declared.absolute if declared else 0
        reason = declared.reason if declared else "not named in tolerances.yaml: to be the same"
        found.append(Difference(file, key, of_a, of_b, absolute, reason))
    return found
