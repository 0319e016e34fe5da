"""What every reader of a corpus returns, and how it decodes text."""

from dataclasses import dataclass, field

import pandas as pd

from stages.errors import BertlineError


@dataclass(frozen=True)
class Rows:
    """A corpus as rows, with what was read and dropped on the way, by reason."""

    table: pd.DataFrame
    rows_in: int
    dropped: dict[str, int] = field(default_factory=dict)


def decode(content: bytes, place: str, encoding: str) -> str:
    """Return `content` as text without a byte-order mark.

    Raises BertlineError, with the line, for bytes that are not of `encoding` and for NUL bytes.
    """
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BertlineError(
            f"{place}, line {line}: byte 0x{content[error.start]:02x} is not {encoding}. "
            f"Save the file as {encoding}, or name its encoding in sources.yaml."
        ) from error
    except LookupError:
        raise BertlineError(
            f"sources.yaml: `encoding: {encoding}` is not an encoding that Python knows; "
            f"utf-8, latin-1 and cp1252 are common."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BertlineError(f"{place}, line {line}: a NUL byte; the file is damaged or not text.")
    return text.removeprefix("\ufeff")
