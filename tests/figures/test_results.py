"""Stored results: read with their types, refused with a sentence, names of topics made plain."""

import json
import re

import pandas as pd
import pytest

from bertline.core.errors import BertlineError
from bertline.figures import results
from tests.figures import stored

SMALL = {"sets": {"NA": 64, "2024": 64}, "seeds": (1,), "epochs": 1}


def test_results_say_where_they_come_from(classification):
    loaded = classification(seeds=(3, 1, 2))

    assert loaded.seeds == [3, 1, 2]
    assert loaded.sets == ["validation", "in_domain_dev", "out_of_domain_dev", "both_dev"]
    assert loaded.test_sets == ["in_domain_dev", "out_of_domain_dev"]
    assert loaded.coverage == "95%"
    space = "\N{NO-BREAK SPACE}"
    assert loaded.source == f"{stored.SYNTHETIC} · backbone{space}minilm · 3{space}seeds"


def test_validation_serves_where_there_is_no_test_set(classification):
    assert classification(sets={"validation": 64}).test_sets == ["validation"]


def test_sets_keep_names_that_look_like_missing_values_or_numbers(classification):
    loaded = classification(**SMALL)

    assert loaded.sets == ["NA", "2024"]
    assert set(loaded.confusion) == {"NA", "2024"}


def test_topics_are_sorted_by_size_without_outliers(topics):
    loaded = topics(topics=12, documents=500)

    assert loaded.table["count"].is_monotonic_decreasing
    assert len(loaded.table) == 12
    assert loaded.outliers == (loaded.topic == -1).sum()
    assert loaded.merges["words"][0] == ["orbit", "moon"]


def test_baselines_are_read_if_they_are_of_the_same_corpus_and_numbers(tmp_path, topics):
    assert topics(topics=12, documents=500).compared
    own = pd.DataFrame({"model": results.OWN, "requested_topics": stored.NUMBERS})

    alone = results.load_baselines(own, tmp_path / "none.csv", stored.CORPUS)
    stored.write_baselines(tmp_path / "stored.csv")
    other_corpus = results.load_baselines(own, tmp_path / "stored.csv", "another")
    other_numbers = results.load_baselines(own[:2], tmp_path / "stored.csv", stored.CORPUS)

    for table in (alone, other_corpus, other_numbers):
        assert set(table["model"]) == {results.OWN}
        assert table[results.SPREAD].isna().all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("evaluate/scores.csv", None, r"scores\.csv does not exist"),
        ("evaluate/scores.csv", "set,model\na,b\n", r"scores\.csv has no column sentences, mcc"),
        ("evaluate/learning_curves.csv", "", r"learning_curves\.csv .*`dvc repro evaluate`"),
        ("evaluate/learning_curves.csv", "seed,epoch\n1,x\n", r"`dvc repro evaluate`"),
        ("parse/sentences.json", json.dumps({"source": "cola"}), r"has no `title`; it has source"),
        ("evaluate/summary.json", json.dumps({"another_set": {}}), "different runs"),
    ],
)
def test_missing_and_damaged_files_are_refused(tmp_path, name, content, message):
    stored.write_scores(tmp_path, **SMALL)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")

    with pytest.raises(BertlineError, match=message):
        results.load_classification(tmp_path)


def test_topics_of_different_runs_are_refused(tmp_path):
    stored.write_topics(tmp_path / "metrics", tmp_path, topics=9, documents=200)
    assignments = (tmp_path / "assignments.parquet").read_bytes()
    stored.write_topics(tmp_path / "metrics", tmp_path, topics=4, documents=200)
    (tmp_path / "assignments.parquet").write_bytes(assignments)

    message = f"{tmp_path}/assignments.parquet has documents in topic 4, which"
    with pytest.raises(BertlineError, match=re.escape(message)):
        results.load_topics(tmp_path / "metrics", tmp_path)


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
