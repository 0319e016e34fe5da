"""The hash of a folder is that of the list that sha256sum prints."""

import subprocess

import pytest

from bertline.core.errors import BertlineError
from bertline.sources import own


def test_hash_of_a_folder_is_what_its_docstring_says(tmp_path):
    for name in ("b.txt", "a/z.txt", "a b.txt", "B.txt"):
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "texts" / ".hidden").write_text("not counted")
    command = "find * -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path / "texts", capture_output=True, text=True, check=True
    )

    assert own.digest(tmp_path / "texts") == done.stdout.split()[0]
    own.copy(tmp_path / "texts", tmp_path / "copy")
    assert own.digest(tmp_path / "copy") == own.digest(tmp_path / "texts")
    assert not (tmp_path / "copy" / ".hidden").exists()


def test_file_that_may_run_code_is_refused(tmp_path):
    (tmp_path / "model.PT").touch()

    with pytest.raises(BertlineError, match=r"model\.PT may run code"):
        own.digest(tmp_path)
