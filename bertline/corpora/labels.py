"""The labels of a table to classes: a number from 0 and a name for each, in an order that is kept.

Labels are texts, numbers or truth values, and pandas writes the same column as 1, 1.0 or True:
equal ones are one class in every format of table.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from bertline.core import console
from bertline.core.errors import BertlineError

Written = str | int | float | bool  # as YAML reads a label

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")  # an integer that was written as a float
TRUTH = {"false": "0", "true": "1"}

# More classes than MANY, with fewer than two training texts each, are no classes but scores or ids;
# and MOST is what an int16 numbers.
MANY_CLASSES, MOST_CLASSES = 100, 2**15 - 1
SHOWN, SHOWN_LETTERS = 10, 100  # classes that a message names, and letters of a text


def read(
    written: pd.Series, listed: Sequence[Written] | Mapping[Written, str] | None, *, where: str
) -> tuple[pd.Series, list[str]]:
    """Return the class number of each label, and the names of the classes by number.

    written: labels as texts, none blank. listed: the labels in the order of their numbers, or the
    name of each; without it, labels are sorted, as numbers if all are numbers. where: opens the
    message. Raises BertlineError for labels that are not listed, all of them at once.
    """
    distinct = list(dict.fromkeys(written))
    keys = [_text(value) for value in listed or ()]
    unified = unify([*distinct, *keys])
    if listed is None:
        names = {name: name for name in sorted(set(unified.values()), key=_order(unified))}
    else:
        labels = [unified[key] for key in keys]
        given = listed.values() if isinstance(listed, Mapping) else labels
        names = dict(zip(labels, given, strict=True))
        _check_listed(keys, names, where)
    unknown = written[~written.map(unified).isin(names)]
    if len(unknown):
        counts = Counter(unknown.map(unified))
        raise BertlineError(
            f"{where}: `labels` lists {told(list(names))}, and the files have other labels: "
            f"{told_counts(counts)}. Add them to `labels`, or leave it out: all labels are "
            f"then classes."
        )
    classes = {label: names[unified[label]] for label in distinct}
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names.values()))}
    without = [name for name in numbers if name not in classes.values()]
    if without:
        raise BertlineError(
            f"{where}: `labels` lists {told(without)}, and no text has such a label. Take it out."
        )
    return written.map(classes).map(numbers).astype("int64"), list(numbers)


def unify(written: Iterable[str]) -> dict[str, str]:
    """Return the same text for labels that are equal, by the label as it was written.

    Blanks at the ends go, and so does `.0` behind an integer. If all labels are 0, 1, true or
    false, in letters of any case, true is 1 and false is 0; without a 0 or 1, they are `true` and
    `false`.
    """
    plain = {label: WHOLE.sub(r"\1", label.strip()) for label in written}
    lower = {label: text.lower() for label, text in plain.items()}
    found = set(lower.values())
    if found <= TRUTH.keys():
        return lower
    if found <= TRUTH.keys() | set(TRUTH.values()):
        return {label: TRUTH.get(text, text) for label, text in lower.items()}
    return plain


def check(sentences: pd.DataFrame, *, training: str, source: str) -> None:
    """Raise BertlineError unless the training set has two classes, and all of the other sets'.

    sentences: set, class and text. Warns of classes with a single training text, of names that
    differ in the case of letters only, and of training texts with several labels.
    """
    of_training = sentences[sentences["set"] == training]
    counts = of_training["class"].value_counts()
    others = sentences[sentences["set"] != training]
    if len(counts) < 2:
        raise BertlineError(
            f"{source}: the training set {training} has {counts.sum():,} texts of the one class "
            f"{counts.index[0]!r}, and a classifier needs two classes at least. Check the column "
            f"of labels."
        )
    if len(counts) > min(max(MANY_CLASSES, counts.sum() / 2), MOST_CLASSES):
        raise BertlineError(
            f"{source}: {counts.sum():,} training texts have {len(counts):,} different labels, "
            f"such as {told(list(counts.index))}. A class needs several texts: is it the right "
            f"column?"
        )
    unseen = others[~others["class"].isin(counts.index)]
    if len(unseen):
        found = "; ".join(
            f"{name}: {told_counts(Counter(of_set))}"
            for name, of_set in unseen.groupby("set", sort=False)["class"]
        )
        raise BertlineError(
            f"{source}: {training} lacks {unseen['class'].nunique()} of the classes that other "
            f"sets have ({found}). A model cannot predict a class that it has not seen: move some "
            f"of these texts to {training}, take them out, or give them the name of another class "
            f"under `labels` of sources.yaml."
        )
    single = list(counts.index[counts == 1])
    if single:
        console.log(
            f"warning: {source}: {len(single)} of {len(counts)} classes have a single training "
            f"text, which no set that is drawn can get: {told(single)}."
        )
    several = of_training.groupby("text", sort=False)["class"].nunique() > 1
    if several.any():
        console.log(
            f"warning: {source}: {several.sum():,} texts of {training} occur with several labels, "
            f"and a model can be right about one of them only. The first is "
            f"{str(several.idxmax())[:SHOWN_LETTERS]!r}."
        )
    alike = counts.index.to_series().groupby(counts.index.str.casefold()).agg(list)
    for names in alike[alike.map(len) > 1]:
        console.log(
            f"warning: {source}: the classes {told(names)} differ in upper and lower case only. If "
            f"they are the same, give them one name under `labels` of sources.yaml."
        )


def told(names: Sequence[str]) -> str:
    """Return names as a message lists them, in quotation marks, the first ones of many."""
    listed = ", ".join(repr(name) for name in names[:SHOWN])
    return f"{listed} and {len(names) - SHOWN} others" if len(names) > SHOWN else listed


def told_counts(counts: Mapping[str, int]) -> str:
    """Return all names with the number of texts of each."""
    return ", ".join(
        f"{name!r} ({count:,} text{'s' * (count != 1)})" for name, count in counts.items()
    )


def _text(value: Written) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _order(unified: Mapping[str, str]) -> Callable[[str], tuple[float, str]]:
    """Return the key to sort labels by: as numbers if all of them are numbers, else as texts."""
    if all(NUMBER.fullmatch(name) for name in unified.values()):
        return lambda name: (float(name), name)
    return lambda name: (0.0, name)


def _check_listed(keys: Sequence[str], names: Mapping[str, str], where: str) -> None:
    if len(names) < len(keys):
        raise BertlineError(f"{where}: `labels` lists a label twice; found {told(keys)}.")
    wrong = [name for name in names.values() if not name.strip() or not name.isprintable()]
    if wrong:
        raise BertlineError(
            f"{where}: `labels` should give names of printable characters on one line; found "
            f"{told(wrong)}."
        )


def summarize(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts of a set for the log, of many `classes` their number and sizes only."""
    sizes = counts["classes"].values()
    if len(sizes) <= SHOWN:
        return dict(counts)
    return {**counts, "classes": f"{len(sizes)}, of {min(sizes):,} to {max(sizes):,} each"}
