"""Errors by group: arithmetic by hand, coverage and false alarms, what is left out and why."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bertline.scoring import breakdown
from bertline.scoring.breakdown import (
    Scored,
    bin_lengths,
    break_down,
    difference,
    error_rate,
)
from bertline.scoring.tables import NONE, UNTESTED, WORSE

OPTIONS = {"smallest": 20, "confidence": 0.95, "false_discovery_rate": 0.05}


def singles(n: int) -> np.ndarray:
    return np.arange(n)


def test_share_of_one_model_is_wilsons_with_nearly_all_sentences():
    # 12 of 60 wrong; the variance uses n - 1 and t's quantile, so a little wider than Wilson's
    wrong = np.repeat([[1.0, 0.0]], [12, 48], axis=1)

    share, low, high = error_rate(wrong, singles(60), 0.95)

    plain = stats.binomtest(12, 60).proportion_ci(method="wilson")
    assert share == pytest.approx(0.2)
    assert plain.low - 0.01 < low < plain.low
    assert plain.high < high < plain.high + 0.01


def test_no_error_leaves_an_interval_above_zero():
    share, low, high = error_rate(np.zeros((3, 40)), singles(40), 0.95)

    # Wilson: z^2 / (n + z^2) = 3.84 / 43.84 = .088
    assert (share, low) == (0.0, 0.0)
    assert high == pytest.approx(0.088, abs=0.006)


def test_seeds_that_repeat_one_another_add_nothing_and_others_narrow_the_interval():
    random = np.random.default_rng(7)
    one = (random.random((1, 200)) < 0.3).astype(float)
    others = np.array([random.permutation(one[0]) for _ in range(4)])

    _, low, high = error_rate(one, singles(200), 0.95)
    _, same_low, same_high = error_rate(np.repeat(one, 4, axis=0), singles(200), 0.95)
    _, other_low, other_high = error_rate(others, singles(200), 0.95)

    assert (same_low, same_high) == pytest.approx((low, high), abs=1e-9)
    assert other_high - other_low < 0.75 * (high - low)


def test_members_of_a_pair_that_share_their_fate_count_once():
    wrong = (np.random.default_rng(1).random((1, 100)) < 0.3).astype(float)
    pairs = np.repeat(singles(100), 2)

    _, low, high = error_rate(wrong, singles(100), 0.95)
    _, pair_low, pair_high = error_rate(np.repeat(wrong, 2, axis=1), pairs, 0.95)

    assert (pair_low, pair_high) == pytest.approx((low, high), abs=1e-9)


def test_difference_by_hand():
    # 10 of 20 wrong against 20 of 80: .5 - .25; the score test pools 30 of 100.
    wrong = np.repeat([[1.0, 0.0, 1.0, 0.0]], [10, 10, 20, 60], axis=1)
    inside = singles(100) < 20

    found, low, high, p = difference(wrong, inside, singles(100), 0.95)

    se = np.sqrt(0.3 * 0.7 * (1 / 20 + 1 / 80) * 100 / 99)
    corrected = 0.25 - (1 / 20 + 1 / 80) / 2
    assert found == pytest.approx(0.25)
    assert p == pytest.approx(2 * stats.t.sf(corrected / se, 99), rel=1e-6)
    assert -0.1 < low < 0.25 < high < 0.6
    assert difference(wrong, ~inside, singles(100), 0.95)[0] == pytest.approx(-0.25)


@pytest.mark.parametrize(("size", "rate"), [(20, 0.1), (30, 0.3), (150, 0.2)])
def test_intervals_cover_and_tests_rarely_cry_wolf(size, rate):
    """Sentences of unlike difficulty, and seeds that do not all learn as well."""
    random = np.random.default_rng(size)
    inside, rounds = singles(600) < size, 400
    covered = alarms = reached = 0
    logit = np.log(rate / (1 - rate))

    def errors(sentences: int) -> np.ndarray:
        difficulty = random.normal(scale=1.5, size=sentences)
        skill = random.normal(scale=0.2, size=(3, 1))
        return random.random((3, sentences)) < 1 / (1 + np.exp(-(logit + difficulty + skill)))

    truth = np.mean([errors(5000).mean() for _ in range(40)])
    for _ in range(rounds):
        wrong = errors(600).astype(float)
        _, low, high = error_rate(wrong[:, :size], singles(size), 0.95)
        covered += low <= truth <= high
        _, low, high, p = difference(wrong, inside, singles(600), 0.95)
        reached += low <= 0 <= high
        alarms += p < 0.05

    # 400 rounds: the standard error of .95 is .011
    assert covered / rounds > 0.92, covered / rounds
    assert reached / rounds > 0.92, reached / rounds
    assert alarms / rounds < 0.08, alarms / rounds


@pytest.mark.parametrize(
    ("bounds", "names"),
    [
        ([4, 6], ["1 to 4 words", "5 and 6 words", "7 words and more"]),
        ([1, 2, 5], ["1 word", "2 words", "3 to 5 words", "6 words and more"]),
    ],
)
def test_lengths_are_named_by_their_range(bounds, names):
    assert breakdown.name_lengths(bounds) == names


def test_a_bound_belongs_to_the_range_that_it_ends():
    words = pd.Series([1, 4, 5, 6, 7, 40])

    assert bin_lengths(words, [4, 6]).tolist() == [
        *["1 to 4 words"] * 2,
        *["5 and 6 words"] * 2,
        *["7 words and more"] * 2,
    ]


def scored(n: int = 200, *, seeds: int = 3, rate: float = 0.2) -> Scored:
    random = np.random.default_rng(2)
    labels = (np.arange(n) % 10 < 7).astype(int)
    wrong = random.random((seeds, n)) < rate
    return Scored(labels, np.where(wrong, 1 - labels, labels), singles(n))


def lists(names: list[str | None]) -> pd.Series:
    return pd.Series([None if name is None else name.split() for name in names], dtype=object)


def test_rows_are_all_then_groups_by_size_with_shares_of_errors_by_hand():
    test = scored()
    groups = lists(["small"] * 50 + ["large"] * 150)

    table = break_down("dev", test, {"source": groups}, **OPTIONS)

    assert table["group"].tolist() == ["all", "large", "small"]
    assert table["sentences"].tolist() == [200, 150, 50]
    assert table["error_rate"].tolist() == pytest.approx(
        [test.wrong.mean(), test.wrong[:, 50:].mean(), test.wrong[:, :50].mean()]
    )
    assert table["difference"].iloc[1] == pytest.approx(-table["difference"].iloc[2])
    assert (table["mcc_low"] < table["mcc"]).all() and (table["mcc"] < table["mcc_high"]).all()
    assert pd.isna(table["p"].iloc[0])  # the whole has no rest


def test_majority_share_is_that_of_the_most_frequent_class_of_the_set():
    labels = np.repeat([2, 0, 1], [80, 50, 70])
    test = Scored(labels, np.tile(labels, (2, 1)), singles(200))
    groups = lists(["a"] * 60 + ["b"] * 140)

    table = break_down("dev", test, {"source": groups}, **OPTIONS).set_index("group")

    assert table["majority_share"].to_dict() == {"all": 0.4, "b": 20 / 140, "a": 1.0}


def test_a_sentence_may_be_in_several_groups_and_one_that_nothing_is_known_of_in_none():
    groups = lists(["a b"] * 40 + ["a"] * 40 + [""] * 60 + [None] * 60)

    table = break_down("dev", scored(), {"major": groups}, **OPTIONS).set_index("group")

    assert table.loc["a", "sentences"] == 80 and table.loc["b", "sentences"] == 40
    wrong = scored().wrong
    expected = wrong[:, :40].mean() - wrong[:, 40:140].mean()  # the unknown 60 are not the rest
    assert table.loc["b", "difference"] == pytest.approx(expected)


def test_a_small_group_has_a_wide_share_and_neither_mcc_nor_test_nor_is_it_tested_against():
    groups = lists(["small"] * 19 + ["large"] * 181)

    table = break_down("dev", scored(), {"source": groups}, **OPTIONS).set_index("group")

    row = table.loc["small"]
    assert row["finding"] == UNTESTED and "fewer than 20 sentences" in row["note"]
    assert row["error_rate_high"] - row["error_rate_low"] > 0.2
    assert row[["mcc", "difference", "p", "q"]].isna().all()
    row = table.loc["large"]
    assert row["finding"] == UNTESTED and "the rest" in row["note"]
    assert pd.notna(row["mcc"]) and pd.isna(row["p"])


def test_groups_follow_an_order_that_is_given_and_a_grouping_with_one_group_is_left_out():
    groupings = {"length": lists(["b"] * 150 + ["a"] * 50), "source": lists(["x"] * 200)}

    table = break_down("dev", scored(), groupings, **OPTIONS, orders={"length": ["c", "a", "b"]})

    assert table["group"].tolist() == ["all", "a", "b"]


def test_a_group_of_one_label_or_one_answer_has_no_mcc_and_says_why():
    labels = np.repeat([1, 0, 1], [50, 50, 100])
    predicted = np.tile(np.repeat([1, 1, 0], [50, 100, 50]), (2, 1))
    test = Scored(labels, predicted, singles(200))

    table = break_down(
        "dev", test, {"source": lists(["a"] * 50 + ["b"] * 150), "half": lists(["c d"] * 200)},
        **OPTIONS,
    ).set_index("group")  # fmt: skip

    assert pd.isna(table.loc["a", "mcc"]) and "the same label" in table.loc["a", "note"]
    assert pd.notna(table.loc["b", "mcc"])
    only = Scored(np.repeat([0, 1], 50), np.ones((2, 100), dtype=int), singles(100))
    row = break_down("dev", only, {}, **OPTIONS).iloc[0]
    assert pd.isna(row["mcc"]) and "answer is the same" in row["note"]


def test_a_planted_group_is_found_and_a_random_one_is_not():
    test = scored(600)
    planted = test.predicted.copy()
    planted[:, :60] = np.where(np.random.default_rng(0).random((3, 60)) < 0.6, 1, 0)
    planted[:, :60] ^= test.labels[:60]
    groups = lists(["hard x"] * 30 + ["hard"] * 30 + ["x"] * 270 + [""] * 270)

    table = break_down(
        "dev", Scored(test.labels, planted, singles(600)), {"major": groups}, **OPTIONS
    ).set_index("group")

    assert table.loc["hard", "finding"] == WORSE
    assert table.loc["x", "finding"] == NONE
