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

from bertline.core import files, params
from bertline.core.errors import BertlineError
from bertline.figures import style
from stages import visualize
from stages.visualize import Visualize
from tests.command import PROJECT, call, write_params
from tests.figures import stored

SMALL = {"visualize.dpi": 50, "visualize.topics.top_topics": 3}
BRANCHES = ("classification", "topics")
BREAKS_XML = {0: ["--><script>", "]]>", "&amp;"], 1: ["$\\frac{", "_^\\", "語"]}


def write_inputs(folder: Path) -> Path:
    """Write small inputs, parameters, and the output of an earlier run; return `folder`."""
    options = {"sets": {"a $set$": 64}, "seeds": (1,)}
    title = "A & B <x> --> --"
    stored.write_scores(folder / "metrics", title=title, epochs=1, **options)
    stored.write_analysis(folder / "metrics", folder / "analysis", **options)
    topics = {"words": BREAKS_XML, "topics": 3, "documents": 90, "periods": ["2001", "2002"]}
    stored.write_topics(folder / "metrics", folder / "topics", **topics)
    stored.write_baselines(folder / "baselines.csv")
    write_params(folder / "params.yaml", SMALL)
    for branch in BRANCHES:
        (folder / "out" / branch / "confusion").mkdir(parents=True)
        (folder / "out" / branch / "index.html").write_text("the earlier report")
        (folder / "out" / branch / "confusion" / "older.png").write_text("the earlier figure")
    return folder


def arguments(folder: Path, branch: str, out: str = "out") -> list[Path | str]:
    results = folder / {"classification": "analysis", "topics": "topics"}[branch]
    paths = [folder / "metrics", results, folder / out / branch]
    others = ["--baselines", folder / "baselines.csv"] if branch == "topics" else []
    return [branch, *paths, *others, "--params", folder / "params.yaml"]


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with inputs and an earlier output, which no test changes."""
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where the stage has run over an earlier output."""
    folder = write_inputs(tmp_path_factory.mktemp("drawn"))
    for branch in BRANCHES:
        call(visualize, *arguments(folder, branch), "--receipt", folder / f"{branch}.json")
    return folder


FIGURES = {
    "classification": [
        *("learning_curves", "scores", "reliability", "confusion/a $set$", "mcc_per_batch/a $set$"),
        *(f"breakdown/{grouping}" for grouping in ("class", "major", "minor", "source", "length")),
    ],
    "topics": [
        *("topic_frequencies", "topic_map", "topic_tree", "topic_coverage", "topic_groups"),
        *("topic_baselines", "topic_over_time", "topic_stability"),
    ],
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_figures_and_report_replace_the_earlier_output(drawn, branch):
    out = drawn / "out" / branch
    expected = {f"{name}.{ending}" for name in FIGURES[branch] for ending in ("png", "svg")}

    assert set(hashes(out)) == expected | {"index.html"}
    page = (out / "index.html").read_text(encoding="utf-8")
    linked = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert {link.replace("%20", " ").replace("%24", "$") for link in linked} == expected
    assert "<script" not in page
    assert files.read_json(drawn / f"{branch}.json")["stage"] == f"visualize@{branch}"


def test_svg_files_are_well_formed_and_refer_to_nothing_outside(drawn):
    for path in sorted((drawn / "out").rglob("*.svg")):
        for element in ElementTree.parse(path).iter():
            assert element.tag.rpartition("}")[2] != "script"
            for name, value in element.attrib.items():
                if name.rpartition("}")[2] in ("href", "src"):
                    assert value.startswith(("#", "data:image/png;base64,")), path


@pytest.mark.slow
def test_bytes_are_the_same_in_two_processes(tmp_path):
    write_inputs(tmp_path)

    for seed in ("1", "2"):
        # Another time zone and home as well: neither a date nor a person's settings may matter.
        home = tmp_path / f"home{seed}"
        home.mkdir()
        (home / "matplotlibrc").write_text("axes.facecolor: red\n" if seed == "2" else "")
        settings = {"PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}", "MATPLOTLIBRC": str(home)}
        for branch in BRANCHES:
            words = [str(word) for word in arguments(tmp_path, branch, seed)]
            subprocess.run(
                [sys.executable, "-m", "stages.visualize", *words],
                cwd=PROJECT,
                env=os.environ | settings,
                check=True,
            )

    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


@pytest.mark.parametrize(
    ("fonts", "remedy"),
    [
        (["Noto Sans CJK JP", "IPAGothic"], "most of them: Noto Sans CJK JP, IPAGothic. Set"),
        ([], "No installed font has them: install one"),
    ],
)
def test_characters_that_the_font_lacks_are_reported(inputs, capfd, monkeypatch, fonts, remedy):
    monkeypatch.setattr(visualize, "draw_topics", lambda *_: iter(()))
    monkeypatch.setattr(style, "fonts_with", lambda _: fonts)

    call(visualize, *arguments(inputs, "topics", "without_figures"))

    said = capfd.readouterr().err
    assert "warning: DejaVu Sans lacks 1 of the characters in figures, such as 語" in said
    assert remedy in said


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("topics.top_topics", -1, "greater than or equal to 0"),
        ("topics.figure_size", [11.0], "at least 2 items"),
        ("topics.figure_size", [11.0, 0.5], "greater than or equal to 4"),
        ("classification.most_classes", 1, "greater than or equal to 2"),
        ("dpi", 10_000, "less than or equal to 600"),
        ("dpis", 100, "did you mean `dpi`?"),
    ],
)
def test_impossible_parameters_are_refused_by_name(tmp_path, key, value, message):
    path = write_params(tmp_path / "params.yaml", {f"visualize.{key}": value})

    with pytest.raises(BertlineError, match=re.escape(f"visualize.{key}")) as raised:
        params.load(path, "visualize", Visualize)

    assert message in str(raised.value)


def test_each_missing_input_is_named_and_the_earlier_output_stays(inputs):
    metrics = inputs / "metrics"
    paths = [
        path for name in ("metrics", "analysis", "topics") for path in (inputs / name).rglob("*.*")
    ]
    earlier = hashes(inputs / "out")
    read = dict.fromkeys(BRANCHES, 0)

    for path in paths:
        within = path.relative_to(metrics).as_posix() if path.is_relative_to(metrics) else None
        folders = {"classification": inputs / "analysis", "topics": inputs / "topics"}
        for branch in BRANCHES:
            named = within and any(covers(name, within) for name in visualize.READ[branch])
            if not named and folders[branch] not in path.parents:
                continue
            read[branch] += 1
            moved = path.rename(path.with_name("moved"))
            try:
                with pytest.raises(BertlineError, match=re.escape(f"{path} does not exist")):
                    call(visualize, *arguments(inputs, branch))
            finally:
                moved.rename(path)
    assert sum(read.values()) == len(paths), "each file is read by one branch"
    assert all(read.values())

    assert hashes(inputs / "out") == earlier


def covers(place: str, name: str) -> bool:
    return name == place or name.startswith(f"{place}/")


def test_failure_on_the_way_leaves_the_earlier_output_and_nothing_half_written(inputs, monkeypatch):
    saved = []

    def save(figure, folder, name, dpi):
        if len(saved) == 2:
            raise OSError(errno.ENOSPC, "no space")
        (folder / f"{name}.png").write_text("half of the output")
        saved.append(name)

    monkeypatch.setattr(style, "save", save)
    before, listed = hashes(inputs), sorted(inputs.rglob("*"))

    with pytest.raises(OSError, match="no space"):
        call(visualize, *arguments(inputs, "topics"), "--receipt", inputs / "receipt.json")

    assert len(saved) == 2
    assert hashes(inputs) == before
    assert sorted(inputs.rglob("*")) == listed  # no empty folder and no receipt either
