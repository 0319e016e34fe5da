"""The topics that were found, given to new texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bertline.core import files
from bertline.core.errors import BertlineError
from bertline.topics.model import TopicModel
from bertline.topics.tables import OUTLIERS

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TOKENS_PER_BATCH = 8_192  # word pieces, padding included
EMBEDDER = Path("download", "embedder")


class Topics:
    """A fitted topic model with the encoder of the fit."""

    def __init__(
        self, folder: Path | str, *, embedder: Path | str | None = None, precision: str = "fp32"
    ) -> None:
        """Load what topic_words wrote to `folder`.

        embedder: folder of the encoder that embedded the fitted documents, by default
        download/embedder beside `folder`; it is loaded when there is a text to embed. precision:
        auto, bf16 or fp32. Raises BertlineError if a file is missing or damaged.
        """
        self.folder = Path(folder)
        self.embedder = Path(embedder) if embedder else self.folder.parent / EMBEDDER
        self.wanted = precision
        self.model = TopicModel.load(self.folder)
        table = files.read_table(self.folder / "topics.parquet", columns=["topic", "name"])
        self.names = dict(zip(table["topic"].tolist(), table["name"].tolist(), strict=True))
        self._encoder: SentenceTransformer | None = None

    def __call__(self, texts: Sequence[str]) -> pd.DataFrame:
        """Return `topic`, its `name` and `probability`, a row per text, as `assign`."""
        return self.assign(self.embed(texts), texts)

    def assign(self, vectors: np.ndarray, texts: Sequence[str] | None = None) -> pd.DataFrame:
        """Return `topic`, its `name` and `probability`, a row per vector; (n, d).

        The topic is -1 for none, and has no name then. `TopicModel.assign` says what the
        probability is.
        """
        topics, probabilities = self.model.assign(vectors, texts)
        names = [None if topic == OUTLIERS else self.names[topic] for topic in topics.tolist()]
        named = pd.Series(names, dtype=object)  # as text, pandas would take NaN for None
        return pd.DataFrame({"topic": topics, "name": named, "probability": probabilities})

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, shape (n, d), float32."""
        from bertline.encoders import embedding, running

        device, precision = running.set_up(self.wanted, key="--precision")
        if self._encoder is None:
            if not self.embedder.is_dir():
                raise BertlineError(
                    f"{self.embedder} does not exist. Name the folder of the encoder that embedded "
                    f"the documents of the fit (--embedder), or run `dvc repro download@embedder`."
                )
            self._encoder = embedding.load_encoder(self.embedder, device)
        vectors = np.zeros((len(texts), self._encoder.get_embedding_dimension() or 0), np.float32)
        for batch in embedding.embed_window(
            self._encoder,
            list(texts),
            precision=precision,
            tokens_per_batch=TOKENS_PER_BATCH,
            long_texts=self.model.settings.long_texts,
        ):
            vectors[batch.rows] = batch.vectors
        return vectors
