"""Folds: the sizes of the published recipe, duplicates undivided, the same draw every time."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.encoders import loading
from stages import parse, split, tokenize
from tests import tiny
from tests.command import call, write_params

CHANGED = {"validation": 0.2, "stratify": True, "seed": 42}


def draw(labels: list[int] | np.ndarray, groups: list[int] | None = None, **changes) -> np.ndarray:
    """Draw from sentences with these labels; without `groups` all of them are distinct."""
    options = {"share": 0.1, "stratify": True, "seed": 42} | changes
    numbers = np.arange(len(labels)) if groups is None else np.asarray(groups)
    return split.draw_validation(np.asarray(labels), numbers, **options)


def labels_of(acceptable: int, others: int) -> np.ndarray:
    labels = np.repeat([1, 0], [acceptable, others])
    return np.random.default_rng(0).permutation(labels)


@pytest.mark.parametrize(
    ("sentences", "share", "expected"),
    [
        pytest.param(8551, 0.1, 856, id="published-recipe-7695-and-856"),
        pytest.param(10, 0.9, 9, id="0.9-of-10-in-floating-point"),
        pytest.param(100, 0.9, 90, id="0.9-of-100-in-floating-point"),
        pytest.param(10, 0.25, 3, id="rounded-up"),
        pytest.param(10, 0.001, 1, id="at-least-one"),
        pytest.param(10, 0.0, 0, id="none"),
    ],
)
@pytest.mark.parametrize("stratify", [True, False], ids=["stratified", "free"])
def test_size_of_the_validation_fold(sentences, share, expected, stratify):
    labels = labels_of(sentences - sentences // 3, sentences // 3)

    assert draw(labels, share=share, stratify=stratify).sum() == expected


def test_stratified_folds_have_the_same_share_of_acceptable_sentences():
    # CoLA's counts. Exact: 6023 * 856 / 8551 = 602.93 and 2528 * 856 / 8551 = 253.07.
    labels = labels_of(6023, 2528)

    chosen = draw(labels)

    assert (labels[chosen].sum(), (1 - labels[chosen]).sum()) == (603, 253)


@pytest.mark.parametrize(
    ("labels", "size", "expected"),
    [
        # 5 * 3 / 10 = 1.5 of each label: the rest goes to the first of the equal remainders.
        pytest.param([0] * 5 + [1] * 5, 3, {0: 2, 1: 1}, id="equal-remainders"),
        # 7 * 2 / 10 = 1.4 and 3 * 2 / 10 = 0.6
        pytest.param([1] * 7 + [0] * 3, 2, {0: 1, 1: 1}, id="largest-remainder"),
        pytest.param([1] * 10, 4, {1: 4}, id="one-label"),
    ],
)
def test_quotas_add_up_by_the_largest_remainder(labels, size, expected):
    assert split.quotas(np.array(labels), size, stratify=True) == expected
    assert split.quotas(np.array(labels), size, stratify=False) == {0: size}


@pytest.mark.parametrize("stratify", [True, False], ids=["stratified", "free"])
@pytest.mark.parametrize("seed", range(5))
def test_duplicates_are_never_on_both_sides(seed, stratify):
    """Half of the sentences occur twice or more, some of them with both labels."""
    random = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(100), random.integers(0, 100, size=100)])
    labels = random.integers(0, 2, size=200)

    chosen = draw(labels, groups, share=0.2, seed=seed, stratify=stratify)

    assert chosen.sum() == 40
    assert not set(groups[chosen]) & set(groups[~chosen])


@pytest.mark.parametrize(
    ("stratify", "remedy"),
    [(True, "Set split.stratify to false"), (False, "Choose another split.validation")],
)
def test_quota_that_duplicates_cannot_fill_is_refused(stratify, remedy):
    labels, groups = [1, 1, 0, 0] * 2, [0, 0, 1, 1, 2, 2, 3, 3]

    message = f"lacks 1 of 3 sentences: .*duplicates.*{re.escape(remedy)}"
    with pytest.raises(BertlineError, match=message if not stratify else remedy):
        draw(labels, groups, share=0.375, stratify=stratify)


def test_description_counts_folds_and_the_sentences_they_share():
    tokens = pd.DataFrame({"label": [1, 0, 1, 1], "input_ids": [[2, 3], [4], [2, 3], [5]]})
    folds = pd.Series(["train", "train", "validation", "dev"])

    found = split.describe(folds, tokens)

    assert found["folds"]["train"] == {
        "sentences": 2,
        "acceptable": 1,
        "acceptable_share": 0.5,
    }
    assert found["shared_sentences"] == {
        "train and validation": 1,
        "train and dev": 0,
        "validation and dev": 0,
    }


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_minimal_pairs_are_never_divided(stratify, seed):
    # 40 pairs and 60 sentences alone: 100 acceptable, 40 not
    pairs = pd.Series([f"p{number // 2}" for number in range(80)] + [f"s{n}" for n in range(60)])
    labels = np.array([1, 0] * 40 + [1] * 60)
    ids = pd.Series([[number] for number in range(140)])

    groups = split.group_related(ids, pairs)
    chosen = split.draw_validation(labels, groups, share=0.1, stratify=stratify, seed=seed)

    assert chosen.sum() == 14
    assert pd.Series(chosen).groupby(pairs).nunique().max() == 1
    if stratify:
        assert labels[chosen].sum() == 10


def test_a_pair_and_a_duplicate_of_its_member_are_one_group():
    groups = split.group_related(pd.Series([[1], [2], [2], [3]]), pd.Series(["a", "a", "b", "c"]))

    assert groups[0] == groups[1] == groups[2] != groups[3]


@pytest.fixture
def tokens(tmp_path: Path, tiny_bert: Path) -> Path:
    """Return what tokenize writes for 50 sentences, three of them repeated in other letters."""
    table = tiny.sentence_sets({"in_domain_train": 50, "in_domain_dev": 10})
    texts = table["text"].tolist()
    texts[47:50] = [texts[0].upper(), texts[1].lower(), texts[2].replace(" ", "  ")]
    table["text"] = texts
    ids = tokenize.tokenize(texts, loading.load_tokenizer(tiny_bert))
    folder = tmp_path / "tokens"
    folder.mkdir()
    files.write_table(folder / "tokens.parquet", table.assign(input_ids=ids), tokenize.TOKENS)
    assert "mark" in parse.SENTENCES.names  # which tokenize leaves out
    return folder


def run(tokens: Path, name: str, **changes: object) -> tuple[pd.DataFrame, dict]:
    options = {f"split.{key}": value for key, value in (CHANGED | changes).items()}
    settings = write_params(tokens.parent / "params.yaml", options)
    metrics = tokens.parent / f"{name}.json"
    call(split, tokens, tokens.parent / name, "--params", settings, "--metrics", metrics)
    folds = files.read_table(tokens.parent / name / "folds.parquet")
    return folds, json.loads(metrics.read_text())


@pytest.mark.parametrize("seed", range(3))
def test_test_sets_pass_through_and_case_and_spacing_make_no_new_sentence(tokens, seed):
    folds, metrics = run(tokens, "out", seed=seed)

    table = files.read_table(tokens / "tokens.parquet")
    assert folds["id"].tolist() == table["id"].tolist()
    in_test = table["set"] == "in_domain_dev"
    assert (folds["fold"] == "in_domain_dev").tolist() == in_test.tolist()
    fold = folds.set_index("id")["fold"]
    for first, second in ((1, 48), (2, 49), (3, 50)):
        assert fold[f"in_domain_train:{first}"] == fold[f"in_domain_train:{second}"]
    assert metrics["shared_sentences"]["train and validation"] == 0
    sizes = {name: of_fold["sentences"] for name, of_fold in metrics["folds"].items()}
    assert sizes == {"train": 40, "validation": 10, "in_domain_dev": 10}


def test_same_parameters_give_the_same_bytes(tokens):
    run(tokens, "first")
    run(tokens, "again")
    run(tokens, "other", seed=43)

    first, again, other = (
        (tokens.parent / name / "folds.parquet").read_bytes()
        for name in ("first", "again", "other")
    )
    assert again == first != other
