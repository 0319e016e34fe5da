"""Find topics as clusters of the documents' vectors, and place every document on a 2-D map.

Reads   data/parse/documents.parquet, data/embed/embeddings.npy and `topic_fit` of params.yaml.
Writes  data/topic_fit, which `bertline.topics.fitting` loads:
        clusters.parquet      a row per document: id, cluster, core_topic (numbered by falling
                              size, -1 for the outliers), probability, x, y
        neighbours.npy        the nearest neighbours of each document; distances.npy: how far
        reduced.npy           with topic_fit.method hdbscan: the reduced vectors, which it clustered
        settings.json         the parameters
        And the number of topics, and the share of the documents in their cores, as JSON.

    python -m stages.topic_fit data/parse/documents.parquet data/embed data/topic_fit

No word is read or made here: `topic_words` names these topics and reassigns the outliers.
"""

from pathlib import Path

import numpy as np

from bertline.core import console, files, params
from bertline.core.receipt import receipt
from bertline.topics.clustering import check_size, check_vectors, load_vectors
from bertline.topics.fitting import TopicFit, fit_clusters
from bertline.topics.tables import OUTLIERS


def main() -> None:
    """Read the arguments and the parameters, cluster the documents, and write their topics."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_fit", TopicFit)
    documents = files.read_table(args.documents, columns=["id", "text"])
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(documents))
    check_size(len(documents), options.least_documents())

    with receipt(
        args.receipt,
        "topic_fit",
        parameters={"topic_fit": options},
        inputs=[args.documents, args.vectors],
        outputs=[args.out, args.metrics],
    ):
        clusters = fit_clusters(documents["id"], documents["text"].tolist(), vectors, options)
        measured = measure_clusters(clusters.core, options.method)
        console.log(f"topics: {measured}")
        with files.whole_folder(args.out) as out:
            clusters.save(out)
            # Within, so that a failure leaves the earlier topics.
            if args.metrics:
                files.write_json(args.metrics, measured)


def measure_clusters(core: np.ndarray, method: str) -> dict[str, float]:
    """Return the number of topics, and the share of the documents in them; warn if there is none.

    core: the topic of each document, shape (n,). method: `topic_fit.method`.
    """
    lower = {
        "graph": "topic_fit.graph.min_topic_size",
        "hdbscan": "topic_fit.hdbscan.min_cluster_size or min_samples",
    }
    if (core == OUTLIERS).all():
        console.log(
            f"warning: no topic was found: all {len(core):,} documents are outliers. Lower "
            f"{lower[method]} in params.yaml, or add documents; "
            f"identical documents have no topics."
        )
    share = round(float(np.mean(core != OUTLIERS)), 4)
    return {"topics": int(core.max()) + 1, "core_share": share}


if __name__ == "__main__":
    console.run(main)
