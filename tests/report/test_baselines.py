"""What the report says of other models and of stability is what was measured."""

from dataclasses import replace

import pytest

from bertline.figures import results
from bertline.figures.results import OWN, Topics
from bertline.report import baselines as report_peers
from tests.figures import stored


@pytest.fixture
def topics(tmp_path) -> Topics:
    stored.write_metrics(tmp_path / "metrics")
    stored.write_topics(tmp_path / "topics")
    return results.load_topics(tmp_path / "metrics", tmp_path / "topics")


def with_own(topics: Topics, value: float) -> Topics:
    baselines = topics.baselines.copy()
    baselines.loc[baselines["model"] == OWN, "npmi_times_coverage"] = value
    return replace(topics, baselines=baselines)


def test_who_leads_is_said_with_both_figures(topics):
    # KeyNMF has (.15 - n / 1000) * .95 at 10 to 50 topics, in the mean .12 * .95 = .114
    said = report_peers.baselines_sentence(with_own(topics, 0.15))

    assert "Bertline leads: 0.150 against 0.114 of the next best, KeyNMF." in said


def test_that_another_leads_is_said_as_plainly(topics):
    said = report_peers.baselines_sentence(with_own(topics, 0.1))

    assert "KeyNMF leads and Bertline is behind by 0.014: 0.100 against 0.114." in said


def test_a_lead_within_the_spread_of_seeds_is_none(topics):
    # The SD over seeds is .002 in these tables.
    assert "leads" in report_peers.baselines_sentence(with_own(topics, 0.1165))
    for value in (0.1155, 0.1125):
        said = report_peers.baselines_sentence(with_own(topics, value))
        assert "Bertline and KeyNMF cannot be told apart" in said
        assert "(SD up to 0.002)" in said


def test_without_a_spread_equal_figures_are_level(topics):
    baselines = topics.baselines.assign(
        npmi_times_coverage=0.1, npmi_times_coverage_sd=float("nan")
    )

    assert "are level" in report_peers.baselines_sentence(replace(topics, baselines=baselines))


def test_without_other_models_nothing_is_claimed(topics):
    alone = replace(topics, baselines=topics.baselines[topics.baselines["model"] == OWN])

    assert report_peers.baselines_sentence(alone) == "There are no other models to compare with."


def test_the_table_has_every_row_and_names_the_number_that_a_model_chose(topics):
    table = report_peers.baselines_table(topics)

    assert table.count("<tr") == 1 + len(topics.baselines)
    assert "its own" in table and "65.0%" in table


def test_stability_is_told_in_counts_and_words(topics):
    said = report_peers.stability(topics)

    assert "grouped again 10 times" in said
    assert "20 of 60 topics are <b>stable</b>" in said
    assert "40.0% of all documents are in the core of a stable topic" in said
    assert "found 55 to 68 topics" in said


def test_no_topics_have_no_stability(topics):
    assert "no topics to find again" in report_peers.stability(replace(topics, refits={}))
