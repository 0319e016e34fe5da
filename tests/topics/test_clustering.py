"""UMAP's warnings: a sentence for what a person can mend, and the others as they are."""

import warnings
from typing import Any

import numpy as np
import pytest

from bertline.topics import clustering
from bertline.topics.clustering import Umap
from bertline.topics.graph import Neighbours

OPTIONS = Umap(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", threads=8)
NONE = Neighbours(np.zeros((3, 2), np.int32), np.zeros((3, 2), np.float32))


def warn_in_umap(monkeypatch: pytest.MonkeyPatch, *messages: str) -> None:
    """Let UMAP warn and do nothing else, as it compiles for half a minute."""
    import umap

    class Stub:
        def __init__(self, **_: Any) -> None: ...

        def fit(self, _: np.ndarray) -> "Stub":
            for message in messages:
                warnings.warn(message, stacklevel=1)
            return self

    monkeypatch.setattr(umap, "UMAP", Stub)


def test_a_start_without_eigenvectors_is_a_sentence(monkeypatch, capsys):
    raw = "Spectral initialisation failed! The eigenvector solver\nfailed."
    warn_in_umap(monkeypatch, raw, "precomputed_knn[2] is not an NNDescent object")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clustering.fit_umap(np.ones((3, 4)), NONE, 42, OPTIONS)

    told = capsys.readouterr().err
    assert "UMAP to 5 dimensions begins at random places" in told
    assert "raise topic_fit.umap.n_neighbors" in told
    assert "Spectral" not in told
    assert not caught


def test_other_warnings_of_umap_are_passed_on(monkeypatch, capsys):
    warn_in_umap(monkeypatch, "A large number of your vertices were disconnected")

    with pytest.warns(UserWarning, match="vertices were disconnected"):
        clustering.fit_umap(np.ones((3, 4)), NONE, 42, OPTIONS)

    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_equal_documents_are_reduced_without_a_raw_warning(capsys):
    equal = np.ones((100, 16), np.float32)
    neighbours = clustering.search(equal, 15, 42, OPTIONS)

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("default", message=clustering.NO_EIGENVECTORS)
        fitted = clustering.fit_umap(equal, neighbours, 42, OPTIONS)

    assert fitted.embedding_.shape == (100, 5)
    assert "begins at random places" in capsys.readouterr().err
