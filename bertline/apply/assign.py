"""Assign topics to new documents with the model that topic_fit stored.

Reads   a folder that topic_fit wrote, and documents: a Parquet or CSV table with a column `text`
        and optionally `id`, a text file with a document on each line, or an npy array of vectors
        as embed writes it. Texts are embedded with the encoder of the fit.
Writes  a CSV file, a row per document: id, topic (-1 for none), probability, name.

    python -m bertline.apply.assign data/topic_fit letters.csv topics.csv

A document of the fit keeps its topic. New documents are assigned one by one, so results do not
depend on the batch (`bertline.topics.model`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from bertline.core import console, files
from bertline.core.errors import BertlineError
from bertline.encoders import text_vectors
from bertline.topics.clustering import check_vectors, load_vectors
from bertline.topics.model import TopicModel

COLUMNS = ("id", "topic", "probability", "name")
TOKENS_PER_BATCH = 16_384


def read_documents(path: Path) -> tuple[list[str], list[str]]:
    """Return the ids and texts of a Parquet, CSV or text file.

    Raises BertlineError for another format, for a file that cannot be read, or without documents.
    """
    files.require(path)
    if path.suffix == ".parquet":
        table = files.read_table(path)
    elif path.suffix == ".csv":
        table = _read_csv(path)
    elif path.suffix == ".txt":
        table = pd.DataFrame({"text": _read_lines(path)})
    else:
        raise BertlineError(
            f"{path} has an unknown format: the name should end in .parquet, .csv, .txt or .npy."
        )
    if "text" not in table.columns:
        raise BertlineError(
            f"{path} has no column `text`; it has {', '.join(map(str, table.columns))}. Rename "
            f"the column that holds the documents."
        )
    if not len(table):
        raise BertlineError(f"{path} has no document.")
    empty = table["text"].isna()
    if empty.any():
        raise BertlineError(
            f"{path}: document {int(np.argmax(empty)) + 1} has no text. Fill it in, or remove its "
            f"row."
        )
    ids = table["id"] if "id" in table.columns else range(1, len(table) + 1)
    return [str(value) for value in ids], table["text"].astype(str).tolist()


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        # Documents may contain line breaks, and are text even where they look like numbers.
        table = pacsv.read_csv(
            path,
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types={"text": pa.string(), "id": pa.string()}, strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, OSError) as error:
        raise BertlineError(f"{path} cannot be read as CSV in UTF-8 ({error}).") from error
    return table.to_pandas()


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise BertlineError(f"{path} cannot be read as text in UTF-8 ({error}).") from error


def embed_texts(folder: Path, texts: Sequence[str], precision: str) -> np.ndarray:
    """Return the vectors of texts by the encoder in `folder`, shape (n, d), float32."""
    with console.counter(total=len(texts), label="embed", unit="documents") as advance:
        return text_vectors.encode(
            folder, texts, precision=precision, tokens_per_batch=TOKENS_PER_BATCH, advance=advance
        )


def main() -> None:
    """Read the arguments, the model and the documents; assign these and write their topics."""
    arguments = console.parser(__doc__)
    arguments.add_argument("topics", type=Path, help="folder that topic_fit wrote")
    arguments.add_argument("documents", type=Path, help=".parquet, .csv, .txt, or .npy of vectors")
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
    args = arguments.parse_args()
    texts = None
    if args.documents.suffix == ".npy":
        vectors = load_vectors(args.documents)
        check_vectors(vectors, len(vectors) if vectors.ndim else 0)
        ids = [str(number) for number in range(1, len(vectors) + 1)]
    else:
        ids, texts = read_documents(args.documents)
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
    console.log(f"{args.out}: {len(rows):,} documents in {len(set(topics.tolist())):,} topics")


if __name__ == "__main__":
    console.run(main)
