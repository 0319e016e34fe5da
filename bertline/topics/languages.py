"""Stop words of languages, and which language and script documents are in."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import stopwordsiso
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from bertline.topics.tokenizing import UNSPACED, token_pattern

ENGLISH = "english"
# Documents, evenly spaced, and letters of each, in which the language is looked for.
SAMPLE, LETTERS = 2_000, 2_000
# Short words tell languages apart (Grefenstette 1995, "Comparing two language identification
# schemes"); longer ones make long lists look like more of a language.
SHORT = 5
# Share of the words from which a list is of the documents' language: in prose it is .3 to .5.
SPOKEN = 0.15
# Share of letters of scripts without spaces from which documents are in one; of hiragana from which
# they are in Japanese, whose other letters are Chinese.
MOSTLY, KANA = 0.3, 0.05
CODES = {"Chinese": "zh", "Japanese": "ja", "Thai": "th"}


class Language(NamedTuple):
    """What documents look like."""

    shares: dict[str, float]  # of their words that are in each language's list of stop words
    unspaced: float  # share of their letters that are of scripts without spaces between words
    script: str  # of most letters; empty without letters

    @property
    def code(self) -> str | None:
        """The language whose list has most of the words, None if that is few of them.

        Without spaces between words it is that of the script.
        """
        if self.unspaced >= MOSTLY:
            return CODES.get(self.script)
        code = max(sorted(self.shares), key=lambda name: self.shares[name])
        return code if self.shares[code] >= SPOKEN else None


def stop_words(language: str) -> list[str]:
    """Return scikit-learn's list for english, or the one of stopwords-iso for a code, sorted.

    Raises ValueError for a language without a list.
    """
    if language == ENGLISH:
        return sorted(ENGLISH_STOP_WORDS)
    if not stopwordsiso.has_lang(language):
        raise ValueError(
            f"there is no list of stop words for {language!r}. Give english, a language's code "
            f"({', '.join(sorted(stopwordsiso.langs()))}), a list of your own, or null"
        )
    return sorted(stopwordsiso.stopwords(language))


def look(texts: Sequence[str]) -> Language:
    """Return what the texts look like, from a sample of them."""
    sample = [text[:LETTERS].lower() for text in texts[:: max(1, len(texts) // SAMPLE)]]
    letters = Counter(letter for text in sample for letter in text if letter.isalpha())
    total = max(letters.total(), 1)
    unspaced = sum(count for letter, count in letters.items() if re.match(f"[{UNSPACED}]", letter))
    scripts: Counter[str] = Counter()
    for letter, count in letters.items():
        scripts[unicodedata.name(letter, "?").split(" ")[0].split("-")[0].title()] += count
    script = scripts.most_common(1)[0][0] if scripts else ""
    if scripts["Hiragana"] + scripts["Katakana"] >= KANA * total:
        script = "Japanese"
    elif script == "Cjk":
        script = "Chinese"
    words = Counter(word for text in sample for word in re.findall(token_pattern("words"), text))
    number = max(words.total(), 1)
    shares = {
        code: sum(words[word] for word in stopwordsiso.stopwords(code) if len(word) <= SHORT)
        / number
        for code in stopwordsiso.langs()
    }
    return Language(shares, unspaced / total, script)
