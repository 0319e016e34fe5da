"""The confusion matrix: counts over seeds, shares of a row, text that is read on its colour."""

import numpy as np
import pandas as pd
import pytest

from bertline.figures import confusion, style

SET = "in_domain_dev"


def replace_rows(results, rows: list[tuple[int, str, str]]):
    columns = ["seed", "actual", "predicted"]
    results.confusion[SET] = pd.DataFrame(rows, columns=columns)
    return results


def test_counts_are_means_over_seeds(acceptability):
    good, bad = "acceptable", "unacceptable"
    results = replace_rows(
        acceptability(seeds=(1, 2)),
        [(1, good, good), (1, good, good), (1, bad, good), (1, bad, bad)]
        + [(2, good, good), (2, good, bad), (2, bad, bad), (2, bad, bad)],
    )

    # Row acceptable: 2 and 1 right, 0 and 1 wrong. Row unacceptable: 1 and 0 wrong, 1 and 2 right.
    assert confusion.count(results, SET).tolist() == [[1.5, 0.5], [0.5, 1.5]]
    texts = [text.get_text() for text in confusion.draw(results, SET).axes[0].texts]
    assert texts == ["1.5", "75.0%", "0.5", "25.0%", "0.5", "25.0%", "1.5", "75.0%"]


def test_whole_counts_have_no_decimal(acceptability):
    axes = confusion.draw(acceptability(seeds=(1,)), SET).axes[0]

    assert all("." not in text.get_text() for text in axes.texts[::2])


def test_a_label_that_never_occurs_is_a_row_of_zeros(acceptability):
    results = replace_rows(acceptability(seeds=(1,)), [(1, "acceptable", "acceptable")])

    texts = [text.get_text() for text in confusion.draw(results, SET).axes[0].texts]

    assert texts[4:] == ["0", "0.0%", "0", "0.0%"]


@pytest.mark.parametrize("share", np.linspace(0, 1, 21))
def test_text_contrasts_with_every_colour(share):
    background = confusion.SHADES(share)

    assert style.contrast(style.readable_on(background), background) >= 4.5


def test_heading_says_data_backbone_seeds_and_what_is_counted(acceptability):
    says = confusion.draw(acceptability(seeds=(1, 2, 3)), SET).get_label()

    for part in ("synthetic", "minilm", "3\N{NO-BREAK SPACE}seeds", "mean over 3 seeds", SET):
        assert part in says


def test_rows_are_actual_labels_and_columns_predicted_ones(acceptability):
    good, bad = "acceptable", "unacceptable"
    rows = [(1, good, good)] * 6 + [(1, good, bad)] * 2 + [(1, bad, good)] * 3 + [(1, bad, bad)]

    axes = confusion.draw(replace_rows(acceptability(seeds=(1,)), rows), SET).axes[0]

    assert (axes.get_ylabel(), axes.get_xlabel()) == ("actual", "predicted")
    actual = [text.get_text() for text in axes.get_yticklabels()]
    predicted = [text.get_text() for text in axes.get_xticklabels()]
    assert (actual, predicted) == ([f"{good}\n(8)", f"{bad}\n(4)"], [good, bad])
    fields: dict[tuple[str, str], list[str]] = {}
    for text in axes.texts:
        column, row = np.round(text.get_position()).astype(int)
        fields.setdefault((actual[row].split()[0], predicted[column]), []).append(text.get_text())
    assert fields == {
        (good, good): ["6", "75.0%"],
        (good, bad): ["2", "25.0%"],
        (bad, good): ["3", "75.0%"],
        (bad, bad): ["1", "25.0%"],
    }
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0.75, 0.25]]
