"""Patterns that cut texts into words, with spaces between words and without.

`words` cuts at spaces and punctuation. `bigrams` does too, and cuts runs of scripts that are
written without spaces into pairs: of Chinese characters, as is usual in retrieval (Nie et al. 2000,
"On the use of words and n-grams for Chinese information retrieval"; Lucene's CJKAnalyzer), and of
the letter clusters of Thai, Lao, Khmer and Burmese. A run of katakana is a word. Hiragana, which
mostly writes Japanese particles and endings, is left out.
"""

import functools
import math
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Literal

Tokenizer = Literal["words", "bigrams"]

# Scripts without spaces, by their blocks in Unicode. 々 repeats a character; ー is a long vowel.
HAN = "々〆〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HIRAGANA = "\u3041-\u309f"
KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
SOUTH_EAST = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"
UNSPACED = HAN + HIRAGANA + KATAKANA + SOUTH_EAST

# A letter cluster: a vowel that is written first, a letter, and what is written around it.
FIRST_VOWELS = "เ-ไເ-ໄ"
LAST_VOWELS = "ะาำๅๆະາຳໆ"
STACKERS = "\u1039\u17d2"  # put the next letter below

# See `find_fragments`: in bits, as Sproat and Shih found; share of a pair's occurrences.
INFORMATION = 2.5
FRAGMENT = 0.8


@functools.cache
def token_pattern(tokenizer: Tokenizer) -> str:
    """Return the pattern of a word: two letters, digits or marks or more, the first no mark.

    scikit-learn's own cuts words at combining marks, which the vowels of most Indian scripts and of
    Thai are, and those of Arabic and Hebrew where they are written. Joiners (U+200C, U+200D) within
    a word are of it too, as in Unicode's rules for words (UAX 29). Python's `re` has no class of
    marks. With bigrams pairs overlap, so the pattern looks ahead and goes on by a
    character; a Chinese character between other scripts stands alone.
    """
    letter = r"\w" + _marks()
    if tokenizer == "words":
        return rf"(?u)\w(?:[{letter}]|[\u200c\u200d](?=[{letter}]))+"
    spaced = rf"(?:(?![{UNSPACED}])[{letter}])"
    word = rf"(?![{UNSPACED}])\w(?:{spaced}|[\u200c\u200d](?={spaced}))+"
    found = (
        word,
        rf"[{HAN}]{{2}}",
        rf"(?<![{HAN}])[{HAN}](?![{HAN}])",
        rf"(?<![{KATAKANA}])[{KATAKANA}]{{2,}}",
        rf"(?<![{FIRST_VOWELS}{STACKERS}]){_cluster()}{{2}}",
    )
    return rf"(?u)(?=({'|'.join(found)}))(?:{word}|[{UNSPACED}])"


def find_fragments(texts: Sequence[str], stop_words: set[str]) -> list[str]:
    """Return the pairs that are no words, in alphabetical order.

    These are pairs whose parts are neighbours by chance: their mutual information is below
    `INFORMATION` (Sproat and Shih 1990, "A statistical method for finding word boundaries in
    Chinese text"). Of the others it is those that are mostly parts of two words, or of a longer
    one: in `FRAGMENT` of their occurrences a more frequent pair overlaps with them, as 人工 does
    with 工智 in 人工智能. The pairs of a name of three characters are equally frequent, and stay.
    stop_words: are left out in any case, and are cut as texts are.
    """
    pattern = re.compile(token_pattern("bigrams"))
    often = Counter(pair for text in texts for pair in pattern.findall(text.lower()))
    by_chance = _find_chance(often)
    for pair in by_chance | stop_words:
        del often[pair]
    dominated: Counter[str] = Counter()
    for text in texts:  # cut again, as the places of all pairs would fill memory
        pairs = [(match.span(1), match[1]) for match in pattern.finditer(text.lower())]
        lost = [False] * len(pairs)
        for number, (((_, end), one), ((start, _), other)) in enumerate(pairwise(pairs)):
            if start < end and often[one] != often[other]:
                lost[number + (often[one] > often[other])] = True
        dominated.update(pair for (_, pair), is_lost in zip(pairs, lost, strict=True) if is_lost)
    parts = {pair for pair, count in dominated.items() if count >= FRAGMENT * often[pair]}
    return sorted((parts | by_chance) - stop_words)


def _find_chance(often: Counter[str]) -> set[str]:
    """Return the pairs whose parts are neighbours by chance. often: how often each word occurs."""
    pattern = re.compile(rf"([{HAN}])([{HAN}])|({_cluster()})({_cluster()})")
    halves = {
        word: [part for part in match.groups() if part]
        for word in often
        if (match := pattern.fullmatch(word))
    }
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for pair, (one, other) in halves.items():
        first[one] += often[pair]
        second[other] += often[pair]
    total = first.total()
    chance = set()
    for pair, (one, other) in halves.items():
        information = math.log2(often[pair] * total / (first[one] * second[other]))
        # What it would be if neither part had another neighbour: little for very frequent pairs.
        most = math.log2(total / often[pair])
        if information < min(INFORMATION, most / 2):
            chance.add(pair)
    return chance


def _cluster() -> str:
    follows = f"{_marks()}{LAST_VOWELS}"
    base = rf"(?![{FIRST_VOWELS}{LAST_VOWELS}])(?=[{SOUTH_EAST}])\w"
    return rf"(?:[{FIRST_VOWELS}]?{base}(?:(?<=[{STACKERS}]){base}|[{follows}])*)"


@functools.cache
def _marks() -> str:
    """Return the combining marks of all scripts, as ranges of a class of characters."""
    marks = [
        code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M"
    ]
    runs = [
        [code for _, code in run]
        for _, run in groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0])
    ]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
