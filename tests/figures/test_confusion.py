"""The confusion matrix: counts over seeds, shares of a row, text with contrast."""

import numpy as np
import pandas as pd
import pytest

from bertline.figures import confusion, style

SET = "in_domain_dev"
GOOD, BAD = "acceptable", "unacceptable"


@pytest.fixture
def texts(acceptability):
    """Return a function that draws rows of (seed, actual, predicted) and returns the texts."""

    def draw(rows: list[tuple[int, str, str]]) -> list[str]:
        results = acceptability(seeds=(1,))
        results.confusion[SET] = pd.DataFrame(rows, columns=["seed", "actual", "predicted"])
        return [text.get_text() for text in confusion.draw(results, SET).axes[0].texts]

    return draw


def test_counts_are_means_over_seeds(texts):
    rows = [(1, GOOD, GOOD), (1, GOOD, GOOD), (1, BAD, GOOD), (1, BAD, BAD)]
    rows += [(2, GOOD, GOOD), (2, GOOD, BAD), (2, BAD, BAD), (2, BAD, BAD)]

    # Row acceptable: 2 and 1 right, 0 and 1 wrong. Row unacceptable: 1 and 0 wrong, 1 and 2 right.
    assert texts(rows) == ["1.5", "75.0%", "0.5", "25.0%", "0.5", "25.0%", "1.5", "75.0%"]


def test_a_label_that_never_occurs_is_a_row_of_zeros(texts):
    assert texts([(1, GOOD, GOOD)]) == ["1", "100.0%", "0", "0.0%", *["0", "0.0%"] * 2]


def test_rows_are_actual_labels_and_columns_predicted_ones(acceptability):
    results = acceptability(seeds=(1,))
    rows = [(1, GOOD, GOOD)] * 6 + [(1, GOOD, BAD)] * 2 + [(1, BAD, GOOD)] * 3 + [(1, BAD, BAD)]
    results.confusion[SET] = pd.DataFrame(rows, columns=["seed", "actual", "predicted"])

    axes = confusion.draw(results, SET).axes[0]

    assert (axes.get_ylabel(), axes.get_xlabel()) == ("actual", "predicted")
    assert [text.get_text() for text in axes.get_yticklabels()] == [f"{GOOD}\n(8)", f"{BAD}\n(4)"]
    assert [text.get_text() for text in axes.get_xticklabels()] == [GOOD, BAD]
    fields: dict[tuple[int, int], list[str]] = {}
    for text in axes.texts:
        column, row = np.round(text.get_position()).astype(int)
        fields.setdefault((row, column), []).append(text.get_text())
    assert fields == {
        (0, 0): ["6", "75.0%"],
        (0, 1): ["2", "25.0%"],
        (1, 0): ["3", "75.0%"],
        (1, 1): ["1", "25.0%"],
    }
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0.75, 0.25]]


def test_text_contrasts_with_every_colour():
    backgrounds = [confusion.SHADES(float(share)) for share in np.linspace(0, 1, 21)]

    assert min(style.contrast(style.readable_on(one), one) for one in backgrounds) >= 4.5


def test_heading_says_data_backbone_seeds_and_what_is_counted(acceptability):
    label = confusion.draw(acceptability(), SET).get_label()

    for part in ("synthetic", "minilm", "3\N{NO-BREAK SPACE}seeds", "mean over 3 seeds", SET):
        assert part in label
