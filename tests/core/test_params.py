"""Parameters: strict, typed, and refused by name in a sentence."""

import importlib
from pathlib import Path

import pytest

from bertline.core import params
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.core.params import Section

SECTIONS = {
    "parse": "Parse",
    "tokenize": "Tokenize",
    "split": "Split",
    "adapt": "Adapt",
    "train": "Train",
    "evaluate": "Evaluate",
    "analyze": "Analyze",
    "embed": "Embed",
    "topic_fit": "TopicFit",
    "topic_words": "TopicWords",
    "visualize": "Visualize",
}


class Inner(Section):
    depth: int


class Example(Section):
    rate: float
    count: int
    on: bool
    inner: Inner


GOOD = "rate: 2e-5\ncount: 3\non: true\ninner: {depth: 1}\n"


def write(folder: Path, section: str) -> Path:
    path = folder / "params.yaml"
    path.write_text("example:\n" + "".join(f"  {line}\n" for line in section.splitlines()))
    return path


def test_numbers_are_read_as_dvc_reads_them(tmp_path):
    found = params.load(write(tmp_path, GOOD), "example", Example)

    assert found == Example(rate=2e-5, count=3, on=True, inner=Inner(depth=1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rate: 2e-5", "rat: 2e-5", "example.rat is not a parameter (did you mean `rate`?)"),
        ("rate: 2e-5\n", "", "example.rate is missing"),
        ("count: 3", "count: 3.5", "example.count: should be a valid integer"),
        ("count: 3", "count: '3'", "found '3'"),
        ("count: 3", "count: true", "example.count: should be a valid integer; found True"),
        ("on: true", "on: 1", "example.on: should be a valid boolean; found 1"),
        ("{depth: 1}", "{deep: 1}", "example.inner.deep is not a parameter"),
        ("{depth: 1}", "7", "example.inner"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(tmp_path, old, new, message):
    path = write(tmp_path, GOOD.replace(old, new))

    with pytest.raises(BertlineError) as error:
        params.load(path, "example", Example)

    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_every_mistake_is_told_at_once(tmp_path):
    path = write(tmp_path, GOOD.replace("rate", "rat").replace("count: 3", "count: x"))

    with pytest.raises(BertlineError) as error:
        params.load(path, "example", Example)

    assert len(str(error.value).splitlines()) == 3  # missing, mistyped, unknown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"a: [1", "is not valid YAML"),
        (b"a: 1\na: 2\n", "is not valid YAML"),
        (b"- a\n", "should hold `name: value` pairs"),
        (b"exampel: {}\n", "has no section `example` (did you mean `exampel`?)"),
    ],
)
def test_a_file_that_is_no_parameter_file_is_explained(tmp_path, content, message):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)

    with pytest.raises(BertlineError) as error:
        params.load(path, "example", Example)

    assert message in str(error.value)


def test_a_missing_file_says_where_to_run_the_command(tmp_path):
    with pytest.raises(BertlineError, match="Run the command in the project's folder"):
        params.load(tmp_path / "params.yaml", "example", Example)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("[1, 2, 1]", r"each number once, and \[1\] is repeated"),
        ("[]", "at least 1 item"),
        ("[-1]", "greater than or equal to 0"),
        ("[4294967296]", "less than 4294967296"),
        ("5", "valid list"),
    ],
)
def test_impossible_seeds_are_refused(tmp_path, seeds, message):
    path = tmp_path / "params.yaml"
    path.write_text(f"seeds: {seeds}\n")

    with pytest.raises(BertlineError, match=message):
        params.load_seeds(path)


@pytest.mark.parametrize("name", SECTIONS)  # the section of each stage's script
def test_the_projects_own_parameters_are_valid(name):
    section = getattr(importlib.import_module(f"stages.{name}"), SECTIONS[name])

    assert params.load(ROOT / "params.yaml", name, section)


def test_the_projects_own_seeds_are_several():
    assert len(params.load_seeds(ROOT / "params.yaml")) > 1
