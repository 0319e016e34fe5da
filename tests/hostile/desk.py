"""What a hostile case is, and the desk at which it is tried: a project where all commands succeed.

A case corrupts one thing at the desk, runs a stage's real command line in this process, and names
the exit code and the message. Earlier results lie where the command writes: `out`, `metrics.json`,
`receipt.json`, and what the stage writes besides.
"""

import dataclasses
import hashlib
import importlib
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bertline.core import console, files, params
from bertline.sources import fetch, published
from tests import tiny
from tests.command import write_params
from tests.loopback import Act, Loopback
from tests.topics import planted

NOBODY = 65534  # a user who owns nothing
SIZES = {"in_domain_train": 60, "in_domain_dev": 20, "out_of_domain_dev": 20}
DOCUMENTS = 60
EARLIER = b"an earlier result\n"

# What stands on the command line of each stage, `--metrics` and `--receipt` aside.
COMMANDS = {
    "download": "sentences mine out",
    "parse": "sentences mine raw out --params params.yaml",
    "tokenize": "sentences.parquet encoder out --params params.yaml",
    "split": "tokens out --params params.yaml",
    "adapt": "prose.parquet sentences.parquet encoder out --params params.yaml --table table.csv",
    "train": "1 tokens folds encoder out --params params.yaml",
    "evaluate": "tokens folds models out --params params.yaml --tables plots",
    "analyze": "phenomena.parquet tokens predictions curves.csv out --params params.yaml "
    "--tables plots",
    "embed": "documents.parquet encoder out --params params.yaml",
    "topic_fit": "documents.parquet vectors out --params params.yaml",
    "topic_words": (
        "documents.parquet vectors fitted encoder out --params params.yaml --tables plots"
    ),
    "topic_stability": "vectors fitted out --params params.yaml --tables plots",
    "visualize": "classification figures analysis out --params params.yaml",
}
# The others write a table, or are measured in their receipt.
MEASURED = {
    *("download", "parse", "tokenize", "split", "evaluate"),
    *("topic_fit", "topic_words", "topic_stability"),
}
# Parameters that suit the few rows at the desk.
SMALL = {
    "seeds": [1],
    "adapt.epochs": 1,
    "adapt.texts": "documents",
    "adapt.sentences": 100,
    "adapt.held_out": 50,
    "adapt.batch_size": 32,
    "adapt.precision": "fp32",
    "adapt.threads": 1,
    "train.epochs": 1,
    "train.precision": "fp32",
    "train.threads": 1,
    "analyze.simulations": 100,
    "analyze.min_group_size": 5,
    "embed.precision": "fp32",
    "topic_fit.graph.min_topic_size": 10,
    "topic_fit.hdbscan.min_cluster_size": 10,
    "topic_fit.hdbscan.min_samples": 5,
    "topic_numbers": [2, 3],
    "vocabulary.boilerplate": None,
}


def nothing(desk: "Desk") -> None:
    """Leave the desk as it is."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A hostile input, and what must come of it."""

    name: str
    stage: str
    message: str  # a regular expression that matches somewhere in what is printed
    corrupt: Callable[["Desk"], object] = nothing
    code: int = console.EXIT_MISTAKE
    arguments: str | None = None  # instead of the stage's own of COMMANDS
    holds: Callable[["Desk"], object] = nothing  # asserts, or returns, what else must be true
    writes: tuple[str, ...] = ()  # what a command of other `arguments` writes, beside the usual


def accepted(*values: Any, **named: Any) -> Case:
    """Return a case whose input is odd and not wrong: the command succeeds."""
    return Case(*values, code=0, **named)


class Desk:
    """The folder of a person's project, and what a case may do to it."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, resources: ExitStack, case: Case
    ) -> None:
        self.folder, self.monkeypatch, self.resources, self.case = (
            *(folder, monkeypatch, resources),
            case,
        )
        self.user: int | None = None

    # What a case corrupts.

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file of the project; text as UTF-8."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def parameters(self, changes: Mapping[str, Any]) -> None:
        """Write params.yaml with `changes`; a value of None removes the key."""
        write_params(self.folder / "params.yaml", SMALL | dict(changes))
        document = params.read_yaml(self.folder / "params.yaml")
        for key in (key for key, value in changes.items() if value is None):
            *sections, name = key.split(".")
            place = document
            for section in sections:
                place = place[section]
            del place[name]
        self.write("params.yaml", json.dumps(document))

    def declare(self, **changes: Any) -> None:
        """Declare the source `mine` in sources.yaml: its `fetch`, its `parse` or anything else."""
        entry = {"title": "Mine (invented)", "roles": ["sentences"], "licence": "none"}
        named = {f"{name}.tsv": "f" * 64 for name in SIZES}
        fetched = {"kind": "path", "folder": "own", "files": named}
        entry |= {"fetch": fetched, "parse": {"format": "cola"}} | changes
        self.write("sources.yaml", json.dumps({"mine": entry, "other": entry}))

    def table(self, name: str, content: bytes | str, **recipe: Any) -> None:
        """Put a person's own table of the training set into raw/, and declare it."""
        self.write(f"raw/{name}", content)
        columns = {"text": "text", "label": "label"}
        common = {"format": "table", "files": {"in_domain_train": name}, "columns": columns}
        self.declare(parse=common | recipe)

    def archive(self, name: str, content: bytes, **recipe: Any) -> None:
        """Put an archive into raw/ and declare it: CoLA's as .zip, 20 Newsgroups' as .tar.gz."""
        self.write(f"raw/{name}", content)
        kind = "cola" if name.endswith(".zip") else "newsgroups-archive"
        roles = ["sentences", "documents"]
        self.declare(roles=roles, parse={"format": kind, "archive": name} | recipe)

    def serve(self, body: bytes | None, *acts: Act, promised: bytes, **changes: Any) -> Loopback:
        """Let a web server have `body`, after `acts`; sources.yaml promises the file `promised`."""
        server = self.resources.enter_context(Loopback())
        if body is not None:
            server.files["/a.zip"] = body
        server.acts["/a.zip"] = list(acts)
        place = {
            "kind": "url",
            "url": f"{server.url}/a.zip",
            "file": "a.zip",
            "sha256": [hashlib.sha256(promised).hexdigest()],
            "bytes": len(promised),
        }
        self.declare(fetch=place | changes)
        return server

    def wheel(self, content: bytes, *members: str) -> None:
        """Put a wheel of the right hash into a mirror, and declare `members` of it."""
        self.write("mirror/tiny_data-1.0-py3-none-any.whl", content)
        self.monkeypatch.setenv(published.MIRROR, "mirror")
        self.monkeypatch.setenv("PIP_NO_INDEX", "1")
        place = {
            "kind": "wheel",
            "wheel": "tiny-data==1.0",
            "sha256": hashlib.sha256(content).hexdigest(),
            "folder": "tiny/data",
            "members": list(members),
        }
        self.declare(fetch=place)

    def change_json(self, name: str, **changes: Any) -> None:
        """Change keys of a JSON file."""
        path = self.folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def change_table(self, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        """Change a Parquet table."""
        path = self.folder / name
        change(pd.read_parquet(path)).to_parquet(path)

    def remove(self, *names: str) -> None:
        """Remove files or folders of the project."""
        for name in names:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def mount(self, name: str, options: str) -> Path:
        """Mount a small file system at the folder `name`, for as long as the case takes."""
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("this system has no `mount`")
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
        self.resources.callback(subprocess.run, ["umount", "--lazy", str(place)], check=True)
        return place

    def remount_read_only(self, place: Path) -> None:
        """Let nobody write to a mounted file system any more."""
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)

    def run_as_nobody(self) -> None:
        """Run the command as a user for whom permissions hold, who owns the desk."""
        if os.name != "posix" or os.geteuid() != 0:
            return  # for this person they hold already
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        for path in self.folder.parents[:4]:  # pytest's own folders, which are root's alone
            path.chmod(path.stat().st_mode | 0o011)
        self.user = NOBODY

    # What a case is held to.

    def listing(self) -> dict[str, str]:
        """Return what lies in the project: a line for each file, folder and link, by its path."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if name.split("/")[0] == "cache":
                continue
            if path.is_symlink():
                found[name] = f"link to {path.readlink()}"
            else:
                found[name] = "folder" if path.is_dir() else files.sha256(path)
        return found

    def kept(self) -> dict[str, str]:
        """Return the SHA-256 of each file that the cache vouches for, by its name."""
        place = self.folder / "cache" / "sha256"
        return {path.name: files.sha256(path) for path in place.glob("*")}

    def run(self) -> int:
        """Run the case's command line and return its exit code."""
        stage = importlib.import_module(f"stages.{self.case.stage}")
        words = shlex.split(self.case.arguments or COMMANDS[self.case.stage])
        if self.case.stage in MEASURED:
            words += [] if "--metrics" in words else ["--metrics", "metrics.json"]
        words += [] if "--receipt" in words else ["--receipt", "receipt.json"]
        self.monkeypatch.setattr("sys.argv", [stage.__name__, *words])
        self.monkeypatch.setattr(params, "_READ", {})  # as in a new process
        handler = signal.getsignal(signal.SIGTERM)
        try:
            if self.user is not None:
                os.seteuid(self.user)
            console.run(stage.main)
        except SystemExit as stop:
            return stop.code
        finally:
            if self.user is not None:
                os.seteuid(0)
            signal.signal(signal.SIGTERM, handler)
        return 0

    def read_json(self, name: str = "metrics.json") -> dict[str, Any]:
        """Return what a JSON file of the project holds."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def read_table(self, name: str = "out") -> pd.DataFrame:
        """Return a Parquet table of the project."""
        return pd.read_parquet(self.folder / name)


def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to the desk's folder, with a cache of its own, no mirror, and no proxy to the server."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    monkeypatch.setenv(published.CACHE, str(folder / "cache"))
    monkeypatch.delenv(published.MIRROR, raising=False)
    for name, value in (("ATTEMPTS", 2), ("BACKOFF", 0), ("TIMEOUT", (2, 0.3))):
        monkeypatch.setattr(fetch, name, value)  # a test does not wait as long as a user


def lay_earlier_results(folder: Path, stage: str) -> None:
    """Put the results of an earlier run where the stage writes."""
    for name in ("metrics.json", "receipt.json"):
        (folder / name).write_bytes(EARLIER)
    if stage == "parse":
        (folder / "out").write_bytes(EARLIER)
        return
    with_tables = stage in ("evaluate", "analyze", "topic_words", "topic_stability")
    for name in ("out", "plots") if with_tables else ("out",):
        (folder / name).mkdir()
        (folder / name / "earlier.txt").write_bytes(EARLIER)


def build(folder: Path) -> Path:
    """Write the desk's project to `folder`: what every stage reads."""
    # Heavy libraries are imported where they are needed first.
    from bertline.encoders import loading
    from bertline.scoring.evaluation import PREDICTIONS
    from bertline.scoring.names import EPOCH
    from bertline.training import loop
    from stages import parse, split, tokenize

    write_params(folder / "params.yaml", SMALL)
    tiny.write_sentences(folder / "raw", SIZES)
    sentences = tiny.sentence_sets(SIZES)
    files.write_table(folder / "sentences.parquet", sentences, parse.SENTENCES)

    tiny.write_bert(folder / "encoder", pooling="mean")
    tokenizer = loading.load_tokenizer(folder / "encoder")
    ids = tokenize.tokenize(sentences["text"].tolist(), tokenizer)
    (folder / "tokens").mkdir()
    tokens = sentences.assign(windows=[[row] for row in ids])
    files.write_table(folder / "tokens" / "tokens.parquet", tokens, tokenize.TOKENS)
    settings = {"max_length": 64, "long_texts": "head", "labels": tiny.CLASSES}
    files.write_json(folder / "tokens" / "settings.json", settings)

    folds = sentences["set"].where(sentences["set"] != "in_domain_train", "train")
    folds[:10] = "validation"
    table = pd.DataFrame({"id": sentences["id"], "fold": folds})
    (folder / "folds").mkdir()
    files.write_table(folder / "folds" / "folds.parquet", table, split.FOLDS)

    model = loop.load_classifier(folder / "encoder", tiny.CLASSES)
    model.save_pretrained(folder / "models" / "1")
    history = [[1, 0.5, 0.5, 0.5, 0.0]]
    files.write_csv(folder / "models" / "1" / "history.csv", EPOCH, history)

    held_out = sentences.assign(set=folds)[folds != "train"].reset_index(drop=True)
    logits = [[0.0, 2.0 * label - 0.5] for label in held_out["label"]]
    predictions = held_out.assign(
        seed=1, predicted=1, logits=logits, probabilities=[[0.3, 0.7]] * len(held_out)
    )
    (folder / "predictions").mkdir()
    files.write_table(folder / "predictions" / "predictions.parquet", predictions, PREDICTIONS)
    files.write_csv(folder / "curves.csv", ("seed", *EPOCH), [[1, *history[0]]])
    listed = pd.DataFrame({"by": "source", "set": None, "value": sorted(set(sentences["source"]))})
    phenomena = listed.assign(label=None, major=[["all"]] * len(listed), minor=[[]] * len(listed))
    files.write_table(folder / "phenomena.parquet", phenomena, parse.PHENOMENA)

    _build_documents(folder)
    files.write_json(folder / "figures" / "split.json", {"folds": {}, "shared_sentences": {}})
    return folder


def _build_documents(folder: Path) -> None:
    """Write what the stages of topics read."""
    from bertline.topics.fitting import Clusters, TopicFit
    from bertline.topics.graph import search_exactly
    from stages import parse

    documents = tiny.documents(DOCUMENTS)
    documents.insert(0, "id", [f"d{number}" for number in range(DOCUMENTS)])
    documents = documents.assign(part="all", date=None)
    files.write_table(folder / "documents.parquet", documents, parse.DOCUMENTS)
    prose = documents.assign(text=tiny.prose(DOCUMENTS)["text"])
    files.write_table(folder / "prose.parquet", prose, parse.DOCUMENTS)
    vectors = 3 * np.eye(4, 16)[np.arange(DOCUMENTS) % 4]
    vectors += np.random.default_rng(0).normal(scale=0.3, size=vectors.shape)
    (folder / "vectors").mkdir()
    np.save(folder / "vectors" / "embeddings.npy", vectors.astype(np.float32))
    files.write_json(folder / "vectors" / "measures.json", planted.PIECES)

    # As topic_fit would write them: each group is a topic.
    topic = np.arange(DOCUMENTS) % 4
    table = pd.DataFrame({"id": documents["id"], "cluster": topic, "core_topic": topic})
    table = table.assign(probability=1.0, x=0.0, y=0.0)
    options = params.load(folder / "params.yaml", "topic_fit", TopicFit)
    (folder / "fitted").mkdir()
    near = search_exactly(vectors, options.neighbours_searched())
    Clusters(options, near, None, table).save(folder / "fitted")


def zipped(entries: Sequence[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """Return a zip archive with these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as bundle, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, data in entries:
            bundle.writestr(name, data)
    return content.getvalue()
