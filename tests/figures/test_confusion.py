"""The confusion matrix: counts over seeds, shares of a row, text with contrast."""

import numpy as np
import pandas as pd
import pytest

from bertline.figures import confusion, style

SET = "in_domain_dev"
GOOD, BAD = "acceptable", "unacceptable"


@pytest.fixture
def texts(classification):
    """Return a function that draws rows of (seed, actual, predicted) and returns the texts."""

    def draw(rows: list[tuple[int, str, str]]) -> list[str]:
        results = classification(seeds=(1,))
        results.confusion[SET] = pd.DataFrame(rows, columns=["seed", "actual", "predicted"])
        figure = confusion.draw(results, SET, most_classes=25)
        return [text.get_text() for text in figure.axes[0].texts]

    return draw


def test_counts_are_means_over_seeds(texts):
    rows = [(1, GOOD, GOOD), (1, GOOD, GOOD), (1, BAD, GOOD), (1, BAD, BAD)]
    rows += [(2, GOOD, GOOD), (2, GOOD, BAD), (2, BAD, BAD), (2, BAD, BAD)]

    # Row unacceptable: 1 and 2 right, 1 and 0 wrong. Row acceptable: 0 and 1 wrong, 2 and 1 right.
    assert texts(rows) == ["1.5", "75.0%", "0.5", "25.0%", "0.5", "25.0%", "1.5", "75.0%"]


def test_a_label_that_never_occurs_is_a_row_of_zeros(texts):
    assert texts([(1, GOOD, GOOD)]) == [*["0", "0.0%"] * 3, "1", "100.0%"]


def test_rows_are_actual_labels_and_columns_predicted_ones(classification):
    results = classification(seeds=(1,))
    rows = [(1, GOOD, GOOD)] * 6 + [(1, GOOD, BAD)] * 2 + [(1, BAD, GOOD)] * 3 + [(1, BAD, BAD)]
    results.confusion[SET] = pd.DataFrame(rows, columns=["seed", "actual", "predicted"])

    axes = confusion.draw(results, SET, most_classes=25).axes[0]

    assert (axes.get_ylabel(), axes.get_xlabel()) == ("actual", "predicted")
    assert [text.get_text() for text in axes.get_yticklabels()] == [f"{BAD}\n(4)", f"{GOOD}\n(8)"]
    assert [text.get_text() for text in axes.get_xticklabels()] == [BAD, GOOD]
    fields: dict[tuple[int, int], list[str]] = {}
    for text in axes.texts:
        column, row = np.round(text.get_position()).astype(int)
        fields.setdefault((row, column), []).append(text.get_text())
    assert fields == {
        (0, 0): ["1", "25.0%"],
        (0, 1): ["3", "75.0%"],
        (1, 0): ["2", "25.0%"],
        (1, 1): ["6", "75.0%"],
    }
    assert axes.images[0].get_array().tolist() == [[0.25, 0.75], [0.25, 0.75]]


def test_of_many_classes_those_with_the_most_errors_are_shown_and_the_others_summed():
    # Errors of a: 3 + 0, of b: 1 + 5, of c: 1 + 4, of d: 4 + 0.
    counts = np.array([[9, 2, 1, 0], [0, 9, 1, 0], [0, 1, 9, 0], [0, 2, 2, 9]], dtype=float)

    matrix = confusion.select(counts, ["a", "b", "c", "d"], 2)

    assert (matrix.rows, matrix.columns) == (["b", "c"], ["b", "c", "2 others"])
    assert matrix.counts.tolist() == [[9, 1, 0], [1, 9, 0]]
    assert confusion.select(counts, ["a", "b", "c", "d"], 3).rows == ["b", "c", "d"]
    assert confusion.select(counts, ["a", "b", "c", "d"], 3).counts.sum(axis=1).tolist() == [
        *(10, 10, 13),
    ]


def test_many_classes_have_counts_alone_where_there_is_one_and_names_are_cut(classification):
    results = classification(seeds=(1,))
    names = [f"a class with a long name, number {place}" for place in range(30)]
    results.protocol["labels"] = names
    rows = [(1, name, names[0]) for name in names for _ in range(3)]
    results.confusion[SET] = pd.DataFrame(rows, columns=["seed", "actual", "predicted"])

    figure = confusion.draw(results, SET, most_classes=10)

    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3"] * 10
    assert "The 10 classes with the most errors, of 30." in figure.get_label()
    assert all("…" in label.get_text() for label in axes.get_xticklabels()[:-1])
    assert axes.get_xticklabels()[-1].get_text() == "20 others"


def test_text_contrasts_with_every_colour():
    backgrounds = [confusion.SHADES(float(share)) for share in np.linspace(0, 1, 21)]

    assert min(style.contrast(style.readable_on(one), one) for one in backgrounds) >= 4.5


def test_heading_says_data_backbone_seeds_and_what_is_counted(classification):
    label = confusion.draw(classification(), SET, most_classes=25).get_label()

    for part in ("synthetic", "minilm", "3\N{NO-BREAK SPACE}seeds", "mean over 3 seeds", SET):
        assert part in label
