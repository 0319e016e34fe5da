"""Run a stage as its command line does, with parameters that differ from the project's."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bertline.core import params

PROJECT = Path(__file__).parents[1]


def call(stage: ModuleType, *arguments: object) -> None:
    """Call the stage's `main` with these words on its command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [stage.__name__, *map(str, arguments)])
        patch.setattr(params, "_READ", {})  # as in a new process
        stage.main()


def write_params(path: Path, changes: Mapping[str, Any]) -> Path:
    """Write the project's params.yaml to `path` with `changes`, such as `{"train.epochs": 1}`."""
    document = params.read_yaml(PROJECT / "params.yaml")
    for key, value in changes.items():
        *sections, name = key.split(".")
        place = document
        for section in sections:
            place = place[section]
        place[name] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    return path
