"""The analyze stage: what joins, what is grouped, which errors are named, and its outputs."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bertline.core import files
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


def predictions(sets: dict[str, int], seeds: tuple[int, ...] = (1, 2)) -> pd.DataFrame:
    """Return predictions whose logit is 1 on the label's side, -1 for every fourth sentence."""
    rows = []
    for seed in seeds:
        for name, size in sets.items():
            for number in range(size):
                label = int(number % 3 > 0)
                logit = (2 * label - 1) * (-1.0 if number % 4 == 0 else 1.0) * (1 + number / size)
                rows.append([f"{name}:{number}", name, "ab"[number % 2], label, seed, logit])
    table = pd.DataFrame(rows, columns=["id", "set", "source", "label", "seed", "logit"])
    probability = 1 / (1 + np.exp(-table["logit"]))
    return table.assign(probability=probability, predicted=(probability > 0.5).astype(int))


def write_tables(folder: Path, sets: dict[str, int], **options) -> None:
    """Write what the stage reads; sentences are numbers in words."""
    table = predictions(sets, **options)
    (folder / "evaluate").mkdir(parents=True)
    table.to_parquet(folder / "evaluate" / "predictions.parquet")
    ids = table["id"].drop_duplicates().tolist()
    texts = [" ".join(["word"] * (1 + place % 9)) for place in range(len(ids))]
    (folder / "tokenize").mkdir()
    tokens = pd.DataFrame({"id": ids, "text": texts, "pair": ids})
    tokens.to_parquet(folder / "tokenize" / "tokens.parquet")
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
    sure = [abs(error["probability"] - 0.5) for error in errors]
    assert sure == sorted(sure, reverse=True)
    assert all(error["label"] != (error["probability"] > 0.5) for error in errors)
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
    assert set(table["grouping"]) == {"all", "source", "length"}
    assert table["set"].iloc[-1] == "all test sets"


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
