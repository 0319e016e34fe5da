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


@pytest.fixture
def run(tiny_bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that runs the stage on sentences; it returns the folder of the output."""

    def run(
        table: pd.DataFrame, max_length: object, name: str = "out", long_texts: str = "head"
    ) -> Path:
        files.write_table(tmp_path / "sentences.parquet", table, parse.SENTENCES)
        changed = {"tokenize.max_length": max_length, "tokenize.long_texts": long_texts}
        settings = write_params(tmp_path / "params.yaml", changed)
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
    assert [[window.tolist() for window in row] for row in written["windows"]] == [
        [ids] for ids in expected
    ]
    for column in ("id", "set", "source", "label", "text"):
        assert written[column].tolist() == table[column].tolist()
    assert json.loads((out / "settings.json").read_text()) == {
        "max_length": 8,
        "long_texts": "head",
        "labels": ["unacceptable", "acceptable"],
    }


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of one class, which its number says."""
    return table.assign(**{"label": 0, "class": "lamp"})


def test_metrics_by_hand(run, tmp_path):
    table = tiny.sentence_sets({"in_domain_train": 2, "in_domain_dev": 1})
    table["text"] = ["the dog sings", "cat", "\u4e2d the old dog sings"]

    run(numbered(table), 4)

    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "max_length": 4,
        "long_texts": "head",
        "sentences": 3,
        "longest": 7,  # [CLS] [UNK] the old dog sings [SEP]
        "mean": 5.0,  # (5 + 3 + 7) / 3
        "truncated": 2,
        "windows": 3,
        "unknown_share": 0.2,  # the dog | cat | [UNK] the: 1 of 5 pieces
        "distinct_pieces": 4,  # the, dog, cat, [UNK]
        "longest_by_set": {"in_domain_train": 5, "in_domain_dev": 7},
        "mean_training": 4.0,  # (5 + 3) / 2
    }


def test_length_that_the_backbone_cannot_take_is_refused(run):
    table = numbered(tiny.sentence_sets({"in_domain_train": 2}))

    assert (run(table, 64) / "tokens.parquet").is_file()
    message = r"max_length is 65, .* takes at most 64 word pieces\. Set it to 64 or less"
    with pytest.raises(BertlineError, match=message):
        run(table, 65)


def test_one_sentence_is_shown_as_text_pieces_and_ids(run, capfd):
    table = numbered(tiny.sentence_sets({"in_domain_train": 1}))
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
    ("long_texts", "divided", "cut", "told"),
    [
        ("head", [["the", "dog", "sings"]], 1, "Raise it (to 8 at most), or set tokenize.long_te"),
        ("head_tail", [["the", "here", "again"]], 1, "set tokenize.long_texts to windows."),
        ("windows", [["the", "dog", "sings"], ["today", "here", "again"]], 0, ""),
    ],
)
def test_long_texts_are_cut_or_divided_and_counted(
    run, tmp_path, capfd, long_texts, divided, cut, told
):
    table = numbered(tiny.sentence_sets({"train": 1}))
    table["text"] = ["the dog sings today here again"]

    out = run(table, 5, long_texts=long_texts)

    [windows] = files.read_table(out / "tokens.parquet")["windows"]
    assert [window.tolist() for window in windows] == [[CLS, *ids_of(*row), SEP] for row in divided]
    measures = json.loads((tmp_path / "metrics.json").read_text())
    assert (measures["truncated"], measures["windows"]) == (cut, len(divided))
    shown = capfd.readouterr().err
    assert told in shown
    assert ("100% of the texts are longer than tokenize.max_length (5 word" in shown) == bool(cut)


def test_texts_of_unknown_pieces_are_a_warning(run, capfd):
    table = numbered(tiny.sentence_sets({"train": 2}))
    table["text"] = ["\u4e2d \u4e2d dog", "the dog"]

    run(table, 16)
    assert "40% of the word pieces are unknown" in capfd.readouterr().err
    run(table.assign(text="the dog"), 16)
    assert "warning" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "change",
    [{"label": [1, 2]}, {"label": [0, 0]}, {"label": [0, 2]}],
    ids=["from-1", "two-names", "gap"],
)
def test_classes_that_are_not_numbered_are_refused(run, change):
    table = tiny.sentence_sets({"train": 2}).assign(**{"class": ["a", "b"]} | change)

    with pytest.raises(BertlineError, match=r"number its classes from 0.*parse@sentences"):
        run(table, 16)


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
