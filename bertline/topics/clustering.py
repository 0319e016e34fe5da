"""Reduce documents' vectors with UMAP and cluster them with HDBSCAN, reproducibly.

UMAP, HDBSCAN and numba beneath them are imported where they are called: numba reads its number of
threads from the environment once, when it is imported (`allow_threads`).
"""

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.topics.graph import EXACT_UP_TO, Neighbours, search_exactly

if TYPE_CHECKING:
    from hdbscan import HDBSCAN
    from umap import UMAP

FEW = 50  # documents, up to which most words occur in one alone
CHUNK = 65_536  # vectors checked at once
NO_EIGENVECTORS = "Spectral initialisation failed"  # UMAP's warning


class Umap(Section):
    """`topic_fit.umap`."""

    n_neighbors: Annotated[int, Field(ge=2)]
    n_components: Annotated[int, Field(ge=2)]
    min_dist: Annotated[float, Field(ge=0, le=1)]
    metric: Literal["cosine", "euclidean"]
    threads: params.Threads


class Map(Section):
    """`topic_fit.map`."""

    min_dist: Annotated[float, Field(ge=0, le=1)]


class Hdbscan(Section):
    """`topic_fit.hdbscan`."""

    min_cluster_size: Annotated[int, Field(ge=2)]
    min_samples: Annotated[int, Field(ge=1)]
    cluster_selection_method: Literal["eom", "leaf"]


def load_vectors(path: Path, *, stage: str = "embed", kind: Literal["f", "i"] = "f") -> np.ndarray:
    """Return the vectors that a stage wrote, memory-mapped.

    Raises BertlineError if the file cannot be read or does not hold floating-point numbers, or
    integers where `kind` is i.
    """
    files.require(path)
    try:
        vectors = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise BertlineError(
            f"{path} cannot be read as the array that {stage} writes ({error}). Delete it and run "
            f"`dvc repro {stage}`."
        ) from error
    if vectors.dtype.kind != kind:
        numbers = "floating-point numbers" if kind == "f" else "integers"
        raise BertlineError(
            f"{path} holds {vectors.dtype} and not {numbers}. Delete it and run "
            f"`dvc repro {stage}`."
        )
    return vectors


def check_vectors(vectors: np.ndarray, documents: int) -> None:
    """Raise BertlineError unless there is one finite vector for each document."""
    if vectors.ndim != 2 or len(vectors) != documents:
        raise BertlineError(
            f"embeddings.npy has the shape {vectors.shape} and there are {documents:,} documents: "
            f"they belong to different runs. Run `dvc repro embed`."
        )
    for start in range(0, len(vectors), CHUNK):
        finite = np.isfinite(vectors[start : start + CHUNK]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise BertlineError(
                f"the vector of document {row + 1} has values that are not finite. The encoder "
                f"overflowed: set embed.precision to fp32, or choose another inputs.embedder."
            )


def check_size(documents: int, least: dict[str, int]) -> None:
    """Raise BertlineError if there are fewer documents than parameters of topic_fit need.

    least: how many each needs. The message names all at once, and `vocabulary.min_df`, which would
    leave no words to name topics with.
    """
    wrong = [f"topic_fit.{key} needs {need}" for key, need in least.items() if documents < need]
    if not wrong:
        return
    fitting = max(2, documents // 4)
    words = 1 if documents < FEW else 2
    each = "it" if len(wrong) == 1 else "each"
    raise BertlineError(
        f"params.yaml: {', '.join(wrong)} documents at least, and there are {documents}. Lower "
        f"{each} (to {fitting}, for example) and vocabulary.min_df (to {words}), or add documents."
    )


def allow_threads(count: int) -> None:
    """Let numba start `count` threads, on any machine; call it before numba is imported.

    Raises BertlineError if numba has been imported with fewer threads.
    """
    os.environ["NUMBA_NUM_THREADS"] = str(count)
    if "numba" not in sys.modules:
        return
    from numba import config

    allowed: int = vars(config)["NUMBA_NUM_THREADS"]
    if count > allowed:
        raise BertlineError(
            f"topic_fit.umap.threads is {count}, and numba has been imported with "
            f"{allowed} threads. Set NUMBA_NUM_THREADS to {count} "
            f"before Python starts."
        )


def find_neighbours(vectors: np.ndarray, count: int, seed: int, options: Umap) -> Neighbours:
    """Return the `count` nearest neighbours of each vector, or as many as there are.

    Exact by cosine up to EXACT_UP_TO documents, else by `search`.
    """
    if options.metric == "cosine" and len(vectors) <= EXACT_UP_TO:
        return search_exactly(vectors, count)
    console.log(f"neighbours of {len(vectors):,} documents by an approximate search")
    return search(vectors, count, seed, options)


def search(vectors: np.ndarray, count: int, seed: int, options: Umap) -> Neighbours:
    """Return the `count` nearest neighbours of each vector, or as many as there are.

    The search (Dong, Moses and Li 2011; pynndescent) divides its random choices among its threads,
    so another number of threads finds other neighbours: the number is a parameter. Imports numba
    with that number of threads.
    """
    allow_threads(options.threads)
    from umap.umap_ import nearest_neighbors

    found = nearest_neighbors(
        vectors,
        n_neighbors=min(count, len(vectors) - 1),
        metric=options.metric,
        metric_kwds={},
        angular=False,
        random_state=np.random.RandomState(seed),
        n_jobs=options.threads,
    )
    return Neighbours(*found)


def fit_umap(vectors: np.ndarray, neighbours: Neighbours, seed: int, options: Umap) -> "UMAP":
    """Return UMAP fitted to vectors, (n, d); its `embedding_` has the shape (n, n_components).

    neighbours: within these vectors, `n_neighbors` of each or more. UMAP begins with eigenvectors
    from linear algebra, whose last digits depend on its threads, and magnifies them: it gets one
    thread.
    """
    allow_threads(options.threads)
    from umap import UMAP

    wanted = options.n_neighbors
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings(record=True) as caught:
        # Without the index of the search, UMAP cannot transform new vectors; nobody asks it to.
        warnings.filterwarnings("ignore", message="precomputed_knn")
        fitted = UMAP(
            n_neighbors=options.n_neighbors,
            n_components=options.n_components,
            min_dist=options.min_dist,
            metric=options.metric,
            random_state=seed,
            precomputed_knn=(
                *(neighbours.numbers[:, :wanted], neighbours.distances[:, :wanted]),
                neighbours.index,
            ),
            n_jobs=1,  # what a fixed random_state implies; without it UMAP warns
        ).fit(vectors)
    for warning in caught:
        if str(warning.message).startswith(NO_EIGENVECTORS):
            console.log(
                f"UMAP to {options.n_components} dimensions begins at random places and not at "
                f"eigenvectors of the neighbours, which it did not find: many documents are equal "
                f"or nearly so. The result repeats with its seed, but may have arbitrary topics. "
                f"Remove repeated documents, or raise topic_fit.umap.n_neighbors."
            )
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return fitted


def reduce_vectors(
    vectors: np.ndarray, neighbours: Neighbours, seed: int, options: Umap
) -> np.ndarray:
    """Return the vectors reduced for clustering, (n, n_components)."""
    console.log(f"UMAP: {vectors.shape[1]} to {options.n_components} dimensions")
    return fit_umap(vectors, neighbours, seed, options).embedding_


def draw_map(
    vectors: np.ndarray, neighbours: Neighbours, seed: int, options: Umap, drawing: Map
) -> np.ndarray:
    """Return the documents' places on the map, (n, 2)."""
    console.log("UMAP: to the 2 dimensions of the map")
    flat = options.model_copy(update={"n_components": 2, "min_dist": drawing.min_dist})
    return fit_umap(vectors, neighbours, seed, flat).embedding_


def cluster(reduced: np.ndarray, options: Hdbscan) -> "HDBSCAN":
    """Return HDBSCAN fitted to reduced vectors, (n, components), ready to predict for new ones.

    It is deterministic: the same vectors give the same clusters.
    """
    from hdbscan import HDBSCAN

    return HDBSCAN(
        min_cluster_size=options.min_cluster_size,
        min_samples=options.min_samples,
        cluster_selection_method=options.cluster_selection_method,
        metric="euclidean",
        prediction_data=True,
        core_dist_n_jobs=1,  # on a few dimensions the trees take a second; processes take more
    ).fit(reduced)
