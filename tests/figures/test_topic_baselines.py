"""Lines of every model by number of topics; a model's own choice of the number has no place."""

import numpy as np

from bertline.figures import style, topic_baselines
from bertline.figures.results import OWN


def test_every_model_has_its_line_in_every_panel(topics):
    figure = topic_baselines.draw(topics())

    assert len(figure.axes) == 3
    for axes in figure.axes:
        assert [line.get_label() for line in axes.get_lines()] == [OWN, "KeyNMF", "LDA", "NMF"]


def test_lines_are_the_stored_figures(topics):
    results = topics()
    coherence, coverage, product = topic_baselines.draw(results).axes
    rows = results.baselines[results.baselines["model"] == "LDA"]

    line = {line.get_label(): line for line in product.get_lines()}["LDA"]
    assert np.allclose(line.get_ydata(), rows["npmi_times_coverage"])
    assert line.get_xdata().tolist() == [10, 20, 30, 40, 50]


def test_our_line_stands_out_and_no_two_have_one_marker(topics):
    lines = topic_baselines.draw(topics()).axes[0].get_lines()

    assert lines[0].get_color() == style.MODEL
    assert all(lines[0].get_linewidth() > line.get_linewidth() for line in lines[1:])
    assert len({line.get_marker() for line in lines}) == len(lines)
