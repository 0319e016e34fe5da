"""Compare LDA, NMF, KeyNMF and default BERTopic with Bertline on the documents of the last run.

All get the same documents, vectors, neighbours and vocabulary, and are measured as topic_words is
(`bertline.topics.measures`). Settings are explained in `benchmarks.baseline_models`; Bertline's
topics are those of both its methods. Each model is fitted to all documents, and to each of two
random halves, whose words are counted in the other half (`npmi_held_out`).

Reads   data/parse/documents.parquet, data/embed/embeddings.npy, the neighbours and parameters in
        data/topic_fit, the encoder in data/download/embedder, `vocabulary`, `topic_words` and
        `topic_numbers` of params.yaml, and `topic_baselines` of benchmarks/params.yaml.
Writes  a CSV table with a row per model and number of topics: means over seeds, and standard
        deviations. The column `corpus` identifies the documents and the vocabulary: the report
        shows the table only beside topics of the same ones. The table is printed as well.

    python -m benchmarks.topic_baselines data/parse/documents.parquet data/embed data/topic_fit
        data/download/embedder benchmarks/topic_baselines.csv
"""

from collections.abc import Callable, Iterator, Sequence
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
from bertline.core import console, files, machine, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.encoders import text_vectors
from bertline.topics import measures, tree
from bertline.topics.clustering import (
    Umap,
    allow_threads,
    check_vectors,
    cluster,
    load_vectors,
)
from bertline.topics.fitting import Clusters, number_by_size, number_clusters
from bertline.topics.graph import vote, within
from bertline.topics.measures import Reference, coherence, measure_all
from bertline.topics.naming import TopicWords
from bertline.topics.outliers import find_membership
from bertline.topics.stability import reduce_rows, refit_once, thinned
from bertline.topics.tables import BASELINES, HELD_OUT, MEASURES, MODEL, OUTLIERS, SPREAD
from bertline.topics.vocabulary import Corpus, Vocabulary
from bertline.topics.words import Describer, Words

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


class Inputs(NamedTuple):
    """What models are fitted to."""

    corpus: Corpus
    vectors: np.ndarray  # of the documents, (n, d)
    clusters: Clusters  # of the last run, for the neighbours of the documents and its parameters
    numbers: list[int]  # of topics
    words: Words  # how Bertline's topics get theirs
    embedder: Path


def check_numbers(numbers: list[int], documents: int, words: int) -> None:
    """Raise BertlineError if there are more topics than documents or words."""
    most = min(documents // 2, words)  # half of them are fitted alone
    if numbers[-1] > most:
        raise BertlineError(
            f"params.yaml: topic_numbers requests {numbers[-1]} topics, and there are {documents} "
            f"documents with {words} words in the vocabulary. Request {most} topics at most, or "
            f"add documents."
        )


def fit_by_words(
    inputs: Inputs, samples: Sequence[np.ndarray], options: TopicBaselines
) -> list[list[Fit]]:
    """Return LDA, NMF and KeyNMF of each sample, at each number of topics with each seed.

    samples: numbers of documents. Fits run in parallel processes with one thread each, so the
    number of cores changes no result.
    """
    corpus = inputs.corpus
    most, vectorizer = corpus.options.top_words, corpus.vectorizer()
    console.log("KeyNMF: keywords of documents")
    word_vectors = text_vectors.encode(inputs.embedder, corpus.words)
    encoder = baseline_models.WordVectors(corpus.words, word_vectors)
    keywords = baseline_models.extract_keywords(corpus.texts, inputs.vectors, vectorizer, encoder)
    fits: list[dict[str, Callable[..., Outcome]]] = []
    for rows in samples:
        part = corpus.part(rows)
        words = [keywords[row] for row in rows]
        tfidf = baseline_models.weigh(part.counts())
        lda = partial(baseline_models.fit_lda, part.tokens, part.words, most=most)
        keynmf = partial(baseline_models.fit_keynmf, words, part.texts, vectorizer=vectorizer)
        models: dict[str, Callable[..., Outcome]] = {
            LDA: partial(lda, iterations=options.lda_iterations),
            NMF_NAME: partial(baseline_models.fit_nmf, tfidf, part.words, most=most),
            KEYNMF: partial(keynmf, most=most),
        }
        fits.append(models)
    # The longest first, so that no core idles at the end.
    tasks = [
        (model, sample, number, seed)
        for model in fits[0]
        for sample in range(len(samples))
        for number in reversed(inputs.numbers)
        for seed in options.seeds
    ]
    outcomes = Parallel(n_jobs=machine.cores(), return_as="generator")(
        delayed(fits[sample][model])(number, seed) for model, sample, number, seed in tasks
    )
    finished = console.progress(outcomes, total=len(tasks), label="LDA, NMF, KeyNMF", unit="fits")
    found: list[list[Fit]] = [[] for _ in samples]
    for (model, sample, number, seed), outcome in zip(tasks, finished, strict=True):
        found[sample].append(Fit(model, number, seed, outcome))
    return found


def fit_by_vectors(inputs: Inputs, rows: np.ndarray, options: TopicBaselines) -> Iterator[Fit]:
    """Yield BERTopic (default settings) of some documents, with the number of topics that it finds
    and merged to each number."""
    corpus = inputs.corpus.part(rows)
    umap = Umap.model_validate(LIBRARY_UMAP | {"threads": options.threads})
    for seed in options.seeds:
        console.log(f"{BERTOPIC}, seed {seed}, {len(rows):,} documents")
        reduced = reduce_rows(inputs.vectors, inputs.clusters.neighbours, rows, seed, umap)
        model = baseline_models.fit_bertopic(corpus.texts, inputs.vectors[rows], reduced)
        for number in (None, *inputs.numbers):
            merged = baseline_models.merge_topics(model, corpus.texts, number)
            outcome = baseline_models.take_words(merged, corpus.words, corpus.options.top_words)
            yield Fit(BERTOPIC, number, seed, outcome)


def fit_own(inputs: Inputs, rows: np.ndarray, options: TopicBaselines) -> Iterator[Fit]:
    """Yield Bertline of some documents by both methods, all of them in a topic, with the number of
    topics that it finds and merged to each number."""
    vectors = inputs.vectors[rows]
    encode = partial(text_vectors.encode, inputs.embedder)
    describer = Describer(inputs.corpus.part(rows), vectors, inputs.words, encode)
    for method, seed in product(METHODS, options.seeds):
        model = f"{MODEL} ({method})"
        console.log(f"{model}, seed {seed}, {len(rows):,} documents")
        core, topics = METHODS[method](inputs, rows, seed)
        merges = tree.merge(*tree.means(vectors, core, int(core.max()) + 1))
        for number in (None, *inputs.numbers):
            where = np.append(tree.cut(merges, number or len(merges) + 1), OUTLIERS)
            words = describer.list_words(where[core])
            yield Fit(model, number, seed, Outcome(words, where[topics]))


def by_graph(inputs: Inputs, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the topics of some documents by `graph`: of the cores, and of all, both (m,)."""
    neighbours, fit = inputs.clusters.neighbours, inputs.clusters.settings
    fit = fit.model_copy(update={"method": "graph"})
    core = number_by_size(refit_once(inputs.vectors, neighbours, rows, seed, fit))
    near = within(neighbours, rows, fit.graph.n_neighbors + 1).numbers
    return core, assign(core, vote(near, core, int(core.max()) + 1))


def by_hdbscan(inputs: Inputs, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the topics of some documents by `hdbscan`: of the cores, and of all, both (m,)."""
    neighbours, fit = inputs.clusters.neighbours, inputs.clusters.settings
    reduced = reduce_rows(inputs.vectors, neighbours, rows, seed, fit.umap)
    clusters = cluster(reduced, thinned(fit.hdbscan, len(rows) / len(inputs.vectors)))
    core = number_by_size(clusters.labels_)
    topic_of = number_clusters(clusters.labels_, core, int(clusters.labels_.max()) + 1)
    return core, assign(core, find_membership(clusters, topic_of))


def assign(core: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the topics with outliers in that of their greatest share, if it is known, (n,)."""
    likely = np.where(shares.max(axis=1) >= 0, shares.argmax(axis=1), OUTLIERS)
    return np.where(core == OUTLIERS, likely, core)


METHODS: dict[str, Callable[[Inputs, np.ndarray, int], tuple[np.ndarray, np.ndarray]]] = {
    "graph": by_graph,
    "hdbscan": by_hdbscan,
}


def fit_all(inputs: Inputs, options: TopicBaselines) -> list[list[Fit]]:
    """Return the fits of all models: to all documents, to one half, and to the other."""
    count = len(inputs.vectors)
    samples = [np.arange(count), *measures.halves(count)]
    fits = fit_by_words(inputs, samples, options)
    for found, rows in zip(fits, samples, strict=True):
        found += [*fit_own(inputs, rows, options), *fit_by_vectors(inputs, rows, options)]
    return fits


def measure_fits(fits: list[list[Fit]], groups: pd.Series, corpus: Corpus) -> pd.DataFrame:
    """Return the columns of `BASELINES`, a row per model and number of topics.

    fits: by `fit_all`, in which all samples have the same order.
    """
    whole, *parts = fits
    outcomes = [(fit.outcome.words, fit.outcome.topics) for fit in whole]
    measured = measure_all(outcomes, groups, Reference(corpus))
    heads = [{"model": fit.model, "requested_topics": fit.requested} for fit in whole]
    held_out = measure_held_out(parts, corpus)
    rows = zip(heads, measured, held_out, strict=True)
    table = pd.DataFrame([one | other | held for one, other, held in rows])
    return summarise(table).assign(corpus=corpus.fingerprint())[[*BASELINES]]


def measure_held_out(parts: list[list[Fit]], corpus: Corpus) -> list[dict[str, float]]:
    """Return the columns `HELD_OUT`, means over the halves, for each model, number and seed.

    parts: the fits of each half. Words are counted in the other half; coverage is of the own one.
    """
    found = []
    for fits, rows in zip(parts, reversed(measures.halves(len(corpus.tokens))), strict=True):
        reference = Reference(corpus.part(rows))
        reference.prepare(word for fit in fits for words in fit.outcome.words for word in words)
        npmi = np.asarray([coherence(fit.outcome.words, reference) for fit in fits], float)
        covered = [float(np.mean(fit.outcome.topics != OUTLIERS)) for fit in fits]
        found.append(np.stack([npmi, npmi * covered], axis=1))
    means = np.mean(found, axis=0)
    return [dict(zip(HELD_OUT, row, strict=True)) for row in means.tolist()]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds, and the SD of the measures in `SPREAD`, sorted by model and number.

    Empty where no seed has the measure, and for the SD of a single seed.
    """
    measured = [*MEASURES, *HELD_OUT]
    table = table.astype(dict.fromkeys(measured, "float64"))
    by_model = table.groupby(["model", "requested_topics"], dropna=False, sort=True)
    means = by_model[measured].mean()
    deviations = by_model[list(SPREAD)].std(ddof=1).add_suffix("_sd")
    summary = means.join(deviations).round(DIGITS).assign(seeds=by_model.size()).reset_index()
    summary["requested_topics"] = summary["requested_topics"].astype("Int64")
    return summary


def main() -> None:
    """Read the arguments and the parameters, fit and measure the models, write the table."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("clusters", type=Path, help="folder that topic_fit wrote")
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
    words = params.load(args.params, "topic_words", TopicWords)
    numbers = measures.load_numbers(args.params)
    baseline_models.require_packages()
    documents = files.read_table(args.documents, columns=["group", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    files.require(args.embedder)
    allow_threads(options.threads)  # before any library imports numba

    clusters = Clusters.load(args.clusters)

    corpus = Corpus(documents["text"].tolist(), vocabulary)
    check_numbers(numbers, len(documents), len(corpus.words))
    inputs = Inputs(corpus, np.asarray(vectors), clusters, numbers, words, args.embedder)
    fits = fit_all(inputs, options)
    console.log("coherence")
    table = measure_fits(fits, documents["group"], corpus)
    shown = table[[*SHOWN, "npmi_times_coverage", HELD_OUT[-1]]]
    console.log(shown.to_string(index=False, na_rep="–"))
    cells: list[list[Any]] = table.astype(object).where(table.notna(), "").to_numpy().tolist()
    files.write_csv(args.out, [*BASELINES], cells)


if __name__ == "__main__":
    console.run(main)
