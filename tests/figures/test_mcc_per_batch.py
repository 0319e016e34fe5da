"""MCC per batch: a bar per batch, a dot per seed, the whole set as a line with its number."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bertline.figures import mcc_per_batch, style
from bertline.figures.results import MEAN, TFIDF

SET = "out_of_domain_dev"


def test_a_bar_for_each_batch_with_the_mean_over_seeds(acceptability):
    results = acceptability(seeds=(1, 2, 3))
    axes = mcc_per_batch.draw(results, SET).axes[0]

    rows = results.batches[results.batches["set"] == SET]
    expected = rows.groupby("batch")["mcc"].mean()

    # 516 sentences in batches of 32: 16 full ones and one of 4.
    assert len(axes.patches) == 17
    assert np.allclose([bar.get_height() for bar in axes.patches], expected)
    assert len(axes.collections[0].get_offsets()) == 3 * 17


def test_one_seed_has_no_dots(acceptability):
    figure = mcc_per_batch.draw(acceptability(seeds=(1,)), SET)

    assert not figure.axes[0].collections
    assert "Bars are of the one seed." in figure.get_label()


def test_whole_set_and_baseline_are_lines_with_their_numbers(acceptability):
    results = acceptability()
    axes = mcc_per_batch.draw(results, SET).axes[0]

    score = results.score(SET, MEAN)["mcc"]
    texts = [text.get_text() for text in axes.texts]

    assert texts == [f"whole set\n{style.number(score)}", "TF-IDF\n0.240"]
    assert axes.get_lines()[-2].get_ydata()[0] == pytest.approx(score)


def test_numbers_do_not_touch_when_scores_are_alike(acceptability):
    results = acceptability()
    results.scores.loc[results.scores["mcc"].between(0.2, 1), "mcc"] = 0.3
    figure = mcc_per_batch.draw(results, SET)
    figure.draw_without_rendering()

    one, other = (text.get_window_extent() for text in figure.axes[0].texts)

    assert not one.overlaps(other)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param([32, 32, 4], "3 batches of 32 sentences; the last one is smaller, with 4."),
        pytest.param([32, 32], "2 batches of 32 sentences."),
        pytest.param([20], "One batch of 20 sentences."),
    ],
)
def test_sizes_of_batches_in_words(sizes, expected):
    assert mcc_per_batch.describe_batches(sizes) == expected


def test_heading_says_what_the_data_is(acceptability):
    says = mcc_per_batch.draw(acceptability(), SET).get_label()

    assert "synthetic" in says
    assert "minilm" in says
    assert "3\N{NO-BREAK SPACE}seeds" in says
    assert "17 batches of 32 sentences; the last one is smaller, with 4." in says


def test_thousands_of_batches_are_drawn_without_dots(acceptability):
    results = acceptability(sets={SET: 5000}, seeds=(1, 2), batch=4)
    axes = mcc_per_batch.draw(results, SET).axes[0]

    assert len(axes.patches) == 1250
    assert not axes.collections


def replace_batches(results, scores: list[float]):
    """Return `results` of one seed with a batch of each of these scores, and one of another set."""
    rows = [(SET, 1, place, 32, mcc) for place, mcc in enumerate(scores, start=1)]
    table = pd.DataFrame(
        [*rows, ("another", 1, 1, 32, -1.0)], columns=["set", "seed", "batch", "sentences", "mcc"]
    )
    return replace(results, batches=table)


def test_line_is_at_the_score_of_the_whole_set_and_not_at_the_mean_of_the_bars(acceptability):
    results = replace_batches(acceptability(seeds=(1,)), [0.9, 0.1])
    whole, baseline = (results.score(SET, model)["mcc"] for model in (MEAN, TFIDF))

    axes = mcc_per_batch.draw(results, SET).axes[0]

    assert [bar.get_height() for bar in axes.patches] == [0.9, 0.1]
    assert [line.get_ydata()[0] for line in axes.lines] == [0, whole, baseline]
    assert whole != pytest.approx(0.5)


def test_a_batch_below_chance_is_inside_the_axes(acceptability):
    axes = mcc_per_batch.draw(replace_batches(acceptability(seeds=(1,)), [-0.7, 1.0]), SET).axes[0]

    low, high = axes.get_ylim()
    assert low < -0.7 and high > 1


@pytest.mark.parametrize(("scores", "told"), [([0.5, 0.0], True), ([0.5, 0.1], False)])
def test_a_score_of_0_is_explained_where_there_is_one(acceptability, scores, told):
    says = mcc_per_batch.draw(replace_batches(acceptability(seeds=(1,)), scores), SET).get_label()

    assert ("A batch has MCC 0 where all its sentences" in says) is told


def test_a_baseline_without_a_score_has_no_line(acceptability):
    results = acceptability()
    results.scores.loc[results.scores["model"] == TFIDF, "mcc"] = np.nan

    axes = mcc_per_batch.draw(results, SET).axes[0]

    assert [text.get_text().split("\n")[0] for text in axes.texts] == ["whole set"]
    assert len(axes.lines) == 2  # chance and the whole set
