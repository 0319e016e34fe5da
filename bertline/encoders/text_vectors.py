"""Vectors of texts or single words by the encoder that embedded the documents.

torch is imported at the first call: most runs of topic-words need no vectors of words.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bertline.core.params import LongTexts

TOKENS_PER_BATCH = 4_096  # word pieces, padding included


def encode(
    folder: Path,
    texts: Sequence[str],
    *,
    precision: str = "fp32",
    tokens_per_batch: int = TOKENS_PER_BATCH,
    long_texts: LongTexts = "head",
    advance: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """Return the vectors of texts by the encoder in `folder`, shape (n, d), float32.

    precision: auto, bf16 or fp32. long_texts: as `embed.long_texts`. advance: called with the
    number of texts after each batch.
    """
    from bertline.encoders import embedding, running

    device, chosen = running.set_up(precision, key="--precision")
    encoder = embedding.load_encoder(folder, device)
    dimension = encoder.get_embedding_dimension()
    assert dimension is not None  # each model that loads has pooled vectors
    vectors = np.zeros((len(texts), dimension), np.float32)
    for batch in embedding.embed_window(
        encoder,
        list(texts),
        precision=chosen,
        tokens_per_batch=tokens_per_batch,
        long_texts=long_texts,
    ):
        vectors[batch.rows] = batch.vectors
        advance(len(batch.rows))
    return vectors
