"""compare: which verdict two runs get, and which runs cannot be compared."""

import csv
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from bertline.core.errors import BertlineError
from bertline.runs import compare, recorded, text
from tests.command import call
from tests.runs import story as stories
from tests.runs.story import edit, write, write_json

SIZES = {"validation": 60, "in_domain_dev": 400, "out_of_domain_dev": 300}
CONFUSION = "metrics/evaluate/confusion"
PROTOCOL = "metrics/evaluate/protocol.json"


@dataclass
class Story:
    """A made-up run: its seeds, and the share of sentences that they label rightly."""

    right: float = 0.8
    seeds: tuple[int, ...] = (1, 2, 3)
    draw: int = 0  # another draw of the same recipe
    title: str = "Corpus"
    texts: str = "the texts"
    threshold: str = "half"
    labels: tuple[str, ...] = ("bad", "good")
    sizes: dict[str, int] = field(default_factory=lambda: dict(SIZES))

    def write(self, folder: Path) -> Path:
        """Write what compare reads of a run to a folder."""
        for number, (name, size) in enumerate(self.sizes.items()):
            several = len(self.labels)
            shares = [0.3, 0.7] if several == 2 else [1 / several] * several
            labels = np.random.default_rng(number).choice(several, size=size, p=shares)
            # What is hard is hard for every run; a seed differs from the others in a few.
            ease = np.random.default_rng([7, number]).random(size)
            rows = []
            for seed in self.seeds:
                random = np.random.default_rng([self.draw, seed, number])
                noise = random.normal(scale=0.05, size=size)
                predicted = np.where(ease + noise < self.right, labels, (labels + 1) % several)
                for place, (actual, guess) in enumerate(zip(labels, predicted, strict=True), 1):
                    words = [self.labels[value] for value in (actual, guess)]
                    rows.append([seed, f"{name}:{place}", f"{name}:{place}", *words])
            path = folder / CONFUSION / f"{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="") as stream:
                csv.writer(stream).writerows([compare.COLUMNS, *rows])
        hashed = {name: f"{self.texts} of {name}" for name in self.sizes}
        protocol = {"threshold": self.threshold, "labels": self.labels, "sentences": hashed}
        write_json(folder / PROTOCOL, protocol)
        write_json(folder / "metrics/parse/sentences.json", {"title": self.title})
        write_json(folder / "metrics/download/backbone.json", {"source": "minilm"})
        write_json(folder / "dvc.lock", {"schema": "2.0", "stages": {}})
        return folder


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return Story().write(tmp_path / "a")


@pytest.fixture
def b(tmp_path: Path) -> Path:
    """Return another draw of the same recipe."""
    return Story(draw=1).write(tmp_path / "b")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Call the command and return what it printed, lines joined."""
    call(compare, *arguments)
    return " ".join(capsys.readouterr().out.split())


def findings(a: Path, b: Path, *names: str) -> dict[str, compare.Finding]:
    one, other = (compare.read_side(recorded.open_run(str(folder))) for folder in (a, b))
    chosen = compare.choose_sets(one, other, names)
    return {finding.name: finding for finding in compare.compare(one, other, chosen, 0.95)}


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "verdict"), [(0.95, "B is better"), (0.65, "A is better")])
def test_large_difference_is_significant(a, tmp_path, capsys, right, verdict):
    b = Story(right, draw=1).write(tmp_path / "b")

    printed = run(capsys, a, b)

    assert printed.count(f"{verdict} (p < .001).") == 3
    assert "both_dev, 700 sentences, MCC and 95% intervals" in printed
    assert "3 sets are tested, so p is corrected (Holm)" in printed
    assert "validation" not in printed


def test_small_difference_is_not_significant(a, tmp_path, capsys):
    b = Story(0.805, draw=1).write(tmp_path / "b")

    printed = run(capsys, a, b, "--sets", "out_of_domain_dev")

    assert "Not significant (p = ." in printed and "300 sentences, MCC" in printed
    assert "Holm" not in printed


@pytest.mark.parametrize(
    ("p", "shown"), [(0.00004, "< .001"), (0.0058, "= .006"), (0.0512, "= .051"), (0.653, "= .65")]
)
def test_p_values_have_two_or_three_digits(p, shown):
    assert compare._p(p) == shown


def test_run_is_identical_to_itself(a, capsys):
    printed = run(capsys, a, a)

    same = "B - A +0.000 - Identical: A and B predict the same for every sentence and seed."
    assert printed.count(same) == 3
    assert "Holm" not in printed and "paired over seeds" not in printed


def test_runs_that_differ_in_few_predictions_are_paired_over_seeds(a, tmp_path, capsys):
    b = Story(seeds=(3, 1, 2)).write(tmp_path / "b")  # the order of seeds does not matter
    path = b / CONFUSION / "out_of_domain_dev.csv"
    header, *rows = path.read_text().splitlines()
    few = [row.replace(",good,good", ",good,bad") for row in rows[:10]]
    assert few != rows[:10]
    path.write_text("\n".join([header, *few, *rows[10:]]) + "\n")

    printed = run(capsys, a, b, "--sets", "out_of_domain_dev")

    assert "so the difference is paired over seeds as well" in printed
    found = findings(a, b, "out_of_domain_dev")["out_of_domain_dev"]
    assert (found.verdict, found.difference.paired) == ("not significant", True)
    assert found.difference.high - found.difference.low < (found.a.high - found.a.low) / 2


@pytest.mark.parametrize(
    ("score", "title"), [("mcc", "MCC"), ("macro_f1", "macro F1"), ("accuracy", "accuracy")]
)
def test_runs_of_any_classes_are_compared_by_any_score(tmp_path, capsys, score, title):
    names = ("sport", "arts, music", "NA", "world")
    a = Story(labels=names).write(tmp_path / "a")
    # The order of the classes does not matter.
    b = Story(0.95, draw=1, labels=names).write(tmp_path / "b")
    edit(b / PROTOCOL, lambda protocol: protocol["labels"].reverse())

    printed = run(capsys, a, b, "--score", score, "--json", tmp_path / "out.json")

    assert f"both_dev, 700 sentences, {title} and 95% intervals" in printed
    assert printed.count("B is better (p < .001).") == 3
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["score"] == score
    rows = pd.read_csv(b / CONFUSION / "in_domain_dev.csv", keep_default_na=False)
    measure = {"mcc": matthews_corrcoef, "accuracy": accuracy_score}.get(
        score, partial(f1_score, average="macro")
    )
    expected = [measure(of["actual"], of["predicted"]) for _, of in rows.groupby("seed")]
    assert content["sets"][0]["b"]["by_seed"] == pytest.approx(expected)


def test_runs_of_other_classes_are_refused(a, tmp_path):
    b = Story(labels=("bad", "good", "middling")).write(tmp_path / "b")

    with pytest.raises(BertlineError, match="same classes: none only in A, middling only in B"):
        call(compare, a, b)


def test_p_is_corrected_for_the_number_of_sets(a, tmp_path):
    b = Story(0.83, draw=1).write(tmp_path / "b")

    alone = findings(a, b, "in_domain_dev")["in_domain_dev"]
    together = findings(a, b)["in_domain_dev"]

    assert together.difference.p == alone.difference.p == alone.p_corrected
    assert together.p_corrected >= alone.p_corrected


def test_order_of_sentences_does_not_matter(a, b):
    expected = findings(a, b)["in_domain_dev"]
    path = b / CONFUSION / "in_domain_dev.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")

    found = findings(a, b)["in_domain_dev"]

    assert found.difference.estimate == pytest.approx(expected.difference.estimate)
    assert found.difference.p == pytest.approx(expected.difference.p)


def test_lone_validation_fold_is_compared(tmp_path):
    sizes = {"validation": 60}
    a, b = (Story(draw=draw, sizes=sizes).write(tmp_path / str(draw)) for draw in (0, 1))

    assert list(findings(a, b)) == ["validation"]


def test_what_limits_the_verdict_is_noted(a, tmp_path, capsys):
    b = Story(0.95, seeds=(1,), title="\x1b[2JCorpus", threshold="validation").write(tmp_path / "b")
    write(b / "metrics/adapt.csv", "epoch,validation_mcc\n1,0.6\n")

    call(compare, a, b, "--sets", "validation")

    printed = capsys.readouterr().out
    first, second = printed.splitlines()[:2]
    assert first.endswith("Corpus, minilm, 3 seeds")
    # Another project's words do not command the terminal.
    assert second.endswith("?[2JCorpus, minilm, adapted, 1 seed")
    assert all(len(line) <= text.WIDTH for line in printed.splitlines()[2:])
    printed = " ".join(printed.split())
    assert "B's model is better (p " in printed
    assert "B has one seed. The test compares this one model, not training recipes" in printed
    assert "evaluate.threshold is half in A and validation in B" in printed
    assert "may have steered decisions of A or B: it is no test set" in printed


def test_scores_that_something_else_made_than_is_recorded_are_an_error(a, b, capsys):
    stories.Story().write(b)
    evaluate = {"cmd": "evaluate", "deps": [{"path": "data/train", "md5": "0.dir"}]}
    edit(b / "dvc.lock", lambda lock: lock["stages"].update(evaluate=evaluate))
    run(capsys, a, b)  # all is recorded as it ran

    for stage in ("train@1", "embed"):  # no score depends on embed
        edit(
            b / f"metrics/receipts/{stage}.json",
            lambda receipt: receipt.update(parameters={"train": {"epochs": 7}}, code={}),
        )
    with pytest.raises(SystemExit) as stop:
        run(capsys, a, b)

    printed = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 3
    assert "error: B does not record what made its outputs. train@1: " in printed
    assert "train.epochs (7 and 2)" in printed and "embed" not in printed
    assert "B - A" in printed


def test_changes_that_have_not_run_are_noted(a, b, capsys):
    stories.Story().write(b)
    evaluate = {"cmd": "evaluate", "deps": [{"path": "data/train", "md5": "0.dir"}]}
    edit(b / "dvc.lock", lambda lock: lock["stages"].update(evaluate=evaluate))
    train = {"foreach": "${seeds}", "do": {}}
    pipeline = {"parse@documents": {}, "embed": {}, "train": train, "evaluate": {}}
    write_json(b / "dvc.yaml", {"stages": pipeline | {"topic-fit": {}}})
    edit(b / "params.yaml", lambda values: values.update(seeds=[1, 4]))
    assert "B has not run train@4: `dvc repro evaluate` does." in run(capsys, a, b)

    edit(b / "params.yaml", lambda values: values["train"].update(epochs=9))

    printed = run(capsys, a, b)
    assert "train@1 of B ran with other code, parameters or inputs than B has now: " in printed
    assert "train.epochs of params.yaml. The scores are of what ran" in printed
    assert "of A ran" not in printed and "topic-fit" not in printed


def test_set_of_one_run_alone_is_noted(a, tmp_path, capsys):
    b = Story(draw=1, sizes={"validation": 60, "in_domain_dev": 400}).write(tmp_path / "b")

    printed = run(capsys, a, b)

    assert "out_of_domain_dev is a set of A alone, and not compared." in printed
    assert "both_dev" not in printed


def test_json_has_the_figures_and_the_verdict(a, tmp_path, capsys):
    b = Story(0.95, draw=1).write(tmp_path / "b")

    run(capsys, a, b, "--json", tmp_path / "out.json", "--confidence", "0.9")

    content = json.loads((tmp_path / "out.json").read_text())
    assert content["confidence"] == 0.9 and content["recipes"] is True
    names = [entry["name"] for entry in content["sets"]]
    assert names == ["in_domain_dev", "out_of_domain_dev", "both_dev"]
    for entry in content["sets"]:
        difference = entry["difference"]
        assert entry["verdict"] == "B is better"
        assert difference["low"] < difference["estimate"] < difference["high"]
        assert entry["a"]["estimate"] < entry["b"]["estimate"]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "message"),
    [
        pytest.param(
            Story(title="Another corpus", texts="other texts"),
            "not scored on the same sentences of in_domain_dev: the same ids and labels, but "
            "other texts. A was scored on Corpus, B on Another corpus",
            id="texts",
        ),
        pytest.param(
            Story(sizes=SIZES | {"in_domain_dev": 390}),
            r"10 sentences \(first in_domain_dev:391\) only in A, 0 sentences only in B",
            id="sentences",
        ),
        pytest.param(
            Story(sizes={"test": 20}), "A was scored on validation.* B on test", id="sets"
        ),
    ],
)
def test_other_data_are_refused_and_named(a, tmp_path, other, message):
    with pytest.raises(BertlineError, match=message):
        call(compare, a, other.write(tmp_path / "b"))


def change_rows(folder: Path, change) -> None:
    """Change or drop rows of a confusion table by a function."""
    path = folder / CONFUSION / "in_domain_dev.csv"
    with path.open(newline="") as stream:
        rows = [changed for row in csv.DictReader(stream) if (changed := change(row))]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else list(compare.COLUMNS))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda row: (
                row | {"actual": {"bad": "good", "good": "bad"}[row["actual"]]}
                if row["id"].endswith("dev:2")
                else row
            ),
            r"1 sentences \(first in_domain_dev:2\) with another label",
            id="another-label",
        ),
        pytest.param(
            lambda row: {key: value for key, value in row.items() if key not in ("id", "pair")},
            "has no column id, pair; an earlier version of `evaluate` wrote it",
            id="earlier-version",
        ),
        pytest.param(
            lambda row: row | {"predicted": "maybe"},
            "row 2: predicted should be bad or good, and is 'maybe'",
            id="unknown-label",
        ),
        pytest.param(
            lambda row: row | {"id": "in_domain_dev:1"},
            "row 3: seed 1 has the sentence in_domain_dev:1 twice",
            id="sentence-twice",
        ),
        pytest.param(
            lambda row: None if row["seed"] == "2" and row["id"].endswith(":9") else row,
            "the seeds 1, 2, 3 do not have the same sentences",
            id="seed-lacks-a-sentence",
        ),
        pytest.param(lambda row: None, "has no rows", id="empty"),
    ],
)
def test_corrupted_predictions_are_refused(a, b, change, message):
    change_rows(b, change)

    with pytest.raises(BertlineError, match=message):
        call(compare, a, b)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (PROTOCOL, None, "has no metrics/evaluate/protocol.json: `evaluate` has not run there"),
        (PROTOCOL, b"{", "is no JSON object"),
        (PROTOCOL, b"{}", "does not name its sentences"),
        (PROTOCOL, b'{"sentences": {}}', "does not name its classes"),
        (f"{CONFUSION}/in_domain_dev.csv", None, "has no metrics/evaluate/confusion/in_domain_dev"),
        (f"{CONFUSION}/in_domain_dev.csv", b"\xff\xfe", "is not a table in CSV"),
    ],
)
def test_corrupted_files_are_refused(a, b, path, content, message):
    if content is None:
        (b / path).unlink()
    else:
        (b / path).write_bytes(content)

    with pytest.raises(BertlineError, match=message):
        call(compare, a, b)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--confidence=95", "--confidence should be more than 0 and less than 1"),
        ("--confidence=nan", "--confidence should be more than 0 and less than 1"),
        ("--sets=mars", "mars is no set of both runs; these are validation"),
    ],
)
def test_impossible_options_are_refused(a, option, message):
    with pytest.raises(BertlineError, match=message):
        call(compare, a, a, option)
