"""Texts are cut at spaces, and where a script has none, into pairs that are mostly words."""

import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from bertline.topics.tokenizing import find_fragments, token_pattern


def test_texts_without_marks_are_cut_as_by_scikit_learn():
    theirs = re.compile(CountVectorizer().token_pattern)
    random = np.random.default_rng(0)
    # Latin, Greek, Cyrillic, punctuation, spaces and some Chinese: 2,000 texts of 30 characters
    codes = [*range(32, 127), *range(160, 0x300), *range(0x370, 0x483), *range(0x4E00, 0x4E20)]
    texts = ["".join(map(chr, random.choice(codes, size=30))) for _ in range(2_000)]

    ours = re.compile(token_pattern("words"))

    assert [ours.findall(text) for text in texts] == [theirs.findall(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("人工智能，iphone15手机。", ["人工", "工智", "智能", "iphone15", "手机"]),
        # Hiragana is left out, and a character between other scripts stands alone.
        ("昨日、コーヒーを飲みながら映画館へ", ["昨日", "コーヒー", "飲", "映画", "画館"]),
        ("第 5 集 x 語", ["第", "集", "語"]),
        ("ภาษาไทย", ["ภาษา", "ษาไท", "ไทย"]),
        ("เที่ยว", ["เที่ย", "ยว"]),
        ("ພາສາລາວ", ["ພາສາ", "ສາລາ", "ລາວ"]),
        ("កម្ពុជា", ["កម្ពុ", "ម្ពុជា"]),
        ("မြန်မာ", ["မြန်", "န်မာ"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी माँ می\u200cخواهم", ["हिन्दी", "माँ", "می\u200cخواهم"]),
        ("it's ❤\ufe0flove ア 。", ["it", "love"]),
        ("", []),
    ],
    ids=[
        *("Chinese", "Japanese", "alone", "Thai", "Thai-vowel-first", "Lao", "Khmer", "Burmese"),
        *("Korean", "marks", "others", "empty"),
    ],
)
def test_bigrams(text, words):
    assert re.findall(token_pattern("bigrams"), text) == words


def test_bigrams_cut_scripts_with_spaces_as_words_does():
    one, other = (re.compile(token_pattern(name)) for name in ("words", "bigrams"))
    random = np.random.default_rng(0)
    codes = [*range(32, 127), *range(160, 0x483), *range(0x900, 0x980), 0x200C, 0x200D]
    texts = ["".join(map(chr, random.choice(codes, size=30))) for _ in range(2_000)]

    assert [other.findall(text) for text in texts] == [one.findall(text) for text in texts]


def test_fragments_by_hand():
    # 人工 24 times, 工智 12, 智能 24 and 天气 12 of 72 pairs. The information of 工智 is
    # log2(12 * 72 / (12 * 12)) = 2.58 bits; 人工 has log2(24 * 72 / (24 * 24)) = 1.58, all it can.
    # Each 工智 overlaps with both of the others, which are more frequent.
    texts = ["人工智能", "人工", "智能", "天气"] * 12

    found = find_fragments(texts, set())

    assert found == ["工智"]


def test_pairs_of_neighbours_by_chance_are_fragments():
    # 的 and 了 follow and precede each of eight words
    words = ["酒店", "房间", "服务", "早餐", "电脑", "键盘", "小说", "故事"]
    texts = [f"{one}的{other}了{one}" for one in words for other in words]

    found = find_fragments(texts, set())

    assert not set(words) & set(found)
    assert {"店的", "的酒", "间了", "了房"} <= set(found)


def test_pairs_of_a_name_of_three_characters_stay():
    texts = ["周杰伦", "天气", "酒店", "房间"] * 5

    assert find_fragments(texts, set()) == []


def test_stop_words_are_no_reason_to_leave_a_pair_out():
    # 我们 is more frequent than 们家 in each of its occurrences, unless it is a stop word.
    texts = ["我们家", "我们", "天气", "酒店", "房间", "小说"] * 5

    assert find_fragments(texts, set()) == ["们家"]
    assert find_fragments(texts, {"我们"}) == []
