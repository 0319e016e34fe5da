"""Fit other topic models to the same documents, vectors and vocabulary, and measure them alike.

Reads   data/parse/documents.parquet, data/embed/embeddings.npy, the encoder in
        data/download/embedder, and `topic_baselines`, `vocabulary` and `topic_numbers` of params.yaml.
Writes  data/topic_baselines/topics.parquet, a row per topic: model, requested_topics, seed, topic, count,
        words. And a table of measures as CSV, a row per model and number of topics: means over
        seeds, and standard deviations. It is printed as well. And for each model the means over
        the numbers of topics as JSON.

    python -m benchmarks.topic_baselines data/parse/documents.parquet data/embed data/download/embedder
        data/topic_baselines

LDA and NMF are scikit-learn's, KeyNMF is turftopic's, and BERTopic has its library's settings; how
each is set and why is in `baseline_models`. What counts as coherence or coverage is in
`topic_measures`, the same as for `topic_fit`, whose own figures are in metrics/topic_fit.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field
from sklearn.utils.parallel import Parallel, delayed

from benchmarks import baseline_models
from benchmarks.baseline_models import BERTOPIC, KEYNMF, LDA, NMF_NAME, Outcome
from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.core.receipt import receipt
from bertline.encoders import running, text_vectors
from bertline.topics import measures, refit
from bertline.topics.clustering import Umap, allow_threads, check_vectors, load_vectors
from bertline.topics.measures import MEASURES, OUTLIERS, Reference, measure_all
from bertline.topics.vocabulary import Corpus, Vocabulary

TOPICS = pa.schema(
    [
        ("model", pa.string()),
        ("requested_topics", pa.int32()),
        ("seed", pa.int64()),
        ("topic", pa.int32()),
        ("count", pa.int64()),
        ("words", pa.list_(pa.string())),
    ]
)
SPREAD = ("topics", "npmi", "c_v", "diversity", "ami", "npmi_times_coverage")
COLUMNS = (
    *("model", "requested_topics", "seeds"),
    *MEASURES,
    *(f"{name}_sd" for name in SPREAD),
)
SHOWN = ("model", "requested_topics", "topics", "coverage", "npmi", "c_v", "diversity", "ami")
# What is summed up for each model.
COMPARED = ("coverage", "npmi", "c_v", "diversity", "npmi_times_coverage")
DIGITS = 4
# What BERTopic gives UMAP where nothing is said.
LIBRARY_UMAP = {"n_neighbors": 15, "n_components": 5, "min_dist": 0.0, "metric": "cosine"}


class TopicBaselines(Section):
    """The section `topic_baselines` of params.yaml."""

    seeds: Annotated[list[params.Seed], Field(min_length=1)]
    lda_passes: Annotated[int, Field(ge=1, le=10_000)]
    threads: params.Threads


class Fit(NamedTuple):
    """A model that was fitted: `asked` topics, or as many as it finds (None)."""

    model: str
    asked: int | None
    seed: int
    outcome: Outcome


def check_numbers(numbers: list[int], documents: int, words: int) -> None:
    """Raise BertlineError if a model cannot find that many topics in so little."""
    most = min(documents, words)
    if numbers[-1] > most:
        raise BertlineError(
            f"params.yaml: topic_numbers asks for {numbers[-1]} topics, and there are {documents} "
            f"documents with {words} words in the vocabulary. Ask for {most} topics at most, or "
            f"add documents."
        )


def fit_by_words(
    corpus: Corpus,
    texts: list[str],
    vectors: np.ndarray,
    embedder: Path,
    numbers: list[int],
    options: TopicBaselines,
) -> Iterator[Fit]:
    """Yield LDA, NMF and KeyNMF at each number of topics with each seed.

    Whole fits run side by side in processes, each on one thread, so the number of cores decides
    nothing but the time.
    """
    counts = corpus.counts()
    most, vectorizer = corpus.options.top_words, corpus.vectorizer()
    console.log("KeyNMF: keywords of documents")
    encoder = baseline_models.WordVectors(corpus.words, text_vectors.encode(embedder, corpus.words))
    keywords = baseline_models.extract_keywords(texts, vectors, vectorizer, encoder)
    fits: dict[str, Callable[..., Outcome]] = {
        LDA: partial(
            baseline_models.fit_lda, counts, corpus.words, passes=options.lda_passes, most=most
        ),
        NMF_NAME: partial(
            baseline_models.fit_nmf, baseline_models.weigh(counts), corpus.words, most=most
        ),
        KEYNMF: partial(
            baseline_models.fit_keynmf, keywords, texts, vectorizer=vectorizer, most=most
        ),
    }
    # The longest first, so that no process is left to work alone at the end.
    tasks = list(product(fits, reversed(numbers), options.seeds))
    outcomes = Parallel(n_jobs=running.cores(), return_as="generator")(
        delayed(fits[model])(number, seed) for model, number, seed in tasks
    )
    finished = console.progress(outcomes, total=len(tasks), label="LDA, NMF, KeyNMF", unit="fits")
    for (model, number, seed), outcome in zip(tasks, finished, strict=True):
        yield Fit(model, number, seed, outcome)


def fit_by_vectors(
    corpus: Corpus,
    texts: list[str],
    vectors: np.ndarray,
    numbers: list[int],
    options: TopicBaselines,
) -> Iterator[Fit]:
    """Yield BERTopic (default settings), with as many topics as it finds and merged to each number."""
    umap = Umap(**LIBRARY_UMAP, threads=options.threads)
    for seed in options.seeds:
        console.log(f"{BERTOPIC}, seed {seed}")
        reduced = reduce_vectors(vectors, seed, umap)
        model = baseline_models.fit_bertopic(texts, vectors, reduced)
        for number in (None, *numbers):
            console.log(f"{BERTOPIC}: {number or 'its own number of'} topics")
            merged = baseline_models.merge_topics(model, texts, number)
            outcome = baseline_models.take_words(merged, corpus.words, corpus.options.top_words)
            yield Fit(BERTOPIC, number, seed, outcome)


def reduce_vectors(vectors: np.ndarray, seed: int, umap: Umap) -> np.ndarray:
    """Return the vectors reduced as BERTopic's own UMAP does, shape (n, components)."""
    neighbours = refit.search(vectors, umap.n_neighbors, seed, umap)
    return refit.reduce(vectors, neighbours, seed, umap)


def measure_fits(fits: list[Fit], groups: pd.Series, reference: Reference) -> list[dict[str, Any]]:
    """Return a row of `COLUMNS` for each model and number of topics, in the order of `fits`."""
    outcomes = [(fit.outcome.words, fit.outcome.topics) for fit in fits]
    measured: dict[tuple[str, int | None], list[dict[str, Any]]] = {}
    for fit, row in zip(fits, measure_all(outcomes, groups, reference), strict=True):
        measured.setdefault((fit.model, fit.asked), []).append(row)
    return [
        {"model": model, "requested_topics": asked, "seeds": len(rows)} | summarise(rows)
        for (model, asked), rows in measured.items()
    ]


def summarise(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return the mean of each measure over seeds, and the SD of those in `SPREAD`.

    None where no seed has the measure, and for the SD of one seed.
    """
    table = pd.DataFrame(rows, columns=list(MEASURES), dtype=float)
    means, deviations = table.mean(), table.std(ddof=1)
    figures = {name: means[name] for name in MEASURES}
    figures |= {f"{name}_sd": deviations[name] for name in SPREAD}
    return _rounded(figures)


def _rounded(figures: Mapping[str, float] | pd.Series) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else round(float(value), DIGITS)
        for name, value in figures.items()
    }


def compare_models(rows: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return for each model the mean of `COMPARED` over the numbers of topics that were asked for.

    None where a number of topics lacks the measure.
    """
    table = pd.DataFrame(rows)
    asked = table[table["requested_topics"].notna()]
    figures = {}
    for model, of_model in asked.groupby("model", sort=True):
        means = of_model[list(COMPARED)].astype(float).mean(skipna=False)
        figures[str(model)] = _rounded(means)
    return figures


def list_topics(fits: list[Fit]) -> pd.DataFrame:
    """Return a row per topic of every fit, with the number of its documents and its words."""
    rows = []
    for fit in fits:
        sizes = np.bincount(fit.outcome.topics[fit.outcome.topics != OUTLIERS], minlength=1)
        for topic, words in enumerate(fit.outcome.words):
            count = int(sizes[topic]) if topic < len(sizes) else 0
            rows.append([fit.model, fit.asked, fit.seed, topic, count, words])
    table = pd.DataFrame(rows, columns=TOPICS.names)
    return table.astype({"requested_topics": "Int32"})


def show(rows: list[dict[str, Any]]) -> str:
    """Return the table as lines of text, what was not asked for or is unknown as a dash."""
    table = pd.DataFrame(rows)[[*SHOWN, "npmi_times_coverage"]].astype(
        {"requested_topics": "Int32"}
    )
    return table.to_string(index=False, na_rep="–")


def main() -> None:
    """Read the arguments and the parameters, fit and measure the models, write both tables."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("embedder", type=Path, help="folder of the encoder that embed applied")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write means of models to this JSON file")
    arguments.add_argument("--table", type=Path, help="write the measures to this CSV file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_baselines", TopicBaselines)
    vocabulary = params.load(args.params, "vocabulary", Vocabulary)
    numbers = measures.load_numbers(args.params)
    documents = files.read_table(args.documents, columns=["id", "group", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    files.require(args.embedder)
    allow_threads(options.threads)  # before any library imports numba

    with receipt(
        args.receipt,
        "topic_baselines",
        parameters={
            "topic_baselines": options,
            "vocabulary": vocabulary,
            "topic_numbers": numbers,
        },
        inputs=[args.documents, args.vectors, args.embedder],
        outputs=[args.out, args.table, args.metrics],
    ):
        texts = documents["text"].tolist()
        corpus = Corpus(texts, vocabulary)
        check_numbers(numbers, len(texts), len(corpus.words))
        fits = list(fit_by_vectors(corpus, texts, vectors, numbers, options))
        fits += fit_by_words(corpus, texts, vectors, args.embedder, numbers, options)
        fits.sort(key=lambda fit: (fit.model, fit.asked or 0, fit.seed))
        console.log("coherence")
        rows = measure_fits(fits, documents["group"], Reference(corpus))
        console.log(show(rows))
        with files.whole_folder(args.out) as out:
            files.write_table(out / "topics.parquet", list_topics(fits), TOPICS)
            if args.table:  # within, so that a failure leaves the earlier topics
                cells = [[row[name] for name in COLUMNS] for row in rows]
                files.write_csv(args.table, COLUMNS, cells)
            if args.metrics:
                files.write_json(args.metrics, compare_models(rows))


if __name__ == "__main__":
    console.run(main)
