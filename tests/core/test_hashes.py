"""Hashes as DVC has them, and where DVC keeps files by them."""

import pytest

from bertline.core import hashes
from bertline.core.errors import BertlineError


def test_outside_a_project_the_place_of_the_cache_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BertlineError, match="Run this command in the project's folder"):
        hashes.find_cache()
