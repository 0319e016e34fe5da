"""The chart of scores: a panel per set, a row per model, its interval and its number."""

import pytest
from matplotlib.collections import LineCollection, PathCollection

from bertline.figures import scores, style
from bertline.figures.results import ENSEMBLE, MAJORITY, MEAN, TFIDF


def rows_of(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def numbers_of(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if "sentences" not in text.get_text()]


def test_a_panel_for_each_set_and_a_row_for_each_model(acceptability):
    panels = scores.draw(acceptability(seeds=(1, 2, 3))).axes

    assert [axes.get_title(loc="left").strip() for axes in panels] == [
        "validation",
        "in_domain_dev",
        "out_of_domain_dev",
        "both_dev",
    ]
    assert rows_of(panels[0]) == [
        "mean of 3 seeds",
        "seed 1",
        "seed 2",
        "seed 3",
        "ensemble of seeds",
        "TF-IDF + logistic regression",
        "majority class",
    ]
    assert [len(numbers_of(axes)) for axes in panels] == [7, 7, 7, 7]


def test_mean_has_its_interval_and_its_number(acceptability):
    results = acceptability()
    axes = scores.draw(results).axes[2]
    row = results.score("out_of_domain_dev", MEAN)

    interval = axes.collections[0].get_segments()[0]

    assert interval[:, 0].tolist() == pytest.approx([row["mcc_low"], row["mcc_high"]])
    assert numbers_of(axes)[0] == style.number(row["mcc"])


def test_one_seed_has_no_mean(acceptability):
    axes = scores.draw(acceptability(seeds=(4,))).axes[0]

    assert rows_of(axes)[0] == "seed 4"
    assert axes.get_yticklabels()[0].get_fontweight() == "bold"


def test_many_seeds_share_a_row(acceptability):
    figure = scores.draw(acceptability(seeds=range(30)))

    assert rows_of(figure.axes[0])[:2] == ["mean of 30 seeds", "single seeds"]


@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_sets(acceptability, number):
    sets = {f"set_{place}": 64 for place in range(number)}
    figure = scores.draw(acceptability(sets=sets))
    figure.draw_without_rendering()

    assert sum(axes.get_visible() for axes in figure.axes) == number


def test_missing_interval_leaves_the_dot(acceptability):
    results = acceptability(sets={"test": 64}, seeds=(1,))
    results.scores[["mcc_low", "mcc_high"]] = float("nan")

    axes = scores.draw(results).axes[0]

    assert len(axes.collections) == 3  # seed, baseline and majority: dots without lines


def test_heading_says_data_backbone_seeds_and_coverage(acceptability):
    says = scores.draw(acceptability()).get_label()

    for part in (
        "synthetic",
        "minilm",
        "3\N{NO-BREAK SPACE}seeds",
        "95% intervals",
        "for other seeds as well",
    ):
        assert part in says


def dots_of(axes) -> list[tuple[float, float]]:
    return [
        tuple(points.get_offsets().data[0])
        for points in axes.collections
        if isinstance(points, PathCollection)
    ]


def intervals_of(axes) -> list[tuple[float, float]]:
    return [
        tuple(lines.get_segments()[0][:, 0])
        for lines in axes.collections
        if isinstance(lines, LineCollection)
    ]


def test_every_dot_and_interval_is_at_the_stored_numbers_of_its_row(acceptability):
    results = acceptability(seeds=(1, 2, 3))
    models = [MEAN, "seed 1", "seed 2", "seed 3", ENSEMBLE, TFIDF, MAJORITY]

    panels = scores.draw(results).axes

    for axes, name in zip(panels, results.sets, strict=True):
        rows = [results.score(name, model) for model in models]
        assert dots_of(axes) == [(row["mcc"], place) for place, row in enumerate(rows)]
        # A model that always answers the same has an MCC of 0, and no interval.
        bounds = [(row["mcc_low"], row["mcc_high"]) for row in rows[:-1]]
        assert intervals_of(axes) == bounds
        low, high = axes.get_xlim()
        assert all(low < first and last < high for first, last in bounds)


def test_one_seed_has_three_rows_with_a_dot_each(acceptability):
    (axes,) = scores.draw(acceptability(seeds=(4,), sets={"test": 64})).axes

    assert rows_of(axes) == ["seed 4", TFIDF, MAJORITY]
    assert [place for _, place in dots_of(axes)] == [0, 1, 2]


def test_seeds_that_share_a_row_have_dots_without_intervals_or_numbers(acceptability):
    (axes,) = scores.draw(acceptability(seeds=range(13), sets={"test": 64})).axes

    assert [place for _, place in dots_of(axes)] == [0, *[1] * 13, 2, 3, 4]
    assert (len(intervals_of(axes)), len(numbers_of(axes))) == (3, 4)
