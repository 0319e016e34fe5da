"""Write the installed versions of the packages to packages.yaml.

    bertline packages

DVC compares files only, so stages list the versions of the packages that decide their result as
parameters in packages.yaml. `make repro` refreshes the file first; after an upgrade by pip, run
this before `dvc repro` or `dvc status`. A stage refuses to run under versions that the file does
not state.
"""

import platform
import re
from importlib import metadata
from pathlib import Path

from bertline.core import console
from bertline.core.errors import BertlineError

PACKAGES = "packages.yaml"
# A package and its version, in quotes of either kind or in none, and a comment behind it.
LINE = re.compile(
    r"""^(?P<indent> *)(?P<name>[A-Za-z0-9._-]+): +(?P<quote>["']?)(?P<version>[^"'#\n]*?)(?P=quote)"""
    r"(?P<rest> *(?:#.*)?)$",
    re.MULTILINE,
)
ABSENT = "not installed"


def installed(package: str) -> str:
    """Return the version of a package in this environment, without the label of a build.

    `python` is the language, without its patch level.
    """
    if package == "python":
        return ".".join(platform.python_version_tuple()[:2])
    try:
        # A torn installation leaves a folder without a version.
        return (metadata.version(package) or ABSENT).partition("+")[0]
    except (metadata.PackageNotFoundError, TypeError):
        return ABSENT


def stated(root: Path) -> dict[str, str]:
    """Return the versions that packages.yaml of the project in `root` states."""
    text = (root / PACKAGES).read_text(encoding="utf-8")
    return {match["name"]: match["version"] for match in LINE.finditer(text)}


def differing(root: Path) -> dict[str, tuple[str, str]]:
    """Return the packages whose stated version is not the installed one: stated, installed."""
    return {
        name: (version, found)
        for name, version in stated(root).items()
        if (found := installed(name)) != version
    }


def refresh(root: Path) -> dict[str, tuple[str, str]]:
    """Write the installed versions to packages.yaml; return what changed, from and to."""
    changed = differing(root)
    if changed:
        path = root / PACKAGES
        text = LINE.sub(_with_installed, path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    return changed


def _with_installed(line: re.Match[str]) -> str:
    return f'{line["indent"]}{line["name"]}: "{installed(line["name"])}"{line["rest"]}'


def main() -> None:
    """Refresh packages.yaml in this folder and print each version that changed."""
    console.parser(__doc__).parse_args()
    if not Path(PACKAGES).is_file():
        raise BertlineError(
            f"{PACKAGES} does not exist here. Run the command in the project's folder."
        )
    for name, (old, new) in refresh(Path()).items():
        console.log(f"{PACKAGES}: {name} was {old} and is {new}")


if __name__ == "__main__":
    console.run(main)
