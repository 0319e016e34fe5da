"""Generate `minimal-pairs`, an acceptability corpus in CoLA's format, from a grammar and a seed.

    python -m minimal_pairs.generate minimal_pairs/corpus

The project ships the files that this command writes, and no stage runs it. The corpus is synthetic:
`grammar.py` builds English phrases with agreement over `lexicon.yaml`; `agreement.py`,
`movement.py`, `selection.py` and `structure.py` turn them into minimal pairs; this module draws
rows from the pairs. Properties of the corpus:

- The files are CoLA's: tab-separated, no header, no quoting, LF, UTF-8; four columns: source (the
  phenomenon), label (1 acceptable, 0 not), author's mark (`*` if not), sentence.
- Of n sentences, floor(0.7 n + 0.5) are acceptable, in each phenomenon alike, so neither the source
  nor its share predicts a label. Every unacceptable sentence follows its acceptable partner; the
  other acceptable sentences have none.
- No sentence occurs twice, within a set or across sets; a sentence whose partner was drawn is never
  the partner of another.
- Held-out phenomena occur only in `out_of_domain_dev`.
- The same seed gives the same bytes on every machine, and the development sets do not depend on the
  size of `in_domain_train`: they are drawn first.
"""

import argparse
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from minimal_pairs import agreement, movement, selection, structure
from minimal_pairs.grammar import Draw, Grammar, capitalized, load_lexicon
from minimal_pairs.phenomenon import Phenomenon

PHENOMENA: dict[str, Phenomenon] = {
    p.name: p
    for p in (
        agreement.subject_verb_agreement,
        agreement.determiner_noun_agreement,
        agreement.anaphor_agreement,
        agreement.negative_polarity,
        agreement.existential_there,
        selection.transitivity,
        selection.argument_alternation,
        selection.complement_selection,
        selection.passive,
        selection.verb_form,
        selection.pronoun_case,
        selection.tense_adverbial,
        structure.comparative,
        structure.correlative,
        structure.ellipsis,
        structure.word_order,
        movement.filler_gap,
        movement.relative_clause,
        movement.adjunct_island,
        movement.wh_island,
        # Held out: each builds on one above, and asks for more than its surface cues.
        agreement.binding_domain,  # of anaphor-agreement
        movement.complex_np_island,  # of adjunct-island and wh-island
        movement.coordinate_structure_island,  # of filler-gap
        movement.that_trace,  # of filler-gap
        structure.subject_auxiliary_inversion,  # of verb-form and word-order
        selection.control_raising,  # of existential-there and complement-selection
    )
}

CATALOGUE = "phenomena.tsv"

SEED = 20260101
# CoLA's own sizes, and its share of acceptable sentences (70.4% of the training set).
SIZES = {"in_domain_train": 8551, "in_domain_dev": 527, "out_of_domain_dev": 516}
ACCEPTABLE_SHARE = 0.7

# Whether a set has the held-out phenomena. Drawn in this order: a longer training set leaves the
# others as they are.
SETS = {"in_domain_dev": False, "out_of_domain_dev": True, "in_domain_train": False}

# Shorter sentences are few, and would be used up by large corpora.
MIN_WORDS = 4

# Draws in a row without a new pair, after which a phenomenon counts as exhausted. With a share p
# of its pairs unused, that happens too early with probability (1 - p) ** PATIENCE.
PATIENCE = 2_000


@dataclass(frozen=True, slots=True)
class Row:
    """One sentence of the corpus; `set` is the name of its file without `.tsv`."""

    set: str
    source: str
    label: int
    sentence: str

    def line(self) -> str:
        """Return the row as a line of CoLA's format."""
        mark = "" if self.label else "*"
        return f"{self.source}\t{self.label}\t{mark}\t{self.sentence}\n"


def generate(
    *, seed: int, sizes: Mapping[str, int], phenomena: Mapping[str, Phenomenon] = PHENOMENA
) -> Iterator[Row]:
    """Yield the rows of all sets, one set after the other, in the order of `SETS`.

    `sizes` maps names of sets to numbers of sentences; a set that it does not name is left out.
    Raises ValueError, after the rows before it, when a phenomenon has no new sentence left.
    """
    grammar = Grammar(Draw(0), load_lexicon())
    seen: set[bytes] = set()
    for name, held_out in SETS.items():
        if sizes.get(name):
            chosen = [p for p in phenomena.values() if p.held_out == held_out]
            grammar.draw = Draw(derived_seed(seed, name))
            yield from _rows(name, sizes[name], chosen, grammar, seen)


def write(folder: Path, *, seed: int = SEED, sizes: Mapping[str, int] = SIZES) -> None:
    """Write one `<set>.tsv` for each set of `sizes`, and `phenomena.tsv`, into `folder`.

    `phenomena.tsv` has a line for each phenomenon below a header, by tabs: source (the phenomenon),
    major (its group: agreement, movement, selection or structure), description.
    """
    lines: dict[str, list[str]] = {name: [] for name in sizes}
    for row in generate(seed=seed, sizes=sizes):
        lines[row.set].append(row.line())
    folder.mkdir(parents=True, exist_ok=True)
    for name, of_set in lines.items():
        (folder / f"{name}.tsv").write_text("".join(of_set), encoding="utf-8", newline="\n")
    listed = "".join(f"{p.name}\t{p.major}\t{p.description}\n" for p in PHENOMENA.values())
    text = f"source\tmajor\tdescription\n{listed}"
    (folder / CATALOGUE).write_text(text, encoding="utf-8", newline="\n")


def sample_pairs(name: str, *, seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Yield `count` (acceptable, unacceptable) pairs of a phenomenon as drawn, with repeats."""
    grammar = Grammar(Draw(derived_seed(seed, name)), load_lexicon())
    for _ in range(count):
        yield _pair(PHENOMENA[name], grammar)


def derived_seed(seed: int, name: str) -> int:
    """Return a seed for `name`, so that the stream of one set does not depend on another's."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big")


def acceptable_count(size: int) -> int:
    """Return how many of `size` sentences are acceptable: a fixed share, halves rounded up."""
    return int(size * ACCEPTABLE_SHARE + 0.5)


def _pair(phenomenon: Phenomenon, grammar: Grammar) -> tuple[str, str]:
    while True:
        grammar.start()
        good, bad = phenomenon.pair(grammar)
        if min(good.count(" "), bad.count(" ")) + 1 >= MIN_WORDS:
            return capitalized(good), capitalized(bad)


def _rows(
    name: str, size: int, phenomena: list[Phenomenon], grammar: Grammar, seen: set[bytes]
) -> Iterator[Row]:
    pairs = size - acceptable_count(size)
    singles = size - 2 * pairs
    # An urn of (phenomenon, with or without its partner), emptied one by one: exact counts in a
    # random order.
    kinds = len(phenomena)
    urn = [pairs // kinds + (k < pairs % kinds) for k in range(kinds)]
    # The remainder of the singles goes to the phenomena that the remainder of the pairs left out.
    urn += [singles // kinds + (k >= kinds - singles % kinds) for k in range(kinds)]
    for left in range(pairs + singles, 0, -1):
        ticket, slot = grammar.draw.below(left), 0
        while ticket >= urn[slot]:
            ticket -= urn[slot]
            slot += 1
        urn[slot] -= 1
        phenomenon = phenomena[slot % kinds]
        good, bad = _new_pair(phenomenon, grammar, seen)
        yield Row(name, phenomenon.name, 1, good)
        if slot < kinds:
            yield Row(name, phenomenon.name, 0, bad)


def _new_pair(phenomenon: Phenomenon, grammar: Grammar, seen: set[bytes]) -> tuple[str, str]:
    for _ in range(PATIENCE):
        good, bad = _pair(phenomenon, grammar)
        keys = _digest(good), _digest(bad)
        if keys[0] not in seen and keys[1] not in seen:
            seen.update(keys)
            return good, bad
    raise ValueError(
        f"The grammar has no new sentences left for `{phenomenon.name}`: {PATIENCE:,} draws in a "
        f"row gave sentences that the corpus has already. Ask for a smaller size, or add words to "
        f"minimal_pairs/lexicon.yaml."
    )


def _digest(sentence: str) -> bytes:
    return hashlib.blake2b(sentence.encode(), digest_size=8).digest()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("folder", type=Path, help="where to write the files")
    write(arguments.parse_args().folder)
