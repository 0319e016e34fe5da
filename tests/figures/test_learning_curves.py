"""Learning curves: a thin line per seed, a bold mean, whole epochs."""

import pytest

from bertline.figures import learning_curves
from bertline.scoring.names import TFIDF

THIN, BOLD = 0.8, 2.2


def widths(axes) -> list[float]:
    return [line.get_linewidth() for line in axes.get_lines()]


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_curves_are_the_stored_numbers_of_each_seed_and_their_mean(classification):
    results = classification(seeds=(3, 1, 2))

    losses, scores = learning_curves.draw(results).axes

    assert widths(losses) == [THIN, THIN, THIN, BOLD] * 2  # training and validation
    assert widths(scores)[:4] == [THIN, THIN, THIN, BOLD]
    drawn = [*losses.get_lines()[:8], *scores.get_lines()[:4]]
    for place, column in enumerate(("training_loss", "validation_loss", "validation_mcc")):
        *thin, bold = drawn[4 * place : 4 * place + 4]
        for seed, line in zip((3, 1, 2), thin, strict=True):
            rows = results.curves[results.curves["seed"] == seed]
            assert line.get_xdata().tolist() == rows["epoch"].tolist()
            assert line.get_ydata().tolist() == rows[column].tolist()
        expected = results.curves.groupby("epoch")[column].mean()
        assert bold.get_ydata() == pytest.approx(expected.to_numpy())


def test_one_seed_is_one_bold_line(classification):
    figure = learning_curves.draw(classification(seeds=(1,)))

    assert widths(figure.axes[0]) == [BOLD, BOLD]
    assert "1\N{NO-BREAK SPACE}seed" in figure.get_label()
    assert "Thin lines" not in figure.get_label()


@pytest.mark.parametrize("epochs", [1, 4, 50])
def test_ticks_are_whole_epochs_with_room_at_both_ends(classification, epochs):
    for axes in learning_curves.draw(classification(epochs=epochs, seeds=(1,))).axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert (low, high) == (0.5, epochs + 0.5)
        assert all(tick == round(tick) for tick in ticks)
        assert epochs > 12 or ticks == list(range(1, epochs + 1))


def test_without_validation_the_training_loss_stands_alone(classification):
    figure = learning_curves.draw(classification(sets={"test": 64}))

    (losses,) = figure.axes
    assert widths(losses) == [THIN, THIN, THIN, BOLD]
    assert legend(losses) == ["training"]
    assert "No validation fold was held out." in figure.get_label()


def test_last_score_and_baseline_are_written_and_chance_is_in_sight(classification):
    results = classification()
    results.curves["validation_mcc"] = 0.6

    scores = learning_curves.draw(results).axes[1]

    low, high = scores.get_ylim()
    assert low < 0 < 0.6 < high
    assert [text.get_text() for text in scores.texts] == ["0.600"]
    assert legend(scores) == ["fine-tuned", f"{TFIDF} (0.240)"]
