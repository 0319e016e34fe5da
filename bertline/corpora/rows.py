"""What every reader of a corpus returns, and how it decodes text."""

import re
from dataclasses import dataclass, field

import pandas as pd

from bertline.core.errors import BertlineError

# A surrogate without its partner: Python reads one from some encodings and writes none.
HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Rows:
    """A corpus as rows, with what was read and dropped on the way, by reason."""

    table: pd.DataFrame
    rows_in: int
    dropped: dict[str, int] = field(default_factory=dict)


def decode(content: bytes, place: str, encoding: str) -> str:
    """Return `content` as text without a byte-order mark.

    Raises BertlineError, with the line, for bytes that are not of `encoding`, for NUL bytes and
    for halves of characters, which no file can be written with.
    """
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BertlineError(
            f"{place}, line {line}: byte 0x{content[error.start]:02x} is not {encoding}. "
            f"Save the file as {encoding}, or name its encoding in sources.yaml."
        ) from error
    except UnicodeError as error:  # of codecs that name no byte, such as punycode
        raise BertlineError(f"{place} is not {encoding}: {error}.") from error
    except (LookupError, ValueError):  # ValueError: a NUL in the encoding's name
        raise BertlineError(
            f"sources.yaml: `encoding: {encoding}` is not an encoding of text that Python knows; "
            f"utf-8, latin-1 and cp1252 are common."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BertlineError(f"{place}, line {line}: a NUL byte; the file is damaged or not text.")
    half = HALF.search(text)
    if half:
        line = text.count("\n", 0, half.start()) + 1
        raise BertlineError(
            f"{place}, line {line}: half a character (U+{ord(half[0]):04X}); the file is damaged, "
            f"or of another encoding than {encoding}."
        )
    return text.removeprefix("\ufeff")
