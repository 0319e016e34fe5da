"""Files of a Hub repository, from a server on the loopback interface that speaks its resolve API.

The command is run as a process of its own where it matters that HF_ENDPOINT and the other variables
are read, which huggingface_hub does when it is imported; elsewhere its constants are set.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import constants

from bertline.core.errors import BertlineError
from bertline.sources.fetch import FetchError
from bertline.sources.hub import download
from tests.command import PROJECT
from tests.loopback import Loopback, answer, behave, break_off

REVISION = "0123456789abcdef0123456789abcdef01234567"
CONFIG = b'{"model_type": "bert"}'
WEIGHTS = bytes(range(256)) * 2000
FILES = {"config.json": CONFIG, "weights/model.safetensors": WEIGHTS}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Hub:
    """A repository `owner/tiny` on the loopback interface, and the command that asks for it."""

    def __init__(self, server: Loopback, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.hashes = {name: sha256(content) for name, content in FILES.items()}
        for name, content in FILES.items():
            path = self.path(name)
            server.files[path] = content
            server.headers[path] = {"ETag": f'"{sha256(content)}"', "X-Repo-Commit": REVISION}

    def path(self, name: str) -> str:
        return f"/owner/tiny/resolve/{REVISION}/{name}"

    def gets(self) -> list[str]:
        """Return the names of the repository's files whose bytes were asked for."""
        asked = (request.path for request in self.server.requests if request.method == "GET")
        return [path.removeprefix(self.path("")) for path in asked if "/resolve/" in path]

    def download(self) -> None:
        (self.folder / "out").mkdir()
        download("owner/tiny", REVISION, self.hashes, self.folder / "out")

    def run(self, **environment: str) -> subprocess.CompletedProcess:
        fetch = {"kind": "hub", "hub": "owner/tiny", "revision": REVISION, "files": self.hashes}
        entry = {"title": "tiny", "roles": ["backbone"], "licence": "none", "fetch": fetch}
        # JSON is YAML.
        (self.folder / "sources.yaml").write_text(json.dumps({"tiny": entry}))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return subprocess.run(
            [sys.executable, "-m", "stages.download", "backbone", "tiny", "out"]
            + ["--metrics", "metrics.json", "--receipt", "receipt.json"],
            cwd=self.folder,
            env=clean
            | {
                "PYTHONPATH": str(PROJECT),
                "HF_ENDPOINT": self.server.url,
                "HF_HOME": str(self.folder / "hf"),
                "NO_PROXY": "127.0.0.1",
            }
            | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with Loopback() as server:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield Hub(server, tmp_path)


@pytest.mark.slow
def test_lays_down_the_named_files_and_asks_once(hub):
    hub.server.acts[hub.path("weights/model.safetensors")] = [behave, break_off(100_000)]
    result = hub.run()
    assert result.returncode == 0, result.stderr
    for name, content in FILES.items():
        assert (hub.folder / "out" / name).read_bytes() == content
    described = json.loads((hub.folder / "metrics.json").read_text())
    assert described["origin"] == {"kind": "hub", "hub": "owner/tiny", "revision": REVISION}
    assert {name: entry["sha256"] for name, entry in described["files"].items()} == hub.hashes
    assert json.loads((hub.folder / "receipt.costs.json").read_text())["served_by"] == "hub"

    before = hub.gets()
    assert hub.run().returncode == 0
    assert hub.gets() == before


@pytest.mark.slow
def test_wrong_content_in_the_hubs_cache_is_fetched_anew(hub):
    hub.run()
    blob = next(hub.folder.glob("hf/hub/models--owner--tiny/snapshots/*/config.json")).resolve()
    blob.write_bytes(b"tampered")
    result = hub.run()
    assert result.returncode == 0, result.stderr
    assert "config.json: wrong content: fetching it anew" in result.stderr
    assert (hub.folder / "out" / "config.json").read_bytes() == CONFIG
    assert hub.gets() == ["config.json", "weights/model.safetensors", "config.json"]

    blob.write_bytes(b"tampered")
    result = hub.run(HF_HUB_OFFLINE="1")
    assert result.returncode == 2
    assert "HF_HUB_OFFLINE forbids the network" in result.stderr
    assert (hub.folder / "out" / "config.json").read_bytes() == CONFIG


def test_wrong_hashes_are_listed_together(hub):
    found = dict(hub.hashes)
    hub.hashes = dict.fromkeys(FILES, "f" * 64)
    with pytest.raises(BertlineError, match=f"owner/tiny at {REVISION}, as 127.0.0.1:") as caught:
        hub.download()
    for name, digest in found.items():
        assert f"- {name}: expected {'f' * 64}, found {digest}" in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(401, X_Error_Code="RepoNotFound"), "has no such repository, or a private one"),
        (answer(404, X_Error_Code="RepoNotFound"), "has no such repository, or a private one"),
        (answer(403, X_Error_Code="GatedRepo"), "ask for it on the repository's page"),
        (answer(404, X_Error_Code="RevisionNotFound"), "correct `revision` in sources.yaml"),
        (answer(404, X_Error_Code="EntryNotFound"), "no such file; correct `files` in sources"),
        (answer(200, b"<html>"), "does not answer as the Hub does; check HF_ENDPOINT"),
        (answer(403), "403"),
    ],
    ids=["unknown", "not found", "gated", "revision", "file", "no hub", "forbidden"],
)
def test_what_the_hub_answers_is_put_into_words(hub, reply, expected):
    hub.server.acts[hub.path("config.json")] = [reply] * 10
    with pytest.raises(FetchError, match=f"^config.json of owner/tiny at {REVISION}: ") as caught:
        hub.download()
    assert expected in str(caught.value)


@pytest.mark.slow
def test_offline_mode_is_honoured(hub):
    result = hub.run(HF_HUB_OFFLINE="1")
    assert result.returncode == 2, result.stderr
    assert "HF_HUB_OFFLINE forbids the network" in result.stderr
    assert hub.server.requests == []
    assert sorted(path.name for path in hub.folder.iterdir()) == ["sources.yaml"]


def test_proxy_on_the_way_is_named_and_one_that_no_proxy_excludes_is_not(hub, monkeypatch):
    def fail(*arguments: object, **options: object) -> None:
        raise httpx2.ConnectError("[Errno 111] Connection refused")

    monkeypatch.setattr("bertline.sources.hub.hf_hub_download", fail)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(FetchError) as direct:
        hub.download()
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(FetchError) as proxied:
        download("owner/tiny", REVISION, hub.hashes, hub.folder / "out")

    refused = "[Errno 111] Connection refused; HF_ENDPOINT may name a mirror of the Hub."
    via = ", through the proxy that HTTPS_PROXY or HTTP_PROXY names"
    host = hub.server.url.removeprefix("http://")
    assert str(direct.value).endswith(f"{host}: {refused}")
    assert str(proxied.value).endswith(f"{host}{via}: {refused}")
