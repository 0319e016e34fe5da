"""What is done in front of every `dvc`: versions, torn files, a database of one's own."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.lock import make_lock
from dvc.repo import Repo
from ruamel.yaml import YAML

from bertline.core import packages as environment
from bertline.core.dependencies import ROOT
from bertline.core.packages import SITE
from tests import light

# As DVC wrote it, but for the names: two entries, with all that a pipeline of files records.
LOCK = """\
schema: '2.0'
stages:
  split:
    cmd: python -m stages.split data/tokenize data/split --metrics metrics/split.json
      --receipt metrics/receipts/split.json
    deps:
    - path: data/tokenize
      hash: md5
      md5: 98ea3f002bec94626eefa5c6cd66ab55.dir
      size: 17148
      nfiles: 2
    params:
      packages.yaml:
        python: '3.11'
    outs:
    - path: metrics/split.json
      hash: md5
      md5: 5d951d8828404f3c1dcde671e9e3afc7
      size: 708
  train@1:
    cmd: python -m stages.train 1
    deps:
    - path: data/größe
      hash: md5
      md5: 0d951d8828404f3c1dcde671e9e3afc7
      size: 12
      isexec: true
    params:
      params.yaml:
        train:
          keep: last
          rate: 0.0001
          on: []
    outs:
    - path: data/train/1
      hash: md5
      md5: 1d951d8828404f3c1dcde671e9e3afc7.dir
      size: 99
      nfiles: 3
"""
SECOND = LOCK.index("  train@1:")


def make_project(folder: Path, packages: str = 'numpy: "0.1"\n') -> Path:
    """Write what a project is known by."""
    folder.mkdir(exist_ok=True)
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / environment.PACKAGES).write_text(packages, encoding="utf-8")
    return folder


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the versions that are installed, to set."""
    installed = {"numpy": "2.4.6", "scikit-learn": "1.9.1", "python": "3.11"}
    monkeypatch.setattr(
        environment, "installed", lambda name: installed.get(name, environment.ABSENT)
    )
    return installed


# --- packages.yaml ------------------------------------------------------------------------------


def test_refresh_writes_what_is_installed_and_keeps_every_comment(tmp_path, versions):
    text = (
        "# Versions of packages\n\n# arrays\n"
        'numpy: "2.4.6"\nscikit-learn: "1.8.0"  # was 1.7\n'
        "# written by a person\npython: '3.10'\ntorch: 2.13.0 # ü\n"
    )
    make_project(tmp_path, text)

    changed = environment.refresh(tmp_path)

    assert changed == {
        "scikit-learn": ("1.8.0", "1.9.1"),
        "python": ("3.10", "3.11"),
        "torch": ("2.13.0", "not installed"),
    }
    assert (tmp_path / "packages.yaml").read_text(encoding="utf-8") == (
        "# Versions of packages\n\n# arrays\n"
        'numpy: "2.4.6"\nscikit-learn: "1.9.1"  # was 1.7\n'
        '# written by a person\npython: "3.11"\ntorch: "not installed" # ü\n'
    )
    assert environment.stated(tmp_path)["torch"] == "not installed"
    assert environment.refresh(tmp_path) == {}


def test_a_file_that_is_true_is_not_written(tmp_path, versions):
    make_project(tmp_path, "numpy: 2.4.6\n")
    before = (tmp_path / "packages.yaml").stat()

    assert environment.refresh(tmp_path) == {}
    assert (tmp_path / "packages.yaml").stat().st_ino == before.st_ino
    assert (tmp_path / "packages.yaml").read_text() == "numpy: 2.4.6\n"


def test_every_key_of_the_projects_packages_is_kept_true():
    """One in a spelling that the hook does not know would never change."""
    assert environment.stated(ROOT) == YAML(typ="safe").load(ROOT / "packages.yaml")


def test_builds_of_one_version_are_one(monkeypatch):
    monkeypatch.setattr(environment.metadata, "version", lambda name: "2.13.0+cu130")
    assert environment.installed("torch") == "2.13.0"


@pytest.mark.parametrize("content", [None, "Name: torn-package\n"], ids=["empty", "no version"])
def test_a_torn_installation_counts_as_none(tmp_path, monkeypatch, content):
    folder = tmp_path / "torn_package-1.0.dist-info"
    folder.mkdir()
    if content:
        (folder / "METADATA").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))

    assert environment.installed("torn-package") == environment.ABSENT
    assert environment.installed("no-such-package") == environment.ABSENT


# --- dvc.lock -----------------------------------------------------------------------------------


def is_accepted(path: Path) -> bool:
    """Return whether DVC itself reads a dvc.lock, and knows the hashes that it names."""
    with Repo(str(path.parent), uninitialized=True) as repo:
        try:
            content = Lockfile(repo, str(path)).load()
        except DvcException:
            return False
    stages = (content.get("stages") or {}).values()
    listed = [file for entry in stages for key in ("deps", "outs") for file in entry.get(key, ())]
    return all(file.get("hash", "md5") == "md5" for file in listed)


def test_a_dvc_lock_that_is_torn_anywhere_is_mended_and_keeps_its_whole_entries(tmp_path):
    yaml = YAML(typ="safe")
    entries = yaml.load(LOCK)["stages"]
    path = tmp_path / "dvc.lock"
    content, second = LOCK.encode(), len(LOCK[:SECOND].encode())
    judged: dict[bytes, bool] = {}
    mended = 0
    for length in range(len(content)):
        torn = content[:length]
        path.write_bytes(torn)
        mended += bool(environment.mend(tmp_path))
        left = path.read_bytes() if path.exists() else b""
        if left not in judged:
            judged[left] = left == b"" or is_accepted(path)
        assert judged[left], torn[-60:]
        assert left == torn or torn.startswith(left)
        if length >= second:
            assert yaml.load(left)["stages"]["split"] == entries["split"], torn[-60:]
        path.unlink(missing_ok=True)
    assert mended > 400  # the others end where a line or a word could as well
    assert [file.name for file in tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "text",
    [
        LOCK,
        LOCK.replace("      hash: md5\n", ""),
        LOCK.replace("isexec: true", "etag: 0af\n      version_id: x"),
        LOCK.replace("      isexec: true\n", "      cloud:\n        s3:\n          etag: 0af\n"),
        LOCK.replace("      isexec: true\n", "      files:\n      - relpath: a\n        size: 1\n"),
        LOCK.replace("keep: last", "keep: 2026-99-99"),
        ROOT.joinpath("dvc.lock").read_text(encoding="utf-8"),
        "schema: '2.0'\n",
        f"{LOCK[:SECOND]}<<<<<<< HEAD\n{LOCK[SECOND:]}=======\n  x: 1\n>>>>>>> other\n",
        f"{LOCK}<<<<<<< HEAD\n",
        LOCK.replace("cmd: python -m stages.split", "cmd: [python"),
        "nobody knows what this is\n",
    ],
    ids=[
        "as DVC writes it",
        "as DVC 2 wrote it",
        "hashes of a cloud",
        "a remote with versions",
        "files with versions",
        "no date",
        "the project's",
        "empty",
        "a conflict",
        "a conflict at the end",
        "a mistake in the middle",
        "another text",
    ],
)
def test_a_dvc_lock_that_no_kill_has_torn_is_not_touched(tmp_path, text):
    path = tmp_path / "dvc.lock"
    path.write_text(text, encoding="utf-8")
    before = path.stat()

    assert environment.mend(tmp_path) == []
    assert path.read_text(encoding="utf-8") == text
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_bytes_that_are_no_text_are_left_to_dvc(tmp_path):
    (tmp_path / "dvc.lock").write_bytes(b"schema: '2.0'\n\xff\xfe\nstages:\n")

    assert environment.mend(tmp_path) == []
    assert (tmp_path / "dvc.lock").exists()


@pytest.mark.parametrize("content", [b"", b'{"a": [', b"\xff"], ids=["empty", "torn", "no text"])
def test_a_torn_rwlock_is_removed_and_a_whole_one_is_kept(tmp_path, content):
    folder = tmp_path / ".dvc" / "tmp"
    folder.mkdir(parents=True)
    (folder / "rwlock").write_bytes(content)

    assert environment.mend(tmp_path) == [f"{folder / 'rwlock'} was torn by a killed dvc: removed"]
    assert not (folder / "rwlock").exists()

    (folder / "rwlock").write_text('{"data": {"write": {"pid": 1}}}')
    assert environment.mend(tmp_path) == []
    assert (folder / "rwlock").exists()


def test_nothing_is_mended_while_a_dvc_holds_the_projects_lock(tmp_path):
    """DVC writes both files in place: to another process they look torn for a moment."""
    folder = tmp_path / ".dvc" / "tmp"
    folder.mkdir(parents=True)
    (tmp_path / "dvc.lock").write_text(LOCK[:-5])
    (folder / "rwlock").write_text("{")
    program = (
        "import sys; from dvc.lock import make_lock\n"
        "with make_lock(sys.argv[1], tmp_dir=sys.argv[2]):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, folder / "lock", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        assert environment.mend(tmp_path) == []
        assert (tmp_path / "dvc.lock").read_text() == LOCK[:-5]
        assert (folder / "rwlock").read_text() == "{"
    finally:
        holder.communicate()

    assert len(environment.mend(tmp_path)) == 2
    with make_lock(str(folder / "lock"), tmp_dir=str(folder)):  # it is not held any more
        pass


# --- in front of a command ----------------------------------------------------------------------


def test_both_are_done_from_any_folder_of_the_project(tmp_path, monkeypatch, capsys, versions):
    make_project(tmp_path)
    (tmp_path / "dvc.lock").write_text(LOCK[:-5])
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")

    environment.before_dvc()

    assert capsys.readouterr().err.splitlines() == [
        "dvc.lock was torn by a killed dvc: its 1 whole entries are kept, and the stages of the "
        "others run again",
        "packages.yaml: numpy was 0.1 and is 2.4.6",
    ]
    environment.before_dvc()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("missing", ["dvc.yaml", "packages.yaml"])
def test_nothing_is_done_in_another_project(tmp_path, monkeypatch, capsys, missing):
    make_project(tmp_path)
    (tmp_path / "dvc.lock").write_text("{")
    (tmp_path / missing).unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)

    environment.before_dvc()

    assert capsys.readouterr().err == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_that_cannot_be_read_are_told_of_and_do_not_stop_dvc(tmp_path, monkeypatch, capsys):
    make_project(tmp_path)
    (tmp_path / "packages.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "dvc.lock").mkdir()
    (tmp_path / ".dvc" / "tmp" / "rwlock").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    environment.before_dvc()

    assert "has failed, and is left: " in capsys.readouterr().err

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "packages.yaml")

    monkeypatch.setattr(Path, "read_text", refuse)
    environment.before_dvc()
    assert "has failed, and is left: [Errno 13] Permission denied" in capsys.readouterr().err


def test_a_folder_that_is_gone_does_not_stop_dvc(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    environment.before_dvc()


# --- which commands -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> light.Light:
    """Return an environment with the hook and with a `dvc` that does nothing."""
    made = light.make(tmp_path_factory.mktemp("hooked") / "an environment")
    light.install_hook(made)
    for name in ("dvc", "other"):
        (made.packages / name).mkdir()
        (made.packages / name / "__main__.py").write_text(f"print('{name}')\n")
        script = made.python.with_name(name)
        # a shebang cannot name a path with a space: the shell starts it, as pip has it
        script.write_text(
            f"#!/bin/sh\n'''exec' '{made.python}' \"$0\" \"$@\"\n' '''\nprint('{name}')\n"
        )
        script.chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("command", "acts"),
    [
        (["bin/dvc", "status"], True),
        (["bin/python", "-m", "dvc", "status"], True),
        (["bin/python", "bin/dvc", "repro"], True),
        (["bin/python", "-s", "bin/dvc", "repro"], True),
        (["bin/other", "status", "dvc"], False),
        (["bin/python", "-m", "other", "dvc"], False),
        (["bin/python", "-c", "print('other')", "dvc"], False),
        (["bin/python", "-I", "-c", "print('other')", "dvc"], False),
    ],
    ids=["script", "module", "path", "option", "other", "other module", "code", "isolated code"],
)
def test_only_dvc_has_the_hook(hooked, tmp_path, command, acts):
    make_project(tmp_path)
    binaries = hooked.python.parent.parent
    words = [str(binaries / word) if word.startswith("bin/") else word for word in command]

    finished = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)

    sentence = "packages.yaml: numpy was 0.1 and is not installed\n"  # in that environment
    assert finished.stdout == ("dvc\n" if acts else "other\n")
    assert finished.stderr == (sentence if acts else "")
    written = 'numpy: "not installed"\n' if acts else 'numpy: "0.1"\n'
    assert (tmp_path / "packages.yaml").read_text() == written


def test_the_hook_imports_nothing_of_the_folder(hooked, tmp_path):
    """A folder that was cloned from elsewhere must not run by `dvc status`."""
    make_project(tmp_path)
    (tmp_path / "stages").mkdir()
    for name in ("stages/__init__.py", "json.py", "yaml.py", "bertline_environment.py"):
        (tmp_path / name).write_text("print('run')\n")

    script = hooked.python.with_name("dvc")
    finished = subprocess.run([script], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert finished.stdout == "dvc\n"


# --- DVC's database ----------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder, with the variable unset and a place of temporary folders."""
    (tmp_path / "project" / ".dvc").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(environment, "TEMPORARY", tmp_path / "tmp")
    monkeypatch.setenv(SITE, "")  # so that it is unset again at the end
    return tmp_path / "project"


@pytest.fixture
def folder(root: Path) -> Path:
    return root.parent / "tmp" / f"dvc-{os.getuid()}"


def test_the_database_is_in_a_folder_of_ones_own(root, folder):
    for _ in range(2):
        os.environ[SITE] = ""
        assert environment.keep_private(root) == []
        assert os.environ[SITE] == str(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_a_person_has_chosen_is_left_alone(root, folder, monkeypatch):
    monkeypatch.setenv(SITE, "/elsewhere")
    assert environment.keep_private(root) == []
    assert os.environ[SITE] == "/elsewhere"
    monkeypatch.setenv(SITE, "")
    (root / ".dvc" / "config.local").write_text("[core]\n    site_cache_dir = /chosen\n")
    assert environment.keep_private(root) == []
    assert not os.environ[SITE] and not folder.exists()


def open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def link(folder: Path) -> None:
    (folder.parent / "theirs").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "theirs")


def file(folder: Path) -> None:
    folder.write_text("")


@pytest.mark.parametrize("before", [open_to_all, link, file], ids=lambda made: made.__name__)
def test_a_folder_that_others_may_have_prepared_is_not_used(root, folder, before):
    before(folder)
    (sentence,) = environment.keep_private(root)
    assert "should be a folder that is yours alone" in sentence and SITE in sentence
    assert not os.environ[SITE]


def test_a_folder_of_another_person_is_not_used(root, folder, monkeypatch):
    another = os.getuid() + 1
    folder.with_name(f"dvc-{another}").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: another)
    (sentence,) = environment.keep_private(root)
    assert "yours alone" in sentence and not os.environ[SITE]


def test_no_place_for_it_is_a_sentence_and_dvc_works_as_ever(root, monkeypatch):
    monkeypatch.setattr(environment, "TEMPORARY", root / "missing")
    (sentence,) = environment.keep_private(root)
    assert "No such file" in sentence and SITE in sentence


def test_every_dvc_of_the_environment_is_told_and_no_other_program(root, folder, tmp_path):
    """A folder on the path stands for the environment's packages."""
    packages = tmp_path / "packages"
    packages.mkdir()
    environment.install(packages)
    hook = packages / f"{environment.HOOK}.py"
    hook.write_text(hook.read_text().replace('Path("/var/tmp")', f"Path({str(folder.parent)!r})"))
    (packages / "sitecustomize.py").write_text(f"import site; site.addsitedir({str(packages)!r})")
    for name in ("dvc.yaml", environment.PACKAGES):
        (root / name).write_text("")

    def told(name: str) -> str:
        program = tmp_path / name
        program.write_text(f"import os; print(os.environ.get({SITE!r}))")
        variables = {key: value for key, value in os.environ.items() if key != SITE}
        return subprocess.run(
            [sys.executable, program],
            cwd=root,
            env=variables | {"PYTHONPATH": str(packages)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    assert told("dvc") == str(folder)
    assert told("another") == "None"
