"""A folder that is exported works alone, and its card states what the run recorded."""

from pathlib import Path

import pytest
import yaml

from bertline.apply import export
from bertline.apply.classifier import Classifier
from bertline.core import files, hashes
from bertline.core.errors import BertlineError
from bertline.scoring.thresholds import Decision
from tests.apply.models import write_classifier
from tests.command import PROJECT, call

TEXTS = ["The dog sings.", "The dog sing."]
SCORES = """\
set,model,sentences,mcc,mcc_low,mcc_high,macro_f1,macro_f1_low,macro_f1_high,\
accuracy,accuracy_low,accuracy_high,loss
test,seed 1,20,0.5123,0.3,0.7,0.8,0.7,0.9,0.85,0.75,0.95,0.4
test,seed 2,20,0.1,0,0.2,0.5,0.4,0.6,0.5,0.4,0.6,0.9
test,mean of seeds,20,0.3061,0.1,0.5,0.65,0.5,0.7,0.675,0.6,0.8,0.6
test,majority class,20,0,,,0.41,,,0.7,,,0.61
"""
CALIBRATION = """\
set,seed,scaled,sentences,temperature,ece,ece_if_calibrated,ece_high,brier,loss,overconfidence
validation,1,uncalibrated,10,1,0.9,0.1,0.2,0.3,0.4,0.1
test,1,uncalibrated,20,1,0.1578,0.033,0.05,0.2,0.6,0.1
test,2,uncalibrated,20,1,0.9,0.03,0.05,0.2,0.6,0.1
test,mean of seeds,uncalibrated,20,1,0.9,0.03,0.05,0.2,0.6,0.1
test,1,temperature,20,1.1766,0.1264,0.037,0.05,0.2,0.6,0.1
"""


@pytest.fixture
def project(tmp_path: Path, tiny_bert: Path) -> Path:
    """Return a project as a run leaves it, as far as the card reads it."""
    folder = tmp_path / "project"
    model = write_classifier(folder / "data" / "train" / "1", tiny_bert)
    (model / "history.csv").write_text("epoch\n1\n")
    receipts, metrics = folder / "metrics" / "receipts", folder / "metrics"
    for place in (receipts, metrics / "parse", metrics / "download", metrics / "evaluate"):
        place.mkdir(parents=True)
    record(folder)
    files.write_json(receipts / "adapt.json", {"parameters": {"adapt": {"epochs": 0}}})
    decided = {"parameters": {"evaluate": {"confidence": 0.9}}}
    files.write_json(receipts / "evaluate.json", decided)
    files.write_json(metrics / "parse" / "sentences.json", {"source": "minimal-pairs"})
    files.write_json(metrics / "download" / "backbone.json", {"source": "bert-base-uncased"})
    files.write_json(metrics / "split.json", {"folds": {"train": {"sentences": 1234}}})
    summary = {"test": {"mcc_sd": 0.0437, "notes": ["Few texts."]}}
    files.write_json(metrics / "evaluate" / "summary.json", summary)
    (metrics / "evaluate" / "scores.csv").write_text(SCORES)
    (metrics / "evaluate" / "decisions.csv").write_text(
        "model,threshold,temperature\nseed 1,0.4,1.75\n"
    )
    (folder / "sources.yaml").write_text((PROJECT / "sources.yaml").read_text(encoding="utf-8"))
    return folder


def record(project: Path) -> None:
    """Write the receipt of the training."""
    model = project / "data" / "train" / "1"
    trained = {
        "parameters": {"train": {"epochs": 2, "learning_rate": 0.0001}},
        "outputs": {"data/train/1": hashes.md5(model)},
        **{"device": "cpu", "precision": "fp32", "threads": 1},
    }
    files.write_json(project / "metrics" / "receipts" / "train@1.json", trained)


def front_matter(card: str) -> dict:
    _, matter, _ = card.split("---\n", 2)
    return yaml.safe_load(matter)


def test_card_states_data_recipe_scores_and_limits(project, tmp_path):
    call(export, project / "data" / "train" / "1", tmp_path / "pairs-bert")

    card = (tmp_path / "pairs-bert" / "README.md").read_text(encoding="utf-8")
    for stated in (
        "# pairs-bert",
        "BERT base, uncased, 12 layers, 768 wide, 110 M parameters, fine-tuned on Minimal pairs",
        "2 classes: `unacceptable`, `acceptable`",
        "| train | 1,234 |",
        "| `learning_rate` | `0.0001` |",
        "Brackets are 90% intervals",
        "| test | seed 1 | 0.512 [0.300, 0.700] | 0.800 [0.700, 0.900] | 0.850 [0.750, 0.950] |",
        "| mean of seeds | 0.306 [0.100, 0.500] | 0.650 [0.500, 0.700] | 0.675 [0.600, 0.800] |",
        "| test | majority class | 0.000 | 0.410 | 0.700 |",
        "other seeds varies by an SD of 0.044",
        "Few texts.",
        "at temperature 1.75",
        "exceeds 0.4",
        "licence of the data is: Apache-2.0",
    ):
        assert stated in card, stated
    assert "seed 2" not in card
    assert str(tmp_path) not in card
    matter = front_matter(card)
    assert matter["license"] == "apache-2.0"
    assert matter["pipeline_tag"] == "text-classification"
    assert matter["base_model"] == "google-bert/bert-base-uncased"
    (result,) = matter["model-index"][0]["results"]
    assert result["dataset"]["split"] == "test"
    metrics = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert metrics == {"matthews_correlation": 0.5123, "f1": 0.8, "accuracy": 0.85}


def test_card_has_calibration_if_it_is_of_these_predictions(project, tmp_path):
    model, metrics = project / "data" / "train" / "1", project / "metrics"

    def card(name: str) -> str:
        call(export, model, tmp_path / name)
        return (tmp_path / name / "README.md").read_text(encoding="utf-8")

    assert "calibration error" not in card("without")

    (metrics / "analyze").mkdir()
    (metrics / "analyze" / "calibration.csv").write_text(CALIBRATION)
    decided = files.read_json(metrics / "receipts" / "evaluate.json")
    outputs = {"outputs": {"data/evaluate": "0a.dir"}}
    files.write_json(metrics / "receipts" / "evaluate.json", decided | outputs)
    receipt = metrics / "receipts" / "analyze.json"
    files.write_json(receipt, {"inputs": {"data/evaluate": "0a.dir"}})
    table = (
        "| set | temperature | calibration error | of a perfectly calibrated model |\n"
        "| --- | --- | --- | --- |\n| test | 1 | 0.158 | 0.033 |\n"
    )
    scaled = card("with")
    assert f"that fits the validation fold.\n\n{table}| test | 1.18 | 0.126 | 0.037 |\n\n" in scaled
    (metrics / "analyze" / "calibration.csv").write_text(CALIBRATION.rpartition("test,1,temp")[0])
    unscaled = card("without-validation")
    assert f"{table}\n" in unscaled
    assert "validation fold" not in unscaled

    files.write_json(receipt, {"inputs": {"data/evaluate": "of an earlier run"}})
    assert "calibration error" not in card("earlier")
    (metrics / "analyze" / "calibration.csv").write_text("other,columns\n1,2\n")
    assert "calibration error" not in card("earlier-with-other-columns")


def test_exported_folder_predicts_as_the_model_of_the_project(project, tmp_path):
    folder = project / "data" / "train" / "1"
    call(export, folder, tmp_path / "alone")

    found = {path.name for path in (tmp_path / "alone").iterdir()}
    own = {path.name for path in folder.iterdir()}
    assert found == own - {"history.csv"} | {"README.md"}
    classify = Classifier(tmp_path / "alone")
    assert classify.members[0].decision == Decision(0.4, 1.75)
    assert classify(TEXTS).equals(Classifier(folder)(TEXTS))


def test_model_that_was_not_recorded_is_refused(project, tmp_path):
    folder = project / "data" / "train" / "1"
    (folder / "history.csv").write_text("epoch\n1\n2\n")

    with pytest.raises(BertlineError, match=r"not the model that .*train@1\.json is about.*repro"):
        call(export, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_earlier_folder_is_kept(project, tmp_path):
    (tmp_path / "out").mkdir()

    with pytest.raises(BertlineError, match="out exists already"):
        call(export, project / "data" / "train" / "1", tmp_path / "out")


def test_seed_without_a_score_and_a_run_without_evaluate_are_named(project, tmp_path):
    folder, scores = project / "data" / "train" / "1", project / "metrics/evaluate/scores.csv"
    scores.write_text(SCORES.replace("seed 1", "seed 3"))
    with pytest.raises(BertlineError, match="no score of seed 1"):
        call(export, folder, tmp_path / "out")
    scores.unlink()
    with pytest.raises(BertlineError, match="scores.csv does not exist"):
        call(export, folder, tmp_path / "out")


def test_folder_that_is_no_trained_model_is_named(tmp_path):
    with pytest.raises(BertlineError, match="is no folder that train wrote"):
        call(export, tmp_path, tmp_path / "out")
