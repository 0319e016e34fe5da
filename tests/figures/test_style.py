"""The figures' look: colours that are told apart, numbers, headings, files without a date."""

import itertools
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from bertline.core.errors import BertlineError
from bertline.figures import style

# Machado, Oliveira and Fernandes (2009, table 1, severity 1.0), on linear RGB.
COLOUR_BLINDNESS = {
    "deuteranomaly": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                      [-0.011820, 0.042940, 0.968881]],
    "protanomaly": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                    [-0.003882, -0.048116, 1.051998]],
}  # fmt: skip


def oklab(colour: str, seen_with: np.ndarray | None = None) -> np.ndarray:
    """Return a colour in Oklab (Ottosson 2020), as seen with a colour blindness if given."""
    rgb = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if seen_with is not None:
        linear = np.clip(seen_with @ linear, 0, 1)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return lab @ np.cbrt(cones @ linear)


def distance(one: str, other: str, seen_with: np.ndarray | None = None) -> float:
    return float(np.linalg.norm(oklab(one, seen_with) - oklab(other, seen_with)))


def test_shares_have_the_digits_that_tell_them_apart():
    assert [style.percent(share) for share in (0.97, 0.975, 0.98, 1)] == [
        "97%",
        "97.5%",
        "98%",
        "100%",
    ]


def test_topics_differ_from_each_other_and_from_what_is_not_named():
    others = ("white", style.OUTLIER, style.SMALL_TOPIC)

    nearest = {
        pair: distance(*pair) for pair in itertools.combinations(style.TOPIC_COLOURS[:20], 2)
    } | {pair: distance(*pair) for pair in itertools.product(style.TOPIC_COLOURS, others)}

    assert min(nearest.values()) > 0.07, min(nearest, key=nearest.get)


@pytest.mark.parametrize("kind", COLOUR_BLINDNESS)
def test_first_eight_topics_differ_for_the_colour_blind(kind):
    matrix = np.array(COLOUR_BLINDNESS[kind])

    nearest = {
        pair: distance(*pair, matrix) for pair in itertools.combinations(style.TOPIC_COLOURS[:8], 2)
    }

    assert min(nearest.values()) > 0.04, min(nearest, key=nearest.get)


@pytest.mark.parametrize("colour", [*style.TOPIC_COLOURS, style.INK, style.QUIET])
def test_text_is_read_on_white(colour):
    text = style.darken(colour) if colour in style.TOPIC_COLOURS else colour

    # 3 for bold text on a map, 4.5 elsewhere.
    assert style.contrast(text, "white") >= (3.0 if colour in style.TOPIC_COLOURS else 4.5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, "0.500"), (-0.1234, "\N{MINUS SIGN}0.123"), (-0.0001, "0.000"), (1, "1.000")],
)
def test_numbers(value, expected):
    assert style.number(value) == expected


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        pytest.param([0.0, 5.0], [0.0, 5.0], id="apart"),
        pytest.param([5.0, 0.0], [5.0, 0.0], id="order-kept"),
        # Two at 1 part by 1 around it.
        pytest.param([1.0, 1.0], [0.5, 1.5], id="equal"),
        # Moved least: 0, 1, 2 around their mean of 1.
        pytest.param([1.0, 1.0, 1.0], [0.0, 1.0, 2.0], id="three"),
        pytest.param([], [], id="none"),
    ],
)
def test_spread_parts_what_would_touch(places, expected):
    assert style.spread(places, 1.0) == pytest.approx(expected)


def test_long_heading_is_wrapped_inside_the_figure():
    title = "A very long title of a data set that somebody has " * 3
    figure = style.new_figure(5, 2, title, ["$x^2$ " * 60, "short"])
    figure.draw_without_rendering()

    edge = figure.bbox.width

    assert len(figure.texts) > 6
    assert all(text.get_window_extent().x1 <= edge for text in figure.texts)
    heights = [text.get_window_extent() for text in figure.texts]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(heights))


def test_look_ignores_and_restores_a_persons_settings():
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 33}):
        with style.applied(10.0):
            assert mpl.rcParams["axes.facecolor"] == "white"
            assert mpl.rcParams["font.size"] == 10
        assert mpl.rcParams["axes.facecolor"] == "black"
        assert mpl.rcParams["font.size"] == 33


def test_default_font_is_the_one_that_matplotlib_brings():
    path = font_manager.findfont(font_manager.FontProperties(family=mpl.rcParams["font.family"]))

    assert path.startswith(mpl.get_data_path())


def test_letters_that_the_font_lacks_are_told():
    assert style.check_font("DejaVu Sans", ["naïve Ω ж", "日本"]) == "日本"


def test_font_that_is_not_installed_is_refused():
    with pytest.raises(BertlineError, match=r"visualize\.font is Nonesuch, which is not installed"):
        style.check_font("Nonesuch", [])


def test_fonts_that_have_most_letters_are_named_and_broken_ones_passed_over(tmp_path, monkeypatch):
    own = Path(mpl.get_data_path(), "fonts", "ttf")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    paths = [tmp_path / "broken.ttf", tmp_path / "gone.ttf", own / "cmr10.ttf"]
    paths += [own / "DejaVuSans.ttf", own / "DejaVuSansMono.ttf"]
    monkeypatch.setattr(style.font_manager, "findSystemFonts", lambda: list(map(str, paths)))

    # DejaVu Sans has Hebrew letters, its monospaced sister has Cyrillic ones only.
    assert style.fonts_with("אבж") == ["DejaVu Sans"]
    assert style.fonts_with("жд") == ["DejaVu Sans", "DejaVu Sans Mono"]
    assert style.fonts_with("жд", number=1) == ["DejaVu Sans"]
    assert style.fonts_with("語漢") == []


def test_files_have_neither_date_nor_version(tmp_path):
    figure = style.new_figure(4, 2, "A title with <b> & $", [])

    style.save(figure, tmp_path, "nested/figure", 50)

    svg = (tmp_path / "nested" / "figure.svg").read_text(encoding="utf-8")
    png = (tmp_path / "nested" / "figure.png").read_bytes()
    assert "<title>A title with &lt;b&gt; &amp; $</title>" in svg
    assert "<dc:date>" not in svg
    assert f"Matplotlib v{mpl.__version__}" not in svg
    assert b"tEXt" not in png


def test_figures_are_not_pyplots():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    figure = style.new_figure(4, 2, "A title", [])

    assert isinstance(figure, Figure)
    assert plt.get_fignums() == before


@pytest.mark.parametrize("text", ["", "short", "a somewhat longer label", "漢字" * 40, "x" * 500])
def test_a_label_is_cut_to_a_width(text):
    shown = style.cut(text, 1.0, 9)

    assert style.text_width(shown, 9) <= 1.0
    if style.text_width(text, 9) <= 1.0:
        assert shown == text
    else:
        assert shown.endswith("…") and text.startswith(shown[:-1])
        longer = text[: len(shown)] + "…"
        assert style.text_width(longer, 9) > 1.0
