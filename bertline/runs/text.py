"""Text for a terminal: wrapped paragraphs, aligned columns, shortened lists."""

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100  # columns of what is printed
NAMED = 3  # items that a sentence lists; it counts the others


def wrap(text: str, start: str = "", indent: str = "") -> list[str]:
    """Return a paragraph in lines: the first begins with `start`, the others with `indent`."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False
    )


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table in lines: the first column to the left, the others to the right.

    Cells of the first column that make a line too long are cut in the middle.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 2 * len(widths[1:]))
    lines = []
    for name, *cells in rows:
        right = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        lines.append("  ".join([f"{cut(name, widths[0]):{widths[0]}}", *right]))
    return lines


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` letters, its middle left out where it is longer."""
    half = width // 2
    return text if len(text) <= width else f"{text[: half - 1]}..{text[len(text) - half + 1 :]}"


def some(items: Sequence[str]) -> str:
    """Return the first items in words, and the number of the others."""
    shown = ", ".join(items[:NAMED])
    return shown if len(items) <= NAMED else f"{shown} and {len(items) - NAMED} more"


def printable(lines: Iterable[str]) -> str:
    """Return the lines as one text without control characters.

    Another project's files must not send commands to the terminal.
    """
    text = "\n".join(line.rstrip() for line in lines).rstrip()
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
