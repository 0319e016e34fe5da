"""Stored results to draw from, and the figures' look, as `visualize` sets it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bertline.figures import results, style
from tests.figures import stored


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    """Draw every figure of a test in the house's look."""
    with style.applied(9.0):
        yield


@pytest.fixture
def acceptability(tmp_path: Path) -> Callable[..., results.Acceptability]:
    """Return a function that stores results with options of `stored` and loads them."""

    def load(**options) -> results.Acceptability:
        stored.write_metrics(tmp_path / "metrics", **options)
        return results.load_acceptability(tmp_path / "metrics")

    return load


@pytest.fixture
def topics(tmp_path: Path) -> Callable[..., results.Topics]:
    """Return a function that stores topics with options of `stored` and loads them."""

    def load(**options) -> results.Topics:
        stored.write_metrics(tmp_path / "metrics")
        stored.write_topics(tmp_path / "topics", **options)
        return results.load_topics(tmp_path / "metrics", tmp_path / "topics")

    return load
