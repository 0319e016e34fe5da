"""The charts of topics beside the map: what is drawn is what is stored."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from bertline.figures import (
    style,
    topic_baselines,
    topic_coverage,
    topic_frequencies,
    topic_groups,
    topic_map,
    topic_over_time,
    topic_stability,
    topic_tree,
)
from bertline.topics.tables import MODEL as OWN
from bertline.topics.tables import PARTLY, STABLE

FEW = {"topics": 12, "documents": 500}


def labels(figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    ("draw", "note"),
    [
        (lambda results: topic_frequencies.draw(results, coloured=5), "no topics to show"),
        (topic_stability.draw, "no topics to show"),
        (lambda results: topic_over_time.draw(results, coloured=5), "no topics to show"),
        (lambda results: topic_tree.draw(results, coloured=5), "no two topics to merge"),
    ],
    ids=["frequencies", "stability", "over-time", "tree"],
)
def test_only_outliers_have_a_note_in_place_of_a_chart(topics, draw, note):
    assert note in texts(draw(topics(topics=0, documents=50)))[0]


# --- sizes ----------------------------------------------------------------------------------------


def test_largest_topics_have_bars_of_the_stored_counts(topics):
    results = topics()

    figure = topic_frequencies.draw(results, coloured=20)

    counts = results.table["count"].head(30).tolist()
    assert [bar.get_width() for bar in figure.axes[0].patches] == counts
    assert texts(figure) == [f"{count:,}" for count in counts]
    assert figure.get_label().startswith("The 30 largest of 60 topics")
    left_out = f"{results.outliers:,} of 3,000 documents are outliers ({results.outlier_share:.1%})"
    assert figure.get_label().endswith(f"Not shown: {left_out}.")
    assert not any(label.startswith("-1") for label in labels(figure))


def test_bars_have_the_colours_of_the_map(topics):
    results = topics(topics=6, documents=600)

    bars = topic_frequencies.draw(results, coloured=4).axes[0].patches
    drawn = topic_map.draw(results, top_topics=4, label_words=2, size=(6, 5), dpi=60)

    layers = {points.get_label(): points for points in drawn.axes[0].collections}
    for layer, expected in (("named topics", bars[:4]), ("small topics", bars[4:])):
        colours = {tuple(colour[:3]) for colour in layers[layer].get_facecolor()}
        assert colours == {bar.get_facecolor()[:3] for bar in expected}


def test_words_with_signs_of_mathematics_are_drawn_as_they_are(topics):
    words = {0: ["$x^2$", "a_b", "\\frac", "100%", "$"], 1: []}

    figure = topic_frequencies.draw(topics(topics=3, documents=90, words=words), coloured=3)
    figure.draw_without_rendering()

    assert labels(figure)[:2] == ["0  $x^2$, a_b, \\frac, 100%, $", "1  (no words)"]
    assert not any(label.get_parse_math() for label in figure.axes[0].get_yticklabels())


# --- over time ------------------------------------------------------------------------------------

YEARS = [str(year) for year in range(1990, 2000)]


def test_each_of_the_largest_topics_has_a_panel_of_its_shares(topics):
    results = topics(periods=YEARS)

    figure = topic_over_time.draw(results, coloured=3)
    figure.draw_without_rendering()

    counts, *panels = figure.axes
    assert [bar.get_height() for bar in counts.patches] == [120, 0] + [120] * 8
    assert len(panels) == topic_over_time.PANELS
    for panel in panels:
        [line] = panel.get_lines()
        shares = line.get_ydata()
        assert np.isnan(shares[1])  # no document of that year
        assert (np.delete(shares, 1) == 0.2).all()
        assert panel.get_ylim()[1] > 0.2
    named = [tick.get_text() for tick in panels[-1].get_xticklabels()]
    assert named == ["1990", "1993", "1996", "1999"]
    assert panels[2].get_lines()[0].get_color() == style.topic_colour(2)
    assert panels[3].get_lines()[0].get_color() == style.SMALL_TOPIC
    assert "The 11 largest of 60 topics." in figure.get_label()
    assert "1,080 of 3,000 documents have a date" in figure.get_label()  # 60 topics, 9 years, 2


@pytest.mark.parametrize(("number", "periods"), [(1, YEARS[:1]), (2, YEARS[:3]), (5, YEARS)])
def test_few_topics_and_periods_are_drawn(topics, number, periods):
    results = topics(topics=number, documents=90, periods=periods)

    figure = topic_over_time.draw(results, coloured=20)
    figure.draw_without_rendering()

    assert len(figure.axes) == number + 1


# --- stability ------------------------------------------------------------------------------------


def test_each_of_the_largest_topics_has_its_stability_and_verdict(topics):
    figure = topic_stability.draw(topics())

    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.91] * 12 + [0.62] * 8
    assert texts(figure) == [f"0.91  {STABLE}"] * 12 + [f"0.62  {PARTLY}"] * 8
    assert "10 other fits, corrected for chance" in figure.get_label()


def test_a_topic_that_was_not_measured_says_so(topics):
    results = topics(**FEW)

    figure = topic_stability.draw(replace(results, stability=results.stability.drop(index=1)))

    assert len(figure.axes[0].patches) == 11
    assert topic_stability.UNKNOWN in texts(figure)


# --- baselines ------------------------------------------------------------------------------------


def test_every_model_has_its_line_of_stored_figures_in_every_panel(topics):
    results = topics(**FEW)

    figure = topic_baselines.draw(results)

    for axes, column in zip(figure.axes, topic_baselines.PANELS, strict=True):
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert [*lines] == [OWN, "KeyNMF", "LDA", "NMF"]  # no fixed number: no place on the axis
        for model, line in lines.items():
            rows = results.baselines[results.baselines["model"] == model]
            assert line.get_xdata().tolist() == rows["requested_topics"].tolist()
            assert line.get_ydata().tolist() == rows[column].tolist()
        own, *others = lines.values()
        assert all(own.get_linewidth() > line.get_linewidth() for line in others)
        assert len({line.get_marker() for line in lines.values()}) == len(lines)


# --- coverage, merge tree, known groups -----------------------------------------------------------


def test_each_strategy_has_its_line_and_the_chosen_one_a_ring(topics):
    figure = topic_coverage.draw(topics(**FEW))

    npmi, ami = figure.axes
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["outliers kept", "nearest topic vector", "c-TF-IDF"]
    for axes, value in ((npmi, 0.13), (ami, 0.58)):
        assert axes.get_xlim()[1] <= 1.01
        assert axes.lines[-1].get_xydata().tolist() == [[1.0, pytest.approx(value)]]
    # filled and hollow for coherence; agreement does not depend on words
    assert (len(npmi.lines), len(ami.lines)) == (1 + 2 * 2 + 1, 1 + 2 + 1)


def test_ticks_near_full_coverage_have_labels_of_their_own(topics):
    loaded = topics(**FEW)
    close = loaded.coverage.assign(coverage=np.linspace(0.974, 1, len(loaded.coverage)))
    figure = topic_coverage.draw(replace(loaded, coverage=close))

    figure.canvas.draw()

    names = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert len(names) == len(set(names)) and "99%" in names


def test_without_groups_only_coherence_is_drawn(topics):
    loaded = topics(groups=False, **FEW)

    assert len(topic_coverage.draw(loaded).axes) == 1
    assert loaded.groups.empty


def test_without_outliers_the_figure_says_so(topics):
    loaded = topics(**FEW)
    loaded = replace(loaded, coverage=loaded.coverage.assign(coverage=1.0))

    assert texts(topic_coverage.draw(loaded)) == ["Clustering left no outliers."]


def test_the_tree_has_each_topic_once_with_its_words(topics):
    loaded = topics(**FEW)

    figure = topic_tree.draw(loaded, coloured=5)

    expected = [
        f"{row.topic}  {', '.join(row.words[: topic_tree.WORDS])}"
        for row in loaded.table.itertuples()
    ]
    assert sorted(labels(figure)) == sorted(expected)
    assert len(figure.axes[0].lines) == 11
    colours = [label.get_color() for label in figure.axes[0].get_yticklabels()]
    assert sum(colour != style.INK for colour in colours) == 5


def test_a_large_tree_begins_where_few_are_left(topics):
    figure = topic_tree.draw(topics(), coloured=5)

    assert len(labels(figure)) == topic_tree.LEAVES
    assert len(figure.axes[0].lines) == topic_tree.LEAVES - 1
    assert sum(label.startswith("+  ") for label in labels(figure)) == 1


def test_shares_of_groups_add_up(topics):
    loaded = topics(**FEW)

    shares, left_out = topic_groups._shares(loaded)

    assert not left_out
    assert np.allclose(shares.sum(axis=1), 1)
    # 10 of each topic of -1 to 4, and 20 of its own
    assert shares.loc["group 0"].max() == pytest.approx(20 / 70)
    assert shares.loc["group 0", "in no topic"] == pytest.approx(10 / 70)
    assert len(topic_groups.draw(loaded).axes) == 1


def test_documents_without_a_group_are_counted_beside_the_chart(topics):
    loaded = topics(**FEW)
    told = "documents without a group are left out"
    complete = loaded.documents - int(loaded.groups["documents"].sum())
    fewer = loaded.groups.iloc[1:]

    with style.applied(9):
        figure = topic_groups.draw(replace(loaded, groups=fewer))

    missing = complete + int(loaded.groups["documents"].iloc[0])
    assert f"{missing:,} {told}" in " ".join(text.get_text() for text in figure.texts)


def test_long_names_of_groups_and_topics_leave_the_chart_its_room(topics):
    words = {topic: ["ungewöhnlich" * 10] * 5 for topic in range(12)}
    loaded = topics(**FEW, words=words)
    groups = loaded.groups.assign(group=loaded.groups["group"] + " " + "a long name " * 10)

    with warnings.catch_warnings(), style.applied(9):
        warnings.simplefilter("error")  # matplotlib warns where the layout fails
        figure = topic_groups.draw(replace(loaded, groups=groups))
        figure.draw_without_rendering()

    axes = figure.axes[0]
    box = axes.get_position()
    assert box.width > 0.4
    rows = len(axes.get_yticks())
    assert box.height * figure.get_figheight() > 0.8 * rows * topic_groups.ROW_HEIGHT
    assert all(label.startswith("group") and label.endswith("…") for label in labels(figure))


def test_labels_of_rows_take_a_part_of_the_figure_at_most(topics):
    words = {topic: ["Ж" * 80] * 5 for topic in range(12)}

    with warnings.catch_warnings(), style.applied(9):
        warnings.simplefilter("error")
        figure = topic_frequencies.draw(topics(**FEW, words=words), coloured=5)
        figure.draw_without_rendering()

    assert figure.axes[0].get_position().width > 0.4
    assert labels(figure)[0].startswith("0") and labels(figure)[0].endswith("…")
