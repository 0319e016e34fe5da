"""Word pieces: ragged, complete, cut without losing [SEP], and counted."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.encoders import loading
from stages import parse, tokenize
from tests import tiny
from tests.command import PROJECT, call, write_params

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


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (5, [CLS, *ids_of("the", "dog", "sings"), SEP]),
        (4, [CLS, *ids_of("the", "dog"), SEP]),
        (3, [CLS, *ids_of("the"), SEP]),
    ],
)
def test_truncated_sentence_ends_with_sep(tokenizer, limit, expected):
    texts = ["the dog sings today", "the"]

    assert tokenize.tokenize(texts, tokenizer, limit) == [expected, [CLS, *ids_of("the"), SEP]]
    assert [len(row) for row in tokenize.tokenize(texts, tokenizer)] == [6, 3]  # nothing is kept


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


def test_table_holds_every_sentence_with_its_own_number_of_pieces(run, tokenizer):
    table = tiny.sentence_sets({"in_domain_train": 20, "in_domain_dev": 5})

    out = run(table, 8)

    written = files.read_table(out / "tokens.parquet")
    assert written.columns.tolist() == tokenize.TOKENS.names
    expected = tokenizer(table["text"].tolist(), truncation=True, max_length=8)["input_ids"]
    assert [ids.tolist() for ids in written["input_ids"]] == expected
    for column in ("id", "set", "source", "label", "text"):
        assert written[column].tolist() == table[column].tolist()
    assert json.loads((out / "settings.json").read_text()) == {"max_length": 8}


def test_metrics_by_hand(run, tmp_path):
    table = tiny.sentence_sets({"in_domain_train": 2, "in_domain_dev": 1})
    table["text"] = ["the dog sings", "cat", "\u4e2d the old dog sings"]

    run(table, 4)

    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "max_length": 4,
        "sentences": 3,
        "longest": 7,  # [CLS] [UNK] the old dog sings [SEP]
        "mean": 5.0,  # (5 + 3 + 7) / 3
        "truncated": 2,
        "unknown_share": 0.2,  # the dog | cat | [UNK] the: 1 of 5 pieces
        "distinct_pieces": 4,  # the, dog, cat, [UNK]
        "longest_by_set": {"in_domain_train": 5, "in_domain_dev": 7},
        "mean_training": 4.0,  # (5 + 3) / 2
    }


def test_length_that_the_backbone_cannot_take_is_refused(run):
    table = tiny.sentence_sets({"in_domain_train": 2})

    assert (run(table, 64) / "tokens.parquet").is_file()
    message = r"max_length is 65, .* takes at most 64 word pieces\. Set it to 64 or less"
    with pytest.raises(BertlineError, match=message):
        run(table, 65)


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


@pytest.mark.parametrize("script", sorted(path.name for path in PROJECT.glob("stages/[a-z]*.py")))
def test_script_run_by_its_path_says_how_to_run_it(script):
    # stages/ is then the first place for imports, and stages/tokenize.py hides Python's own.
    done = subprocess.run(
        [sys.executable, PROJECT / "stages" / script, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: run a stage as a module, from the project's folder: ")
    assert "Traceback" not in done.stderr
