"""Generate `minimal-pairs`, an acceptability corpus in CoLA's format, from a grammar and a seed.

    python -c "from pathlib import Path; from stages.corpora import minimal_pairs as m; \\
        m.write(Path('.'), seed=m.DEFAULT_SEED, sizes=m.DEFAULT_SIZES)"

It is synthetic: `grammar.py` builds English phrases with agreement over
`minimal_pairs_lexicon.yaml`, `phenomena_*.py` turn them into minimal pairs, and this module draws
rows from those. The promises of the corpus:

- The files are CoLA's: tab-separated, no header, no quoting, LF, UTF-8; four columns: source (the
  phenomenon), label (1 acceptable, 0 not), author's mark (`*` if not), sentence.
- Of n sentences, floor(0.7 n + 0.5) are acceptable, in each phenomenon alike, so neither the source
  nor its share gives a label away. Every unacceptable sentence stands right after its acceptable
  partner; the other acceptable sentences come without theirs.
- No sentence comes twice, in one set or in two; a sentence whose partner was drawn is never the
  partner of another.
- Held-out phenomena are in `out_of_domain_dev` and nowhere else.
- The same seed gives the same bytes everywhere, and a set does not depend on the size of
  `in_domain_train`: the development sets are drawn first.

Memory is one 8-byte digest in a Python set for each drawn sentence and partner, about 150 bytes a
row; nothing else grows with the size. A million sentences take 180 MB and half a minute.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bertline.core.errors import BertlineError
from minimal_pairs.agreement import (
    anaphor_agreement,
    binding_domain,
    determiner_noun_agreement,
    existential_there,
    negative_polarity,
    subject_verb_agreement,
)
from minimal_pairs.grammar import Draw, Grammar, capitalized, load_lexicon
from minimal_pairs.movement import (
    adjunct_island,
    complex_np_island,
    coordinate_structure_island,
    filler_gap,
    relative_clause,
    that_trace,
    wh_island,
)
from minimal_pairs.phenomenon import Phenomenon
from minimal_pairs.selection import (
    argument_alternation,
    complement_selection,
    control_raising,
    passive,
    pronoun_case,
    tense_adverbial,
    transitivity,
    verb_form,
)
from minimal_pairs.structure import (
    comparative,
    correlative,
    ellipsis,
    subject_auxiliary_inversion,
    word_order,
)

PHENOMENA: dict[str, Phenomenon] = {
    p.name: p
    for p in (
        subject_verb_agreement,
        determiner_noun_agreement,
        anaphor_agreement,
        negative_polarity,
        existential_there,
        transitivity,
        argument_alternation,
        complement_selection,
        passive,
        verb_form,
        pronoun_case,
        tense_adverbial,
        comparative,
        correlative,
        ellipsis,
        word_order,
        filler_gap,
        relative_clause,
        adjunct_island,
        wh_island,
        # Held out: each builds on one above, and asks for more than its surface cues.
        binding_domain,  # of anaphor-agreement
        complex_np_island,  # of adjunct-island and wh-island
        coordinate_structure_island,  # of filler-gap
        that_trace,  # of filler-gap
        subject_auxiliary_inversion,  # of verb-form and word-order
        control_raising,  # of existential-there and complement-selection
    )
}

CATALOGUE = "phenomena.tsv"

DEFAULT_SEED = 20260101
# CoLA's own sizes, and its share of acceptable sentences (70.4% of the training set).
DEFAULT_SIZES = {"in_domain_train": 8551, "in_domain_dev": 527, "out_of_domain_dev": 516}
ACCEPTABLE_SHARE = 0.7

# Whether a set has the held-out phenomena. Drawn in this order: a longer training set leaves the
# others as they are.
SETS = {"in_domain_dev": False, "out_of_domain_dev": True, "in_domain_train": False}

# Shorter sentences are few, and would be used up by large corpora.
FEWEST_WORDS = 4

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
    *,
    seed: int,
    sizes: Mapping[str, int],
    acceptable_share: float = ACCEPTABLE_SHARE,
    phenomena: Mapping[str, Phenomenon] = PHENOMENA,
) -> Iterator[Row]:
    """Yield the rows of all sets, one set after the other, in the order of `SETS`.

    `sizes` maps set names to numbers of sentences; a set that it does not name is left out.
    `acceptable_share` is from 0.5 (every sentence has its partner) to 1 (none has).

    Raises BertlineError for an unknown set, an impossible size or share, and when a phenomenon has
    no new sentences left; the last one only after the rows before it.
    """
    _check(sizes, acceptable_share)
    grammar = Grammar(Draw(0), load_lexicon())
    seen: set[bytes] = set()
    for name, held_out in SETS.items():
        if sizes.get(name):
            chosen = [p for p in phenomena.values() if p.held_out == held_out]
            grammar.draw = Draw(derived_seed(seed, name))
            yield from _rows(name, sizes[name], acceptable_share, chosen, grammar, seen)


def write(
    folder: Path,
    *,
    seed: int = DEFAULT_SEED,
    sizes: Mapping[str, int] = DEFAULT_SIZES,
    acceptable_share: float = ACCEPTABLE_SHARE,
) -> None:
    """Write one `<set>.tsv` for each set of `sizes` into the existing `folder`.

    Raises BertlineError as `generate` does; files that were begun are then incomplete.
    """
    _check(sizes, acceptable_share)
    files = {
        name: (folder / f"{name}.tsv").open("w", encoding="utf-8", newline="\n") for name in sizes
    }
    try:
        for row in generate(seed=seed, sizes=sizes, acceptable_share=acceptable_share):
            files[row.set].write(row.line())
    finally:
        for file in files.values():
            file.close()


def write_catalogue(folder: Path) -> None:
    """Write `phenomena.tsv`, a line for each phenomenon, into the existing `folder`.

    Columns, by tabs and below a header: source (the phenomenon, as the corpus has it in this
    column), major (the group: agreement, movement, selection or structure, as the modules that
    hold them), description.
    """
    rows = [("source", "major", "description")]
    for name, phenomenon in PHENOMENA.items():
        module = phenomenon.pair.__module__
        rows.append((name, module.rpartition("phenomena_")[2], phenomenon.description))
    text = "".join("\t".join(row) + "\n" for row in rows)
    (folder / CATALOGUE).write_text(text, encoding="utf-8", newline="\n")


def sample_pairs(name: str, *, seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Yield `count` (acceptable, unacceptable) pairs of a phenomenon as drawn, with repeats."""
    grammar = Grammar(Draw(derived_seed(seed, name)), load_lexicon())
    for _ in range(count):
        yield _pair(PHENOMENA[name], grammar)


def derived_seed(seed: int, name: str) -> int:
    """Return a seed for `name`, so that the stream of one set does not depend on another's."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big")


def acceptable_count(size: int, share: float = ACCEPTABLE_SHARE) -> int:
    """Return how many of `size` sentences are acceptable: `share` of them, halves rounded up."""
    return int(size * share + 0.5)


def _pair(phenomenon: Phenomenon, grammar: Grammar) -> tuple[str, str]:
    while True:
        grammar.start()
        good, bad = phenomenon.pair(grammar)
        if min(good.count(" "), bad.count(" ")) + 1 >= FEWEST_WORDS:
            return capitalized(good), capitalized(bad)


def _rows(
    name: str,
    size: int,
    share: float,
    phenomena: list[Phenomenon],
    grammar: Grammar,
    seen: set[bytes],
) -> Iterator[Row]:
    pairs = size - acceptable_count(size, share)
    singles = size - 2 * pairs
    # An urn of (phenomenon, with or without its partner), emptied one by one: exact counts in a
    # random order, in memory that does not grow with the size.
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
        good, bad = _new_pair(name, size, phenomenon, grammar, seen)
        yield Row(name, phenomenon.name, 1, good)
        if slot < kinds:
            yield Row(name, phenomenon.name, 0, bad)


def _new_pair(
    name: str, size: int, phenomenon: Phenomenon, grammar: Grammar, seen: set[bytes]
) -> tuple[str, str]:
    for _ in range(PATIENCE):
        good, bad = _pair(phenomenon, grammar)
        keys = _digest(good), _digest(bad)
        if keys[0] not in seen and keys[1] not in seen:
            seen.update(keys)
            return good, bad
    message = (
        f"{name} was to have {size:,} sentences, but the grammar has no new ones left for "
        f"`{phenomenon.name}`: {PATIENCE:,} draws in a row gave sentences that the corpus has "
        "already. Ask for a smaller size, or add words to "
        "minimal_pairs/lexicon.yaml."
    )
    raise BertlineError(message)


def _digest(sentence: str) -> bytes:
    return hashlib.blake2b(sentence.encode(), digest_size=8).digest()


def _check(sizes: Mapping[str, int], share: float) -> None:
    for name, size in sizes.items():
        if name not in SETS:
            message = f"minimal-pairs has no set `{name}`; it has {', '.join(SETS)}."
            raise BertlineError(message)
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            message = f"The size of {name} is {size!r}; expected a whole number, 0 or more."
            raise BertlineError(message)
    if not 0.5 <= share <= 1:
        message = (
            f"The acceptable share is {share}; expected 0.5 to 1, because every unacceptable "
            "sentence comes with its acceptable partner."
        )
        raise BertlineError(message)
