"""Compute a sentence vector for every document, as sentence-transformers does.

Reads   data/parse/documents.parquet, the encoder in data/download/embedder, and `embed` of
        params.yaml. Pooling, normalisation and the longest input are read from the encoder's own
        files; a plain BERT without such files gets the mean of its word pieces.
Writes  data/embed:
        embeddings.npy   float32, shape (documents, dimension), rows in the order of the table;
                         `numpy.load(..., mmap_mode="r")` reads it without filling memory
        measures.json    the number of documents and their word pieces, and the shares of documents
                         longer than the encoder's input (`long_share`), of word pieces not seen
                         because of it (`unseen_share`), and unknown to it (`unknown_share`)

    python -m stages.embed data/parse/documents.parquet data/download/embedder data/embed

Documents are read, tokenized and written a window at a time, so memory does not grow with their
number; within a window those of like length share a batch. A killed run resumes from its last
checkpoint (`bertline.core.checkpoint`).
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from bertline.core import console, files, params
from bertline.core.checkpoint import Checkpoint
from bertline.core.params import LongTexts, Section
from bertline.core.receipt import receipt
from bertline.encoders import embedding, running


class Embed(Section):
    """The section `embed` of params.yaml."""

    tokens_per_batch: Annotated[int, Field(ge=1)]
    precision: Literal["auto", "bf16", "fp32"]
    long_texts: LongTexts


def main() -> None:
    """Read the arguments and the parameters, embed, and write the vectors."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("embedder", type=Path, help="folder of the encoder")
    arguments.add_argument("out", type=Path, help="folder to write")
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
        outputs=[args.out],
    )
    with work as run:
        with files.whole_folder(args.out) as out:
            device, precision = running.set_up(options.precision, key="embed.precision")
            encoder = embedding.load_encoder(args.embedder, device)
            console.log(f"embed on {device.type} in {precision}")
            run |= running.facts(device, precision)
            checkpoint = Checkpoint(args.out, run.key(**running.facts(device, precision)))
            started = time.monotonic()
            vectors, measures = embedding.embed(
                encoder,
                args.documents,
                checkpoint,
                precision=precision,
                tokens_per_batch=options.tokens_per_batch,
                long_texts=options.long_texts,
            )
            embedding.put_in_place(vectors, out / embedding.VECTORS)
            files.write_json(out / embedding.MEASURES, measures)
            console.log(f"embed: {measures}")
            tell_long_texts(measures)
            run["measures"] = measures
            run.costs["embedding_seconds"] = round(time.monotonic() - started, 1)
        checkpoint.clear()


def tell_long_texts(measures: Mapping[str, Any]) -> None:
    """Log how many documents are longer than the encoder's input, and what became of them."""
    if not measures["long_share"]:
        return
    seen = (
        "all of it is seen, in windows"
        if measures["long_texts"] == "windows"
        else f"{measures['unseen_share']:.1%} of all word pieces are not seen "
        f"(embed.long_texts: {measures['long_texts']})"
    )
    console.log(
        f"embed: {measures['long_share']:.1%} of the documents are longer than the "
        f"{measures['longest_input']} word pieces that the encoder takes; {seen}"
    )


if __name__ == "__main__":
    console.run(main)
