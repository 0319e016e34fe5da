"""Fit topics with BERTopic, name them, measure them, and place every document on a 2-D map.

Reads   data/parse/documents.parquet, data/embed/embeddings.npy, the encoder in
        data/download/embedder where words need vectors, and `topic_fit`, `vocabulary` and
        `topic_numbers` of params.yaml.
Writes  data/topic_fit:
        topics.parquet        a row per topic: topic (-1 for the outliers), count, core (documents
                              before outliers are reassigned), name, words, weights,
                              representative_documents
        assignments.parquet   a row per document: id, topic, core_topic, probability, x, y
        protocol.json         definitions of the measures
        model/, fit/          the model, which `bertline.topics.model` loads
        And the measures as JSON, the frequency table as CSV, and a folder of tables: strategies for
        outliers (coverage), the model at other numbers of topics (by_number), the hierarchy of
        topics, and topics by group.

    python -m stages.topic_fit data/parse/documents.parquet data/embed data/download/embedder
        data/topic_fit
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bertline.core import console, files, params
from bertline.core.receipt import receipt
from bertline.encoders import text_vectors
from bertline.topics import measures, summaries
from bertline.topics.clustering import check_size, check_vectors, load_vectors
from bertline.topics.fitting import Fit, TopicFit, fit_topics
from bertline.topics.tables import (
    ASSIGNMENTS,
    BY_NUMBER,
    COVERAGE,
    GROUPS,
    HIERARCHY,
    OUTLIERS,
    TOPICS,
)
from bertline.topics.vocabulary import Corpus, Vocabulary
from bertline.topics.words import Describer

PLOTS = {"coverage": COVERAGE, "by_number": BY_NUMBER, "hierarchy": HIERARCHY, "groups": GROUPS}


def main() -> None:
    """Read the arguments and the parameters, fit the topics, and write tables, map and model."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("embedder", type=Path, help="folder of the encoder that embed applied")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    arguments.add_argument("--table", type=Path, help="write the frequency table to this CSV file")
    arguments.add_argument("--plots", type=Path, help="write the other tables to this folder")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_fit", TopicFit)
    vocabulary = params.load(args.params, "vocabulary", Vocabulary)
    numbers = measures.load_numbers(args.params)
    documents = files.read_table(args.documents, columns=["id", "group", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    check_size(len(documents), options.umap, options.hdbscan)

    with receipt(
        args.receipt,
        "topic_fit",
        parameters={"topic_fit": options, "vocabulary": vocabulary, "topic_numbers": numbers},
        inputs=[args.documents, args.vectors, args.embedder],
        outputs=[args.out, args.table, args.metrics, args.plots],
    ):
        corpus = Corpus(documents["text"].tolist(), vocabulary)
        encode = partial(text_vectors.encode, args.embedder)
        describer = Describer(corpus, vectors, options.words, encode)
        fit = fit_topics(describer, options)
        warn_of_no_topic(fit)
        described = summaries.describe_topics(fit)
        console.log("measures")
        reference, groups = measures.Reference(corpus), documents["group"]
        measured = summaries.measure_topics(described, fit, groups, reference)
        plots = summaries.tabulate(described, fit, numbers, describer, groups, reference)
        console.log(described[["topic", "count", "name"]].head(21).to_string(index=False))
        console.log(f"topics: {measured}")
        with files.whole_folder(args.out) as out:
            files.write_table(out / "topics.parquet", described, TOPICS)
            assigned = assignments(documents["id"], fit)
            files.write_table(out / "assignments.parquet", assigned, ASSIGNMENTS)
            files.write_json(out / "protocol.json", measures.protocol(reference))
            fit.model.save(out, args.vectors / "embeddings.npy")
            # Within, so that a failure leaves the earlier topics.
            if args.table:
                frequencies = described[["topic", "count", "name"]].copy()
                share = (frequencies["count"] / len(documents)).round(4)
                frequencies.insert(2, "share", share)
                files.write_csv(args.table, [*frequencies], frequencies.to_numpy().tolist())
            if args.plots:
                write_plots(args.plots, plots)
            if args.metrics:
                files.write_json(args.metrics, measured)


def warn_of_no_topic(fit: Fit) -> None:
    """Log a warning if all documents are outliers."""
    if (fit.core == OUTLIERS).all():
        console.log(
            f"warning: no topic was found: all {len(fit.core):,} documents are outliers. Lower "
            f"topic_fit.hdbscan.min_cluster_size or min_samples in params.yaml, or add documents; "
            f"identical documents have no topics."
        )


def assignments(ids: pd.Series, fit: Fit) -> pd.DataFrame:
    """Return the columns of `ASSIGNMENTS`, a row per document."""
    return pd.DataFrame(
        {
            "id": ids,
            "topic": fit.model.topics,
            "core_topic": fit.core,
            "probability": fit.model.probabilities,
            "x": fit.places[:, 0],
            "y": fit.places[:, 1],
        }
    )


def write_plots(folder: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the tables of `PLOTS`, whole."""
    with files.whole_folder(folder) as out:
        for name, columns in PLOTS.items():
            rows = [[row[column] for column in columns] for row in tables[name]]
            files.write_csv(out / f"{name}.csv", [*columns], rows)


if __name__ == "__main__":
    console.run(main)
