"""Coverage against quality, the merge tree and topics by group: what is drawn is what is stored."""

import numpy as np
import pandas as pd
import pytest

from bertline.figures import results, style, topic_coverage, topic_groups, topic_tree
from tests.figures import stored


@pytest.fixture(autouse=True)
def look():
    with style.applied(9):
        yield


def test_each_strategy_has_its_line_and_the_chosen_one_a_ring(topics):
    loaded = topics(topics=12, documents=500)

    figure = topic_coverage.draw(loaded)

    npmi, ami = figure.axes
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["outliers left out", "nearest vectors", "words in common"]
    for axes in (npmi, ami):
        ring = axes.lines[-1]
        assert ring.get_xdata().tolist() == [1.0]
    assert npmi.lines[-1].get_ydata().tolist() == [0.13]
    # filled and hollow for coherence; agreement does not depend on words
    assert len(npmi.lines) == 1 + 2 * 2 + 1
    assert len(ami.lines) == 1 + 2 + 1


def test_without_groups_only_coherence_is_drawn(tmp_path):
    stored.write_metrics(tmp_path / "metrics", groups=False)
    stored.write_topics(tmp_path / "topics", topics=5, documents=200)

    loaded = results.load_topics(tmp_path / "metrics", tmp_path / "topics")

    assert len(topic_coverage.draw(loaded).axes) == 1
    assert loaded.groups.empty


def test_the_tree_has_each_topic_once_with_its_words(topics):
    loaded = topics(topics=12, documents=500)

    axes = topic_tree.draw(loaded, coloured=5).axes[0]

    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(int(label.split()[0]) for label in labels) == list(range(12))
    largest = loaded.table.iloc[0]
    shown = next(label for label in labels if label.split()[0] == str(largest["topic"]))
    assert largest["words"][0] in shown
    assert len(axes.lines) == 11


def test_a_large_tree_begins_where_few_are_left(topics):
    axes = topic_tree.draw(topics(topics=70, documents=3000), coloured=5).axes[0]

    assert len(axes.get_yticklabels()) == topic_tree.LEAVES
    assert len(axes.lines) == topic_tree.LEAVES - 1


@pytest.mark.parametrize("count", [0, 1])
def test_no_two_topics_have_no_tree(topics, count):
    axes = topic_tree.draw(topics(topics=count, documents=60), coloured=5).axes[0]

    assert axes.texts[0].get_text() == "There are no two topics to merge."


def test_shares_of_groups_add_up(topics):
    loaded = topics(topics=12, documents=500)

    shares, left_out = topic_groups._shares(loaded)

    assert not left_out
    assert np.allclose(shares.sum(axis=1), 1)
    # 10 of each topic of -1 to 4, and 20 of its own
    assert shares.loc["group 0"].max() == pytest.approx(20 / 70)
    assert shares.loc["group 0", "in no topic"] == pytest.approx(10 / 70)
    assert len(topic_groups.draw(loaded).axes) == 1


def test_tables_are_read_with_their_types(topics):
    loaded = topics(topics=12, documents=500)

    assert loaded.merges["words"][0] == ["orbit", "moon", "oven"]
    assert loaded.by_number["requested_topics"].tolist() == [10, 20]
    assert isinstance(loaded.coverage, pd.DataFrame)
