"""The look that all figures share, their headings, and reproducible image files."""

import bisect
import contextlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.typing import ColorType

from bertline.core.errors import BertlineError

FALLBACK_FONT = "DejaVu Sans"  # matplotlib brings it, so that all machines draw the same

INK = "#222222"
QUIET = "#5c6166"  # 6:1 against white: readable where it is small
GRID = "#e4e6e8"
MODEL = "#0072b2"
BASELINE = "#d55e00"
MAJORITY = "#7d8288"

OUTLIER = "#d8d8d8"
SMALL_TOPIC = "#b0becd"

# Each colour is far in CAM02-UCS from those before it, from white and from the two tones above, as
# seen with normal vision, deuteranomaly and protanomaly; the first six are the colours of Okabe and
# Ito (2008) that contrast with white. Found by greedy search and kept as constants.
TOPIC_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#aa4499", "#e69f00", "#56b4e9", "#882255", "#332288"),
    *("#7a9a01", "#e0568f", "#9c78fc", "#48600c", "#7800fc", "#c00c24", "#78309c", "#24c054"),
    *("#d884cc", "#009ca8", "#f024e4", "#fc0054", "#c0186c", "#6c84cc", "#3cc0b4", "#189030"),
    *("#3c48cc", "#c06060", "#fc7884", "#fc543c", "#9c54c0", "#9c3c3c"),
)

TITLE_SCALE = 1.3  # of the font size
LINE_HEIGHT = 1.45  # of a line's font size
MARGIN = 0.14  # inches around a figure
LABELS = 0.45  # of a figure's width, at most, for the labels of its rows
POINTS = 72  # per inch


@contextlib.contextmanager
def applied(font_size: float, font: str = FALLBACK_FONT) -> Iterator[None]:
    """Set matplotlib's defaults to the figures' look, whatever the user's matplotlibrc says.

    Text is never taken for mathematics: a topic's words may hold `$`, `_` or `^`.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        # `check_font` reports the characters that the font lacks, once and not per label.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "font.family": [*dict.fromkeys([font, FALLBACK_FONT])],
                "font.size": font_size,
                "text.parse_math": False,
                "text.color": INK,
                "axes.edgecolor": QUIET,
                "axes.labelcolor": INK,
                "axes.linewidth": 0.8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "axes.titlesize": "medium",
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "grid.color": GRID,
                "grid.linewidth": 0.8,
                "xtick.color": QUIET,
                "xtick.labelcolor": INK,
                "ytick.color": QUIET,
                "ytick.labelcolor": INK,
                "legend.frameon": False,
                "legend.fontsize": "medium",
                # Letters as outlines: the page looks the same without the font. Fixed names for
                # what an SVG refers to, which would else be drawn at random.
                "svg.fonttype": "path",
                "svg.hashsalt": "bertline",
            }
        )
        yield


def check_font(font: str, texts: Iterable[str]) -> str:
    """Return the characters of `texts` that neither `font` nor the fallback has, sorted.

    Raises BertlineError if `font` is not installed.
    """
    try:
        path = font_manager.findfont(FontProperties(family=[font]), fallback_to_default=False)
    except ValueError:
        raise BertlineError(
            f"params.yaml: visualize.font is {font}, which is not installed. Install it, or name "
            f"another one; {FALLBACK_FONT} is always there, for Latin, Greek and Cyrillic."
        ) from None
    fallback = font_manager.findfont(FontProperties(family=[FALLBACK_FONT]))
    known: set[int] = set()
    for place in (path, fallback):
        known |= set(font_manager.get_font(place).get_charmap())
    return "".join(
        sorted({letter for text in texts for letter in text if ord(letter) not in known})
    )


def fonts_with(letters: str, number: int = 3) -> list[str]:
    """Return at most `number` names of installed fonts that have most of `letters`."""
    wanted = {ord(letter) for letter in letters}
    found: dict[str, int] = {}
    for path in font_manager.findSystemFonts():
        try:
            font = font_manager.get_font(path)
        except (OSError, RuntimeError):  # a file that matplotlib cannot draw with
            continue
        held = len(wanted & set(font.get_charmap()))
        if font.scalable and 2 * held > len(wanted):
            found[font.family_name] = max(held, found.get(font.family_name, 0))
    return sorted(found, key=lambda name: (-found[name], name))[:number]


def darken(colour: str, share: float = 0.35) -> tuple[float, float, float]:
    """Return `colour` mixed with black: the tone for text that belongs to points of `colour`."""
    red, green, blue = (part * (1 - share) for part in to_rgb(colour))
    return red, green, blue


def luminance(colour: ColorType) -> float:
    """Return the relative luminance of a colour, from 0 to 1 (WCAG 2.2)."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in to_rgb(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: ColorType, other: ColorType) -> float:
    """Return the contrast of two colours, from 1 to 21; text needs 4.5 (WCAG 2.2, 1.4.3)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def readable_on(background: ColorType) -> str:
    """Return black or white, whichever has more contrast; it is 4.58 at least."""
    return max(("black", "white"), key=lambda colour: contrast(colour, background))


def topic_colour(rank: int) -> str:
    """Return the colour of the topic that is `rank`-th in size, from 0; they repeat after 30."""
    return TOPIC_COLOURS[rank % len(TOPIC_COLOURS)]


def number(value: float, digits: int = 3) -> str:
    """Return `value` as text with a true minus sign, and never `-0.000`."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "\N{MINUS SIGN}")


def percent(share: float, _: float = 0) -> str:
    """Return the label of a tick, with the digits that the share has: 98.5%, 99%."""
    return f"{100 * share:g}%"


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a line of text in inches, at a font size in points."""
    font = FontProperties(family=mpl.rcParams["font.family"], size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return width / POINTS


def wrap(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Break `text` at spaces, but no no-break ones, into lines of `width` inches at most.

    A word that is wider has a line of its own.
    """
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, weight) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def cut(text: str, width: float, size: float | None = None) -> str:
    """Return `text`, or its start and an ellipsis if it is wider than `width` inches.

    size: font size in points, the figures' own by default.
    """
    size = size or mpl.rcParams["font.size"]
    if text_width(text, size) <= width:
        return text
    fitting = bisect.bisect_right(
        range(len(text)), width, key=lambda length: text_width(f"{text[:length]}…", size)
    )
    return f"{text[: max(fitting - 1, 0)].rstrip()}…"


def heading_height(width: float, title: str, subtitles: Iterable[str]) -> float:
    """Return the height in inches that `new_figure` gives to the heading, margins included."""
    return _heading(width, title, subtitles)[1]


def new_figure(
    width: float, height: float, title: str, subtitles: Iterable[str], *, dpi: float = 100
) -> Figure:
    """Return a figure with a heading at its top and `height` inches of room below it.

    Axes that are added fill the room (constrained layout). Title and subtitles are wrapped to
    `width` inches; together they are the figure's label, which serves as its text alternative.
    """
    subtitles = list(subtitles)
    lines, above = _heading(width, title, subtitles)
    total = above + height
    layout = ConstrainedLayoutEngine(
        rect=(0, 0, 1, height / total), w_pad=MARGIN, h_pad=MARGIN, wspace=0.03, hspace=0.03
    )
    figure = Figure(figsize=(width, total), dpi=dpi, facecolor="white", layout=layout)
    place = total - MARGIN
    for text, size, weight, colour in lines:
        place -= size * LINE_HEIGHT / POINTS
        height = (place + 0.3 * size / POINTS) / total
        figure.text(MARGIN / width, height, text, size=size, weight=weight, color=colour)
    figure.set_label(". ".join([title, *subtitles]))
    return figure


def spread(places: list[float], gap: float) -> list[float]:
    """Return `places` moved apart as little as keeps their order and `gap` between neighbours."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    groups: list[list[float]] = []  # sum of wished starts, number of members
    for rank, index in enumerate(order):
        groups.append([places[index] - rank * gap, 1])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, members = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += members
    starts = [total / members for total, members in groups for _ in range(int(members))]
    moved = [0.0] * len(places)
    for rank, index in enumerate(order):
        moved[index] = starts[rank] + rank * gap
    return moved


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Make the axes a chart of rows from the top, each with its label at the left.

    A label that is wider than LABELS of the figure is cut, so that the chart keeps its room.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    room = LABELS * figure.get_figwidth()
    axes.set_yticks(range(len(labels)), [cut(label, room) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def write_note(axes: Axes, text: str) -> None:
    """Write a text in place of a chart that has nothing to show."""
    axes.text(0.5, 0.5, text, ha="center", va="center")
    axes.set_axis_off()


def label_right(axes: Axes, places: list[float], texts: list[str], colours: list[str]) -> None:
    """Write texts right of the axes at data heights `places`, moved apart where they would touch.

    The axes' limits and the figure's size must be final, but for what these texts take in width.
    """
    low, high = axes.get_ylim()
    figure = axes.get_figure(root=True)
    assert figure is not None
    inches = axes.get_position().height * figure.get_figheight()
    lines = max((text.count("\n") + 1 for text in texts), default=1)
    gap = mpl.rcParams["font.size"] * 1.3 * lines / POINTS / inches * (high - low)
    for place, text, colour in zip(spread(places, gap), texts, colours, strict=True):
        axes.annotate(
            text,
            (1, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )


def save(figure: Figure, folder: Path, name: str, dpi: float) -> None:
    """Write `figure` to `folder` as `name`.png and `name`.svg, without date or version."""
    stem = folder / name
    stem.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(stem.with_name(f"{stem.name}.png"), dpi=dpi, metadata={"Software": None})
    figure.savefig(
        stem.with_name(f"{stem.name}.svg"),
        dpi=dpi,
        metadata={"Date": None, "Creator": None, "Title": figure.get_label()},
    )


def _heading(
    width: float, title: str, subtitles: Iterable[str]
) -> tuple[list[tuple[str, float, str, str]], float]:
    """Return the heading's lines (text, size, weight, colour) and its height in inches."""
    size = mpl.rcParams["font.size"]
    room = width - 2 * MARGIN
    large = size * TITLE_SCALE
    lines = [(line, large, "bold", INK) for line in wrap(title, room, large, "bold")]
    for subtitle in subtitles:
        lines += [(line, size, "normal", QUIET) for line in wrap(subtitle, room, size)]
    height = sum(line[1] for line in lines) * LINE_HEIGHT / POINTS
    return lines, MARGIN + height
