"""The chart of scores: a panel per set, a row per model, its interval and its number."""

from matplotlib.collections import LineCollection, PathCollection

from bertline.figures import scores, style
from bertline.scoring.names import ENSEMBLE, MAJORITY, MEAN, TFIDF


def rows_of(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def numbers_of(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if "sentences" not in text.get_text()]


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


def test_every_dot_and_interval_is_at_the_stored_numbers_of_its_row(classification):
    results = classification()
    models = [MEAN, "seed 1", "seed 2", "seed 3", ENSEMBLE, TFIDF, MAJORITY]

    figure = scores.draw(results)

    panels = figure.axes
    assert [axes.get_title(loc="left").strip() for axes in panels] == results.sets
    assert rows_of(panels[0]) == ["mean of 3 seeds", *models[1:]]
    for axes, name in zip(panels, results.sets, strict=True):
        rows = [results.score(name, model) for model in models]
        assert dots_of(axes) == [(row["mcc"], place) for place, row in enumerate(rows)]
        # A model that always answers the same has an MCC of 0, and no interval.
        bounds = [(row["mcc_low"], row["mcc_high"]) for row in rows[:-1]]
        assert intervals_of(axes) == bounds
        assert numbers_of(axes) == [style.number(row["mcc"]) for row in rows]
        low, high = axes.get_xlim()
        assert all(low < first and last < high for first, last in bounds)
    for part in ("synthetic", "minilm", "3\N{NO-BREAK SPACE}seeds", "95% intervals"):
        assert part in figure.get_label()


def test_one_seed_has_three_rows_with_a_dot_each(classification):
    results = classification(seeds=(4,), sets={"test": 64})
    results.scores[["mcc_low", "mcc_high"]] = float("nan")

    (axes,) = scores.draw(results).axes

    assert rows_of(axes) == ["seed 4", TFIDF, MAJORITY]
    assert axes.get_yticklabels()[0].get_fontweight() == "bold"
    assert [place for _, place in dots_of(axes)] == [0, 1, 2]
    assert intervals_of(axes) == []


def test_seeds_that_share_a_row_have_dots_without_intervals_or_numbers(classification):
    (axes,) = scores.draw(classification(seeds=range(13), sets={"test": 64})).axes

    assert rows_of(axes)[:2] == ["mean of 13 seeds", "single seeds"]
    assert [place for _, place in dots_of(axes)] == [0, *[1] * 13, 2, 3, 4]
    assert (len(intervals_of(axes)), len(numbers_of(axes))) == (3, 4)


def test_any_number_of_sets(classification):
    figure = scores.draw(classification(sets={f"set_{place}": 64 for place in range(5)}))

    assert sum(axes.get_visible() for axes in figure.axes) == 5
