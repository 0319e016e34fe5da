"""The topic map: layers, labels that neither overlap nor leave the axes, a frame for its body."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.mathtext import MathTextParser

from bertline.figures import style, topic_map
from bertline.figures.results import Topics
from bertline.topics.tables import OUTLIERS, STABLE, UNSTABLE

SIZE = (11.0, 8.0)


def draw(results: Topics, *, top_topics=6, label_words=3, size=SIZE, dpi=100):
    return topic_map.draw(
        results, top_topics=top_topics, label_words=label_words, size=size, dpi=dpi
    )


def layers(figure) -> dict[str, tuple[float, int]]:
    """Return order and number of points of each layer."""
    return {
        points.get_label(): (points.get_zorder(), len(points.get_offsets()))
        for points in figure.axes[0].collections
    }


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].texts]


def note(figure) -> str:
    return figure.texts[-1].get_text()


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
    named = ("coverage", "by_number", "merges", "groups", "over_time")
    tables = dict.fromkeys(named, empty)
    return Topics("documents", "minilm", 1.0, {}, table, topic, places, **tables)


def disc(number: int, *, seed: int = 0, middle: tuple[float, float] = (0, 0)) -> np.ndarray:
    random = np.random.default_rng(seed)
    angle, radius = random.uniform(0, 2 * np.pi, number), np.sqrt(random.random(number))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]) + middle


@pytest.fixture(scope="module")
def rows_of_discs() -> Topics:
    """Return four topics side by side, and outliers at the first one."""
    groups = {t: disc(50 - t, seed=t, middle=(4 * t, 0)) for t in range(4)}
    return topics_at(groups | {OUTLIERS: disc(7)})


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("top_topics", "islands", "dpi"),
    [(5, False, 72), (20, False, 150), (25, True, 100)],
    ids=["few", "many", "islands"],
)
def test_labels_neither_overlap_nor_leave_the_axes(topics, top_topics, islands, dpi):
    figure = draw(topics(islands=islands), top_topics=top_topics, dpi=dpi)
    (axes,) = figure.axes
    frame = axes.get_window_extent()
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}

    unlabelled = re.search(r"without room: (\d+)", note(figure))
    assert len(boxes) + (int(unlabelled[1]) if unlabelled else 0) == top_topics
    assert len(boxes) >= 0.8 * top_topics
    touching = [
        (one, other)
        for one, other in itertools.combinations(boxes, 2)
        if boxes[one].overlaps(boxes[other])
    ]
    assert touching == []
    for box in boxes.values():
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1


def test_labels_of_topics_in_one_place_part_and_get_leader_lines(topics):
    heap = np.random.default_rng(0).normal(scale=0.05, size=(3000, 2))

    (axes,) = draw(replace(topics(), places=heap), top_topics=10).axes

    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) >= 5
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert len(axes.get_lines()) == len(boxes)


def test_a_label_is_nearest_to_the_topic_that_it_names():
    middles = {0: (0, 0), 1: (20, 0), 2: (0, 14), 3: (20, 14)}
    results = topics_at({t: disc(60 - t, seed=t, middle=at) for t, at in middles.items()})

    (axes,) = draw(results).axes

    (points,) = axes.collections  # the map may be turned: the points show where a topic is
    places = points.get_offsets().data
    assert len(axes.texts) == 4
    for text in axes.texts:
        distances = [
            np.hypot(*(places[results.topic == topic].mean(axis=0) - text.get_position()))
            for topic in middles
        ]
        assert text.get_text() == f"word{np.argmin(distances)}"


def test_topics_without_room_for_a_label_are_counted(topics):
    figure = draw(topics(), top_topics=20, label_words=10, size=(4, 4))

    missing = 20 - len(texts(figure))
    assert missing and f"Labels without room: {missing}." in note(figure)


def test_a_far_topic_is_named_at_the_edge_and_its_documents_are_counted():
    figure = draw(topics_at({0: disc(1000), 1: disc(300), 2: disc(5, middle=(100, 30))}))

    assert sorted(texts(figure)) == ["word0", "word1", "word2\n(outside the frame)"]
    assert "5 documents are outside the frame." in note(figure)


def test_anchor_is_a_point_of_the_topic_near_its_middle():
    # A ring: its median is in the empty middle, the anchor is not.
    angles = np.linspace(0, 2 * np.pi, 50)
    ring = np.column_stack([np.cos(angles), np.sin(angles)])

    assert topic_map.find_anchor(ring).tolist() in ring.tolist()
    assert topic_map.find_anchor(np.array([[0.0, 0], [1, 0], [2, 0]])).tolist() == [1, 0]


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


@pytest.mark.parametrize("words", [["$x$", "$y$"], ["a_b", "c^2"], ["\\alpha", "$\\frac"]])
def test_words_are_never_parsed_as_mathematics(tmp_path, monkeypatch, words):
    def parse(*arguments, **options):
        raise AssertionError("a text was parsed as mathematics")

    monkeypatch.setattr(MathTextParser, "parse", parse)

    figure = draw(topics_at({0: disc(50)}, [*words, "w" * 80]), size=(4, 4))
    style.save(figure, tmp_path, "figure", 50)

    assert texts(figure)[0].replace("\n", " ") == ", ".join([*words, "w" * 23 + "…"])


# --- layers ---------------------------------------------------------------------------------------


def test_outliers_lie_beneath_small_topics_and_these_beneath_named_ones(topics):
    results = topics()
    figure = draw(results)
    found = layers(figure)

    assert found["outliers"][0] < found["small topics"][0] < found["named topics"][0]
    assert found["outliers"][1] == results.outliers
    assert sum(number for _, number in found.values()) == 3000
    label = figure.get_label()
    assert label.startswith(f"3,000 documents, 60 topics, {results.outlier_share:.1%} outliers. 20")


@pytest.mark.parametrize("rows", [[0, 1, OUTLIERS], [OUTLIERS, 1, 0]], ids=["last", "first"])
def test_where_all_layers_meet_the_named_topic_is_seen(rows):
    corners = np.array([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]])
    spot = np.array([[0.25, 0.25]])
    groups = {0: np.concatenate([corners, spot]), 1: spot, OUTLIERS: spot}
    figure = draw(topics_at({topic: groups[topic] for topic in rows}), top_topics=1)
    (axes,) = figure.axes
    for artist in (*axes.texts, *axes.lines):
        artist.set_visible(False)

    canvas = FigureCanvasAgg(figure)
    canvas.draw()

    (points,) = (points for points in axes.collections if points.get_label() == "outliers")
    (place,) = points.get_offsets().data
    column, row = axes.transData.transform(place).astype(int)
    pixel = np.asarray(canvas.buffer_rgba())[::-1][row, column, :3] / 255
    colours = [style.topic_colour(0), style.SMALL_TOPIC, style.OUTLIER, "white"]
    assert np.argmin([np.abs(pixel - style.to_rgb(colour)).sum() for colour in colours]) == 0


def test_unstable_topics_are_faded_and_the_note_says_so(topics):
    results = topics(topics=12, documents=500)
    verdicts = pd.Series(STABLE, index=results.stability.index)
    for verdict, faded in ((UNSTABLE, True), (STABLE, False)):
        verdicts[results.table["topic"][0]] = verdict
        stability = results.stability.assign(verdict=verdicts)
        figure = draw(replace(results, stability=stability), top_topics=3, size=(8, 6))
        opacity = {points.get_label(): points.get_alpha() for points in figure.axes[0].collections}
        assert (opacity.get("unstable topics") == topic_map.FADED) is faded
        assert opacity["named topics"] > topic_map.FADED
        assert ("Faded topics are unstable." in note(figure)) is faded


def test_points_are_pixels_inside_the_svg(topics, tmp_path):
    style.save(draw(topics(), size=(5, 4)), tmp_path, "map", 50)

    svg = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert 1 <= svg.count("<image") <= 3
    assert svg.count("<use") < 1000


@pytest.mark.parametrize(
    ("top_topics", "named", "told"),
    [
        (20, 4, ["4 topics", "7 outliers"]),
        (2, 2, ["2 largest topics", "2 smaller topics", "7 outliers"]),
        (0, 0, ["4 smaller topics", "7 outliers"]),
    ],
    ids=["fewer-than-wanted", "more-than-wanted", "none-wanted"],
)
def test_legend_counts_what_is_drawn(rows_of_discs, top_topics, named, told):
    figure = draw(rows_of_discs, top_topics=top_topics)

    assert legend(figure) == told
    assert set(texts(figure)) == {f"word{topic}" for topic in range(named)}


def test_only_outliers():
    figure = draw(topics_at({OUTLIERS: disc(1200)}))

    assert layers(figure) == {"outliers": (topic_map.OUTLIER_LAYER, 1200)}
    assert figure.get_label().startswith("1,200 documents, 0 topics, 100.0% outliers")
    assert legend(figure) == ["1,200 outliers"]


@pytest.mark.parametrize("places", [np.ones((30, 2)), np.ones((1, 2))], ids=["heap", "one"])
def test_documents_in_one_place(places):
    assert layers(draw(topics_at({0: places})))["named topics"][1] == len(places)


# --- frame ----------------------------------------------------------------------------------------


def test_axes_have_one_scale_and_no_ticks(rows_of_discs):
    (axes,) = draw(rows_of_discs).axes
    extent = axes.get_window_extent()
    scales = extent.width / np.ptp(axes.get_xlim()), extent.height / np.ptp(axes.get_ylim())

    assert scales[0] == pytest.approx(scales[1])
    assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0


def test_a_tall_map_is_turned_to_fill_a_wide_frame_and_not_mirrored():
    tall = np.random.default_rng(5).uniform([0, 0], [1, 10], size=(500, 2))

    turn = topic_map.find_turn(tall, ratio=2.0)

    assert np.ptp((tall @ turn)[:, 0]) > np.ptp((tall @ turn)[:, 1])
    assert np.allclose(turn @ turn.T, np.eye(2))  # a rotation: distances stay
    assert np.linalg.det(turn) == pytest.approx(1)
    wide = tall[:, ::-1]
    assert np.array_equal(topic_map.find_turn(wide, ratio=2.0), np.eye(2))


def test_a_few_far_documents_leave_the_frame_to_the_body():
    body, far = disc(1000), disc(5, middle=(100, 30))

    frame = topic_map.find_frame(np.concatenate([body, far]), 1.4)

    assert frame.contains(body).all()
    assert not frame.contains(far).any()
    assert np.ptp(body[:, 1]) > 0.9 * (frame.high - frame.low)[1]


def test_two_bodies_of_like_size_are_both_shown():
    places = np.concatenate([disc(500), disc(400, seed=1, middle=(30, 0))])

    assert topic_map.find_frame(places, 1.4).contains(places).all()


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_frame_has_the_shape_that_is_asked_for(ratio):
    frame = topic_map.find_frame(disc(200) * [3, 1], ratio)

    width, height = frame.high - frame.low
    assert width / height == pytest.approx(ratio)
