"""Cut sentences into the backbone's word pieces, special tokens added, not padded.

Reads   data/parse/sentences.parquet, the tokenizer in data/download/backbone, and `tokenize` of
        params.yaml.
Writes  data/tokenize/tokens.parquet: id, set, source, label, text, pair and input_ids, a list of
        integers as long as its sentence; settings.json: max_length. And a JSON file of
        measures: word pieces at most and on average, sentences cut, the share of unknown pieces.

    python -m stages.tokenize data/parse/sentences.parquet data/download/backbone data/tokenize

By path, `python stages/tokenize.py` would shadow the standard library's `tokenize`: use `-m`.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field
from transformers import PreTrainedTokenizerBase

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.core.receipt import receipt
from bertline.encoders import loading

TOKENS = pa.schema(
    [
        ("id", pa.string()),
        ("set", pa.string()),
        ("source", pa.string()),
        ("label", pa.int8()),
        ("text", pa.string()),
        ("pair", pa.string()),
        ("input_ids", pa.list_(pa.int32())),
    ]
)

BATCH = 10_000  # sentences given to the tokenizer at once: enough for its threads, little memory


class Tokenize(Section):
    """The section `tokenize` of params.yaml."""

    max_length: Annotated[int, Field(ge=3)]  # [CLS], [SEP] and a word piece between them


def tokenize(texts: list[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """Return the ids of each text's word pieces, special tokens among them, nothing cut."""
    ids = []
    starts = range(0, len(texts), BATCH)
    for start in console.progress(starts, total=len(starts), label="tokenize", unit="batches"):
        batch = texts[start : start + BATCH]
        ids.extend(tokenizer(batch, truncation=False, verbose=False)["input_ids"])
    return ids


def truncate(
    ids: list[list[int]], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[list[int]]:
    """Return `ids` with at most `max_length` of each, the closing special tokens kept."""
    closing = closing_tokens(tokenizer)
    cut = max_length - len(closing)
    return [row if len(row) <= max_length else row[:cut] + closing for row in ids]


def closing_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the ids that the tokenizer puts behind a text: [SEP] for BERT."""
    template = tokenizer("a", add_special_tokens=True)["input_ids"]
    mask = tokenizer.get_special_tokens_mask(template, already_has_special_tokens=True)
    last = max(place for place, special in enumerate(mask) if not special)
    return template[last + 1 :]


def measure(
    ids: list[list[int]], cut: list[list[int]], tokenizer: PreTrainedTokenizerBase
) -> dict[str, Any]:
    """Return lengths in word pieces before cutting, how many were cut, and the unknown share."""
    lengths = np.array([len(row) for row in ids])
    pieces = np.concatenate([np.asarray(row) for row in cut])
    special = np.isin(pieces, [tokenizer.cls_token_id, tokenizer.sep_token_id])
    unknown = pieces == tokenizer.unk_token_id
    return {
        "sentences": len(ids),
        "longest": int(lengths.max()),
        "mean": round(float(lengths.mean()), 2),
        "truncated": sum(len(row) > len(short) for row, short in zip(ids, cut, strict=True)),
        "unknown_share": round(float(unknown.sum() / max((~special).sum(), 1)), 6),
        "distinct_pieces": len(np.unique(pieces[~special])),
    }


def main() -> None:
    """Read the arguments and the parameters, tokenize, and write the table and the measures."""
    arguments = console.parser(__doc__)
    arguments.add_argument("sentences", type=Path, help="Parquet table of sentences")
    arguments.add_argument("backbone", type=Path, help="folder of the encoder to be fine-tuned")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "tokenize", Tokenize)
    sentences = files.read_table(
        args.sentences, columns=["id", "set", "source", "label", "text", "pair"]
    )
    limit = loading.longest_input(args.backbone)
    if options.max_length > limit:
        raise BertlineError(
            f"{args.params}: tokenize.max_length is {options.max_length}, and the backbone in "
            f"{args.backbone} takes at most {limit} word pieces. Set it to {limit} or less."
        )

    with receipt(
        args.receipt,
        "tokenize",
        parameters={"tokenize": options},
        inputs=[args.sentences, args.backbone],
        outputs=[args.out, args.metrics],
    ):
        tokenizer = loading.load_tokenizer(args.backbone)
        ids = tokenize(sentences["text"].tolist(), tokenizer)
        cut = truncate(ids, tokenizer, options.max_length)
        measures = {"max_length": options.max_length, **measure(ids, cut, tokenizer)}
        in_training = sentences["set"] == "in_domain_train"
        by_set = {
            name: max(len(ids[row]) for row in rows)
            for name, rows in sentences.groupby("set", sort=False).indices.items()
        }
        measures["longest_by_set"] = by_set
        measures["mean_training"] = round(
            float(
                np.mean([len(row) for row, is_in in zip(ids, in_training, strict=True) if is_in])
            ),
            2,
        )
        console.log(f"tokenize: {measures}")
        first = cut[0]
        console.log(f"text:   {sentences['text'].iloc[0]}")
        console.log(f"tokens: {' '.join(tokenizer.convert_ids_to_tokens(first))}")
        console.log(f"ids:    {' '.join(map(str, first))}")
        with files.whole_folder(args.out) as partial:
            table: pd.DataFrame = sentences.assign(input_ids=cut)
            files.write_table(partial / "tokens.parquet", table, TOKENS)
            files.write_json(partial / "settings.json", {"max_length": options.max_length})
            if args.metrics:  # within, so that a failure leaves the earlier table
                files.write_json(args.metrics, measures)


if __name__ == "__main__":
    console.run(main)
