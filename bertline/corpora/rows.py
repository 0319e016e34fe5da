"""What every reader of a corpus returns, and how it reads and decodes a published file."""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bertline.core.errors import BertlineError

# The set of sentences that `split` draws its folds from: a table's name for it, and CoLA's.
TRAINING_SETS = ("train", "in_domain_train")


@dataclass(frozen=True)
class Rows:
    """A corpus as rows, with the number of rows read and of those dropped, by reason."""

    table: pd.DataFrame
    rows_in: int
    dropped: dict[str, int] = field(default_factory=dict)


def read_published(
    folder: Path, archive: str | None, name: str, *, layout: str, edition: str
) -> tuple[str, bytes]:
    """Return where the file `name` is, in words, and its bytes.

    It lies in `folder`, or in the zip file `archive` of it. `layout` says which files belong
    there, `edition` what the archive should be; both are for messages. Raises BertlineError for a
    file that is missing, and an archive that is no zip file.
    """
    if archive is None:
        path = folder / name
        if not path.is_file():
            raise BertlineError(f"{path} does not exist; {layout}.")
        return str(path), path.read_bytes()
    path = folder / archive
    try:
        with zipfile.ZipFile(path) as bundle:
            if name not in bundle.namelist():
                raise BertlineError(f"{path} has no member {name}; is it {edition}?")
            return f"{path}: {name}", bundle.read(name)
    except (zipfile.BadZipFile, OSError) as error:
        raise BertlineError(f"{path} is not a zip file that can be read: {error}.") from error


def decode(content: bytes, place: str, encoding: str, *, line: int = 1) -> str:
    """Return `content`, which begins with line `line` of a file, as text without a byte-order mark.

    Raises BertlineError, with the line, for bytes that are not of `encoding`, and for NUL bytes.
    """
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line += content.count(b"\n", 0, error.start)
        raise BertlineError(
            f"{place}, line {line}: byte 0x{content[error.start]:02x} is not {encoding}. "
            f"Save the file as {encoding}, or name the encoding that it has (`encoding` in "
            f"sources.yaml, which `bertline add` guesses; --encoding of `bertline predict`)."
        ) from error
    except LookupError:
        raise BertlineError(
            f"`encoding: {encoding}` is not an encoding of text that Python knows; utf-8, latin-1 "
            f"and cp1252 are common."
        ) from None
    if "\0" in text:
        line += text.count("\n", 0, text.index("\0"))
        raise BertlineError(f"{place}, line {line}: a NUL byte; the file is damaged or not text.")
    return text.removeprefix("\ufeff") if line == 1 else text


def split_lines(text: str) -> list[str]:
    """Return the lines of a text, which end in LF or CR LF, or in CR where no LF is.

    Other characters at which `str.splitlines` divides, such as a form feed or U+2028, are text.
    """
    if "\n" not in text:
        return text.removesuffix("\r").split("\r") if text else []
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
