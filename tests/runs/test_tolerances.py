"""Tolerances: every figure of the project has a class or is exact."""

import pytest
from dvc.repo import Repo

from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.runs import tolerances
from bertline.runs.tolerances import ABSENT, CLASSES, COUNTED, ROWS
from bertline.scoring.names import ADAPT_EPOCH

# What is measured of a training that the committed run has turned off.
OPTIONAL = f"{','.join(ADAPT_EPOCH)}\n1,900,1.9,0.5,0.6\n".encode()


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, object]]:
    """Return the figures of every committed file of metrics/, and optional ones, by path."""
    found = {}
    for path in sorted((ROOT / "metrics").rglob("*.*")):
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and name.split("/")[1] not in ("receipts", "costs"):
            (found[name],) = tolerances.read_figures(name, path.read_bytes())
    (optional,) = tolerances.read_figures("metrics/adapt.csv", OPTIONAL)
    found["metrics/adapt.csv"] |= optional
    return found


def test_every_figure_in_floats_has_a_class(measured):
    missing = [
        f"{path}: {key}"
        for path, figures in measured.items()
        for key, value in figures.items()
        if isinstance(value, float) and tolerances.class_of(path, key) is None
    ]
    assert missing == []


def test_every_class_is_of_a_figure_that_there_is(measured):
    used = {
        id(tolerances.class_of(path, key)) for path, figures in measured.items() for key in figures
    }
    assert [tolerance for _, _, tolerance in CLASSES if id(tolerance) not in used] == []


def test_counts_of_data_are_exact(measured):
    early = ("metrics/download", "metrics/parse", "metrics/split", "metrics/tokenize")
    for path, figures in measured.items():
        if path.startswith(early):
            assert {tolerances.class_of(path, key) for key in figures} == {COUNTED}


def test_every_tolerated_output_is_one_of_the_pipeline():
    with Repo(str(ROOT)) as repo:
        outs = {out.def_path for stage in repo.index.stages for out in stage.outs}
    for pattern in tolerances.FLOAT_OUTPUTS:
        assert any(out.startswith(pattern.removesuffix("*")) for out in outs), pattern
    assert not any(map(tolerances.holds_floats, ["data/split", "data/tokenize", "metrics/a.json"]))


@pytest.mark.parametrize(
    ("file", "key", "expected"),
    [
        ("metrics/evaluate.json", "mcc", tolerances.MEAN_CORRELATION),
        ("metrics/evaluate/summary.json", "in_domain_dev.mcc_min", tolerances.CORRELATION),
        ("metrics/evaluate/scores.csv", "validation, seed 1.mcc_low", tolerances.CORRELATION),
        ("metrics/evaluate/learning_curves.csv", "1, 2.validation_loss", tolerances.LOSS),
        ("metrics/evaluate/scores.csv", "dev, seed 1.macro_f1_low", tolerances.SHARE),
        ("metrics/evaluate/scores.csv", "dev, mean of seeds.accuracy", tolerances.MEAN_SHARE),
        ("metrics/evaluate/scores.csv", "dev, TF-IDF.accuracy", tolerances.BASELINE_CORRELATION),
        ("metrics/evaluate/summary.json", "dev.macro_f1_high", tolerances.MEAN_SHARE),
        ("metrics/evaluate/summary.json", "dev.notes.0", ROWS),
        ("metrics/evaluate/classes.csv", "dev, sport.f1_low", ROWS),
        ("metrics/evaluate/classes.csv", "dev, sport.sentences", None),
        ("metrics/evaluate/confusion.csv", "row 1.predicted", ROWS),
        ("metrics/evaluate/confusion/validation.csv", "1, a.predicted", ROWS),
        ("metrics/topic_words/measures.json", "vocabulary", None),
        ("metrics/topic_words/measures.json", "v_measure", tolerances.AGREEMENT),
        ("metrics/topic_words.json", "npmi", tolerances.COHERENCE),
        ("metrics/topic_words/by_number.csv", "10.ari", tolerances.PAIRS_BY_NUMBER),
        ("metrics/topic_stability.json", "stable_share", tolerances.STABLE),
        (
            "metrics/topic_stability.json",
            "measures.0.topics_in_refits.3",
            tolerances.TOPICS_OF_REFITS,
        ),
        ("metrics/analyze/summary.json", "breakdown.sets.both_dev.groups", ROWS),
        ("metrics/analyze/summary.json", "annotations.sentences", None),
    ],
)
def test_class_follows_from_file_and_name(file, key, expected):
    assert tolerances.class_of(file, key) is expected


def test_rows_are_compared_by_name_and_not_by_place():
    a = b"set,model,mcc\ndev,seed 1,0.5\ndev,seed 2,0.6\n"
    b = b"set,model,mcc\ndev,seed 2,0.8\n"

    found, has_tolerance = tolerances.compare("metrics/t.csv", a, b)

    assert has_tolerance
    assert [(item.key, item.a, item.b, item.within) for item in found] == [
        ("dev, seed 1.mcc", 0.5, ABSENT, False),
        ("dev, seed 2.mcc", 0.6, 0.8, False),
    ]


def test_rows_that_no_columns_tell_apart_are_compared_by_place():
    (found,) = tolerances.read_figures("metrics/t.csv", b"a,b\nx,1\nx,1\n")
    assert found == {"row 1.a": "x", "row 1.b": 1, "row 2.a": "x", "row 2.b": 1}


@pytest.mark.parametrize(
    ("key", "a", "b", "within"),
    [
        ("x_mcc", 0.1539, 0.2739, True),
        ("x_mcc", 0.1539, 0.2740, False),
        ("count", 1, 1.0001, False),
        ("x_mcc", None, 0.05, False),
        ("overfits", True, 1.5, False),
        ("x_mcc", "a", "b", False),
        ("x_mcc", 0.05, ABSENT, False),
    ],
    ids=["just", "beyond", "exact", "none", "truth", "text", "absent"],
)
def test_difference_is_within_its_tolerance_or_not(key, a, b, within):
    assert tolerances.judge("metrics/f.json", key, a, b).within is within


def test_rows_that_are_not_compared_are_within():
    assert tolerances.judge("metrics/topic_words/topics.csv", "1.name", "a", "b").within


def test_file_that_is_no_table_of_figures_is_refused():
    with pytest.raises(BertlineError, match=r"metrics/a\.json is not the JSON or CSV file"):
        tolerances.compare("metrics/a.json", b"{", b"{}")
