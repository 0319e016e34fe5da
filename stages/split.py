"""Draw the validation fold, and a test set where the source has none, from the training set.

Reads   data/tokenize and `split` of params.yaml.
Writes  data/split/folds.parquet: id and fold of every sentence. The fold is train, validation, or
        the name of the test set: the sets of the source pass through, its own validation set too,
        and a test set that is drawn is called test. And a JSON file: size and classes of each fold,
        and sentences that two folds share.

    python -m stages.split data/tokenize data/split

Sentences with the same word pieces, case and spacing aside, and those of a pair are one group,
which is never divided: a model could be trained on one of a pair and tested on the other. The sizes
are those of the published recipe: training keeps floor((1 - validation) * n) of n sentences, 7,695
of CoLA's 8,551. scikit-learn's StratifiedGroupKFold does not keep to a size: it balances folds
greedily, to within a group or more.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.core.receipt import receipt
from bertline.corpora import labels
from bertline.corpora.rows import TRAINING_SETS
from bertline.scoring.names import TEST, TRAINING, VALIDATION

FOLDS = pa.schema([("id", pa.string()), ("fold", pa.string())])

# A larger share of a set that is in the training fold as well is a warning. 11 of the 516 sentences
# of CoLA's out_of_domain_dev are: too few to move its scores much, and the set is published.
MANY_SHARED = 0.05
DOMINANT = 0.8  # share of one class above which accuracy says little


class Split(Section):
    """The section `split` of params.yaml."""

    validation: Annotated[float, Field(ge=0.0, lt=1.0)]
    test: Annotated[float, Field(ge=0.0, lt=1.0)]
    stratify: bool
    seed: params.Seed


def group_duplicates(windows: pd.Series) -> np.ndarray:
    """Return, for each sentence, the number of its group: those with the same word pieces."""
    keys = [
        tuple(np.asarray(window, dtype=np.int32).tobytes() for window in of_text)
        for of_text in windows
    ]
    return pd.factorize(pd.Series(keys, dtype=object))[0]


def group_related(windows: pd.Series, pairs: pd.Series) -> np.ndarray:
    """Return, for each sentence, the number of its group: duplicates, and members of one pair.

    The groups are the connected components of both relations.
    """
    duplicates = group_duplicates(windows)
    of_pair = pd.factorize(pairs)[0] + duplicates.max(initial=-1) + 1
    size = int(of_pair.max(initial=-1)) + 1
    links = coo_array((np.ones(len(pairs)), (duplicates, of_pair)), shape=(size, size))
    return connected_components(links, directed=False)[1][duplicates]


def quotas(classes: np.ndarray, size: int, *, stratify: bool) -> dict[int, int]:
    """Return how many sentences of each class a fold of `size` gets.

    Unstratified, every sentence counts under the one key 0. Stratified, shares are rounded by
    the largest remainder, so that they add up to `size`. A class keeps one sentence at least that
    is not drawn; with many classes of few sentences they add up to less.
    """
    if not stratify:
        return {0: size}
    values, counts = np.unique(classes, return_counts=True)
    exact = counts * size / len(classes)
    floors = np.minimum(np.floor(exact).astype(int), counts - 1)
    for place in np.argsort(floors - exact, kind="stable"):
        if floors.sum() < size and floors[place] < counts[place] - 1:
            floors[place] += 1
    return dict(zip(values.tolist(), floors.tolist(), strict=True))


def draw(
    classes: np.ndarray,
    groups: np.ndarray,
    *,
    share: float,
    stratify: bool,
    seed: int,
    fold: str = VALIDATION,
    held: Collection[int] = (),
) -> np.ndarray:
    """Return a boolean array, true for the sentences of the fold that is drawn.

    classes: number of each sentence's class; groups: of its group; held: groups that are
    not drawn. Groups are drawn at
    random, in proportion for each kind of group, and none exceeds what is left of the quota of
    each of its classes. A fold to which less than half of it is lacking is a warning. Raises
    BertlineError if more is lacking, or a fold would be empty.
    """
    # Rounded first: as floating-point numbers, (1 - 0.9) * 10 is a little less than 1.
    size = len(classes) - math.floor(round((1 - share) * len(classes), 6)) if share else 0
    if share and not 0 < size < len(classes):
        raise BertlineError(
            f"params.yaml: split.{fold} is {share}, which leaves one of the folds empty with "
            f"{len(classes)} training sentences. Choose another share, or 0 for no {fold}."
        )
    strata = classes if stratify else np.zeros_like(classes)
    left = Counter(quotas(strata, size, stratify=stratify))
    contents = defaultdict(list)  # the classes of each group's sentences
    for group, name in zip(groups.tolist(), strata.tolist(), strict=True):
        contents[group].append(name)
    numbers = np.array(sorted(contents), dtype=np.int64)
    order = numbers[np.random.default_rng(seed).permutation(len(numbers))].tolist()
    order = [group for group in order if group not in held]
    kinds = defaultdict(list)
    for group in order:
        kinds[tuple(sorted(contents[group]))].append(group)
    # Each kind of group gives its share, whole groups at most: pairs and duplicates as singles.
    chosen: set[int] = set()
    for kind, alike in kinds.items():
        taken = alike[: math.floor(round(len(alike) * size / max(len(classes), 1), 6))]
        chosen.update(taken)
        left.subtract({name: len(taken) * count for name, count in Counter(kind).items()})
    # What rounding left over: large groups first, since single sentences fill any gap.
    rest = [group for group in order if group not in chosen]
    for group in sorted(rest, key=lambda group: -len(contents[group])):
        counts = Counter(contents[group])
        if all(left[name] >= count for name, count in counts.items()):
            chosen.add(group)
            left.subtract(counts)
        if not any(left.values()):
            break
    drawn = np.isin(groups, [*chosen])
    if lacking := size - int(drawn.sum()):
        sizes = [len(contents[group]) for group in numbers.tolist()]
        _tell_lack(fold, lacking, size, sizes, stratify=stratify)
    return drawn


def _tell_lack(
    fold: str, lacking: int, wanted: int, sizes: Sequence[int], *, stratify: bool
) -> None:
    """Warn that a fold is too small; raise BertlineError if it lacks more than half.

    sizes: of the groups.
    """
    kept = ", and each class keeps one of its own" if stratify else ""
    message = (
        f"the {fold} fold lacks {lacking} of {wanted} sentences: the {sum(sizes):,} training "
        f"sentences make {len(sizes):,} groups of duplicates or pairs, which cannot be divided, of "
        f"{min(sizes)} to {max(sizes)} sentences{kept}"
    )
    if 2 * lacking <= wanted:
        console.log(f"warning: {message}.")
        return
    free = "set split.stratify to false, " if stratify else ""
    raise BertlineError(
        f"{message}. Choose another split.{fold}, {free}remove duplicates from the source, or set "
        f"split.{fold} to 0 for no {fold}."
    )


def describe(folds: pd.Series, tokens: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """Return size and classes of each fold, and distinct sentences that folds share.

    names: of the classes, by number.
    """
    sizes = {}
    present = list(folds.unique())
    drawn = [name for name in (TRAINING, VALIDATION) if name in present]
    # In one order, whichever fold the first row is in.
    for name in drawn + [name for name in present if name not in drawn]:
        counts = Counter(tokens.loc[folds == name, "label"].tolist())
        sizes[name] = {
            "sentences": counts.total(),
            "classes": {of_class: counts[number] for number, of_class in enumerate(names)},
        }
    groups = pd.Series(group_duplicates(tokens["windows"]), index=tokens.index)
    of_fold = {name: set(groups[folds == name]) for name in sizes}
    shared = {
        f"{first} and {second}": len(of_fold[first] & of_fold[second])
        for place, first in enumerate(of_fold)
        for second in list(of_fold)[place + 1 :]
    }
    return {"folds": sizes, "shared_sentences": shared}


def draw_folds(tokens: pd.DataFrame, options: Split) -> pd.Series:
    """Return the fold of each sentence: train, validation, or the name of its test set.

    tokens: set, label, windows and pair. Raises BertlineError for all draws that fail, at once.
    """
    folds = tokens["set"].where(~tokens["set"].isin(TRAINING_SETS), TRAINING)
    given = set(folds) - {TRAINING}
    if VALIDATION in given:
        console.log(
            "the source has a set validation, which is the fold: split.validation is unused"
        )
    wrong = []
    for fold, share, is_given in (
        (TEST, options.test, bool(given - {VALIDATION})),
        (VALIDATION, options.validation, VALIDATION in given),
    ):
        if is_given or not share:
            continue
        training = tokens[folds == TRAINING]
        groups = group_related(training["windows"], training["pair"])
        try:
            chosen = draw(
                training["label"].to_numpy(),
                groups,
                share=share,
                stratify=options.stratify,
                seed=options.seed,
                fold=fold,
                held=set(groups[_is_related(training, tokens[folds == VALIDATION])]),
            )
        except BertlineError as error:
            wrong.append(str(error))
            continue
        folds[training.index[chosen]] = fold
    if wrong:
        raise BertlineError("\n".join(wrong))
    return folds


def _is_related(rows: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Return, for each of the sentences `rows`, whether its group has one of the `others`."""
    if others.empty:
        return np.zeros(len(rows), dtype=bool)
    both = pd.concat([rows, others])
    groups = group_related(both["windows"], both["pair"])
    return np.isin(groups[: len(rows)], groups[len(rows) :])


def check_folds(described: dict[str, Any]) -> None:
    """Raise BertlineError if a class has no training text.

    Warns of folds that training has seen, and of one class that most training sentences are of.
    """
    folds = described["folds"]
    without = [name for name, count in folds[TRAINING]["classes"].items() if not count]
    if without:
        raise BertlineError(
            f"the draw left no training sentence of {labels.told(without)}. Set split.stratify to "
            f"true, which keeps one of each class, lower split.test and split.validation, or give "
            f"these classes more sentences."
        )
    most, count = max(folds[TRAINING]["classes"].items(), key=lambda item: item[1])
    share = count / folds[TRAINING]["sentences"]
    if share > DOMINANT:
        console.log(
            f"warning: {share:.0%} of the training sentences are {most}: a model that answers "
            f"nothing else is as accurate. Judge by MCC and macro F1, and set train.class_weights "
            f"to balanced if the rare classes matter as much."
        )
    for name in (name for name in folds if name != TRAINING):
        shared = described["shared_sentences"][f"{TRAINING} and {name}"]
        if shared > MANY_SHARED * folds[name]["sentences"]:
            console.log(
                f"warning: {shared:,} of {folds[name]['sentences']:,} sentences of {name} are in "
                f"the training fold, too: scores on {name} are then too good. Take them out of one "
                f"of the two sets."
            )


def main() -> None:
    """Read the arguments and the parameters, draw the folds, and write them."""
    arguments = console.parser(__doc__)
    arguments.add_argument("tokens", type=Path, help="folder that tokenize wrote")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write sizes and checks to this JSON file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "split", Split)
    tokens = files.read_table(
        args.tokens / "tokens.parquet", columns=["id", "set", "label", "pair", "windows"]
    )
    names = files.read_json(args.tokens / "settings.json", keys=["labels"])["labels"]

    with receipt(
        args.receipt,
        "split",
        parameters={"split": options},
        inputs=[args.tokens],
        outputs=[args.out, args.metrics],
    ):
        folds = draw_folds(tokens, options)
        described = describe(folds, tokens, names)
        for name, facts in described["folds"].items():
            console.log(f"{name}: {labels.summarize(facts)}")
        console.log(f"sentences in two folds: {described['shared_sentences']}")
        check_folds(described)
        with files.whole_folder(args.out) as partial:
            table = pd.DataFrame({"id": tokens["id"], "fold": folds})
            files.write_table(partial / "folds.parquet", table, FOLDS)
            if args.metrics:  # within, so that a failure leaves the earlier folds
                files.write_json(args.metrics, described)


if __name__ == "__main__":
    console.run(main)
