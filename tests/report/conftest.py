"""The stored results of tests/figures."""

from tests.figures.conftest import analysis, classification, load, topics

__all__ = ["classification", "analysis", "load", "topics"]
