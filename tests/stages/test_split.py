"""Folds: the sizes of the published recipe, duplicates undivided, the same draw every time."""

import json
from collections.abc import Sequence
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

CHANGED = {"validation": 0.2, "test": 0.0, "stratify": True, "seed": 42}


def draw(labels: list[int] | np.ndarray, groups: list[int] | None = None, **changes) -> np.ndarray:
    """Draw from sentences with these labels; without `groups` all of them are distinct."""
    options = {"share": 0.1, "stratify": True, "seed": 42} | changes
    numbers = np.arange(len(labels)) if groups is None else np.asarray(groups)
    return split.draw(np.asarray(labels), numbers, **options)


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

    # Stratified, each class keeps a sentence: of 10, 8 at most are drawn.
    most = sentences - 2 if stratify else sentences
    assert draw(labels, share=share, stratify=stratify).sum() == min(expected, most)


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
        # 0.9, 0.9 and 7.2 of 9; a class of one sentence gives none, and the others no more for it
        pytest.param([0, 1] + [2] * 8, 9, {0: 0, 1: 0, 2: 7}, id="single-sentences"),
        # 0.4 of each: two of the five get one
        pytest.param([0, 1, 2, 3, 4] * 2, 2, {0: 1, 1: 1, 2: 0, 3: 0, 4: 0}, id="small-classes"),
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


def test_fold_that_duplicates_leave_a_little_small_is_a_warning(capsys):
    # 3 of 8, in groups of two
    chosen = draw([1, 1, 0, 0] * 2, [0, 0, 1, 1, 2, 2, 3, 3], share=0.375)

    assert chosen.sum() == 2
    assert (
        "warning: the validation fold lacks 1 of 3 sentences: the 8 training sentences make 4 gr"
        in (capsys.readouterr().err)
    )


@pytest.mark.parametrize(
    ("stratify", "remedy"), [(True, ", set split.stratify to false, rem"), (False, ", remove dup")]
)
def test_fold_that_duplicates_cannot_fill_is_refused(stratify, remedy):
    message = f"lacks 1 of 1 sentences: .*of 4 to 4 sentences.*another split.validation{remedy}"
    with pytest.raises(BertlineError, match=message):
        draw([1, 1, 0, 0] * 2, [0] * 4 + [1] * 4, share=0.125, stratify=stratify)


def test_hundred_classes_are_all_in_training_and_in_proportion():
    labels = np.repeat(np.arange(100), np.arange(1, 101))

    chosen = draw(labels, share=0.1)

    in_training, in_validation = (
        np.bincount(labels[of], minlength=100) for of in (~chosen, chosen)
    )
    assert chosen.sum() == 505
    assert in_training.min() == 1
    assert np.abs(in_validation - np.arange(1, 101) / 10).max() < 1


def test_description_counts_folds_and_the_sentences_they_share():
    tokens = pd.DataFrame({"label": [1, 0, 1, 1], "windows": [[[2, 3]], [[4]], [[2, 3]], [[5]]]})
    folds = pd.Series(["train", "train", "validation", "dev"])

    found = split.describe(folds, tokens, ["a", "b"])

    assert found["folds"]["train"] == {"sentences": 2, "classes": {"a": 1, "b": 1}}
    assert found["folds"]["dev"]["classes"] == {"a": 0, "b": 1}
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
    windows = pd.Series([[[number]] for number in range(140)])

    groups = split.group_related(windows, pairs)
    chosen = split.draw(labels, groups, share=0.1, stratify=stratify, seed=seed)

    assert chosen.sum() == 14
    assert pd.Series(chosen).groupby(pairs).nunique().max() == 1
    if stratify:
        assert labels[chosen].sum() == 10


def test_a_pair_and_a_duplicate_of_its_member_are_one_group():
    windows = pd.Series([[[1]], [[2]], [[2]], [[3]]])

    groups = split.group_related(windows, pd.Series(["a", "a", "b", "c"]))

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
    write(folder, table.assign(windows=[[row] for row in ids]), tiny.CLASSES)
    assert "mark" in parse.SENTENCES.names  # which tokenize leaves out
    return folder


def write(folder: Path, tokens: pd.DataFrame, labels: Sequence[str]) -> None:
    files.write_table(folder / "tokens.parquet", tokens, tokenize.TOKENS)
    files.write_json(folder / "settings.json", {"max_length": 64, "labels": labels})


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


def tokens_of(sets: str, labels: list[int], texts: list[int], pairs: list[str]) -> pd.DataFrame:
    """Return a table of tokens: a set's first letter, label, text (a number) and pair of each."""
    names = {"t": "train", "v": "validation", "d": "dev"}
    return pd.DataFrame(
        {
            "id": [f"i{number}" for number in range(len(labels))],
            "set": [names[letter] for letter in sets],
            "source": "",
            "label": labels,
            "text": list(map(str, texts)),
            "pair": pairs,
            "windows": [[[text]] for text in texts],
        }
    )


def options(**changes: object) -> split.Split:
    return split.Split.model_validate(CHANGED | changes)


@pytest.mark.parametrize("seed", range(3))
def test_test_set_is_drawn_where_there_is_none_and_duplicates_are_on_one_side_of_any_border(seed):
    random = np.random.default_rng(seed)
    texts, pairs = random.integers(0, 150, size=200), random.integers(0, 180, size=200)
    labels = texts % 5
    tokens = tokens_of("t" * 200, labels.tolist(), texts.tolist(), [f"p{pair}" for pair in pairs])

    folds = split.draw_folds(tokens, options(test=0.2, validation=0.1, seed=seed))

    assert set(folds) == {"train", "validation", "test"}
    assert abs((folds == "test").sum() - 40) <= 10
    assert abs((folds == "validation").sum() - 16) <= 6
    for key in (texts, pairs):
        assert folds.groupby(key).nunique().max() == 1


def test_draw_of_a_test_set_is_stratified(tokens):
    table = files.read_table(tokens / "tokens.parquet")
    write(tokens, table[table["set"] == "in_domain_train"], tiny.CLASSES)

    folds, metrics = run(tokens, "out", test=0.2)

    assert {name: of_fold["classes"] for name, of_fold in metrics["folds"].items()} == {
        "train": {"unacceptable": 10, "acceptable": 22},
        "validation": {"unacceptable": 2, "acceptable": 6},
        "test": {"unacceptable": 3, "acceptable": 7},
    }
    assert (folds["fold"] == "test").sum() == 10


@pytest.mark.parametrize(
    ("given", "drawn"),
    [("d", {"validation"}), ("v", {"test"}), ("dv", set()), ("", {"validation", "test"})],
)
def test_sets_of_the_source_are_kept_and_only_others_are_drawn(given, drawn, capsys):
    sets = "t" * 40 + given * 4
    count = len(sets)
    pairs = [f"p{number}" for number in range(count)]
    tokens = tokens_of(sets, [0, 1] * (count // 2), list(range(count)), pairs)

    folds = split.draw_folds(tokens, options(test=0.2))

    assert folds[40:].tolist() == tokens["set"].iloc[40:].tolist()
    assert set(folds[:40]) == {"train", *drawn}
    assert ("split.validation is unused" in capsys.readouterr().err) == ("v" in given)


def test_duplicates_of_the_source_s_validation_set_are_not_drawn_for_testing():
    # Texts 0 to 9 are in both sets, and p10 is a pair across them.
    texts = [*range(40), *range(10), 99]
    pairs = [f"p{number}" for number in range(50)] + ["p10"]
    tokens = tokens_of("t" * 40 + "v" * 11, [0, 1] * 25 + [0], texts, pairs)

    for seed in range(5):
        folds = split.draw_folds(tokens, options(test=0.5, seed=seed))

        assert (folds[:11] == "train").all()
        assert (folds == "test").sum() == 20


def test_all_draws_that_fail_are_told_at_once():
    tokens = tokens_of("tttt", [0, 1, 0, 1], [1, 1, 1, 1], list("abcd"))

    with pytest.raises(
        BertlineError, match=r"(?s)the test fold lacks.*\nthe validation fold lacks"
    ):
        split.draw_folds(tokens, options(test=0.25))


def test_class_without_a_training_sentence_is_refused():
    pairs = [f"p{number}" for number in range(20)]
    tokens = tokens_of("t" * 20, [0] * 19 + [1], list(range(20)), pairs)
    told = []
    for seed in range(20):
        folds = split.draw_folds(tokens, options(validation=0.5, stratify=False, seed=seed))
        try:
            split.check_folds(split.describe(folds, tokens, ["a", "b"]))
        except BertlineError as error:
            told.append(str(error))

    assert 0 < len(told) < 20
    start = "the draw left no training sentence of 'b'. Set split.stratify to true"
    assert told[0].startswith(start)


def test_class_that_most_training_sentences_are_of_is_a_warning(tokens, capsys):
    run(tokens, "out")
    assert "warning" not in capsys.readouterr().err  # of 70%

    table = files.read_table(tokens / "tokens.parquet")
    write(tokens, table.assign(label=[0] * 50 + [1] * 10, set="in_domain_train"), ["ham", "spam"])
    run(tokens, "out")
    told = capsys.readouterr().err
    assert "83% of the training sentences are ham" in told and "train.class_weights" in told


def test_test_set_that_training_has_seen_is_a_warning(tokens, capsys):
    table = files.read_table(tokens / "tokens.parquet")
    windows = table["windows"].tolist()
    write(tokens, table.assign(windows=windows[:50] + windows[:10]), tiny.CLASSES)

    run(tokens, "out", validation=0.02)

    told = capsys.readouterr().err
    assert "of 10 sentences of in_domain_dev are in the training fold, too" in told
