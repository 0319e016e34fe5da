"""What the tests share: a BERT small enough to load in a blink, once per session."""

from pathlib import Path

import pytest

from tests import tiny


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a BERT with random weights, without files of sentence-transformers."""
    return tiny.write_bert(tmp_path_factory.mktemp("encoder") / "bert")


@pytest.fixture(scope="session")
def tiny_bert_cls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same BERT with files that pool its first vector and normalise it."""
    return tiny.write_bert(tmp_path_factory.mktemp("encoder") / "bert-cls", pooling="cls")
