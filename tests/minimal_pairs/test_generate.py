"""The synthetic corpus: its files are what the grammar generates, and keep its promises."""

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from minimal_pairs import generate as generator
from minimal_pairs.generate import PHENOMENA, SEED, SIZES, generate, sample_pairs, write
from minimal_pairs.grammar import Draw, Grammar, capitalized, load_lexicon
from minimal_pairs.phenomenon import Phenomenon
from tests.command import PROJECT

CORPUS = PROJECT / "minimal_pairs" / "corpus"
HELD_OUT = {name for name, phenomenon in PHENOMENA.items() if phenomenon.held_out}


@pytest.fixture(scope="module")
def sets() -> dict[str, list[list[str]]]:
    """Rows of each file of the corpus as lists of columns."""
    texts = {name: (CORPUS / f"{name}.tsv").read_text(encoding="utf-8") for name in SIZES}
    return {
        name: [line.split("\t") for line in text.split("\n")[:-1]] for name, text in texts.items()
    }


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_generator_makes_the_bytes_that_the_project_ships(tmp_path):
    """In a new process with another hash seed, as `python -m minimal_pairs.generate` runs."""
    subprocess.run(
        [sys.executable, "-m", "minimal_pairs.generate", str(tmp_path)],
        check=True,
        cwd=PROJECT,
        env={"PYTHONHASHSEED": "12345"},
    )

    assert content(tmp_path) == content(CORPUS)


def test_every_line_is_in_colas_format(sets):
    assert {name: len(rows) for name, rows in sets.items()} == SIZES
    for row in (row for rows in sets.values() for row in rows):
        source, label, mark, sentence = row
        assert source in PHENOMENA
        assert (label, mark) in (("1", ""), ("0", "*"))
        assert sentence[0].isupper() and sentence[-1] in ".?"
        assert sentence == " ".join(sentence.split())
        assert generator.MIN_WORDS <= len(sentence.split()) <= 30
        assert not any(s in sentence for s in (" ,", " .", " ?", "@", "_", '"', "\r"))


def test_share_of_acceptable_sentences_is_the_same_in_every_set_and_phenomenon(sets):
    for rows in sets.values():
        assert sum(row[1] == "1" for row in rows) == int(0.7 * len(rows) + 0.5)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for source, label, _, _ in sets["in_domain_train"]:
        counts[source][label] += 1
    shares = {source: count["1"] / count.total() for source, count in counts.items()}
    assert max(shares.values()) - min(shares.values()) < 0.01, shares


def test_no_sentence_occurs_twice_in_any_set_or_label(sets):
    sentences = [row[3] for rows in sets.values() for row in rows]
    assert len(set(sentences)) == len(sentences)


def test_held_out_phenomena_are_out_of_domain_and_nowhere_else(sets):
    sources = {name: {row[0] for row in rows} for name, rows in sets.items()}
    assert sources["out_of_domain_dev"] == HELD_OUT
    assert sources["in_domain_train"] == sources["in_domain_dev"] == set(PHENOMENA) - HELD_OUT


def test_unacceptable_sentence_follows_its_partner():
    """The partner is known from the pairs that the phenomenon draws."""
    drawn = set()
    known = PHENOMENA["subject-verb-agreement"]

    def spy(g):
        pair = known.pair(g)
        drawn.add(tuple(map(capitalized, pair)))
        return pair

    spied = Phenomenon(known.name, known.major, known.description, known.citation, False, spy)
    sizes = {"in_domain_train": 300, "in_domain_dev": 100}
    rows = list(generate(seed=1, sizes=sizes, phenomena={known.name: spied}))
    assert sum(row.label == 0 for row in rows) == 90 + 30
    for before, row in zip(rows, rows[1:], strict=False):
        if row.label == 0:
            assert before.set == row.set
            assert (before.sentence, row.sentence) in drawn


def test_another_seed_gives_other_sets_and_another_training_size_the_same_development_sets(
    tmp_path,
):
    write(tmp_path / "small", sizes=SIZES | {"in_domain_train": 100})
    write(tmp_path / "other", seed=SEED + 1, sizes={"in_domain_dev": 527})

    for name in ("in_domain_dev.tsv", "out_of_domain_dev.tsv"):
        assert (tmp_path / "small" / name).read_bytes() == (CORPUS / name).read_bytes()
    other = (tmp_path / "other" / "in_domain_dev.tsv").read_bytes()
    assert other != (CORPUS / "in_domain_dev.tsv").read_bytes()


@pytest.mark.slow
def test_pairs_are_many_and_no_string_is_drawn_with_both_labels():
    """Over 62,400 pairs of all phenomena, without the filter for duplicates."""
    pairs = {name: list(sample_pairs(name, seed=5, count=2_400)) for name in PHENOMENA}

    assert min(len(set(drawn)) for drawn in pairs.values()) > 2_000
    acceptable = {good for drawn in pairs.values() for good, _ in drawn}
    assert acceptable.isdisjoint(bad for drawn in pairs.values() for _, bad in drawn)


def test_exhausted_phenomenon_is_named():
    pairs = (("a b c d", "d c b a"), ("a b c e", "e c b a"))
    tiny = Phenomenon("tiny", "none", "two pairs", "none", False, lambda g: g.draw.pick(pairs))

    with pytest.raises(ValueError, match=r"no new sentences left for `tiny`.*smaller size"):
        list(generate(seed=1, sizes={"in_domain_train": 50}, phenomena={"tiny": tiny}))


def test_lexicon_hides_no_agreement_error_behind_a_word_with_two_uses():
    """No noun for a person is a verb too; no verb looks the same in present and past."""
    lexicon = load_lexicon()
    forms = {f for vs in lexicon.verbs.values() for v in vs for f in (v.base, v.third)}
    for category in ("person", "man", "woman"):
        for noun in lexicon.nouns[category]:
            assert not {noun.singular, noun.plural} & forms, noun
    for frame, verbs in lexicon.verbs.items():
        for verb in verbs:
            assert verb.gerund.endswith("ing") and verb.third.endswith("s"), verb
            assert verb.base != verb.past or verb.base in ("let", "put"), f"{verb.base} ({frame})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apple", "an apple"),
        ("honest man", "an honest man"),
        ("useful rope", "a useful rope"),
        ("old uniform", "an old uniform"),
    ],
)
def test_article_follows_the_sound_of_the_next_word(text, expected):
    assert Grammar(Draw(1), load_lexicon()).article(text) == expected
