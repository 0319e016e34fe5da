"""A BERT, sentences and documents that are small enough to train on and cluster in seconds.

Everything is drawn from a seed and the same on every call. The heavy libraries are imported by the
functions that need them, so that tests of other things do not wait for torch.
"""

import csv
import json
import random
import string
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PUNCTUATION = (".", ",", "?", "!", "'", "-")

# What the documents of a group are made of: no word in two groups, so that topics can be found.
GROUPS = {
    "astronomy": "comet crater eclipse galaxy lunar meteor nebula orbit planet telescope",
    "baking": "butter cinnamon crust dough flour oven pastry sugar vanilla yeast",
    "cycling": "brake chain gear handlebar pedal puncture saddle spoke tyre wheel",
    "gardening": "blossom compost garden hedge mulch pruning rose seed shovel soil",
}

CLASSES = ("unacceptable", "acceptable")  # by number, as in CoLA

# Sentences are `the (adjective) noun verb adverb.`; number agreement makes them acceptable.
DETERMINERS = ("the", "this", "that")
ADJECTIVES = ("big", "small", "old", "new", "red", "green")
NOUNS = ("dog", "cat", "bird", "child", "boy", "girl", "teacher", "farmer")
VERBS = ("sings", "sleeps", "runs", "waits", "laughs", "reads")
BARE_VERBS = ("sing", "sleep", "run", "wait", "laugh", "read")
ADVERBS = ("today", "often", "here", "loudly", "again", "outside")

VOCABULARY = (
    *SPECIAL,
    *PUNCTUATION,
    *string.digits,
    *string.ascii_lowercase,
    *(f"##{character}" for character in string.ascii_lowercase + string.digits),
    *DETERMINERS,
    *ADJECTIVES,
    *NOUNS,
    *VERBS,
    *BARE_VERBS,
    *ADVERBS,
    *(word for words in GROUPS.values() for word in words.split()),
    "##s",
    "##ing",
)
VOCABULARY = tuple(dict.fromkeys(VOCABULARY))  # each piece once

CONFIG = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    # Ten times the usual: else attention is even, and the first vector of all texts the same.
    "initializer_range": 0.2,
    "vocab_size": len(VOCABULARY),
    "pad_token_id": 0,
}


def write_bert(folder: Path, *, seed: int = 0, pooling: str | None = None) -> Path:
    """Write a BERT with random weights and its tokenizer to `folder`, and return the folder.

    With `pooling` (cls, mean or max) it also has the files of sentence-transformers: this pooling,
    then vectors of length 1. Without, sentence-transformers takes the mean of all word pieces.
    """
    import torch
    from transformers import BertConfig, BertModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(BertConfig(**CONFIG))
    model.save_pretrained(folder)
    write_tokenizer(folder)
    if pooling:
        write_pooling(folder, pooling)
    return folder


def write_tokenizer(folder: Path) -> None:
    """Write vocab.txt, tokenizer.json and tokenizer_config.json of an uncased BERT."""
    from tokenizers import BertWordPieceTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True).save(
        str(folder / "tokenizer.json")
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": CONFIG["max_position_embeddings"],
        **dict(zip(names, SPECIAL, strict=True)),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_pooling(folder: Path, mode: str) -> None:
    """Write what tells sentence-transformers to pool as `mode` says and then to normalise."""
    kind = "sentence_transformers.models"
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"{kind}.{name}"}
        for number, (path, name) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed), encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    (folder / "2_Normalize").mkdir()
    pooling = {
        "word_embedding_dimension": CONFIG["hidden_size"],
        "pooling_mode_cls_token": mode == "cls",
        "pooling_mode_mean_tokens": mode == "mean",
        "pooling_mode_max_tokens": mode == "max",
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    limit = {"max_seq_length": CONFIG["max_position_embeddings"], "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(limit), encoding="utf-8")


def documents(count: int, seed: int = 0, *, words: int = 30) -> pd.DataFrame:
    """Return `count` documents of `words` words: text and group, the groups in turn."""
    draw = random.Random(seed)
    groups = list(GROUPS)
    rows = []
    for number in range(count):
        group = groups[number % len(groups)]
        rows.append((" ".join(draw.choices(GROUPS[group].split(), k=words)), group))
    return pd.DataFrame(rows, columns=["text", "group"])


def prose(count: int, seed: int = 0, *, words: int = 30) -> pd.DataFrame:
    """Return `documents(count, seed, words=words)` with their words in plain sentences of six."""
    table = documents(count, seed, words=words)
    return table.assign(text=[_in_sentences(text.split()) for text in table["text"]])


def _in_sentences(words: list[str]) -> str:
    """Return the words as sentences: `Comet orbit the moon nebula the crater planet.`"""
    parts = []
    for start in range(0, len(words), 6):
        first, *rest = words[start : start + 6]
        spaced = [first.capitalize(), *rest[:1], "the", *rest[1:3], "the", *rest[3:]]
        parts.append(" ".join(spaced) + ".")
    return " ".join(parts)


def write_documents(path: Path, count: int, seed: int = 0) -> Path:
    """Write `prose(count, seed)` to the CSV file `path`, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prose(count, seed).to_csv(path, index=False, lineterminator="\n")
    return path


def sentences(count: int, seed: int = 0) -> pd.DataFrame:
    """Return `count` distinct sentences: source, label, mark and text.

    Seven of ten are acceptable; the others lack the verb's ending and are marked `*`.
    """
    draw = random.Random(seed)
    seen: set[str] = set()
    rows = []
    while len(rows) < count:
        acceptable = len(rows) % 10 < 7
        words = [
            draw.choice(DETERMINERS),
            *draw.sample(ADJECTIVES, k=draw.randint(0, 2)),
            draw.choice(NOUNS),
            draw.choice(VERBS if acceptable else BARE_VERBS),
            draw.choice(ADVERBS),
        ]
        text = " ".join(words).capitalize() + "."
        if text in seen:
            continue
        seen.add(text)
        rows.append((f"t{len(rows) % 3:02}", int(acceptable), "" if acceptable else "*", text))
    return pd.DataFrame(rows, columns=["source", "label", "mark", "text"])


def sentence_sets(sizes: Mapping[str, int], seed: int = 0) -> pd.DataFrame:
    """Return sets of sentences of these sizes as parse writes them: none twice, none a pair."""
    table = sentences(sum(sizes.values()), seed)
    names = [name for name, size in sizes.items() for _ in range(size)]
    lines = [line for size in sizes.values() for line in range(1, size + 1)]
    table.insert(0, "set", names)
    table.insert(0, "id", [f"{name}:{line}" for name, line in zip(names, lines, strict=True)])
    table["class"] = table["label"].map(dict(enumerate(CLASSES)))
    table["pair"] = table["id"]
    return table


def write_sentences(folder: Path, sizes: Mapping[str, int], seed: int = 0) -> Path:
    """Write `sentence_sets(sizes, seed)` as `<set>.tsv` in CoLA's layout; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in sentence_sets(sizes, seed).groupby("set", sort=False):
        rows[["source", "label", "mark", "text"]].to_csv(
            folder / f"{name}.tsv",
            sep="\t",
            header=False,
            index=False,
            quoting=csv.QUOTE_NONE,
            lineterminator="\n",
        )
    return folder
