"""The generated acceptability corpus: its format, its promises, its grammar's consistency."""

import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bertline.core.errors import BertlineError
from minimal_pairs import generate as minimal_pairs
from minimal_pairs import grammar
from minimal_pairs.generate import (
    DEFAULT_SEED,
    DEFAULT_SIZES,
    PHENOMENA,
    acceptable_count,
    generate,
    sample_pairs,
    write,
)
from minimal_pairs.grammar import LEXICON_PATH, Draw, Grammar, load_lexicon
from minimal_pairs.phenomenon import Phenomenon

GOLDEN = {
    "in_domain_train": "d5f3d369a38487a4992d79d7f75feb6e0c931c9ecb6612b81db4fb0968a77f60",
    "in_domain_dev": "13575f843ac281bb49d03fa0afcccad3971195e3701848b21757ef91b7230ed6",
    "out_of_domain_dev": "05139b9d71faee6c298e9230e51a220b6c5d1f46274dc395d1ba18add8194eda",
}
HELD_OUT = {name for name, phenomenon in PHENOMENA.items() if phenomenon.held_out}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("minimal-pairs")
    write(path, seed=DEFAULT_SEED, sizes=DEFAULT_SIZES)
    return path


@pytest.fixture(scope="module")
def sets(folder):
    """Rows of each file as lists of columns."""
    texts = {name: (folder / f"{name}.tsv").read_text(encoding="utf-8") for name in DEFAULT_SIZES}
    return {
        name: [line.split("\t") for line in text.split("\n")[:-1]] for name, text in texts.items()
    }


@pytest.fixture(scope="module")
def pairs():
    """2,400 pairs of each phenomenon as drawn, before duplicates are left out."""
    return {name: list(sample_pairs(name, seed=5, count=2_400)) for name in PHENOMENA}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_have_the_size_that_was_asked_for(sets):
    assert {name: len(rows) for name, rows in sets.items()} == DEFAULT_SIZES


def test_every_line_is_in_colas_format(sets):
    for rows in sets.values():
        for row in rows:
            assert len(row) == 4, row
            source, label, mark, sentence = row
            assert source in PHENOMENA
            assert (label, mark) in (("1", ""), ("0", "*"))
            assert sentence[0].isupper() and sentence[-1] in ".?"
            assert sentence == " ".join(sentence.split())
            assert not any(s in sentence for s in (" ,", " .", " ?", "@", "_", '"'))


def test_files_end_lines_with_lf_only(folder):
    assert all(b"\r" not in path.read_bytes() for path in folder.iterdir())


def test_share_of_acceptable_sentences_is_exact_in_every_set(sets):
    for name, rows in sets.items():
        acceptable = sum(row[1] == "1" for row in rows)
        assert acceptable == acceptable_count(DEFAULT_SIZES[name]) == int(0.7 * len(rows) + 0.5)


def test_share_of_acceptable_sentences_does_not_depend_on_the_phenomenon(sets):
    counts = defaultdict(Counter)
    for source, label, _, _ in sets["in_domain_train"]:
        counts[source][label] += 1
    shares = {source: count["1"] / count.total() for source, count in counts.items()}
    assert max(shares.values()) - min(shares.values()) < 0.01, shares


def test_no_sentence_comes_twice_in_any_set_or_label(sets):
    sentences = [row[3] for rows in sets.values() for row in rows]
    assert len(set(sentences)) == len(sentences)


def test_held_out_phenomena_are_out_of_domain_and_nowhere_else(sets):
    sources = {name: {row[0] for row in rows} for name, rows in sets.items()}
    assert sources["out_of_domain_dev"] == HELD_OUT
    assert sources["in_domain_train"] == sources["in_domain_dev"] == set(PHENOMENA) - HELD_OUT
    assert 4 <= len(HELD_OUT) <= 6


def test_unacceptable_sentence_stands_right_after_its_partner():
    """So both are in one set. The partner is known from the pairs that the phenomenon draws."""
    drawn = set()
    known = PHENOMENA["subject-verb-agreement"]

    def spy(g):
        pair = known.pair(g)
        drawn.add(tuple(map(grammar.capitalized, pair)))
        return pair

    spied = Phenomenon(known.name, known.description, known.citation, False, spy)
    sizes = {"in_domain_train": 300, "in_domain_dev": 100}
    rows = list(generate(seed=1, sizes=sizes, phenomena={known.name: spied}))
    assert sum(row.label == 0 for row in rows) == 90 + 30
    for before, row in zip(rows, rows[1:], strict=False):
        if row.label == 0:
            assert before.set == row.set
            assert (before.sentence, row.sentence) in drawn


def test_default_files_have_the_recorded_bytes(folder):
    assert {name: sha256(folder / f"{name}.tsv") for name in DEFAULT_SIZES} == GOLDEN


def test_same_seed_gives_the_same_bytes_in_a_new_process_with_another_hash_seed(folder, tmp_path):
    code = (
        "from pathlib import Path\n"
        "from stages.corpora import minimal_pairs as m\n"
        f"m.write(Path({str(tmp_path)!r}), seed=m.DEFAULT_SEED, sizes=m.DEFAULT_SIZES)\n"
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=root)
    for name in DEFAULT_SIZES:
        assert sha256(tmp_path / f"{name}.tsv") == sha256(folder / f"{name}.tsv")


def test_another_seed_gives_other_bytes(folder, tmp_path):
    write(tmp_path, seed=DEFAULT_SEED + 1, sizes=DEFAULT_SIZES)
    for name in DEFAULT_SIZES:
        assert sha256(tmp_path / f"{name}.tsv") != sha256(folder / f"{name}.tsv")


def test_development_sets_do_not_depend_on_the_size_of_the_training_set(folder, tmp_path):
    write(tmp_path, seed=DEFAULT_SEED, sizes=DEFAULT_SIZES | {"in_domain_train": 100})
    for name in ("in_domain_dev", "out_of_domain_dev"):
        assert sha256(tmp_path / f"{name}.tsv") == sha256(folder / f"{name}.tsv")


def test_no_string_is_ever_drawn_with_both_labels(pairs):
    """Over 62,400 pairs of all phenomena, without the filter for duplicates."""
    acceptable = {good for drawn in pairs.values() for good, _ in drawn}
    unacceptable = {bad for drawn in pairs.values() for _, bad in drawn}
    assert acceptable.isdisjoint(unacceptable)


@pytest.mark.parametrize("name", PHENOMENA)
def test_phenomenon_has_hundreds_of_distinct_pairs(pairs, name):
    assert len(set(pairs[name])) > 2_000


@pytest.mark.parametrize("name", PHENOMENA)
def test_phenomenon_is_described_and_cited(name):
    phenomenon = PHENOMENA[name]
    assert phenomenon.name == name == name.lower().replace(" ", "-")
    assert phenomenon.description and any(c.isdigit() for c in phenomenon.citation)


def test_lengths_vary_as_in_a_collection_of_examples(sets):
    lengths = [len(row[3].split()) for row in sets["in_domain_train"]]
    assert min(lengths) >= minimal_pairs.FEWEST_WORDS
    assert max(lengths) <= 30
    assert 8.5 < sum(lengths) / len(lengths) < 12


def test_exhausted_phenomenon_is_a_sentence_for_a_person():
    tiny = Phenomenon(
        "tiny",
        "three pairs",
        "none",
        False,
        lambda g: g.draw.pick((("a b c d", "d c b a"), ("a b c e", "e c b a"))),
    )
    rows = generate(seed=1, sizes={"in_domain_train": 50}, phenomena={"tiny": tiny})
    with pytest.raises(BertlineError, match=r"in_domain_train was to have 50 .* `tiny`.* smaller"):
        list(rows)


@pytest.mark.parametrize(
    ("sizes", "share", "message"),
    [
        ({"test": 5}, 0.7, r"no set `test`; it has in_domain_dev"),
        ({"in_domain_dev": -1}, 0.7, r"size of in_domain_dev is -1"),
        ({"in_domain_dev": 2.5}, 0.7, r"size of in_domain_dev is 2\.5"),
        ({"in_domain_dev": 5}, 0.3, r"share is 0\.3; expected 0\.5 to 1"),
    ],
    ids=["unknown-set", "negative", "fraction", "share"],
)
def test_impossible_request_is_refused_before_anything_is_written(tmp_path, sizes, share, message):
    with pytest.raises(BertlineError, match=message):
        write(tmp_path, seed=1, sizes=sizes, acceptable_share=share)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 41])
def test_any_size_and_share_is_exact(size, share):
    rows = list(generate(seed=2, sizes={"in_domain_dev": size}, acceptable_share=share))
    assert len(rows) == size
    assert sum(row.label for row in rows) == acceptable_count(size, share)


def test_every_noun_class_that_a_verb_selects_has_nouns():
    lexicon = load_lexicon()
    for frame in ("transitive", "inchoative", "intransitive"):
        for verb in lexicon.verbs[frame]:
            assert verb.objects or verb.subjects, verb
            for category in verb.objects + verb.subjects:
                nouns = lexicon.nouns[category] + lexicon.nouns[f"{category}_mass"]
                assert len(nouns) >= 3, category


def test_every_paradigm_is_complete_and_marks_agreement():
    for frame, verbs in load_lexicon().verbs.items():
        for verb in verbs:
            forms = (verb.base, verb.third, verb.past, verb.participle, verb.gerund)
            assert all(forms), verb
            assert verb.gerund.endswith("ing") and verb.third.endswith("s"), verb
            if verb.base not in ("let", "put"):
                assert verb.base != verb.past, f"{verb.base} ({frame}) hides agreement errors"
            if "irregular" in verb.flags:
                assert len(set(forms)) == 5, verb


def test_no_noun_for_a_person_is_also_a_form_of_a_verb():
    lexicon = load_lexicon()
    forms = {f for vs in lexicon.verbs.values() for v in vs for f in (v.base, v.third)}
    for category in ("person", "man", "woman"):
        for noun in lexicon.nouns[category]:
            assert not {noun.singular, noun.plural} & forms, noun


def test_no_class_or_list_has_a_word_twice():
    lexicon = load_lexicon()
    for name, nouns in lexicon.nouns.items():
        assert len({noun.singular for noun in nouns}) == len(nouns), name
    for name, words in lexicon.words.items():
        assert len(set(words)) == len(words), name


def test_adjective_lists_of_comparison_are_parallel():
    words = load_lexicon().words
    lists = zip(words["short_adjective"], words["comparative"], words["superlative"], strict=True)
    for plain, more, most in lists:
        assert more.removesuffix("er") == most.removesuffix("est")
        assert more.startswith(plain.rstrip("e")[:3])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apple", "an apple"),
        ("car", "a car"),
        ("honest man", "an honest man"),
        ("uniform", "a uniform"),
        ("useful rope", "a useful rope"),
        ("old uniform", "an old uniform"),
    ],
)
def test_article_follows_the_sound_of_the_next_word(text, expected):
    assert Grammar(Draw(1), load_lexicon()).article(text) == expected


def test_draws_are_uniform_and_repeatable():
    draw = Draw(3)
    counts = Counter(draw.below(5) for _ in range(5_000))
    assert set(counts) == set(range(5)) and min(counts.values()) > 850
    assert all(one != other for one, other in (draw.two("abc") for _ in range(100)))
    first, again = Draw(7), Draw(7)
    assert [first.below(1_000) for _ in range(50)] == [again.below(1_000) for _ in range(50)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw["psych"].append({"forms": "vex vexes"}), r"2 forms in `vex vexes`"),
        (
            lambda raw: raw["transitive"][0].update(objects=["spaceship"]),
            r"`spaceship`, which has no noun",
        ),
    ],
    ids=["paradigm", "class"],
)
def test_inconsistent_lexicon_is_named(tmp_path, change, message):
    raw = YAML(typ="safe", pure=True).load(LEXICON_PATH.read_text(encoding="utf-8"))
    change(raw)
    path = tmp_path / "lexicon.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(raw, file)
    with pytest.raises(BertlineError, match=message):
        load_lexicon(path)
