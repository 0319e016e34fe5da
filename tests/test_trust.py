"""Nothing that Bertline reads or writes can run code: its own code, its outputs, its sources."""

import io
import json
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save as safetensors

from bertline.core import checkpoint, params
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.encoders import embedding, running
from bertline.sources.catalogue import CODE_ENDINGS
from bertline.training import loop
from stages import embed, train
from tests import scan
from tests.command import call
from tests.project import Project

MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("stages", "bertline", "minimal_pairs", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
# Tests that write a pickle, to show that it is refused, recognised or never read. BERTopic.load
# would read pickles where there is no safetensors: topic_model asks for those first.
MAKE_PICKLES = {
    "tests/training/test_loop.py": {"torch.save"},
    "tests/encoders/test_loading.py": {"torch.save"},
    "tests/stages/test_topic_words.py": {"BERTopic.load"},  # of safetensors
    "bertline/topics/model.py": {"BERTopic.load"},
    "bertline/runs/recorded.py": {"opened.extractall"},  # of an archive that git has just made
    "tests/test_trust.py": {"pickle"},
}
WEIGHTS = ".safetensors"
LOCAL = "local_files_only=True, trust_remote_code=False"


# --- code ---------------------------------------------------------------------------------------


def test_no_code_of_the_project_reads_or_writes_what_can_run_code():
    found = {}
    for module in MODULES:
        code = (ROOT / module).read_text(encoding="utf-8")
        risks = scan.risks(code, explicit=not module.startswith("tests/"))
        accepted = MAKE_PICKLES.get(module, set())
        found[module] = [risk for risk in risks if risk.partition(": ")[2] not in accepted]

    assert {module: risks for module, risks in found.items() if risks} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle as harmless",
        "from joblib import dump",
        "torch.load(path, weights_only=False)",
        "torch.save(state, path)",
        "np.load(path)",
        "np.load(path, allow_pickle=allowed)",
        "pd.read_pickle(path)",
        "yaml.load(text)",
        "yaml.load(text, Loader=getattr(yaml, 'UnsafeLoader'))",
        "YAML(typ='unsafe')",
        "eval(text)",
        "bundle.extractall(folder)",
        f"AutoModel.from_pretrained(folder, {LOCAL})",
        "AutoModel.from_pretrained(folder, use_safetensors=True, local_files_only=True)",
        "AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted)",
        f"SentenceTransformer(folder, {LOCAL})",
        "options = {'trust_remote_code': True}",
        "BERTopic.load(path)",
        "model.save(path, serialization='pickle')",
    ],
)
def test_the_scan_of_code_finds(code):
    assert len(scan.risks(code, explicit=True)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "re.compile(pattern)",
        "np.load(path, mmap_mode='r', allow_pickle=False)",
        "YAML(typ='safe', pure=True)",
        f"AutoModel.from_pretrained(folder, use_safetensors=True, {LOCAL})",
        f"AutoTokenizer.from_pretrained(folder, {LOCAL})",
    ],
)
def test_the_scan_of_code_lets_pass(code):
    assert scan.risks(code, explicit=True) == []


def test_a_colleague_s_model_that_asks_for_code_of_its_own_is_refused(tmp_path, monkeypatch):
    """Nobody is asked at the terminal, which is what transformers does where it is not told."""
    config = {"model_type": "theirs", "auto_map": {"AutoConfig": "theirs.Config"}}
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "config.json").write_text(json.dumps(config))
    (tmp_path / "1" / "theirs.py").write_text("open('ran', 'w')\nclass Config: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("a person is asked"))

    with pytest.raises(BertlineError, match="asks for code of its own, which is never run"):
        running.load_trained(tmp_path / "1")

    assert not (tmp_path / "ran").exists()


# --- bytes --------------------------------------------------------------------------------------


def npy(rows: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, rows)
    return stream.getvalue()


def parquet(cells: list[object]) -> bytes:
    return pd.DataFrame({"cell": cells}).to_parquet()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(safetensors({"a": torch.ones(3)}, {"history": "{}"}), "safetensors", id="st"),
        pytest.param(npy(np.ones((2, 3), np.float32)), "npy", id="npy"),
        pytest.param(parquet(["a", "b"]), "parquet", id="parquet"),
        pytest.param(b"id,text\n1,\xc3\xa9\n", "text", id="csv"),
        pytest.param(b".", "text", id="full-stop"),
    ],
)
def test_harmless_bytes_are_known(content, kind):
    assert scan.kind_of(content) == kind


# A header of an npy file by hand: numpy writes the objects behind it as a pickle.
OBJECTS = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(pickle.dumps({"a": [1, "x"]}, 0), "a pickle", id="pickle-0"),
        pytest.param(pickle.dumps({"a": [1, "x"]}), "a pickle", id="pickle"),
        pytest.param(
            b"\x93NUMPY\x01\x00v\x00" + OBJECTS, "npy file of objects", id="npy-of-objects"
        ),
        pytest.param(
            parquet([b"bytes", b"others"]), "column cell can hold pickles", id="parquet-of-bytes"
        ),
        pytest.param(b"\x1f\x8b\x08\x00rest", "can't decode", id="unknown"),
    ],
)
def test_bytes_that_can_run_code_or_are_unknown_are_told(content, reason):
    with pytest.raises(ValueError, match=reason):
        scan.kind_of(content)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # of texts read as if pickles
@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("data", {"safetensors", "npy", "parquet", "png", "text"}),
        (".dvc/cache", {"safetensors", "npy", "parquet", "png", "text"}),
        ("metrics", {"text"}),
        ("own", {"safetensors", "text"}),
    ],
)
def test_every_file_of_a_run_is_of_a_harmless_kind(made_project: Project, below, expected):
    kinds, wrong = scan.scan(made_project.folder / below)

    assert wrong == []
    assert set(kinds) == expected


@pytest.mark.slow
def test_what_is_kept_of_a_person_and_of_interrupted_stages_is_harmless(
    made_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, settings = made_project.folder / "data", made_project.folder / "params.yaml"
    monkeypatch.setenv(checkpoint.VARIABLE, "0")
    suspend, embed_all = loop.suspend, embedding.embed
    (tmp_path / "kept").mkdir()

    def keep_training(path: Path, *arguments: object) -> None:
        suspend(path, *arguments)
        shutil.copy(path, tmp_path / "kept")

    def keep_embedding(*arguments: object, **options: object) -> object:
        found = embed_all(*arguments, **options)
        shutil.copytree(found[0].parent, tmp_path / "kept" / "embed")
        return found

    monkeypatch.setattr(loop, "suspend", keep_training)
    monkeypatch.setattr(embedding, "embed", keep_embedding)
    monkeypatch.chdir(made_project.folder)  # its packages.yaml
    inputs = [data / "tokenize", data / "split", data / "adapt"]
    call(train, 1, *inputs, tmp_path / "train", "--params", settings)
    inputs = [data / "parse" / "documents.parquet", data / "download" / "embedder"]
    call(embed, *inputs, tmp_path / "embed", "--params", settings)

    assert scan.scan(tmp_path / "kept") == ({"npy": 1, "safetensors": 1, "text": 1}, [])
    kept = Path(made_project.environment["BERTLINE_CACHE"])
    assert scan.scan(kept)[1] == []


# --- sources ------------------------------------------------------------------------------------


def sources() -> dict[str, dict]:
    return params.read_yaml(ROOT / "sources.yaml")


def names_of(fetch: dict) -> list[str]:
    """Return the names of the files that a source lays down."""
    named = fetch.get("files", fetch.get("members", []))
    return [*named, *([fetch["file"]] if "file" in fetch else [])]


@pytest.mark.parametrize(("name", "source"), sources().items(), ids=sources())
def test_sources_are_pinned_and_hold_no_code(name, source):
    fetch = source["fetch"]
    hashes = [*fetch.get("files", {}).values()] if fetch["kind"] != "wheel" else []
    hashes += fetch["sha256"] if isinstance(fetch.get("sha256"), list) else [fetch.get("sha256")]
    hashes = [digest for digest in hashes if digest is not None]
    assert hashes and all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in hashes)
    assert names_of(fetch) and not [
        file for file in names_of(fetch) if file.lower().endswith(CODE_ENDINGS)
    ]
    if {"backbone", "embedder"} & set(source["roles"]):
        large = [file for file in names_of(fetch) if file.endswith(WEIGHTS)]
        assert large == ["model.safetensors"]
    if fetch["kind"] == "hub":
        assert re.fullmatch(r"[0-9a-f]{40}", fetch["revision"])
