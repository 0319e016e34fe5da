"""sources.yaml: every entry is whole, and a mistake in one is named."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bertline.core.dependencies import ROOT
from bertline.core.errors import BertlineError
from bertline.sources import catalogue

TABLE = YAML(typ="safe", pure=True).load(ROOT / "sources.yaml")
HASH = "0123456789abcdef" * 4


def entry(**changes: object) -> dict[str, object]:
    fetch = {"kind": "path", "folder": "own/a", "files": {"a.csv": HASH}}
    parse = {"format": "table", "files": {"train": "a.csv"}, "columns": {"text": "body"}}
    common = {"title": "A", "roles": ["documents"], "licence": "none"}
    return common | {"fetch": fetch, "parse": parse} | changes


def write(folder: Path, values: dict[str, object]) -> Path:
    path = folder / "sources.yaml"
    YAML().dump({"mine": values}, path)
    return path


@pytest.mark.parametrize("name", TABLE)
def test_every_source_of_the_project_is_valid(name):
    for role in TABLE[name]["roles"]:
        assert catalogue.load_fetch(name, role, ROOT / "sources.yaml")
        if role in ("sentences", "documents", "phenomena"):
            assert catalogue.load_parse(name, role, ROOT / "sources.yaml").expect
    assert TABLE[name]["title"] and TABLE[name]["licence"]


def test_what_the_project_generated_says_so():
    for values in TABLE.values():
        said = any(word in values["title"] for word in ("synthetic", "generated"))
        assert said == (values["fetch"].get("folder") == "minimal_pairs/corpus")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fetch": {"kind": "ftp"}}, "fetch.kind: expected one of url, wheel, hub, path; found"),
        ({"roles": ["sentence"]}, "mine.roles.0"),
        ({"titel": "A"}, "mine.titel is not a parameter (did you mean `title`?)"),
        ({"fetch": {"kind": "path", "folder": "a", "files": {}}}, "at least 1 item"),
        (
            {"fetch": {"kind": "path", "folder": "a", "files": {"../a.csv": HASH}}},
            "should be a path inside the source's folder",
        ),
        (
            {"fetch": {"kind": "path", "folder": "a", "files": {"model.bin": HASH}}},
            "model.bin",
        ),
        ({"fetch": {"kind": "path", "folder": "a", "files": {"a.csv": "abc"}}}, "abc"),
    ],
)
def test_a_malformed_entry_is_explained(tmp_path, changes, message):
    with pytest.raises(BertlineError) as error:
        catalogue.load_fetch("mine", "documents", write(tmp_path, entry(**changes)))

    assert message in str(error.value)


def test_a_name_that_is_not_there_suggests_the_nearest(tmp_path):
    with pytest.raises(BertlineError, match=r"inputs.documents.*`mien` \(did you mean `mine`\?\)"):
        catalogue.load_fetch("mien", "documents", write(tmp_path, entry()))


def test_a_source_of_another_role_is_refused(tmp_path):
    with pytest.raises(BertlineError, match="`mine` is a source of documents, not of backbone"):
        catalogue.load_fetch("mine", "backbone", write(tmp_path, entry()))


def test_documents_without_parse_are_refused(tmp_path):
    with pytest.raises(BertlineError, match="mine has no `parse`"):
        catalogue.load_parse("mine", "documents", write(tmp_path, entry(parse=None)))


def test_an_unknown_format_is_refused(tmp_path):
    path = write(tmp_path, entry(parse={"format": "xml"}))
    with pytest.raises(BertlineError, match="parse.format: expected one of cola, newsgroups"):
        catalogue.load_parse("mine", "documents", path)


def test_an_entry_without_roles_is_no_obstacle_to_the_others(tmp_path):
    path = tmp_path / "sources.yaml"
    YAML().dump({"mine": entry(), "draft": entry(roles=None)}, path)

    assert catalogue.kinds_serving("documents", path) == {"mine": "path"}


def table(**changes: object) -> dict[str, object]:
    """Return an entry whose `parse` has these keys, too."""
    common = {"format": "table", "files": {"train": "a.csv"}, "columns": {"text": "body"}}
    return entry(parse=common | changes)


def test_column_may_be_a_number(tmp_path):
    path = write(tmp_path, table(columns={"text": 2, "label": 1}, header=False))

    assert catalogue.load_parse("mine", "documents", path).columns == {"text": "2", "label": "1"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"separator": "tab"}, r"parse.separator: should be one character, such as .*found 'tab'"),
        ({"separator": '"'}, "should be one character"),
        ({"type": "xlsx"}, "parse.type: "),
        ({"header": []}, "parse.header"),
        ({"columns": {"titel": "a"}}, "parse.columns.titel"),
    ],
)
def test_a_malformed_layout_is_explained(tmp_path, changes, message):
    with pytest.raises(BertlineError, match=message):
        catalogue.load_parse("mine", "documents", write(tmp_path, table(**changes)))


def test_message_has_the_names_of_the_users_files(tmp_path):
    path = write(tmp_path, entry())
    message = "data/download/documents/a.csv, line 3: no."

    shown = catalogue.with_own_names(message, "mine", Path("data/download/documents"), path)

    assert shown == "own/a/a.csv, line 3: no."
