"""Tables and measures of a fit: its topics, their hierarchy, and the model at other numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bertline.core import console
from bertline.topics import tree
from bertline.topics.measures import DIGITS, Reference, coherence, halves, measure, measure_all
from bertline.topics.naming import Fit
from bertline.topics.outliers import Outliers, Strategy, reduce_outliers
from bertline.topics.over_time import count_periods
from bertline.topics.tables import MODEL, OUTLIERS
from bertline.topics.words import Describer

# The thresholds of each strategy in coverage.csv.
THRESHOLDS: dict[Strategy, tuple[float, ...]] = {
    "embeddings": (0.0, 0.3, 0.5),
    "c-tf-idf": (0.0, 0.1, 0.2),
    "distributions": (0.0,),
    "probabilities": (0.0, 0.01, 0.1),
}
WORDS = 4  # in the name of a topic or of a branch


def describe_topics(fit: Fit) -> pd.DataFrame:
    """Return the columns of `TOPICS`, a row per topic: outliers first, then by falling size."""
    core, topics, bertopic = fit.core, fit.model.topics, fit.model.bertopic
    rows = []
    for topic in sorted({*core.tolist(), *topics.tolist()}):
        pairs = [(word, weight) for word, weight in bertopic.get_topic(topic) if word]
        words = [word for word, _ in pairs]
        rows.append(
            {
                "topic": topic,
                "count": int(np.sum(topics == topic)),
                "core": int(np.sum(core == topic)),
                "name": "_".join([str(topic), *words[:WORDS]]),
                "words": words,
                "weights": [float(weight) for _, weight in pairs],
                "representative_documents": bertopic.representative_docs_.get(topic, []),
            }
        )
    rows.sort(key=lambda row: (row["topic"] != OUTLIERS, -row["count"], row["topic"]))
    return pd.DataFrame(rows)


def measure_topics(
    described: pd.DataFrame,
    fit: Fit,
    describer: Describer,
    groups: pd.Series,
    reference: Reference,
) -> dict[str, Any]:
    """Return the number and the sizes of topics, and their measures."""
    named = described[described["topic"] != OUTLIERS]
    unknown = int(groups.isna().sum())
    if 0 < unknown < len(groups):
        console.log(f"agreement with groups leaves out {unknown:,} documents without a group")
    return {
        "documents": len(fit.core),
        "core_share": round(float(np.mean(fit.core != OUTLIERS)), 4),
        "largest_topic": int(named["count"].max()) if len(named) else 0,
        "median_topic": float(named["count"].median()) if len(named) else 0.0,
        "vocabulary": len(reference.corpus.words),
        **measure(named["words"].tolist(), fit.model.topics, groups, reference),
        "npmi_held_out": measure_held_out(fit.core, describer),
    }


def measure_held_out(core: np.ndarray, describer: Describer) -> float | None:
    """Return NPMI counted in the half of the documents that did not choose the words.

    core: the topic of each document, (n,). None if no topic has two words in a half.
    """
    found = []
    one, other = halves(len(core))
    for chosen, counted in ((one, other), (other, one)):
        words = describer.part(chosen).list_words(core[chosen])
        found.append(coherence(words, Reference(describer.corpus.part(counted))))
    known = [npmi for npmi in found if npmi is not None]
    return round(float(np.mean(known)), DIGITS) if known else None


def tabulate(
    described: pd.DataFrame,
    fit: Fit,
    numbers: Sequence[int],
    describer: Describer,
    groups: pd.Series,
    dates: pd.Series,
    reference: Reference,
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the tables topics, coverage, by_number, hierarchy, groups and over_time.

    described: by `describe_topics`. numbers: of topics, rising. groups, dates: of each document.
    """
    coverage = compare_outliers(fit, describer, groups, reference)
    middles, sizes = tree.means(fit.model.vectors, fit.core, int(fit.core.max()) + 1)
    merges = tree.merge(middles, sizes)
    return {
        "topics": count_documents(described, len(fit.core)),
        "coverage": coverage,
        "by_number": measure_by_number(numbers, merges, describer, fit, groups, reference),
        "hierarchy": build_hierarchy(merges, described),
        "groups": count_groups(fit.model.topics, groups),
        "over_time": count_periods(fit.model.topics, dates.tolist()),
    }


def count_documents(described: pd.DataFrame, documents: int) -> list[dict[str, Any]]:
    """Return the rows of topics.csv: how many of the documents each topic has, and its name."""
    shares = (described["count"] / documents).round(4)
    rows = described.assign(share=shares)[["topic", "count", "share", "name"]].to_dict("records")
    return [{str(column): value for column, value in row.items()} for row in rows]


def compare_outliers(
    fit: Fit, describer: Describer, groups: pd.Series, reference: Reference
) -> list[dict[str, Any]]:
    """Return the rows of coverage.csv: each strategy and threshold, words kept and recomputed.

    `words` is core where topics keep the words of their core documents, and recomputed where all
    their documents give the words.
    """
    chosen = fit.model.settings.outliers
    points: dict[tuple[Strategy, float], None] = {("none", 0.0): None}
    points |= dict.fromkeys((name, at) for name, levels in THRESHOLDS.items() for at in levels)
    picked = (chosen.strategy, 0.0 if chosen.strategy == "none" else chosen.threshold)
    points[picked] = None
    described = [
        name for name in points if name[0] != "probabilities" or fit.membership is not None
    ]
    heads, found = [], []
    kept = describer.list_words(fit.core)
    for name, threshold in console.progress(
        described, total=len(described), label="outliers", unit="points"
    ):
        options = Outliers(strategy=name, threshold=threshold)
        topics = reduce_outliers(
            *(fit.model.bertopic, describer.corpus.texts, describer.vectors, fit.core),
            *(options, fit.membership),
        )
        head = {"strategy": name, "threshold": threshold}
        heads.append(head | {"words": "core", "chosen": int((name, threshold) == picked)})
        found.append((kept, topics))
        if name != "none":
            heads.append(head | {"words": "recomputed", "chosen": 0})
            found.append((describer.list_words(topics), topics))
    measured = measure_all(found, groups, reference)
    return [head | figures for head, figures in zip(heads, measured, strict=True)]


def measure_by_number(
    numbers: Sequence[int],
    merges: np.ndarray,
    describer: Describer,
    fit: Fit,
    groups: pd.Series,
    reference: Reference,
) -> list[dict[str, Any]]:
    """Return the rows of by_number.csv: the measures of the tree cut at each number of topics."""
    found = []
    for number in numbers:
        where = np.append(tree.cut(merges, number), OUTLIERS)
        found.append((describer.list_words(where[fit.core]), where[fit.model.topics]))
    measured = measure_all(found, groups, reference)
    return [
        {"model": MODEL, "requested_topics": number} | figures
        for number, figures in zip(numbers, measured, strict=True)
    ]


def build_hierarchy(merges: np.ndarray, described: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of hierarchy.csv, one per merge: its words are of its largest topics.

    A node below the number of topics is a topic; the next numbers are the merges.
    """
    named = described.set_index("topic")
    rows = []
    for step, below in enumerate(tree.members(merges)):
        largest = named.loc[below].sort_values("count", ascending=False, kind="stable")
        first = dict.fromkeys(words[0] for words in largest["words"] if words)
        rows.append(
            {
                "node": len(merges) + 1 + step,
                "left": int(merges[step, 0]),
                "right": int(merges[step, 1]),
                "distance": round(float(merges[step, 2]), 6),
                "count": int(largest["count"].sum()),
                "words": ", ".join([*first][:WORDS]),
            }
        )
    return rows


def count_groups(topics: np.ndarray, groups: pd.Series) -> list[dict[str, Any]]:
    """Return the rows of groups.csv: how many documents of each group each topic has."""
    table = pd.DataFrame({"topic": topics, "group": groups.to_numpy()}).dropna()
    counted = table.groupby(["topic", "group"], sort=True).size().reset_index(name="documents")
    return [
        {str(column): value for column, value in row.items()} for row in counted.to_dict("records")
    ]
