"""Stored results to draw from, each written once per session, and the look of `visualize`."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bertline.figures import results, style
from tests.figures import stored


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    """Draw every figure of a test in the figures' look."""
    with style.applied(9.0):
        yield


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that loads results, written once for the same options, as a copy."""
    loaded: dict[str, Any] = {}

    def load_once(kind: Callable[..., Any], **options: Any) -> Any:
        key = f"{kind.__name__} {options}"
        if key not in loaded:
            loaded[key] = kind(tmp_path_factory.mktemp("results"), **options)
        return copy.deepcopy(loaded[key])

    return load_once


def _classification(folder: Path, **options: Any) -> results.Classification:
    stored.write_scores(folder, **options)
    return results.load_classification(folder)


def _analysis(folder: Path, **options: Any) -> results.Analysis:
    shared = {name: options[name] for name in ("sets", "seeds") if name in options}
    stored.write_scores(folder / "metrics", **shared)
    stored.write_analysis(folder / "metrics", folder / "analysis", **options)
    return results.load_analysis(folder / "metrics", folder / "analysis")


def _topics(folder: Path, **options: Any) -> results.Topics:
    stored.write_topics(folder / "metrics", folder / "topics", **options)
    stored.write_baselines(folder / "baselines.csv")
    return results.load_topics(folder / "metrics", folder / "topics", folder / "baselines.csv")


@pytest.fixture
def classification(load) -> Callable[..., results.Classification]:
    """Return a function that loads scores with options of `stored.write_scores`."""
    return lambda **options: load(_classification, **options)


@pytest.fixture
def analysis(load) -> Callable[..., results.Analysis]:
    """Return a function that loads an analysis with options of `stored.write_analysis`."""
    return lambda **options: load(_analysis, **options)


@pytest.fixture
def topics(load) -> Callable[..., results.Topics]:
    """Return a function that loads topics with options of `stored.write_topics`."""
    return lambda **options: load(_topics, **options)
