"""Results of the shapes that the other stages store, for figures and the report in tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.metrics import matthews_corrcoef

from bertline.core import files
from bertline.figures import results
from bertline.scoring import analysis, tables
from bertline.scoring.names import (
    ADAPT_EPOCH,
    BOTH,
    DEV_SETS,
    ENSEMBLE,
    MAJORITY,
    MEAN,
    TFIDF,
    of_seed,
)

LABELS = ("unacceptable", "acceptable")
# Macro F1 and accuracy with their intervals, and the loss, of each model.
SCORED = (0.76, 0.71, 0.81, 0.8, 0.77, 0.83, 0.5)
SETS = {"validation": 856, "in_domain_dev": 527, "out_of_domain_dev": 516}
SYNTHETIC = "Minimal pairs of a small English grammar (synthetic)"
CORPUS = "0123456789abcdef"  # fingerprint of the documents
NEWSGROUPS = "20 Newsgroups by date, the messages as posted"
WORDS = """
    game team players hockey season encryption clipper chip key government israel arab jews peace
    drive scsi disk ide controller space orbit nasa launch shuttle car engine dealer ford oil
    bike riding motorcycle helmet gun firearms weapons police window server widget motif printer
""".split()
NUMBERS = (10, 20, 30, 40, 50)  # of topics, of the model and of the baselines


def write_scores(
    folder: Path,
    *,
    seeds: Sequence[int] = (1, 2, 3),
    epochs: int = 3,
    sets: Mapping[str, int] = SETS,
    labels: Sequence[str] = LABELS,
    title: str = SYNTHETIC,
    batch: int = 32,
    chosen: str = "half",
    adapted: int = 0,
    drawn: Sequence[str] = ("validation",),
    notes: Mapping[str, list[str]] | None = None,
) -> None:
    """Write to metrics/ what the stages of sentences measure; no fold of chance.

    labels: the classes. adapted: epochs of intermediate training. chosen: half, or validation for
    thresholds and temperatures that were chosen on it. drawn: the sets that the source lacks.
    notes: of sets, in summary.json.
    """
    plots = folder / "evaluate"
    files.write_json(folder / "download" / "backbone.json", {"source": "minilm", "bytes": 1})
    published = {name: {"rows": size} for name, size in sets.items() if name not in drawn}
    parsed = {"source": "sentences", "title": title, "sets": {"in_domain_train": {}} | published}
    files.write_json(folder / "parse" / "sentences.json", parsed)
    folds = {name: {"sentences": size} for name, size in {"train": 7695, **sets}.items()}
    shared = {"train and validation": 0}
    files.write_json(folder / "split.json", {"folds": folds, "shared_sentences": shared})
    write_sets(folder, sets, labels, seeds, batch, notes or {})
    decision = (0.5, 1.0) if chosen == "half" else (0.62, 1.7)
    decisions = [[model, *decision] for model in (*map(of_seed, seeds), TFIDF)]
    files.write_csv(plots / "decisions.csv", [*tables.DECISIONS], decisions)
    temperature = "none" if chosen == "half" else chosen
    protocol = {"confidence": 0.95, "threshold": chosen, "temperature": temperature}
    files.write_json(plots / "protocol.json", protocol | {"labels": list(labels)})
    write_curves(plots / "learning_curves.csv", seeds, epochs, validated="validation" in sets)
    rows = [[epoch, 65_000, 1.9, 0.5, 0.61] for epoch in range(1, adapted + 1)]
    files.write_csv(folder / "adapt.csv", ADAPT_EPOCH, rows)


def write_sets(
    folder: Path,
    sets: Mapping[str, int],
    labels: Sequence[str],
    seeds: Sequence[int],
    batch: int,
    notes: Mapping[str, list[str]],
) -> None:
    """Write the scores, the classes, the batches and the confusion of each set."""
    random = np.random.default_rng(7)
    plots = folder / "evaluate"
    scores, classes, batches, summary = [], [], [], {}
    both = {BOTH: sum(sets[name] for name in DEV_SETS)} if set(DEV_SETS) <= set(sets) else {}
    for offset, (name, size) in enumerate({**sets, **both}.items()):
        actual = make_labels(size, len(labels))
        over_seeds, confusion = [], []
        for seed in seeds:
            right = random.random(size) < 0.83 - 0.05 * offset
            other = (actual + random.integers(1, len(labels), size)) % len(labels)
            predicted = np.where(right, actual, other)
            mcc = matthews(actual, predicted)
            over_seeds.append(mcc)
            scores.append([name, of_seed(seed), size, *around(mcc, 0.07), *SCORED])
            confusion += [
                [seed, f"{name}:{row}", f"{name}:{row}", labels[one], labels[guess]]
                for row, (one, guess) in enumerate(zip(actual, predicted, strict=True))
            ]
            for number, start in enumerate(range(0, size, batch) if name != BOTH else (), start=1):
                rows = slice(start, start + batch)
                value = matthews(actual[rows], predicted[rows])
                batches.append([name, seed, number, len(actual[rows]), value])
        mean = float(np.mean(over_seeds))
        interval = around(mean, 0.06)
        scores.append([name, MEAN, size, *interval, *SCORED])
        if len(seeds) > 1:
            scores.append([name, ENSEMBLE, size, mean + 0.01, *interval[1:], *SCORED])
        scores.append([name, MAJORITY, size, 0.0, "", "", 0.41, "", "", 0.7, "", "", 0.61])
        scores.append([name, TFIDF, size, *around(0.24, 0.09), *SCORED])
        classes += [
            [name, label, int(np.sum(actual == number))]
            + [*around(0.72, 0.08), *around(0.66, 0.09), *around(0.69, 0.07)]
            for number, label in enumerate(labels)
        ]
        summary[name] = {
            "mcc_sd": 0.0381,
            "mcc_min": min(over_seeds),
            "mcc_max": max(over_seeds),
            "se_sentences": 0.028,
            "se_seeds": 0.011 if len(seeds) > 1 else None,
        }
        if name in notes:
            summary[name]["notes"] = notes[name]
        if name != BOTH:
            files.write_csv(plots / "confusion" / f"{name}.csv", [*tables.CONFUSION], confusion)
    files.write_json(plots / "summary.json", summary)
    files.write_csv(plots / "scores.csv", [*tables.SCORES], scores)
    files.write_csv(plots / "classes.csv", [*tables.CLASSES], classes)
    files.write_csv(plots / "mcc_per_batch.csv", [*tables.BATCHES], batches)


def around(value: float, reach: float) -> list[float]:
    """Return a score with the ends of its interval."""
    return [value, value - reach, value + reach]


def make_labels(size: int, number: int) -> np.ndarray:
    """Return the classes of sentences in turn: of two 30% and 70%, of more the first more often."""
    if number == 2:
        return (np.arange(size) % 10 < 7).astype(int)
    turn = [label for label in range(number) for _ in range(1 + (2 * label < number))]
    return np.array(turn)[np.arange(size) * 7 % len(turn)]


def write_curves(path: Path, seeds: Sequence[int], epochs: int, *, validated: bool) -> None:
    """Write the losses and the validation scores of each epoch."""
    rows = []
    for place, seed in enumerate(seeds):
        for epoch in range(1, epochs + 1):
            shift = 0.015 * (-1) ** place
            loss = 0.5 - 0.08 * epoch + 0.03 * epoch**1.5
            held_out = [loss, 0.8, 0.6 - 0.3 / epoch - shift] if validated else ["", "", ""]
            rows.append([seed, epoch, 0.62 / epoch**0.6 + shift, *held_out])
    files.write_csv(path, [*tables.CURVES], rows)


def write_analysis(
    metrics: Path,
    folder: Path,
    *,
    sets: Mapping[str, int] = SETS,
    seeds: Sequence[int] = (1, 2, 3),
    labels: Sequence[str] = LABELS,
    sources: Sequence[str] = ("gj04", "b_73", "c_13"),
    phenomena: Sequence[str] = ("Simple", "Question", "Binding"),
    words: str = "the lamp glows today",
) -> None:
    """Write what analyze does, by its own functions: predictions of chance, some of them sure.

    sources, phenomena: what the test sentences, made of `words`, take turns to be of; without
    phenomena no sentence is annotated. metrics has the learning curves already.
    """
    random = np.random.default_rng(9)
    sentences = make_sentences(sets, sources, words, len(labels))
    predictions = []
    for seed in seeds:
        logits = random.normal(scale=1.0, size=(len(sentences), len(labels)))
        logits[np.arange(len(sentences)), sentences["label"]] += 2.0
        probabilities = softmax(logits, axis=1)
        figures = {"logits": list(logits), "probabilities": list(probabilities)}
        of_model = sentences.drop(columns=["text", "pair"]).assign(seed=seed, **figures)
        predictions.append(of_model.assign(predicted=probabilities.argmax(axis=1)))
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
    summary, found, errors = analysis.analyze(
        annotated,
        sentences[["id", "text", "pair"]],
        pd.concat(predictions, ignore_index=True),
        pd.read_csv(metrics / "evaluate" / "learning_curves.csv"),
        list(labels),
        options,
    )
    files.write_json(metrics / "parse" / "phenomena.json", {"title": "Phenomena of the tests"})
    analysis.write_tables(metrics / "analyze", summary, found, options)
    files.write_json(folder / "errors.json", {"errors": errors})


def make_sentences(
    sets: Mapping[str, int], sources: Sequence[str], words: str, number_of_classes: int
) -> pd.DataFrame:
    """Return sentences of one to four times `words`, of the sources in turn."""
    rows = []
    for name, size in sets.items():
        labels = make_labels(size, number_of_classes).tolist()
        for number in range(size):
            text = " ".join([*words.split()] * (1 + number % 4)) + f" {number}"
            source = sources[number % 7 % len(sources)]
            row = [f"{name}:{number}", name, source, labels[number], text]
            rows.append([*row, f"{name}:{number}"])
    return pd.DataFrame(rows, columns=["id", "set", "source", "label", "text", "pair"])


def write_topics(
    metrics: Path,
    folder: Path,
    *,
    title: str = NEWSGROUPS,
    documents: int = 3000,
    topics: int = 60,
    outlier_share: float = 0.33,
    words: Mapping[int, list[str]] | None = None,
    islands: bool = False,
    groups: bool = True,
    periods: Sequence[str] = (),
) -> None:
    """Write what the stages of topics do: clusters of documents in the plane, and tables.

    words: of topics by number, drawn by chance for the others. islands: whether five documents and
    the topic 2 lie far from all others. periods: each topic has two of ten documents in each of
    them, and the second period has none.
    """
    random = np.random.default_rng(11)
    inside = documents - int(documents * outlier_share) if topics else 0
    share = 1 / np.arange(1, topics + 1) ** 0.8
    sizes = np.maximum((share / max(share.sum(), 1) * inside).astype(int), 1)
    topic = np.repeat(np.arange(topics), sizes)
    topic = np.concatenate([topic, np.full(documents - len(topic), -1)])[:documents]
    middles = random.uniform(-8, 8, size=(topics, 2))
    places = random.normal(size=(documents, 2)) * 4
    clustered = topic >= 0
    places[clustered] = places[clustered] / 10 + middles[topic[clustered]]
    if islands:
        places[:5] += [90, 0]
        places[topic == 2] += [0, -70]
    order = random.permutation(documents)
    assigned = {"topic": topic[order], "x": places[order, 0], "y": places[order, 1]}
    rows = [
        {
            "topic": int(number),
            "count": int(count),
            "words": (words or {}).get(int(number), [*random.permutation(WORDS)[:10]]),
        }
        for number, count in zip(*np.unique(topic, return_counts=True), strict=True)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(folder / "topics.parquet")
    pd.DataFrame(assigned).to_parquet(folder / "assignments.parquet")
    files.write_json(folder / "protocol.json", {"corpus": CORPUS})
    files.write_json(metrics / "download" / "embedder.json", {"source": "minilm"})
    files.write_json(metrics / "parse" / "documents.json", {"source": "documents", "title": title})
    files.write_json(metrics / "topic_fit.json", {"topics": topics, "core_share": 0.8})
    measures = {"diversity": 0.7, "npmi": 0.1, "nmi": 0.41, "nmi_without_outliers": 0.55}
    measures = measures if groups else {"nmi": None}
    files.write_json(metrics / "topic_words" / "measures.json", measures)
    write_topic_tables(metrics, topics, groups=groups)
    dated = [
        [number, period, *([2, 0.2] if place != 1 else [0, ""])]
        for number in range(topics)
        for place, period in enumerate(periods)
    ]
    files.write_csv(metrics / "topic_words" / "over_time.csv", [*results.OVER_TIME], dated)


def write_topic_tables(metrics: Path, topics: int, *, groups: bool) -> None:
    """Write the tables of outlier strategies, numbers of topics, merges, groups and stability."""
    plots = metrics / "topic_words"
    coverage = [["none", "core", 0, 0.0, 0.7, 0.15, 0.5 if groups else ""]]
    for strategy, step in (("embeddings", 0.02), ("c-tf-idf", 0.04)):
        for threshold in (0.0, 0.3, 0.5):
            for words in ("core", "recomputed"):
                chosen = int((strategy, threshold, words) == ("embeddings", 0.0, "core"))
                row = [strategy, words, chosen, threshold, 1 - 0.5 * threshold, 0.15 - step]
                coverage.append([*row, 0.6 - step if groups else ""])
    files.write_csv(plots / "coverage.csv", [*results.COVERAGE], coverage)
    own = [[results.OWN, n, n, 1.0, 0.15, 0.7, 0.8, 0.6, 0.15] for n in NUMBERS]
    files.write_csv(plots / "by_number.csv", [*results.BASELINES], own)
    counts = [
        [topic, f"group {group}", 10 * (1 + (topic == group))]
        for topic in range(-1, 5)
        for group in range(3 if groups else 0)
    ]
    files.write_csv(plots / "groups.csv", [*results.GROUPS], counts)
    # Each topic in turn is merged with all before.
    merges = [
        [topics + step, topics + step - 1 if step else 0, step + 1, 1 + step / 9, "orbit, moon"]
        for step in range(max(topics - 1, 0))
    ]
    files.write_csv(plots / "hierarchy.csv", [*results.MERGES], merges)
    verdicts = [(0.91, "stable"), (0.62, "partly stable"), (0.2, "unstable")]
    stability = [[topic, *verdicts[min(topic // 12, 2)]] for topic in range(topics)]
    files.write_csv(metrics / "topic_stability" / "topics.csv", [*results.STABILITY], stability)
    refits = {"refits": 10, "min_topics": 55, "max_topics": 68, "stable_share": 0.4}
    counted = dict.fromkeys(("stable_topics", "partly_stable_topics", "unstable_topics"), 20)
    measured = {"topics": topics, **refits, **counted}
    files.write_json(metrics / "topic_stability.json", {"measures": [measured]})


def write_baselines(path: Path) -> None:
    """Write the table of other topic models: NPMI falls by .001 for each topic requested."""
    rows = [
        [
            "BERTopic (default settings)",
            "",
            402,
            0.65,
            0.1,
            0.6,
            0.7,
            0.45,
            0.065,
            0.06,
            0.001,
            CORPUS,
        ]
    ]
    models = {"LDA": (0.08, 0.97), "NMF": (0.12, 0.96), "KeyNMF": (0.15, 0.95)}
    for name, (npmi, coverage) in {"Bertline (graph)": (0.14, 1.0), **models}.items():
        for n in NUMBERS:
            value = npmi - n / 1000
            rows.append(
                [name, n, n, coverage, value, 0.6, 0.7, 0.4, value * coverage, 0.1, 0.002, CORPUS]
            )
    files.write_csv(path, [*results.BASELINES, results.HELD_OUT, results.SPREAD, "corpus"], rows)


def matthews(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Return the Matthews correlation of two arrays of classes; 0 where it is undefined."""
    various = len({*actual.tolist(), *predicted.tolist()}) > 1
    return float(matthews_corrcoef(actual, predicted)) if various else 0.0
