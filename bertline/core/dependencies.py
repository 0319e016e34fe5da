"""The files of the project that a stage's result can depend on, by dvc.yaml and by imports.

    python -m bertline.core.dependencies

prints the needless re-runs of each stage: files that its deps in dvc.yaml cover and that it does
not import, and packages of its groups in packages.yaml that its last run did not import. Tests hold
that deps cover everything that is imported, and that each needless re-run has its reason.
"""

import ast
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bertline.core import console, hashes, params

ROOT = Path(__file__).parents[2]
FIRST_PARTY = ("stages", "bertline", "minimal_pairs", "benchmarks")
CODE = ("stages", "bertline")  # deps of dvc.yaml below these are code


# --- what dvc.yaml lists --------------------------------------------------------------------------


def code_of(stage: str) -> tuple[Path, list[str]]:
    """Return the code that a stage consists of: a folder, and the files and folders below it.

    These are the code deps of the stage in dvc.yaml; where the working folder has no dvc.yaml with
    this stage, what the stage's script imports. stage: its name; an item behind an `@` does not
    count.
    """
    name = stage.partition("@")[0]
    entry = stages(Path()).get(name.replace("_", "-"))
    if entry is not None:
        return Path(), code_deps(entry)
    return ROOT, sorted(closure(ROOT / "stages" / f"{name}.py"))


def hashed(root: Path, code: Iterable[str]) -> dict[str, str]:
    """Return the MD5 of every file of the code that `code_of` returned, by its path.

    Folders are expanded to their files, so that DVC's hash of a folder can be computed again
    (`hashes.of_listing`).
    """
    return {path: hashes.of_file(root / path) for path in sorted(expand(code, root))}


def stages(project: Path) -> dict[str, dict[str, Any]]:
    """Return the stages in a project's dvc.yaml by name, a foreach stage as its template."""
    path = project / "dvc.yaml"
    if not path.is_file():
        return {}
    entries = params.read_yaml(path).get("stages", {})
    return {name: entry.get("do", entry) for name, entry in entries.items()}


def code_deps(entry: Mapping[str, Any]) -> list[str]:
    """Return the deps of a stage that are code."""
    return [path for path in entry.get("deps", ()) if path.partition("/")[0] in CODE]


def expand(dependencies: Iterable[str], project: Path) -> set[str]:
    """Return the files that these deps cover: folders as DVC reads them, files as they are."""
    found = set()
    for dependency in dependencies:
        path = project / dependency
        if path.is_dir():
            found |= {f"{dependency}/{name}" for name in hashes.files_below(path)}
        elif path.is_file():
            found.add(dependency)
    return found


def groups(entry: Mapping[str, Any]) -> list[str]:
    """Return the groups of packages.yaml that a stage lists as parameters."""
    listed = [item for item in entry.get("params", ()) if isinstance(item, dict)]
    return [group for item in listed for group in item.get("packages.yaml", ())]


# --- what code imports ----------------------------------------------------------------------------


def script_of(entry: Mapping[str, Any]) -> Path:
    """Return the script that a stage's command runs, relative to the project."""
    (module,) = re.findall(r"python -m (\S+)", entry["cmd"])
    return Path(*module.split(".")).with_suffix(".py")


def closure(script: Path) -> set[str]:
    """Return the first-party files that a script imports, directly or not, and their data files.

    Paths are relative to the project. `__init__.py` are left out: a test holds that they contain a
    docstring only.
    """
    modules = imported_files(script)
    return {path.as_posix() for path in modules | read_data_files(modules)}


def imported_files(path: Path) -> set[Path]:
    """Return the first-party modules that the module at `path` imports, itself among them."""
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
    return {name for name in names if name.partition(".")[0] in FIRST_PARTY}


def _file_of(name: str) -> Path | None:
    file = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    return file if file.is_file() else None


# --- needless re-runs -----------------------------------------------------------------------------


def needless_files(entry: Mapping[str, Any]) -> set[str]:
    """Return the files that a stage's code deps cover and that its script does not import."""
    covered = {path for path in expand(code_deps(entry), ROOT) if not path.endswith("__init__.py")}
    return covered - closure(ROOT / script_of(entry))


def needless_packages(entry: Mapping[str, Any], receipt: Path) -> set[str]:
    """Return the packages of a stage's groups that the run with this receipt did not import."""
    stated = params.read_yaml(ROOT / "packages.yaml")
    listed = {package for group in groups(entry) for package in stated[group]} - {"python"}
    return listed - set(json.loads(receipt.read_text(encoding="utf-8"))["packages"])


def main() -> None:
    """Print a line for each stage with needless re-runs."""
    console.parser(__doc__).parse_args()
    for name, entry in stages(ROOT).items():
        needless = sorted(needless_files(entry))
        stem = name.replace("-", "_")
        for receipt in sorted((ROOT / "metrics" / "receipts").glob(f"{stem}*.json"))[:1]:
            needless += sorted(needless_packages(entry, receipt))
        if needless:
            console.log(f"{name}: {', '.join(needless)}")


if __name__ == "__main__":
    console.run(main)
