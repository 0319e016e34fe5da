"""A made-up run of four stages, as DVC and the receipts record it, for tests to change."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertline.core import hashes

MACHINE = {
    "processor": "AMD EPYC",
    "instruction_sets": ["avx2", "fma", "avx512f"],
    "libraries": ["openblas 0.3.30 SkylakeX"],
    "python": "3.11.7",
    "threads": 2,
}
ROWS = "data/parse/documents.parquet"


@dataclass
class Story:
    """What the stages read and wrote, and on what machine."""

    code: dict[str, str] = field(
        default_factory=lambda: {
            **{f"stages/{name}.py": name for name in ("download", "parse", "train", "embed")},
            "bertline/core/console.py": "console",
            "bertline/core/files.py": "files",
            "bertline/core/__pycache__/files.pyc": "left out",
        }
    )
    fetch: dict[str, Any] = field(
        default_factory=lambda: {"kind": "path", "folder": "own/a", "files": {"a.csv": "aa" * 32}}
    )
    source: str = "corpus"
    parse: dict[str, Any] = field(default_factory=lambda: {"empty": "keep"})
    train: dict[str, Any] = field(default_factory=lambda: {"epochs": 2, "learning_rate": 1e-4})
    packages: dict[str, Any] = field(
        default_factory=lambda: {
            "core": {"python": "3.11", "numpy": "2.4.6"},
            "encoders": {"torch": "2.13.0"},
        }
    )
    machine: dict[str, Any] = field(default_factory=lambda: dict(MACHINE))
    installed: dict[str, str] = field(
        default_factory=lambda: {"numpy": "2.4.6", "torch": "2.13.0+cpu", "Jinja2": "3.1.6"}
    )
    raw: str = "a text"
    rows: str = "a row"
    weights: str = "weights"
    mcc: float = 0.5
    vectors: str = "vectors"
    seeds: tuple[int, ...] = (1,)

    def stages(self) -> dict[str, tuple[str, list[str], dict[str, Any], dict[str, str]]]:
        """Return by stage its script, inputs, parameters by file, and outputs with content."""
        sources = {f"{self.source}.fetch": self.fetch, f"{self.source}.roles": ["documents"]}
        raw = {
            "data/download/documents/a.csv": self.raw,
            "metrics/download/documents.json": json.dumps({"bytes": len(self.raw)}),
        }
        rows = {ROWS: self.rows, "metrics/parse/documents.json": '{"kept": 1}'}
        parse = {"params.yaml": {"parse.documents": self.parse}}
        train = {"params.yaml": {"train": self.train}}
        figures = json.dumps({"epochs": [{"epoch": 1, "validation_mcc": self.mcc}]})
        return {
            "download@documents": ("download", [], {"sources.yaml": sources}, raw),
            "parse@documents": ("parse", ["data/download/documents"], parse, rows),
            "embed": ("embed", [ROWS], {}, {"data/embed/vectors.npy": self.vectors}),
            **{
                f"train@{seed}": (
                    "train",
                    [ROWS],
                    train,
                    {
                        f"data/train/{seed}/model": self.weights,
                        f"metrics/train/{seed}.json": figures,
                    },
                )
                for seed in self.seeds
            },
        }

    def write(self, folder: Path) -> Path:
        """Write the run as a project's folder has it after `dvc repro`."""
        for path, content in self.code.items():
            write(folder / path, content)
        lock = {}
        for name, (script, inputs, parameters, outputs) in self.stages().items():
            for path, content in outputs.items():
                write(folder / path, content)
            # Folders are outputs as a whole.
            whole = ("metrics/", ROWS)
            outs = [path if path.startswith(whole) else path.rpartition("/")[0] for path in outputs]
            own = f"stages/{script}.py"
            source = self.source if script == "download" else ""
            lock[name] = {
                "cmd": f"python -m stages.{script} {source} --receipt metrics/receipts/{name}.json",
                "deps": [hashed(folder, path) for path in [own, "bertline/core", *inputs]],
                "params": {**parameters, "packages.yaml": self.packages},
                "outs": [hashed(folder, path) for path in outs],
            }
            room = hashes.listing(folder / "bertline/core")
            receipt = {
                **self.machine,
                "stage": name,
                "parameters": {k: v for keys in parameters.values() for k, v in keys.items()},
                "inputs": {path: hashes.md5(folder / path) for path in inputs},
                "outputs": {path: hashes.md5(folder / path) for path in outs},
                "code": {own: hashes.md5(folder / own)}
                | {f"bertline/core/{path}": md5 for path, md5 in room.items()},
                "packages": self.installed,
            }
            write_json(folder / f"metrics/receipts/{name}.json", receipt)
        own_source = {"fetch": self.fetch, "roles": ["documents"]}
        write_json(folder / "sources.yaml", {self.source: own_source})
        write_json(folder / "packages.yaml", self.packages)
        parse = {"documents": self.parse}
        write_json(folder / "params.yaml", {"train": self.train, "parse": parse})
        write_json(folder / "dvc.lock", {"schema": "2.0", "stages": lock})
        return folder


def hashed(folder: Path, path: str) -> dict[str, str | None]:
    """Return an entry of dvc.lock for a file or folder."""
    return {"path": path, "hash": "md5", "md5": hashes.md5(folder / path)}


def write(path: Path, content: str) -> None:
    """Write a file, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def write_json(path: Path, content: object) -> None:
    """Write a JSON file, its folder too."""
    write(path, json.dumps(content))


def edit(path: Path, change: Any) -> None:
    """Change a JSON file in place by a function."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    write_json(path, content)
