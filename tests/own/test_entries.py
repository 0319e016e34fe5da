"""YAML files keep comments and layout when a value of theirs is written."""

import shutil

import pytest

from bertline.core import params
from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.own import entries

ENTRY = {
    "title": "A",
    "roles": ["documents"],
    "licence": "none",
    "fetch": {"kind": "path", "folder": "own", "files": {"a.csv": "0" * 64}},
    "parse": {"format": "table", "files": {"all": "a.csv"}, "columns": {"text": "2"}},
}


@pytest.mark.parametrize("name", ["sources.yaml", "params.yaml"])
def test_value_is_one_line_of_difference(tmp_path, name):
    path = shutil.copyfile(ROOT / name, tmp_path / name)
    before = path.read_text(encoding="utf-8").splitlines()
    keys = ("cola", "title") if name == "sources.yaml" else ("inputs", "documents")

    entries.update(path, {keys: "mine"})

    after = path.read_text(encoding="utf-8").splitlines()
    assert len(before) == len(after)
    assert [line.strip() for line in after if line not in before] == [f"{keys[1]}: mine"]


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_entry_stands_after_an_empty_line(tmp_path, end):
    path = tmp_path / "sources.yaml"
    path.write_text(f"old: {{}}  # kept{end}", encoding="utf-8")

    entries.append(path, "new", ENTRY)

    assert path.read_text(encoding="utf-8").startswith("old: {}  # kept\n\nnew:\n  title: A\n")
    assert params.read_yaml(path)["new"] == ENTRY


def test_source_of_a_file_is_found_by_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sources.yaml"
    path.write_text("odd: 5\n", encoding="utf-8")
    entries.append(path, "one", ENTRY)

    assert entries.find(path, [tmp_path / "own" / "a.csv"]) == "one"
    assert entries.find(path, [tmp_path / "own" / "b.csv"]) is None
    entries.append(path, "two", ENTRY)
    with pytest.raises(BertlineError, match="one and two name these files"):
        entries.find(path, [tmp_path / "own" / "a.csv"])


def test_differences_are_what_update_changes(tmp_path):
    path = tmp_path / "sources.yaml"
    path.write_text("a:\n  roles: [x]\n  parse: {separator: ',', columns: {text: b, id: c}}\n")
    changes = {
        ("a", "roles"): ["x", "y"],
        ("a", "parse", "separator"): "\t",
        ("a", "parse", "columns"): {"text": "b"},
        ("a", "parse", "header"): False,
    }

    said = entries.differences(path, changes)

    assert said == [
        f"{path}: a.roles is x, y (it was x)",
        f"{path}: a.parse.separator is tab (it was ,)",
        f"{path}: a.parse.columns.id is left out (it was c)",
        f"{path}: a.parse.header is false (it was not given)",
    ]
    entries.update(path, changes)
    assert entries.differences(path, changes) == []


def test_comments_stay_when_a_block_is_another(tmp_path):
    path = tmp_path / "sources.yaml"
    first, second, third = (letter * 64 for letter in "abc")
    before = f"a:\n  files:\n    x: {first}  # one\n    y: {second}\n\n# The next.\nb: 1\n"
    path.write_text(before)

    entries.update(path, {("a", "files"): {"x": first, "z": third}})

    assert path.read_text() == before.replace(f"y: {second}", f"z: {third}")
