"""The largest topics as bars: readable names, outliers told apart, words taken literally."""

from dataclasses import replace

import numpy as np
import pytest

from bertline.figures import style, topic_frequencies, topic_map


def labels(figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_largest_topics_have_bars_in_falling_order(topics):
    figure = topic_frequencies.draw(topics(topics=60), coloured=20)
    heights = [bar.get_width() for bar in figure.axes[0].patches]

    assert len(heights) == topic_frequencies.SHOWN
    assert heights == sorted(heights, reverse=True)
    assert figure.get_label().startswith("The 30 largest of 60 topics")


def test_bars_have_the_colours_of_the_map(topics):
    bars = topic_frequencies.draw(topics(topics=60), coloured=20).axes[0].patches
    colours = [style.to_rgb(bar.get_facecolor()) for bar in bars]

    assert colours[:20] == [style.to_rgb(style.topic_colour(rank)) for rank in range(20)]
    assert set(colours[20:]) == {style.to_rgb(style.SMALL_TOPIC)}


def test_outliers_are_in_the_heading_and_not_among_the_bars(topics):
    figure = topic_frequencies.draw(topics(documents=1000, outlier_share=0.33), coloured=20)

    assert "of 1,000 documents are outliers, in no topic" in figure.get_label()
    assert not any(label.startswith("-1") for label in labels(figure))


def test_words_with_signs_of_mathematics_are_drawn_as_they_are(topics):
    words = ["$x^2$", "a_b", "\\frac", "100%", "$"]
    figure = topic_frequencies.draw(topics(topics=3, words={0: words}), coloured=3)
    figure.draw_without_rendering()

    assert labels(figure)[0] == "0  $x^2$, a_b, \\frac, 100%, $"
    assert not any(label.get_parse_math() for label in figure.axes[0].get_yticklabels())


def test_only_outliers_say_so(topics):
    figure = topic_frequencies.draw(topics(topics=0, documents=50), coloured=20)
    figure.draw_without_rendering()

    assert figure.axes[0].texts[0].get_text() == "There are no topics to show."
    assert "50 of 50 documents are outliers" in figure.get_label()


def test_one_topic_without_words_is_drawn(topics):
    figure = topic_frequencies.draw(topics(topics=1, words={0: []}), coloured=20)

    assert labels(figure) == ["0  (no words)"]


def test_bars_are_as_long_as_the_stored_counts_and_say_them(topics):
    results = topics(topics=5, documents=6000)
    sizes = sorted((int((results.topic == topic).sum()) for topic in range(5)), reverse=True)

    axes = topic_frequencies.draw(results, coloured=20).axes[0]

    assert [bar.get_width() for bar in axes.patches] == sizes
    assert [text.get_text() for text in axes.texts] == [f"{size:,}" for size in sizes]
    assert axes.get_xlim()[1] > sizes[0]


@pytest.mark.parametrize(
    ("outliers", "told"),
    [
        (1250, "1,250 of 2,500 documents are outliers, in no topic (50.0%)."),
        (0, "0 of 2,500 documents are outliers, in no topic (0.0%)."),
    ],
)
def test_any_number_of_outliers_is_told_apart(topics, outliers, told):
    results = topics(topics=3, documents=2500)
    results = replace(results, topic=np.repeat([-1, 0], [outliers, 2500 - outliers]))

    says = topic_frequencies.draw(results, coloured=20).get_label()

    assert says.endswith(f"Apart from these, {told}")


def test_points_of_the_map_have_the_colours_of_the_bars(topics):
    results = topics(topics=6, documents=600)

    bars = topic_frequencies.draw(results, coloured=4).axes[0].patches
    drawn = topic_map.draw(results, top_topics=4, label_words=2, size=(6, 5), dpi=60)

    layers = {points.get_label(): points for points in drawn.axes[0].collections}
    for layer, expected in (("named topics", bars[:4]), ("small topics", bars[4:])):
        colours = {tuple(colour[:3]) for colour in layers[layer].get_facecolor()}
        assert colours == {bar.get_facecolor()[:3] for bar in expected}
