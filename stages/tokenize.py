"""Tokenize sentences with the backbone's tokenizer, special tokens added, unpadded.

Reads   data/parse/sentences.parquet, the tokenizer in data/download/backbone, and `tokenize` of
        params.yaml.
Writes  data/tokenize/tokens.parquet: id, set, source, label, text, pair and input_ids, a list of
        integers as long as its sentence; settings.json: max_length. And a JSON file of
        measures: word pieces at most and on average, sentences cut, the share of unknown pieces.

    python -m stages.tokenize data/parse/sentences.parquet data/download/backbone data/tokenize
"""

import sys

if __name__ == "tokenize":  # Python looks for its own, and finds this one if stages/ comes first
    sys.stderr.write(
        "error: run a stage as a module, from the project's folder: `python -m stages.train`. By "
        "its path, Python would take stages/tokenize.py for a module of its own.\n"
    )
    sys.exit(2)

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
from bertline.scoring.names import TRAINING_SET

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


def tokenize(
    texts: list[str], tokenizer: PreTrainedTokenizerBase, max_length: int | None = None
) -> list[list[int]]:
    """Return the ids of each text's word pieces, special tokens among them.

    max_length: of a text, in word pieces; longer ones are truncated, the special tokens kept. None
    truncates nothing.
    """
    cut: dict[str, Any] = {"truncation": max_length is not None, "max_length": max_length}
    ids = []
    starts = range(0, len(texts), BATCH)
    for start in console.progress(starts, total=len(starts), label="tokenize", unit="batches"):
        ids.extend(tokenizer(texts[start : start + BATCH], verbose=False, **cut)["input_ids"])
    return ids


def measure(
    sets: pd.Series,
    whole: list[list[int]],
    cut: list[list[int]],
    tokenizer: PreTrainedTokenizerBase,
) -> dict[str, Any]:
    """Return lengths in word pieces, how many sentences were truncated, and the unknown share.

    sets: the set of each sentence; whole, cut: its ids before and after truncation.
    """
    lengths = pd.Series([len(row) for row in whole], index=sets.index)
    pieces = np.concatenate([np.asarray(row) for row in cut])
    special = np.isin(pieces, [tokenizer.cls_token_id, tokenizer.sep_token_id])
    unknown = pieces == tokenizer.unk_token_id
    return {
        "sentences": len(whole),
        "longest": int(lengths.max()),
        "mean": round(float(lengths.mean()), 2),
        "truncated": sum(len(row) > len(short) for row, short in zip(whole, cut, strict=True)),
        "unknown_share": round(float(unknown.sum() / max((~special).sum(), 1)), 6),
        "distinct_pieces": len(np.unique(pieces[~special])),
        "longest_by_set": lengths.groupby(sets, sort=False).max().to_dict(),
        "mean_training": round(float(lengths[sets == TRAINING_SET].mean()), 2),
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
        texts = sentences["text"].tolist()
        whole = tokenize(texts, tokenizer)
        cut = tokenize(texts, tokenizer, options.max_length)
        measures = {"max_length": options.max_length}
        measures |= measure(sentences["set"], whole, cut, tokenizer)
        console.log(f"tokenize: {measures}")
        first = cut[0]
        console.log(f"text:   {sentences['text'].iloc[0]}")
        console.log(f"tokens: {' '.join(tokenizer.convert_ids_to_tokens(first))}")
        console.log(f"ids:    {' '.join(map(str, first))}")
        with files.whole_folder(args.out) as partial:
            table: pd.DataFrame = sentences.assign(input_ids=pd.Series(cut, index=sentences.index))
            files.write_table(partial / "tokens.parquet", table, TOKENS)
            files.write_json(partial / "settings.json", {"max_length": options.max_length})
            if args.metrics:  # within, so that a failure leaves the earlier table
                files.write_json(args.metrics, measures)


if __name__ == "__main__":
    console.run(main)
