"""Name the topics by their words, reassign outliers, and measure the topics.

Reads   data/parse/documents.parquet, the vectors and measures in data/embed, the clusters in
        data/topic_fit, the encoder in data/download/embedder where words need vectors, and
        `topic_words`, `vocabulary` and `topic_numbers` of params.yaml.
Writes  data/topic_words:
        topics.parquet        a row per topic: topic (-1 for the outliers), count, core (documents
                              before outliers are reassigned), name, words, weights,
                              representative_documents
        assignments.parquet   a row per document: id, topic, core_topic, probability, x, y
        documents.csv         for people, as spreadsheets open it: a row per document with id, text,
                              group, date, topic, name of the topic, probability
        protocol.json         definitions of the measures
        model/, fit/          the model, which `bertline.topics.model` loads
        Coherence and agreement with known groups as JSON, and a folder with all measures as JSON
        and tables as CSV: the topics' frequencies (topics), strategies for outliers (coverage), the
        model at other numbers of topics (by_number), the hierarchy of topics, topics by group, and
        over time.

    python -m stages.topic_words data/parse/documents.parquet data/embed data/topic_fit \\
        data/download/embedder data/topic_words
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.encoders import text_vectors
from bertline.topics import measures, summaries
from bertline.topics.clustering import check_vectors, load_vectors
from bertline.topics.fitting import Clusters
from bertline.topics.naming import Fit, TopicWords, name_topics
from bertline.topics.notes import find_notes
from bertline.topics.tables import (
    ASSIGNMENTS,
    BY_NUMBER,
    COVERAGE,
    DOCUMENTS,
    FREQUENCIES,
    GROUPS,
    HIERARCHY,
    OVER_TIME,
    TOPICS,
)
from bertline.topics.vocabulary import Corpus, Vocabulary
from bertline.topics.words import Describer

TABLES = {
    "topics": FREQUENCIES,
    "coverage": COVERAGE,
    "by_number": BY_NUMBER,
    "hierarchy": HIERARCHY,
    "groups": GROUPS,
    "over_time": OVER_TIME,
}
COMPARED = ("npmi", "ami")  # what DVC compares between runs
# What is read of the measures of embed.
PIECES = ("longest_input", "mean_word_pieces", "long_share", "unseen_share", "unknown_share")


def main() -> None:
    """Read the arguments and the parameters, name the topics, and write tables and model."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("clusters", type=Path, help="folder that topic_fit wrote")
    arguments.add_argument("embedder", type=Path, help="folder of the encoder that embed applied")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write NPMI and AMI to this JSON file")
    arguments.add_argument("--tables", type=Path, help="write all measures to this folder")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_words", TopicWords)
    vocabulary = params.load(args.params, "vocabulary", Vocabulary)
    numbers = measures.load_numbers(args.params)
    documents = files.read_table(args.documents, columns=["id", "group", "date", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    pieces = files.read_json(args.vectors / "measures.json", keys=[*PIECES, "long_texts"])
    clusters = Clusters.load(args.clusters)
    check_documents(clusters, documents["id"], args.documents)

    with receipt(
        args.receipt,
        "topic_words",
        parameters={"topic_words": options, "vocabulary": vocabulary, "topic_numbers": numbers},
        inputs=[args.documents, args.vectors, args.clusters, args.embedder],
        outputs=[args.out, args.metrics, args.tables],
    ):
        corpus = Corpus(documents["text"].tolist(), vocabulary)
        encode = partial(text_vectors.encode, args.embedder)
        describer = Describer(corpus, vectors, options, encode)
        fit = name_topics(describer, clusters, options, pieces["long_texts"])
        described = summaries.describe_topics(fit)
        console.log("measures")
        reference, groups = measures.Reference(corpus), documents["group"]
        measured = summaries.measure_topics(described, fit, describer, groups, reference)
        tables = summaries.tabulate(
            described, fit, numbers, describer, groups, documents["date"], reference
        )
        noted = find_notes(corpus, described, fit.model.topics, pieces, advise(clusters))
        console.log(described[["topic", "count", "name"]].head(21).to_string(index=False))
        console.log(f"topics: {measured}")
        for note in noted:
            console.log(f"warning: {note}")
        with files.whole_folder(args.out) as out:
            files.write_table(out / "topics.parquet", described, TOPICS)
            files.write_table(out / "assignments.parquet", assign(clusters, fit), ASSIGNMENTS)
            write_documents(out / "documents.csv", documents, clusters, fit, described)
            files.write_json(out / "protocol.json", measures.protocol(reference))
            fit.model.save(out, args.vectors / "embeddings.npy")
            # Within, so that a failure leaves the earlier topics.
            if args.tables:
                write_tables(args.tables, tables, measured | {"notes": noted})
            if args.metrics:
                files.write_json(args.metrics, {name: measured[name] for name in COMPARED})


def check_documents(clusters: Clusters, ids: pd.Series, documents: Path) -> None:
    """Raise BertlineError if the clusters are of other documents than the table `documents`."""
    if clusters.table["id"].tolist() != ids.tolist():
        raise BertlineError(
            f"The clusters are of other documents than those in {documents}: they come from "
            f"different runs. Run `dvc repro topic-fit`."
        )


def assign(clusters: Clusters, fit: Fit) -> pd.DataFrame:
    """Return the columns of `ASSIGNMENTS`, a row per document."""
    return clusters.table.assign(topic=fit.model.topics)[ASSIGNMENTS.names]


def advise(clusters: Clusters) -> str:
    """Return what to do for more topics."""
    if clusters.settings.method == "graph":
        return "Raise topic_fit.graph.resolution, or lower topic_fit.graph.min_topic_size"
    return "Lower topic_fit.hdbscan.min_cluster_size"


def write_documents(
    path: Path, documents: pd.DataFrame, clusters: Clusters, fit: Fit, described: pd.DataFrame
) -> None:
    """Write the table for people: each document with its topic."""
    table = documents.assign(
        topic=fit.model.topics,
        name=pd.Series(fit.model.topics).map(described.set_index("topic")["name"]).to_numpy(),
        probability=clusters.table["probability"].round(4),
    )
    files.write_spreadsheet(path, table[[*DOCUMENTS]])


def write_tables(
    folder: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]], measured: Mapping[str, Any]
) -> None:
    """Write `measures.json` and the tables of `TABLES`, whole."""
    with files.whole_folder(folder) as out:
        files.write_json(out / "measures.json", measured)
        for name, columns in TABLES.items():
            rows = [[row[column] for column in columns] for row in tables[name]]
            files.write_csv(out / f"{name}.csv", [*columns], rows)


if __name__ == "__main__":
    console.run(main)
