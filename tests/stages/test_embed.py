"""Sentence vectors: those of sentence-transformers, in the table's order, whatever the batches."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from bertline.core import checkpoint, files
from bertline.encoders import embedding, running
from stages import embed, parse
from tests import killed, tiny
from tests.command import call, write_params

CPU = torch.device("cpu")


def texts_of_all_lengths(count: int) -> list[str]:
    """Return texts of 0 to 79 words in mixed order; an encoder takes 62 of them."""
    draw = np.random.default_rng(8)
    words = [word for group in tiny.GROUPS.values() for word in group.split()]
    return [" ".join(draw.choice(words, size=draw.integers(0, 80))) for _ in range(count)]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Path]:
    """Return a function that embeds texts; it returns the folder of the output.

    The measures that the stage logs are beside that folder, as JSON.
    """

    def run(texts: list[str], encoder: Path, name: str = "out", **changes: object) -> Path:
        options = {"precision": "fp32"} | changes
        settings = write_params(
            tmp_path / "params.yaml", {f"embed.{key}": value for key, value in options.items()}
        )
        table = tiny.documents(len(texts)).assign(text=texts, part="all", date=None)
        table.insert(0, "id", [str(number) for number in range(len(texts))])
        files.write_table(tmp_path / "documents.parquet", table, parse.DOCUMENTS)
        call(
            embed,
            *(tmp_path / "documents.parquet", encoder, tmp_path / name),
            *("--params", settings),
        )
        printed = capfd.readouterr().err
        sys.stderr.write(printed)
        measures = re.search(r"embed: (\{.*\})", printed)[1].replace("'", '"')
        (tmp_path / f"{name}.json").write_text(measures)
        return tmp_path / name

    return run


def load(folder: Path) -> np.ndarray:
    return np.load(folder / "embeddings.npy", mmap_mode="r", allow_pickle=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "window", "budget"),
    [
        pytest.param("tiny_bert", 16_384, 16_384, id="mean-of-word-pieces"),
        pytest.param("tiny_bert_cls", 7, 100, id="pooling-of-its-files-in-windows"),
        pytest.param("tiny_bert", 7, 1, id="row-by-row"),
    ],
)
def test_vectors_are_those_of_sentence_transformers(
    run, request, monkeypatch, encoder, window, budget
):
    monkeypatch.setattr(embedding, "WINDOW", window)
    texts, folder = texts_of_all_lengths(40), request.getfixturevalue(encoder)

    out = run(texts, folder, tokens_per_batch=budget)

    vectors = load(out)
    assert sorted(path.name for path in out.iterdir()) == ["embeddings.npy", "measures.json"]
    assert isinstance(vectors, np.memmap) and vectors.flags["C_CONTIGUOUS"]
    assert (vectors.dtype, vectors.shape) == (np.dtype("float32"), (40, 32))
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts)
    assert np.abs(vectors - expected).max() < 1e-5
    assert np.ptp(expected, axis=0).max() > 0.1  # else any order would do


@pytest.mark.parametrize(
    ("lengths", "budget", "expected"),
    [
        # Longest first; 10 // 5 = 2 rows, then 10 // 3 = 3 rows
        ([3, 5, 2, 4, 3], 10, [[1, 3], [0, 4, 2]]),
        ([3, 5, 2], 4, [[1], [0], [2]]),
        ([4, 4, 4, 4], 8, [[0, 1], [2, 3]]),
        ([7], 1, [[0]]),
        ([], 8, []),
    ],
    ids=["by-hand", "longer-than-the-budget", "ties-in-order", "one", "none"],
)
def test_batches_by_hand(lengths, budget, expected):
    found = embedding.batches_of(np.array(lengths, dtype=int), budget)

    assert [batch.tolist() for batch in found] == expected


def test_token_budget_holds_in_the_batches_that_the_encoder_sees(run, tiny_bert, monkeypatch):
    shapes = []
    forward = SentenceTransformer.forward

    def watch(self, features, **rest):
        shapes.append(tuple(features["input_ids"].shape))
        return forward(self, features, **rest)

    monkeypatch.setattr(SentenceTransformer, "forward", watch)
    run(texts_of_all_lengths(60), tiny_bert, tokens_per_batch=256)

    assert sum(rows for rows, _ in shapes) == 60
    assert all(rows * width <= 256 for rows, width in shapes)
    assert max(width for _, width in shapes) == 64


def test_cut_documents_and_unknown_word_pieces_are_counted(run, tiny_bert, tmp_path, capfd):
    # With [CLS] and [SEP]: 64 pieces are taken whole, 65 are cut. The encoder knows no Chinese.
    out = run(["orbit " * 62, "orbit " * 60 + "彗星。", "orbit " * 100, ""], tiny_bert)

    measures = json.loads((tmp_path / "out.json").read_text())
    assert (
        measures
        == json.loads((out / "measures.json").read_text())
        == {
            "documents": 4,
            "dimension": 32,
            "longest_input": 64,
            "mean_word_pieces": 58.2,  # (64 + 65 + 102 + 2) / 4 = 58.25
            "long_texts": "head",
            "long_share": 0.5,
            "unseen_share": 0.1674,  # (1 + 38) / 233
            "unknown_share": 0.0129,  # 3 / 233
        }
    )
    told = capfd.readouterr().err
    assert "50.0% of the documents are longer than the 64 word pieces" in told
    assert "16.7% of all word pieces are not seen (embed.long_texts: head)" in told


@pytest.mark.parametrize("encoder", ["tiny_bert", "tiny_bert_cls"])
def test_windows_are_averaged_and_normalised_as_the_encoder_does(run, request, capfd, encoder):
    folder = request.getfixturevalue(encoder)
    words = texts_of_all_lengths(400)
    words = " ".join(words).split()[:131]
    # 131 words of one piece, 62 in a window: windows of 43, 44 and 44
    parts = [" ".join(words[:43]), " ".join(words[43:87]), " ".join(words[87:])]
    short = texts_of_all_lengths(5)[:3]

    vectors = load(run([*short, " ".join(words)], folder, long_texts="windows"))

    expected = SentenceTransformer(str(folder), device="cpu").encode([*short, *parts])
    mean = np.average(expected[3:], axis=0, weights=[43, 44, 44])
    if encoder == "tiny_bert_cls":
        mean /= np.linalg.norm(mean)
    assert np.abs(vectors - [*expected[:3], mean]).max() < 1e-5
    assert "all of it is seen, in windows" in capfd.readouterr().err


def test_head_tail_keeps_both_ends(run, tiny_bert):
    words = " ".join(texts_of_all_lengths(400)).split()[:131]
    # of 62 word pieces 128 / 510 are of the head: 16
    kept = " ".join([*words[:16], *words[-46:]])

    vectors = load(run([" ".join(words), "orbit"], tiny_bert, long_texts="head_tail"))

    expected = SentenceTransformer(str(tiny_bert), device="cpu").encode([kept, "orbit"])
    assert np.abs(vectors - expected).max() < 1e-5


def test_windows_share_batches_within_the_budget_and_have_the_prompt(run, tmp_path, monkeypatch):
    encoder = tiny.write_bert(tmp_path / "prompted", pooling="mean")
    write_prompts(encoder, prompts=PROMPTS, default_prompt_name="query")
    shapes = []
    forward = SentenceTransformer.forward

    def watch(self, features, **rest):
        shapes.append(tuple(features["input_ids"].shape))
        assert len({tuple(row) for row in features["input_ids"][:, :4].tolist()}) == 1
        return forward(self, features, **rest)

    monkeypatch.setattr(SentenceTransformer, "forward", watch)
    texts = ["orbit " * 400, "comet " * 130, "", "oven"]

    vectors = load(run(texts, encoder, long_texts="windows", tokens_per_batch=200))

    # 64 less 5 for [CLS], `comet oven :` and [SEP]: 7 windows of 400 words, 3 of 130
    assert sum(rows for rows, _ in shapes) == 7 + 3 + 2
    assert all(rows * width <= 200 for rows, width in shapes)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)


def test_means_of_windows_by_hand():
    vectors = np.array([[2, 0], [0, 4], [3, 3]], np.float32)

    # (1 * [2, 0] + 3 * [0, 4]) / 4 = [.5, 3]; a text without word pieces keeps its vector
    found = embedding.mean_of_windows(vectors, [[1, 3], [0]], normalised=False)

    assert found.tolist() == [[0.5, 3], [3, 3]]
    found = embedding.mean_of_windows(vectors, [[1, 3], [0]], normalised=True)
    assert found[0] == pytest.approx(np.array([0.5, 3]) / np.hypot(0.5, 3))
    assert found[1].tolist() == [3, 3]


def write_prompts(encoder: Path, **settings: object) -> None:
    """Let sentence-transformers' settings of an encoder have these, its prompts for instance."""
    (encoder / "config_sentence_transformers.json").write_text(json.dumps(settings))


PROMPTS = {"query": "comet oven: ", "document": "butter pedal, puncture: "}


@pytest.mark.parametrize(
    ("pooling", "include_prompt"),
    [("cls", True), ("mean", True), ("mean", False), ("max", False)],
)
def test_default_prompt_goes_before_each_text_as_in_encode(
    run, tmp_path, capfd, pooling, include_prompt
):
    encoder = tiny.write_bert(tmp_path / "prompted", pooling=pooling)
    write_prompts(encoder, prompts=PROMPTS, default_prompt_name="document")
    settings = encoder / "1_Pooling" / "config.json"
    settings.write_text(
        json.dumps(json.loads(settings.read_text()) | {"include_prompt": include_prompt})
    )
    texts = texts_of_all_lengths(20)

    vectors = load(run(texts, encoder))

    expected = SentenceTransformer(str(encoder), device="cpu").encode(texts)
    assert (vectors * expected).sum(axis=1) == pytest.approx(1, abs=1e-5)  # cosines
    plain = SentenceTransformer(str(encoder), device="cpu").encode(texts, prompt="")
    assert (vectors * plain).sum(axis=1).min() < 0.98  # the prompt shows
    log = capfd.readouterr().err
    assert "the prompt 'butter pedal, puncture: ' goes before each text" in log
    assert "Default prompt name is set" not in log  # the library's words for the same


def test_word_pieces_of_the_prompt_count(run, tmp_path):
    encoder = tiny.write_bert(tmp_path / "prompted", pooling="mean")
    write_prompts(encoder, prompts=PROMPTS, default_prompt_name="query")

    # With [CLS], `comet oven :` and [SEP]: 59 more are taken whole. `:` is one piece, [UNK].
    run(["orbit " * 59, "orbit " * 60], encoder)

    measures = json.loads((tmp_path / "out.json").read_text())
    assert (measures["mean_word_pieces"], measures["long_share"]) == (64.5, 0.5)
    assert measures["unknown_share"] == 0


def test_prompts_without_a_default_are_named_and_not_applied(run, tmp_path, capfd):
    encoder = tiny.write_bert(tmp_path / "prompted", pooling="mean")
    texts = texts_of_all_lengths(5)
    without = load(run(texts, encoder))
    write_prompts(encoder, prompts=PROMPTS)

    vectors = load(run(texts, encoder))

    assert (vectors == without).all()
    assert "no prompt goes before the texts: the encoder has document, query" in (
        capfd.readouterr().err
    )


def test_longest_input_is_read_from_the_files(run, tiny_bert_cls, tmp_path):
    encoder = Path(shutil.copytree(tiny_bert_cls, tmp_path / "shorter"))
    (encoder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 10}))

    vectors = load(run(["orbit " * 8, "orbit " * 30], encoder))

    assert json.loads((tmp_path / "out.json").read_text())["longest_input"] == 10
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-6)  # the second is cut to the first


def kill_in(function: str, monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> None:
    with monkeypatch.context() as patch, pytest.raises(killed.Killed):
        patch.setattr(embedding, function, lambda *_, **__: (_ for _ in ()).throw(killed.Killed))
        run()


@pytest.mark.slow
def test_state_of_vectors_that_are_gone_is_not_believed(run, tiny_bert, monkeypatch, tmp_path):
    """The vectors are gone; then a run is killed before its first checkpoint; then one resumes."""
    texts = texts_of_all_lengths(20)
    whole = files.sha256(run(texts, tiny_bert, "whole") / "embeddings.npy")
    kill_in("put_in_place", monkeypatch, lambda: run(texts, tiny_bert))
    [vectors] = tmp_path.glob(".out.checkpoint/*/embeddings.npy")
    vectors.unlink()
    kill_in("embed_window", monkeypatch, lambda: run(texts, tiny_bert))

    assert files.sha256(run(texts, tiny_bert) / "embeddings.npy") == whole


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 3])
def test_vectors_are_the_same_with_any_number_of_threads_and_cores(
    run, tiny_bert, monkeypatch, threads
):
    texts = texts_of_all_lengths(40)
    expected = files.sha256(run(texts, tiny_bert, tokens_per_batch=256) / "embeddings.npy")
    monkeypatch.setattr(running.machine, "cores", lambda: 5)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = run(texts, tiny_bert, tokens_per_batch=256) / "embeddings.npy"
    finally:
        torch.set_num_threads(before)

    assert files.sha256(found) == expected


def test_half_precision_points_the_same_way(tiny_bert):
    encoder = embedding.load_encoder(tiny_bert, CPU)
    texts = texts_of_all_lengths(10)

    found = {}
    for precision in ("fp32", "bf16"):
        found[precision] = np.zeros((10, 32), dtype=np.float32)
        for batch in embedding.embed_window(
            encoder, texts, precision=precision, tokens_per_batch=256
        ):
            assert batch.vectors.dtype == np.float32
            found[precision][batch.rows] = batch.vectors

    one, two = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in found.values())
    cosines = (one * two).sum(axis=1)
    assert cosines.min() > 0.999, cosines


@pytest.fixture
def whole(run: Callable[..., Path], tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the hash of the vectors of 20 texts, in windows of 8, that nobody kills."""
    monkeypatch.setattr(embedding, "WINDOW", 8)
    out = run(texts_of_all_lengths(20), tiny_bert, "whole", tokens_per_batch=150)
    return files.sha256(out / "embeddings.npy")


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [1, 5])
def test_killed_embedding_resumes_to_the_same_bytes(
    run, tiny_bert, whole, monkeypatch, capfd, tmp_path, killed_at
):
    texts, batches, window = texts_of_all_lengths(20), [], embedding.embed_window
    monkeypatch.setenv(checkpoint.VARIABLE, "0")

    def window_and_die(*arguments: object, **options: object):
        for batch in window(*arguments, **options):
            if len(batches) == killed_at:
                raise killed.Killed
            batches.append(batch)
            yield batch

    monkeypatch.setattr(embedding, "embed_window", window_and_die)
    with pytest.raises(killed.Killed):
        run(texts, tiny_bert, "again", tokens_per_batch=150)
    monkeypatch.setattr(embedding, "embed_window", window)
    again = run(texts, tiny_bert, "again", tokens_per_batch=150)

    assert "resuming after" in capfd.readouterr().err
    assert files.sha256(again / "embeddings.npy") == whole
    assert (tmp_path / "again.json").read_text() == (tmp_path / "whole.json").read_text()
    assert not (tmp_path / ".again.checkpoint").exists()


@pytest.mark.slow
def test_finished_vectors_outlast_a_failure_behind_them(run, tiny_bert, whole, monkeypatch, capfd):
    texts = texts_of_all_lengths(20)
    kill_in("put_in_place", monkeypatch, lambda: run(texts, tiny_bert, tokens_per_batch=150))
    monkeypatch.setattr(embedding, "embed_window", lambda *_, **__: pytest.fail("embedded again"))

    found = run(texts, tiny_bert, tokens_per_batch=150)

    assert "resuming after 20 documents" in capfd.readouterr().err
    assert files.sha256(found / "embeddings.npy") == whole


@pytest.mark.slow
@pytest.mark.parametrize("name", ["embeddings.npy", "progress.json", None])
def test_checkpoint_that_is_damaged_or_of_other_documents_is_not_used(
    run, tiny_bert, whole, monkeypatch, capfd, tmp_path, name
):
    texts = texts_of_all_lengths(20)
    killed_texts = texts if name else [text.upper() for text in texts]
    kill_in("put_in_place", monkeypatch, lambda: run(killed_texts, tiny_bert, tokens_per_batch=150))
    if name:
        [damaged] = tmp_path.glob(f".out.checkpoint/*/{name}")
        damaged.write_bytes(damaged.read_bytes()[:10])

    found = run(texts, tiny_bert, tokens_per_batch=150)

    told = capfd.readouterr().err
    assert "resuming" not in told and ("is damaged" in told or not name)
    assert files.sha256(found / "embeddings.npy") == whole
