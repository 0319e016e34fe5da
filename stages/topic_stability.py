"""Measure the stability of topics over other seeds, draws of documents and rounded vectors.

Reads   data/embed/embeddings.npy, the topics and neighbours in data/topic_fit with the parameters
        of their fit, and `topic_stability` of params.yaml.
Writes  data/topic_stability/matches.parquet, a row per refit and topic: the topic of the refit that
        it is matched to, and their similarity; a folder with the stability of each topic
        (topics.csv); and as JSON the share of documents in stable topics, and in a list, where
        DVC sees no metrics, the measures of all topics.

    python -m stages.topic_stability data/embed data/topic_fit data/topic_stability

Refits, matching and the correction for chance are defined in `bertline.topics.stability`.
"""

from pathlib import Path

from bertline.core import console, files, params
from bertline.core.receipt import receipt
from bertline.topics import stability
from bertline.topics.clustering import check_vectors, load_vectors
from bertline.topics.fitting import Clusters
from bertline.topics.stability import TopicStability
from bertline.topics.tables import MATCHES, STABILITY

COMPARED = ("stable_share",)  # what DVC compares between runs


def main() -> None:
    """Read the arguments and the parameters, refit, compare, and write tables and measures."""
    arguments = console.parser(__doc__)
    arguments.add_argument("vectors", type=Path, help="folder that embed wrote")
    arguments.add_argument("clusters", type=Path, help="folder that topic_fit wrote")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the measures to this JSON file")
    arguments.add_argument("--tables", type=Path, help="write the topics to this folder")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "topic_stability", TopicStability)
    stability.check_refits(options)
    clusters = Clusters.load(args.clusters)
    core, fit = clusters.core, clusters.settings
    vectors = load_vectors(args.vectors / "embeddings.npy")
    check_vectors(vectors, len(core))

    with receipt(
        args.receipt,
        "topic_stability",
        parameters={"topic_stability": options},
        inputs=[args.vectors, args.clusters],
        outputs=[args.out, args.metrics, args.tables],
    ):
        fits, matches = stability.compare_refits(vectors, clusters.neighbours, core, fit, options)
        table = stability.summarise_topics(matches, core)
        measures = stability.summarise(table, fits, core)
        console.log(table.head(20).to_string(index=False))
        console.log(f"stability: {measures}")
        with files.whole_folder(args.out) as out:
            files.write_table(out / "matches.parquet", matches, MATCHES)
            # Within, so that a failure leaves the earlier matches.
            if args.tables:
                with files.whole_folder(args.tables) as tables:
                    cells = table.astype(object).where(table.notna(), "").to_numpy().tolist()
                    files.write_csv(tables / "topics.csv", [*STABILITY], cells)
            if args.metrics:
                compared = {name: measures[name] for name in COMPARED}
                files.write_json(args.metrics, compared | {"measures": [measures]})


if __name__ == "__main__":
    console.run(main)
