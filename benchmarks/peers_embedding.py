"""`SentenceTransformer.encode` on the same documents, as people call it, and in bf16."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from benchmarks import inputs
from benchmarks.contender import Clock
from benchmarks.ours import WARM_UP


def encode(
    clock: Clock, *, data: str, documents: int, vectors: str, dtype: str = "float32"
) -> dict[str, Any]:
    """Embed documents by `encode` with its defaults; write their vectors to the file `vectors`.

    dtype: of the weights. With float32 it is the plain call.
    """
    texts = inputs.read_texts(Path(data), documents)
    folder = str(Path(data) / "download" / "embedder")
    encoder = SentenceTransformer(
        folder,
        device="cpu",
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"dtype": getattr(torch, dtype), "use_safetensors": True},
    )
    encoder.encode(texts[:WARM_UP])
    with clock.timing():
        found = encoder.encode(texts)
    np.save(vectors, np.asarray(found, np.float32), allow_pickle=False)
    return {"items": len(texts), "flops": inputs.flops_of_texts(encoder, texts), "vectors": vectors}


def cosines(vectors: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Return mean and smallest cosine of each vector to that of the reference, both (n, d)."""
    products = np.einsum("nd,nd->n", vectors.astype(float), reference.astype(float))
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    found = products / lengths
    return {"mean": float(found.mean()), "least": float(found.min())}
