"""Contenders take turns in processes of their own, and ratios are taken within a repeat."""

import pytest

from benchmarks import runner
from benchmarks.runner import Contender
from bertline.core.errors import BertlineError

PEAKS = "benchmarks.machine:peaks"
SMALL = {"size": 32, "copied": 4_096}


def outcome(per_second: float, *, memory: int = 100, flops: float = 2e9) -> dict:
    each = [{"threads": 1, "flops": flops}]
    return {
        "per_second": per_second,
        "cpu_ms": 5.0,
        "seconds": 10 / per_second,
        "peak_memory_mib": memory,
        "each": each,
    }


def test_ratios_are_medians_over_repeats_with_their_range():
    contenders = [Contender("ours", "a:b"), Contender("peer", "a:c", goal=3.5)]
    found = {
        "ours": [outcome(40), outcome(30), outcome(80)],
        "peer": [outcome(10, memory=50), outcome(10, memory=70), outcome(10)],
    }
    ours, peer = runner.summarise(contenders, found)
    # 40 / 10, 30 / 10, 80 / 10
    assert peer["ratio"] == {"median": 4, "low": 3, "high": 8}
    assert (peer["goal"], peer["met"]) == (3.5, True)
    assert peer["peak_memory_mib"] == 100
    assert ours["ratio"] == {"median": 1, "low": 1, "high": 1}
    assert (ours["met"], ours["per_second"]["median"]) == (None, 40)
    assert peer["gflops"]["median"] == 20  # 10 a second of 2 GFLOP


def test_missed_goal_is_missed():
    contenders = [Contender("ours", "a:b"), Contender("peer", "a:c", goal=3.5)]
    _, peer = runner.summarise(contenders, {"ours": [outcome(30)], "peer": [outcome(10)]})
    assert peer["met"] is False


def test_contenders_take_turns_with_the_same_seeds(monkeypatch):
    ran = []

    def run_once(contender: Contender, seed: int) -> dict:
        ran.append((contender.name, seed))
        return outcome(1)

    monkeypatch.setattr(runner, "run_once", run_once)
    contenders = [Contender("two", "a:b", processes=2), Contender("one", "a:c")]
    found = runner.interleave(contenders, 2)
    assert ran == [("two", 1), ("one", 1), ("two", 3), ("one", 2)]
    assert [len(outcomes) for outcomes in found.values()] == [2, 2]


def test_processes_side_by_side_count_together():
    contender = Contender("peaks", PEAKS, SMALL, processes=2, threads=1, seeded=False)
    found = runner.run_once(contender, 1)
    one, other = found["each"]
    assert one["fp32_gflops"] > 0 and other["copy_gb"] > 0
    assert found["per_second"] == pytest.approx(1 / one["seconds"] + 1 / other["seconds"])
    assert found["peak_memory_mib"] == one["peak_memory_mib"] + other["peak_memory_mib"]
    assert one["threads"] == 1
    assert found["cpu_ms"] == pytest.approx(500 * (one["cpu_seconds"] + other["cpu_seconds"]))


def test_contender_that_fails_is_named_with_what_it_said():
    with pytest.raises(BertlineError, match=r"(?s)broken failed in a benchmark: .*size"):
        runner.run_once(Contender("broken", PEAKS, {"size": -1}, seeded=False), 1)
