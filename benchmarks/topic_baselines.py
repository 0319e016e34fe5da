"""Compare LDA, NMF, KeyNMF and default BERTopic on the documents of the last run.

All get the same documents, vectors and vocabulary, and are measured as topic_words is
(`bertline.topics.measures`). Settings are explained in `benchmarks.baseline_models`.

Reads   data/parse/documents.parquet, data/embed/embeddings.npy, the encoder in
        data/download/embedder, `vocabulary` and `topic_numbers` of params.yaml, and
        `topic_baselines` of benchmarks/params.yaml.
Writes  a CSV table with a row per model and number of topics: means over seeds, and standard
        deviations. The column `corpus` identifies the documents and the vocabulary: the report
        shows the table only beside topics of the same ones. The table is printed as well.

    python -m benchmarks.topic_baselines data/parse/documents.parquet data/embed
        data/download/embedder benchmarks/topic_baselines.csv
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.utils.parallel import Parallel, delayed

from benchmarks import baseline_models
from benchmarks.baseline_models import BERTOPIC, KEYNMF, LDA, NMF_NAME, Outcome
from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.encoders import running, text_vectors
from bertline.topics import clustering, measures
from bertline.topics.clustering import Umap, allow_threads, check_vectors, load_vectors
from bertline.topics.measures import Reference, measure_all
from bertline.topics.tables import BASELINES, MEASURES, SPREAD
from bertline.topics.vocabulary import Corpus, Vocabulary

PARAMS = Path(__file__).with_name("params.yaml")
SHOWN = ("model", "requested_topics", "topics", "coverage", "npmi", "c_v", "diversity", "ami")
DIGITS = 4
# BERTopic's default for UMAP.
LIBRARY_UMAP = {"n_neighbors": 15, "n_components": 5, "min_dist": 0.0, "metric": "cosine"}


class TopicBaselines(Section):
    """The section `topic_baselines` of benchmarks/params.yaml."""

    seeds: Annotated[list[params.Seed], Field(min_length=1)]
    lda_iterations: Annotated[int, Field(ge=1, le=10_000)]
    threads: params.Threads


class Fit(NamedTuple):
    """A fitted model; `requested` is None where it chooses the number of topics."""

    model: str
    requested: int | None
    seed: int
    outcome: Outcome


def check_numbers(numbers: list[int], documents: int, words: int) -> None:
    """Raise BertlineError if there are more topics than documents or words."""
    most = min(documents, words)
    if numbers[-1] > most:
        raise BertlineError(
            f"params.yaml: topic_numbers requests {numbers[-1]} topics, and there are {documents} "
            f"documents with {words} words in the vocabulary. Request {most} topics at most, or "
            f"add documents."
        )


def fit_by_words(
    corpus: Corpus,
    vectors: np.ndarray,
    embedder: Path,
    numbers: list[int],
    options: TopicBaselines,
) -> Iterator[Fit]:
    """Yield LDA, NMF and KeyNMF at each number of topics with each seed.

    Fits run in parallel processes with one thread each, so the number of cores changes no result.
    """
    counts, most, vectorizer = corpus.counts(), corpus.options.top_words, corpus.vectorizer()
    console.log("KeyNMF: keywords of documents")
    encoder = baseline_models.WordVectors(corpus.words, text_vectors.encode(embedder, corpus.words))
    keywords = baseline_models.extract_keywords(corpus.texts, vectors, vectorizer, encoder)
    lda = partial(baseline_models.fit_lda, corpus.tokens, corpus.words)
    nmf = partial(baseline_models.fit_nmf, baseline_models.weigh(counts), corpus.words)
    keynmf = partial(baseline_models.fit_keynmf, keywords, corpus.texts, vectorizer=vectorizer)
    fits: dict[str, Callable[..., Outcome]] = {
        LDA: partial(lda, iterations=options.lda_iterations, most=most),
        NMF_NAME: partial(nmf, most=most),
        KEYNMF: partial(keynmf, most=most),
    }
    # The longest first, so that no core idles at the end.
    tasks = list(product(fits, reversed(numbers), options.seeds))
    outcomes = Parallel(n_jobs=running.cores(), return_as="generator")(
        delayed(fits[model])(number, seed) for model, number, seed in tasks
    )
    finished = console.progress(outcomes, total=len(tasks), label="LDA, NMF, KeyNMF", unit="fits")
    for (model, number, seed), outcome in zip(tasks, finished, strict=True):
        yield Fit(model, number, seed, outcome)


def fit_by_vectors(
    corpus: Corpus, vectors: np.ndarray, numbers: list[int], options: TopicBaselines
) -> Iterator[Fit]:
    """Yield BERTopic (default settings) with the number it finds, and merged to each number."""
    umap = Umap.model_validate(LIBRARY_UMAP | {"threads": options.threads})
    for seed in options.seeds:
        console.log(f"{BERTOPIC}, seed {seed}")
        model = baseline_models.fit_bertopic(
            corpus.texts, vectors, reduce_vectors(vectors, seed, umap)
        )
        for number in (None, *numbers):
            console.log(f"{BERTOPIC}: {number or 'its own number of'} topics")
            merged = baseline_models.merge_topics(model, corpus.texts, number)
            outcome = baseline_models.take_words(merged, corpus.words, corpus.options.top_words)
            yield Fit(BERTOPIC, number, seed, outcome)


def reduce_vectors(vectors: np.ndarray, seed: int, umap: Umap) -> np.ndarray:
    """Return the vectors reduced as BERTopic's own UMAP does, shape (n, components)."""
    neighbours = clustering.search(vectors, umap.n_neighbors, seed, umap)
    return clustering.fit_umap(vectors, neighbours, seed, umap).embedding_


def measure_fits(fits: list[Fit], groups: pd.Series, corpus: Corpus) -> pd.DataFrame:
    """Return the columns of `BASELINES`, a row per model and number of topics."""
    outcomes = [(fit.outcome.words, fit.outcome.topics) for fit in fits]
    measured = measure_all(outcomes, groups, Reference(corpus))
    heads = [{"model": fit.model, "requested_topics": fit.requested} for fit in fits]
    table = pd.DataFrame([one | other for one, other in zip(heads, measured, strict=True)])
    return summarise(table).assign(corpus=corpus.fingerprint())[[*BASELINES]]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds, and the SD of the measures in `SPREAD`, sorted by model and number.

    Empty where no seed has the measure, and for the SD of a single seed.
    """
    table = table.astype(dict.fromkeys(MEASURES, "float64"))
    by_model = table.groupby(["model", "requested_topics"], dropna=False, sort=True)
    means = by_model[list(MEASURES)].mean()
    deviations = by_model[list(SPREAD)].std(ddof=1).add_suffix("_sd")
    summary = means.join(deviations).round(DIGITS).assign(seeds=by_model.size()).reset_index()
    summary["requested_topics"] = summary["requested_topics"].astype("Int64")
    return summary


def main() -> None:
    """Read the arguments and the parameters, fit and measure the models, write the table."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("embedder", type=Path, help="folder of the encoder that embed applied")
    arguments.add_argument("out", type=Path, help="CSV file to write")
    arguments.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help="default: %(default)s"
    )
    arguments.add_argument(
        "--own-params", type=Path, default=PARAMS, help="default: benchmarks/params.yaml"
    )
    args = arguments.parse_args()
    options = params.load(args.own_params, "topic_baselines", TopicBaselines)
    vocabulary = params.load(args.params, "vocabulary", Vocabulary)
    numbers = measures.load_numbers(args.params)
    baseline_models.require_packages()
    documents = files.read_table(args.documents, columns=["group", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    files.require(args.embedder)
    allow_threads(options.threads)  # before any library imports numba

    corpus = Corpus(documents["text"].tolist(), vocabulary)
    check_numbers(numbers, len(documents), len(corpus.words))
    fits = [*fit_by_vectors(corpus, vectors, numbers, options)]
    fits += fit_by_words(corpus, vectors, args.embedder, numbers, options)
    console.log("coherence")
    table = measure_fits(fits, documents["group"], corpus)
    shown = table[[*SHOWN, "npmi_times_coverage"]]
    console.log(shown.to_string(index=False, na_rep="–"))
    cells: list[list[Any]] = table.astype(object).where(table.notna(), "").to_numpy().tolist()
    files.write_csv(args.out, [*BASELINES], cells)


if __name__ == "__main__":
    console.run(main)
