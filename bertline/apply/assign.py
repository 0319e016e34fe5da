"""Assign topics to new documents with the model that topic_words stored.

Reads   a folder that topic_words wrote, and documents: a table (CSV, TSV, JSON lines or Parquet)
        with a column `text` and optionally `id`, a text file with a document on each line, or an
        npy array of vectors as embed writes it. Texts are embedded with the encoder of the fit.
Writes  a CSV file, a row per document: id, topic (-1 for none), probability, name.

    python -m bertline.apply.assign data/topic_words letters.csv topics.csv

A document of the fit keeps its topic. New documents are assigned one by one, so results do not
depend on the batch (`bertline.topics.model`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.corpora import columns
from bertline.corpora.readers import ENDINGS, Layout
from bertline.encoders import text_vectors
from bertline.topics.clustering import check_vectors, load_vectors
from bertline.topics.model import TopicModel
from bertline.topics.tables import OUTLIERS

FORMATS = tuple(ENDINGS)
COLUMNS = ("id", "topic", "probability", "name")
TOKENS_PER_BATCH = 16_384


def read_documents(path: Path, encoding: str = "utf-8") -> tuple[list[str], list[str]]:
    """Return the ids and texts of a table, or of a text file with a document on each line.

    Without a column `id` these are the numbers of the rows. Raises BertlineError for another
    format, for a file that cannot be read, or without documents.
    """
    if not path.exists():
        raise BertlineError(f"{path} does not exist. Name the file of the documents.")
    found = columns.read(path, ["text"], optional=["id"], layout=Layout(encoding=encoding))
    texts = found["text"]
    if not texts:
        raise BertlineError(f"{path} has no document.")
    ids = found.get("id") or [str(number) for number in range(1, len(texts) + 1)]
    columns.check_identifiers(ids, path, "id")
    empty = sum(not text.strip() for text in texts)
    if empty:
        console.log(
            f"{path}: {empty:,} of {len(texts):,} documents have no text. They get no topic "
            f"(-1), unless the topics were found with such a document."
        )
    return ids, texts


def embed_texts(folder: Path, texts: Sequence[str], precision: str) -> np.ndarray:
    """Return the vectors of texts by the encoder in `folder`, shape (n, d), float32."""
    with console.counter(total=len(texts), label="embed", unit="documents") as advance:
        return text_vectors.encode(
            folder, texts, precision=precision, tokens_per_batch=TOKENS_PER_BATCH, advance=advance
        )


def main() -> None:
    """Read the arguments, the model and the documents; assign these and write their topics."""
    arguments = console.parser(__doc__)
    arguments.add_argument("topics", type=Path, help="folder that topic_words wrote")
    arguments.add_argument("documents", type=Path, help=f"{', '.join(FORMATS)}, or .npy of vectors")
    arguments.add_argument("out", type=Path, help="CSV file to write")
    arguments.add_argument(
        "--embedder",
        type=Path,
        default=Path("data/download/embedder"),
        help="folder of the encoder that embedded the fitted documents (default: %(default)s)",
    )
    arguments.add_argument(
        "--precision",
        choices=["auto", "bf16", "fp32"],
        default="auto",
        help="as embed.precision in params.yaml (default: %(default)s)",
    )
    arguments.add_argument(
        "--encoding", default="utf-8", help="of a text file or table (default: %(default)s)"
    )
    args = arguments.parse_args()
    texts = None
    if args.documents.suffix == ".npy":
        vectors = load_vectors(args.documents)
        check_vectors(vectors, len(vectors) if vectors.ndim else 0)
        ids = [str(number) for number in range(1, len(vectors) + 1)]
    else:
        ids, texts = read_documents(args.documents, args.encoding)
        vectors = embed_texts(args.embedder, texts, args.precision)
    model = TopicModel.load(args.topics)
    topics, probabilities = model.assign(vectors, texts)
    table = files.read_table(args.topics / "topics.parquet", columns=["topic", "name"])
    names = dict(zip(table["topic"].tolist(), table["name"].tolist(), strict=True))
    rows = [
        [key, topic, round(probability, 4), names.get(topic, "")]
        for key, topic, probability in zip(
            ids, topics.tolist(), probabilities.tolist(), strict=True
        )
    ]
    files.write_csv(args.out, COLUMNS, rows)
    placed = topics[topics != OUTLIERS]
    console.log(
        f"{args.out}: {len(placed):,} documents in {len(np.unique(placed)):,} topics, "
        f"{len(rows) - len(placed):,} in none"
    )


if __name__ == "__main__":
    console.run(main)
