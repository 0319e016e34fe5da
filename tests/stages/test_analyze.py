"""The analyze stage: what joins, what is grouped, which errors are named, and its outputs."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.scoring import analysis
from stages import analyze, parse
from tests.command import call, write_params

SMALL = {"analyze.simulations": 100, "analyze.min_group_size": 5}


def sentences(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    """Return sentences with (set, source, text, label)."""
    table = pd.DataFrame(rows, columns=["set", "source", "text", "label"])
    return table.assign(id=[f"s{place}" for place in table.index])


def by_sentence(*rows: tuple[str, str, int, list[str]]) -> pd.DataFrame:
    """Return annotations with (set, text, label, major features)."""
    table = pd.DataFrame(rows, columns=["set", "value", "label", "major"])
    return table.assign(by="sentence", minor=[[] for _ in rows])


def by_source(**groups: str) -> pd.DataFrame:
    """Return a list of sources with the group of each."""
    rows = [["source", None, name, None, [group], []] for name, group in groups.items()]
    return pd.DataFrame(rows, columns=["by", "set", "value", "label", "major", "minor"])


class TestAnnotate:
    def test_sentences_join_to_the_letter_and_what_does_not_is_counted_both_ways(self):
        table, counts = analysis.annotate(
            sentences(
                ("dev", "a", "Lamps glow.", 1),
                ("dev", "a", "Lamps  glow.", 1),
                ("other", "a", "A lamp glow.", 0),
            ),
            by_sentence(
                ("dev", "Lamps glow.", 1, ["Simple"]),
                ("dev", "lamps glow.", 1, ["Simple"]),
                ("other", "A lamp glow.", 1, ["Violations"]),
            ),
        )

        assert table["major"].tolist() == [["Simple"], None, ["Violations"]]
        assert counts == {
            "annotations": 3,
            "sentences": 3,
            "sentences_annotated": 2,
            "sentences_without": 1,
            "annotations_without_sentence": 1,
            "labels_that_differ": 1,
        }

    def test_a_text_that_comes_twice_joins_once_each_in_order(self):
        table, counts = analysis.annotate(
            sentences(*[("dev", "a", "Lamps glow.", 1)] * 3),
            by_sentence(("dev", "Lamps glow.", 1, ["A"]), ("dev", "Lamps glow.", 1, ["B"])),
        )

        assert table["major"].tolist() == [["A"], ["B"], None]
        assert counts["annotations_without_sentence"] == 0

    def test_an_annotated_sentence_without_features_is_known_to_have_none(self):
        table, counts = analysis.annotate(
            sentences(("dev", "a", "Lamps glow.", 1)), by_sentence(("dev", "Lamps glow.", 1, []))
        )

        assert table["major"].tolist() == [[]]
        assert counts["sentences_annotated"] == 1

    def test_sources_join_by_name(self):
        table, counts = analysis.annotate(
            sentences(("dev", "wh-island", "x", 1), ("dev", "mine", "y", 1)),
            by_source(**{"wh-island": "movement", "passive": "selection"}),
        )

        assert table["major"].tolist() == [["movement"], None]
        assert counts["sentences_without"] == 1
        assert counts["annotations_without_sentence"] == 1


def predictions(
    sets: dict[str, int], seeds: tuple[int, ...] = (1, 2), classes: int = 2
) -> pd.DataFrame:
    """Return predictions with a logit for the sentence's class, for the next of every fourth."""
    rows = []
    for seed in seeds:
        for name, size in sets.items():
            for number in range(size):
                label = int(number % 3 > 0) if classes == 2 else number % classes
                logits = np.zeros(classes)
                logits[(label + (number % 4 == 0)) % classes] = 1 + number / size
                rows.append([f"{name}:{number}", name, "ab"[number % 2], label, seed, logits])
    table = pd.DataFrame(rows, columns=["id", "set", "source", "label", "seed", "logits"])
    probabilities = [special.softmax(logits) for logits in table["logits"]]
    predicted = [int(values.argmax()) for values in probabilities]
    return table.assign(probabilities=probabilities, predicted=predicted)


def write_tables(
    folder: Path, sets: dict[str, int], names: tuple[str, ...] = ("bad", "good"), **options
) -> None:
    """Write what the stage reads; sentences are numbers in words."""
    table = predictions(sets, classes=len(names), **options)
    (folder / "evaluate").mkdir(parents=True)
    table.to_parquet(folder / "evaluate" / "predictions.parquet")
    ids = table["id"].drop_duplicates().tolist()
    texts = [" ".join(["word"] * (1 + place % 9)) for place in range(len(ids))]
    (folder / "tokenize").mkdir()
    tokens = pd.DataFrame({"id": ids, "text": texts, "pair": ids})
    tokens.to_parquet(folder / "tokenize" / "tokens.parquet")
    files.write_json(folder / "tokenize" / "settings.json", {"labels": names})
    files.write_table(folder / "phenomena.parquet", by_source(a="one", b="two"), parse.PHENOMENA)
    lines = [f"{seed},{epoch},{1 / epoch},0.5,0.8,0.4" for seed in (1, 2) for epoch in (1, 2)]
    head = "seed,epoch,training_loss,validation_loss,validation_accuracy,validation_mcc"
    (folder / "curves.csv").write_text("\n".join([head, *lines]) + "\n")


def run(folder: Path, **changes: object) -> dict:
    """Run the stage's command line and return what people compare."""
    call(
        analyze, folder / "phenomena.parquet", folder / "tokenize", folder / "evaluate",
        folder / "curves.csv", folder / "out",
        "--tables", folder / "tables", "--receipt", folder / "receipt.json",
        "--params", write_params(folder / "params.yaml", SMALL | changes),
    )  # fmt: skip
    return json.loads((folder / "tables" / "summary.json").read_text())


SETS = {"validation": 40, "in_domain_dev": 36, "out_of_domain_dev": 48}


def test_tables_are_of_each_test_set_and_of_both_together(tmp_path):
    write_tables(tmp_path, SETS)

    found = run(tmp_path)

    table = pd.read_csv(tmp_path / "tables" / "breakdown.csv")
    assert table["set"].drop_duplicates().tolist() == [
        *("in_domain_dev", "out_of_domain_dev", "both_dev")
    ]
    both = table[table["set"] == "both_dev"].set_index(["grouping", "group"])
    assert both.loc[("all", "all"), "sentences"] == 84
    assert both.loc[("all", "all"), "error_rate"] == pytest.approx(0.25)
    # Every fourth sentence is wrong, so all errors are at even numbers: source a, group one.
    assert both.loc[("source", "a"), "error_rate"] == pytest.approx(0.5)
    assert both.loc[("major", "one"), "finding"] == "more errors"
    assert both.loc[("source", "b"), "finding"] == "fewer errors"
    assert found["annotations"]["sentences_annotated"] == 84
    assert set(found["calibration"]) == {*SETS, "both_dev"}
    assert (tmp_path / "receipt.json").exists()


def test_the_surest_errors_come_first_and_metrics_hold_no_sentence(tmp_path):
    write_tables(tmp_path, SETS)

    run(tmp_path, **{"analyze.confident_errors": 4})

    errors = json.loads((tmp_path / "out" / "errors.json").read_text())["errors"]
    assert len(errors) == 4
    sure = [error["probability"] for error in errors]
    assert sure == sorted(sure, reverse=True) and min(sure) > 0.5
    assert all({error["label"], error["predicted"]} == {"bad", "good"} for error in errors)
    assert all((error["seeds_wrong"], error["seeds"]) == (2, 2) for error in errors)
    for path in (tmp_path / "tables").iterdir():
        assert "word word word" not in path.read_text()


def test_without_validation_there_is_no_temperature_and_the_notes_say_so(tmp_path):
    write_tables(tmp_path, {"in_domain_dev": 36, "out_of_domain_dev": 48})
    (tmp_path / "curves.csv").write_text(
        "seed,epoch,training_loss,validation_loss,validation_accuracy,validation_mcc\n1,1,0.5,,,\n"
    )

    found = run(tmp_path)

    assert set(found["calibration"]["both_dev"]) == {"uncalibrated"}
    assert "no validation fold" in found["notes"][0]
    assert pd.read_csv(tmp_path / "tables" / "selection.csv").empty


def test_a_corpus_of_ones_own_needs_no_annotations(tmp_path, capfd):
    write_tables(tmp_path, {"validation": 40, "mine": 36, "yours": 24}, seeds=(7,))
    files.write_table(tmp_path / "phenomena.parquet", by_source(x="one"), parse.PHENOMENA)

    found = run(tmp_path)

    assert found["annotations"]["sentences_annotated"] == 0
    assert "no sentence is annotated" in capfd.readouterr().err
    table = pd.read_csv(tmp_path / "tables" / "breakdown.csv")
    assert set(table["grouping"]) == {"all", "class", "source", "length"}
    assert table["set"].iloc[-1] == "all test sets"


def test_many_classes_are_groups_and_errors_name_both_classes(tmp_path):
    names = ("sport", "arts, music", "NA", "world")
    write_tables(tmp_path, {"validation": 40, "test": 120}, names)

    found = run(tmp_path)

    table = pd.read_csv(tmp_path / "tables" / "breakdown.csv", keep_default_na=False)
    of_class = table[table["grouping"] == "class"].set_index("group")
    assert of_class.index.tolist() == list(names)  # in their order
    # Every fourth sentence is wrong, and they are all of the first class.
    assert of_class.loc["sport", "finding"] == "more errors"
    assert of_class["error_rate"].astype(float).tolist() == [1, 0, 0, 0]
    assert table["majority_share"].iloc[0] == 0.25
    errors = json.loads((tmp_path / "out" / "errors.json").read_text())["errors"]
    assert {(error["label"], error["predicted"]) for error in errors} == {("sport", "arts, music")}
    assert errors[0]["probability"] == pytest.approx(
        np.exp(1 + 116 / 120) / (3 + np.exp(1 + 116 / 120)), abs=1e-4
    )
    measures = found["calibration"]["test"]["uncalibrated"]
    assert 0 < measures["ece"] < 1
    assert set(found["calibration"]["test"]) == {"uncalibrated", "temperature"}


def test_lengths_are_fifths_of_the_sentences_if_no_bounds_are_given(tmp_path, capfd):
    write_tables(tmp_path, SETS)

    run(tmp_path, **{"analyze.length_bounds": None})

    table = pd.read_csv(tmp_path / "tables" / "breakdown.csv")
    lengths = table[(table["set"] == "both_dev") & (table["grouping"] == "length")]
    # One to nine words, as often each.
    assert lengths["group"].tolist() == [
        *("1 and 2 words", "3 and 4 words", "5 and 6 words", "7 and 8 words", "9 words and more")
    ]
    assert "in one range" not in capfd.readouterr().err

    run(tmp_path, **{"analyze.length_bounds": [50, 100]})

    assert "all sentences are in one range of analyze.length_bounds" in capfd.readouterr().err
    table = pd.read_csv(tmp_path / "tables" / "breakdown.csv")
    assert "length" not in set(table["grouping"])


def test_predictions_of_classes_that_the_tokens_lack_are_refused(tmp_path):
    write_tables(tmp_path, SETS)
    files.write_json(tmp_path / "tokenize" / "settings.json", {"labels": ["bad"]})

    with pytest.raises(BertlineError, match="are of 2 classes, and the sentences have 1"):
        run(tmp_path)


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(tmp_path):
    written = []
    for name in ("one", "two"):
        write_tables(tmp_path / name, SETS)
        run(tmp_path / name)
        paths = sorted(path for path in (tmp_path / name).rglob("*.*") if path.is_file())
        written.append(
            {path.name: path.read_bytes() for path in paths if "receipt" not in path.name}
        )

    assert written[0] == written[1]
