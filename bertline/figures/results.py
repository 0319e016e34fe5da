"""What the figures and the report show: the tables and measures that earlier stages stored."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.scoring import tables
from bertline.scoring.names import BOTH, VALIDATION
from bertline.topics import tables as topic_tables
from bertline.topics.tables import MODEL as OWN
from bertline.topics.tables import OUTLIERS, UNSTABLE


def _pick(columns: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: columns[name] for name in names}


# What is read of the topics' tables.
_MEASURES = ("topics", "coverage", "npmi", "c_v", "diversity", "ami", "npmi_times_coverage")
COVERAGE = _pick(
    topic_tables.COVERAGE, "strategy", "words", "chosen", "threshold", "coverage", "npmi", "ami"
)
BASELINES = _pick(topic_tables.BASELINES, "model", "requested_topics", *_MEASURES)
SPREAD = "npmi_times_coverage_sd"  # over seeds, which the baselines have
HELD_OUT = "npmi_held_out_times_coverage"  # which the baselines have
STABILITY = _pick(topic_tables.STABILITY, "topic", "stability", "verdict")
MERGES = _pick(topic_tables.HIERARCHY, "node", "left", "right", "distance", "words")
GROUPS = topic_tables.GROUPS
OVER_TIME = topic_tables.OVER_TIME
TOPICS = ("topic", "count", "words")
ASSIGNMENTS = ("topic", "x", "y")

# The groupings of test sentences in the report's order, and what a group of each is.
GROUPINGS = {
    "major": "grammatical phenomenon",
    "minor": "grammatical phenomenon, in detail",
    "source": "source",
    "length": "sentence length",
    "class": "class",
}


@dataclass(frozen=True)
class Classification:
    """The scores of the sentence classifiers, from `split`, `adapt` and `evaluate`."""

    title: str  # of the data set; it says "synthetic" where it is
    backbone: str
    protocol: dict[str, Any]  # confidence, threshold and temperature
    published: list[str]  # the sets of the source; other test sets were drawn
    folds: dict[str, dict[str, Any]]  # sentences of each fold
    shared: dict[str, int]  # sentences that occur in two folds, by the folds' names
    summary: dict[str, dict[str, Any]]  # evaluate/summary.json
    scores: pd.DataFrame
    classes: pd.DataFrame  # precision, recall and F1 of each class, by set
    curves: pd.DataFrame
    batches: pd.DataFrame
    decisions: pd.DataFrame
    confusion: dict[str, pd.DataFrame]
    adapted: pd.DataFrame  # the epochs of adapt.csv; none if it was left out

    @property
    def labels(self) -> list[str]:
        """The names of the classes, by number."""
        return list(self.protocol["labels"])

    @property
    def encoder(self) -> str:
        """The backbone's name, and whether it had intermediate training."""
        return f"{self.backbone}, adapted" if len(self.adapted) else self.backbone

    @property
    def sets(self) -> list[str]:
        """The sets that were scored, in the stored order."""
        return list(dict.fromkeys(self.scores["set"]))

    @property
    def test_sets(self) -> list[str]:
        """The single sets that no training decision saw; the validation fold if there is none."""
        return [name for name in self.sets if name not in (VALIDATION, BOTH)] or self.sets

    @property
    def notes(self) -> list[str]:
        """What a reader of the scores has to know first, each behind the sets that it is of."""
        sets: dict[str, list[str]] = {}
        for name, summary in self.summary.items():
            for note in summary.get("notes", ()):
                sets.setdefault(note, []).append(name)
        return [f"{', '.join(names)}: {note}" for note, names in sets.items()]

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
        """The intervals' coverage as text, such as 95%."""
        return f"{100 * self.protocol['confidence']:g}%"

    def score(self, name: str, model: str) -> pd.Series | None:
        """Return the row of `model` on the set `name`, or None where there is none."""
        rows = self.scores[(self.scores["set"] == name) & (self.scores["model"] == model)]
        return None if rows.empty else rows.iloc[0]


@dataclass(frozen=True)
class Analysis:
    """Errors by group, calibration and overfitting, from `analyze`."""

    phenomena: str  # title of the source of annotations
    summary: dict[str, Any]  # analyze/summary.json
    protocol: dict[str, Any]
    breakdown: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    selection: pd.DataFrame
    errors: list[dict[str, Any]]  # with sentences

    @property
    def whole(self) -> str:
        """The set that holds the sentences of all test sets."""
        return str(self.breakdown["set"].iloc[-1])

    @property
    def coverage(self) -> str:
        """The intervals' coverage as text, such as 95%."""
        return f"{100 * self.protocol['confidence']:g}%"

    def groups(self, grouping: str) -> pd.DataFrame:
        """Return the rows of a grouping for all test sentences; none if it was left out."""
        table = self.breakdown
        return table[(table["set"] == self.whole) & (table["grouping"] == grouping)]

    @property
    def groupings(self) -> list[str]:
        """The groupings that have groups, in the report's order."""
        return [name for name in GROUPINGS if len(self.groups(name))]

    @property
    def everything(self) -> pd.Series:
        """The row of all test sentences."""
        return self.groups(tables.ALL).iloc[0]


@dataclass(frozen=True)
class Topics:
    """The topics of the documents, from `topic_words`, `topic_stability` and the baselines."""

    title: str  # of the data set
    embedder: str
    core_share: float  # of the documents that the clustering itself assigned
    measures: dict[str, Any]  # topic_words/measures.json
    table: pd.DataFrame  # topic, count and words, the largest first, without the outliers
    topic: np.ndarray  # of each document, shape (n,)
    places: np.ndarray  # of each document on the map, shape (n, 2)
    coverage: pd.DataFrame  # strategies for outliers, with the columns of COVERAGE
    by_number: pd.DataFrame  # the model at other numbers of topics, columns of BASELINES
    merges: pd.DataFrame  # of topics, in turn, columns of MERGES
    groups: pd.DataFrame  # documents by topic and known group, columns of GROUPS; may be empty
    over_time: pd.DataFrame  # by topic and period, columns of OVER_TIME; empty without dates
    # Of what compares; empty where nothing was compared.
    stability: pd.DataFrame = field(  # stability and verdict by `topic`
        default_factory=lambda: pd.DataFrame(columns=[*STABILITY]).set_index("topic")
    )
    refits: dict[str, Any] = field(  # topic_stability.json
        default_factory=lambda: {"refits": 0}
    )
    baselines: pd.DataFrame = (
        field(  # columns of BASELINES, HELD_OUT and SPREAD, the own rows first
            default_factory=lambda: pd.DataFrame(columns=[*BASELINES, HELD_OUT, SPREAD])
        )
    )

    def stability_of(self, topic: int) -> tuple[float, str] | None:
        """Return the stability of a topic and the verdict on it; None where it has none."""
        rows = self.stability[self.stability.index == topic].to_dict("records")
        return (float(rows[0]["stability"]), str(rows[0]["verdict"])) if rows else None

    @property
    def unstable(self) -> set[int]:
        """The topics that dissolve in other fits."""
        return set(self.stability.index[self.stability["verdict"] == UNSTABLE])

    @property
    def compared(self) -> bool:
        """Whether there are other topic models to compare with, and topics to compare."""
        own = self.baselines.loc[self.baselines["model"] == OWN, "npmi_times_coverage"]
        return set(self.baselines["model"]) > {OWN} and bool(own.notna().any())

    @property
    def documents(self) -> int:
        """The number of documents."""
        return len(self.topic)

    @property
    def outliers(self) -> int:
        """The number of documents in no topic."""
        return int(np.sum(self.topic == OUTLIERS))

    @property
    def outlier_share(self) -> float:
        """The share of the documents in no topic."""
        return self.outliers / max(self.documents, 1)

    @property
    def source(self) -> str:
        """Data set and embedder: what every figure of topics must say."""
        return f"{self.title} · embedder {self.embedder}"

    @property
    def counts(self) -> str:
        """Documents, topics and outlier share as text."""
        number = len(self.table)
        return (
            f"{self.documents:,} documents, {number:,} topic{'s' * (number != 1)}, "
            f"{self.outlier_share:.1%} outliers"
        )


def load_classification(metrics: Path) -> Classification:
    """Read what `download`, `parse`, `split`, `adapt` and `evaluate` measured.

    Raises BertlineError if a file is missing or is not what the stage writes.
    """
    plots = metrics / "evaluate"
    split = files.read_json(metrics / "split.json", keys=["folds"])
    keys = ["confidence", "threshold", "temperature", "labels"]
    protocol = files.read_json(plots / "protocol.json", keys=keys)
    summary = files.read_json(plots / "summary.json")
    scores = files.read_csv(plots / "scores.csv", tables.SCORES, command="dvc repro evaluate")
    sets = list(dict.fromkeys(scores["set"]))
    if sets != list(summary):
        raise BertlineError(
            f"{plots / 'scores.csv'} has the sets {', '.join(sets)}, and "
            f"{plots / 'summary.json'} has {', '.join(summary)}. They come from different "
            f"runs: run `dvc repro evaluate`."
        )
    classes, curves, batches, decisions = (
        files.read_csv(plots / f"{name}.csv", columns, command="dvc repro evaluate")
        for name, columns in (
            ("classes", tables.CLASSES),
            ("learning_curves", tables.CURVES),
            ("mcc_per_batch", tables.BATCHES),
            ("decisions", tables.DECISIONS),
        )
    )
    return Classification(
        title=_value(metrics / "parse" / "sentences.json", "title"),
        backbone=_value(metrics / "download" / "backbone.json", "source"),
        protocol=protocol,
        published=[*files.read_json(metrics / "parse" / "sentences.json", keys=["sets"])["sets"]],
        folds=split["folds"],
        shared=split.get("shared_sentences", {}),
        summary=summary,
        scores=scores,
        classes=classes,
        curves=curves,
        batches=batches,
        decisions=decisions,
        confusion={
            name: files.read_csv(
                plots / "confusion" / f"{name}.csv", tables.CONFUSION, command="dvc repro evaluate"
            )
            for name in sets
            if name != BOTH
        },
        adapted=files.read_csv(metrics / "adapt.csv", tables.ADAPTED, command="dvc repro adapt"),
    )


def load_analysis(metrics: Path, folder: Path) -> Analysis:
    """Read what `analyze` measured, and the errors that it stored in `folder`.

    Raises BertlineError if a file is missing or is not what the stage writes.
    """
    folder_of_tables = metrics / "analyze"
    breakdown, calibration, reliability, selection = (
        files.read_csv(folder_of_tables / f"{name}.csv", columns, command="dvc repro analyze")
        for name, columns in (
            ("breakdown", tables.BREAKDOWN),
            ("calibration", tables.CALIBRATION),
            ("reliability", tables.RELIABILITY),
            ("selection", tables.SELECTION),
        )
    )
    if tables.ALL not in breakdown["grouping"].tolist():
        raise BertlineError(
            f"{folder_of_tables / 'breakdown.csv'} has no row of all sentences. "
            f"Run `dvc repro analyze`."
        )
    keys = ["annotations", "breakdown", "overfitting", "notes"]
    return Analysis(
        phenomena=_value(metrics / "parse" / "phenomena.json", "title"),
        summary=files.read_json(folder_of_tables / "summary.json", keys=keys),
        protocol=files.read_json(folder_of_tables / "protocol.json", keys=tables.PROTOCOL),
        # Sentences of a source without a name are a group as well.
        breakdown=breakdown.assign(group=breakdown["group"].fillna("")),
        calibration=calibration,
        reliability=reliability,
        selection=selection,
        errors=files.read_json(folder / "errors.json", keys=["errors"])["errors"],
    )


def load_topics(metrics: Path, folder: Path, baselines: Path | None = None) -> Topics:
    """Read what `download`, `parse` and the stages of topics measured, and the topics in `folder`.

    baselines: the table of other topic models, where there is one.
    Raises BertlineError if a file is missing or is not what the stage writes.
    """
    table = files.read_table(folder / "topics.parquet", columns=TOPICS)
    assignments = files.read_table(folder / "assignments.parquet", columns=ASSIGNMENTS)
    unknown = sorted(set(assignments["topic"]) - set(table["topic"]) - {OUTLIERS})
    if unknown:
        raise BertlineError(
            f"{folder / 'assignments.parquet'} has documents in topic {unknown[0]}, which "
            f"{folder / 'topics.parquet'} does not list. They come from different runs: run "
            f"`dvc repro topic-words`."
        )
    named = table[table["topic"] != OUTLIERS]
    protocol = files.read_json(folder / "protocol.json", keys=["corpus"])
    coverage, by_number, merges, groups, over_time = (
        files.read_csv(
            metrics / "topic_words" / f"{name}.csv", columns, command="dvc repro topic-words"
        )
        for name, columns in (
            ("coverage", COVERAGE),
            ("by_number", BASELINES),
            ("hierarchy", MERGES),
            ("groups", GROUPS),
            ("over_time", OVER_TIME),
        )
    )
    stability = files.read_csv(
        metrics / "topic_stability" / "topics.csv", STABILITY, command="dvc repro topic-stability"
    )
    words = [text.split(", ") for text in merges["words"].fillna("")]
    return Topics(
        title=_value(metrics / "parse" / "documents.json", "title"),
        embedder=_value(metrics / "download" / "embedder.json", "source"),
        core_share=files.read_json(metrics / "topic_fit.json", keys=["core_share"])["core_share"],
        measures=files.read_json(metrics / "topic_words" / "measures.json"),
        table=named.sort_values(["count", "topic"], ascending=[False, True], ignore_index=True),
        topic=assignments["topic"].to_numpy(),
        places=assignments[["x", "y"]].to_numpy(dtype=np.float64),
        coverage=coverage,
        by_number=by_number,
        merges=merges.assign(words=pd.Series(words, index=merges.index, dtype=object)),
        groups=groups,
        over_time=over_time,
        stability=stability.set_index("topic"),
        refits=files.read_json(metrics / "topic_stability.json", keys=["measures"])["measures"][0],
        baselines=load_baselines(by_number, baselines, protocol["corpus"]),
    )


def load_baselines(own: pd.DataFrame, stored: Path | None, corpus: str) -> pd.DataFrame:
    """Return the model's own rows, then those of the baselines, if stored of the same corpus.

    They have to be of the same numbers of topics as well: means over other numbers are not
    comparable. corpus: the fingerprint of documents and vocabulary, as topic_words stored it.
    """
    if stored is None or not stored.exists():
        return own.assign(**{HELD_OUT: np.nan, SPREAD: np.nan})
    columns = BASELINES | {HELD_OUT: "float64", SPREAD: "float64", "corpus": "str"}
    others = files.read_csv(stored, columns, command="make baselines")
    others = others[others["corpus"] == corpus].drop(columns="corpus")
    if set(others["requested_topics"].dropna()) != set(own["requested_topics"]):
        others = others[:0]
    return pd.concat([own, others], ignore_index=True)


def plain(text: str) -> str:
    """Return `text` on one line, without characters that no figure or page can show."""
    # Zero-width joiners are part of how some scripts are spelled; other controls are not.
    shown = (letter if letter.isprintable() or letter in "\u200c\u200d" else " " for letter in text)
    return re.sub(r" +", " ", "".join(shown)).strip()


def topic_name(words: Sequence[str], number: int, *, longest: int = 24) -> str:
    """Return a topic's first `number` words, each cut to `longest` letters."""
    shown = [plain(word) for word in words[:number]]
    cut = [word if len(word) <= longest else word[: longest - 1] + "…" for word in shown if word]
    return ", ".join(cut) or "(no words)"


def topic_label(topic: int | str, words: Sequence[str], number: int) -> str:
    """Return a topic's number and first `number` words, as at the rows of a chart."""
    return f"{topic}  {topic_name(words, number)}"


def _value(path: Path, key: str) -> str:
    return plain(str(files.read_json(path, keys=[key])[key]))
