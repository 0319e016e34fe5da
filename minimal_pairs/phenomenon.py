"""What a phenomenon of the `minimal-pairs` corpus is: a function from grammar to minimal pair.

The function gets the `Grammar` and returns (acceptable, unacceptable): two sentences that differ in
one manipulated element, without capital letter and full stop. It must hold for every draw that

- the acceptable sentence is acceptable, and not absurd;
- no reading rescues the unacceptable one: not another attachment, an ellipsis, a noun that is also
  a verb, a dialect's morphology, a coerced meaning;
- the unacceptable sentence is not the acceptable one of another phenomenon.

Where judgments vary among speakers (`none of the boys have`, singular `they`, `more tall`,
`whether` islands, `donate` with two objects) the construction is left out.

Sources: Warstadt et al. 2020, "BLiMP: The Benchmark of Linguistic Minimal Pairs for English", TACL
8; Warstadt, Singh and Bowman 2019, "Neural Network Acceptability Judgments", TACL 7 (CoLA); and
the original analyses named at each phenomenon.
"""

from collections.abc import Callable
from dataclasses import dataclass

from minimal_pairs.grammar import Grammar

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Phenomenon:
    """A phenomenon: its name (the source column), its group, what it manipulates, who described it.

    `pair` draws a minimal pair; `held_out` phenomena are in `out_of_domain_dev` only.
    """

    name: str
    major: str
    description: str
    citation: str
    held_out: bool
    pair: Callable[[Grammar], Pair]


def phenomenon(
    name: str, major: str, description: str, citation: str, *, held_out: bool = False
) -> Callable[[Callable[[Grammar], Pair]], Phenomenon]:
    """Return a decorator that makes a pair-drawing function a `Phenomenon`."""

    def decorate(pair: Callable[[Grammar], Pair]) -> Phenomenon:
        return Phenomenon(name, major, description, citation, held_out, pair)

    return decorate
