"""Draw the training and validation folds of the training set; test sets pass through untouched.

Reads   data/tokenize/tokens.parquet and `split` of params.yaml.
Writes  data/split/folds.parquet: id and fold of every sentence; the fold is train or validation
        for the set in_domain_train, and the set's own name for the published test sets. And a
        JSON file: size and share of acceptable sentences of each fold, and sentences that two
        folds share.

    python -m stages.split data/tokenize data/split

Sentences with the same word pieces, case and spacing aside, and the two of a minimal pair are one
group, which is never divided: a model could be trained on one of a pair and validated on the other.
The sizes are those of the published recipe: training gets floor((1 - validation) * n) of n
sentences, 7,695 of CoLA's 8,551. scikit-learn's StratifiedGroupKFold does not keep to a size: it
balances folds greedily, to within a group or more.
"""

import math
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
from bertline.scoring.names import TRAINING, TRAINING_SET, VALIDATION

FOLDS = pa.schema([("id", pa.string()), ("fold", pa.string())])


class Split(Section):
    """The section `split` of params.yaml."""

    validation: Annotated[float, Field(ge=0.0, lt=1.0)]
    stratify: bool
    seed: params.Seed


def group_duplicates(input_ids: pd.Series) -> np.ndarray:
    """Return, for each sentence, the number of its group: those with the same word pieces."""
    return pd.factorize(input_ids.map(tuple))[0]


def group_related(input_ids: pd.Series, pairs: pd.Series) -> np.ndarray:
    """Return, for each sentence, the number of its group: duplicates, and members of one pair.

    The groups are the connected components of both relations.
    """
    duplicates = group_duplicates(input_ids)
    of_pair = pd.factorize(pairs)[0] + duplicates.max(initial=-1) + 1
    size = int(of_pair.max(initial=-1)) + 1
    links = coo_array((np.ones(len(pairs)), (duplicates, of_pair)), shape=(size, size))
    return connected_components(links, directed=False)[1][duplicates]


def quotas(labels: np.ndarray, size: int, *, stratify: bool) -> dict[int, int]:
    """Return how many sentences of each label validation gets, `size` in all.

    Unstratified, every sentence counts under the one key 0. Stratified, shares are rounded by
    the largest remainder, so that they add up to `size`.
    """
    if not stratify:
        return {0: size}
    values, counts = np.unique(labels, return_counts=True)
    exact = counts * size / len(labels)
    floors = np.floor(exact).astype(int)
    rest = size - floors.sum()
    for place in np.argsort(floors - exact, kind="stable")[:rest]:
        floors[place] += 1
    return dict(zip(values.tolist(), floors.tolist(), strict=True))


def draw_validation(
    labels: np.ndarray, groups: np.ndarray, *, share: float, stratify: bool, seed: int
) -> np.ndarray:
    """Return a boolean array, true for the sentences of the validation fold.

    groups: number of each sentence's group. Groups are drawn at random, in proportion for each
    kind of group, and none exceeds what is left of the quota of each of its labels. Raises
    BertlineError if the quota cannot be met or a fold would be empty.
    """
    # Rounded first: as floating-point numbers, (1 - 0.9) * 10 is a little less than 1.
    size = len(labels) - math.floor(round((1 - share) * len(labels), 6)) if share else 0
    if share and not 0 < size < len(labels):
        raise BertlineError(
            f"params.yaml: split.validation is {share}, which leaves one of the folds empty with "
            f"{len(labels)} training sentences. Choose another share, or 0 for no validation."
        )
    strata = labels if stratify else np.zeros_like(labels)
    left = quotas(labels, size, stratify=stratify)
    contents = pd.crosstab(groups, strata)  # a row per group, a column per label: how many of each
    order = contents.iloc[np.random.default_rng(seed).permutation(len(contents))]
    chosen = []
    # Each kind of group gives its share, whole groups at most: pairs and duplicates as singles.
    for _, alike in order.groupby(list(order.columns), sort=True):
        taken = alike.head(math.floor(round(len(alike) * size / max(len(labels), 1), 6)))
        chosen += taken.index.tolist()
        for label in left:
            left[label] -= int(taken[label].sum())
    # What rounding left over: large groups first, since single sentences fill any gap.
    rest = order.drop(index=chosen)
    sizes = rest.sum(axis=1)
    for group in sizes.sort_values(ascending=False, kind="stable").index:
        if not any(left.values()):
            break
        counts = rest.loc[group]
        if all(left[label] >= counts[label] for label in left):
            chosen.append(group)
            for label in left:
                left[label] -= int(counts[label])
    if any(left.values()):
        remedy = "Set split.stratify to false" if stratify else "Choose another split.validation"
        raise BertlineError(
            f"the validation fold lacks {sum(left.values())} of {size} sentences: too many of the "
            f"{len(labels)} training sentences are duplicates, which cannot be divided. {remedy}, "
            f"or remove duplicates from the source."
        )
    return np.isin(groups, chosen)


def describe(folds: pd.Series, tokens: pd.DataFrame) -> dict[str, Any]:
    """Return size and acceptable share of each fold, and distinct sentences that folds share."""
    sizes = {}
    present = list(folds.unique())
    drawn = [name for name in (TRAINING, VALIDATION) if name in present]
    # In one order, whichever fold the first row is in.
    for name in drawn + [name for name in present if name not in drawn]:
        labels = tokens.loc[folds == name, "label"]
        sizes[name] = {
            "sentences": len(labels),
            "acceptable": int(labels.sum()),
            "acceptable_share": round(float(labels.mean()), 4),
        }
    groups = pd.Series(group_duplicates(tokens["input_ids"]), index=tokens.index)
    of_fold = {name: set(groups[folds == name]) for name in sizes}
    shared = {
        f"{first} and {second}": len(of_fold[first] & of_fold[second])
        for place, first in enumerate(of_fold)
        for second in list(of_fold)[place + 1 :]
    }
    return {"folds": sizes, "shared_sentences": shared}


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
        args.tokens / "tokens.parquet", columns=["id", "set", "label", "pair", "input_ids"]
    )

    with receipt(
        args.receipt,
        "split",
        parameters={"split": options},
        inputs=[args.tokens],
        outputs=[args.out, args.metrics],
    ):
        folds = tokens["set"].copy()
        training = tokens[tokens["set"] == TRAINING_SET]
        in_validation = draw_validation(
            training["label"].to_numpy(),
            group_related(training["input_ids"], training["pair"]),
            share=options.validation,
            stratify=options.stratify,
            seed=options.seed,
        )
        folds[training.index] = np.where(in_validation, VALIDATION, TRAINING)
        described = describe(folds, tokens)
        for name, facts in described["folds"].items():
            console.log(f"{name}: {facts}")
        console.log(f"sentences in two folds: {described['shared_sentences']}")
        with files.whole_folder(args.out) as partial:
            table = pd.DataFrame({"id": tokens["id"], "fold": folds})
            files.write_table(partial / "folds.parquet", table, FOLDS)
            if args.metrics:  # within, so that a failure leaves the earlier folds
                files.write_json(args.metrics, described)


if __name__ == "__main__":
    console.run(main)
