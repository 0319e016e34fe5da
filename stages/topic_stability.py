"""Measure the stability of topics over other seeds and resampled documents.

Reads   data/parse/documents.parquet, data/embed/embeddings.npy, the topics in data/topic_fit, and
        `topic_stability`, `topic_fit` and `vocabulary` of params.yaml.
Writes  data/topic_stability/matches.parquet, a row per refit and topic: the topic of the refit that
        it is matched to, and their similarity; the stability of each topic as CSV; and measures of
        all topics as JSON.

    python -m stages.topic_stability data/parse/documents.parquet data/embed data/topic_fit
        data/topic_stability

Refits, matching and the correction for chance are defined in `bertline.topics.stability`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.topics import stability
from bertline.topics.clustering import allow_threads, check_size, check_vectors, load_vectors
from bertline.topics.fitting import TopicFit
from bertline.topics.stability import TopicStability
from bertline.topics.tables import MATCHES, STABILITY
from bertline.topics.vocabulary import Corpus, Vocabulary
from bertline.topics.words import Describer


def main() -> None:
    """Read the arguments and the parameters, refit, compare, and write tables and measures."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("fitted", type=Path, help="folder that topic_fit wrote")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    arguments.add_argument("--table", type=Path, help="write the topics to this CSV file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_stability", TopicStability)
    fit = params.load(args.params, "topic_fit", TopicFit)
    vocabulary = params.load(args.params, "vocabulary", Vocabulary)
    stability.check_refits(options)
    documents = files.read_table(args.documents, columns=["id", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    check_size(len(documents), fit.umap, fit.hdbscan)
    topics, core = read_topics(args.fitted, documents["id"].tolist(), args.documents)
    allow_threads(fit.umap.threads)  # before BERTopic imports numba

    with receipt(
        args.receipt,
        "topic_stability",
        parameters={"topic_stability": options, "topic_fit": fit, "vocabulary": vocabulary},
        inputs=[args.documents, args.vectors, args.fitted],
        outputs=[args.out, args.metrics, args.table],
    ):
        corpus = Corpus(documents["text"].tolist(), vocabulary)
        # c-tf-idf for every representation: it needs no vectors of words and takes little time.
        words = fit.words.model_copy(update={"representation": "c-tf-idf"})
        describer = Describer(corpus, vectors, words)
        fits, matches = stability.compare_refits(describer, core, fit, options)
        table = stability.summarise_topics(matches, topics)
        measures = stability.summarise(table, fits, core)
        console.log(table.head(20).to_string(index=False))
        console.log(f"stability: {measures}")
        with files.whole_folder(args.out) as out:
            files.write_table(out / "matches.parquet", matches, MATCHES)
            # Within, so that a failure leaves the earlier matches.
            if args.table:
                cells = table.astype(object).where(table.notna(), "").to_numpy().tolist()
                files.write_csv(args.table, [*STABILITY], cells)
            if args.metrics:
                files.write_json(args.metrics, measures)


def read_topics(folder: Path, ids: list[str], documents: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the topics in topic_fit's folder, and the core topic of each document, shape (n,).

    Raises BertlineError if its documents have other `ids` than the table `documents`.
    """
    topics = files.read_table(folder / "topics.parquet", columns=["topic", "name", "count", "core"])
    assigned = files.read_table(folder / "assignments.parquet", columns=["id", "core_topic"])
    if assigned["id"].tolist() != ids:
        raise BertlineError(
            f"{folder / 'assignments.parquet'} and {documents} list different documents: they "
            f"come from different runs. Run `dvc repro topic-fit`."
        )
    return topics, assigned["core_topic"].to_numpy(dtype=np.int64)


if __name__ == "__main__":
    console.run(main)
