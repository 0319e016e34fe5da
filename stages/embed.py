"""Give every document its sentence vector, as sentence-transformers computes it.

Reads   data/parse/documents.parquet, the encoder in data/download/embedder, and `embed` of
        params.yaml. Pooling, normalisation and the longest input are read from the encoder's own
        files; a plain BERT without such files gets the mean of its word pieces.
Writes  data/embed/embeddings.npy: float32, shape (documents, dimension), rows in the order of the
        table; `numpy.load(..., mmap_mode="r")` reads it without filling memory. And a JSON file:
        documents, dimension, word pieces, the share of documents that were cut.

    python -m stages.embed data/parse/documents.parquet data/download/embedder data/embed

Documents are read, cut into word pieces and written a window at a time, so memory stays flat
however many there are; within a window those of like length share a batch.
"""

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow.parquet as pq
import torch
from pydantic import Field
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from stages import console, encoders, files, params
from stages.errors import BertlineError
from stages.params import Section
from stages.receipt import receipt

# Documents held in memory at once. Larger windows waste less on padding; at 16,384 it is 1 %.
WINDOW = 16_384


class Embed(Section):
    """The section `embed` of params.yaml."""

    tokens_per_batch: Annotated[int, Field(ge=1)]
    precision: Literal["auto", "bf16", "fp32"]
    threads: params.Threads


def load_encoder(folder: Path, device: torch.device) -> SentenceTransformer:
    """Return the encoder with its pooling; BertlineError if the folder holds none."""
    encoders.load_tokenizer(folder)  # its errors are sentences
    with encoders.explaining(folder, "encoder that sentence-transformers can load"):
        encoder = SentenceTransformer(
            str(folder),
            device=device.type,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
    # Loading does not notice that files contradict each other; the first batch would.
    width = encoder[0].get_embedding_dimension()
    positions = getattr(encoders.load_config(folder), "max_position_embeddings", None)
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
    return encoder


def reserve(path: Path) -> None:
    """Take the disk space of a file that is mapped into memory; OSError if there is too little.

    Else a disk that fills up while vectors are written would end the process by SIGBUS, without a
    word. macOS lacks the call.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def windows(documents: Path) -> Iterator[list[str]]:
    """Yield the texts of the table `documents`, `WINDOW` at a time."""
    with pq.ParquetFile(documents) as table:
        for batch in table.iter_batches(batch_size=WINDOW, columns=["text"]):
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


def embed_window(
    encoder: SentenceTransformer,
    texts: list[str],
    *,
    precision: str,
    tokens_per_batch: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield, batch by batch, row numbers, their vectors, and their lengths before cutting.

    Row numbers count from the start of `texts`; vectors are float32, shape (rows, dimension).
    """
    tokenizer = encoder.tokenizer
    whole = tokenizer(texts, truncation=False, verbose=False)["input_ids"]
    lengths = np.array([len(ids) for ids in whole])
    limit = encoder.max_seq_length or tokenizer.model_max_length
    half = precision == "bf16"
    context = torch.autocast(encoder.device.type, torch.bfloat16) if half else nullcontext()
    for rows in batches_of(np.minimum(lengths, limit), tokens_per_batch):
        features = encoder.preprocess([texts[row] for row in rows])
        features = {
            name: value.to(encoder.device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        with torch.inference_mode(), context:
            vectors = encoder(features)["sentence_embedding"]
        yield rows, vectors.float().cpu().numpy(), lengths[rows]


def embed(
    encoder: SentenceTransformer,
    documents: Path,
    target: Path,
    *,
    precision: str,
    tokens_per_batch: int,
) -> dict[str, Any]:
    """Write the vectors of all `documents` to `target`, an npy file; return what was measured."""
    count = pq.read_metadata(documents).num_rows
    shape = (count, encoder.get_embedding_dimension())
    vectors = np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=shape)
    reserve(target)
    limit = encoder.max_seq_length or encoder.tokenizer.model_max_length
    pieces = cut = done = 0
    with console.counter(total=count, label="embed", unit="documents") as advance:
        for texts in windows(documents):
            for rows, values, lengths in embed_window(
                encoder, texts, precision=precision, tokens_per_batch=tokens_per_batch
            ):
                vectors[done + rows] = values
                pieces += int(lengths.sum())
                cut += int((lengths > limit).sum())
                advance(len(rows))
            done += len(texts)
    vectors.flush()
    return {
        "documents": count,
        "dimension": shape[1],
        "longest_input": limit,
        "mean_word_pieces": round(pieces / count, 1),
        "truncated_share": round(cut / count, 4),
    }


def main() -> None:
    """Read the arguments and the parameters, embed, and write the vectors and the measures."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("embedder", type=Path, help="folder of the encoder")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "embed", Embed)
    files.require_table(args.documents, columns=["text"])
    files.require(args.embedder)

    work = receipt(
        args.receipt,
        "embed",
        parameters={"embed": options},
        inputs=[args.documents, args.embedder],
        outputs=[args.out, args.metrics],
    )
    with work as facts, files.whole_folder(args.out) as out:
        encoders.quiet()
        device = encoders.choose_device()
        precision = encoders.choose_precision(options.precision, device, key="embed.precision")
        torch.set_num_threads(options.threads)
        encoder = load_encoder(args.embedder, device)
        console.log(f"embed on {device.type} in {precision}")
        started = time.monotonic()
        measures = embed(
            encoder,
            args.documents,
            out / "embeddings.npy",
            precision=precision,
            tokens_per_batch=options.tokens_per_batch,
        )
        elapsed = time.monotonic() - started
        console.log(f"embed: {measures}")
        facts |= {
            "device": device.type,
            "precision": precision,
            "threads": options.threads,
            "documents_per_second": round(measures["documents"] / elapsed, 1),
        }
        if args.metrics:
            files.write_json(args.metrics, measures)


if __name__ == "__main__":
    console.run(main)
