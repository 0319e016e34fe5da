"""Learning curves: a thin line per seed, a bold mean, whole epochs."""

import numpy as np
import pytest

from bertline.figures import learning_curves
from bertline.figures.results import CURVES, MEAN, TFIDF

THIN, BOLD = 0.8, 2.2


def widths(axes) -> list[float]:
    return [line.get_linewidth() for line in axes.get_lines()]


def test_every_seed_is_thin_and_the_mean_is_bold(acceptability):
    losses, scores = learning_curves.draw(acceptability(seeds=(1, 2, 3))).axes

    # Training and validation: three seeds and a mean each.
    assert widths(losses) == [THIN, THIN, THIN, BOLD] * 2
    assert widths(scores)[:4] == [THIN, THIN, THIN, BOLD]


def test_bold_line_is_the_mean_over_seeds(acceptability):
    results = acceptability(seeds=(1, 2, 3))
    scores = learning_curves.draw(results).axes[1]

    expected = results.curves.groupby("epoch")["validation_mcc"].mean()

    assert np.allclose(scores.get_lines()[3].get_ydata(), expected)


def test_one_seed_is_one_bold_line(acceptability):
    figure = learning_curves.draw(acceptability(seeds=(7,)))

    assert widths(figure.axes[0]) == [BOLD, BOLD]
    assert "1\N{NO-BREAK SPACE}seed" in figure.get_label()
    assert "Thin lines" not in figure.get_label()


def test_one_epoch_has_points_and_one_tick(acceptability):
    figure = learning_curves.draw(acceptability(epochs=1))
    figure.draw_without_rendering()

    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]
        assert all(line.get_marker() != "None" for line in axes.get_lines()[:4])


@pytest.mark.parametrize("epochs", [2, 3, 4, 10, 50])
def test_ticks_are_whole_epochs(acceptability, epochs):
    figure = learning_curves.draw(acceptability(epochs=epochs))
    figure.draw_without_rendering()

    ticks = figure.axes[0].get_xticks()

    assert np.array_equal(ticks, np.round(ticks))


def test_without_validation_the_training_loss_stands_alone(acceptability):
    results = acceptability(sets={"out_of_domain_dev": 516})
    figure = learning_curves.draw(results)
    figure.draw_without_rendering()

    assert set(results.curves.columns) >= set(CURVES)
    (losses,) = figure.axes
    assert widths(losses) == [THIN, THIN, THIN, BOLD]
    assert "No validation fold was held out." in figure.get_label()


def test_baseline_stands_beside_the_validation_score(acceptability):
    results = acceptability()
    scores = learning_curves.draw(results).axes[1]

    legend = [text.get_text() for text in scores.get_legend().get_texts()]

    assert legend == ["fine-tuned", f"{TFIDF} (0.240)"]
    assert results.score("validation", MEAN) is not None


@pytest.mark.parametrize("epochs", [1, 2, 4, 8])
def test_every_epoch_of_a_few_has_its_tick(acceptability, epochs):
    figure = learning_curves.draw(acceptability(epochs=epochs, seeds=(1,)))

    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks == list(range(1, epochs + 1))


def test_curves_are_the_stored_numbers_of_each_seed_and_their_mean(acceptability):
    results = acceptability(seeds=(3, 1, 2))

    losses, scores = learning_curves.draw(results).axes

    drawn = [*losses.get_lines()[:8], *scores.get_lines()[:4]]
    for place, column in enumerate(("training_loss", "validation_loss", "validation_mcc")):
        *thin, bold = drawn[4 * place : 4 * place + 4]
        for seed, line in zip((3, 1, 2), thin, strict=True):
            rows = results.curves[results.curves["seed"] == seed]
            assert line.get_xdata().tolist() == rows["epoch"].tolist()
            assert line.get_ydata().tolist() == rows[column].tolist()
        expected = results.curves.groupby("epoch")[column].mean()
        assert bold.get_ydata() == pytest.approx(expected.to_numpy())


def test_one_epoch_is_not_at_the_edge(acceptability):
    for axes in learning_curves.draw(acceptability(epochs=1)).axes:
        assert axes.get_xlim() == (0.5, 1.5)


def test_last_score_is_written_and_a_score_of_chance_is_in_sight(acceptability):
    results = acceptability()
    results.curves["validation_mcc"] = 0.6

    scores = learning_curves.draw(results).axes[1]

    low, high = scores.get_ylim()
    assert low < 0 < 0.6 < high
    assert [text.get_text() for text in scores.texts] == ["0.600"]


def test_without_validation_the_legend_has_the_training_loss_alone(acceptability):
    (losses,) = learning_curves.draw(acceptability(sets={"test": 64})).axes

    assert [text.get_text() for text in losses.get_legend().get_texts()] == ["training"]
