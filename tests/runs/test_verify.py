"""verify: each cause is blamed on the right stage, and an unchanged run raises no alarm."""

import json
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bertline.core import hashes
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.runs import recorded, tolerances, verify
from bertline.runs.tolerances import ABSENT, ANY
from tests import command
from tests import project as projects
from tests.project import Project

DECLARED = tolerances.load(ROOT / "tolerances.yaml")


# --- runs as they are recorded, made up -----------------------------------------------------------


@dataclass
class Story:
    """A made-up run of four stages: what they read, what they wrote, and on what machine."""

    code: dict[str, str] = field(
        default_factory=lambda: {
            f"stages/{name}.py": name for name in ("download", "parse", "train", "embed", "console")
        }
    )
    fetch: dict[str, Any] = field(
        default_factory=lambda: {"kind": "path", "folder": "own/a", "files": {"a.csv": "aa" * 32}}
    )
    source: str = "corpus"
    parse: dict[str, Any] = field(default_factory=lambda: {"empty": "keep"})
    train: dict[str, Any] = field(default_factory=lambda: {"epochs": 2, "learning_rate": 1e-4})
    packages: dict[str, str] = field(default_factory=lambda: {"numpy": "2.4.6", "torch": "2.13.0"})
    facts: dict[str, Any] = field(
        default_factory=lambda: {
            "processor": "AMD EPYC",
            "instruction_sets": ["avx2", "fma", "avx512f"],
            "python": "3.11.7",
            "threads": 2,
            "seconds": 1.0,
        }
    )
    installed: dict[str, str] = field(
        default_factory=lambda: {"numpy": "2.4.6", "torch": "2.13.0+cpu", "Jinja2": "3.1.6"}
    )
    raw: str = "a text"
    rows: str = "a row"
    weights: str = "weights"
    mcc: float = 0.5
    vectors: str = "vectors"
    seeds: tuple[int, ...] = (1,)

    def stages(self) -> dict[str, dict[str, Any]]:
        """Return by stage its code, data, parameters by file, and outputs with their content."""
        sources = {f"{self.source}.fetch": self.fetch, f"{self.source}.roles": ["documents"]}
        parse = {"parse.documents": self.parse}
        figures = {"epochs": [{"epoch": 1, "validation_mcc": self.mcc}]}
        rows = "data/parse/documents.parquet"
        made = {
            "download@documents": {
                "code": ["download"],
                "data": [],
                "params": {"sources.yaml": sources},
                "outs": {
                    "data/download/documents/a.csv": self.raw,
                    "metrics/download/documents.json": json.dumps({"bytes": len(self.raw)}),
                },
            },
            "parse@documents": {
                "code": ["parse"],
                "data": ["data/download/documents"],
                "params": {"params.yaml": parse},
                "outs": {rows: self.rows, "metrics/parse/documents.json": '{"kept": 1}'},
            },
            "embed": {
                "code": ["embed"],
                "data": [rows],
                "params": {},
                "outs": {"data/embed/vectors.npy": self.vectors},
            },
        }
        for seed in self.seeds:
            made[f"train@{seed}"] = {
                "code": ["train"],
                "data": [rows],
                "params": {"params.yaml": {"train": self.train}},
                "outs": {
                    f"data/train/{seed}/model": self.weights,
                    f"metrics/train/{seed}.json": json.dumps(figures),
                },
            }
        return made

    def write(self, folder: Path) -> Path:
        """Write the run as a project's folder has it after `dvc repro`."""
        for path, text in self.code.items():
            _write(folder / path, text)
        lock = {}
        for name, stage in self.stages().items():
            for path, content in stage["outs"].items():
                _write(folder / path, content)
            outs = [_out(path) for path in stage["outs"]]
            code = [f"stages/{module}.py" for module in [*stage["code"], "console"]]
            lock[name] = {
                "cmd": f"python -m stages.{stage['code'][0]} {self.source if '@d' in name else ''} "
                f"--receipt metrics/receipts/{name}.json",
                "deps": [_hashed(folder, path) for path in [*code, *stage["data"]]],
                "params": {**stage["params"], "packages.yaml": self.packages},
                "outs": [_hashed(folder, path) for path in outs],
            }
            receipt = {
                **self.facts,
                "stage": name,
                "parameters": {
                    key: value for keys in stage["params"].values() for key, value in keys.items()
                },
                "inputs": {path: hashes.md5(folder / path) for path in stage["data"]},
                "outputs": {path: hashes.md5(folder / path) for path in outs},
                "code": {path: hashes.md5(folder / path) for path in code},
                "packages": self.installed,
            }
            _write(folder / f"metrics/receipts/{name}.json", json.dumps(receipt))
        _write(
            folder / "params.yaml",
            json.dumps({"train": self.train, "parse": {"documents": self.parse}}),
        )
        sources = {"fetch": self.fetch, "roles": ["documents"]}
        _write(folder / "sources.yaml", json.dumps({self.source: sources}))
        _write(folder / "packages.yaml", json.dumps(self.packages))
        _write(folder / "dvc.lock", json.dumps({"schema": "2.0", "stages": lock}))
        return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _out(path: str) -> str:
    """Return the output that a file belongs to: folders are outputs as a whole."""
    whole = path.startswith("metrics/") or path.endswith(".parquet")
    return path if whole else path.rpartition("/")[0]


def _hashed(folder: Path, path: str) -> dict[str, str]:
    return {"path": path, "hash": "md5", "md5": hashes.md5(folder / path)}


def edit(path: Path, change: Any) -> None:
    """Change a JSON file in place by a function."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def compare(a: Path, b: Path) -> dict[str, verify.Finding]:
    found = verify.verify(recorded.open_run(str(a)), recorded.open_run(str(b)), DECLARED)
    return {finding.stage: finding for finding in found}


def told(a: Story, b: Story, folder: Path) -> dict[str, tuple[str, list[str]]]:
    """Return verdict and reasons of the stages that are not identical without a remark."""
    found = compare(a.write(folder / "a"), b.write(folder / "b"))
    return {
        name: (finding.verdict, finding.why)
        for name, finding in found.items()
        if finding.verdict != verify.IDENTICAL or finding.why
    }


DOWNSTREAM = {
    "parse@documents": ("DIFFERENT", ["follows from download@documents"]),
    "embed": ("DIFFERENT", ["follows from download@documents"]),
    "train@1": ("within tolerance", ["follows from download@documents"]),
}


# --- what is found --------------------------------------------------------------------------------


def test_twenty_repeats_of_an_unchanged_run_raise_no_alarm(tmp_path):
    first = Story().write(tmp_path / "first")
    for number in range(20):
        repeat = Story(facts=Story().facts | {"seconds": 1.0 + number, "peak_memory_mib": number})
        found = compare(first, repeat.write(tmp_path / str(number)))
        assert {finding.verdict for finding in found.values()} == {"identical"}
        assert not any(finding.why for finding in found.values())


def test_a_changed_byte_of_a_source_is_data_of_the_stage_that_fetches_it(tmp_path):
    fetch = {"kind": "path", "folder": "own/a", "files": {"a.csv": "bb" * 32}}
    changed = Story(fetch=fetch, raw="b text", rows="b row", vectors="other", weights="other")

    found = told(Story(), changed, tmp_path)

    reason = "data: other content (SHA-256) in the file a.csv of source corpus"
    assert found["download@documents"] == ("DIFFERENT", [reason])
    assert found["parse@documents"] == DOWNSTREAM["parse@documents"]
    assert found["embed"] == DOWNSTREAM["embed"]
    assert found["train@1"][1] == DOWNSTREAM["train@1"][1]


def test_another_choice_of_source_is_a_parameter(tmp_path):
    changed = Story(source="other", raw="b text", rows="b row", vectors="other", weights="other")

    found = told(Story(), changed, tmp_path)

    assert found["download@documents"][1] == ["parameter: inputs.documents: corpus -> other"]
    assert found["train@1"][1] == ["follows from download@documents"]


def test_an_output_changed_on_disk_is_seen_before_dvc_knows_of_it(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    (b / "data/parse/documents.parquet").write_text("another row")

    found = compare(a, b)

    assert found["parse@documents"].why == [
        "data: data/parse/documents.parquet in B is not what dvc.lock records: changed after the "
        "run"
    ]
    assert found["train@1"].verdict == "identical"


def test_outputs_that_are_not_checked_out_are_no_change(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    shutil.rmtree(b / "data")

    assert {finding.verdict for finding in compare(a, b).values()} == {"identical"}


def test_an_output_changed_by_hand_and_committed_is_data_of_its_stage(tmp_path):
    a = Story().write(tmp_path / "a")
    b = Story(rows="another row", weights="other", mcc=0.1).write(tmp_path / "b")
    written = hashes.md5(a / "data/parse/documents.parquet")

    def restore(receipt):
        receipt["outputs"]["data/parse/documents.parquet"] = written

    edit(b / "metrics/receipts/parse@documents.json", restore)

    found = compare(a, b)

    assert found["parse@documents"].why == [
        "data: data/parse/documents.parquet in B is not what the stage wrote: changed after the "
        "run, and committed"
    ]
    assert found["train@1"].why == ["follows from parse@documents"]
    assert found["train@1"].verdict == "DIFFERENT"


def test_an_input_that_no_stage_explains_is_data(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story(weights="other").write(tmp_path / "b")

    def reread(lock):
        lock["stages"]["train@1"]["deps"][-1]["md5"] = "0" * 32

    edit(b / "dvc.lock", reread)

    assert compare(a, b)["train@1"].why[0] == (
        "data: data/parse/documents.parquet, which it reads, has other content"
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (Story(train={"epochs": 3, "learning_rate": 1e-4}), "parameter: train.epochs: 2 -> 3"),
        (Story(train={"epochs": 2}), "parameter: train.learning_rate: 0.0001 -> absent"),
        (Story(code=Story().code | {"stages/train.py": "new"}), "code: stages/train.py"),
        (
            Story(
                packages={"numpy": "2.4.6", "torch": "2.14.0"}, installed={"torch": "2.14.0+cpu"}
            ),
            "package: torch 2.13.0 -> 2.14.0",
        ),
        (
            Story(installed=Story().installed | {"torch": "2.13.0+cu130"}),
            "package: torch 2.13.0+cpu -> 2.13.0+cu130",
        ),
        (
            Story(installed=Story().installed | {"jinja2": "3.2"}),
            "package: imported as well: jinja2 3.1.6 -> 3.2",
        ),
        (
            Story(facts=Story().facts | {"python": "3.11.9"}),
            "package: imported as well: python 3.11.7 -> 3.11.9",
        ),
        (
            Story(
                facts=Story().facts | {"processor": "Intel", "instruction_sets": ["avx2", "amx"]}
            ),
            "machine: processor AMD EPYC -> Intel, instruction sets -fma -avx512f +amx",
        ),
        (Story(facts=Story().facts | {"threads": 4}), "machine: threads 2 -> 4"),
        (Story(), "not reproducible: same code, parameters, data, packages and machine, and "),
    ],
    ids=[
        "parameter",
        "parameter taken out",
        "code",
        "package",
        "build",
        "imported package",
        "python",
        "processor",
        "threads",
        "nothing",
    ],
)
def test_other_weights_are_blamed_on_their_cause(tmp_path, changed, reason):
    changed.weights, changed.mcc = "other", 0.9

    found = told(Story(), changed, tmp_path)

    verdict, reasons = found["train@1"]
    assert verdict == "DIFFERENT"
    assert reasons[0].startswith(reason)
    assert not [name for name in found if found[name][0] != "identical" and name != "train@1"]


def test_a_stages_own_script_is_named_before_shared_modules_and_all_causes_are(tmp_path):
    code = {"bertline/core/console.py": "new", "stages/train.py": "new"}
    changed = Story(
        code=Story().code | code,
        train={"epochs": 9, "learning_rate": 1e-4},
        facts=Story().facts | {"processor": "Intel"},
        weights="other",
        mcc=0.1,
    )

    assert told(Story(), changed, tmp_path)["train@1"][1] == [
        "parameter: train.epochs: 2 -> 9",
        "code: stages/train.py, bertline/core/console.py",
        "machine: processor AMD EPYC -> Intel",
    ]


def test_changes_without_an_effect_are_named_and_no_difference(tmp_path):
    changed = Story(code=Story().code | {"stages/train.py": "# a comment"})

    assert told(Story(), changed, tmp_path) == {
        "train@1": ("identical", ["although code: stages/train.py"])
    }


def test_another_machine_is_held_to_the_declared_tolerances(tmp_path):
    other = Story(facts=Story().facts | {"processor": "Intel"}, weights="other", mcc=0.55)
    far = Story(facts=Story().facts | {"processor": "Intel"}, weights="other", mcc=0.9)

    near = compare(Story().write(tmp_path / "a"), other.write(tmp_path / "b"))["train@1"]
    beyond = compare(Story().write(tmp_path / "a"), far.write(tmp_path / "c"))["train@1"]

    assert (near.verdict, beyond.verdict) == ("within tolerance", "DIFFERENT")
    (figure,) = near.figures
    assert (figure.key, figure.a, figure.b) == ("epochs.0.validation_mcc", 0.5, 0.55)
    assert figure.size == pytest.approx(0.05)
    assert figure.within and not beyond.figures[0].within


def test_the_same_machine_has_no_tolerance(tmp_path):
    found = told(Story(), Story(weights="other", mcc=0.5001), tmp_path)

    assert found["train@1"][0] == "DIFFERENT"
    assert found["train@1"][1][0].startswith("not reproducible: ")


def test_outputs_without_figures_are_within_tolerance_on_another_machine_only(tmp_path):
    machine = Story(facts=Story().facts | {"processor": "Intel"}, vectors="other")
    code = Story(code=Story().code | {"stages/embed.py": "new"}, vectors="other")

    assert told(Story(), machine, tmp_path / "1")["embed"] == (
        "within tolerance",
        ["machine: processor AMD EPYC -> Intel", verify.UNMEASURED],
    )
    assert told(Story(), code, tmp_path / "2")["embed"] == ("DIFFERENT", ["code: stages/embed.py"])


def test_outputs_that_hold_no_floats_have_no_tolerance(tmp_path):
    changed = Story(facts=Story().facts | {"processor": "Intel"}, rows="other")

    assert told(Story(), changed, tmp_path)["parse@documents"][0] == "DIFFERENT"


@pytest.mark.parametrize("state", ["missing", "older", "restored", "broken", "odd"])
def test_a_receipt_that_is_not_of_the_run_blames_nobody(tmp_path, state):
    a = Story().write(tmp_path / "a")
    b = Story(facts=Story().facts | {"processor": "Intel"}, weights="other", mcc=0.9)
    receipt = b.write(tmp_path / "b") / "metrics/receipts/train@1.json"

    def restored(content):  # what DVC leaves that takes the outputs from its run cache
        content["outputs"]["data/train/1"] = "0" * 32
        content["parameters"]["train"]["epochs"] = 7

    if state == "missing":
        receipt.unlink()
    elif state == "older":
        edit(receipt, lambda content: content.pop("outputs"))
    elif state == "restored":
        edit(receipt, restored)
    elif state == "odd":
        edit(receipt, lambda content: content.update(packages=["torch"]))
    else:
        receipt.write_text("{")

    (reason,) = compare(a, tmp_path / "b")["train@1"].why

    assert reason.startswith("unknown: all that dvc.lock records is the same; B has no receipt")
    assert "machine" in reason


def test_a_seed_more_is_a_stage_that_one_run_has(tmp_path):
    found = told(Story(), Story(seeds=(1, 2)), tmp_path)

    assert found == {"train@2": ("only in B", ["no stage of A"])}


def test_a_seed_taken_out_leaves_no_trace_though_dvc_lock_keeps_it(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story(seeds=(1, 2)).write(tmp_path / "b")
    pipeline = {
        "stages": {
            "download": {"foreach": ["documents"], "do": {}},
            "parse": {"foreach": {"documents": "corpus"}, "do": {}},
            "embed": {},
            "train": {"foreach": "${seeds}", "do": {}},
            "topic-fit": {},
        }
    }
    _write(b / "dvc.yaml", json.dumps(pipeline))
    edit(b / "params.yaml", lambda content: content.update(seeds=[1]))

    assert "train@2" not in compare(a, b)
    assert recorded.open_run(str(b)).waiting == ["topic-fit"]


def test_what_has_changed_since_the_run_is_noted(tmp_path, capsys):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    edit(b / "params.yaml", lambda content: content["train"].update(epochs=5))

    code, printed = run(capsys, a, b)

    assert code == 0
    assert "note: train@1 of B ran with other code, parameters or inputs than B has now" in printed
    assert "train.epochs of params.yaml" in printed


# --- the command ----------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Call the command and return its exit code and what it printed, lines joined."""
    with pytest.raises(SystemExit) as stop:
        command.call(verify, *arguments, "--tolerances", ROOT / "tolerances.yaml")
    printed = capsys.readouterr().out
    assert all(len(line) <= verify.WIDTH for line in printed.splitlines())
    return int(stop.value.code or 0), " ".join(printed.split())


def test_the_exit_code_tells_a_difference_from_agreement(tmp_path, capsys):
    story = Story(facts=Story().facts | {"processor": "Intel"}, weights="other", mcc=0.55)
    a, near = Story().write(tmp_path / "a"), story.write(tmp_path / "near")
    story.mcc = 0.9
    far = story.write(tmp_path / "far")

    code, printed = run(capsys, a, a)
    assert code == 0 and "The runs are identical: all 4 stages wrote the same bytes." in printed
    code, printed = run(capsys, a, near)
    assert code == 0 and "The runs agree within the tolerances" in printed
    code, printed = run(capsys, a, far)
    assert code == 3
    assert "train@1, outside of tolerance A B difference tolerance" in printed
    assert "train/1.json: epochs.0.validation_mcc 0.5 0.9 0.4 0.12" in printed
    assert printed.endswith(
        "The runs differ. First: train@1 (machine: processor AMD EPYC -> Intel). Other machines "
        "round otherwise: the same floats are not to be expected of them."
    )


def test_the_comparison_can_be_written_for_programs(tmp_path, capsys):
    a = Story().write(tmp_path / "a")
    b = Story(train={"epochs": 3}, weights="other", mcc=0.9).write(tmp_path / "b")

    run(capsys, a, b, "--json", tmp_path / "found.json")

    found = json.loads((tmp_path / "found.json").read_text())
    assert found["first"] == ["train@1"] and found["same"] is False
    (stage,) = (stage for stage in found["stages"] if stage["verdict"] != "identical")
    assert stage["causes"][0] == {"kind": "parameter", "text": "train.epochs: 2 -> 3"}
    assert stage["figures"][0]["tolerance"] == 0.12


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder: a project in a folder of a git repository, with two commits."""
    folder = Story().write(tmp_path / "repository" / "inner")
    monkeypatch.chdir(folder)
    git("init", "--quiet", "--initial-branch", "main")
    commit()
    git("tag", "first")
    Story(train={"epochs": 3}, weights="other", mcc=0.9).write(folder)
    commit()
    return folder


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def commit() -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", "Run")


def test_revisions_are_read_from_git_and_the_workspace_is_the_default(repository, capsys):
    code, printed = run(capsys, "first")
    assert code == 3 and "parameter: train.epochs: 2 -> 3" in printed

    code, printed = run(capsys, "first", "main")
    assert code == 3 and printed.startswith("A first (") and "B main (" in printed

    assert run(capsys, "HEAD", "workspace")[0] == 0


@pytest.mark.parametrize("path", ["metrics/train/1.json", "metrics/parse/documents.json"])
def test_figures_that_were_edited_and_committed_are_seen(repository, path):
    edit(repository / path, lambda content: content.update(mcc=0.9))
    commit()

    found = verify.verify(recorded.open_run("HEAD~1"), recorded.open_run("HEAD"), DECLARED)

    (finding,) = (finding for finding in found if finding.verdict != "identical")
    assert finding.why == [
        f"data: {path} in B is not what dvc.lock records: changed after the run, or not committed "
        f"with it"
    ]


def test_folders_in_git_are_hashed_as_those_on_disk(repository):
    for name in ("b/x.csv", "b.csv", "a/é.csv"):
        _write(repository / "metrics" / "evaluate" / name, name)
    commit()

    tree = recorded.open_run("HEAD").tree

    assert recorded._md5_in(tree, "metrics/evaluate") == hashes.md5(repository / "metrics/evaluate")
    assert recorded._md5_in(tree, "metrics/none") is None


def test_an_experiment_is_found_by_its_name(repository, capsys):
    git("update-ref", f"refs/exps/{'0' * 2}/{'1' * 38}/slower", "HEAD")
    git("update-ref", "refs/exps/exec/EXEC_HEAD", "HEAD")

    assert run(capsys, "slower", "HEAD")[0] == 0
    assert recorded.find_commit("EXEC_HEAD") is None


def test_an_experiment_on_the_current_commit_goes_before_others_of_its_name(repository, capsys):
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    digits = head.stdout.strip()
    git("update-ref", f"refs/exps/{'0' * 2}/{'1' * 38}/slower", "first")
    git("update-ref", f"refs/exps/{'2' * 2}/{'1' * 38}/slower", "first")
    with pytest.raises(BertlineError, match="slower is the name of 2 experiments, none"):
        recorded.open_run("slower")
    git("update-ref", f"refs/exps/{digits[:2]}/{digits[2:]}/slower", "HEAD")

    assert recorded.find_commit("slower") == digits


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mein", r"mein is no folder, and neither .* \(did you mean `main`\?\)"),
        ("data", "data is a folder without dvc.lock, and neither"),
        ("--main", "neither a revision"),
        ("empty", "empty has no dvc.lock: no run was committed there"),
    ],
    ids=["misspelt", "folder", "option", "no run"],
)
def test_what_names_no_run_is_told_with_the_nearest_name(repository, name, message):
    git("checkout", "--quiet", "--orphan", "empty")
    git("rm", "--quiet", "--cached", "dvc.lock")
    git("commit", "--quiet", "--message", "No run")

    with pytest.raises(BertlineError, match=message):
        recorded.open_run(name)


def test_outside_of_a_repository_the_message_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(BertlineError, match="this folder is no git repository"):
        recorded.open_run("main")
    with pytest.raises(BertlineError, match=r"has no dvc\.lock: type `dvc repro` there first"):
        recorded.open_run("workspace")


@pytest.mark.parametrize(
    "entry", ["text", {"deps": []}, {"cmd": "a", "outs": ["b"]}], ids=["text", "no cmd", "no path"]
)
def test_an_entry_that_is_not_as_dvc_writes_it_is_refused(tmp_path, entry):
    lock = {"schema": "2.0", "stages": {"split": entry}}
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))

    with pytest.raises(BertlineError, match="has an entry that is not as DVC writes it"):
        recorded.open_run(str(tmp_path))


def test_what_another_project_says_does_not_command_the_terminal(tmp_path, capsys):
    a = Story().write(tmp_path / "a")
    b = Story(train={"epochs": "\x1b[2J"}, weights="other").write(tmp_path / "b")

    assert "train.epochs: 2 -> ?[2J" in run(capsys, a, b)[1]


def test_names_that_contain_dots_are_looked_up():
    values = {"a.b": {"c": 1}, "a": {"d": 2, "d.e": 3}}

    found = [recorded.look_up(values, key) for key in ("a.b.c", "a.d", "a.d.e", "a.x", "a.b.c.d")]

    assert found == [1, 2, 3, None, None]


def test_a_lock_that_is_none_is_refused(tmp_path):
    (tmp_path / "dvc.lock").write_text("schema: '1.0'\n")

    with pytest.raises(BertlineError, match="should have `schema: '2.0'`"):
        recorded.open_run(str(tmp_path))


# --- tolerances -----------------------------------------------------------------------------------


# What is measured of a training that the committed run may have turned off.
OPTIONAL = {
    "metrics/adapt.json": {
        "epochs": [{"training_loss": 1.9, "validation_loss": 0.5, "validation_mcc": 0.6}]
    }
}


def measured() -> dict[str, dict[str, Any]]:
    """Return the figures of every committed file of metrics/, and optional ones, by path."""
    paths = [path for path in sorted((ROOT / "metrics").rglob("*.*")) if path.is_file()]
    names = {path: path.relative_to(ROOT).as_posix() for path in paths}
    contents = {
        name: path.read_bytes()
        for path, name in names.items()
        if not name.startswith("metrics/receipts/")
    }
    found = {
        name: tolerances.figures(name, content, DECLARED.tables)
        for name, content in contents.items()
    }
    for name, content in OPTIONAL.items():
        optional = tolerances.figures(name, json.dumps(content).encode(), DECLARED.tables)
        found[name] = found.get(name, {}) | optional
    return found


def test_every_figure_in_floats_has_a_declared_tolerance():
    missing = [
        f"{path}: {key}"
        for path, figures in measured().items()
        for key, value in figures.items()
        if isinstance(value, float) and DECLARED.of(path, key) is None
    ]
    assert missing == []


def test_every_tolerance_is_of_a_figure_that_there_is():
    used = [DECLARED.of(path, key) for path, figures in measured().items() for key in figures]
    assert [entry for entry in DECLARED.figures if entry not in used] == []


def test_every_tolerated_output_is_one_of_the_pipeline():
    outs = [out for stage in recorded.open_run(str(ROOT)).stages.values() for out in stage.outs]
    for output in DECLARED.outputs:
        alone = DECLARED.model_copy(update={"outputs": [output]})
        assert any(alone.covers(out) for out in outs), output.files


def test_counts_of_data_are_exact():
    for path, figures in measured().items():
        if path.startswith(("metrics/download", "metrics/parse")) or path in {
            "metrics/split.json",
            "metrics/tokenize.json",
            "metrics/embed.json",
        }:
            for key in figures:
                entry = DECLARED.of(path, key)
                assert entry is None or entry.absolute == 0, f"{path}: {key}"


@pytest.mark.parametrize("path", sorted(DECLARED.tables))
def test_rows_of_a_table_are_told_apart_by_their_columns(path):
    figures = measured()[path]
    assert not [key for key in figures if ", row " in key or key.startswith("row ")]


def test_rows_are_compared_by_name_and_not_by_place():
    tables = {"t.csv": ["set", "model"]}
    a = tolerances.figures("t.csv", b"set,model,mcc\ndev,seed 1,0.5\ndev,seed 2,0.6\n", tables)
    b = tolerances.figures("t.csv", b"set,model,mcc\ndev,seed 2,0.7\n", tables)

    found = tolerances.compare("t.csv", a, b, DECLARED)

    assert [(item.key, item.a, item.b) for item in found] == [
        ("dev, seed 1.set", "dev", ABSENT),
        ("dev, seed 1.model", "seed 1", ABSENT),
        ("dev, seed 1.mcc", 0.5, ABSENT),
        ("dev, seed 2.mcc", 0.6, 0.7),
    ]
    assert not any(item.within for item in found)


@pytest.mark.parametrize(
    ("a", "b", "absolute", "within"),
    [
        (0.1539, 0.1039, 0.05, True),
        (0.1539, 0.1038, 0.05, False),
        (1, 1.0001, 0, False),
        (None, 0.5, 0.5, False),
        (True, 1.5, 1, False),
        ("a", "b", 1, False),
        ("a", "b", ANY, True),
        (0.5, ABSENT, 1, False),
    ],
    ids=["just", "beyond", "exact", "none", "truth", "text", "any", "absent"],
)
def test_a_difference_is_within_its_tolerance_or_not(a, b, absolute, within):
    assert tolerances.Difference("f.json", "k", a, b, absolute, "for a test").within is within


def test_a_file_that_is_no_table_of_figures_is_refused():
    with pytest.raises(BertlineError, match=r"metrics/a\.json is not the JSON or CSV file"):
        tolerances.figures("metrics/a.json", b"{", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tables: {}\noutputs: []\nfigure: []\n", "figure is not a parameter.*did you mean"),
        ("tables: {}\noutputs: []\n", "figures is missing"),
        (
            "tables: {}\noutputs: []\n"
            'figures: [{files: "*", absolute: -1, reason: "because of it all"}]',
            "figures.0.absolute",
        ),
        ('tables: {}\noutputs: [{files: "*", reason: short}]\nfigures: []', "outputs.0.reason"),
    ],
    ids=["unknown", "missing", "negative", "no reason"],
)
def test_tolerances_are_refused_by_name(tmp_path, text, message):
    (tmp_path / "tolerances.yaml").write_text(text)

    with pytest.raises(BertlineError, match=message):
        tolerances.load(tmp_path / "tolerances.yaml")


def test_missing_tolerances_are_told_with_the_option(tmp_path):
    with pytest.raises(BertlineError, match="give the file with --tolerances"):
        tolerances.load(tmp_path / "tolerances.yaml")


# --- real changes, through DVC on miniature inputs ------------------------------------------------


@pytest.fixture
def changed(made_project: Project, tmp_path: Path) -> Project:
    """Return a copy of the project after its first run, to change."""
    return projects.copy(made_project, tmp_path / "changed")


def found_in(project: Project, *sides: str) -> dict[str, dict[str, Any]]:
    """Return what verify writes for programs, by stage."""
    target = project.folder.parent / "found.json"
    finished = subprocess.run(
        ["python", "-m", "bertline.runs.verify", *sides, "--json", str(target)],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(target.read_text(encoding="utf-8"))
    assert finished.returncode == (0 if found["same"] else 3), finished.stderr
    return {stage["stage"]: stage for stage in found["stages"]}


def blamed(found: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Return the causes and roots of each stage that is not identical."""
    return {
        name: [
            *stage["follows"],
            *(f"{cause['kind']}: {cause['text']}" for cause in stage["causes"]),
        ]
        for name, stage in found.items()
        if stage["verdict"] != "identical"
    }


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path} has {text.count(old)} times: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_a_second_run_in_another_folder_is_identical(made_project, tmp_path):
    second = projects.run_first(projects.make(tmp_path / "a second one", tmp_path / "home"))

    found = found_in(second, str(made_project.folder), ".")

    assert {stage["verdict"] for stage in found.values()} == {"identical"}
    assert len(found) == len(made_project.first)
    assert not any(stage["although"] or stage["remark"] for stage in found.values())


@pytest.mark.slow
def test_a_byte_of_a_source_file_is_blamed_on_its_download(changed):
    documents = changed.folder / "own" / "tiny-documents"
    file = documents / "documents.csv"
    file.write_bytes(file.read_bytes().replace(b"lunar", b"lunas", 1))
    entry = projects.own_source("documents", documents, None)
    projects.edit(changed.folder / "sources.yaml", {"tiny-documents.fetch": entry["fetch"]})
    changed.run("dvc", "repro", "parse@documents")

    assert blamed(found_in(changed, "HEAD")) == {
        "download@documents": [
            "data: other content (SHA-256) in the file documents.csv of source tiny-documents"
        ],
        "parse@documents": ["download@documents"],
    }


@pytest.mark.slow
def test_a_byte_of_an_intermediate_file_is_blamed_before_and_after_it_is_committed(changed):
    path = changed.folder / "data" / "parse" / "documents.parquet"
    rows = pd.read_parquet(path)
    rows.loc[0, "text"] = rows.loc[0, "text"].replace("e", "3", 1)
    path.unlink()  # a link into DVC's cache, as the case may be
    rows.to_parquet(path)

    where = "data: data/parse/documents.parquet in B is not what"
    assert blamed(found_in(changed, "HEAD")) == {
        "parse@documents": [f"{where} dvc.lock records: changed after the run"]
    }
    changed.run("dvc", "commit", "--force", "parse@documents")
    assert blamed(found_in(changed, "HEAD")) == {
        "parse@documents": [f"{where} the stage wrote: changed after the run, and committed"]
    }


@pytest.mark.slow
def test_a_parameter_is_blamed_on_the_stage_that_reads_it_also_in_an_experiment(changed):
    changed.run("dvc", "exp", "run", "split", "--name", "other-folds", "-S", "split.seed=43")

    expected = {"split": ["parameter: split.seed: 42 -> 43"]}
    assert blamed(found_in(changed, "HEAD")) == expected
    assert blamed(found_in(changed, "main", "other-folds")) == expected


@pytest.mark.slow
def test_a_line_of_code_is_blamed_on_the_stage_that_it_belongs_to(changed):
    replace(
        changed.folder / "stages" / "split.py",
        "np.random.default_rng(seed)",
        "np.random.default_rng([seed, 1])",
    )
    changed.run("dvc", "repro", "split")

    assert blamed(found_in(changed, "HEAD")) == {"split": ["code: stages/split.py"]}


@pytest.mark.slow
def test_a_package_is_blamed_on_the_stage_whose_result_it_changes(changed, tmp_path):
    """The package is a copy with another version and another formula, in front of the real one."""
    installed, packages = Path(sysconfig.get_path("purelib")), tmp_path / "packages"
    shutil.copytree(installed / "bertopic", packages / "bertopic")
    replace(
        packages / "bertopic" / "vectorizers" / "_ctfidf.py",
        "idf = np.log((avg_nr_samples / df) + 1)",
        "idf = np.log((avg_nr_samples / df) + 2)",
    )
    metadata = "Metadata-Version: 2.1\nName: bertopic\nVersion: 99.0\n"
    _write(packages / "bertopic-99.0.dist-info" / "METADATA", metadata)
    _write(packages / "bertopic-99.0.dist-info" / "top_level.txt", "bertopic\n")
    changed.environment["PYTHONPATH"] = str(packages)
    changed.run("python", "-m", "bertline.core.packages")
    changed.run("dvc", "repro", "topic-fit")

    found = blamed(found_in(changed, "HEAD"))
    assert list(found) == ["topic-fit"]
    (cause,) = found["topic-fit"]
    assert cause.startswith("package: bertopic ") and cause.endswith(" -> 99.0")
