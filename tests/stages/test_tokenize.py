"""Word pieces: ragged, complete, cut without losing [SEP], and counted."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.encoders import loading
from stages import parse, tokenize
from tests import tiny
from tests.command import call, write_params

CLS, SEP = (tiny.VOCABULARY.index(piece) for piece in ("[CLS]", "[SEP]"))


def ids_of(*pieces: str) -> list[int]:
    return [tiny.VOCABULARY.index(piece) for piece in pieces]


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path):
    return loading.load_tokenizer(tiny_bert)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("The dog sleeps.", ["the", "dog", "sleeps", "."]),
        ("THE  dog\tsleeps .", ["the", "dog", "sleeps", "."]),
        ("dogs", ["dog", "##s"]),
        ("zoo", ["z", "##o", "##o"]),
        ("caf\u00e9", ["c", "##a", "##f", "##e"]),
        ("\u4e2d", ["[UNK]"]),
        ("", []),
    ],
    ids=["words", "case-and-space", "suffix", "letters", "accent", "unknown", "empty"],
)
def test_sentence_is_word_pieces_between_cls_and_sep(tokenizer, text, pieces):
    assert tokenize.tokenize([text], tokenizer) == [[CLS, *ids_of(*pieces), SEP]]


def test_order_is_kept_across_batches(tokenizer, monkeypatch):
    texts = tiny.sentences(7)["text"].tolist()
    whole = tokenize.tokenize(texts, tokenizer)
    monkeypatch.setattr(tokenize, "BATCH", 3)

    assert tokenize.tokenize(texts, tokenizer) == whole
    assert len({len(row) for row in whole}) > 1  # ragged, not padded


def test_long_sentence_is_not_cut_before_it_is_counted(tokenizer):
    [row] = tokenize.tokenize(["dog " * 500], tokenizer)

    assert len(row) == 502


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (5, [CLS, *ids_of("the", "dog", "sings"), SEP]),
        (4, [CLS, *ids_of("the", "dog"), SEP]),
        (3, [CLS, *ids_of("the"), SEP]),
    ],
)
def test_cut_sentence_ends_with_sep(tokenizer, limit, expected):
    ids = tokenize.tokenize(["the dog sings today"], tokenizer)

    assert tokenize.truncate(ids, tokenizer, limit) == [expected]


def test_sentence_of_the_greatest_length_is_not_cut(tokenizer):
    ids = tokenize.tokenize(["the dog sings"], tokenizer)

    assert tokenize.truncate(ids, tokenizer, 5) == ids


def test_cut_is_that_of_transformers(tokenizer):
    texts = ["the dog sings today", "zoo " * 40, "", "the old cat sleeps"]

    cut = tokenize.truncate(tokenize.tokenize(texts, tokenizer), tokenizer, 6)

    assert cut == tokenizer(texts, truncation=True, max_length=6)["input_ids"]


def test_tokenizer_without_special_tokens_has_nothing_to_close_with(tiny_bert):
    backend = Tokenizer.from_file(str(tiny_bert / "tokenizer.json"))
    backend.post_processor = None
    plain = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")

    assert tokenize.closing_tokens(plain) == []


def test_measures_by_hand(tokenizer):
    texts = ["the dog sings", "\u4e2d the dog", "cat"]
    ids = tokenize.tokenize(texts, tokenizer)
    cut = tokenize.truncate(ids, tokenizer, 4)

    found = tokenize.measure(ids, cut, tokenizer)

    assert found == {
        "sentences": 3,
        "longest": 5,  # [CLS] the dog sings [SEP]
        "mean": 4.33,  # (5 + 5 + 3) / 3
        "truncated": 2,
        "unknown_share": 0.2,  # the dog | [UNK] the | cat: 1 of 5 pieces
        "distinct_pieces": 4,  # the, dog, [UNK], cat
    }


@pytest.fixture
def run(tiny_bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that runs the stage on sentences; it returns the folder of the output."""

    def run(table: pd.DataFrame, max_length: object, name: str = "out") -> Path:
        files.write_table(tmp_path / "sentences.parquet", table, parse.SENTENCES)
        settings = write_params(tmp_path / "params.yaml", {"tokenize.max_length": max_length})
        call(
            tokenize,
            *(tmp_path / "sentences.parquet", tiny_bert, tmp_path / name),
            *("--params", settings, "--metrics", tmp_path / "metrics.json"),
        )
        return tmp_path / name

    return run


def test_table_holds_every_sentence_with_its_own_number_of_pieces(run, tokenizer, tmp_path):
    table = tiny.sentence_sets({"in_domain_train": 20, "in_domain_dev": 5})

    out = run(table, 8)

    written = files.read_table(out / "tokens.parquet")
    assert written.columns.tolist() == tokenize.TOKENS.names
    expected = tokenizer(table["text"].tolist(), truncation=True, max_length=8)["input_ids"]
    assert [ids.tolist() for ids in written["input_ids"]] == expected
    for column in ("id", "set", "source", "label", "text"):
        assert written[column].tolist() == table[column].tolist()
    assert json.loads((out / "settings.json").read_text()) == {"max_length": 8}


def test_metrics_count_before_cutting(run, tmp_path):
    table = tiny.sentence_sets({"in_domain_train": 2, "in_domain_dev": 1})
    table["text"] = ["the dog sings", "cat", "the old dog sings today"]

    run(table, 4)

    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["max_length"] == 4
    assert found["longest_by_set"] == {"in_domain_train": 5, "in_domain_dev": 7}
    assert found["mean_training"] == 4.0  # (5 + 3) / 2
    assert found["truncated"] == 2


def test_one_sentence_is_shown_as_text_pieces_and_ids(run, capfd):
    table = tiny.sentence_sets({"in_domain_train": 1})
    table["text"] = ["Dogs sing."]

    run(table, 16)

    shown = capfd.readouterr().err
    assert "text:   Dogs sing." in shown
    assert "tokens: [CLS] dog ##s sing . [SEP]" in shown
    pieces = " ".join(map(str, ids_of("[CLS]", "dog", "##s", "sing", ".", "[SEP]")))
    assert f"ids:    {pieces}" in shown


def test_same_inputs_give_the_same_bytes(run):
    table = tiny.sentence_sets({"in_domain_train": 9})

    first, again = run(table, 16, "first"), run(table, 16, "again")

    for name in ("tokens.parquet", "settings.json"):
        assert (again / name).read_bytes() == (first / name).read_bytes()


@pytest.mark.parametrize(
    ("max_length", "message"),
    [
        (65, r"max_length is 65, .* takes at most 64 word pieces\. Set it to 64 or less"),
        (2, r"tokenize\.max_length: .*greater than or equal to 3; found 2"),
        (0, r"tokenize\.max_length: .*; found 0"),
        ("64", r"tokenize\.max_length: .*valid integer; found '64'"),
        (None, r"tokenize\.max_length: .*valid integer; found None"),
    ],
)
def test_length_that_the_backbone_cannot_take_is_refused(run, max_length, message):
    with pytest.raises(BertlineError, match=message):
        run(tiny.sentence_sets({"in_domain_train": 2}), max_length)


def test_greatest_length_of_the_backbone_is_allowed(run):
    assert (run(tiny.sentence_sets({"in_domain_train": 2}), 64) / "tokens.parquet").is_file()
