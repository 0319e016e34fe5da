"""verify: each cause is blamed on the right stage, and an unchanged run raises no alarm."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bertline.core import hashes
from bertline.runs import recorded, text, verify
from tests import command
from tests import project as projects
from tests.project import Project
from tests.runs.story import MACHINE, ROWS, Story, edit, write

CONTRADICTS = "the receipt contradicts dvc.lock in"
INTEL = MACHINE | {"processor": "Intel"}


def compare(a: Path, b: Path) -> dict[str, verify.Finding]:
    found = verify.verify(recorded.open_run(str(a)), recorded.open_run(str(b)))
    return {finding.stage: finding for finding in found}


def told(a: Story, b: Story, folder: Path) -> dict[str, tuple[str, list[str]]]:
    """Return verdict and reasons of the stages that are not identical without a remark."""
    found = compare(a.write(folder / "a"), b.write(folder / "b"))
    return {
        name: (finding.verdict, finding.why)
        for name, finding in found.items()
        if finding.verdict != verify.IDENTICAL or finding.why
    }


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Call the command and return its exit code and what it printed, lines joined."""
    with pytest.raises(SystemExit) as stop:
        command.call(verify, *arguments)
    printed = capsys.readouterr().out
    assert all(len(line) <= text.WIDTH for line in printed.splitlines())
    return int(stop.value.code or 0), " ".join(printed.split())


# --- causes ---------------------------------------------------------------------------------------


def test_unchanged_run_raises_no_alarm(tmp_path):
    assert told(Story(), Story(), tmp_path) == {}


def test_changed_byte_of_a_source_is_data_of_the_stage_that_fetches_it(tmp_path):
    fetch = {"kind": "path", "folder": "own/a", "files": {"a.csv": "bb" * 32}}
    changed = Story(fetch=fetch, raw="b text", rows="b row", vectors="other", weights="other")

    found = told(Story(), changed, tmp_path)

    reason = "data: the file a.csv of source corpus has other content (SHA-256)"
    follows = ["follows from download@documents"]
    assert found == {
        "download@documents": ("DIFFERENT", [reason]),
        "parse@documents": ("DIFFERENT", follows),
        "embed": ("DIFFERENT", follows),
        "train@1": ("within tolerance", follows),
    }


def test_another_choice_of_source_is_a_parameter(tmp_path):
    changed = Story(source="other", raw="b text", rows="b row", vectors="other", weights="other")

    found = told(Story(), changed, tmp_path)

    assert found["download@documents"][1] == ["parameter: inputs.documents: corpus -> other"]
    assert found["train@1"][1] == ["follows from download@documents"]


def test_output_changed_on_disk_is_seen_before_dvc_knows_of_it(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    (b / ROWS).write_text("another row")

    found = compare(a, b)

    where = f"data: {ROWS} in B is not what dvc.lock records: changed after the run"
    assert found["parse@documents"].why == [where]
    assert found["train@1"].verdict == "identical"


def test_outputs_that_are_not_checked_out_are_no_change(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    shutil.rmtree(b / "data")

    assert {finding.verdict for finding in compare(a, b).values()} == {"identical"}


def test_figures_that_are_missing_are_noted(tmp_path, capsys):
    """As after a stage that failed: DVC has deleted what it wrote before."""
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    (b / "metrics/train/1.json").unlink()

    code, printed = run(capsys, a, b)

    assert code == 0
    assert "note: metrics/train/1.json of B is missing, and compared as dvc.lock" in printed
    assert "of A is missing" not in printed


def test_output_changed_by_hand_and_committed_is_data_of_its_stage(tmp_path, capsys):
    a = Story().write(tmp_path / "a")
    b = Story(rows="another row", weights="other", mcc=0.1).write(tmp_path / "b")
    written = hashes.md5(a / ROWS)
    edit(
        b / "metrics/receipts/parse@documents.json",
        lambda receipt: receipt["outputs"].update({ROWS: written}),
    )

    found = compare(a, b)

    what = f"{ROWS} in B is not what the stage wrote: changed after the run, and committed"
    assert found["parse@documents"].why == [f"data: {what}", f"{CONTRADICTS} B"]
    assert found["train@1"].why == ["follows from parse@documents"]
    assert found["train@1"].verdict == "DIFFERENT"
    # Seen as well where both runs have it.
    code, printed = run(capsys, b, b)
    wrong = f"parse@documents: dvc.lock records other content than the stage wrote of {ROWS}."
    assert code == 3 and printed.count(f"does not record what made its outputs. {wrong}") == 2


def test_input_that_no_stage_explains_is_data(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story(weights="other").write(tmp_path / "b")
    edit(b / "dvc.lock", lambda lock: lock["stages"]["train@1"]["deps"][-1].update(md5="0" * 32))

    assert compare(a, b)["train@1"].why[0] == f"data: input {ROWS} has other content"


TORCH = {"python": "3.11", "numpy": "2.4.6", "torch": "2.14.0"}
BUILD = Story().installed


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (Story(train=Story().train | {"epochs": 3}), "parameter: train.epochs: 2 -> 3"),
        (Story(train={"epochs": 2}), "parameter: train.learning_rate: 0.0001 -> absent"),
        (
            Story(packages={"core": TORCH}, installed=BUILD | {"torch": "2.14.0+cpu"}),
            "package: torch 2.13.0 -> 2.14.0",  # though in another group
        ),
        (
            Story(installed=BUILD | {"torch": "2.13.0+cu130"}),
            "package: torch 2.13.0+cpu -> 2.13.0+cu130",
        ),
        (
            Story(installed=BUILD | {"Jinja2": "3.2"}),
            "imported package: jinja2 3.1.6 -> 3.2",
        ),
        (Story(machine=MACHINE | {"python": "3.11.9"}), "package: python 3.11.7 -> 3.11.9"),
        (
            Story(machine=INTEL | {"instruction_sets": ["avx2", "amx"]}),
            "machine: processor AMD EPYC -> Intel, instruction sets -fma -avx512f +amx",
        ),
        (
            Story(machine=MACHINE | {"libraries": ["openblas 0.3.30 Haswell"]}),
            "machine: libraries -openblas 0.3.30 SkylakeX +openblas 0.3.30 Haswell",
        ),
        (Story(), "not reproducible: same code, parameters, data, packages and machine, but other"),
    ],
)
def test_other_weights_are_blamed_on_their_cause(tmp_path, changed, reason):
    changed.weights, changed.mcc = "other", 0.9

    found = told(Story(), changed, tmp_path)

    verdict, reasons = found["train@1"]
    assert verdict == "DIFFERENT" and reasons[0].startswith(reason)
    assert not [name for name in found if found[name][0] != "identical" and name != "train@1"]


def test_all_causes_are_named_and_code_by_file_where_receipts_are_good(tmp_path):
    changed = Story(
        code=Story().code | {"bertline/core/files.py": "new", "stages/train.py": "new"},
        train=Story().train | {"epochs": 9},
        machine=INTEL,
        weights="other",
        mcc=0.1,
    )
    a, b = Story().write(tmp_path / "a"), changed.write(tmp_path / "b")

    parameter = "parameter: train.epochs: 2 -> 9"
    assert compare(a, b)["train@1"].why == [
        parameter,
        "code: stages/train.py, bertline/core/files.py",
        "machine: processor AMD EPYC -> Intel",
    ]
    (b / "metrics/receipts/train@1.json").unlink()
    assert compare(a, b)["train@1"].why == [parameter, "code: stages/train.py, bertline/core"]


KERNELS = MACHINE | {"libraries": ["openblas 0.3.30 Haswell"]}


def test_kernels_are_blamed_and_no_package_that_identical_stages_lack_too(tmp_path, capsys):
    changed = Story(machine=KERNELS, installed=BUILD | {"accelerate": "1.2"}, weights="other")
    a, b = Story().write(tmp_path / "a"), changed.write(tmp_path / "b")

    kernels = "machine: libraries -openblas 0.3.30 SkylakeX +openblas 0.3.30 Haswell"
    assert compare(a, b)["train@1"].why == [kernels]
    assert f"First with other bytes: train@1 ({kernels})." in run(capsys, a, b)[1]


def test_what_identical_stages_share_is_named_last(tmp_path):
    """embed computes floats with torch and is identical, train is not."""
    packages = {"core": {"python": "3.11", "numpy": "2.4.6"}, "encoders": {"torch": "2.14.0"}}
    changed = Story(packages=packages, installed=BUILD | {"torch": "2.14.0+cpu"}, weights="other")
    a, b = Story().write(tmp_path / "a"), changed.write(tmp_path / "b")
    edit(b / "metrics/receipts/train@1.json", lambda receipt: receipt.update(device="cuda"))
    edit(a / "metrics/receipts/train@1.json", lambda receipt: receipt.update(device="cpu"))

    assert compare(a, b)["train@1"].why == [
        "machine: device cpu -> cuda",
        "package: torch 2.13.0 -> 2.14.0",
    ]


def test_package_that_only_the_differing_stage_imports_is_named_behind_the_machine(tmp_path):
    a, b = (
        Story(machine=machine, weights=weights).write(tmp_path / weights)
        for machine, weights in ((MACHINE, "weights"), (INTEL, "other"))
    )
    edit(
        b / "metrics/receipts/train@1.json",
        lambda receipt: receipt["packages"].update(accelerate="1.2"),
    )

    assert compare(a, b)["train@1"].why == [
        "machine: processor AMD EPYC -> Intel",
        "imported package: accelerate absent -> 1.2",
    ]


def test_changed_file_that_a_person_wrote_is_named_beside_other_causes(tmp_path):
    """A table such as benchmarks/topic_baselines.csv: no stage writes it, and all of it is read."""
    sides = []
    for name, table in (("a", "1"), ("b", "2")):
        folder = Story(train=Story().train | {"epochs": int(table)}, weights=name).write(
            tmp_path / name
        )
        write(folder / "benchmarks/baselines.csv", table)
        entry = {
            "path": "benchmarks/baselines.csv",
            "md5": hashes.md5(folder / "benchmarks/baselines.csv"),
        }
        edit(
            folder / "dvc.lock",
            lambda lock, entry=entry: lock["stages"]["train@1"]["deps"].append(entry),
        )
        sides.append(folder)

    assert compare(*sides)["train@1"].why == [
        "data: input benchmarks/baselines.csv has other content",
        "parameter: train.epochs: 1 -> 2",
    ]


def test_changes_without_an_effect_are_named_and_no_difference(tmp_path):
    changed = Story(code=Story().code | {"stages/train.py": "# a comment"})

    assert told(Story(), changed, tmp_path) == {
        "train@1": ("identical", ["although code: stages/train.py"])
    }


def test_another_machine_is_held_to_the_tolerances_and_the_same_one_is_not(tmp_path, capsys):
    a = Story().write(tmp_path / "a")
    near = Story(machine=INTEL, weights="other", mcc=0.55).write(tmp_path / "near")
    far = Story(machine=INTEL, weights="other", mcc=0.9).write(tmp_path / "far")
    same = Story(weights="other", mcc=0.5001).write(tmp_path / "same")

    verdicts = [compare(a, b)["train@1"].verdict for b in (near, far, same)]
    assert verdicts == ["within tolerance", "DIFFERENT", "DIFFERENT"]
    code, printed = run(capsys, a, a)
    assert code == 0 and "The runs are identical: all 4 stages wrote the same bytes." in printed
    code, printed = run(capsys, a, near)
    assert code == 0 and "The runs agree within tolerances." in printed
    code, printed = run(capsys, a, far)
    assert code == 3
    assert "train@1, outside of tolerance A B difference tolerance" in printed
    assert "train/1.json: epochs.0.validation_mcc 0.5 0.9 0.4 0.12" in printed
    assert printed.endswith(
        "The runs differ. First: train@1 (machine: processor AMD EPYC -> Intel). Machines round "
        "differently: do not expect the same floats of another one."
    )


def test_outputs_without_figures_are_within_tolerance_on_another_machine_only(tmp_path):
    machine = Story(machine=INTEL, vectors="other")
    code = Story(code=Story().code | {"stages/embed.py": "new"}, vectors="other")
    no_floats = Story(machine=INTEL, rows="other")

    assert told(Story(), machine, tmp_path / "1")["embed"] == (
        "within tolerance",
        ["machine: processor AMD EPYC -> Intel", verify.UNMEASURED],
    )
    assert told(Story(), code, tmp_path / "2")["embed"] == ("DIFFERENT", ["code: stages/embed.py"])
    assert told(Story(), no_floats, tmp_path / "3")["parse@documents"][0] == "DIFFERENT"


def test_figures_of_another_layout_are_not_within_tolerance(tmp_path):
    """A file of figures that only B's stage writes was never compared."""
    a = Story().write(tmp_path / "a")
    b = Story(machine=INTEL, weights="other").write(tmp_path / "b")
    write(b / "metrics/train/1.csv", "epoch,loss\n1,0.5\n")
    added = {"path": "metrics/train/1.csv", "md5": hashes.md5(b / "metrics/train/1.csv")}
    edit(b / "dvc.lock", lambda lock: lock["stages"]["train@1"]["outs"].append(added))
    edit(
        b / "metrics/receipts/train@1.json",
        lambda receipt: receipt["outputs"].update({added["path"]: added["md5"]}),
    )

    finding = compare(a, b)["train@1"]

    assert finding.verdict == "DIFFERENT"
    assert finding.remark == "metrics/train/1.csv is missing in A"


# --- stages and receipts that one run lacks -------------------------------------------------------


def test_receipt_that_is_not_of_the_run_blames_nobody_and_is_reported(tmp_path, capsys):
    changed = Story(machine=INTEL, weights="other", mcc=0.9)
    a, b = Story().write(tmp_path / "a"), changed.write(tmp_path / "b")
    receipt = b / "metrics/receipts/train@1.json"
    edit(receipt, lambda content: content["parameters"]["train"].update(epochs=7))

    reason, remark = compare(a, b)["train@1"].why

    assert reason.startswith("unknown: dvc.lock records the same for both; B has no receipt")
    assert "disagree on train.epochs" in reason and "machine" in reason
    assert remark == f"{CONTRADICTS} B"
    assert run(capsys, a, b)[0] == 3


def test_outputs_filed_under_parameters_that_did_not_make_them_are_an_error(tmp_path, capsys):
    """As after a change of params.yaml while the stage ran: DVC hashes when it has ended."""
    a = Story().write(tmp_path / "a")
    b = Story(train=Story().train | {"learning_rate": 5e-5}).write(tmp_path / "b")
    shutil.copyfile(a / "metrics/receipts/train@1.json", b / "metrics/receipts/train@1.json")

    code, printed = run(capsys, a, b, "--json", tmp_path / "found.json")

    assert code == 3
    assert (
        "error: B does not record what made its outputs. train@1: its run wrote these very "
        "outputs, and it and dvc.lock disagree on train.learning_rate (0.0001 and 5e-05)."
        in printed
    )
    assert f"type in {b} `dvc repro --force --single-item train@1` and then `dvc repro`" in printed
    assert "of A" not in printed
    assert printed.endswith("But receipt and dvc.lock of train@1 contradict each other.")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["same"] is False
    assert [list(stage["contradictions"]) for stage in found["stages"]].count(["B"]) == 1


def test_receipt_of_a_run_with_other_outputs_is_no_error(tmp_path, capsys):
    """As after DVC took outputs from its run cache, where the receipt stays."""
    a = Story().write(tmp_path / "a")
    before = Story(train={"epochs": 7}, weights="other", mcc=0.9).write(tmp_path / "before")
    b = Story().write(tmp_path / "b")
    shutil.copyfile(before / "metrics/receipts/train@1.json", b / "metrics/receipts/train@1.json")

    code, printed = run(capsys, a, b)

    assert code == 0 and "error" not in printed
    assert "note: no receipt of train@1 of B (it is of another run: it and dvc.lock" in printed


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("code", {"stages/train.py": "0" * 32}, "stages/train.py"),
        ("inputs", {ROWS: "0" * 32}, ROWS),
        ("outputs", {"metrics/train/1.json": "0" * 32}, "metrics/train/1.json"),
        ("packages", {"torch": "2.12.0+cpu"}, "torch (2.12.0+cpu and 2.13.0)"),
    ],
)
def test_every_contradiction_of_receipt_and_lock_is_an_error(tmp_path, capsys, key, value, named):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    edit(a / "metrics/receipts/train@1.json", lambda receipt: receipt[key].update(value))

    code, printed = run(capsys, a, b)

    assert code == 3
    assert "error: A does not record" in printed and named in printed
    assert "error: B" not in printed


def test_added_seed_is_a_stage_that_one_run_has(tmp_path):
    found = told(Story(), Story(seeds=(1, 2)), tmp_path)

    assert found == {"train@2": ("only in B", ["no stage of A"])}


def test_removed_seed_leaves_no_trace_though_dvc_lock_keeps_it(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story(seeds=(1, 2)).write(tmp_path / "b")
    pipeline = {
        "download": {"foreach": ["documents"], "do": {}},
        "parse": {"foreach": {"documents": "corpus"}, "do": {}},
        "embed": {},
        "train": {"foreach": "${seeds}", "do": {}},
        "topic-fit": {},
    }
    write(b / "dvc.yaml", json.dumps({"stages": pipeline}))
    edit(b / "params.yaml", lambda content: content.update(seeds=[1]))

    assert "train@2" not in compare(a, b)
    assert recorded.open_run(str(b)).waiting == ["topic-fit"]


def test_changes_since_the_run_are_noted(tmp_path, capsys):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    edit(b / "params.yaml", lambda content: content["train"].update(epochs=5))
    (b / "bertline/core/new.py").write_text("a new module")

    code, printed = run(capsys, a, b)

    assert code == 0
    assert "of B ran with other code, parameters or inputs than B has now: bertline/core" in printed
    assert "train.epochs of params.yaml" in printed


def test_changed_files_of_a_person_are_noted(tmp_path):
    """own/ and tables such as benchmarks/topic_baselines.csv, which are deps and no code."""
    folder = Story().write(tmp_path)
    for path in ("own/a.csv", "benchmarks/baselines.csv"):
        write(folder / path, "1")
        entry = {"path": path, "md5": hashes.md5(folder / path)}
        edit(
            folder / "dvc.lock",
            lambda lock, entry=entry: lock["stages"]["train@1"]["deps"].append(entry),
        )
    assert recorded.stale(recorded.open_run(str(folder))) == {}

    write(folder / "own/a.csv", "2")
    (folder / "benchmarks/baselines.csv").unlink()

    stale = recorded.stale(recorded.open_run(str(folder)))
    assert stale == {"train@1": ["own/a.csv", "benchmarks/baselines.csv"]}


# --- the command ----------------------------------------------------------------------------------


def test_comparison_is_written_for_programs(tmp_path, capsys):
    a = Story().write(tmp_path / "a")
    b = Story(train={"epochs": "\x1b[2J"}, weights="other", mcc=0.9).write(tmp_path / "b")

    _, printed = run(capsys, a, b, "--json", tmp_path / "found.json")

    assert "train.epochs: 2 -> ?[2J" in printed  # another project does not command the terminal
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["first"] == ["train@1"] and found["same"] is False
    (stage,) = (stage for stage in found["stages"] if stage["verdict"] != "identical")
    assert stage["causes"][0] == {"kind": "parameter", "text": "train.epochs: 2 -> \x1b[2J"}
    assert stage["figures"][0]["tolerance"] == 0.12


# --- real changes, through DVC on miniature inputs ------------------------------------------------


def blamed(project: Project, *sides: str) -> dict[str, list[str]]:
    """Return the causes of each stage that is not identical, as --json has them."""
    target = project.folder.parent / "found.json"
    command = f"python -m bertline.runs.verify {' '.join(sides)} --json '{target}'"
    printed = project.run("bash", "-c", f"{command}; test $? -eq 0 -o $? -eq 3")
    assert "no receipt of" not in printed
    return {
        stage["stage"]: [f"{cause['kind']}: {cause['text']}" for cause in stage["causes"]]
        for stage in json.loads(target.read_text(encoding="utf-8"))["stages"]
        if stage["verdict"] != "identical" or stage["although"] or stage["remark"]
    }


@pytest.mark.slow
def test_changes_are_blamed_on_the_stage_that_they_belong_to(made_project, tmp_path):
    changed = projects.copy(made_project, tmp_path / "changed")
    assert blamed(changed, "HEAD") == {}

    changed.run("dvc", "exp", "run", "split", "--name", "other-folds", "-S", "split.seed=43")
    parameter = {"split": ["parameter: split.seed: 42 -> 43"]}
    assert blamed(changed, "HEAD") == blamed(changed, "main", "other-folds") == parameter

    script = changed.folder / "stages" / "split.py"
    old, new = "np.random.default_rng(seed)", "np.random.default_rng([seed, 1])"
    assert old in script.read_text()
    script.write_text(script.read_text().replace(old, new))
    changed.run("dvc", "repro", "split")
    assert blamed(changed, "other-folds") == {"split": ["code: stages/split.py"]}

    path = changed.folder / ROWS
    rows = pd.read_parquet(path)
    rows.loc[0, "text"] = rows.loc[0, "text"].replace("e", "3", 1)
    path.unlink()  # a link into DVC's cache, as the case may be
    rows.to_parquet(path)
    where = f"data: {ROWS} in B is not what"
    found = blamed(changed, "other-folds")["parse@documents"]
    assert found == [f"{where} dvc.lock records: changed after the run"]
    changed.run("dvc", "commit", "--force", "parse@documents")
    found = blamed(changed, "other-folds")["parse@documents"]
    assert found == [f"{where} the stage wrote: changed after the run, and committed"]
