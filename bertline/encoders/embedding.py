"""Sentence vectors of documents, as sentence-transformers computes them, in flat memory.

Documents are read, cut into word pieces and written a window at a time; within a window those of
like length share a batch. An interrupted run resumes at its last checkpoint.
"""

import json
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow.parquet as pq
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

from bertline.core import console, files
from bertline.core.checkpoint import Checkpoint
from bertline.core.errors import BertlineError
from bertline.core.params import LongTexts
from bertline.encoders import loading, running, windows

# Documents held in memory at once. Larger windows waste less on padding; at 16,384 it is 1 %.
WINDOW = 16_384

# The files of a checkpoint; the first becomes the output.
VECTORS, STATE = "embeddings.npy", "progress.json"
MEASURES = "measures.json"


def load_encoder(folder: Path, device: torch.device) -> SentenceTransformer:
    """Return the encoder with its pooling; BertlineError if the folder holds none."""
    loading.load_tokenizer(folder)  # its errors are sentences
    with loading.explaining(folder, "encoder that sentence-transformers can load"):
        encoder = SentenceTransformer(
            str(folder),
            device=device.type,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
    # Loading does not notice that files contradict each other; the first batch would.
    width = cast(Transformer, encoder[0]).get_embedding_dimension()
    positions = getattr(loading.load_config(folder), "max_position_embeddings", None)
    pooled = [part.embedding_dimension for part in encoder if isinstance(part, Pooling)]
    if pooled and pooled[0] != width:
        raise BertlineError(
            f"{folder} pools vectors of {pooled[0]} dimensions, as its Pooling/config.json says, "
            f"and its encoder gives {width}: the files belong to different models."
        )
    if positions and (encoder.max_seq_length or 0) > positions:
        raise BertlineError(
            f"{folder}/sentence_bert_config.json lets texts have {encoder.max_seq_length} word "
            f"pieces, and the encoder takes {positions}. Set max_seq_length to {positions}."
        )
    _check_prompt(encoder, folder)
    return encoder


def default_prompt(encoder: SentenceTransformer) -> str:
    """Return what `SentenceTransformer.encode` puts before a text: the default prompt, or ""."""
    name = encoder.default_prompt_name
    return (encoder.prompts[name] or "") if name else ""


def longest_input(encoder: SentenceTransformer) -> int:
    """Return how many word pieces, those of the prompt included, the encoder reads of a text."""
    return encoder.max_seq_length or encoder.tokenizer.model_max_length


def _check_prompt(encoder: SentenceTransformer, folder: Path) -> None:
    """Log which prompt is applied; BertlineError if it is not text, or leaves no room for any."""
    path = folder / "config_sentence_transformers.json"
    prompt = default_prompt(encoder)
    if not isinstance(prompt, str):
        raise BertlineError(
            f"{path}: the prompt `{encoder.default_prompt_name}` should be text, and is {prompt!r}."
        )
    if prompt:
        special = len(encoder.tokenizer("")["input_ids"])
        pieces = len(encoder.tokenizer(prompt, verbose=False)["input_ids"])
        if pieces >= longest_input(encoder):
            raise BertlineError(
                f"{path}: the prompt `{encoder.default_prompt_name}` has {pieces - special} word "
                f"pieces, and the encoder reads {longest_input(encoder) - special} of a text: none "
                f"of a document would be read. Shorten it, or choose another default_prompt_name."
            )
        console.log(
            f"the prompt {prompt!r} goes before each text: it is the encoder's "
            f"`default_prompt_name`, `{encoder.default_prompt_name}`"
        )
        return
    offered = sorted(name for name, text in encoder.prompts.items() if text)
    if offered:
        console.log(
            f"no prompt goes before the texts: the encoder has {', '.join(offered)}, and no "
            f"`default_prompt_name` in {path}"
        )


def reserve(path: Path) -> None:
    """Take the disk space of a file that is mapped into memory; OSError if there is too little.

    Otherwise a disk that fills up while vectors are written would end the process by SIGBUS,
    without a message. macOS lacks the call.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def read_texts(documents: Path, skipped: int = 0) -> Iterator[list[str]]:
    """Yield the texts of the table `documents`, `WINDOW` at a time, after `skipped` of them.

    skipped: a number of whole windows' documents, or that of all.
    """
    with pq.ParquetFile(documents) as table:
        batches = table.iter_batches(batch_size=WINDOW, columns=["text"])
        for batch in islice(batches, math.ceil(skipped / WINDOW), None):
            yield batch.column("text").to_pylist()


def batches_of(lengths: np.ndarray, tokens_per_batch: int) -> list[np.ndarray]:
    """Return batches of row numbers, longest rows first, that hold `tokens_per_batch` when padded.

    lengths: shape (n,), word pieces of each row. A row longer than the budget is a batch alone.
    The longest come first, so that memory runs out at once or not at all.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        rows = max(1, tokens_per_batch // int(lengths[order[start]]))
        batches.append(order[start : start + rows])
        start += rows
    return batches


class Batch(NamedTuple):
    """Documents that were embedded together."""

    rows: np.ndarray  # their numbers, (rows,)
    vectors: np.ndarray  # float32, (rows, dimension)
    lengths: np.ndarray  # word pieces of each before cutting, with those of the prompt, (rows,)
    unknown: np.ndarray  # word pieces of each that the encoder does not know, (rows,)


def embed_window(
    encoder: SentenceTransformer,
    texts: list[str],
    *,
    precision: str,
    tokens_per_batch: int,
    long_texts: LongTexts = "head",
    skipped: int = 0,
) -> Iterator[Batch]:
    """Yield batch by batch; row numbers count from the start of `texts`.

    A text of several windows has the mean of their vectors, weighted by their lengths and of length
    1 if the encoder's vectors are. The first `skipped` batches are left out.
    """
    prompt = default_prompt(encoder)
    whole = windows.encode([prompt + text for text in texts], encoder.tokenizer)
    lengths = np.array([len(ids) for ids in whole])
    behind = windows.special_tokens(encoder.tokenizer)[1]
    before = len(windows.encode([prompt], encoder.tokenizer)[0]) - behind  # each window has it
    unknown = count_unknown([ids[before:] for ids in whole], encoder)
    limit = longest_input(encoder)
    parts = [
        windows.divide(ids, (before, behind), max_length=limit, long_texts=long_texts)
        for ids in whole
    ]
    costs = np.array([len(ids) * max(map(len, ids)) for ids in parts])
    batches = batches_of(costs, tokens_per_batch)[skipped:]

    def run(features: dict[str, Any]) -> np.ndarray:
        on_device = {
            name: value.to(encoder.device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        with (
            torch.inference_mode(),
            torch.autocast(encoder.device.type, torch.bfloat16, enabled=precision == "bf16"),
        ):
            vectors = encoder(on_device)["sentence_embedding"]
        return vectors.float().cpu().numpy()

    def vectors_of(steps: list[dict[str, Any]]) -> np.ndarray:
        return np.concatenate([run(features) for features in steps])

    def features_of(rows: np.ndarray) -> list[dict[str, Any]]:
        # The prompt is an argument, since pooling may leave its word pieces out (`include_prompt`).
        if long_texts == "head":
            return [encoder.preprocess([texts[row] for row in rows], prompt=prompt or None)]
        flat = [ids for row in rows for ids in parts[row]]
        size = max(1, tokens_per_batch // max(map(len, flat)))
        return [
            _prepare(encoder, flat[start : start + size], prompt)
            for start in range(0, len(flat), size)
        ]

    # The tokenizer must not be used by two threads at once; the encoder may be.
    computed = running.in_parallel(vectors_of, map(features_of, batches), encoder.device)
    for rows, vectors in zip(batches, computed, strict=True):
        sizes = [[len(ids) - before - behind for ids in parts[row]] for row in rows]
        means = mean_of_windows(vectors, sizes, normalised=_normalises(encoder))
        yield Batch(rows, means, lengths[rows], unknown[rows])


def count_unknown(whole: list[list[int]], encoder: SentenceTransformer) -> np.ndarray:
    """Return how many of each text's word pieces the encoder does not know, shape (n,).

    Encoders that spell unknown words in bytes know all.
    """
    unknown = encoder.tokenizer.unk_token_id
    if unknown is None or unknown in encoder.tokenizer("")["input_ids"]:
        return np.zeros(len(whole), np.int64)
    return np.array([ids.count(unknown) for ids in whole], np.int64)


def mean_of_windows(vectors: np.ndarray, sizes: list[list[int]], *, normalised: bool) -> np.ndarray:
    """Return each text's vector, the mean of its windows', weighted by their sizes.

    vectors: of all windows, shape (windows, d). sizes: of each text's windows, in word pieces.
    normalised: whether the means of several get length 1. The vector of a single window stays.
    """
    counts = np.array([len(windows) for windows in sizes])
    if counts.max() == 1:
        return vectors
    weights = np.maximum(np.concatenate([np.array(windows) for windows in sizes]), 1)
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(vectors.astype(np.float64) * weights[:, None], starts)
    means /= np.add.reduceat(weights, starts)[:, None]
    if normalised:
        several = counts > 1
        length = np.linalg.norm(means[several], axis=1, keepdims=True)
        means[several] /= np.maximum(length, np.finfo(np.float32).tiny)
    return means.astype(np.float32)


def _normalises(encoder: SentenceTransformer) -> bool:
    return any(isinstance(part, Normalize) for part in encoder)


def _prepare(encoder: SentenceTransformer, parts: list[list[int]], prompt: str) -> dict[str, Any]:
    """Return what `preprocess` gives the encoder, for texts that are word pieces already."""
    features = encoder.preprocess([""], prompt=prompt or None)
    padded = encoder.tokenizer.pad({"input_ids": parts}, return_tensors="pt")
    types = {
        name: torch.zeros_like(padded["input_ids"]) for name in features if name == "token_type_ids"
    }
    return features | types | dict(padded)


@dataclass
class Progress:
    """The progress of embedding: documents of whole windows, then batches of the next window."""

    documents: int = 0
    batches: int = 0
    pieces: int = 0  # word pieces in all documents embedded so far, before cutting
    cut: int = 0  # of these documents, how many were longer than the encoder's longest input
    unseen: int = 0  # word pieces beyond the longest input
    unknown: int = 0  # word pieces that the encoder does not know


def begin(checkpoint: Checkpoint, shape: tuple[int, int]) -> tuple[np.memmap, Progress]:
    """Return vectors of `shape` on disk and no progress; OSError if there is no space for them."""
    # Else a kill before the first checkpoint would leave new vectors beside an old state.
    checkpoint.path(STATE).unlink(missing_ok=True)
    target = checkpoint.path(VECTORS)
    try:
        vectors = np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=shape)
        reserve(target)
    except OSError:
        checkpoint.discard()
        raise
    return vectors, Progress()


def resume(checkpoint: Checkpoint, shape: tuple[int, int]) -> tuple[np.memmap, Progress] | None:
    """Return what `suspend` kept, or None if that is nothing, or damaged."""
    target, state = checkpoint.path(VECTORS), checkpoint.path(STATE)
    if not (target.exists() and state.exists()):
        return None
    try:
        progress = Progress(**json.loads(state.read_text(encoding="utf-8")))
        vectors = np.load(target, mmap_mode="r+", allow_pickle=False)
    except (ValueError, TypeError) as error:
        console.log(f"{state.parent} is damaged ({error}): embedding begins anew")
        return None
    if vectors.shape != shape:
        console.log(
            f"{target} has the shape {vectors.shape} and not {shape}: embedding begins anew"
        )
        return None
    console.log(f"resuming after {progress.documents:,} documents and {progress.batches} batches")
    return vectors, progress


def suspend(checkpoint: Checkpoint, vectors: np.memmap, progress: Progress) -> None:
    """Write the vectors so far to disk, then how far they go."""
    with checkpoint.keeping():
        vectors.flush()
        files.write_json(checkpoint.path(STATE), asdict(progress))


def embed(
    encoder: SentenceTransformer,
    documents: Path,
    checkpoint: Checkpoint,
    *,
    precision: str,
    tokens_per_batch: int,
    long_texts: LongTexts = "head",
) -> tuple[Path, dict[str, Any]]:
    """Embed all `documents`; return the npy file, in the checkpoint's place, and the measures.

    Resumes from `checkpoint`, and leaves it complete.
    """
    count = pq.read_metadata(documents).num_rows
    shape = (count, encoder.get_embedding_dimension() or 0)
    vectors, progress = resume(checkpoint, shape) or begin(checkpoint, shape)
    limit = longest_input(encoder)
    with console.counter(total=count, label="embed", unit="documents") as advance:
        advance(progress.documents)
        for texts in read_texts(documents, progress.documents):
            for batch in embed_window(
                encoder,
                texts,
                precision=precision,
                tokens_per_batch=tokens_per_batch,
                long_texts=long_texts,
                skipped=progress.batches,
            ):
                vectors[progress.documents + batch.rows] = batch.vectors
                progress.batches += 1
                progress.pieces += int(batch.lengths.sum())
                progress.cut += int((batch.lengths > limit).sum())
                progress.unseen += int(np.maximum(batch.lengths - limit, 0).sum())
                progress.unknown += int(batch.unknown.sum())
                advance(len(batch.rows))
                if checkpoint.is_due():
                    suspend(checkpoint, vectors, progress)
            progress.documents += len(texts)
            progress.batches = 0
    suspend(checkpoint, vectors, progress)
    return checkpoint.path(VECTORS), {
        "documents": count,
        "dimension": shape[1],
        "longest_input": limit,
        "mean_word_pieces": round(progress.pieces / count, 1),
        "long_texts": long_texts,
        "long_share": round(progress.cut / count, 4),
        "unseen_share": 0.0
        if long_texts == "windows"
        else round(progress.unseen / max(progress.pieces, 1), 4),
        "unknown_share": round(progress.unknown / max(progress.pieces, 1), 4),
    }


def put_in_place(vectors: Path, target: Path) -> None:
    """Put the finished file at `target`, and keep the checkpoint until the stage has succeeded."""
    try:
        os.link(vectors, target)
    except OSError:  # a file system without links
        shutil.copyfile(vectors, target)
