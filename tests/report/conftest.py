"""The stored results of tests/figures."""

from tests.figures.conftest import acceptability, analysis, load, topics

__all__ = ["acceptability", "analysis", "load", "topics"]
