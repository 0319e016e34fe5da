"""README.md against the pipeline, the metrics and the tree that it describes."""

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from bertline.core import files
from bertline.core.dependencies import ROOT
from tests.test_pipeline import STAGES

README = ROOT.joinpath("README.md").read_text(encoding="utf-8")
CELLS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in README.splitlines()
    if line.startswith("|")
]


def number(value: float) -> str:
    """Return a figure as the README has it: three decimals, halves rounded up, no leading zero."""
    rounded = Decimal(str(value)).quantize(Decimal("0.001"), ROUND_HALF_UP)
    return str(rounded).removeprefix("0")


def score_of(model: str, data: str = "") -> str:
    """Return the score of a row of the README's first table, without emphasis."""
    rows = [row for row in CELLS if len(row) == 4 and model in row[2] and data in row[1]]
    (found,) = [row[3] for row in rows]
    return found.replace("**", "")


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 130


def test_stage_table_has_the_descriptions_of_dvc_yaml() -> None:
    stages = {stage.name.partition("@")[0]: stage.desc for stage in STAGES}
    table = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", README, re.MULTILINE))
    assert table == stages


def test_default_run_has_the_scores_of_its_metrics() -> None:
    scores = files.read_json(ROOT / "metrics" / "evaluate" / "summary.json")["out_of_domain_dev"]
    mcc, low, high, sd = (number(scores[key]) for key in ("mcc", "mcc_low", "mcc_high", "mcc_sd"))
    seeds = len({stage.name for stage in STAGES if stage.name.startswith("train@")})
    found = score_of("`minilm`", "minimal-pairs (*synthetic*)")
    assert found == f"MCC {mcc} [{low}, {high}], {seeds} seeds, SD {sd}"


def test_topics_have_the_measures_of_the_default_run() -> None:
    measures = files.read_json(ROOT / "metrics" / "topic_words" / "measures.json")
    npmi, ami = number(measures["npmi"]), number(measures["ami"])
    found = score_of(f"BERTopic, {measures['topics']} topics", "18,821 documents")
    stable = files.read_json(ROOT / "metrics" / "topic_stability.json")["stable_share"]
    shares = f"{stable:.0%} of documents in stable topics"
    assert found == f"{shares}, NPMI {npmi}, AMI with the 20 groups {ami}"
    assert measures["coverage"] == 1.0 and f"{measures['documents']:,}" == "18,821"


@pytest.mark.parametrize("model", ["intermediate training", "published recipe", "TF-IDF"])
def test_scores_of_cola_are_those_of_the_experiments(model: str) -> None:
    log = ROOT.joinpath("docs", "experiments.md").read_text(encoding="utf-8")
    row, *_ = re.findall(r"^\| out_of_domain_dev \| 516 \| \.177.*$", log, re.MULTILINE)  # newest
    pattern = r"MCC (\.\d+(?: \[[^]]+\])?)(?:.*SD (\.\d+))?"
    interval, sd = re.search(pattern, score_of(model)).groups()
    assert f"| {interval} |" in row and (sd is None or f"| {sd} |" in row)


def test_every_file_and_folder_that_the_readme_names_is_there() -> None:
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert ROOT.joinpath(path).exists(), path
    tree = re.search(r"```\n(stages/ .*?)```", README, re.DOTALL).group(1)
    rooms = {path.name for path in (ROOT / "bertline").iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^  ([a-z]+)/", tree, re.MULTILINE)) == rooms
