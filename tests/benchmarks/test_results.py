"""Quality is held to Bertline's, and results are rendered with goals met or missed."""

import json

import numpy as np
import pytest

from benchmarks import bench, inputs, quality, results
from benchmarks.bench import Bench, Sizes

LABELS = [0, 1] * 100


def fine_tuned(predictions: list[int], loss: float = 0.5) -> list[dict]:
    each = [{"predictions": predictions, "labels": LABELS, "loss": loss}]
    return [{"each": each}]


def flipped(every: int) -> list[int]:
    """Return the labels with one of `every` wrong."""
    return [1 - label if not place % every else label for place, label in enumerate(LABELS)]


@pytest.mark.parametrize(
    ("answers", "same"),
    [(flipped(5), True), (flipped(9), False), ([1] * 200, False), (flipped(4), True)],
    ids=["identical", "better", "constant", "as good"],
)
def test_mcc_is_the_same_where_the_interval_of_the_difference_holds_0(answers, same):
    rows = [{"name": "ours"}, {"name": "peer"}]
    found = {"ours": fine_tuned(flipped(5)), "peer": fine_tuned(answers, loss=0.7)}
    quality.add_scores(rows, found)
    assert rows[1]["same"] is same
    # 200 sentences, 40 wrong, none of a class more: accuracy .8 is an MCC of about .6.
    assert rows[0]["quality"]["mcc"] == pytest.approx(0.6, abs=0.01)
    assert rows[1]["quality"]["loss"] == 0.7


def test_mcc_of_constant_answers_is_undefined_and_not_the_same():
    rows = [{"name": "ours"}, {"name": "peer"}]
    quality.add_scores(rows, {"ours": fine_tuned([1] * 200), "peer": fine_tuned([0] * 200)})
    assert rows[1]["same"] is None and rows[1]["quality"]["low"] is None
    assert rows[0]["same"] is True


def test_vectors_are_held_to_mean_and_least_cosine(tmp_path):
    reference = np.eye(4, dtype=np.float32)
    turned = reference + np.float32(0.2) * np.eye(4, k=1, dtype=np.float32)
    found = {}
    for name, vectors in (("same", reference), ("plain", reference), ("turned", turned)):
        path = tmp_path / f"{name}.npy"
        np.save(path, vectors)
        found[name] = [{"each": [{"vectors": str(path)}]}]
    rows = [{"name": name} for name in found]
    quality.add_cosines(rows, found, reference="plain")
    assert [row["same"] for row in rows] == [True, True, False]
    # 1 / √(1 + .2²) for three of four
    assert rows[2]["quality"]["least"] == pytest.approx(1 / np.sqrt(1.04))


SPEED = {"median": 200.0, "low": 190.0, "high": 210.0}
SPREAD = {"median": 8.0, "low": 7.0, "high": 9.0}
TOPICS = {"topics": 38.0, "coverage": 1.0, "npmi": 0.2, "ami": 0.64, "ami_new": 0.6}


def row(name: str, *, goal: float | None, found: dict, **more: object) -> dict:
    return {
        **{"name": name, "processes": 2, "threads": 1, "peak_memory_mib": 1500, "goal": goal},
        **{"per_second": SPEED, "ratio": SPREAD, "met": None if goal is None else goal <= 8},
        **{"quality": found, "same": True, "cpu_ms": SPREAD, **more},
    }


SCORES = {"mcc": 0.2, "loss": 0.6, "low": -0.1, "high": 0.1}


def measured() -> dict:
    peaks = {"fp32_gflops": 100.0, "bf16_gflops": 200.0, "copy_gb": 10.0}
    one = {"shares": {"matrix products": 0.6, "rest": 0.4}, "operators": {"aten::addmm": 0.5}}
    cosines = {"mean": 0.9999, "least": 0.998}
    parts = {"fit and map": SPREAD, "new documents": SPREAD}
    gflops = {"gflops": {"median": 100.0, "low": 90.0, "high": 110.0}}
    training = [
        row("Bertline", goal=None, found=SCORES, **gflops),
        row("slow peer", goal=8, found=SCORES),
        row("fast peer", goal=20, found=SCORES | {"low": None, "high": None}),
    ]
    return {
        "minutes": 9.5,
        "sizes": {"repeats": 3, "slow_repeats": 2},
        "machine": {
            "processor": "a processor",
            "cores": 2,
            "instruction_sets": ["avx2"],
            "native_bf16": True,
            "memory_gib": 16.0,
            "system": "Linux",
            "python": "3.11.7",
            "packages": {"torch": "2.13.0"},
            "peaks": {"one_thread": peaks, "all_cores": peaks},
        },
        "sections": {
            "training": {"rows": training, "sentences": 256},
            "embedding": {"rows": [row("encode", goal=4, found=cosines)], "documents": 99},
            "topics": {
                "rows": [row("BERTopic", goal=3, found=TOPICS, parts=parts)],
                "documents": 6600,
                "new": 600,
            },
            "busy": {"rows": [row("idle cores, 1 thread", goal=None, found={})], "batch": 32},
            "profile": {"training": one},
        },
    }


def test_results_have_ratios_goals_quality_and_the_share_of_the_peak():
    text = results.render(measured())
    assert "| Fine-tuning | slow peer | 8.00 [7.00, 9.00] | 8 | met | yes |" in text
    assert "| Fine-tuning | fast peer | 8.00 [7.00, 9.00] | 20 | missed | yes |" in text
    assert "| GEMM peak in bf16, GFLOP/s | 200 with one thread, 200 with all cores |" in text
    assert "| 0.200 | [-0.100, +0.100] | yes | 0.600 |" in text
    speed = "| 200.0 [190.0, 210.0] | 8.00 [7.00, 9.00] | 8 | met | 8.0 | 1,500 |"
    assert f"| slow peer | 2 × 1 {speed}" in text
    assert "| 0.99990 | 0.99800 | yes |" in text
    assert "| 38 | 1.00 | 0.200 | 0.640 | 0.600 |" in text
    assert "| idle cores, 1 thread | 0.16 | 8.00 [7.00, 9.00] |" in text  # 32 / 200
    assert "| matrix products | 60.0% |" in text
    assert "| Fine-tuning | Bertline | 100 | 50% | 100% |" in text


def test_tables_have_as_many_cells_in_each_line_as_in_their_header():
    widths = [line.count("|") for line in results.render(measured()).splitlines()]
    for width, before in zip(widths[1:], widths, strict=False):
        assert not width or not before or width == before


def test_results_are_written_after_each_section(tmp_path, monkeypatch):
    section = measured()["sections"]["training"]

    def stop(self: Bench) -> dict:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "measure_machine", lambda: measured()["machine"])
    monkeypatch.setattr(inputs, "require", lambda data: None)
    monkeypatch.setattr(Bench, "training", lambda self: section)
    monkeypatch.setattr(Bench, "embedding", stop)
    out = tmp_path / "results.json"
    words = ["bench", "--only", "training", "embedding", "--out", str(out), "--repeats", "1"]
    monkeypatch.setattr("sys.argv", [*words, "--sentences", "32", "--documents", "50"])
    with pytest.raises(KeyboardInterrupt):
        bench.main()
    found = json.loads(out.read_text())
    assert list(found["sections"]) == ["training"]
    assert "slow peer" in out.with_suffix(".md").read_text()
    wanted = Sizes(32, 32, 32, 50, 50, 5, 1, 1)
    assert found["sizes"] == vars(wanted)
