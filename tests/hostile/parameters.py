"""Hostile parameters: unknown, missing, mistyped and impossible ones, and files that are none."""

from collections.abc import Callable
from typing import Any

from tests.hostile.desk import Case, Desk, accepted


def value(stage: str, name: str, key: str, found: Any, message: str) -> Case:
    """Return a case of one key of params.yaml; `found` None removes the key."""
    return Case(name, stage, message, lambda desk: desk.parameters({key: found}))


def plain(stage: str, name: str, key: str, yaml: str, message: str) -> Case:
    """Return a case of one key whose value is spelled as `yaml`: JSON has no .inf."""

    def corrupt(desk: Desk) -> None:
        desk.parameters({key: "HERE"})
        path = desk.folder / "params.yaml"
        path.write_text(path.read_text().replace('"HERE"', yaml))

    return Case(name, stage, message, corrupt)


def without_validation(desk: Desk) -> None:
    """Ask for the best epoch where there is no fold to tell it by."""
    desk.parameters({"train.keep": "best_mcc"})
    desk.change_table("folds/folds.parquet", lambda rows: rows.replace("validation", "train"))


def choose_without_validation(desk: Desk, name: str) -> None:
    """Ask evaluate to choose on a fold that is not there."""
    desk.parameters({f"evaluate.{name}": "validation"})
    desk.change_table("folds/folds.parquet", lambda rows: rows.replace("validation", "train"))


def file(name: str, message: str, content: bytes | str, make: Callable[..., Case] = Case) -> Case:
    """Return a case of a whole params.yaml."""
    return make(name, "split", message, lambda desk: desk.write("params.yaml", content))


def bomb() -> str:
    """Return nine lines of YAML that stand for a thousand million values."""
    lines = ["split: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


GOOD = "split: {validation: 0.1, stratify: true, seed: 42}\n"

VALUES = [
    value(
        "train",
        "unknown",
        "train.learning_rat",
        1e-4,
        r"train\.learning_rat is not a parameter \(did you mean `learning_rate`\?\)",
    ),
    value("train", "missing", "train.epochs", None, r"train\.epochs is missing\. Add it"),
    value("train", "mistyped", "train.epochs", "two", r"train\.epochs: should be .*found 'two'"),
    value("train", "half", "train.epochs", 2.5, r"train\.epochs: should be a valid integer"),
    value("train", "truth-value", "train.epochs", True, "should be a valid integer; found True"),
    value("train", "impossible", "train.epochs", 0, "greater than or equal to 1; found 0"),
    value(
        "train",
        "choice",
        "train.keep",
        "lats",
        r"should be 'last', 'best_mcc' or 'best_loss'; found 'lats' \(did you mean `last`\?\)",
    ),
    value("train", "batch-of-all", "train.batch_size", 2**70, "less than or equal to 65536"),
    value("topic_fit", "all-words", "vocabulary.top_words", 2**70, "less than or equal to 1000"),
    value("train", "threads", "train.threads", 10**6, "less than or equal to 1024"),
    plain(
        "train",
        "learning-rate-nan",
        "train.learning_rate",
        ".nan",
        "train.learning_rate: should be a finite number; found nan",
    ),
    plain(
        "train",
        "clip-infinite",
        "train.max_grad_norm",
        ".inf",
        "train.max_grad_norm: should be a finite number; found inf",
    ),
    plain(
        "train",
        "clip-overflowing",
        "train.max_grad_norm",
        "1e999",
        "train.max_grad_norm: should be a finite number; found inf",
    ),
    Case(
        "best-without-validation",
        "train",
        "train.keep is best_mcc, which needs a validation fold, and split.validation is 0",
        without_validation,
    ),
    value(
        "adapt",
        "unknown",
        "adapt.epoch",
        1,
        r"adapt\.epoch is not a parameter \(did you mean `epochs`\?\)",
    ),
    value("adapt", "negative", "adapt.epochs", -1, "greater than or equal to 0; found -1"),
    value("adapt", "sample-too-small", "adapt.sentences", 99, "greater than or equal to 100"),
    value("adapt", "few-held-out", "adapt.held_out", 0, "greater than or equal to 50"),
    value("adapt", "short-sentences", "adapt.max_words", 3, "greater than or equal to 4"),
    value("adapt", "endless-sentences", "adapt.max_words", 10**6, "less than or equal to 100"),
    value("adapt", "nothing-corrupted", "adapt.corrupted_share", 0.0, "greater than 0; found 0.0"),
    value("adapt", "everything-corrupted", "adapt.corrupted_share", 1.0, "less than 1; found 1.0"),
    value(
        "adapt", "weight-negative", "adapt.token_loss_weight", -0.1, "greater than or equal to 0"
    ),
    plain("adapt", "weight-nan", "adapt.token_loss_weight", ".nan", "finite number; found nan"),
    value(
        "adapt",
        "more-held-out-than-there-are",
        "adapt.held_out",
        1000,
        "has 300 different plain sentences .*adapt needs 1,032",
    ),
    value(
        "split",
        "unknown",
        "split.stratified",
        True,
        r"split\.stratified is not a parameter \(did you mean `stratify`\?\)",
    ),
    value("split", "everything-held-out", "split.validation", 1.0, "less than 1; found 1.0"),
    value("split", "negative-seed", "split.seed", -1, "greater than or equal to 0"),
    plain("split", "seed-of-50-digits", "split.seed", "9" * 50, "less than 4294967296"),
    plain(
        "split", "seed-of-5000-digits", "split.seed", "9" * 5000, "a value that YAML cannot mean"
    ),
    value("tokenize", "too-short", "tokenize.max_length", 2, "greater than or equal to 3"),
    value(
        "tokenize",
        "too-long",
        "tokenize.max_length",
        65,
        "tokenize.max_length is 65, and the backbone in encoder takes at most 64",
    ),
    value("evaluate", "certain", "evaluate.confidence", 1.0, "less than 1"),
    value("evaluate", "no-seeds", "seeds", [], "seeds: List should have at least 1 item"),
    value("evaluate", "seed-twice", "seeds", [1, 1], r"each seed once, and \[1\] is repeated"),
    value("evaluate", "seeds-are-missing", "seeds", None, "seeds is missing"),
    value(
        "evaluate",
        "threshold-as-number",
        "evaluate.threshold",
        0.5,
        "should be 'half' or 'validation'; found 0.5",
    ),
    value(
        "evaluate",
        "temperature-misspelt",
        "evaluate.temperature",
        "validaton",
        r"should be 'none' or 'validation'; found 'validaton' \(did you mean `validation`\?\)",
    ),
    Case(
        "threshold-without-validation",
        "evaluate",
        r"evaluate\.threshold is validation, and split\.validation is 0",
        lambda desk: choose_without_validation(desk, "threshold"),
    ),
    Case(
        "temperature-without-validation",
        "evaluate",
        r"evaluate\.temperature is validation, and split\.validation is 0",
        lambda desk: choose_without_validation(desk, "temperature"),
    ),
    value(
        "embed",
        "unknown",
        "embed.precison",
        "fp32",
        r"embed\.precison is not a parameter \(did you mean `precision`\?\)",
    ),
    value("embed", "no-budget", "embed.tokens_per_batch", 0, "greater than or equal to 1"),
    value(
        "parse",
        "unknown-part",
        "parse.documents.remove",
        ["header"],
        r"remove\.0: should be 'headers', .*\(did you mean `headers`\?\)",
    ),
    value(
        "parse",
        "unknown-nested",
        "parse.documents.emtpy",
        "keep",
        r"parse\.documents\.emtpy is not a parameter \(did you mean `empty`\?\)",
    ),
    value(
        "topic_fit",
        "unknown-nested",
        "topic_fit.umap.neighbors",
        5,
        r"umap\.neighbors is not a parameter \(did you mean `n_neighbors`\?\)",
    ),
    value(
        "topic_fit",
        "section-is-a-number",
        "topic_fit.umap",
        5,
        "topic_fit.umap: should be `name: value` pairs; found 5",
    ),
    value(
        "topic_fit",
        "ngrams-reversed",
        "vocabulary.ngram_range",
        [2, 1],
        r"ngram_range should be \[least, most\] words",
    ),
    value(
        "topic_fit",
        "stop-words",
        "vocabulary.stop_words",
        "englisch",
        "vocabulary.stop_words.*englisch",
    ),
    value(
        "topic_fit",
        "one-word-clusters",
        "topic_fit.hdbscan.min_cluster_size",
        1,
        "greater than or equal to 2",
    ),
    value(
        "topic_fit",
        "boilerplate-of-nothing",
        "vocabulary.boilerplate",
        0.0,
        "vocabulary.boilerplate: should be greater than 0; found 0.0",
    ),
    value(
        "topic_fit",
        "empty-stop-word",
        "vocabulary.more_stop_words",
        [""],
        "more_stop_words.0: .*at least 1 character",
    ),
    value(
        "topic_fit",
        "unknown-strategy",
        "topic_fit.outliers.strategy",
        "embedding",
        r"outliers.strategy: .*\(did you mean `embeddings`\?\)",
    ),
    value(
        "topic_fit",
        "threshold-beyond-1",
        "topic_fit.outliers.threshold",
        1.5,
        "outliers.threshold: .*less than or equal to 1",
    ),
    value(
        "topic_fit",
        "unknown-representation",
        "topic_fit.words.representation",
        "keybart",
        r"words.representation: .*\(did you mean `keybert`\?\)",
    ),
    value(
        "topic_fit",
        "contrast-beyond-1",
        "topic_fit.words.contrast",
        1.5,
        "words.contrast: .*less than or equal to 1",
    ),
    value(
        "topic_fit",
        "independence-below-0",
        "topic_fit.words.independence",
        -0.5,
        "words.independence: .*greater than or equal to 0",
    ),
    value(
        "topic_fit",
        "unlike-beyond-1",
        "topic_fit.words.diversity",
        2.0,
        "words.diversity: .*less than or equal to 1",
    ),
    value(
        "topic_fit",
        "one-candidate",
        "topic_fit.words.candidates",
        1,
        "words.candidates: .*greater than or equal to 2",
    ),
    value(
        "topic_fit",
        "numbers-fall",
        "topic_numbers",
        [20, 10],
        "topic_numbers: each number once, the smaller first",
    ),
    value("topic_fit", "no-numbers", "topic_numbers", [], "at least 1 item"),
    Case(
        "nothing-to-compare-with",
        "topic_stability",
        "seeds and topic_stability.resamples are both 0, so there is no fit to compare with",
        lambda desk: desk.parameters({"topic_stability.seeds": 0, "topic_stability.resamples": 0}),
    ),
    value(
        "topic_stability",
        "unknown",
        "topic_stability.resample",
        5,
        r"topic_stability\.resample is not a parameter \(did you mean `resamples`\?\)",
    ),
    value("topic_stability", "negative", "topic_stability.seeds", -1, "greater than or equal to 0"),
    value("topic_baselines", "no-seeds", "topic_baselines.seeds", [], "at least 1 item"),
    value(
        "topic_baselines", "no-pass", "topic_baselines.lda_passes", 0, "greater than or equal to 1"
    ),
    value(
        "topic_baselines",
        "more-topics-than-documents",
        "topic_numbers",
        [2, 500],
        "topic_numbers asks for 500 topics, and there are 60 documents with 40 words",
    ),
    plain("visualize", "width-nan", "visualize.figure_size", "[.nan, 8.0]", "finite number"),
    value("visualize", "no-font", "visualize.font", "", "at least 1 character"),
    Case(
        "seed-on-the-command-line",
        "train",
        "argument seed: invalid parse_seed value: 'one'",
        arguments="one tokens folds encoder out",
    ),
    Case(
        "no-arguments", "split", "the following arguments are required: tokens, out", arguments=" "
    ),
]

FILES = [
    Case(
        "folder",
        "split",
        "raw is a folder; name the YAML file in it",
        arguments="tokens out --params raw",
    ),
    Case(
        "missing",
        "split",
        "params.yaml does not exist. Run the command in the project's folder",
        lambda desk: desk.remove("params.yaml"),
    ),
    Case(
        "file-below-a-file",
        "split",
        "tokens.parquet/params.yaml cannot be read .*Not a directory",
        arguments="tokens out --params tokens/tokens.parquet/params.yaml",
    ),
    Case(
        "unreadable",
        "split",
        "params.yaml cannot be read .Permission denied",
        lambda desk: (desk.run_as_nobody(), (desk.folder / "params.yaml").chmod(0)),
    ),
    file("empty", "should hold `name: value` pairs and holds None", b""),
    file("list", "should hold `name: value` pairs and holds", "- split\n- train\n"),
    file("page", "params.yaml", "<html>\n<title>Log in</title>\n"),
    file("latin-1", "params.yaml is not UTF-8", b"split: {}  # gr\xf6\xdfe\n"),
    file("utf-16", "params.yaml is not UTF-8", GOOD.encode("utf-16")),
    file("nul", "is not valid YAML", "split: \0\n"),
    file("tabs", "is not valid YAML", "split:\n\tseed: 1\n"),
    file("key-twice", "is not valid YAML.*duplicate key", GOOD + GOOD),
    file(
        "python-object",
        "is not valid YAML.*could not determine a constructor",
        "split: !!python/object/apply:os.system ['echo run > run']\n",
    ),
    file("aliases-without-end", "stands for [0-9,]+ values, aliases", bomb()),
    file("alias-of-itself", "an alias .* stands for a value that it is in", "split: &a [*a]\n"),
    file("alias-of-nothing", "is not valid YAML.*undefined alias", "split: *a\n"),
    file("nested", "nested too deeply", "split: " + "[" * 5000),
    file("no-such-day", "holds a value that YAML cannot mean", "split: 2001-99-99\n"),
    file("no-such-number", "holds a value that YAML cannot mean", "split: !!int lamp\n"),
    file("section-missing", r"has no section `split` \(did you mean `splits`\?\)", "splits: {}\n"),
    file(
        "section-empty", "params.yaml: split: should be `name: value` pairs; found None", "split:\n"
    ),
    file("section-of-numbers", "split", "split: {1: 2, true: false}\n"),
    file("two-documents", "is not valid YAML", GOOD + "---\n" + GOOD),
    file("bom", "sentences in two folds", b"\xef\xbb\xbf" + GOOD.encode(), accepted),
    file(
        "crlf",
        "sentences in two folds",
        GOOD.replace(" ", "\r\n ", 1).replace("\n", "\r\n"),
        accepted,
    ),
    file(
        "alias",
        "sentences in two folds",
        "a: &a {validation: 0.1, stratify: true, seed: 42}\nsplit: *a\n",
        accepted,
    ),
]

CASES = [*VALUES, *FILES]
