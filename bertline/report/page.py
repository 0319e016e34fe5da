"""Pieces of the report's page: its style, tables, figures, and numbers as text.

All text from outside (titles, names of sets, words of topics) has to be escaped by the caller.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from bertline.figures import style

PIXELS_PER_INCH = 96  # of CSS

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 68rem; background: #fff;
  color: #222; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans",
  sans-serif; overflow-wrap: break-word; }
h1 { margin: 0 0 .25rem; font-size: 1.8rem; line-height: 1.2; }
h2 { margin: 3rem 0 .25rem; padding-top: 1rem; border-top: 2px solid #222; font-size: 1.4rem;
  line-height: 1.25; }
h3 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
p, ul { margin: .5rem 0; max-width: 46rem; }
.quiet, figcaption, caption { color: #5c6166; }
a { color: #00528a; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0; font-size: .94rem;
  font-variant-numeric: tabular-nums; }
caption { padding: 0 0 .35rem; text-align: left; }
th, td { padding: .32rem .9rem .32rem 0; border-bottom: 1px solid #dfe2e4; text-align: left;
  vertical-align: top; }
.n { text-align: right; white-space: nowrap; }
thead th { border-bottom: 1.5px solid #222; vertical-align: bottom; line-height: 1.3; }
thead th.n { white-space: normal; }
tbody th { font-weight: 600; }
tr.mean td, tr.mean th { font-weight: 700; }
figure { margin: 1.5rem 0 2rem; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { margin-top: .35rem; font-size: .9rem; }
code { font-size: .92em; }
@media (max-width: 40rem) { body { padding: 1rem .9rem 3rem; } th, td { padding-right: .7rem; }
  /* Letters in a figure stay legible: it scrolls sideways instead of shrinking. */
  figure .scroll { display: block; } figure img { max-width: none; width: max(100%, 36rem); } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  .scroll { overflow: visible; } table { font-size: 8.5pt; } th, td { padding-right: .5rem; }
  h2 ~ h2 { break-before: page; } h2, h3, caption, thead { break-after: avoid; }
  figure, tr { break-inside: avoid; } a { color: inherit; text-decoration: none; } }
""".strip()


class Shown(NamedTuple):
    """A figure of the report: its file without the ending, what it says, its size in inches."""

    name: str
    says: str
    width: float
    height: float


def figure_element(shown: Shown) -> str:
    """Return a figure with its image, linked to the SVG, and what it says as alternative text."""
    png, svg = (quote(f"{shown.name}.{ending}") for ending in ("png", "svg"))
    width, height = (round(length * PIXELS_PER_INCH) for length in (shown.width, shown.height))
    return (
        f'<figure id="{escape(shown.name)}">\n'
        f'<a class="scroll" href="{svg}"><img src="{png}" width="{width}" height="{height}" '
        f'alt="{escape(shown.says)}"></a>\n'
        f'<figcaption>{escape(shown.name)}: <a href="{png}">PNG</a>, <a href="{svg}">SVG</a>'
        f"</figcaption>\n</figure>"
    )


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: Iterable[int],
    caption: str,
    marked: Sequence[bool] | None = None,
) -> str:
    """Return a table of cells that are HTML already; columns `numeric` are set to the right."""
    right = [' class="n"' if place in set(numeric) else "" for place in range(len(header))]
    head = "".join(
        f'<th scope="col"{css}>{escape(name)}</th>' for css, name in zip(right, header, strict=True)
    )
    lines = []
    for place, row in enumerate(rows):
        cells = "".join(f"<td{css}>{cell}</td>" for css, cell in zip(right, row, strict=True))
        css = ' class="mean"' if marked and marked[place] else ""
        lines.append(f"<tr{css}>{cells}</tr>")
    return "\n".join(
        [
            '<div class="scroll"><table>',
            f"<caption>{escape(caption)}</caption>",
            f"<thead><tr>{head}</tr></thead>",
            "<tbody>",
            *lines,
            "</tbody></table></div>",
        ]
    )


def known(value: Any) -> bool:
    """Return whether there is a value, and it is a number."""
    return value is not None and not np.isnan(value)


def number(value: float | None) -> str:
    """Return a figure as the report writes it, a dash for none."""
    return style.number(value) if known(value) else "–"


def share(value: float | None) -> str:
    """Return a share as a percentage, a dash for none."""
    return f"{value:.1%}" if known(value) else "–"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval as text, a dash for none."""
    return f"{number(low)} to {number(high)}" if known(low) and known(high) else "–"
