"""Stored results: read with their types, refused with a sentence, names of topics made plain."""

import json
import re

import pandas as pd
import pytest

from bertline.core.errors import BertlineError
from bertline.figures import results
from tests.figures import stored


def test_results_say_where_they_come_from(acceptability):
    loaded = acceptability(seeds=(3, 1))

    assert loaded.seeds == [3, 1]
    assert loaded.sets == ["validation", "in_domain_dev", "out_of_domain_dev", "both_dev"]
    assert loaded.test_sets == ["in_domain_dev", "out_of_domain_dev"]
    assert loaded.coverage == "95%"
    space = "\N{NO-BREAK SPACE}"
    assert loaded.source == f"{stored.SYNTHETIC} · backbone{space}minilm · 2{space}seeds"


def test_validation_serves_where_there_is_no_test_set(acceptability):
    assert acceptability(sets={"validation": 64}).test_sets == ["validation"]


def test_sets_keep_names_that_look_like_missing_values_or_numbers(acceptability):
    loaded = acceptability(sets={"NA": 64, "2024": 64})

    assert loaded.sets == ["NA", "2024"]
    assert set(loaded.confusion) == {"NA", "2024"}


def test_topics_are_sorted_by_size_without_outliers(topics):
    loaded = topics(topics=12, documents=500)

    assert loaded.table["count"].is_monotonic_decreasing
    assert len(loaded.table) == 12
    assert loaded.outliers == (loaded.topic == -1).sum()


@pytest.mark.parametrize(
    "name",
    [
        "download/backbone.json",
        "parse/sentences.json",
        "split.json",
        "evaluate.json",
        "evaluate/protocol.json",
        "evaluate/scores.csv",
        "evaluate/learning_curves.csv",
        "evaluate/mcc_per_batch.csv",
        "evaluate/confusion/in_domain_dev.csv",
    ],
)
def test_missing_file_is_named(tmp_path, name):
    stored.write_metrics(tmp_path)
    (tmp_path / name).unlink()

    with pytest.raises(BertlineError, match=re.escape(f"{tmp_path / name} does not exist")):
        results.load_acceptability(tmp_path)


def test_missing_column_is_named(tmp_path):
    stored.write_metrics(tmp_path)
    path = tmp_path / "evaluate" / "scores.csv"
    pd.read_csv(path).drop(columns="mcc_low").to_csv(path, index=False)

    with pytest.raises(
        BertlineError, match=r"scores\.csv has no column mcc_low; it has set, model"
    ):
        results.load_acceptability(tmp_path)


@pytest.mark.parametrize("content", ["", "seed,epoch\n1,x\n", 'seed,epoch\n1,"2\n'])
def test_damaged_table_is_refused(tmp_path, content):
    stored.write_metrics(tmp_path)
    (tmp_path / "evaluate" / "learning_curves.csv").write_text(content, encoding="utf-8")

    with pytest.raises(BertlineError, match=r"learning_curves\.csv .*dvc repro evaluate"):
        results.load_acceptability(tmp_path)


def test_missing_key_is_named(tmp_path):
    stored.write_metrics(tmp_path)
    (tmp_path / "parse" / "sentences.json").write_text(json.dumps({"source": "cola"}))

    with pytest.raises(BertlineError, match=r"sentences\.json has no `title`; it has source"):
        results.load_acceptability(tmp_path)


def test_results_of_different_runs_are_refused(tmp_path):
    stored.write_metrics(tmp_path)
    (tmp_path / "evaluate.json").write_text(json.dumps({"another_set": {}}))

    with pytest.raises(BertlineError, match="different runs"):
        results.load_acceptability(tmp_path)


def test_topics_of_different_runs_are_refused(tmp_path):
    stored.write_metrics(tmp_path / "metrics")
    stored.write_topics(tmp_path / "topics", topics=9, documents=200)
    assignments = (tmp_path / "topics" / "assignments.parquet").read_bytes()
    stored.write_topics(tmp_path / "topics", topics=4, documents=200)
    (tmp_path / "topics" / "assignments.parquet").write_bytes(assignments)

    with pytest.raises(BertlineError, match=r"documents in topic 4, which .* does not list"):
        results.load_topics(tmp_path / "metrics", tmp_path / "topics")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["game", "team", "play"], "game, team"),
        (["a\nb\tc", "\x00d"], "a b c, d"),
        (["\u202egnp", "می\u200cخواهم"], "gnp, می\u200cخواهم"),
        (["x" * 30, "y"], "x" * 23 + "…, y"),
        ([], "(no words)"),
        ([""], "(no words)"),
    ],
)
def test_names_of_topics(words, name):
    assert results.topic_name(words, 2) == name
