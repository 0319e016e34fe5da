"""Which files of the project a stage's result can depend on, derived from its code.

`python -m bertline.core.dependencies` prints the deps of every stage, to paste into dvc.yaml; a test holds
that they are there. The receipts carry the hash of each.
"""

import ast
import sys
from pathlib import Path

from bertline.core import hashes, params

ROOT = Path(__file__).parents[2]
STAGES = "stages"
PACKAGES = ("stages", "bertline", "minimal_pairs", "benchmarks")
SCRIPTS = ("stages", "benchmarks")  # where a script that writes a receipt may lie
CODE = ("stages", "bertline", "minimal_pairs")  # deps of dvc.yaml below these are code


def scripts() -> list[Path]:
    """Return the scripts of the stages and of the other commands, in order of their names."""
    return [
        path
        for path in sorted((ROOT / STAGES).glob("*.py"))
        if "console.run(main)" in path.read_text(encoding="utf-8").split("__name__")[-1]
    ]


def closure(script: Path) -> set[str]:
    """Return the modules that a script imports, directly or not, and their data files.

    Paths are relative to the project, as a stage's deps have to name them.
    """
    modules = imported_files(script)
    return {path.as_posix() for path in modules | read_data_files(modules)}


def hashed(stage: str) -> dict[str, str]:
    """Return the MD5 of every file of a stage's code, by its path: the code deps of its dvc.yaml.

    Folders are expanded to their files, so that DVC's hash of a folder can be computed again
    (`hashes.of_listing`). Where the working folder has no dvc.yaml with this stage, the code is
    what the stage's script imports.

    stage: its name; an item behind an `@` does not count.
    """
    name = stage.partition("@")[0]
    declared = declared_code(Path(), name)
    if declared is None:
        script = next(
            path for folder in SCRIPTS if (path := ROOT / folder / f"{name}.py").is_file()
        )
        return {path: hashes.of_file(ROOT / path) for path in sorted(closure(script))}
    found: dict[str, str] = {}
    for dependency in map(Path, declared):
        if dependency.is_dir():
            listed = hashes.listing(dependency)
            found |= {(dependency / path).as_posix(): md5 for path, md5 in listed.items()}
        elif dependency.is_file():
            found[dependency.as_posix()] = hashes.of_file(dependency)
    return dict(sorted(found.items()))


def declared_code(project: Path, stage: str) -> list[str] | None:
    """Return the code deps of a stage in a project's dvc.yaml, or None if it has no such stage."""
    path = project / "dvc.yaml"
    if not path.is_file():
        return None
    entry = params.read_yaml(path).get("stages", {}).get(stage.replace("_", "-"))
    if entry is None:
        return None
    deps = entry.get("do", entry).get("deps", [])  # `do` under `foreach`
    return [path for path in deps if path.partition("/")[0] in CODE]


def imported_files(path: Path) -> set[Path]:
    """Return the first-party files that the module at `path` imports, itself among them.

    Packages' `__init__.py` are left out: a test holds that they contain a docstring only.
    """
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        waiting += [file for name in _imported_names(current) if (file := _file_of(name))]
    return {file.relative_to(ROOT) for file in found if file.name != "__init__.py"}


def read_data_files(modules: set[Path]) -> set[Path]:
    """Return the data files beside the modules whose names occur as strings in their code."""
    found = set()
    for module in modules:
        strings = {
            node.value
            for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        beside = (ROOT / module).parent
        for file in beside.iterdir():
            if file.is_file() and file.suffix != ".py" and file.name in strings:
                found.add(file.relative_to(ROOT))
    return found


def _imported_names(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.partition(".")[0] in PACKAGES}


def _file_of(name: str) -> Path | None:
    file = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    return file if file.is_file() else None


if __name__ == "__main__":
    for script in scripts():
        sys.stdout.write(f"{script.stem}:\n")
        for dependency in sorted(closure(script)):
            sys.stdout.write(f"        - {dependency}\n")
