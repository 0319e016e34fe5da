"""The charts of errors: a row per group, its dot and interval, counts, and what the legend says."""

import pytest
from matplotlib.collections import LineCollection, PathCollection

from bertline.figures import analysis, breakdown
from tests.figures import stored


@pytest.fixture
def load(tmp_path):
    """Return a function that stores an analysis with options of `stored` and loads it."""

    def load(**options) -> analysis.Analysis:
        stored.write_metrics(tmp_path / "metrics", sets=options.get("sets"))
        stored.write_analysis(tmp_path / "metrics", tmp_path / "analysis", **options)
        return analysis.load_analysis(tmp_path / "metrics", tmp_path / "analysis")

    return load


def rows_of(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


@pytest.mark.parametrize("grouping", ["major", "minor", "source", "length"])
def test_every_group_has_its_row_with_stored_share_and_interval(load, grouping):
    loaded = load()
    rows = loaded.groups(grouping)

    errors, _ = breakdown.draw(loaded, "a source", grouping).axes

    assert rows_of(errors) == rows["group"].tolist()
    dots = [
        points.get_offsets().data[0].tolist()
        for points in errors.collections
        if isinstance(points, PathCollection)
    ]
    assert dots == [[share, place] for place, share in enumerate(rows["error_rate"])]
    lines = [
        lines.get_segments()[0][:, 0].tolist()
        for lines in errors.collections
        if isinstance(lines, LineCollection)
    ]
    assert lines == rows[["error_rate_low", "error_rate_high"]].to_numpy().tolist()


def test_counts_and_shares_of_acceptable_sentences_stand_at_the_right(load):
    loaded = load(sets={"test": 300})
    figure = breakdown.draw(loaded, "a source", "major")
    figure.draw_without_rendering()

    texts = [text.get_text() for text in figure.axes[1].texts]

    assert texts == ["sentences", "acceptable", *["100", "70%"] * 3]


def test_groups_are_not_ranked_by_their_errors(load):
    loaded = load(sources=("c", "b", "a"))

    sizes = loaded.groups("source")["sentences"].tolist()

    assert sizes == sorted(sizes, reverse=True)
    lengths = loaded.groups("length")["group"].tolist()
    assert lengths == ["1 to 5 words", "6 to 9 words", "10 to 13 words", "14 words and more"]


def test_a_small_group_is_hollow_and_has_no_mcc(load):
    loaded = load(sets={"test": 60})  # 3 sentences with the minor feature Raising

    figure = breakdown.draw(loaded, "a source", "minor")

    dots = [dot for dot in figure.axes[0].collections if isinstance(dot, PathCollection)]
    assert dots[1].get_facecolor()[0].tolist() == [1, 1, 1, 1]
    scores = [dot for dot in figure.axes[1].collections if isinstance(dot, PathCollection)]
    assert len(scores) < len(dots)
    says = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "too few sentences to tell" in says


def test_odd_and_long_names_are_drawn_on_one_line(load):
    loaded = load(sources=("", "a\nb $x$", "<" * 60))

    figure = breakdown.draw(loaded, "a source", "source")
    figure.draw_without_rendering()

    assert set(rows_of(figure.axes[0])) == {"(no name)", "a b $x$", "<" * 31 + "…"}


def test_groupings_without_groups_are_not_drawn(load):
    assert load(phenomena=(), sources=("one",)).groupings == ["length"]


def test_heading_says_coverage_and_the_whole(load):
    says = breakdown.draw(load(), "a source", "major").get_label()

    assert "a source" in says
    assert "95% intervals over sentences and seeds" in says
    assert "1,043 sentences of both_dev" in says
