"""The English grammar behind the `minimal-pairs` corpus: lexicon, random draws, phrase builders.

A phrase carries its agreement features (number, person, gender, kind of referent), and everything
that depends on it (verb form, pronoun, reflexive, article) is built from those features.
The modules of phenomena compose the phrases into minimal pairs.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from ruamel.yaml import YAML

LEXICON_PATH = Path(__file__).with_name("lexicon.yaml")

T = TypeVar("T")

# Agreement classes of a subject: first person singular, third singular, plural and second person.
FIRST, SINGULAR, PLURAL = "1", "s", "p"

BE_PRESENT = {FIRST: "am", SINGULAR: "is", PLURAL: "are"}
BE_PAST = {FIRST: "was", SINGULAR: "was", PLURAL: "were"}
HAVE = {FIRST: "have", SINGULAR: "has", PLURAL: "have"}
DO = {FIRST: "do", SINGULAR: "does", PLURAL: "do"}
MODALS = ("can", "should", "must", "might", "could")

PAST_LIKE = ("past", "past-progressive", "pluperfect")
FINITE_TENSES = ("past", "present", "future", "perfect", "pluperfect", "modal")
# With relative weights by repetition: narrative past is what most written sentences are in.
TENSES = ("past",) * 6 + (
    *("present", "present", "future", "perfect", "perfect", "pluperfect", "modal"),
    *("progressive", "past-progressive"),
)

# Pronouns by (agreement class, gender): subject, object, possessive, reflexive.
PRONOUNS = {
    (FIRST, ""): ("I", "me", "my", "myself"),
    (SINGULAR, "m"): ("he", "him", "his", "himself"),
    (SINGULAR, "f"): ("she", "her", "her", "herself"),
    (SINGULAR, "n"): ("it", "it", "its", "itself"),
    (PLURAL, ""): ("they", "them", "their", "themselves"),
    (PLURAL, "we"): ("we", "us", "our", "ourselves"),
}
# Noun classes of what is bought for oneself or others.
GIFTS = ("clothing", "furniture", "vehicle", "machine", "instrument", "artwork")

CASED_PRONOUNS = tuple(PRONOUNS[key] for key in PRONOUNS if key[1] != "n")


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun: its two forms (no plural for a mass noun), its class, its referent's gender."""

    singular: str
    plural: str
    category: str
    gender: str = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb's paradigm, the noun classes that it selects, and flags (see the lexicon file)."""

    base: str
    third: str
    past: str
    participle: str
    gerund: str
    objects: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def present(self, agr: str) -> str:
        """Return the present form that agrees with a subject of class `agr`."""
        return self.third if agr == SINGULAR else self.base


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase: its text and the features that other words agree with."""

    text: str
    agr: str = SINGULAR
    gender: str = ""
    noun: Noun | None = None

    def pronoun(self, case: int) -> str:
        """Return its pronoun; case 0 is subject, 1 object, 2 possessive, 3 reflexive."""
        return PRONOUNS[self.agr, self.gender if self.agr == SINGULAR else ""][case]

    @property
    def category(self) -> str:
        """The class of its noun; a name or pronoun has none."""
        return self.noun.category if self.noun else ""

    @property
    def singular(self) -> bool:
        """Whether the phrase is third person singular."""
        return self.agr == SINGULAR


@dataclass(frozen=True, slots=True)
class Predicate:
    """A finite verb phrase in parts, so that it can be inverted, negated, or lose its object."""

    verb: Verb
    tense: str
    agr: str
    aux: str
    form: str
    obj: Phrase | None = None
    tail: str = ""

    @property
    def operator(self) -> str:
        """The auxiliary that inverts and carries `not`: the first one, else a form of do."""
        if self.aux:
            return self.aux.split()[0]
        return "did" if self.tense == "past" else DO[self.agr]

    @property
    def remnant(self) -> str:
        """What stays of the verb group when the operator has moved."""
        if not self.aux:
            return self.verb.base
        return say(*self.aux.split()[1:], self.form)

    @property
    def group(self) -> str:
        """The verb group without object and adverbials."""
        return say(self.aux, self.form)

    @property
    def object_text(self) -> str:
        """The object's text, empty if there is none."""
        return self.obj.text if self.obj else ""

    @property
    def text(self) -> str:
        """The whole predicate."""
        return say(self.aux, self.form, self.object_text, self.tail)

    @property
    def rest(self) -> str:
        """Object and adverbials."""
        return say(self.object_text, self.tail)


@dataclass(frozen=True, slots=True)
class Clause:
    """A subject and its predicate."""

    subject: Phrase
    predicate: Predicate

    @property
    def text(self) -> str:
        """The clause as a statement, without punctuation."""
        return say(self.subject.text, self.predicate.text)

    def gapped(self) -> str:
        """Return the clause without its object: `the teacher repaired yesterday`."""
        p = self.predicate
        return say(self.subject.text, p.group, p.tail)

    def inverted(self, *, gap: bool = False) -> str:
        """Return the clause with its operator in front, `did the teacher repair (the car)`."""
        p = self.predicate
        obj = "" if gap else p.object_text
        return say(p.operator, self.subject.text, p.remnant, obj, p.tail)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The lexicon file, typed: nouns by class, verbs by frame, word lists by name."""

    nouns: dict[str, tuple[Noun, ...]]
    adjectives: dict[str, tuple[str, ...]]
    modifiers: dict[str, tuple[str, ...]]
    verbs: dict[str, tuple[Verb, ...]]
    words: dict[str, tuple[str, ...]]


def say(*parts: str) -> str:
    """Join the parts that are not empty with single spaces."""
    return " ".join(part for part in parts if part)


def contrast(*parts: str | tuple[str, str], end: str = "") -> tuple[str, str]:
    """Return two sentences, which differ in each part that is a pair of (acceptable, not)."""
    good, bad = zip(
        *((part, part) if isinstance(part, str) else part for part in parts), strict=True
    )
    return say(*good) + end, say(*bad) + end


def conjugate(verb: Verb, tense: str, agr: str, modal: str = "") -> tuple[str, str]:
    """Return (auxiliaries, main verb form) of `verb` in `tense` for a subject of class `agr`."""
    if tense == "past":
        return "", verb.past
    if tense == "present":
        return "", verb.present(agr)
    if tense == "future":
        return "will", verb.base
    if tense == "modal":
        return modal, verb.base
    if tense == "perfect":
        return HAVE[agr], verb.participle
    if tense == "pluperfect":
        return "had", verb.participle
    if tense == "progressive":
        return BE_PRESENT[agr], verb.gerund
    return BE_PAST[agr], verb.gerund


@cache
def load_lexicon() -> Lexicon:
    """Read the lexicon file. Raises ValueError for a noun or verb that lacks one of its forms."""
    raw = YAML(typ="safe", pure=True).load(LEXICON_PATH.read_text(encoding="utf-8"))
    nouns: dict[str, tuple[Noun, ...]] = {}
    verbs: dict[str, tuple[Verb, ...]] = {}
    for category, entry in raw["nouns"].items():
        gender = {"man": "m", "male_kin": "m", "woman": "f", "female_kin": "f", "person": ""}
        count = (_forms(text, 2) for text in entry.get("count", ()))
        nouns[category] = tuple(
            Noun(singular, plural, category, gender.get(category, "n"))
            for singular, plural in count
        )
        mass = (_forms(text, 1) for text in entry.get("mass", ()))
        nouns[f"{category}_mass"] = tuple(Noun(stuff, "", category, "n") for (stuff,) in mass)
    for frame in ("transitive", "intransitive", "inchoative", "psych"):
        verbs[frame] = tuple(
            _verb(
                entry["forms"],
                objects=tuple(entry.get("objects", ())),
                subjects=tuple(entry.get("subjects", ())),
                flags=tuple(entry.get("flags", ())),
            )
            for entry in raw[frame]
        )
    for section in ("clausal", "selecting", "ditransitive", "others"):
        verbs |= {name: tuple(map(_verb, texts)) for name, texts in raw[section].items()}
    verbs["reflexive"] = tuple(map(_verb, raw["reflexive"]))
    words = {name: tuple(map(_plain, texts)) for name, texts in raw["word_lists"].items()}
    for section in ("names", "times"):
        words |= {name: tuple(texts) for name, texts in raw[section].items()}
    entries = raw["nouns"].items()
    return Lexicon(
        nouns=nouns,
        adjectives={key: tuple(map(_plain, of.get("adjectives", ()))) for key, of in entries},
        modifiers={key: tuple(of.get("modifiers", ())) for key, of in entries},
        verbs=verbs,
        words=words,
    )


def _plain(word: str) -> str:
    return word.replace("_", " ")


def _verb(text: str, **selected: tuple[str, ...]) -> Verb:
    base, third, past, participle, gerund = _forms(text, 5)
    return Verb(base, third, past, participle, gerund, **selected)


def _forms(text: str, count: int) -> list[str]:
    forms = [_plain(form) for form in text.split()]
    if len(forms) != count:
        raise ValueError(
            f"The lexicon has {len(forms)} forms in `{text}`; expected {count}: a noun is "
            f"`singular plural`, a verb `base third past participle gerund`, and a space inside a "
            f"word is written `_`."
        )
    return forms


class Draw:
    """Random choices that are the same in every Python version and on every machine.

    Only `random.Random.random` is promised to stay the same between versions, so choices and
    chances are made of nothing else.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, limit: int) -> int:
        """Return an integer from 0 to limit - 1."""
        return int(self._random() * limit)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[int(self._random() * len(items))]

    def two(self, items: Sequence[T]) -> tuple[T, T]:
        """Return two items from different places in the sequence."""
        first = self.below(len(items))
        second = self.below(len(items) - 1)
        return items[first], items[second + (second >= first)]

    def chance(self, share: float) -> bool:
        """Return True with probability `share`."""
        return self._random() < share


@dataclass(slots=True)
class Grammar:
    """Builders of phrases with agreement, drawing words from the lexicon.

    `used` holds the heads of the sentence in the making, so that no noun or name comes twice in
    it; `start` empties it.
    """

    draw: Draw
    lexicon: Lexicon
    used: list[str] = field(default_factory=list)
    by_flag: dict[str, tuple[Verb, ...]] = field(default_factory=dict)

    def start(self) -> None:
        """Begin a new sentence."""
        self.used.clear()

    # -- words ---------------------------------------------------------------------------------

    def word(self, name: str) -> str:
        """Return a word of the word list `name`."""
        return self.draw.pick(self.lexicon.words[name])

    def verb(self, frame: str, *flags: str, without: tuple[str, ...] = ()) -> Verb:
        """Return a verb of `frame` with all of `flags` (or noun classes) and none of `without`."""
        key = "|".join((frame, *flags, "-", *without))
        verbs = self.by_flag.get(key)
        if verbs is None:
            verbs = self.by_flag[key] = tuple(
                verb
                for verb in self.lexicon.verbs[frame]
                if all(flag in verb.flags + verb.objects + verb.subjects for flag in flags)
                and not any(flag in verb.flags + verb.objects for flag in without)
            )
        return self.draw.pick(verbs)

    def noun(self, category: str) -> Noun:
        """Return a noun of the class that the sentence does not have yet."""
        nouns = self.lexicon.nouns[category]
        for _ in range(20):  # A class may be used up: then a noun comes twice.
            noun = self.draw.pick(nouns)
            if noun.singular not in self.used:
                break
        self.used.append(noun.singular)
        return noun

    def article(self, text: str) -> str:
        """Return `text` with the indefinite article that its first word takes."""
        first = text.split(" ", 1)[0]
        vowel = first[0] in "aeiou"
        if first in self.lexicon.words["article_an"]:
            vowel = True
        elif first in self.lexicon.words["article_a"]:
            vowel = False
        return f"an {text}" if vowel else f"a {text}"

    def adjective(self, category: str) -> str:
        """Return an adjective that goes with the noun class."""
        return self.draw.pick(self.lexicon.adjectives[category])

    def modifier(self, category: str) -> str:
        """Return a prepositional phrase that goes with the noun class, or nothing."""
        modifiers = self.lexicon.modifiers[category]
        return self.draw.pick(modifiers) if modifiers else ""

    # -- noun phrases --------------------------------------------------------------------------

    def number(self) -> str:
        """Return singular (60%) or plural."""
        return SINGULAR if self.draw.chance(0.6) else PLURAL

    def phrase(
        self, noun: Noun, agr: str, determiner: str, *, rich: float = 0.15, bare: bool = False
    ) -> Phrase:
        """Return determiner + (adjective) + noun + (prepositional phrase).

        The determiner `a` becomes `an` where it must. An adjective and a prepositional phrase each
        come with probability `rich`, no prepositional phrase if it is to stay `bare`.
        """
        head = noun.singular if agr == SINGULAR else noun.plural
        if self.draw.chance(rich):
            head = say(self.adjective(noun.category), head)
        text = self.article(head) if determiner == "a" else say(determiner, head)
        if not bare and self.draw.chance(rich * 0.6):
            text = say(text, self.modifier(noun.category))
        return Phrase(text, agr, noun.gender, noun)

    def name(self, gender: str = "") -> Phrase:
        """Return a first name."""
        gender = gender or self.draw.pick("mf")
        names = self.lexicon.words["male" if gender == "m" else "female"]
        name = self.draw.pick(names)
        while name in self.used:
            name = self.draw.pick(names)
        self.used.append(name)
        return Phrase(name, SINGULAR, gender)

    def gendered(self, gender: str = "", agr: str = "", *, rich: float = 0.15) -> Phrase:
        """Return a noun phrase with a noun of known gender: `the tall woman`, `Mary's uncle`."""
        gender = gender or self.draw.pick("mf")
        agr = agr or self.number()
        if self.draw.chance(0.35):
            noun = self.noun("male_kin" if gender == "m" else "female_kin")
            owner = self.draw.pick(("my", "our", "your", "their", f"{self.name().text}'s"))
            if noun.singular in ("husband", "wife", "father", "mother"):
                agr = SINGULAR  # Nobody in these sentences has two of them, or shares one.
                owner = owner if owner in ("my", "your") else f"{self.name().text}'s"
            return self.phrase(noun, agr, owner, rich=rich * 0.5)
        noun = self.noun("man" if gender == "m" else "woman")
        return self.phrase(noun, agr, self.person_determiner(agr), rich=rich)

    def person_determiner(self, agr: str) -> str:
        """Return a determiner for a noun for people."""
        if self.draw.chance(0.62):
            return "the"
        if agr == SINGULAR:
            return self.draw.pick(("a", "a", "a", "this", "every", "another"))
        return self.draw.pick(("some", "these", "those", "two", "three", "several", "many", "most"))

    def role(
        self, agr: str = "", *, determiner: str = "", rich: float = 0.15, bare: bool = False
    ) -> Phrase:
        """Return a noun phrase for a person by what they do: `the young teacher`."""
        agr = agr or self.number()
        noun = self.noun("person")
        determiner = determiner or self.person_determiner(agr)
        return self.phrase(noun, agr, determiner, rich=rich, bare=bare)

    def person(
        self, agr: str = "", *, rich: float = 0.15, names: bool = True, pronouns: bool = False
    ) -> Phrase:
        """Return a noun phrase for people: name, role, gendered noun or kin (or pronoun)."""
        kind = self.draw.below(100)
        if pronouns and kind < 12:
            keys = [key for key in PRONOUNS if key[1] != "n" and (not agr or key[0] == agr)]
            key = self.draw.pick(keys)
            return Phrase(PRONOUNS[key][0], *key)
        if names and agr != PLURAL and kind < 35:
            return self.name()
        if kind < 55:
            return self.gendered("", agr, rich=rich)
        return self.role(agr, rich=rich)

    def known_person(self, agr: str = SINGULAR) -> Phrase:
        """Return a definite person: a name or `the` + noun without modifiers."""
        if agr == SINGULAR and self.draw.chance(0.4):
            return self.name()
        noun = self.noun(self.draw.pick(("person", "person", "man", "woman")))
        return self.phrase(noun, agr, "the", rich=0.0)

    def individual(self, agr: str = "") -> Phrase:
        """Return one person or several without a quantifier: a name, `the` …, `my` …"""
        if agr != PLURAL and self.draw.chance(0.35):
            return self.name()
        owner = self.draw.pick(("the", "the", "the", "the", "my", "our", "your"))
        return self.role(agr, determiner=owner, rich=0.25)

    def thing(
        self, categories: Sequence[str], agr: str = "", *, rich: float = 0.15, generic: bool = False
    ) -> Phrase:
        """Return a noun phrase for a thing of one of the noun classes.

        With `generic`, for habitual sentences: a bare plural or mass noun where the thing is not
        one that people use again and again.
        """
        category = self.draw.pick(categories)
        mass = self.lexicon.nouns[f"{category}_mass"]
        if mass and (not self.lexicon.nouns[category] or (not agr and self.draw.chance(0.25))):
            noun = self.noun(f"{category}_mass")
            determiner = "" if generic else self.draw.pick(("the", "the", "some", "this", "the"))
            return self.phrase(noun, SINGULAR, determiner, rich=rich, bare=generic)
        if generic and category in GENERIC:
            return self.phrase(self.noun(category), PLURAL, "", rich=rich, bare=True)
        agr = agr or self.number()
        return self.phrase(self.noun(category), agr, self.thing_determiner(agr), rich=rich)

    def thing_determiner(self, agr: str) -> str:
        """Return a determiner for a noun for things."""
        if self.draw.chance(0.5):
            return "the"
        if self.draw.chance(0.3):
            return self.draw.pick(("my", "your", "our", "their", f"{self.name().text}'s"))
        if agr == SINGULAR:
            return self.draw.pick(("a", "a", "a", "this", "another"))
        return self.draw.pick(("some", "these", "those", "two", "three", "several", "many"))

    def definite(self, categories: Sequence[str], agr: str = "") -> Phrase:
        """Return `the` + noun without modifiers, for sentences that are heavy already."""
        category = self.draw.pick(categories)
        if not self.lexicon.nouns[category]:
            return self.phrase(self.noun(f"{category}_mass"), SINGULAR, "the", rich=0.0)
        return self.phrase(self.noun(category), agr or self.number(), "the", rich=0.0)

    def object_of(
        self, verb: Verb, agr: str = "", *, rich: float = 0.15, generic: bool = False
    ) -> Phrase:
        """Return an object that the verb selects."""
        category = self.draw.pick(verb.objects)
        if category == "person":
            return self.person(agr, rich=rich)
        return self.thing((category,), agr, rich=rich, generic=generic)

    def wh_of(self, verb: Verb) -> tuple[str, str]:
        """Return a question phrase for the verb's object, and its noun class: `which car`."""
        category = self.draw.pick(verb.objects)
        if self.draw.chance(0.35):
            return ("who" if category == "person" else "what"), category
        nouns = category if self.lexicon.nouns[category] else f"{category}_mass"
        noun = self.noun(nouns)
        plural = noun.plural and self.draw.chance(0.3)
        return say("which", noun.plural if plural else noun.singular), category

    # -- predicates and clauses ----------------------------------------------------------------

    def tense(self, verb: Verb, among: Sequence[str] = TENSES) -> str:
        """Return a tense that the verb can be plausibly used in."""
        allowed = among
        if "stative" in verb.flags:
            allowed = tuple(t for t in among if t in ("past", "present"))
        elif "unplanned" in verb.flags:
            allowed = tuple(t for t in among if t in ("past", "perfect", "pluperfect"))
        elif "once" in verb.flags:
            allowed = tuple(t for t in among if t != "present")
        return self.draw.pick(allowed or among)

    def time(self, tense: str) -> str:
        """Return an adverbial of time that goes with the tense."""
        lists = {"past-progressive": "past_progressive", "pluperfect": "", "modal": "future"}
        name = lists.get(tense, tense)
        return self.word(name) if name else ""

    def predicate(
        self,
        verb: Verb,
        agr: str,
        *,
        tense: str = "",
        among: Sequence[str] = TENSES,
        obj: Phrase | None = None,
        timed: float = 0.35,
        rich: float = 0.12,
    ) -> Predicate:
        """Return a finite predicate of the verb, with an object if it selects one."""
        tense = tense or self.tense(verb, among)
        aux, form = conjugate(verb, tense, agr, self.draw.pick(MODALS))
        if obj is None and verb.objects:
            habit = "attitude" in verb.flags or (tense == "present" and "stative" not in verb.flags)
            obj = self.object_of(verb, rich=rich, generic=habit)
        # An adverbial of time makes a state sound like an event, and a second one is too many.
        timed = 0.0 if "stative" in verb.flags else timed
        if tense == "perfect" and "once" in verb.flags:
            timed = 0.0
        tail = self.time(tense) if self.draw.chance(timed) else ""
        return Predicate(verb, tense, agr, aux, form, obj, tail)

    def action(self, *flags: str, without: tuple[str, ...] = ()) -> Verb:
        """Return a transitive verb that a person can be the subject of."""
        return self.verb("transitive", *flags, without=without)

    def any_verb(self) -> Verb:
        """Return a transitive or intransitive verb for a person."""
        if self.draw.chance(0.7):
            return self.action()
        return self.verb("intransitive")

    def clause(
        self,
        verb: Verb | None = None,
        *,
        subject: Phrase | None = None,
        tense: str = "",
        among: Sequence[str] = TENSES,
        timed: float = 0.35,
        rich: float = 0.12,
    ) -> Clause:
        """Return a finite clause about a person."""
        verb = verb or self.any_verb()
        subject = subject or self.person(rich=rich)
        return Clause(
            subject,
            self.predicate(verb, subject.agr, tense=tense, among=among, timed=timed, rich=rich),
        )

    def short_clause(self, tense: str = "past") -> str:
        """Return a short clause, to stand beside another one."""
        return self.clause(
            subject=self.known_person(), tense=tense, verb=self.event(), timed=0.0, rich=0.0
        ).text

    def event(self) -> Verb:
        """Return a verb that is not stative, without restrictions of tense."""
        if self.draw.chance(0.5):
            return self.action(without=("stative", "once", "unplanned"))
        return self.verb("intransitive")

    def any_habit(self) -> Verb:
        """Return a verb for what people do habitually or permanently."""
        if self.draw.chance(0.7):
            return self.action(without=("once",))
        return self.verb("intransitive")

    def human(self) -> Phrase:
        """Return a person whose pronoun is known: a name, a gendered noun or a plural."""
        if self.draw.chance(0.45):
            return self.name()
        if self.draw.chance(0.5):
            return self.role(PLURAL, rich=0.1)
        return self.gendered(rich=0.1)

    def pronoun(self) -> tuple[str, str, str, str]:
        """Return the four cases of a personal pronoun."""
        return self.draw.pick(CASED_PRONOUNS)

    def deed(self) -> Verb:
        """Return a verb for something that people do on purpose."""
        if self.draw.chance(0.6):
            return self.action(without=("stative", "unplanned"))
        return self.verb("intransitive", without=("unplanned",))

    def verb_for(self, thing: Phrase, *flags: str) -> Verb:
        """Return a transitive verb that selects the thing's noun class and has the flags."""
        return self.verb("transitive", thing.category, *flags, without=("stative",))

    def definite_object(self, verb: Verb) -> Phrase:
        """Return a short definite object that the verb selects."""
        category = self.draw.pick(verb.objects)
        if category == "person":
            return self.known_person(self.number())
        return self.definite((category,))

    def question_word(self, verb: Verb) -> str:
        """Return who or what, as the verb's object can be."""
        return "who" if verb.objects == ("person",) else "what"

    def first_noun(self, verb: Verb) -> str:
        """Return a noun class with count nouns that the verb selects."""
        return next(c for c in verb.objects if self.lexicon.nouns[c])

    def island_verb(self) -> Verb:
        """Return a verb about inanimate things that can be counted, for questions with `which`.

        With animals, `which dog did he buy the coat` could be about whom he bought it for.
        """
        animate = ("person", "animal", "pet")
        return self.verb(
            "transitive", without=("stative", "unplanned", "drink", "opening", *animate)
        )

    def main_about(self, thing: Phrase) -> str:
        """Return a predicate that says something about a thing."""
        return say(
            BE_PAST[thing.agr],
            self.draw.pick(("", "", "very")),
            self.adjective(thing.category),
        )

    # -- frames --------------------------------------------------------------------------------

    def frame(
        self, good: str, bad: str, *, tense: str = "past", suffix: bool = True, share: float = 0.4
    ) -> tuple[str, str]:
        """Return both statements inside the same larger sentence (or as they are).

        The larger sentence embeds them (`Mary thinks that …`) or adds a clause (`…, but the
        doctor left`). No frame licenses a polarity item or supplies a missing phrase.
        """
        if not self.draw.chance(share):
            return good, bad
        kind = self.draw.below(4 if suffix else 3)
        if kind == 0:
            before = say("it is", self.draw.pick(("clear", "obvious", "true", "likely")), "that")
        elif kind < 3:
            verb = self.verb("statement")
            speaker = self.person(rich=0.05)
            past = tense in PAST_LIKE and self.draw.chance(0.6)
            before = say(speaker.text, verb.past if past else verb.present(speaker.agr), "that")
        elif tense in PAST_LIKE:
            after = say(
                self.draw.pick((", and", ", but", " because", " although")), self.short_clause()
            )
            return good + after, bad + after
        else:
            after = say(self.draw.pick((", and", ", but")), self.short_clause())
            return good + after, bad + after
        return say(before, good), say(before, bad)


# Things that a habit is about in general, not one of them each time.
GENERIC = (
    *("produce", "baked", "dish", "snack", "text", "fragile", "tool", "show", "artwork"),
    *("clothing", "container"),
)


def capitalized(text: str) -> str:
    """Return the text as a sentence: first letter upper-case, with a full stop unless it asks."""
    text = text[0].upper() + text[1:].replace(" can not ", " cannot ")
    return text if text.endswith("?") else f"{text}."
