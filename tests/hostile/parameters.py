"""Hostile parameters: those that clash with data or with each other, and files that cannot be read.

What a single value may be, and how a mistake in one is worded, is in tests/core/test_params.py.
"""

from typing import Any

from tests.hostile.desk import Case, Desk


def value(stage: str, name: str, key: str, found: Any, message: str) -> Case:
    """Return a case of one key of params.yaml; `found` None removes the key."""
    return Case(name, stage, message, lambda desk: desk.parameters({key: found}))


def without_validation(desk: Desk, key: str, choice: str) -> None:
    """Choose by the validation fold where there is none."""
    desk.parameters({key: choice})
    desk.change_table("folds/folds.parquet", lambda rows: rows.replace("validation", "train"))


def threshold_of_many(desk: Desk) -> None:
    """Ask for a threshold of three classes."""
    desk.parameters({"evaluate.threshold": "validation"})
    desk.write(
        "tokens/settings.json",
        '{"labels": ["a", "b", "c"], "max_length": 64, "long_texts": "head"}',
    )


CASES = [
    # A mistake that every stage reports before it begins.
    value(
        "train",
        "unknown",
        "train.learning_rat",
        1e-4,
        r"train\.learning_rat is not a parameter \(did you mean `learning_rate`\?\)",
    ),
    value(
        "train",
        "choice",
        "train.keep",
        "lats",
        r"should be 'last', 'best_mcc' or 'best_loss'; found 'lats' \(did you mean `last`\?\)",
    ),
    value("train", "missing", "train.epochs", None, r"train\.epochs is missing\. Add it"),
    value("evaluate", "seed-twice", "seeds", [1, 1], r"each number once, and \[1\] is repeated"),
    value("evaluate", "seeds-are-missing", "seeds", None, "seeds is missing"),
    value(
        "topic_fit",
        "unknown-nested",
        "topic_fit.umap.neighbors",
        5,
        r"umap\.neighbors is not a parameter \(did you mean `n_neighbors`\?\)",
    ),
    # Values that clash with another one, or with the data.
    Case(
        "best-without-validation",
        "train",
        "train.keep is best_mcc, which needs a validation fold, and split.validation is 0",
        lambda desk: without_validation(desk, "train.keep", "best_mcc"),
    ),
    Case(
        "threshold-without-validation",
        "evaluate",
        r"evaluate\.threshold is validation, and split\.validation is 0",
        lambda desk: without_validation(desk, "evaluate.threshold", "validation"),
    ),
    Case(
        "threshold-of-many-classes",
        "evaluate",
        r"evaluate\.threshold is validation, which is for two classes, and there are 3",
        threshold_of_many,
    ),
    Case(
        "temperature-without-validation",
        "evaluate",
        r"evaluate\.temperature is validation, and split\.validation is 0",
        lambda desk: without_validation(desk, "evaluate.temperature", "validation"),
    ),
    value(
        "adapt",
        "more-held-out-than-there-are",
        "adapt.held_out",
        1000,
        "has 300 different plain sentences .*adapt needs 1,032",
    ),
    value(
        "tokenize",
        "too-long",
        "tokenize.max_length",
        65,
        "tokenize.max_length is 65, and the backbone in encoder takes at most 64",
    ),
    value(
        "topic_words",
        "ngrams-reversed",
        "vocabulary.ngram_range",
        [2, 1],
        r"ngram_range should be \[fewest, most\] words",
    ),
    value(
        "topic_words",
        "stop-words",
        "vocabulary.stop_words",
        "englisch",
        "vocabulary.stop_words.*no list of stop words for 'englisch'.*de, .*or null",
    ),
    value(
        "topic_words",
        "tokenizer",
        "vocabulary.tokenizer",
        "jieba",
        "vocabulary.tokenizer.*'words' or 'bigrams'",
    ),
    value(
        "embed",
        "long-texts",
        "embed.long_texts",
        "tail",
        "embed.long_texts.*'head', 'head_tail' or 'windows'",
    ),
    value(
        "topic_words",
        "numbers-fall",
        "topic_numbers",
        [20, 10],
        "topic_numbers: each number once, the smaller first",
    ),
    Case(
        "nothing-to-compare-with",
        "topic_stability",
        "seeds, resamples and roundings of topic_stability are all 0",
        lambda desk: desk.parameters(
            {f"topic_stability.{kind}": 0 for kind in ("seeds", "resamples", "roundings")}
        ),
    ),
    # The command line and the file.
    Case(
        "seed-on-the-command-line",
        "train",
        "argument seed: invalid parse_seed value: 'one'",
        arguments="one tokens folds encoder out",
    ),
    Case(
        "missing-file",
        "split",
        "params.yaml does not exist. Run the command in the project's folder",
        lambda desk: desk.remove("params.yaml"),
    ),
    Case(
        "folder-for-a-file",
        "split",
        "raw is a folder; name the YAML file in it",
        arguments="tokens out --params raw",
    ),
    Case(
        "unreadable",
        "split",
        "params.yaml cannot be read .Permission denied",
        lambda desk: (desk.run_as_nobody(), (desk.folder / "params.yaml").chmod(0)),
    ),
]
