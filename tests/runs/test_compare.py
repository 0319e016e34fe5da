"""compare: what is said of two runs, and which runs it refuses to compare."""

import csv
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bertline.core.errors import BertlineError
from bertline.runs import compare, recorded
from tests.command import call

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
    sizes: dict[str, int] = field(default_factory=lambda: dict(SIZES))

    def write(self, folder: Path) -> Path:
        """Write what compare reads of a run to a folder."""
        hashed = {}
        for number, (name, size) in enumerate(self.sizes.items()):
            labels = np.random.default_rng(number).random(size) < 0.7
            # What is hard is hard for every run; a seed differs from the others in a few.
            ease = np.random.default_rng([7, number]).random(size)
            rows = []
            for seed in self.seeds:
                random = np.random.default_rng([self.draw, seed, number])
                noise = random.normal(scale=0.05, size=size)
                predicted = np.where(ease + noise < self.right, labels, ~labels)
                for place, (actual, guess) in enumerate(zip(labels, predicted, strict=True), 1):
                    words = [compare.LABELS[int(value)] for value in (actual, guess)]
                    rows.append([seed, f"{name}:{place}", f"{name}:{place}", *words])
            path = folder / CONFUSION / f"{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="") as stream:
                csv.writer(stream).writerows([compare.COLUMNS, *rows])
            hashed[name] = f"{self.texts} of {name}"
        protocol = {"threshold": self.threshold, "sentences": hashed}
        write_json(folder / PROTOCOL, protocol)
        write_json(folder / "metrics/parse/sentences.json", {"title": self.title})
        write_json(folder / "metrics/download/backbone.json", {"source": "minilm"})
        write_json(folder / "dvc.lock", {"schema": "2.0", "stages": {}})
        return folder


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Call the command and return what it printed, lines joined."""
    call(compare, *arguments)
    printed = capsys.readouterr().out
    # A folder's name is not broken, however long it is.
    lines = [line for line in printed.splitlines() if os.sep not in line]
    assert all(len(line) <= compare.WIDTH for line in lines)
    return " ".join(printed.split())


def findings(a: Path, b: Path, *names: str) -> dict[str, compare.Finding]:
    one, other = (compare.read_side(recorded.open_run(str(folder))) for folder in (a, b))
    chosen = compare.choose_sets(one, other, names)
    return {finding.name: finding for finding in compare.compare(one, other, chosen, 0.95)}


# --- what is said ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "verdict"), [(0.95, "better"), (0.65, "worse")])
def test_large_difference_is_called_by_its_name(tmp_path, capsys, right, verdict):
    a, b = Story().write(tmp_path / "a"), Story(right, draw=1).write(tmp_path / "b")

    printed = run(capsys, a, b)

    assert printed.count(f"B is {verdict}.") == 3
    assert "both_dev, 700 sentences, MCC and 95% intervals" in printed
    assert "3 sets are looked at, so p is corrected (Holm)" in printed
    assert "validation" not in printed.replace("validation fold", "")


def test_small_difference_cannot_be_told_and_what_would_be_needed_is_said(tmp_path, capsys):
    a, b = Story().write(tmp_path / "a"), Story(0.805, draw=1).write(tmp_path / "b")

    printed = run(capsys, a, b, "--sets", "out_of_domain_dev")

    assert "Not significant: you would need about" in printed
    assert "300 sentences, MCC" in printed
    assert "to tell a true difference of" in printed and "four times of five" in printed
    assert "Holm" not in printed


def test_a_side_whose_encoder_was_adapted_says_so(tmp_path, capsys):
    a, b = Story().write(tmp_path / "a"), Story(draw=1).write(tmp_path / "b")
    write_json(a / "metrics/adapt.json", {"sentences": 0, "epochs": []})
    write_json(b / "metrics/adapt.json", {"sentences": 900, "epochs": [{"epoch": 1}]})

    call(compare, a, b)

    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first.endswith("Corpus, minilm, 3 seeds")
    assert second.endswith("Corpus, minilm, adapted, 3 seeds")


def test_run_is_the_same_as_itself(tmp_path, capsys):
    a = Story().write(tmp_path / "a")

    printed = run(capsys, a, a)

    assert printed.count("A and B predict the same for every sentence and seed") == 3
    assert "+0.000" in printed


def test_another_draw_of_the_recipe_is_not_called_better(tmp_path):
    alarms = 0
    for draw in range(1, 11):
        a = Story(draw=draw).write(tmp_path / f"a{draw}")
        b = Story(draw=100 + draw).write(tmp_path / f"b{draw}")
        verdicts = {finding.verdict for finding in findings(a, b).values()}
        alarms += verdicts != {compare.UNKNOWN}
    assert alarms <= 2  # 10 times 5 % at most: three or more have a chance of 1 %


@pytest.mark.parametrize("seeds", [((1,), (1, 2, 3)), ((1, 2), (7,)), ((1,), (1,))], ids=str)
def test_one_seed_speaks_for_its_model_only(tmp_path, capsys, seeds):
    a = Story(seeds=seeds[0]).write(tmp_path / "a")
    b = Story(0.95, seeds=seeds[1], draw=1).write(tmp_path / "b")

    printed = run(capsys, a, b, "--sets", "in_domain_dev")

    assert "B's model is better than A's; of how they were trained one seed says nothing" in printed
    assert "not of recipes: another seed may turn it round" in printed
    letters = [name for name, given in zip("AB", seeds, strict=True) if len(given) == 1]
    assert f"note: {' and '.join(letters)} {'has' if len(letters) == 1 else 'have'} one" in printed


def test_many_looks_ask_for_more_than_one(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story(0.83, draw=1).write(tmp_path / "b")

    alone = findings(a, b, "in_domain_dev")["in_domain_dev"]
    together = findings(a, b)["in_domain_dev"]

    assert together.difference.p == alone.difference.p == alone.p_corrected
    assert together.p_corrected >= alone.p_corrected
    assert together.difference.detectable > alone.difference.detectable


def test_verdict_that_falls_to_the_correction_says_so(labels_apart=0.02):
    difference = compare.Difference(
        labels_apart, 0.001, 0.039, 0.03, (3, 3), 500, False, detectable=0.05,
        seeds_needed=3, sentences_needed=480,
    )  # fmt: skip

    says = compare.put_in_words(difference, compare.UNKNOWN, 0.95, 3)

    assert "it would count if this were the only set; 3 are looked at" in says
    # Never fewer than there are.
    assert "4 seeds on each side (now 3) or 501 sentences (1 more than now)" in says


@pytest.mark.parametrize(
    ("seeds", "sentences", "said"),
    [
        (None, 9000, "9,000 sentences (8,500 more than now) to tell"),
        (None, 9000, "More seeds alone do not suffice: the sentences are too few."),
        (40, None, "about 40 seeds on each side (now 3 and 5) to tell"),
        (40, None, "More sentences alone do not suffice: seeds differ too much."),
        (None, None, "neither 1,000 seeds nor a million sentences would do to tell"),
    ],
)
def test_what_limits_is_said(seeds, sentences, said):
    difference = compare.Difference(
        0.01, -0.05, 0.07, 0.7, (3, 5), 500, False, detectable=0.09,
        seeds_needed=seeds, sentences_needed=sentences,
    )  # fmt: skip

    assert said in compare.put_in_words(difference, compare.UNKNOWN, 0.95, 1)


def test_thresholds_that_differ_and_the_validation_fold_are_noted(tmp_path, capsys):
    a = Story().write(tmp_path / "a")
    b = Story(draw=1, threshold="validation").write(tmp_path / "b")

    printed = run(capsys, a, b, "--sets", "validation")

    assert "evaluate.threshold is half in A and validation in B" in printed
    assert "may have steered decisions of A or B: it is no test set" in printed


def test_order_of_sentences_does_not_matter(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story(draw=1).write(tmp_path / "b")
    expected = findings(a, b)["in_domain_dev"]
    path = b / CONFUSION / "in_domain_dev.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")

    found = findings(a, b)["in_domain_dev"]

    assert found.difference.estimate == pytest.approx(expected.difference.estimate)
    assert found.difference.p == pytest.approx(expected.difference.p)


def test_json_has_the_figures_and_the_verdict(tmp_path, capsys):
    a, b = Story().write(tmp_path / "a"), Story(0.95, draw=1).write(tmp_path / "b")

    run(capsys, a, b, "--json", tmp_path / "out.json", "--confidence", "0.9")

    content = json.loads((tmp_path / "out.json").read_text())
    assert content["confidence"] == 0.9
    assert [entry["set"] for entry in content["sets"]] == [
        "in_domain_dev",
        "out_of_domain_dev",
        "both_dev",
    ]
    for entry in content["sets"]:
        assert entry["verdict"] == "better" and entry["recipes"] is True
        difference = entry["difference"]
        assert difference["low"] < difference["estimate"] < difference["high"]
        assert entry["a"]["estimate"] < entry["b"]["estimate"]


def test_confidence_of_all_but_one_keeps_figures_finite(tmp_path, capsys):
    a, b = Story().write(tmp_path / "a"), Story(draw=1).write(tmp_path / "b")

    run(capsys, a, b, "--json", tmp_path / "out.json", "--confidence", str(1 - 2**-53))

    assert "Infinity" not in (tmp_path / "out.json").read_text()


def test_lone_validation_fold_is_compared(tmp_path):
    a, b = (
        Story(draw=draw, sizes={"validation": 60}).write(tmp_path / str(draw)) for draw in (0, 1)
    )

    assert list(findings(a, b)) == ["validation"]


# --- where runs come from -------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder: a project in a folder of a git repository, with two commits."""
    folder = Story().write(tmp_path / "repository" / "inner")
    monkeypatch.chdir(folder)
    git("init", "--quiet", "--initial-branch", "main")
    for change in (Story(), Story(0.95, draw=1)):
        change.write(folder)
        git("add", "--all")
        git("commit", "--quiet", "--allow-empty", "--message", "Run")
    return folder


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def test_revisions_experiments_and_folders_are_compared(repository, tmp_path, capsys):
    git("update-ref", f"refs/exps/{'0' * 2}/{'1' * 38}/wilder", "HEAD~1")
    other = Story(0.6, draw=2).write(tmp_path / "other")

    assert run(capsys, "HEAD~1", "main").count("B is better.") == 3
    assert run(capsys, "HEAD~1").count("B is better.") == 3  # with the workspace
    assert run(capsys, "main", "wilder").count("B is worse.") == 3
    assert run(capsys, "wilder", other).count("B is worse.") == 3


def test_name_that_is_nothing_is_refused(repository):
    with pytest.raises(BertlineError, match="wildr is no folder, and neither a revision"):
        call(compare, "wildr")


# --- what is refused ------------------------------------------------------------------------------


def test_other_data_is_refused_and_named(tmp_path):
    a = Story().write(tmp_path / "a")
    b = Story(title="Another corpus", texts="other texts").write(tmp_path / "b")

    with pytest.raises(
        BertlineError,
        match="not scored on the same sentences of in_domain_dev: the same ids and labels, and "
        "other texts. A was scored on Corpus, B on Another corpus",
    ):
        call(compare, a, b)


def test_other_sentences_are_refused_and_counted(tmp_path):
    a = Story().write(tmp_path / "a")
    b = Story(sizes=SIZES | {"in_domain_dev": 390}).write(tmp_path / "b")

    with pytest.raises(
        BertlineError, match=r"10 sentences \(first in_domain_dev:391\) only in A, 0 sentences only"
    ):
        call(compare, a, b)


def test_other_labels_are_refused_and_counted(tmp_path):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    change_rows(b, lambda row: row | {"actual": "acceptable"} if row["id"].endswith(":2") else row)

    labels = np.random.default_rng(1).random(400) < 0.7
    assert not labels[1]
    with pytest.raises(
        BertlineError, match=r"1 sentences \(first in_domain_dev:2\) with another label"
    ):
        call(compare, a, b)


def test_no_set_in_common_is_refused(tmp_path):
    a = Story(sizes={"dev": 20}).write(tmp_path / "a")
    b = Story(sizes={"test": 20}).write(tmp_path / "b")

    with pytest.raises(BertlineError, match="A was scored on dev, B on test"):
        call(compare, a, b)


def test_set_that_is_none_of_both_is_refused(tmp_path):
    a = Story().write(tmp_path / "a")

    with pytest.raises(BertlineError, match="mars is no set of both runs; these are validation"):
        call(compare, a, a, "--sets", "mars")


@pytest.mark.parametrize("confidence", ["0", "1", "95", "nan", "-1"])
def test_impossible_confidence_is_refused(tmp_path, confidence):
    with pytest.raises(BertlineError, match="--confidence should be more than 0 and less than 1"):
        call(compare, tmp_path, tmp_path, f"--confidence={confidence}")


def change_rows(folder: Path, change, name: str = "in_domain_dev") -> None:
    """Change or drop rows of a confusion table by a function."""
    path = folder / CONFUSION / f"{name}.csv"
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
            lambda row: {key: value for key, value in row.items() if key not in ("id", "pair")},
            "has no column id, pair; an earlier version of `evaluate` wrote it",
            id="earlier-version",
        ),
        pytest.param(
            lambda row: row | {"predicted": "maybe"},
            "row 2: labels should be unacceptable or acceptable, and are .* and 'maybe'",
            id="unknown-label",
        ),
        pytest.param(
            lambda row: row | {"id": "in_domain_dev:1"},
            "row 3: seed 1 has the sentence in_domain_dev:1 twice",
            id="sentence-twice",
        ),
        pytest.param(
            lambda row: None if row["seed"] == "2" and row["id"].endswith(":9") else row,
            "the seeds 1 and 2 have not the same sentences",
            id="seed-lacks-a-sentence",
        ),
        pytest.param(lambda row: None, "has no rows", id="empty"),
    ],
)
def test_spoiled_predictions_are_refused(tmp_path, change, message):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    change_rows(b, change)

    with pytest.raises(BertlineError, match=message):
        call(compare, a, b)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (PROTOCOL, None, "has no metrics/evaluate/protocol.json: `evaluate` has not run there"),
        (PROTOCOL, b"{", "is no JSON"),
        (PROTOCOL, b"[]", "should hold a JSON object"),
        (PROTOCOL, b"{}", "does not name its sentences"),
        (f"{CONFUSION}/in_domain_dev.csv", None, "has no metrics/evaluate/confusion/in_domain_dev"),
        (f"{CONFUSION}/in_domain_dev.csv", b"\xff\xfe", "is not a table in CSV"),
        (f"{CONFUSION}/in_domain_dev.csv", b'seed,id\n"1" 2', "is not a table in CSV"),
        (f"{CONFUSION}/in_domain_dev.csv", b"", "has no column seed, id"),
    ],
)
def test_spoiled_files_are_refused(tmp_path, path, content, message):
    a, b = Story().write(tmp_path / "a"), Story().write(tmp_path / "b")
    if content is None:
        (b / path).unlink()
    else:
        (b / path).write_bytes(content)

    with pytest.raises(BertlineError, match=message):
        call(compare, a, b)


def test_what_others_wrote_does_not_command_the_terminal(tmp_path, capsys):
    a = Story(title="\x1b[2JCorpus\r").write(tmp_path / "a")

    assert "\x1b" not in run(capsys, a, a)
