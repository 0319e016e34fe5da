"""The vocabulary holds the words of enough documents, and documents are cut into just these."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from bertline.core import params
from bertline.core.errors import BertlineError
from bertline.topics.vocabulary import Corpus, Vocabulary
from tests.command import write_params


def load_options(folder: Path, **changes: object) -> Vocabulary:
    values = {"boilerplate": None, "more_stop_words": []} | changes
    path = write_params(
        folder / "params.yaml", {f"vocabulary.{key}": value for key, value in values.items()}
    )
    return params.load(path, "vocabulary", Vocabulary)


def test_min_df_counts_documents(tmp_path):
    # "often" is in 3 documents, "twice" in 2, and "again" 4 times in one.
    texts = ["often twice", "twice often", "often", "again again again again"]

    corpus = Corpus(texts, load_options(tmp_path, min_df=2, stop_words=None))

    assert corpus.words == ["often", "twice"]
    assert corpus.tokens == [[0, 1], [1, 0], [0], []]


@pytest.mark.parametrize("ngram_range", [[1, 1], [1, 2], [2, 3]], ids=str)
@pytest.mark.parametrize("stop_words", [None, "english", ["moon"]], ids=str)
def test_the_words_are_those_that_scikit_learn_finds(tmp_path, ngram_range, stop_words):
    texts = ["The red moon rises, and the red moon sets.", "A red Moon!", "moon", ""] * 2
    options = load_options(tmp_path, min_df=2, stop_words=stop_words, ngram_range=ngram_range)
    theirs = CountVectorizer(min_df=2, stop_words=stop_words, ngram_range=tuple(ngram_range))

    corpus = Corpus(texts, options)

    counted = theirs.fit_transform(texts)
    assert corpus.words == sorted(theirs.vocabulary_)
    assert [len(tokens) for tokens in corpus.tokens] == counted.sum(axis=1).ravel().tolist()[0]
    assert (corpus.vectorizer().transform(texts) != counted).nnz == 0


@pytest.mark.parametrize(
    ("texts", "changes"),
    [
        pytest.param(["the and of"] * 9, {}, id="stop-words-only"),
        pytest.param(["", " "], {}, id="no-word"),
        pytest.param(["orbit"] * 9, {"min_df": 10}, id="min-df-too-high"),
    ],
)
def test_empty_vocabulary_is_a_sentence(tmp_path, texts, changes):
    with pytest.raises(BertlineError, match=r"no word is left.*vocabulary\.min_df.*stop_words"):
        Corpus(texts, load_options(tmp_path, **changes))


def test_more_stop_words_are_left_out_before_words_are_paired(tmp_path):
    options = load_options(tmp_path, min_df=1, more_stop_words=["don"], ngram_range=[1, 2])

    assert Corpus(["moon don rises"], options).words == ["moon", "moon rises", "rises"]


SIGNATURE = "skepticism chastity intellect surrender"


OTHERS = ["orbit moon", "orbit moon", "oven moon", "wheel", "goal", "goal match"] * 3


def test_words_of_boilerplate_are_left_out(tmp_path):
    signed = [f"{word} moon {SIGNATURE}" for word in ("orbit", "oven", "wheel", "orbit")]
    options = load_options(tmp_path, min_df=1, boilerplate=0.7)

    corpus = Corpus([*signed, *OTHERS, "chastity"], options)

    # "chastity" is 5 times there, and 4 times the other words are beside it: 4/5 is 0.8
    assert corpus.boilerplate_words == sorted(SIGNATURE.split())
    assert corpus.words == ["goal", "match", "moon", "orbit", "oven", "wheel"]
    assert [corpus.words[number] for number in corpus.tokens[0]] == ["orbit", "moon"]
    assert corpus.tokens[-1] == []


@pytest.mark.parametrize(
    ("boilerplate", "signature"),
    [(0.9, SIGNATURE), (0.7, "skepticism chastity intellect"), (None, SIGNATURE)],
    ids=["not-alike-enough", "three-words", "kept"],
)
def test_words_that_are_not_boilerplate_stay(tmp_path, boilerplate, signature):
    # each word stands apart from the others in two further documents: 4/6
    apart = [f"wheel {word}" for word in signature.split()] * 2
    texts = [f"{word} {signature}" for word in ("orbit", "oven", "goal", "match")]
    options = load_options(tmp_path, min_df=1, boilerplate=boilerplate)

    corpus = Corpus([*texts, *apart, *OTHERS], options)

    assert set(signature.split()) <= set(corpus.words)
    assert corpus.boilerplate_words == []


def test_names_in_attribution_lines_are_boilerplate_and_names_of_things_are_not(tmp_path):
    random = np.random.default_rng(0)
    plain = "orbit planet comet oven flour yeast wheel engine road goal match referee".split()
    texts = [random.choice(plain, size=12).tolist() for _ in range(200)]
    for number, words in enumerate(texts):
        if number % 4 == 0:
            words[:0] = "in article ann host edu ann lee writes".split()
        for n, name in enumerate(("los angeles", "bursters gamma rays", "pros and cons")):
            if number % 5 == n:
                words[int(random.integers(8, 12)) : 0] = name.split()
    options = load_options(tmp_path, more_stop_words=["article", "edu", "writes"], boilerplate=0.6)

    corpus = Corpus([" ".join(words) for words in texts], options)

    assert corpus.boilerplate_words == ["ann", "host", "lee"]
    assert {"los", "angeles", "bursters", "gamma", "rays", "pros", "cons"} <= set(corpus.words)


def test_documents_of_boilerplate_alone_keep_their_words(tmp_path):
    corpus = Corpus([SIGNATURE] * 5, load_options(tmp_path, min_df=1, boilerplate=0.6))

    assert corpus.words == sorted(SIGNATURE.split())


FREE = ("orbit planet comet", "oven flour yeast", "wheel engine road", "goal match referee")
RESET = ["account", "number", "password", "requested", "reset"]


def test_words_of_templates_stay_as_their_documents_say_nothing_else(tmp_path, capsys):
    resets = [f"Password reset requested for account number {number}" for number in range(40)]
    invoices = [f"Invoice {7000 + number} total amount rendered services" for number in range(40)]
    free = [" ".join([FREE[n % 4], FREE[n // 4 % 4]]) for n in range(60)]

    corpus = Corpus([*resets, *invoices, *free], load_options(tmp_path, boilerplate=0.6))

    assert [corpus.words[number] for number in sorted(corpus.tokens[0])] == RESET
    assert {"invoice", "rendered", "services", "total"} <= set(corpus.words)
    assert corpus.boilerplate_words == []
    # "amount" is a stop word of scikit-learn's
    assert re.search(
        r"9 words \(account.*repeated word for word, and kept", capsys.readouterr().err
    )


def test_words_of_a_template_stay_beside_what_is_filled_in(tmp_path):
    names = ("smith", "miller", "weber")
    resets = [
        f"Password reset requested for account number {number} by {names[number % 3]}"
        for number in range(40)
    ]
    # 5 of 6 words are the template's; "account" in 8 further documents is no template there
    others = [f"{FREE[n % 4]} {FREE[n // 4 % 4]}{' account' * (n < 8)}" for n in range(60)]

    corpus = Corpus([*resets, *others], load_options(tmp_path, boilerplate=0.6))

    assert {*RESET, *names} <= set(corpus.words)


def test_documents_of_a_notice_alone_keep_it_and_the_others_do_not(tmp_path, capsys):
    notice = "confidential disclaimer intended recipient"
    signed = [f"{FREE[n % 4]} {FREE[n // 4 % 4]} {notice}" for n in range(60)]
    options = load_options(tmp_path, boilerplate=0.6)

    corpus = Corpus([*signed, *[notice] * 20, "confidential", ""], options)

    assert [corpus.words[number] for number in corpus.tokens[60]] == notice.split()
    assert not {corpus.words[number] for number in corpus.tokens[0]} & set(notice.split())
    assert corpus.tokens[-1] == []
    assert "21 documents have no other words than 4 words (conf" in capsys.readouterr().err

    corpus = Corpus([*signed, *[notice] * 3], options)

    assert corpus.boilerplate_words == notice.split()
    assert corpus.tokens[60:] == [[]] * 3


@pytest.mark.parametrize("ngram_range", [[1, 1], [1, 2], [1, 3], [2, 2], [2, 3]], ids=str)
def test_a_term_of_three_words_is_no_boilerplate_and_a_signature_is(tmp_path, ngram_range):
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice("up down left right".split(), size=20)) for _ in range(120)]
    texts = [f"{text} carpal tunnel syndrome" if n % 2 else text for n, text in enumerate(texts)]
    texts = [f"{text} {SIGNATURE}" if n % 3 == 0 else text for n, text in enumerate(texts)]

    options = load_options(tmp_path, stop_words=None, boilerplate=0.6, ngram_range=ngram_range)
    corpus = Corpus(texts, options)

    assert not [word for word in corpus.words if word in SIGNATURE]
    terms = {1: "carpal", 2: "carpal tunnel", 3: "carpal tunnel syndrome"}
    sizes = range(ngram_range[0], ngram_range[1] + 1)
    assert {terms[size] for size in sizes} <= set(corpus.words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("आधुनिक मानक हिन्दी, की माँ", ["आधुनिक", "मानक", "हिन्दी", "की", "माँ"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("తెలుగు భాష", ["తెలుగు", "భాష"]),
        ("বাংলা ভাষা র\u200d্যাব", ["বাংলা", "ভাষা", "র\u200d্যাব"]),
        ("ภาษาไทย ที่นี่", ["ภาษาไทย", "ที่นี่"]),
        ("اللُّغَةُ العَرَبِيَّةُ", ["اللُّغَةُ", "العَرَبِيَّةُ"]),
        ("שָׁלוֹם עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),
        ("می\u200cخواهم\u200c رفت", ["می\u200cخواهم", "رفت"]),
        ("İSTANBUL cafe\u0301", ["i\u0307stanbul", "cafe\u0301"]),
        ("a b\u200d \u0301x it's ❤\ufe0f 語", ["it"]),
    ],
    ids=[
        "Hindi",
        "Tamil",
        "Telugu",
        "Bangla",
        "Thai",
        "Arabic",
        "Hebrew",
        "Persian",
        "Latin",
        "no",
    ],
)
def test_words_keep_their_combining_marks(tmp_path, text, words):
    options = load_options(tmp_path, min_df=1, stop_words=None)

    corpus = Corpus([text, "zwei zwei Wörter"], options)

    assert [corpus.words[number] for number in corpus.tokens[0]] == words
    assert corpus.vectorizer().build_analyzer()(text) == words


WORDS = ("酒店", "房间", "服务", "早餐", "电脑", "键盘", "小说", "故事")


def test_texts_without_spaces_are_cut_into_pairs_that_are_words(tmp_path):
    texts = [f"{one}的{other}很{one}！led" for one in WORDS for other in WORDS]
    options = load_options(tmp_path, min_df=2, tokenizer="bigrams", stop_words="zh")

    corpus = Corpus(texts, options)

    assert corpus.words == sorted([*WORDS, "led"])
    assert [corpus.words[number] for number in corpus.tokens[1]] == ["酒店", "房间", "酒店", "led"]
    assert (corpus.vectorizer().transform(texts) != corpus.counts()).nnz == 0


def test_words_of_a_language_are_left_out(tmp_path):
    texts = ["Der Hund läuft in den Garten", "Die Katze ist nicht im Garten"]

    corpus = Corpus(texts, load_options(tmp_path, min_df=1, stop_words="de"))

    assert corpus.words == ["garten", "hund", "katze", "läuft"]


def test_a_language_without_a_list_is_refused_with_those_that_have_one(tmp_path):
    with pytest.raises(BertlineError, match=r"vocabulary\.stop_words: .*'klingon'.*de, .*sl.*null"):
        load_options(tmp_path, stop_words="klingon")


def test_stop_words_are_cut_as_texts_are(tmp_path, capsys):
    options = load_options(
        tmp_path, min_df=1, stop_words=["Hotel", "Don't", "x"], more_stop_words=["E-Mail", "AND"]
    )

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpus = Corpus(["Hotel and Wohnung don't e-mail x", "hotel garten AND mail"], options)
        corpus.vectorizer().transform(["Hotel Wohnung"])

    assert corpus.words == ["garten", "wohnung"]
    told = capsys.readouterr().err
    assert "the stop word Don't is cut as texts are: don\n" in told
    assert "the stop word E-Mail is cut as texts are: mail\n" in told
    assert "Hotel" not in told


@pytest.mark.parametrize("key", ["stop_words", "more_stop_words"])
def test_a_stop_word_is_one_word(tmp_path, key):
    with pytest.raises(BertlineError, match=rf"vocabulary\.{key}.*New York"):
        load_options(tmp_path, **{key: ["New York"]})


@pytest.mark.parametrize(
    ("texts", "changes", "message"),
    [
        (["invoice abba", "invoice acdc", "invoice"], {"min_df": 2}, "stop words, or"),
        (["invoice"] * 9, {}, "stop words, or in fewer than 5 documents. Lower"),
        (
            [f"moon {SIGNATURE if n % 2 else 'and'} moon moon" for n in range(18)],
            {"boilerplate": 0.6},
            "or boilerplate. Lower .* or vocabulary.boilerplate",
        ),
    ],
    ids=["rare-words", "one-word", "boilerplate"],
)
def test_a_single_word_is_a_sentence(tmp_path, texts, changes, message):
    with pytest.raises(BertlineError, match=rf"one word \((invoice|moon)\) is left.*{message}"):
        Corpus(texts, load_options(tmp_path, **changes))


def test_a_long_name_in_pairs_of_characters_is_no_boilerplate_and_a_notice_is(tmp_path):
    name, notice = "中央电视台", "版权所有请勿转载谢谢合作"
    kinds = ["新闻", "天气", "足球", "音乐", "经济", "电影", "学校", "医院"]
    random = np.random.default_rng(0)
    texts = ["，".join(random.choice(kinds, size=6)) for _ in range(80)]
    texts = [f"{text}，{name}，{random.choice(kinds)}" for text in texts[:40]] + [
        f"{text}，{notice}" for text in texts[40:]
    ]
    options = load_options(tmp_path, tokenizer="bigrams", stop_words="zh", boilerplate=0.6)

    corpus = Corpus(texts, options)

    assert "电视" in corpus.words
    assert {"版权", "转载"} <= {*corpus.boilerplate_words}
