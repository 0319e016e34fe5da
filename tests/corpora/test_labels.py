"""Classes of labels: equal ones are one, the order is kept, and what cannot be learnt is said."""

import pandas as pd
import pytest

from bertline.core.errors import BertlineError
from bertline.corpora import labels


def read(written: list[str], listed: object = None) -> tuple[list[int], list[str]]:
    numbers, names = labels.read(pd.Series(written), listed, where="mine")
    return numbers.tolist(), names


@pytest.mark.parametrize(
    ("written", "numbers", "names"),
    [
        pytest.param(["b", "a", "c", "a"], [1, 0, 2, 0], ["a", "b", "c"], id="names"),
        pytest.param(["10", "9", "-1"], [2, 1, 0], ["-1", "9", "10"], id="numbers"),
        pytest.param(["2.0", "2", "1.5"], [1, 1, 0], ["1.5", "2"], id="equal-numbers"),
        pytest.param(["10", "9", "none"], [0, 1, 2], ["10", "9", "none"], id="not-all-numbers"),
        pytest.param(["07", "7", "7.50"], [0, 1, 2], ["07", "7", "7.50"], id="codes"),
        pytest.param(["true", "1", "FALSE"], [1, 1, 0], ["0", "1"], id="truth-and-numbers"),
        pytest.param(["true", "maybe"], [1, 0], ["maybe", "true"], id="truth-and-names"),
        pytest.param([" x", "x\t", "X"], [1, 1, 0], ["X", "x"], id="blanks-and-case"),
    ],
)
def test_classes_are_sorted_and_equal_labels_are_one(written, numbers, names):
    assert read(written) == (numbers, names)


@pytest.mark.parametrize(
    ("written", "listed", "numbers", "names"),
    [
        pytest.param(["a", "b"], ["b", "a"], [1, 0], ["b", "a"], id="order"),
        pytest.param(["0", "1"], {1: "spam", 0: "ham"}, [1, 0], ["spam", "ham"], id="names"),
        (["1", "2", "3"], {1: "bad", 2: "bad", 3: "good"}, [0, 0, 1], ["bad", "good"]),
        pytest.param(["True", "False"], {0: "ham", 1: "spam"}, [1, 0], ["ham", "spam"], id="truth"),
        pytest.param(["1.0", "0"], [False, True], [1, 0], ["0", "1"], id="truth-in-yaml"),
        pytest.param(["true", "false"], [True, False], [0, 1], ["true", "false"], id="order-truth"),
    ],
)
def test_listed_labels_give_order_and_names(written, listed, numbers, names):
    assert read(written, listed) == (numbers, names)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (["a"], r"mine: `labels` lists 'a', .*other labels: 'b' \(2 texts\), 'c' \(1 text\)\. Add"),
        (["a", "b", "c", "d"], "`labels` lists 'd', and no text has such a label"),
        (["a", "b", "c", "a"], "lists a label twice"),
        ({"a": "x", "b": " ", "c": "y\nz"}, r"should give names of printable .*found ' ', 'y\\nz'"),
    ],
    ids=["all-that-lack", "unused", "twice", "no-name"],
)
def test_list_that_does_not_fit_is_refused(listed, message):
    with pytest.raises(BertlineError, match=message):
        read(["a", "b", "c", "b"], listed)


def check(**sets: str) -> None:
    rows = [(name, of_class) for name, classes in sets.items() for of_class in classes.split()]
    table = pd.DataFrame(rows, columns=["set", "class"])
    table["text"] = [f"text {row}" for row in table.index]
    labels.check(table, training="train", source="mine")


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"train": "a a a", "test": "a b"}, "train has 3 texts of the one class 'a'"),
        (
            {"train": "a a b b", "test": "a c d c", "other": "e"},
            r"lacks 3 of the classes .*\(test: 'c' \(2 texts\), 'd' \(1 text\); other: 'e' \(1 tex",
        ),
        (
            {"train": " ".join(map(str, range(150)))},
            "150 training texts have 150 different labels, such as .* and 140 others. .*right col",
        ),
    ],
    ids=["one-class", "unseen", "no-classes"],
)
def test_classes_that_cannot_be_learnt_are_refused(sets, message):
    with pytest.raises(BertlineError, match=message):
        check(**sets)


def test_rare_and_similar_classes_are_a_warning(capsys):
    check(train="Ham ham ham ham spam spam")

    told = capsys.readouterr().err
    assert "1 of 3 classes have a single training text" in told and "'Ham'." in told
    assert "the classes 'ham', 'Ham' differ in upper and lower case only" in told


def test_texts_of_several_labels_are_a_warning(capsys):
    rows = [("train", "a", "x"), ("train", "b", "x"), ("train", "a", "y"), ("train", "a", "y")]
    table = pd.DataFrame([*rows, ("test", "b", "y")], columns=["set", "class", "text"])

    labels.check(table, training="train", source="mine")

    told = capsys.readouterr().err
    assert (
        "mine: 1 texts of train occur with several labels" in told and "The first is 'x'." in told
    )


def test_hundreds_of_classes_are_summarised():
    many = {f"c{number}": number for number in range(1, 301)}

    found = labels.summarize({"rows": 9, "classes": many})

    assert found == {"rows": 9, "classes": "300, of 1 to 300 each"}
    assert labels.summarize({"classes": {"a": 1}}) == {"classes": {"a": 1}}
