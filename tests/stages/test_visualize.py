"""The visualize stage: every figure and the report, the same bytes each time, mistakes named."""

import errno
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.figures import style
from stages import visualize
from stages.visualize import Visualize
from tests.command import PROJECT, call, write_params
from tests.figures import stored

SMALL = {"visualize.dpi": 50, "visualize.top_topics": 8}


def write_inputs(folder: Path, **options) -> tuple[Path, Path]:
    stored.write_metrics(folder / "metrics", **options)
    stored.write_topics(folder / "topics", documents=800, topics=20)
    return folder / "metrics", folder / "topics"


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run(folder: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inputs = [folder / name for name in ("metrics", "analysis", "topics")]
    words = [*inputs, out, "--params", folder / "params.yaml"]
    return subprocess.run(
        [sys.executable, "-m", "stages.visualize", *map(str, words)],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_figures_and_report_are_written(tmp_path):
    metrics, topics = write_inputs(tmp_path)
    out = tmp_path / "out"

    call(
        visualize, metrics, tmp_path / "analysis", topics, out,
        "--params", write_params(tmp_path / "params.yaml", SMALL),
        "--receipt", tmp_path / "receipt.json",
    )  # fmt: skip

    names = ["learning_curves", "scores", "reliability", "topic_frequencies", "topic_map"]
    names += [f"breakdown/{grouping}" for grouping in ("major", "minor", "source", "length")]
    names += ["topic_tree", "topic_coverage", "topic_groups"]
    names += ["topic_baselines", "topic_stability"]
    for test_set in ("in_domain_dev", "out_of_domain_dev"):
        names += [f"confusion/{test_set}", f"mcc_per_batch/{test_set}"]
    expected = {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    assert set(hashes(out)) == expected | {"index.html"}
    page = (out / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'(?:href|src)="([^"]+)"', page))
    assert linked == expected
    assert (tmp_path / "receipt.json").exists()


@pytest.mark.slow
def test_bytes_are_the_same_in_two_processes(tmp_path):
    write_inputs(tmp_path, sets={"out_of_domain_dev": 128})
    write_params(tmp_path / "params.yaml", SMALL)

    for seed in ("1", "2"):
        # Another time zone and home as well: neither a date nor a person's settings may matter.
        home = tmp_path / f"home{seed}"
        home.mkdir()
        (home / "matplotlibrc").write_text("axes.facecolor: red\n" if seed == "2" else "")
        done = run(
            tmp_path, tmp_path / seed, PYTHONHASHSEED=seed, TZ=f"UTC+{seed}",
            MATPLOTLIBRC=str(home / "matplotlibrc"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


def test_missing_input_is_a_sentence_and_nothing_is_written(tmp_path):
    metrics, _ = write_inputs(tmp_path)
    write_params(tmp_path / "params.yaml", SMALL)
    (metrics / "evaluate" / "scores.csv").unlink()

    done = run(tmp_path, tmp_path / "out")

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {metrics / 'evaluate' / 'scores.csv'} does not exist.")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_letters_that_the_font_lacks_are_told(tmp_path, capfd):
    metrics, topics = write_inputs(tmp_path, sets={"test": 64}, documents_title="日本語")

    call(
        visualize, metrics, tmp_path / "analysis", topics, tmp_path / "out",
        "--params", write_params(tmp_path / "params.yaml", SMALL),
    )  # fmt: skip

    assert "warning: DejaVu Sans has no shape for 3 of the characters" in capfd.readouterr().err


@pytest.mark.filterwarnings("error")
@pytest.mark.slow
def test_words_of_another_script_and_of_mathematics_are_drawn(tmp_path):
    metrics, topics = write_inputs(tmp_path, sets={"a $set$": 64}, seeds=(1,), epochs=1)
    stored.write_topics(topics, words={0: ["$\\frac{", "<script>", "語"], 1: ["_^\\", "$", "--"]})

    call(
        visualize, metrics, tmp_path / "analysis", topics, tmp_path / "out",
        "--params", write_params(tmp_path / "params.yaml", SMALL),
    )  # fmt: skip

    assert "<script" not in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("top_topics", -1, "greater than or equal to 0"),
        ("top_topics", 2.5, "valid integer"),
        ("label_words", 0, "greater than or equal to 1"),
        ("font_size", 0, "greater than or equal to 4"),
        ("font_size", "9", "valid number"),
        ("figure_size", [11.0], "at least 2 items"),
        ("figure_size", [11.0, 0.5], "greater than or equal to 4"),
        ("dpi", 10_000, "less than or equal to 600"),
        ("font", "", "at least 1 character"),
        ("dpis", 100, "did you mean `dpi`?"),
    ],
)
def test_impossible_parameters_are_refused_by_name(tmp_path, key, value, message):
    path = write_params(tmp_path / "params.yaml", {f"visualize.{key}": value})

    with pytest.raises(BertlineError, match=re.escape(f"visualize.{key}")) as raised:
        params.load(path, "visualize", Visualize)

    assert message in str(raised.value)


def test_projects_parameters_are_valid():
    assert params.load(PROJECT / "params.yaml", "visualize", Visualize).top_topics >= 0


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """Return a folder with inputs, parameters, and an output that an earlier run wrote."""
    write_inputs(tmp_path, sets={"test": 64}, seeds=(1,), epochs=1)
    write_params(tmp_path / "params.yaml", SMALL)
    (tmp_path / "out" / "confusion").mkdir(parents=True)
    (tmp_path / "out" / "index.html").write_text("the earlier report")
    (tmp_path / "out" / "confusion" / "older.png").write_text("the earlier figure")
    return tmp_path


def call_again(folder: Path) -> None:
    call(
        visualize, folder / "metrics", folder / "analysis", folder / "topics", folder / "out",
        "--params", folder / "params.yaml", "--receipt", folder / "receipt.json",
    )  # fmt: skip


def test_unknown_parameter_is_a_sentence_and_the_earlier_output_stays(finished):
    write_params(finished / "params.yaml", SMALL | {"visualize.top_topic": 3})
    before = hashes(finished)

    done = run(finished, finished / "out")

    assert done.returncode == 2
    assert done.stderr == (
        f"error: {finished / 'params.yaml'}: visualize.top_topic is not a parameter "
        f"(did you mean `top_topics`?).\n"
    )
    assert hashes(finished) == before


def test_each_missing_input_is_named_and_the_earlier_output_stays(finished):
    folders = ("metrics", "analysis", "topics")
    inputs = [path for name in folders for path in (finished / name).rglob("*.*")]
    assert len(inputs) == 31
    earlier = hashes(finished / "out")

    for path in inputs:
        moved = path.rename(path.with_name("moved"))
        with pytest.raises(BertlineError, match=re.escape(f"{path} does not exist")):
            call_again(finished)
        moved.rename(path)

    assert hashes(finished / "out") == earlier
    assert {path.name for path in finished.iterdir()} == {*folders, "out", "params.yaml"}


@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, "no space"), KeyboardInterrupt(), RuntimeError("a defect")],
    ids=["full-disk", "interrupted", "defect"],
)
def test_failure_on_the_way_leaves_the_earlier_output_and_nothing_half_written(
    finished, monkeypatch, failure
):
    saved = []

    def save(figure, folder, name, dpi):
        if len(saved) == 3:
            raise failure
        (folder / f"{name}.png").parent.mkdir(exist_ok=True)
        (folder / f"{name}.png").write_text("half of the output")
        saved.append(name)

    monkeypatch.setattr(style, "save", save)
    before, listed = hashes(finished), sorted(finished.rglob("*"))

    with pytest.raises(type(failure)):
        call_again(finished)

    assert len(saved) == 3
    assert hashes(finished) == before
    assert sorted(finished.rglob("*")) == listed  # no empty folder and no receipt either


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where words that break XML were drawn over an earlier output."""
    folder = tmp_path_factory.mktemp("strange")
    options = {"sets": {"test": 64}, "seeds": (1,), "epochs": 1, "title": "A & B <x> --> --"}
    stored.write_metrics(folder / "metrics", **options)
    words = {0: ["--><script>", "]]>", "&amp;"]}
    stored.write_topics(folder / "topics", words=words, topics=3, documents=90)
    write_params(folder / "params.yaml", SMALL)
    (folder / "out" / "confusion").mkdir(parents=True)
    (folder / "out" / "index.html").write_text("the earlier report")
    (folder / "out" / "confusion" / "older.png").write_text("the earlier figure")
    call_again(folder)
    return folder


def test_new_output_replaces_the_earlier_one_as_a_whole(strange):
    written = hashes(strange / "out")

    assert "confusion/older.png" not in written
    assert len(written) == 2 * 16 + 1
    assert "the earlier report" not in (strange / "out" / "index.html").read_text(encoding="utf-8")
    assert {path.name for path in strange.iterdir()} == {
        *("metrics", "analysis", "topics", "out", "params.yaml", "receipt.json")
    }


def test_svg_files_are_well_formed_and_refer_to_nothing_outside(strange):
    drawn = sorted((strange / "out").rglob("*.svg"))

    assert len(drawn) == 16
    for path in drawn:
        for element in ElementTree.parse(path).iter():
            assert element.tag.rpartition("}")[2] != "script"
            for name, value in element.attrib.items():
                if name.rpartition("}")[2] in ("href", "src"):
                    assert value.startswith(("#", "data:image/png;base64,")), path
