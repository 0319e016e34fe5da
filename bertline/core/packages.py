"""Keep what DVC knows of the environment true, and mend what a killed DVC left torn.

    python -m bertline.core.packages            # do it now, for the project in this folder
    python -m bertline.core.packages --install  # let every `dvc` command of this environment do it

Writes  packages.yaml, if a version there is not the one that is installed: stages list versions
        as parameters, and DVC compares files only. dvc.lock, cut back to its last whole entry,
        and .dvc/tmp/rwlock, removed, if a `kill -9` came while DVC wrote them: DVC writes both in
        place and refuses to go on. The stages of what is cut off run again.
Sets    DVC_SITE_CACHE_DIR, where it is not set, to a folder that is this person's alone: DVC reads
        pickles there, which can run code, and its own choice is a folder that all can write.

`--install` copies this module into the environment, with a line in a `.pth` file, which Python
reads at its start. It acts in front of `dvc` only and in folders with dvc.yaml and packages.yaml
only, reads them as data, and runs no code of the folder. Without it, or where it fails, `dvc` works
as ever, and every stage still refuses to run under versions that packages.yaml does not state.

The copy has to work on its own: this module imports nothing of the project.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import stat
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

PACKAGES = "packages.yaml"
# A package and its version, in quotes of either kind or in none, and what a person wrote behind it.
LINE = re.compile(
    r"""^(?P<indent> *)(?P<name>[A-Za-z0-9._-]+): +(?P<quote>["']?)(?P<version>[^"'#\n]*?)(?P=quote)"""
    r"(?P<rest> *(?:#.*)?)$",
    re.MULTILINE,
)
ABSENT = "not installed"

HEADER = "schema: '2.0'\nstages:\n"  # how DVC begins a dvc.lock
ENTRY = re.compile(r"^  \S", re.MULTILINE)  # where an entry of dvc.lock begins
CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)  # what a merge of git leaves
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
# What a tear can leave of `hash: md5`. DVC reads it, and fails on a hash of an unknown kind.
TORN_KINDS = ("m", "md")

SITE = "DVC_SITE_CACHE_DIR"
# Where DVC puts its database as well: a local disk, which a home on a network is not.
TEMPORARY = Path("/var/tmp")

HOOK = "bertline_environment"
# A .pth file runs lines that begin with `import`. Everything but `dvc` is left alone at once.
HOOK_LINE = (
    "import sys; any(word.rpartition('/')[2] in ('dvc', 'dvc.exe') for word in "
    f"sys.orig_argv[1:3]) and __import__('{HOOK}').before_dvc()\n"
)


def installed(package: str) -> str:
    """Return the version of a package in this environment, without the label of a build."""
    if package == "python":
        return ".".join(platform.python_version_tuple()[:2])
    try:
        # A torn installation leaves a folder without a version, or without anything.
        return (metadata.version(package) or ABSENT).partition("+")[0]
    except (metadata.PackageNotFoundError, TypeError):
        return ABSENT


def stated(root: Path) -> dict[str, str]:
    """Return the versions that packages.yaml of the project in `root` states."""
    text = (root / PACKAGES).read_text(encoding="utf-8")
    return {match["name"]: match["version"] for match in LINE.finditer(text)}


def refresh(root: Path) -> dict[str, tuple[str, str]]:
    """Write the installed versions to packages.yaml; return what changed, from and to."""
    path = root / PACKAGES
    text = path.read_text(encoding="utf-8")
    changed = {
        name: (version, found)
        for name, version in stated(root).items()
        if (found := installed(name)) != version
    }
    if changed:
        _replace(path, LINE.sub(_with_installed, text))
    return changed


def _with_installed(line: re.Match) -> str:
    return f'{line["indent"]}{line["name"]}: "{installed(line["name"])}"{line["rest"]}'


def mend(root: Path) -> list[str]:
    """Mend dvc.lock and DVC's own rwlock if they are torn; return a sentence for each.

    Nothing is touched while a DVC command of another process holds the project's lock.
    """
    temporary = root / ".dvc" / "tmp"
    with _lock(temporary / "lock") as free:
        if not free:
            return []
        return [*_mend_rwlock(temporary / "rwlock"), *_mend_lockfile(root / "dvc.lock")]


def keep_private(root: Path) -> list[str]:
    """Let DVC keep its database in a folder of this person's own; return a sentence if it cannot.

    A person's own choice, by the variable or in the project's configuration, is left alone.
    """
    configured = (root / ".dvc" / name for name in ("config", "config.local"))
    chosen = any("site_cache_dir" in path.read_text() for path in configured if path.is_file())
    if chosen or os.environ.get(SITE) or not hasattr(os, "getuid"):
        return []
    folder = TEMPORARY / f"dvc-{os.getuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as error:
        return [f"DVC's database may be open to others: {error}. Set {SITE} to a private folder."]
    # Whoever came first may have made it, or a link of its name to a folder of theirs.
    owned = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not owned or stat.S_IMODE(found.st_mode) & 0o077:
        return [
            f"DVC's database may be open to others: {folder} should be a folder that is yours "
            f"alone. Remove it, or set {SITE} to a private folder."
        ]
    os.environ[SITE] = str(folder)
    return []


def before_dvc() -> None:
    """Do all of it for the project that the current folder is in, if any, and tell what was done.

    Called at the start of every `dvc` command: whatever goes wrong here must not keep DVC from
    working, so problems are told and left.
    """
    try:
        here = Path.cwd()
        for root in (here, *here.parents):
            if (root / PACKAGES).is_file() and (root / "dvc.yaml").is_file():
                break
        else:
            return
    except OSError:  # a folder that is gone or closed: DVC says so itself
        return
    for act in (keep_private, mend, lambda root: describe(refresh(root))):
        try:
            sentences = act(root)
        except (OSError, ValueError) as error:  # ValueError: no text
            sentences = [f"{root}: what is done in front of dvc has failed, and is left: {error}"]
        for sentence in sentences:
            sys.stderr.write(f"{sentence}\n")


def describe(changed: dict[str, tuple[str, str]]) -> list[str]:
    """Return a sentence for each package whose version has changed."""
    return [f"{PACKAGES}: {name} was {old} and is {new}" for name, (old, new) in changed.items()]


def install(folder: Path) -> None:
    """Put a copy of this module and the line that calls it into an environment's packages."""
    source = Path(__file__).read_text(encoding="utf-8")
    _replace(folder / f"{HOOK}.py", source)
    _replace(folder / f"{HOOK}.pth", HOOK_LINE)


def is_whole(lockfile: str) -> bool:
    """Return whether the text of a dvc.lock is one that DVC accepts, as far as a tear can tell.

    True where that cannot be told, for want of PyYAML.
    """
    try:
        import yaml
    except ImportError:
        return True
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster in C
    try:
        content = yaml.load(lockfile, Loader=loader)  # noqa: S506 - both are safe loaders
    except yaml.YAMLError:
        return False
    except ValueError:  # a parameter that looks like a date and is none: no tear
        return True
    if not isinstance(content, dict) or content.get("schema") != "2.0":
        return False
    stages = content.get("stages", {})
    return isinstance(stages, dict) and all(map(_is_whole_entry, stages.values()))


def _is_whole_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("cmd"), str | list):
        return False
    params = entry.get("params", {})
    if not isinstance(params, dict) or not all(isinstance(of, dict) for of in params.values()):
        return False
    listed = [entry.get(key, []) for key in ("deps", "outs")]
    return all(isinstance(files, list) and all(map(_is_whole_file, files)) for files in listed)


def _is_whole_file(file: object) -> bool:
    # A key that is cut off has no value. Which keys there are is DVC's business.
    if not isinstance(file, dict) or None in file.values():
        return False
    return (
        isinstance(file.get("path"), str)
        and isinstance(file.get("hash", ""), str)
        and file.get("hash") not in TORN_KINDS
        and ("md5" not in file or MD5.fullmatch(str(file["md5"])) is not None)
        and all(isinstance(file.get(key, 0), int) for key in ("size", "nfiles"))
        and isinstance(file.get("isexec", True), bool)
    )


def _mend_lockfile(path: Path) -> list[str]:
    if not path.is_file():
        return []
    content = path.read_bytes()
    try:
        text, torn = content.decode(), False
    except UnicodeDecodeError as error:
        if error.end != len(content):  # not cut off within a letter, but no text at all
            return []
        text, torn = content[: error.start].decode(), True
    if CONFLICT.search(text) or (not torn and is_whole(text)):
        return []
    # Entries are in the order of writing, and the tear is in the last.
    starts = [match.start() for match in ENTRY.finditer(text)]
    before = text[: starts[-1]] if starts else text
    if HEADER.startswith(before.rstrip(" ")):  # with the indent of the first entry
        path.unlink()
        return ["dvc.lock was torn by a killed dvc: removed; its stages run again"]
    if not is_whole(before):  # this was no tear: leave it to a person
        return []
    _replace(path, before)
    return [
        f"dvc.lock was torn by a killed dvc: its {len(starts) - 1} whole entries are kept, and the "
        f"stages of the others run again"
    ]


def _mend_rwlock(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        path.unlink()
        return [f"{path} was torn by a killed dvc: removed"]
    return []


@contextlib.contextmanager
def _lock(path: Path):
    """Yield whether no DVC command holds the project's lock; hold it meanwhile."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield False
        return
    if not path.is_file():  # no DVC command has run here
        yield True
        return
    with path.open("r+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def main() -> None:
    """Do what the arguments say and tell what changed."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--install", action="store_true", help="set up every `dvc` command")
    args = arguments.parse_args()
    if args.install:
        install(Path(sysconfig.get_path("purelib")))
    before_dvc()


if __name__ == "__main__":
    main()
