"""Topics get their words, outliers and odd documents are counted, and bytes repeat.

UMAP compiles for half a minute in each process, so only the tests marked slow run it; the others
cluster the vectors as they are.
"""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from bertopic import BERTopic
from sklearn.metrics import normalized_mutual_info_score

from bertline.core import files, params
from bertline.core.errors import BertlineError
from stages import parse, topic_words
from tests import tiny
from tests.command import PROJECT, write_params
from tests.topics.planted import (
    DIMENSION,
    SMALL,
    fit,
    measures,
    name,
    planted,
    scattered,
    skip_umap,
)


@pytest.fixture
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_umap(monkeypatch)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check_planted(folder: Path, table: pd.DataFrame) -> None:
    """Hold the output to four topics that are the four groups, each with its own words."""
    metrics = measures(folder)
    assignments = files.read_table(folder / "out" / "assignments.parquet")
    topics = files.read_table(folder / "out" / "topics.parquet")
    assert metrics["topics"] == 4, metrics
    assert assignments["id"].tolist() == table["id"].tolist()
    assert assignments.notna().all(axis=None)
    assert assignments["probability"].between(0, 1).all()
    agreement = normalized_mutual_info_score(table["group"], assignments["topic"])
    assert agreement > 0.95, f"NMI {agreement}"
    assert metrics["nmi"] == pytest.approx(agreement, abs=1e-4)
    sizes = assignments["topic"].value_counts()
    assert topics.set_index("topic")["count"].to_dict() == sizes.to_dict()
    # All words are in min_df documents, though each is in one topic only.
    of_group = [sorted(words.split()) for words in tiny.GROUPS.values()]
    found = {row.topic: sorted(row.words) for row in topics.itertuples() if row.topic >= 0}
    assert sorted(found.values()) == sorted(of_group)
    texts = table["text"].groupby(assignments["topic"].to_numpy()).agg(set)
    for row in topics.itertuples():
        assert set(row.representative_documents) <= texts[row.topic]
        weights = list(row.weights)
        assert weights == sorted(weights, reverse=True)


@pytest.mark.slow
def test_planted_topics_are_found_with_the_same_bytes_twice(tmp_path, without_umap):
    table, vectors = planted(80)

    first, again = fit(tmp_path / "a", table, vectors), fit(tmp_path / "b", table, vectors)

    check_planted(first, table)
    assert contents(again) == contents(first)
    listed = pd.read_csv(first / "tables" / "topics.csv")
    assert listed.columns.tolist() == ["topic", "count", "share", "name"]
    assert listed["share"].tolist() == [0.25] * 4
    by_number = pd.read_csv(first / "tables" / "by_number.csv")
    assert by_number["topics"].tolist() == by_number["requested_topics"].tolist() == [2, 3]
    assert len(pd.read_csv(first / "tables" / "hierarchy.csv")) == 3
    assert list(contents(first / "out")) == [
        "assignments.parquet",
        "documents.csv",
        "fit/arrays.safetensors",
        "fit/embeddings.npy",
        "fit/settings.json",
        "model/config.json",
        "model/ctfidf.safetensors",
        "model/ctfidf_config.json",
        "model/topic_embeddings.safetensors",
        "model/topics.json",
        "protocol.json",
        "topics.parquet",
    ]


@pytest.mark.slow
def test_planted_topics_are_found_through_umap_and_a_seed_decides_the_map(tmp_path):
    table, vectors = planted(120)

    first, again = fit(tmp_path / "a", table, vectors), fit(tmp_path / "b", table, vectors)
    other = fit(tmp_path / "c", table, vectors, topic_fit__seed=7)
    same = fit(tmp_path / "d", table.assign(text="orbit planet"), np.ones_like(vectors))

    assert contents(again) == contents(first)
    maps = []
    for folder in (first, other):
        check_planted(folder, table)
        maps.append(files.read_table(folder / "out" / "assignments.parquet")[["x", "y"]])
    assert not np.allclose(*maps)
    assert measures(same)["documents"] == 120


@pytest.mark.slow
def test_outliers_are_counted_and_come_first(tmp_path, without_umap):
    table, vectors = planted(100)
    # 20 documents lie apart from all groups and from each other.
    vectors[80:] = 100 * np.random.default_rng(1).normal(size=(20, DIMENSION))

    folder = fit(tmp_path, table, vectors)

    assignments = files.read_table(folder / "out" / "assignments.parquet")
    assert (assignments["topic"][80:] == -1).all()
    assert (assignments["topic"][:80] >= 0).all()
    topics = files.read_table(folder / "out" / "topics.parquet")
    assert topics["topic"].tolist() == [-1, 0, 1, 2, 3]
    assert topics["count"].tolist() == [20] * 5
    metrics = measures(folder)
    assert (metrics["topics"], metrics["outlier_share"]) == (4, 0.2)
    assert metrics["nmi_without_outliers"] == 1.0
    assert metrics["nmi"] < 1


def test_identical_documents_have_no_topic(tmp_path, without_umap):
    table, vectors = planted(40)

    folder = fit(tmp_path, table.assign(text="orbit planet"), np.ones_like(vectors))

    metrics = measures(folder)
    assert (metrics["topics"], metrics["outlier_share"]) == (0, 1.0)
    assert (metrics["diversity"], metrics["npmi"], metrics["nmi_without_outliers"]) == (None,) * 3
    assert len(files.read_table(folder / "out" / "assignments.parquet")) == 40


def test_empty_documents_are_assigned_and_none_needs_a_group(tmp_path, without_umap):
    table, vectors = planted(84)
    table.loc[[0, 5], "text"] = ["", "  \n"]

    folder = fit(tmp_path, table.assign(group=None), vectors)

    assignments = files.read_table(folder / "out" / "assignments.parquet")
    assert (len(assignments), assignments["topic"].nunique()) == (84, 4)
    metrics = measures(folder)
    assert {metrics[name] for name in ("nmi", "ami", "ari", "nmi_without_outliers")} == {None}


def test_documents_without_a_group_are_left_out_of_agreement_and_counted(
    tmp_path, without_umap, capsys
):
    table, vectors = planted(80)
    table.loc[::3, "group"] = None

    folder = fit(tmp_path, table, vectors)

    assert measures(folder)["ami"] == 1
    # The words of a planted topic occur in its documents only, in either half of them.
    assert measures(folder)["npmi_held_out"] == pytest.approx(measures(folder)["npmi"], abs=0.1)
    assert pd.read_csv(folder / "tables" / "groups.csv")["documents"].sum() == 53
    assert "agreement with groups leaves out 27 documents" in capsys.readouterr().err


def test_topics_of_templates_are_named_by_their_words_and_nameless_ones_are_told(
    tmp_path, without_umap, capsys
):
    table, vectors = planted(160)
    kinds = (
        "Password reset requested for account number {}{}",
        "Invoice {}{} rendered services total amount due",
        "{}{}",
        "आधुनिक मानक हिन्दी भाषा {}{}",
    )
    texts = [kinds[n % 4].format("x" * (n % 7), 1000 + n) for n in range(160)]

    folder = fit(tmp_path, table.assign(text=texts), vectors, vocabulary__boilerplate=0.6)

    topics = files.read_table(folder / "out" / "topics.parquet")
    words = sorted(sorted(found) for found in topics["words"])
    assert words == [
        [],
        ["account", "number", "password", "requested", "reset"],
        ["invoice", "rendered", "services", "total"],
        ["आधुनिक", "भाषा", "मानक", "हिन्दी"],
    ]
    told = capsys.readouterr().err
    assert "are repeated word for word, and kept" in told
    nameless = topics.loc[topics["words"].str.len() == 0, "topic"].item()
    assert f"warning: No document of topic {nameless} has a word" in told
    loaded = BERTopic.load(folder / "out" / "model").vectorizer_model.build_analyzer()
    assert loaded("मानक हिन्दी") == ["मानक", "हिन्दी"]


@pytest.mark.slow
@pytest.mark.parametrize("weighting", [False, True], ids=["tf-idf", "bm25"])
def test_bertopic_loads_the_model_and_assigns_by_the_nearest_topic(
    tmp_path, without_umap, weighting
):
    folder = fit(tmp_path, *planted(80), topic_words__ctfidf__bm25_weighting=weighting)

    model = BERTopic.load(folder / "out" / "model")

    topics = files.read_table(folder / "out" / "topics.parquet")
    for row in topics.itertuples():
        assert [word for word, _ in model.get_topic(row.topic)] == list(row.words)
    fresh, others = planted(40, noise=0.2)
    assigned, _ = model.transform(fresh["text"].tolist(), others)
    assert normalized_mutual_info_score(fresh["group"], assigned) == pytest.approx(1)


@pytest.mark.slow
def test_failed_run_leaves_the_earlier_output(tmp_path, without_umap, monkeypatch):
    folder = fit(tmp_path, *planted(80))
    before = contents(folder)
    monkeypatch.setattr(BERTopic, "save", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))

    with pytest.raises(OSError, match="full"):
        fit(tmp_path, *planted(80))

    assert contents(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["none", "c-tf-idf", "probabilities"])
def test_words_change_without_another_fit(tmp_path, without_umap, strategy):
    documents = scattered(100)
    chosen = {"topic_words__outliers__strategy": strategy}
    folder = fit(tmp_path / "a", *documents, **chosen)
    fitted = contents(folder / "fitted")
    changes = {"topic_words.representation": "c-tf-idf", "vocabulary.top_words": 3}
    named = {key.replace("__", "."): value for key, value in (chosen | changes).items()}
    write_params(folder / "params.yaml", SMALL | named)

    name(folder)

    at_once = fit(tmp_path / "b", *documents, **named)
    assert contents(folder / "fitted") == fitted == contents(at_once / "fitted")
    assert contents(folder) == contents(at_once)
    topics = files.read_table(folder / "out" / "topics.parquet")
    assert {len(words) for words in topics["words"]} == {3}


def test_clusters_of_other_documents_are_refused(tmp_path, without_umap):
    table, vectors = planted(40)
    folder = fit(tmp_path, table, vectors)
    other = files.read_table(folder / "documents.parquet")
    other = other.assign(id=other["id"] + "x")
    files.write_table(folder / "documents.parquet", other, parse.DOCUMENTS)

    with pytest.raises(BertlineError, match="are of other documents .*`dvc repro topic-fit`"):
        name(folder)


def test_the_table_for_people_is_what_a_spreadsheet_opens(tmp_path, without_umap):
    table, vectors = planted(80)
    texts = ["=1+1 orbit", '-- comet, "moon"\nplanet', "語 🔭", "oven " * 7_000, ""]
    table["text"] = [*texts, *table["text"][len(texts) :]]
    table["date"] = ["2001-02-03", None] * 40
    table.loc[4, "group"] = None

    folder = fit(tmp_path, table, vectors)

    path = folder / "out" / "documents.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbfid,text,group,date,topic,name,probability\n")
    read = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False)
    assert read["id"].tolist() == table["id"].tolist()
    shown = ["'=1+1 orbit", '\'-- comet, "moon"\nplanet', "語 🔭", ("oven " * 7_000)[:32_767], ""]
    assert read["text"].tolist() == [*shown, *table["text"][len(texts) :]]
    assert read["group"][4] == read["date"][1] == ""
    assignments = files.read_table(folder / "out" / "assignments.parquet")
    assert read["topic"].tolist() == assignments["topic"].tolist()
    assert read["probability"].to_numpy() == pytest.approx(assignments["probability"], abs=1e-4)
    names = files.read_table(folder / "out" / "topics.parquet").set_index("topic")["name"]
    assert read["name"].tolist() == names[read["topic"]].tolist()


def test_topics_over_time_and_notes_are_among_the_measures(tmp_path, without_umap, capsys):
    table, vectors = planted(80)
    table["date"] = [f"200{number // 20}-07" for number in range(80)]

    folder = fit(tmp_path, table, vectors)

    rows = pd.read_csv(folder / "tables" / "over_time.csv")
    assert rows.columns.tolist() == ["topic", "period", "documents", "share"]
    assert rows["documents"].sum() == 80
    [note] = measures(folder)["notes"]
    assert note.startswith("80 documents are few")
    assert f"warning: {note}" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["graph", "hdbscan"])
def test_advice_names_parameters_that_there_are(method):
    clusters = SimpleNamespace(settings=SimpleNamespace(method=method))

    named = re.findall(r"[a-z_]+(?:\.[a-z_]+)+", topic_words.advise(clusters))

    assert named
    for parameter in named:
        section, way, key = parameter.split(".")
        assert way == method
        assert key in params.read_yaml(PROJECT / "params.yaml")[section][way], parameter


def test_only_what_is_compared_between_runs_is_a_metric(tmp_path, without_umap):
    folder = fit(tmp_path, *planted(80))

    kept = json.loads((folder / "metrics.json").read_text())
    assert kept == {key: measures(folder)[key] for key in ("npmi", "ami")}
    assert json.loads((folder / "fit.json").read_text()) == {"topics": 4, "core_share": 1.0}
