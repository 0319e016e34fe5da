"""What the figures and the report show: the tables and measures that earlier stages stored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.scoring.names import BOTH, VALIDATION

OUTLIERS = -1  # HDBSCAN's label of documents in no cluster
TRAINING = "train"
MEAN = "mean of seeds"
ENSEMBLE = "ensemble of seeds"
TFIDF = "TF-IDF + logistic regression"
MAJORITY = "majority class"
LABELS = ("acceptable", "unacceptable")
STABLE, PARTLY, UNSTABLE = "stable", "partly stable", "unstable"  # words for topics

SCORES = {
    "set": "str",
    "model": "str",
    "sentences": "int64",
    "mcc": "float64",
    "mcc_low": "float64",
    "mcc_high": "float64",
    "accuracy": "float64",
    "f1": "float64",
}
CURVES = {
    "seed": "int64",
    "epoch": "int64",
    "training_loss": "float64",
    "validation_loss": "float64",
    "validation_mcc": "float64",
}
BATCHES = {
    "set": "str",
    "seed": "int64",
    "batch": "int64",
    "sentences": "int64",
    "mcc": "float64",
}
CONFUSION = {"seed": "int64", "id": "str", "pair": "str", "actual": "str", "predicted": "str"}
DECISIONS = {"model": "str", "threshold": "float64", "temperature": "float64"}
COVERAGE = {
    "strategy": "str",
    "threshold": "float64",
    "words": "str",
    "chosen": "int64",
    "coverage": "float64",
    "npmi": "float64",
    "ami": "float64",
}
BY_NUMBER = {
    "model": "str",
    "requested_topics": "int64",
    "topics": "int64",
    "npmi": "float64",
    "diversity": "float64",
    "ami": "float64",
    "npmi_times_coverage": "float64",
}
# As `topic_stability` and `topic_baselines` write them, and `topic_fit` the model's own rows.
STABILITY = {"topic": "int64", "stability": "float64", "verdict": "str"}
PEERS = {
    "model": "str",
    "requested_topics": "float64",  # empty where a model chooses the number
    "topics": "float64",
    "coverage": "float64",
    "npmi": "float64",
    "c_v": "float64",
    "diversity": "float64",
    "ami": "float64",
    "npmi_times_coverage": "float64",
}
SPREAD = "npmi_times_coverage_sd"  # over seeds, which other models have
OWN = "Bertline"  # the model's own name in tables beside its baselines
GROUPS = {"topic": "int64", "group": "str", "documents": "int64"}
MERGES = {
    "node": "int64",
    "left": "int64",
    "right": "int64",
    "distance": "float64",
    "words": "str",
}
TOPICS = ("topic", "count", "words")
ASSIGNMENTS = ("topic", "x", "y")


@dataclass(frozen=True)
class Acceptability:
    """The results of the sentences' branch; tables have the columns of the constants above."""

    title: str  # of the data set; it says "synthetic" where it is
    backbone: str
    confidence: float  # coverage of the intervals
    threshold: str  # half, or validation where thresholds were chosen
    temperature: str  # none, or validation
    folds: dict[str, dict[str, Any]]  # sentences and acceptable_share of each fold
    shared: dict[str, int]  # sentences that occur in two folds, by the folds' names
    summary: dict[str, dict[str, Any]]  # evaluate.json
    scores: pd.DataFrame
    curves: pd.DataFrame
    batches: pd.DataFrame
    decisions: pd.DataFrame
    confusion: dict[str, pd.DataFrame]
    adapted: dict[str, Any] = field(default_factory=lambda: {"epochs": []})  # adapt.json

    @property
    def encoder(self) -> str:
        """The backbone's name, and whether it was adapted before it was fine-tuned."""
        return f"{self.backbone}, adapted" if self.adapted["epochs"] else self.backbone

    @property
    def sets(self) -> list[str]:
        """The sets that were scored, in the stored order."""
        return list(dict.fromkeys(self.scores["set"]))

    @property
    def test_sets(self) -> list[str]:
        """The single sets that no training decision saw; the validation fold if there is none."""
        return [name for name in self.sets if name not in (VALIDATION, BOTH)] or self.sets

    @property
    def seeds(self) -> list[int]:
        """The seeds of the models, in the stored order."""
        return list(dict.fromkeys(self.curves["seed"].tolist()))

    @property
    def source(self) -> str:
        """Data set, backbone and number of seeds: what every figure of scores must say."""
        number = len(self.seeds)
        seeds = f"{number}\N{NO-BREAK SPACE}seed{'s' * (number > 1)}"
        return f"{self.title} · backbone\N{NO-BREAK SPACE}{self.encoder} · {seeds}"

    @property
    def coverage(self) -> str:
        """The intervals' coverage in words, such as 95%."""
        return f"{100 * self.confidence:g}%"

    def score(self, name: str, model: str) -> pd.Series | None:
        """Return the row of `model` on the set `name`, or None where there is none."""
        rows = self.scores[(self.scores["set"] == name) & (self.scores["model"] == model)]
        return None if rows.empty else rows.iloc[0]


@dataclass(frozen=True)
class Topics:
    """The results of the documents' branch."""

    title: str  # of the data set
    embedder: str
    measures: dict[str, Any]  # topic_fit.json
    table: pd.DataFrame  # topic, count and words, the largest first, without the outliers
    topic: np.ndarray  # of each document, shape (n,)
    places: np.ndarray  # of each document on the map, shape (n, 2)
    coverage: pd.DataFrame  # strategies for outliers, with the columns of COVERAGE
    by_number: pd.DataFrame  # the model at other numbers of topics, columns of BY_NUMBER
    merges: pd.DataFrame  # of topics, in turn, columns of MERGES
    groups: pd.DataFrame  # documents by topic and known group, columns of GROUPS; may be empty
    # Of the stages that compare; empty where nothing was compared.
    stability: pd.DataFrame = field(  # topic, stability and verdict, by `topic`
        default_factory=lambda: pd.DataFrame(columns=[*STABILITY]).set_index("topic")
    )
    refits: dict[str, Any] = field(default_factory=lambda: {"refits": 0})  # topic_stability.json
    baselines: pd.DataFrame = field(  # columns of `PEERS` and SPREAD, the model's own rows first
        default_factory=lambda: pd.DataFrame(columns=[*PEERS, SPREAD])
    )

    def stability_of(self, topic: int) -> tuple[float, str] | None:
        """Return the stability of a topic and the word for it; None where there is none."""
        if topic not in self.stability.index:
            return None
        row = self.stability.loc[topic]
        return float(row["stability"]), str(row["verdict"])

    @property
    def unstable(self) -> set[int]:
        """The topics that hardly come again in other fits."""
        return set(self.stability.index[self.stability["verdict"] == UNSTABLE])

    @property
    def documents(self) -> int:
        """The number of documents."""
        return len(self.topic)

    @property
    def outliers(self) -> int:
        """The number of documents in no topic."""
        return int(np.sum(self.topic == OUTLIERS))

    @property
    def counts(self) -> str:
        """Documents, topics and outlier share in words."""
        number = len(self.table)
        return (
            f"{self.documents:,} documents, {number:,} topic{'s' * (number != 1)}, "
            f"{self.outliers / max(self.documents, 1):.1%} outliers"
        )


def load_acceptability(metrics: Path) -> Acceptability:
    """Read what `download`, `parse`, `split`, `adapt` and `evaluate` measured.

    Raises BertlineError if a file is missing or is not what the stage writes.
    """
    plots = metrics / "evaluate"
    split = files.read_json(metrics / "split.json")
    protocol = files.read_json(plots / "protocol.json")
    summary = files.read_json(metrics / "evaluate.json")
    scores = read_csv(plots / "scores.csv", SCORES)
    names = list(dict.fromkeys(scores["set"]))
    if names != list(summary):
        raise BertlineError(
            f"{plots / 'scores.csv'} has the sets {', '.join(names)}, and "
            f"{metrics / 'evaluate.json'} has {', '.join(summary)}. They come from different "
            f"runs: run `dvc repro evaluate`."
        )
    return Acceptability(
        title=_named(metrics / "parse" / "sentences.json", "title"),
        backbone=_named(metrics / "download" / "backbone.json", "source"),
        confidence=_value(protocol, "confidence", plots / "protocol.json"),
        threshold=_value(protocol, "threshold", plots / "protocol.json"),
        temperature=_value(protocol, "temperature", plots / "protocol.json"),
        folds=_value(split, "folds", metrics / "split.json"),
        shared=split.get("shared_sentences", {}),
        summary=summary,
        scores=scores,
        curves=read_csv(plots / "learning_curves.csv", CURVES),
        batches=read_csv(plots / "mcc_per_batch.csv", BATCHES),
        decisions=read_csv(plots / "decisions.csv", DECISIONS),
        confusion={
            name: read_csv(plots / "confusion" / f"{name}.csv", CONFUSION)
            for name in names
            if name != BOTH
        },
        adapted=files.read_json(metrics / "adapt.json", keys=["sentences", "epochs"]),
    )


def load_topics(metrics: Path, fitted: Path) -> Topics:
    """Read what `download`, `parse` and the stages of topics measured, and the topics in `fitted`.

    Raises BertlineError if a file is missing or is not what the stage writes.
    """
    table = files.read_table(fitted / "topics.parquet", columns=TOPICS)
    assignments = files.read_table(fitted / "assignments.parquet", columns=ASSIGNMENTS)
    unknown = sorted(set(assignments["topic"]) - set(table["topic"]) - {OUTLIERS})
    if unknown:
        raise BertlineError(
            f"{fitted / 'assignments.parquet'} has documents in topic {unknown[0]}, which "
            f"{fitted / 'topics.parquet'} does not list. They come from different runs: run "
            f"`dvc repro topic-fit`."
        )
    named = table[table["topic"] != OUTLIERS]
    plots = metrics / "topic_fit"
    return Topics(
        title=_named(metrics / "parse" / "documents.json", "title"),
        embedder=_named(metrics / "download" / "embedder.json", "source"),
        measures=files.read_json(metrics / "topic_fit.json"),
        table=named.sort_values(["count", "topic"], ascending=[False, True], ignore_index=True),
        topic=assignments["topic"].to_numpy(),
        places=assignments[["x", "y"]].to_numpy(dtype=np.float64),
        coverage=read_csv(plots / "coverage.csv", COVERAGE, stage="topic-fit"),
        by_number=read_csv(plots / "by_number.csv", BY_NUMBER, stage="topic-fit"),
        merges=_split_words(read_csv(plots / "hierarchy.csv", MERGES, stage="topic-fit")),
        groups=read_csv(plots / "groups.csv", GROUPS, stage="topic-fit"),
        stability=read_csv(
            metrics / "topic_stability.csv", STABILITY, stage="topic-stability"
        ).set_index("topic"),
        refits=files.read_json(metrics / "topic_stability.json", keys=["refits"]),
        baselines=load_baselines(metrics),
    )


def load_baselines(metrics: Path) -> pd.DataFrame:
    """Read the model's own rows that `topic_fit` wrote, then those of `topic_baselines`."""
    own = read_csv(metrics / "topic_fit" / "by_number.csv", PEERS, stage="topic-fit")
    columns = PEERS | {SPREAD: "float64"}
    others = read_csv(metrics / "topic_baselines.csv", columns, stage="topic-baselines")
    return pd.concat([own[[*PEERS]], others[[*columns]]], ignore_index=True)


def read_csv(path: Path, columns: Mapping[str, str], *, stage: str = "evaluate") -> pd.DataFrame:
    """Read a CSV file that `stage` wrote, with at least `columns`: their names and types.

    Raises BertlineError if the file is missing, lacks a column, or holds another type.
    """
    files.require(path)
    try:
        # Only an empty cell is a missing value: a set may well be called NA.
        table = pd.read_csv(path, dtype=dict(columns), keep_default_na=False, na_values=[""])
    except (ValueError, OverflowError) as error:
        raise BertlineError(
            f"{path} cannot be read as the table that `{stage}` writes ({error}). "
            f"Run `dvc repro {stage}`."
        ) from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise BertlineError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(table.columns)}. "
            f"Run `dvc repro {stage}`."
        )
    return table


def plain(text: str) -> str:
    """Return `text` on one line, without characters that no figure or page can show."""
    # Zero-width joiners are part of how some scripts are spelled; other controls are not.
    shown = (letter if letter.isprintable() or letter in "\u200c\u200d" else " " for letter in text)
    return re.sub(r" +", " ", "".join(shown)).strip()


def topic_name(words: list[str], number: int, *, longest: int = 24) -> str:
    """Return a topic's first `number` words, each cut to `longest` letters."""
    shown = [plain(word) for word in words[:number]]
    cut = [word if len(word) <= longest else word[: longest - 1] + "…" for word in shown if word]
    return ", ".join(cut) or "(no words)"


def _split_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with lists of words in place of words with commas between them."""
    words = [text.split(", ") for text in table["words"].fillna("")]
    return table.assign(words=pd.Series(words, index=table.index, dtype=object))


def _named(path: Path, key: str) -> str:
    return plain(str(_value(files.read_json(path), key, path)))


def _value(content: Mapping[str, Any], key: str, path: Path) -> Any:
    if key not in content:
        raise BertlineError(
            f"{path} has no `{key}`; it has {', '.join(content)}. It was written by another "
            f"version of the stage: run `dvc repro`."
        )
    return content[key]
