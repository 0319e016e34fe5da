"""Stop words by language, and which language texts look like."""

import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from bertline.topics import languages

TEXTS = {
    "en": "The dog ran into the garden, and the cat did not see it. I am not at home this week.",
    "de": "Der Hund ist in den Garten gelaufen, und die Katze hat es nicht gesehen. Ich bin da.",
    "fr": "Je ne sais pas ce que vous voulez dire, mais il est dans la maison avec les enfants.",
    "es": "El perro se fue al jardín y la gata no lo vio porque estaba en casa con los niños.",
    "ru": "Собака побежала в сад, и кошка не видела этого, потому что она была дома.",
    "tr": "Bu çok güzel bir kitap ama ben daha önce onun gibi bir şey okumadım.",
}


@pytest.mark.parametrize("code", TEXTS)
def test_a_language_is_told_by_its_stop_words(code):
    assert languages.look([TEXTS[code], "", "42"]).code == code


@pytest.mark.parametrize(
    ("texts", "unspaced", "script", "code"),
    [
        (["这个电影很好看", "abc"], 7 / 10, "Chinese", "zh"),
        (["昨日映画館へ"], 1, "Japanese", "ja"),
        (["ภาษาไทย"], 1, "Thai", "th"),
        (["ພາສາລາວ"], 1, "Lao", None),
        (["orbit planet"], 0, "Latin", None),
        (["", "42 ?"], 0, "", None),
    ],
    ids=["Chinese", "Japanese", "Thai", "Lao", "words", "no-letter"],
)
def test_texts_without_stop_words_have_a_script(texts, unspaced, script, code):
    found = languages.look(texts)

    assert found.code == code
    assert (found.unspaced, found.script) == (pytest.approx(unspaced), script)


def test_a_sample_of_many_texts_is_looked_at(monkeypatch):
    monkeypatch.setattr(languages, "SAMPLE", 10)

    # 10 of 100 texts, evenly spaced: none is the 15th
    assert languages.look(["orbit"] * 14 + ["火星"] + ["orbit"] * 85).unspaced == 0


def test_lists_of_stop_words():
    assert languages.stop_words("english") == sorted(ENGLISH_STOP_WORDS)
    assert {"und", "nicht"} <= set(languages.stop_words("de"))
    with pytest.raises(ValueError, match="no list of stop words for 'xx'"):
        languages.stop_words("xx")
