"""Tokenize sentences with the backbone's tokenizer, special tokens added, unpadded.

Reads   data/parse/sentences.parquet, the tokenizer in data/download/backbone, and `tokenize` of
        params.yaml.
Writes  data/tokenize/tokens.parquet: id, set, source, label, text, pair and windows, a list of
        lists of word pieces: one for each window of the text, which is one window unless
        `tokenize.long_texts` is windows; settings.json: max_length, long_texts, and labels, the
        names of the classes by number. And a JSON file of measures: word pieces at most and on
        average, sentences cut, the share of unknown pieces.

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
from bertline.core.params import LongTexts, Section
from bertline.core.receipt import receipt
from bertline.corpora.rows import TRAINING_SETS
from bertline.encoders import loading, windows

TOKENS = pa.schema(
    [
        ("id", pa.string()),
        ("set", pa.string()),
        ("source", pa.string()),
        ("label", pa.int16()),
        ("text", pa.string()),
        ("pair", pa.string()),
        ("windows", pa.list_(pa.list_(pa.int32()))),
    ]
)

BATCH = 10_000  # sentences given to the tokenizer at once: enough for its threads, little memory
# Above these shares the log warns, as scores then say little of the texts.
MANY_CUT, MANY_UNKNOWN = 0.5, 0.2


class Tokenize(Section):
    """The section `tokenize` of params.yaml."""

    max_length: Annotated[int, Field(ge=3)]  # [CLS], [SEP] and a word piece between them
    long_texts: LongTexts


def tokenize(texts: list[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """Return the ids of each text's word pieces, special tokens among them, none cut."""
    ids = []
    starts = range(0, len(texts), BATCH)
    for start in console.progress(starts, total=len(starts), label="tokenize", unit="batches"):
        ids.extend(windows.encode(texts[start : start + BATCH], tokenizer))
    return ids


def names_of(sentences: pd.DataFrame) -> list[str]:
    """Return the names of the classes by number; BertlineError if a number has none, or two."""
    classes = sentences[["label", "class"]].drop_duplicates().sort_values("label")
    if classes["label"].tolist() != list(range(len(classes))):
        raise BertlineError(
            f"the table of sentences should number its classes from 0, with one name each; found "
            f"{classes.to_dict('list')}. Run `dvc repro parse@sentences`."
        )
    names: list[str] = classes["class"].tolist()
    return names


def measure(
    sets: pd.Series,
    whole: list[list[int]],
    divided: list[list[list[int]]],
    tokenizer: PreTrainedTokenizerBase,
) -> dict[str, Any]:
    """Return lengths in word pieces, how many sentences were cut, windows, and the unknown share.

    sets: the set of each sentence; whole: its ids; divided: those of its windows.
    """
    lengths = pd.Series([len(row) for row in whole], index=sets.index)
    pieces = np.concatenate([np.asarray(window) for row in divided for window in row])
    special = np.isin(pieces, [tokenizer.cls_token_id, tokenizer.sep_token_id])
    unknown = pieces == tokenizer.unk_token_id
    pairs = zip(whole, divided, strict=True)
    return {
        "sentences": len(whole),
        "longest": int(lengths.max()),
        "mean": round(float(lengths.mean()), 2),
        "truncated": sum(len(row) > sum(map(len, parts)) for row, parts in pairs),
        "windows": sum(map(len, divided)),
        "unknown_share": round(float(unknown.sum() / max((~special).sum(), 1)), 6),
        "distinct_pieces": len(np.unique(pieces[~special])),
        "longest_by_set": lengths.groupby(sets, sort=False).max().to_dict(),
        "mean_training": round(float(lengths[sets.isin(TRAINING_SETS)].mean()), 2),
    }


def warn(measures: dict[str, Any], options: Tokenize, limit: int) -> None:
    """Log what most texts lose: their ends, or pieces that the tokenizer does not know.

    limit: word pieces that the backbone takes.
    """
    cut = measures["truncated"] / measures["sentences"]
    if cut > MANY_CUT:
        longest = min(measures["longest"], limit)
        others = "head_tail or windows" if options.long_texts == "head" else "windows"
        more = f"Raise it (to {longest} at most), or set" if longest > options.max_length else "Set"
        console.log(
            f"warning: {cut:.0%} of the texts are longer than tokenize.max_length "
            f"({options.max_length} word pieces) and are cut. {more} tokenize.long_texts to "
            f"{others}."
        )
    if measures["unknown_share"] > MANY_UNKNOWN:
        console.log(
            f"warning: {measures['unknown_share']:.0%} of the word pieces are unknown to the "
            f"tokenizer of the backbone, which was made for other languages or characters. Name "
            f"an encoder for these texts under inputs.backbone."
        )


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
        args.sentences, columns=["id", "set", "source", "label", "class", "text", "pair"]
    )
    names = names_of(sentences)
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
        special = windows.special_tokens(tokenizer)
        if options.max_length <= sum(special):
            raise BertlineError(
                f"{args.params}: tokenize.max_length is {options.max_length}, and the tokenizer "
                f"adds {sum(special)} special tokens to each text. Set it higher."
            )
        whole = tokenize(sentences["text"].tolist(), tokenizer)
        divided = [windows.divide(ids, special, **options.model_dump()) for ids in whole]
        measures = options.model_dump() | measure(sentences["set"], whole, divided, tokenizer)
        console.log(f"tokenize: {measures}")
        warn(measures, options, limit)
        first = divided[0][0]
        console.log(f"text:   {sentences['text'].iloc[0]}")
        console.log(f"tokens: {' '.join(tokenizer.convert_ids_to_tokens(first))}")
        console.log(f"ids:    {' '.join(map(str, first))}")
        with files.whole_folder(args.out) as partial:
            table: pd.DataFrame = sentences.assign(windows=pd.Series(divided, sentences.index))
            files.write_table(partial / "tokens.parquet", table, TOKENS)
            settings = options.model_dump() | {"labels": names}
            files.write_json(partial / "settings.json", settings)
            if args.metrics:  # within, so that a failure leaves the earlier table
                files.write_json(args.metrics, measures)


if __name__ == "__main__":
    console.run(main)
