"""Bars of stability: a word for each topic, thresholds, and topics that nothing is known of."""

from dataclasses import replace

from bertline.figures import topic_map, topic_stability
from bertline.figures.results import PARTLY, STABLE


def test_each_of_the_largest_topics_has_its_bar_and_a_word(topics):
    figure = topic_stability.draw(topics(topics=60))
    axes = figure.axes[0]

    assert [bar.get_width() for bar in axes.patches] == [0.91] * 12 + [0.62] * 8
    said = [text.get_text() for text in axes.texts]
    assert said[0] == f"0.91  {STABLE}" and said[-1] == f"0.62  {PARTLY}"
    assert "in 10 other fits, chance taken off" in figure.get_label()


def test_a_topic_that_was_not_looked_at_says_so(topics):
    results = topics(topics=3)
    results = replace(results, stability=results.stability.drop(index=1))

    axes = topic_stability.draw(results).axes[0]

    assert len(axes.patches) == 2
    assert topic_stability.UNKNOWN in [text.get_text() for text in axes.texts]


def test_only_outliers_say_so(topics):
    axes = topic_stability.draw(topics(topics=0, documents=50)).axes[0]

    assert axes.texts[0].get_text() == "There are no topics to show."


def test_the_map_fades_topics_that_are_unstable_and_says_so(topics):
    results = topics(topics=40)
    options = {"top_topics": 30, "label_words": 2, "size": (8.0, 6.0), "dpi": 80}

    figure = topic_map.draw(results, **options)
    opacity = {drawn.get_label(): drawn.get_alpha() for drawn in figure.axes[0].collections}

    assert opacity["unstable topics"] == topic_map.FADED < opacity["named topics"]
    assert any("Faded topics" in text.get_text() for text in figure.texts)
    steady = replace(results, stability=results.stability.assign(verdict=STABLE))
    figure = topic_map.draw(steady, **options)
    drawn = [drawn.get_label() for drawn in figure.axes[0].collections]
    assert "unstable topics" not in drawn
    assert not any("Faded topics" in text.get_text() for text in figure.texts)
