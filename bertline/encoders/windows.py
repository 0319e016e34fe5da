"""Word pieces of a text as an encoder takes them: the windows of a text that is too long for one.

`tokenize` writes them for training and evaluation, `embed` takes the mean of their vectors, and new
texts are divided in the same way.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from bertline.core.params import LongTexts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Of 510 word pieces, 128 are from the head of a text and the others from its tail.
# Sun, Qiu, Xu and Huang (2019), "How to Fine-Tune BERT for Text Classification?", CCL, section 4.1.
HEAD_SHARE = 128 / 510


def encode(texts: Sequence[str], tokenizer: "PreTrainedTokenizerBase") -> list[list[int]]:
    """Return the ids of each text's word pieces, special tokens among them, none cut."""
    found: list[list[int]] = tokenizer([*texts], truncation=False, verbose=False)["input_ids"]
    return found


def special_tokens(tokenizer: "PreTrainedTokenizerBase") -> tuple[int, int]:
    """Return how many special tokens the tokenizer puts before and behind a text."""
    added = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    before = sum(takewhile(bool, added))
    return before, sum(added) - before


def divide(
    ids: list[int], special: tuple[int, int], *, max_length: int, long_texts: LongTexts
) -> list[list[int]]:
    """Return the windows of a text, each with the special tokens and `max_length` ids at most.

    ids: of the whole text, as `encode` returns them; special: as `special_tokens` returns it;
    max_length: more than the special tokens. There is one window, unless `long_texts` is windows:
    these follow one another without overlap, are as few as can be, and equally long to one id.
    """
    if len(ids) <= max_length:
        return [ids]
    before, behind = special
    room = max_length - before - behind
    first, text, last = ids[:before], ids[before : len(ids) - behind], ids[len(ids) - behind :]
    match long_texts:
        case "head":
            parts = [text[:room]]
        case "head_tail":
            head = round(HEAD_SHARE * room)
            parts = [text[:head] + text[len(text) - room + head :]]
        case "windows":
            count = -(-len(text) // room)
            bounds = [len(text) * number // count for number in range(count + 1)]
            parts = [text[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
    return [first + part + last for part in parts]
