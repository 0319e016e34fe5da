"""The topic map: layers, labels that neither overlap nor leave the axes, a frame for its body."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text

from bertline.figures import style, topic_frequencies, topic_map
from bertline.figures.results import OUTLIERS, Topics

SIZE = (11.0, 8.0)


def draw(results: Topics, *, top_topics=6, label_words=3, size=SIZE, dpi=100):
    figure = topic_map.draw(
        results, top_topics=top_topics, label_words=label_words, size=size, dpi=dpi
    )
    figure.draw_without_rendering()
    return figure


def layers(figure) -> dict[str, tuple[float, int]]:
    """Return order and number of points of each layer."""
    return {
        points.get_label(): (points.get_zorder(), len(points.get_offsets()))
        for points in figure.axes[0].collections
    }


def boxes(texts: list[Text]) -> list:
    return [text.get_window_extent() for text in texts]


@pytest.mark.parametrize("top_topics", [5, 20, 40], ids=lambda number: f"{number}-labels")
@pytest.mark.parametrize("dpi", [72, 150], ids=["svg", "png"])
def test_labels_neither_overlap_nor_leave_the_axes(topics, top_topics, dpi):
    figure = draw(topics(topics=60, documents=4000), top_topics=top_topics, dpi=dpi)
    (axes,) = figure.axes
    extents = boxes(axes.texts)
    frame = axes.get_window_extent()

    assert len(extents) == top_topics
    touching = [
        (one.get_text(), other.get_text())
        for (one, first), (other, second) in itertools.combinations(
            zip(axes.texts, extents, strict=True), 2
        )
        if first.overlaps(second)
    ]
    assert touching == []
    for extent in extents:
        assert frame.x0 <= extent.x0 and extent.x1 <= frame.x1
        assert frame.y0 <= extent.y0 and extent.y1 <= frame.y1


def test_labels_of_topics_in_one_place_part_and_get_leader_lines(topics):
    heap = np.random.default_rng(0).normal(scale=0.05, size=(1500, 2))
    (axes,) = draw(replace(topics(topics=25, documents=1500), places=heap), top_topics=25).axes

    assert not any(
        one.overlaps(other) for one, other in itertools.combinations(boxes(axes.texts), 2)
    )
    leaders = [line for line in axes.get_lines() if len(line.get_xdata()) == 2]
    assert len(leaders) >= 15


def test_outliers_lie_beneath_small_topics_and_these_beneath_named_ones(topics):
    results = topics(topics=60, documents=3000)
    found = layers(draw(results))

    assert found["outliers"][0] < found["small topics"][0] < found["named topics"][0]
    assert found["outliers"][1] == results.outliers
    assert sum(number for _, number in found.values()) == 3000


def test_points_are_pixels_inside_the_svg(topics, tmp_path):
    figure = draw(topics(documents=3000))

    style.save(figure, tmp_path, "map", 50)

    svg = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert 1 <= svg.count("<image") <= 3
    assert svg.count("<use") < 1000


def test_title_counts_documents_topics_and_outliers(topics):
    says = draw(topics(topics=60, documents=3000, outlier_share=0.33)).get_label()

    assert says.startswith("3,000 documents, 60 topics, 3")
    assert "% outliers. 20 Newsgroups" in says


def test_axes_have_one_scale_and_no_ticks(topics):
    (axes,) = draw(topics()).axes
    extent = axes.get_window_extent()
    scales = extent.width / np.ptp(axes.get_xlim()), extent.height / np.ptp(axes.get_ylim())

    assert scales[0] == pytest.approx(scales[1])
    assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0


def test_islands_far_away_do_not_squash_the_map_and_are_told(topics):
    results = topics(topics=60, documents=3000, islands=True)
    figure = draw(results)
    (axes,) = figure.axes

    # The body is some 20 wide; the islands lie 70 and 90 away.
    assert np.ptp(axes.get_xlim()) < 60
    assert np.ptp(axes.get_ylim()) < 60
    outside = [text for text in axes.texts if text.get_text().endswith("(outside the frame)")]
    assert len(outside) == 1
    told = re.search(r"(\d+) documents lie outside the frame\.", figure.texts[-1].get_text())
    islands = 5 + results.table["count"].iloc[2]
    assert islands <= int(told[1]) <= islands + 5  # and a straggler or two


def test_a_tall_map_is_turned_to_fill_a_wide_frame():
    random = np.random.default_rng(5)
    tall = random.uniform([0, 0], [1, 10], size=(500, 2))

    turn = topic_map.find_turn(tall, ratio=2.0)

    turned = tall @ turn
    assert np.allclose(turn @ turn.T, np.eye(2))  # a rotation: distances stay
    assert np.ptp(turned[:, 0]) > np.ptp(turned[:, 1])


def test_a_map_that_fits_is_left_as_it_is():
    wide = np.random.default_rng(5).uniform([0, 0], [20, 10], size=(500, 2))

    assert np.array_equal(topic_map.find_turn(wide, ratio=2.0), np.eye(2))


def test_anchor_is_a_point_of_the_topic_near_its_middle():
    # A ring: its median is in the empty middle, the anchor is not.
    angles = np.linspace(0, 2 * np.pi, 50)
    ring = np.column_stack([np.cos(angles), np.sin(angles)])

    assert topic_map.find_anchor(ring).tolist() in ring.tolist()
    assert topic_map.find_anchor(np.array([[0.0, 0], [1, 0], [2, 0]])).tolist() == [1, 0]


def test_more_labels_than_topics_names_them_all(topics):
    figure = draw(topics(topics=4, documents=300), top_topics=20)

    assert len(figure.axes[0].texts) == 4
    assert "small topics" not in layers(figure)


def test_no_labels_wanted(topics):
    figure = draw(topics(), top_topics=0)

    assert not figure.axes[0].texts
    assert set(layers(figure)) == {"outliers", "small topics"}


def test_only_outliers(topics):
    figure = draw(topics(topics=0, documents=40))

    assert layers(figure) == {"outliers": (topic_map.OUTLIER_LAYER, 40)}
    assert figure.get_label().startswith("40 documents, 0 topics, 100.0% outliers")


def test_no_outliers(topics):
    figure = draw(topics(topics=5, documents=300, outlier_share=0.0))

    assert "5 topics" in figure.get_label()


def test_one_document(topics):
    figure = draw(topics(topics=1, documents=1, outlier_share=0.0))

    assert len(figure.axes[0].texts) == 1


def test_all_documents_in_one_place(topics):
    results = replace(topics(topics=2, documents=30), places=np.ones((30, 2)))

    assert len(draw(results).axes[0].texts) == 2


def test_words_are_no_mathematics_and_long_ones_are_cut(topics):
    words = {0: ["$\\alpha^2$", "<script>", "under_score"], 1: ["w" * 80, "b", "c"]}
    (axes,) = draw(topics(topics=5, words=words)).axes
    texts = [text.get_text().replace("\n", " ") for text in axes.texts]

    assert texts[0] == "$\\alpha^2$, <script>, under_score"
    assert texts[1] == "w" * 23 + "…, b, c"
    assert not any(text.get_parse_math() for text in axes.texts)


def test_names_without_room_are_counted(topics):
    figure = draw(topics(topics=60, documents=3000), top_topics=60, label_words=10, size=(4, 4))

    assert "found no room" in figure.texts[-1].get_text()
    assert len(figure.axes[0].texts) < 60


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("game, team", ["game, team"]),
        ("encryption, clipper, chip", ["encryption,", "clipper, chip"]),
        ("oneverylongwordaloneinthelabel", ["oneverylongwordaloneinthelabel"]),
        ("jesus, christ, bible, scripture", ["jesus, christ,", "bible, scripture"]),
    ],
)
def test_long_names_take_two_lines(name, lines):
    assert topic_map.halve(name) == lines


def topics_at(groups: dict[int, np.ndarray], words: list[str] | None = None) -> Topics:
    """Return results with the documents of each topic at the given places, (n, 2)."""
    named = sorted((topic for topic in groups if topic != OUTLIERS), key=lambda t: -len(groups[t]))
    table = pd.DataFrame(
        {
            "topic": named,
            "count": [len(groups[topic]) for topic in named],
            "words": [words or [f"word{topic}"] for topic in named],
        }
    )
    topic = np.repeat(list(groups), [len(places) for places in groups.values()])
    places = np.concatenate(list(groups.values()))
    empty = pd.DataFrame()
    return Topics("documents", "minilm", {}, table, topic, places, empty, empty, empty, empty)


def disc(number: int, *, seed: int = 0, middle: tuple[float, float] = (0, 0)) -> np.ndarray:
    random = np.random.default_rng(seed)
    angle, radius = random.uniform(0, 2 * np.pi, number), np.sqrt(random.random(number))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]) + middle


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].texts]


def test_all_of_25_labels_are_apart_and_inside_where_islands_lie_outside(topics):
    figure = draw(topics(topics=25, documents=1500, islands=True), top_topics=25)
    (axes,) = figure.axes
    frame, extents = axes.get_window_extent(), boxes(axes.texts)

    assert len(extents) == 25
    assert not any(one.overlaps(other) for one, other in itertools.combinations(extents, 2))
    for extent in extents:
        assert frame.x0 <= extent.x0 < extent.x1 <= frame.x1
        assert frame.y0 <= extent.y0 < extent.y1 <= frame.y1


def test_a_label_is_nearest_to_the_topic_that_it_names():
    middles = {0: (0, 0), 1: (20, 0), 2: (0, 14), 3: (20, 14)}
    results = topics_at({t: disc(60 - t, seed=t, middle=at) for t, at in middles.items()})

    (axes,) = draw(results).axes

    # The map may be turned: where a topic is drawn is told by the points.
    (points,) = axes.collections
    places = points.get_offsets().data
    for text in axes.texts:
        distances = [
            np.hypot(*(places[results.topic == topic].mean(axis=0) - text.get_position()))
            for topic in middles
        ]
        assert text.get_text() == f"word{np.argmin(distances)}"


@pytest.mark.parametrize("rows", [[0, 1, OUTLIERS], [OUTLIERS, 1, 0]], ids=["last", "first"])
def test_where_all_layers_meet_the_named_topic_is_seen(rows):
    corners = np.array([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]])
    spot = np.array([[0.25, 0.25]])
    groups = {0: np.concatenate([corners, spot]), 1: spot, OUTLIERS: spot}
    figure = draw(topics_at({topic: groups[topic] for topic in rows}), top_topics=1)
    (axes,) = figure.axes
    for text in axes.texts:
        text.set_visible(False)

    canvas = FigureCanvasAgg(figure)
    canvas.draw()

    (points,) = (points for points in axes.collections if points.get_label() == "outliers")
    (place,) = points.get_offsets().data
    column, row = axes.transData.transform(place).astype(int)
    pixel = np.asarray(canvas.buffer_rgba())[::-1][row, column, :3] / 255
    colours = [style.topic_colour(0), style.SMALL_TOPIC, style.OUTLIER, "white"]
    assert np.argmin([np.abs(pixel - style.to_rgb(colour)).sum() for colour in colours]) == 0


@pytest.mark.parametrize(
    ("top_topics", "named", "told"),
    [
        (20, 4, ["4 topics", "7 outliers, in no topic"]),
        (2, 2, ["2 largest topics", "2 smaller topics", "7 outliers, in no topic"]),
        (0, 0, ["4 smaller topics", "7 outliers, in no topic"]),
    ],
    ids=["fewer-than-wanted", "more-than-wanted", "none-wanted"],
)
def test_legend_counts_what_is_drawn(top_topics, named, told):
    groups = {t: disc(50 - t, seed=t, middle=(4 * t, 0)) for t in range(4)}

    figure = draw(topics_at(groups | {OUTLIERS: disc(7)}), top_topics=top_topics)

    assert legend(figure) == told
    assert {text.get_text() for text in figure.axes[0].texts} == {f"word{t}" for t in range(named)}


def test_only_outliers_have_a_legend_of_their_own(topics):
    assert legend(draw(topics(topics=0, documents=1200))) == ["1,200 outliers, in no topic"]


@pytest.mark.parametrize(
    "words",
    [["$x$", "$y$"], ["a_b", "c^2"], ["\\alpha", "$\\frac"], ["$_$", "$^$", "\\"]],
    ids=["dollars", "scripts", "backslash", "bare"],
)
def test_nothing_is_handed_to_the_parser_of_mathematics(tmp_path, monkeypatch, words):
    def parse(*arguments, **options):
        raise AssertionError("a text was taken for mathematics")

    monkeypatch.setattr(MathTextParser, "parse", parse)
    results = topics_at({0: disc(50)}, words)

    figures = draw(results, size=(4, 4)), topic_frequencies.draw(results, coloured=1)
    for figure in figures:
        style.save(figure, tmp_path, "figure", 50)

    assert figures[0].axes[0].texts[0].get_text() == ", ".join(words)
    assert figures[1].axes[0].get_yticklabels()[0].get_text() == "0  " + ", ".join(words)


def test_a_few_far_documents_leave_the_frame_to_the_body():
    body, far = disc(1000), disc(5, middle=(100, 30))

    frame = topic_map.find_frame(np.concatenate([body, far]), 1.4)

    assert frame.contains(body).all()
    assert not frame.contains(far).any()
    assert np.ptp(body[:, 1]) > 0.9 * (frame.high - frame.low)[1]


def test_a_far_topic_is_named_at_the_edge_and_its_documents_are_counted():
    figure = draw(topics_at({0: disc(1000), 1: disc(300), 2: disc(5, middle=(100, 30))}))

    texts = sorted(text.get_text() for text in figure.axes[0].texts)
    assert texts == ["word0", "word1", "word2\n(outside the frame)"]
    assert "5 documents lie outside the frame." in figure.texts[-1].get_text()


def test_two_bodies_of_like_size_are_both_shown():
    figure = draw(topics_at({0: disc(500), 1: disc(400, seed=1, middle=(30, 0))}))

    assert "outside the frame" not in figure.texts[-1].get_text()
    assert [text.get_text() for text in figure.axes[0].texts] == ["word0", "word1"]


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_frame_has_the_shape_that_is_asked_for(ratio):
    frame = topic_map.find_frame(disc(200) * [3, 1], ratio)

    width, height = frame.high - frame.low
    assert width / height == pytest.approx(ratio)


def test_a_turn_does_not_mirror_the_map():
    turn = topic_map.find_turn(disc(300) * [1, 8], 1.4)

    assert not np.array_equal(turn, np.eye(2))
    assert np.linalg.det(turn) == pytest.approx(1)
