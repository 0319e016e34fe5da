"""Artifacts of the shapes that the other stages store, for figures to be drawn from in tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bertline.core import files
from bertline.scoring import analysis

# As stages.evaluate and stages.topic_fit write them; importing these would load torch.
SCORES = ("set", "model", "sentences", "mcc", "mcc_low", "mcc_high", "accuracy", "f1", "loss")
CURVES = (
    *("seed", "epoch", "training_loss", "validation_loss"),
    *("validation_accuracy", "validation_mcc"),
)
LABELS = ("unacceptable", "acceptable")
TOPICS = pa.schema(
    [
        ("topic", pa.int32()),
        ("count", pa.int64()),
        ("name", pa.string()),
        ("words", pa.list_(pa.string())),
        ("weights", pa.list_(pa.float64())),
        ("representative_documents", pa.list_(pa.string())),
    ]
)
ASSIGNMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("topic", pa.int32()),
        ("probability", pa.float32()),
        ("x", pa.float32()),
        ("y", pa.float32()),
    ]
)

SETS = {"validation": 856, "in_domain_dev": 527, "out_of_domain_dev": 516}
DEV_SETS, BOTH = ("in_domain_dev", "out_of_domain_dev"), "both_dev"
SYNTHETIC = "Minimal pairs of a small English grammar (synthetic)"
NEWSGROUPS = "20 Newsgroups by date, the messages as posted"
WORDS = """
    game team players hockey season encryption clipper chip key government israel arab jews peace
    drive scsi disk ide controller space orbit nasa launch shuttle car engine dealer ford oil
    bike riding motorcycle helmet gun firearms weapons police window server widget motif printer
    postscript fonts god bible christian faith doctor patients disease monitor video card turkish
    armenian genocide insurance health
""".split()


def write_metrics(
    folder: Path,
    *,
    seeds: Sequence[int] = (1, 2, 3),
    epochs: int = 3,
    sets: dict[str, int] | None = None,
    title: str = SYNTHETIC,
    documents_title: str = NEWSGROUPS,
    groups: bool = True,
    batch: int = 32,
    chosen: str = "half",
    adapted: int = 0,
) -> None:
    """Write metrics/ as the stages but train and embed do; no fold of chance.

    What analyze writes to data/ is in the folder `analysis` beside it.

    adapted: epochs of training before fine-tuning.
    chosen: half, or validation for thresholds and temperatures that were chosen on it.
    """
    several = len(seeds) > 1
    decision = (0.5, 1.0) if chosen == "half" else (0.62, 1.7)
    random = np.random.default_rng(7)
    sets = SETS if sets is None else sets
    validated = "validation" in sets
    plots = folder / "evaluate"
    for role in ("backbone", "embedder"):
        files.write_json(folder / "download" / f"{role}.json", {"source": "minilm", "bytes": 1})
    for role, named in (("sentences", title), ("documents", documents_title)):
        files.write_json(folder / "parse" / f"{role}.json", {"source": role, "title": named})
    folds = {"train": 7695} | sets
    files.write_json(
        folder / "split.json",
        {
            "folds": {
                name: {"sentences": size, "acceptable": int(size * 0.7), "acceptable_share": 0.7}
                for name, size in folds.items()
            },
            "shared_sentences": {"train and validation": 0},
        },
    )
    scores, batches, summary = [], [], {}
    both = {BOTH: sum(sets[name] for name in DEV_SETS)} if set(DEV_SETS) <= set(sets) else {}
    for offset, (name, size) in enumerate((sets | both).items()):
        actual = (np.arange(size) % 10 < 7).astype(int)
        over_seeds, confusion = [], []
        for seed in seeds:
            right = random.random(size) < 0.83 - 0.05 * offset
            predicted = np.where(right, actual, 1 - actual)
            mcc = matthews(actual, predicted)
            over_seeds.append(mcc)
            scores.append([name, f"seed {seed}", size, mcc, mcc - 0.07, mcc + 0.07, 0.8, 0.85, 0.5])
            confusion += [
                [seed, f"{name}:{row}", f"{name}:{row}", LABELS[one], LABELS[other]]
                for row, (one, other) in enumerate(zip(actual, predicted, strict=True), start=1)
            ]
            for number, start in enumerate(range(0, size, batch) if name != BOTH else (), start=1):
                rows = slice(start, start + batch)
                value = matthews(actual[rows], predicted[rows])
                batches.append([name, seed, number, len(actual[rows]), round(value, 6)])
        mean = float(np.mean(over_seeds))
        low, high = mean - 0.06, mean + 0.06
        scores += [
            [name, "mean of seeds", size, mean, low, high, 0.8, 0.85, 0.5],
            [name, "majority class", size, 0.0, "", "", 0.7, 0.82, 0.61],
            [name, "TF-IDF + logistic regression", size, 0.24, 0.15, 0.33, 0.66, 0.7, 0.6],
        ]
        if several:
            row = [name, "ensemble of seeds", size, mean + 0.01, low, high, 0.81, 0.86, 0.45]
            scores.insert(-2, row)
        summary[name] = {
            "mcc": round(mean, 4),
            "mcc_sd": round(float(np.std(over_seeds, ddof=1)), 4) if several else None,
            "mcc_min": round(min(over_seeds), 4),
            "mcc_max": round(max(over_seeds), 4),
            "mcc_low": round(low, 4),
            "mcc_high": round(high, 4),
            "se_sentences": 0.028,
            "se_seeds": 0.011 if several else None,
            "ensemble_mcc": round(mean + 0.01, 4) if several else None,
            "accuracy": 0.8,
            "tfidf_mcc": 0.24,
        }
        if name != BOTH:
            header = ["seed", "id", "pair", "actual", "predicted"]
            files.write_csv(plots / "confusion" / f"{name}.csv", header, confusion)
    models = [*(f"seed {seed}" for seed in seeds), *(["ensemble of seeds"] * several)]
    decided = [[model, *decision] for model in [*models, "TF-IDF + logistic regression"]]
    files.write_csv(plots / "decisions.csv", ["model", "threshold", "temperature"], decided)
    protocol = {"confidence": 0.95, "threshold": chosen, "batch_size": batch}
    protocol["temperature"] = "none" if chosen == "half" else chosen
    files.write_json(plots / "protocol.json", protocol)
    curves = []
    for seed in seeds:
        for epoch in range(1, epochs + 1):
            shift = random.normal(scale=0.015)
            row = [seed, epoch, 0.62 / epoch**0.6 + shift, 0.5 - 0.08 * epoch + 0.03 * epoch**1.5]
            row += [0.8, 0.6 - 0.3 / epoch - shift]
            shown = [f"{value:.6f}" for value in row[2:]]
            curves.append([seed, epoch, *(shown if validated else [shown[0], "", "", ""])])
    files.write_csv(plots / "learning_curves.csv", CURVES, curves)
    files.write_csv(plots / "scores.csv", SCORES, scores)
    files.write_csv(
        plots / "mcc_per_batch.csv", ["set", "seed", "batch", "sentences", "mcc"], batches
    )
    files.write_json(folder / "evaluate.json", summary)
    rows = [
        {"epoch": epoch, "training_loss": 1 / epoch, "validation_loss": 0.5, "validation_mcc": 0.61}
        for epoch in range(1, adapted + 1)
    ]
    files.write_json(
        folder / "adapt.json", {"sentences": 65_000 if rows else 0, "in_corpus": 0, "epochs": rows}
    )
    agreement = {"nmi": 0.41, "nmi_without_outliers": 0.55}
    measures = {"documents": 1, "topics": 1, "outlier_share": 0.3, "diversity": 0.7, "npmi": 0.1}
    files.write_json(
        folder / "topic_fit.json",
        measures | (agreement if groups else dict.fromkeys(agreement)),
    )
    numbers = (10, 20, 30, 40, 50)
    header = [
        *("model", "requested_topics", "topics", "coverage", "npmi", "c_v", "diversity", "ami"),
        "npmi_times_coverage",
    ]
    others = [["BERTopic (default settings)", "", 402, 0.65, 0.1, 0.6, 0.7, 0.45, 0.065, 0.001]]
    for name, npmi, coverage in (("LDA", 0.08, 0.97), ("NMF", 0.12, 0.96), ("KeyNMF", 0.15, 0.95)):
        for n in numbers:
            coherence = npmi - n / 1000
            product = coherence * coverage
            others.append([name, n, n, coverage, coherence, 0.6, 0.7, 0.4, product, 0.002])
    files.write_csv(folder / "topic_baselines.csv", [*header, "npmi_times_coverage_sd"], others)
    verdicts = [(0.91, "stable"), (0.62, "partly stable"), (0.2, "unstable")]
    stability = [[topic, *verdicts[min(topic // 12, 2)]] for topic in range(200)]
    files.write_csv(folder / "topic_stability.csv", ["topic", "stability", "verdict"], stability)
    counted = {"stable_topics": 20, "partly_stable_topics": 20, "unstable_topics": 20}
    files.write_json(
        folder / "topic_stability.json",
        {
            "topics": 60,
            "refits": 10,
            "documents_in_stable_topics": 0.4,
            "min_topics": 55,
            "max_topics": 68,
        }
        | counted,
    )
    write_topic_tables(folder / "topic_fit", groups=groups)
    write_analysis(folder, folder.with_name("analysis"), sets=sets, seeds=seeds)


def write_analysis(
    metrics: Path,
    folder: Path,
    *,
    sets: dict[str, int] | None = None,
    seeds: Sequence[int] = (1, 2, 3),
    sources: Sequence[str] = ("gj04", "b_73", "c_13"),
    phenomena: Sequence[str] = ("Simple", "Question", "Binding"),
    words: str = "the lamp glows today",
) -> None:
    """Write what analyze does, by its own functions: predictions of chance, some of them sure.

    sources, phenomena: what the test sentences, made of `words`, take turns to be of; without
    phenomena no sentence is annotated. metrics has the learning curves already.
    """
    random = np.random.default_rng(9)
    rows = []
    for name, size in (SETS if sets is None else sets).items():
        for number in range(size):
            text = " ".join([*words.split()] * (1 + number % 4)) + f" {number}"
            label = int(number % 10 < 7)
            source = sources[number % 7 % len(sources)]
            rows.append([f"{name}:{number}", name, source, label, text, f"{name}:{number}"])
    columns = ["id", "set", "source", "label", "text", "pair"]
    sentences = pd.DataFrame(rows, columns=columns)
    predictions = []
    for seed in seeds:
        logit = 2.5 * (sentences["label"] - 0.5) + random.normal(scale=1.5, size=len(sentences))
        probability = 1 / (1 + np.exp(-logit))
        figures = {"seed": seed, "logit": logit, "probability": probability}
        of_seed = sentences.drop(columns=["text", "pair"]).assign(**figures)
        predictions.append(of_seed.assign(predicted=(probability > 0.5).astype(int)))
    known = sentences if phenomena else sentences.head(0)
    annotated = pd.DataFrame(
        {
            "by": "sentence",
            "set": known["set"],
            "value": known["text"],
            "label": known["label"],
            "major": [[phenomena[place % len(phenomena)]] for place in range(len(known))],
            "minor": [["Island"] if place % 20 else ["Raising"] for place in range(len(known))],
        }
    )
    options = analysis.Analyze(
        confidence=0.95,
        min_group_size=20,
        length_bounds=[5, 9, 13],
        false_discovery_rate=0.05,
        calibration_bins=10,
        simulations=100,
        seed=1,
        confident_errors=5,
    )
    summary, tables, errors = analysis.analyze(
        annotated,
        sentences[["id", "text", "pair"]],
        pd.concat(predictions, ignore_index=True),
        pd.read_csv(metrics / "evaluate" / "learning_curves.csv"),
        options,
    )
    files.write_json(metrics / "parse" / "phenomena.json", {"title": "Phenomena of the tests"})
    files.write_json(metrics / "analyze.json", summary)
    analysis.write_tables(metrics / "analyze", tables, options)
    files.write_json(folder / "errors.json", {"errors": errors})


def write_topic_tables(folder: Path, *, groups: bool) -> None:
    """Write metrics/topic_fit: strategies for outliers, other numbers of topics, merges, groups."""
    folder.mkdir(parents=True, exist_ok=True)
    coverage = [["none", 0.0, "core", 0, 0.7, 0.15, 0.5 if groups else ""]]
    for strategy, step in (("embeddings", 0.02), ("c-tf-idf", 0.04)):
        for threshold in (0.0, 0.3, 0.5):
            for words in ("core", "recomputed"):
                chosen = int((strategy, threshold, words) == ("embeddings", 0.0, "core"))
                row = [strategy, threshold, words, chosen, 1 - 0.5 * threshold, 0.15 - step]
                coverage.append([*row, 0.6 - step if groups else ""])
    header = ["strategy", "threshold", "words", "chosen", "coverage", "npmi", "ami"]
    files.write_csv(folder / "coverage.csv", header, coverage)
    header = [
        *("model", "requested_topics", "topics", "coverage", "npmi", "c_v", "diversity", "ami"),
        "npmi_times_coverage",
    ]
    by_number = [["Bertline", n, n, 1.0, 0.15, 0.7, 0.8, 0.6, 0.15] for n in (10, 20)]
    files.write_csv(folder / "by_number.csv", header, by_number)
    counts = [
        [topic, f"group {group}", 10 * (1 + (topic == group))]
        for topic in range(-1, 5)
        for group in range(3 if groups else 0)
    ]
    files.write_csv(folder / "groups.csv", ["topic", "group", "documents"], counts)
    write_merges(folder, 5)


def write_merges(folder: Path, topics: int) -> None:
    """Write the tree in which each topic in turn is merged with all before."""
    merges = []
    for step in range(max(topics - 1, 0)):
        left = topics + step - 1 if step else 0
        merges.append([topics + step, left, step + 1, 1 + step / 9, 9, "orbit, moon, oven"])
    header = ["node", "left", "right", "distance", "count", "words"]
    files.write_csv(folder / "hierarchy.csv", header, merges)


def write_topics(
    folder: Path,
    *,
    documents: int = 3000,
    topics: int = 60,
    outlier_share: float = 0.33,
    words: dict[int, list[str]] | None = None,
    islands: bool = False,
) -> None:
    """Write data/topic_fit: clusters of falling size with outliers strewn between them.

    words: of single topics, instead of drawn ones. islands: two groups of points far away.
    """
    random = np.random.default_rng(11)
    inside = documents - int(documents * outlier_share) if topics else 0
    share = 1 / np.arange(1, topics + 1) ** 0.8
    sizes = np.maximum((share / share.sum() * inside).astype(int), 1) if topics else np.array([])
    topic = np.repeat(np.arange(topics), sizes.astype(int))
    topic = np.concatenate([topic, np.full(documents - len(topic), -1)])[:documents]
    angle, radius = random.uniform(0, 2 * np.pi, topics), np.sqrt(random.random(topics)) * 8
    middles = np.column_stack([radius * np.cos(angle) * 1.2, radius * np.sin(angle)])
    places = random.normal(size=(documents, 2))
    for number in range(topics):
        of_topic = topic == number
        spread = 0.12 * np.sqrt(of_topic.sum()) ** 0.45 * random.uniform(0.5, 1.5, 2)
        places[of_topic] = places[of_topic] * spread + middles[number]
    outliers = topic == -1
    places[outliers] = places[outliers] * [4.6, 4.0]
    if islands:
        places[:5] += [90, 0]
        if topics:
            places[topic == min(2, topics - 1)] += [0, -70]
    order = random.permutation(documents)
    topic, places = topic[order], places[order]
    assignments = pd.DataFrame(
        {
            "id": [f"document/{row}" for row in range(documents)],
            "topic": topic,
            "probability": 1.0,
            "x": places[:, 0],
            "y": places[:, 1],
        }
    )
    rows: list[dict[str, Any]] = []
    for number, count in zip(*np.unique(topic, return_counts=True), strict=True):
        drawn = [str(word) for word in random.choice(WORDS, size=10, replace=False)]
        named = (words or {}).get(int(number), drawn)
        rows.append(
            {
                "topic": int(number),
                "count": int(count),
                "name": "_".join([str(number), *named[:4]]),
                "words": named,
                "weights": [0.1] * len(named),
                "representative_documents": ["a document", "another"],
            }
        )
    files.write_table(folder / "topics.parquet", pd.DataFrame(rows), TOPICS)
    files.write_table(folder / "assignments.parquet", assignments, ASSIGNMENTS)
    tables = folder.parent / "metrics" / "topic_fit"
    if tables.exists():
        write_merges(tables, topics)


def matthews(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Return the Matthews correlation of two arrays of 0 and 1; 0 where it is undefined."""
    if len(np.unique(actual)) < 2 or len(np.unique(predicted)) < 2:
        return 0.0
    return float(np.corrcoef(actual, predicted)[0, 1])
