"""What the tests share, made once per session: small BERTs, and the project after a small run."""

import os
from pathlib import Path

import pytest

from tests import project as projects
from tests import tiny
from tests.project import Project

# Before any test module imports numba, which takes it once: what topic_fit.umap.threads asks for.
os.environ["NUMBA_NUM_THREADS"] = "8"


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a BERT with random weights, without files of sentence-transformers."""
    return tiny.write_bert(tmp_path_factory.mktemp("encoder") / "bert")


@pytest.fixture(scope="session")
def tiny_bert_cls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same BERT with files that pool its first vector and normalise it."""
    return tiny.write_bert(tmp_path_factory.mktemp("encoder") / "bert-cls", pooling="cls")


@pytest.fixture(scope="session")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the project after its first `dvc repro` on miniature inputs. Copy it to change it."""
    folder = tmp_path_factory.mktemp("a project") / "ünïcode path"
    return projects.run_first(projects.make(folder, tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def project(made_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a copy of the project after its first run, for the tests of one module to share."""
    folder = tmp_path_factory.mktemp("another project") / "ünïcode path"
    return projects.copy(made_project, folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker run all tests of the project after its run, so that it is made once."""
    for item in items:
        if "made_project" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("project"))
