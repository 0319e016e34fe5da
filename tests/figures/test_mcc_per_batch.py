"""MCC per batch: a bar per batch, a dot per seed, the whole set as a line with its number."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bertline.figures import mcc_per_batch, style
from bertline.scoring.names import MEAN, TFIDF

SET = "out_of_domain_dev"


def replace_batches(results, scores: list[float]):
    """Return `results` of one seed with a batch of each of these scores, and one of another set."""
    rows = [(SET, 1, place, 32, mcc) for place, mcc in enumerate(scores, start=1)]
    columns = ["set", "seed", "batch", "sentences", "mcc"]
    return replace(results, batches=pd.DataFrame([*rows, ("x", 1, 1, 32, -1.0)], columns=columns))


def test_a_bar_for_each_batch_with_the_mean_over_seeds_and_a_dot_for_each_seed(classification):
    results = classification()

    figure = mcc_per_batch.draw(results, SET)

    (axes,) = figure.axes
    expected = results.batches[results.batches["set"] == SET].groupby("batch")["mcc"].mean()
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(expected.tolist())
    assert len(axes.collections[0].get_offsets()) == 3 * 17
    # 516 sentences in batches of 32: 16 full ones and one of 4.
    for part in ("synthetic", "minilm", "17 batches of 32 sentences (the last one has 4)."):
        assert part in figure.get_label()


@pytest.mark.parametrize(
    "options", [{"seeds": (1,)}, {"sets": {SET: 1000}, "seeds": (1, 2), "batch": 4}]
)
def test_one_seed_and_hundreds_of_batches_have_no_dots(classification, options):
    assert not mcc_per_batch.draw(classification(**options), SET).axes[0].collections


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([32, 32, 4], "3 batches of 32 sentences (the last one has 4)."),
        ([32, 32], "2 batches of 32 sentences."),
        ([20], "One batch of 20 sentences."),
    ],
)
def test_sizes_of_batches_as_text(sizes, expected):
    assert mcc_per_batch.describe_batches(sizes) == expected


def test_lines_are_at_the_scores_of_the_whole_set_and_not_at_the_mean_of_the_bars(classification):
    results = replace_batches(classification(seeds=(1,)), [0.9, 0.1])
    whole, baseline = (results.score(SET, model)["mcc"] for model in (MEAN, TFIDF))

    axes = mcc_per_batch.draw(results, SET).axes[0]

    assert [bar.get_height() for bar in axes.patches] == [0.9, 0.1]
    assert [line.get_ydata()[0] for line in axes.lines] == [0, whole, baseline]
    texts = [text.get_text() for text in axes.texts]
    assert texts == [f"whole set\n{style.number(whole)}", "TF-IDF\n0.240"]


def test_numbers_do_not_touch_when_scores_are_alike(classification):
    results = classification()
    results.scores.loc[results.scores["mcc"].between(0.2, 1), "mcc"] = 0.3

    figure = mcc_per_batch.draw(results, SET)
    figure.draw_without_rendering()

    one, other = (text.get_window_extent() for text in figure.axes[0].texts)
    assert not one.overlaps(other)


def test_a_batch_below_chance_is_inside_the_axes(classification):
    figure = mcc_per_batch.draw(replace_batches(classification(seeds=(1,)), [-0.7, 1.0]), SET)

    low, high = figure.axes[0].get_ylim()
    assert low < -0.7 and high > 1


@pytest.mark.parametrize(("scores", "told"), [([0.5, 0.0], True), ([0.5, 0.1], False)])
def test_a_score_of_0_is_explained_where_there_is_one(classification, scores, told):
    label = mcc_per_batch.draw(replace_batches(classification(seeds=(1,)), scores), SET).get_label()

    assert ("MCC is 0 in a batch whose sentences" in label) is told


def test_a_baseline_without_a_score_has_no_line(classification):
    results = classification()
    results.scores.loc[results.scores["model"] == TFIDF, "mcc"] = np.nan

    axes = mcc_per_batch.draw(results, SET).axes[0]

    assert [text.get_text().split("\n")[0] for text in axes.texts] == ["whole set"]
