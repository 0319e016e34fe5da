"""Environments of Python that take no installation, for tests of what is done in every one.

Such an environment is one that `python -m venv` makes, with its own folder of packages, where
tests put packages that need only a name and a version, in front of another environment's.
"""

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from bertline.core.dependencies import ROOT

NEW = "99.0"


@dataclass(frozen=True)
class Light:
    """An environment: its interpreter and its folder of packages."""

    python: Path
    packages: Path


def packages() -> Path:
    """Return the folder of packages of the environment that the tests run in."""
    return Path(sysconfig.get_path("purelib"))


def make(folder: Path, *, below: Path | None = None) -> Light:
    """Make an environment in `folder`; `below` is a folder of packages that it has as well.

    Only the modules of that folder are seen: what its .pth files do is not done.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    made = Light(folder / "bin" / "python", folder / "lib" / version / "site-packages")
    if below is not None:
        (made.packages / "below.pth").write_text(f"{below}\n", encoding="utf-8")
    return made


def install_hook(light: Light) -> None:
    """Do what `make install` does after pip, in a folder that is no project."""
    script = light.packages.parent / "environment.py"
    shutil.copyfile(ROOT / "stages" / "environment.py", script)
    subprocess.run([light.python, script, "--install"], cwd=light.packages, check=True)


def upgrade(light: Light, name: str, version: str = NEW) -> None:
    """Put a package's name and version in front, and nothing of the package."""
    folder = light.packages / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "METADATA").write_text(text, encoding="utf-8")
