"""The tables of the report, and figures as its text shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bertline.figures import style
from bertline.figures.results import (
    GROUPINGS,
    HELD_OUT,
    SPREAD,
    Analysis,
    Classification,
    Topics,
    plain,
    topic_name,
)
from bertline.scoring.names import (
    ENSEMBLE,
    MAJORITY,
    MEAN,
    TFIDF,
    of_seed,
)
from bertline.scoring.tables import ALL, SCALED
from bertline.topics.tables import MODEL as OWN
from bertline.topics.tables import OUTLIERS

TOPICS_SHOWN = 30
WORDS_SHOWN = 8
# The scores of a model, and of a class.
SCORES = {"mcc": "MCC", "macro_f1": "Macro F1", "accuracy": "Accuracy"}
OF_CLASS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
NONE = "–"  # what a cell without a value shows


@dataclass(frozen=True)
class Table:
    """A table; the template escapes its cells."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[int]  # columns that are set to the right
    marked: Sequence[bool] = ()  # rows in bold, none if empty
    code: bool = False  # whether the first column is in the font of code


class Comparison(NamedTuple):
    """NPMI times coverage of this project's model and of the best other one."""

    best: str
    own: float
    other: float
    spread: float | None  # over seeds of the other one
    held_out: dict[str, float]  # of each model that has it, the best first


def known(value: float | None) -> bool:
    """Return whether there is a value, and it is a number."""
    return value is not None and not np.isnan(value)


def number(value: float | None) -> str:
    """Return a number with three digits, a dash for none."""
    return NONE if value is None or np.isnan(value) else style.number(value)


def share(value: float | None) -> str:
    """Return a share as a percentage, a dash for none."""
    return NONE if value is None or np.isnan(value) else f"{value:.1%}"


def points(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def interval(low: float | None, high: float | None) -> str:
    """Return an interval as text, a dash for none."""
    return f"{number(low)} to {number(high)}" if known(low) and known(high) else NONE


def key_scores(results: Classification) -> Table:
    """Return each set's MCC with spread, interval and baselines."""
    seeds = len(results.seeds)
    rows = []
    for name in results.sets:
        # From scores.csv, as in the figures: the values in summary.json are rounded already.
        mean, tfidf, majority, ensemble = (
            _score(results, name, model) for model in (MEAN, TFIDF, MAJORITY, ENSEMBLE)
        )
        summary = results.summary[name]
        spread = [
            number(summary.get("mcc_sd")),
            interval(summary.get("mcc_min"), summary.get("mcc_max")),
            number(ensemble.get("mcc")),
        ]
        rows.append(
            [
                name,
                number(mean.get("mcc")),
                interval(mean.get("mcc_low"), mean.get("mcc_high")),
                *(spread if seeds > 1 else []),
                number(tfidf.get("mcc")),
                number(mean.get("macro_f1")),
                share(mean.get("accuracy")),
                share(majority.get("accuracy")),
                f"{mean['sentences']:,}" if mean else NONE,
            ]
        )
    header = [
        "Set",
        "MCC" if seeds == 1 else f"MCC, mean of {seeds} seeds",
        f"{results.coverage} interval",
        *(["SD over seeds", "Lowest to highest seed", "MCC of ensemble"] if seeds > 1 else []),
        "MCC of TF\N{NON-BREAKING HYPHEN}IDF",
        "Macro F1",
        "Accuracy",
        "Accuracy of majority",
        "Sentences",
    ]
    return Table("Key figures and baselines", header, rows, range(1, len(header)), code=True)


def _score(results: Classification, name: str, model: str) -> dict[Any, Any]:
    row = results.score(name, model)
    return {} if row is None else row.to_dict()


def all_scores(results: Classification) -> Table:
    """Return the scores of every model on every set."""
    scores = results.scores.to_dict("records")
    rows = [
        [
            row["set"],
            row["model"],
            *(cell for name in SCORES for cell in (number(row[name]), _ends(row, name))),
        ]
        for row in scores
    ]
    within = f"{results.coverage} interval"
    header = ["Set", "Model", *(text for name in SCORES.values() for text in (name, within))]
    marked = [row["model"] == MEAN for row in scores]
    caption = "Macro F1 is the mean of the classes' F1: each class counts alike, however rare."
    return Table(caption, header, rows, range(2, len(header)), marked, code=True)


def class_scores(results: Classification) -> Table:
    """Return precision, recall and F1 of each class on each test set."""
    stored = results.classes[results.classes["set"].isin(results.test_sets)]
    rows = [
        [
            row["set"],
            plain(row["class"]),
            f"{row['sentences']:,}",
            *(cell for name in OF_CLASS for cell in (number(row[name]), _ends(row, name))),
        ]
        for row in stored.to_dict("records")
    ]
    within = f"{results.coverage} interval"
    header = ["Set", "Class", "Sentences"]
    header += [text for name in OF_CLASS.values() for text in (name, within)]
    caption = (
        "Means over seeds. Precision: the share of the predictions of a class that are right. "
        "Recall: the share of its sentences that are found. F1: their harmonic mean."
    )
    return Table(caption, header, rows, range(2, len(header)), code=True)


def _ends(row: Mapping[Any, Any], name: str) -> str:
    return interval(row[f"{name}_low"], row[f"{name}_high"])


def breakdown(analysis: Analysis) -> Table:
    """Return errors and MCC of all groups of all test sentences."""
    rows = [
        [
            GROUPINGS.get(grouping, "all"),
            plain(row["group"]),
            f"{row['sentences']:,}",
            NONE if grouping == "class" else share(row["majority_share"]),
            share(row["error_rate"]),
            f"{share(row['error_rate_low'])} to {share(row['error_rate_high'])}",
            number(row["mcc"]),
            interval(row["mcc_low"], row["mcc_high"]),
            NONE if grouping == ALL else row["finding"],
        ]
        for grouping in (ALL, *analysis.groupings)
        for row in analysis.groups(grouping).to_dict("records")
    ]
    within = f"{analysis.coverage} interval"
    header = [
        *(
            "By",
            "Group",
            "Sentences",
            "Share of the largest class",
            "Error rate",
            within,
            "MCC",
            within,
        ),
        "Against the rest",
    ]
    caption = f"{analysis.whole}. Groups are not ranked by error rate."
    return Table(caption, header, rows, range(2, 8))


def confident_errors(analysis: Analysis) -> Table:
    """Return the most confident errors, with their sentences."""
    rows = [
        [
            plain(error["text"]),
            plain(error["label"]),
            plain(error["predicted"]),
            share(error["probability"]),
            f"{error['seeds_wrong']} of {error['seeds']}",
            plain(error["source"]) or NONE,
            ", ".join(map(plain, error["major"])) or NONE,
        ]
        for error in analysis.errors
    ]
    header = [
        "Sentence",
        "Actual",
        "Predicted",
        "Probability",
        "Seeds wrong",
        "Source",
        "Phenomena",
    ]
    caption = (
        "Test sentences that most seeds misclassify, the most confident errors first. The "
        "probability is that of the predicted class, a mean over seeds."
    )
    return Table(caption, header, rows, [3, 4])


def calibration(analysis: Analysis) -> Table:
    """Return the measures of calibration of each set, uncalibrated and with temperature."""
    rows = [
        [
            row["set"],
            row["scaled"],
            number(row["temperature"]) if row["scaled"] == SCALED else NONE,
            *(number(row[name]) for name in ("ece", "ece_if_calibrated", "brier", "loss")),
            points(row["overconfidence"]),
        ]
        for row in analysis.calibration.to_dict("records")
        if row["seed"] == MEAN
    ]
    header = [
        *("Set", "Probabilities", "Temperature", "ECE", "ECE if calibrated", "Brier score"),
        *("Log loss", "Overconfidence, points"),
    ]
    return Table("Means over seeds. Lower is better.", header, rows, range(2, 8), code=True)


def selection(analysis: Analysis) -> Table:
    """Return the epoch that each rule would keep, with its figures."""
    measures = ("validation_mcc", "validation_loss", "training_loss")
    stored = analysis.selection.to_dict("records")
    rows = [
        [
            row["rule"],
            MEAN if row["seed"] == MEAN else of_seed(row["seed"]),
            f"{row['epoch']:.1f}" if row["seed"] == MEAN else f"{row['epoch']:.0f}",
            *(number(row[name]) for name in measures),
        ]
        for row in stored
    ]
    header = ["Rule", "Seed", "Epoch", "Validation MCC", "Validation loss", "Training loss"]
    caption = (
        "The epoch that each rule keeps (train.keep in params.yaml). A rule's own measure is "
        "slightly optimistic."
    )
    return Table(caption, header, rows, range(2, 6), [row["seed"] == MEAN for row in stored])


def key_topics(results: Topics) -> Table:
    """Return the measures of the topics, with the meaning of each."""
    measures, sizes = results.measures, results.table["count"]
    typical = f"{sizes.median():,.0f} (largest {sizes.max():,})" if len(sizes) else NONE
    rows = [
        ("Documents", f"{results.documents:,}", ""),
        ("Topics", f"{len(results.table):,}", "without the outliers"),
        (
            "Core documents",
            share(results.core_share),
            "assigned by the clustering itself; topics take their words from them",
        ),
        (
            "Outliers",
            f"{results.outliers:,} ({results.outlier_share:.1%})",
            "in no topic after outliers were reassigned",
        ),
        ("Documents per topic", typical, "median, without the outliers"),
        (
            "Diversity",
            number(measures.get("diversity")),
            "share of distinct words among the topics' words; 1: no word is repeated",
        ),
        (
            "NPMI",
            number(measures.get("npmi")),
            "coherence: how much more often than by chance a topic's words occur together, "
            "from \N{MINUS SIGN}1 to 1",
        ),
        (
            "NPMI held out",
            number(measures.get("npmi_held_out")),
            "the same, of words chosen on one half of the documents and counted in the other",
        ),
        (
            "NPMI times coverage",
            number(measures.get("npmi_times_coverage")),
            "coherence times the share of documents in a topic; outliers lower it",
        ),
        (
            "C_V",
            number(measures.get("c_v")),
            "coherence over wider windows, which agrees with human ratings; up to 1",
        ),
    ]
    header = ["Measure", "Value", "Meaning"]
    return Table("Key figures", header, [*rows, *_agreement(measures)], [1])


def _agreement(measures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the rows on agreement with known groups."""
    if measures.get("nmi") is None:
        return [("NMI", NONE, "the documents have no known groups")]
    both = (measures.get("homogeneity"), measures.get("completeness"))
    return [
        (
            "NMI",
            number(measures["nmi"]),
            "agreement with the documents' known groups, from 0 to 1; outliers are one more topic",
        ),
        (
            "NMI without outliers",
            number(measures.get("nmi_without_outliers")),
            "the same over documents in a topic",
        ),
        ("AMI", number(measures.get("ami")), "agreement corrected for chance: 0 for random topics"),
        (
            "Homogeneity, completeness",
            ", ".join(map(number, both)),
            "whether each topic holds one group only; whether each group is in one topic only",
        ),
    ]


def largest_topics(results: Topics) -> Table:
    """Return the outliers, the largest topics, and the sum of the others."""
    total = max(results.documents, 1)

    def counts(count: int) -> tuple[str, str]:
        return f"{count:,}", f"{count / total:.1%}"

    shown, others = results.table.head(TOPICS_SHOWN), results.table.iloc[TOPICS_SHOWN:]
    rows = [(str(OUTLIERS), *counts(results.outliers), "", "outliers")]
    for row in shown.to_dict("records"):
        found = results.stability_of(row["topic"])
        stability = NONE if found is None else f"{number(found[0])} {found[1]}"
        words = topic_name(row["words"], WORDS_SHOWN)
        rows.append((str(row["topic"]), *counts(row["count"]), stability, words))
    if len(others):
        label = f"{len(others):,} smaller topics together"
        rows.append(("", *counts(int(others["count"].sum())), "", label))
    header = ["Topic", "Documents", "Share", "Stability", "Words"]
    caption = "All topics."
    if len(others):
        caption = f"The {len(shown)} largest of {len(results.table):,} topics."
    return Table(caption, header, rows, [0, 1, 2])


def numbers_of_topics(results: Topics) -> Table:
    """Return the measures of the model at other numbers of topics, by its merge tree.

    Where more are asked for than there are, all numbers give the same topics: one row has them.
    """
    names = ("npmi", "diversity", "ami", "npmi_times_coverage")
    rows = [
        [f"{row['topics']:,.0f}", *(number(row[name]) for name in names)]
        for row in results.by_number.drop_duplicates("topics").to_dict("records")
    ]
    header = ["Topics", "NPMI", "Diversity", "AMI", "NPMI times coverage"]
    return Table("The same topics, merged along the hierarchy.", header, rows, range(5))


def baselines(results: Topics) -> Table:
    """Return the measures of all models at every number of topics."""
    stored = results.baselines.to_dict("records")
    names = ("npmi", "c_v", "diversity", "ami", "npmi_times_coverage", HELD_OUT)
    rows = [
        [
            row["model"],
            f"{row['requested_topics']:.0f}" if known(row["requested_topics"]) else "automatic",
            f"{row['topics']:.0f}" if known(row["topics"]) else NONE,
            share(row["coverage"]),
            *(number(row[name]) for name in names),
        ]
        for row in stored
    ]
    header = [
        *("Model", "Topics requested", "Topics found", "Coverage", "NPMI", "C_V", "Diversity"),
        *("AMI", "NPMI × coverage", "held out"),
    ]
    caption = "All models on the same documents, measured over the same vocabulary."
    marked = [row["model"] == OWN for row in stored]
    return Table(caption, header, rows, range(1, len(header)), marked)


def compare(results: Topics) -> Comparison:
    """Return NPMI times coverage, the mean over numbers of topics, of ours and the best other."""
    asked = results.baselines[results.baselines["requested_topics"].notna()]
    means = asked.groupby("model")[["npmi_times_coverage", "npmi", HELD_OUT]].mean()
    means = means.sort_values(["npmi_times_coverage", "npmi"], ascending=False, kind="stable")
    product = means["npmi_times_coverage"]
    best = str(product[[not name.startswith(OWN) for name in product.index]].index[0])
    spread = results.baselines.loc[results.baselines["model"] == best, SPREAD].max()
    held_out = means[HELD_OUT].dropna().sort_values(ascending=False, kind="stable")
    return Comparison(
        best,
        float(product[OWN]),
        float(product[best]),
        float(spread) if known(spread) else None,
        {str(name): float(value) for name, value in held_out.items()},
    )
