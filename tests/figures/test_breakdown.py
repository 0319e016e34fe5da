"""The charts of errors: a row per group with its dot, its interval and its counts."""

import pytest
from matplotlib.collections import LineCollection, PathCollection

from bertline.figures import breakdown


def rows_of(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


@pytest.mark.parametrize("grouping", ["major", "minor", "source", "length"])
def test_every_group_has_its_row_with_stored_error_rate_and_interval(analysis, grouping):
    loaded = analysis()
    rows = loaded.groups(grouping)

    figure = breakdown.draw(loaded, "a source", grouping)

    errors, _ = figure.axes
    assert rows_of(errors) == rows["group"].tolist()
    dots = [
        points.get_offsets().data[0].tolist()
        for points in errors.collections
        if isinstance(points, PathCollection)
    ]
    assert dots == [[rate, place] for place, rate in enumerate(rows["error_rate"])]
    lines = [
        lines.get_segments()[0][:, 0].tolist()
        for lines in errors.collections
        if isinstance(lines, LineCollection)
    ]
    assert lines == rows[["error_rate_low", "error_rate_high"]].to_numpy().tolist()
    for part in ("a source", "95% intervals", "1,043 sentences of both_dev"):
        assert part in figure.get_label()


def test_counts_and_shares_of_the_most_frequent_class_stand_at_the_right(analysis):
    figure = breakdown.draw(analysis(sets={"test": 300}), "a source", "major")

    texts = [text.get_text() for text in figure.axes[1].texts]

    assert texts == ["sentences", "largest class", *["100", "70%"] * 3]


def test_classes_have_no_mcc_and_no_share_of_a_class(analysis):
    figure = breakdown.draw(analysis(), "a source", "class")

    (errors,) = figure.axes
    assert rows_of(errors) == ["unacceptable", "acceptable"]
    assert [text.get_text() for text in errors.texts] == ["sentences", "309", "734"]


def test_of_many_groups_the_largest_are_drawn_in_their_order(analysis, monkeypatch):
    monkeypatch.setattr(breakdown, "MOST", 2)
    loaded = analysis(sets={"test": 70}, sources=("a", "b", "c"), phenomena=())

    figure = breakdown.draw(loaded, "a source", "source")

    assert rows_of(figure.axes[0]) == ["a", "b"]  # 30 and 20 sentences; c has 20
    assert "The 2 largest of 3 groups." in figure.get_label()


def test_groups_are_not_ranked_by_their_errors(analysis):
    loaded = analysis()

    sizes = loaded.groups("source")["sentences"].tolist()

    assert sizes == sorted(sizes, reverse=True)
    lengths = loaded.groups("length")["group"].tolist()
    assert lengths == ["1 to 5 words", "6 to 9 words", "10 to 13 words", "14 words and more"]


def test_a_small_group_is_hollow_and_has_no_mcc(analysis):
    loaded = analysis(sets={"test": 60})  # 3 sentences with the minor feature Raising

    figure = breakdown.draw(loaded, "a source", "minor")

    dots, scores = (
        [dot for dot in axes.collections if isinstance(dot, PathCollection)] for axes in figure.axes
    )
    assert dots[1].get_facecolor()[0].tolist() == [1, 1, 1, 1]
    assert len(scores) < len(dots)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "too few sentences to test" in legend


def test_odd_and_long_names_are_drawn_on_one_line(analysis):
    loaded = analysis(sets={"test": 60}, sources=("", "a\nb $x$", "<" * 120), phenomena=())

    figure = breakdown.draw(loaded, "a source", "source")
    figure.draw_without_rendering()

    *short, long = sorted(set(rows_of(figure.axes[0])), key=len)
    assert short == ["a b $x$", "(no name)"]
    assert long.endswith("<…") and len(long) > 30
    assert loaded.groupings == ["source", "length", "class"]  # phenomena have no groups
