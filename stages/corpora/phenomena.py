"""The phenomena of the `minimal-pairs` corpus: one function each, from grammar to minimal pair.

A function gets the `Grammar` and returns (acceptable, unacceptable): two sentences that differ in
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
from dataclasses import dataclass, replace

from stages.corpora.grammar import (
    BE_PAST,
    BE_PRESENT,
    DO,
    FINITE_TENSES,
    HAVE,
    PLURAL,
    SINGULAR,
    Clause,
    Grammar,
    Phrase,
    Verb,
    say,
)

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Phenomenon:
    """A phenomenon: its name in the source column, what it manipulates, and who described it."""

    name: str
    description: str
    citation: str
    held_out: bool
    pair: Callable[[Grammar], Pair]


PHENOMENA: dict[str, Phenomenon] = {}


def phenomenon(name: str, description: str, citation: str, *, held_out: bool = False):
    """Register the decorated function as the phenomenon `name`."""

    def register(pair: Callable[[Grammar], Pair]) -> Callable[[Grammar], Pair]:
        PHENOMENA[name] = Phenomenon(name, description, citation, held_out, pair)
        return pair

    return register


def flip(agr: str) -> str:
    """Return the other number."""
    return PLURAL if agr == SINGULAR else SINGULAR


# -- agreement -----------------------------------------------------------------------------------


@phenomenon(
    "subject-verb-agreement",
    "the finite verb agrees with the head of its subject, across attractors",
    "Warstadt et al. 2020, subject-verb agreement; Bock and Miller 1991 (attractors)",
)
def subject_verb_agreement(g: Grammar) -> Pair:
    kind = g.draw.below(10)
    agr = SINGULAR if g.draw.chance(0.5) else PLURAL
    if kind == 0:
        first = g.role(SINGULAR, determiner="the")
        second = g.role(SINGULAR, determiner="the", bare=True)
        subject = Phrase(f"{first.text} and {second.text}", PLURAL)
    elif kind == 1:
        subject = Phrase(f"one of the {g.noun('person').plural}", SINGULAR)
    elif kind < 4:
        subject = g.role(agr)
    elif kind < 7:
        attractor = g.definite(("building", "vehicle", "furniture"), flip(agr))
        near = g.draw.pick(("near", "next to", "behind", "in front of"))
        head = g.role(agr, determiner="the", bare=True)
        subject = Phrase(say(head.text, near, attractor.text), agr, head.gender)
    elif kind == 7:
        head = g.role(agr, determiner="the")
        other = g.known_person(flip(agr))
        verb = g.verb("transitive", "person", without=("once",))
        group = g.predicate(verb, other.agr, among=("past", "past", "present"), timed=0).group
        subject = Phrase(say(head.text, "that", other.text, group), agr, head.gender)
    else:
        head = g.role(agr, determiner="the")
        inner = g.predicate(g.action(without=("stative",)), agr, tense="past", timed=0.2)
        subject = Phrase(say(head.text, "who", inner.text), agr, head.gender)
    agr = subject.agr
    kind = g.draw.below(8)
    if kind < 3:
        verb = g.any_habit()
        p = g.predicate(verb, agr, tense="present", timed=0.3)
        if kind == 0:
            bad = say(DO[flip(agr)], subject.text, verb.base, p.rest)
            return say(DO[agr], subject.text, verb.base, p.rest) + "?", bad + "?"
        adverb = g.word("frequency") if g.draw.chance(0.3) and not p.tail else ""
        return g.frame(
            say(subject.text, adverb, verb.present(agr), p.rest),
            say(subject.text, adverb, verb.present(flip(agr)), p.rest),
            tense="present",
        )
    if kind < 5:
        past = g.draw.chance(0.4)
        be = BE_PAST if past else BE_PRESENT
        rest = say("very" if g.draw.chance(0.3) else "", g.adjective("person"))
    elif kind == 5:
        past = False
        be = HAVE
        p = g.predicate(g.any_verb(), agr, tense="perfect", timed=0.3)
        rest = say(p.form, p.rest)
        if "stative" in p.verb.flags:
            rest = say("been", g.adjective("person"))
    else:
        past = g.draw.chance(0.5)
        be = BE_PAST if past else BE_PRESENT
        tense = "past-progressive" if past else "progressive"
        p = g.predicate(g.event(), agr, tense=tense, timed=0.3)
        rest = say(p.form, p.rest)
    if g.draw.chance(0.2):
        return (
            say(be[agr], subject.text, rest) + "?",
            say(be[flip(agr)], subject.text, rest) + "?",
        )
    return g.frame(
        say(subject.text, be[agr], rest),
        say(subject.text, be[flip(agr)], rest),
        tense="past" if past else "present",
    )


@phenomenon(
    "determiner-noun-agreement",
    "a determiner agrees with its noun in number and countability, across adjectives",
    "Warstadt et al. 2020, determiner-noun agreement",
)
def determiner_noun_agreement(g: Grammar) -> Pair:
    singular = g.draw.pick(("this", "that", "every", "each", "another"))
    plural = g.draw.pick(("these", "those", "several", "many", "few", "most"))
    kind = g.draw.below(10)
    verb = g.action(without=("drink", "stative"))
    subject = g.person(rich=0.1)
    if kind < 3:
        # A mass noun with a count determiner, or the other way round.
        if g.draw.chance(0.6):
            stuff = g.noun("stuff_mass").singular
            good_det, bad_det = g.draw.pick(
                (("much", "many"), ("some", "several"), ("some", "a"), ("this", "these"))
            )
            verb = g.verb("dealing")
            middle = g.adjective("stuff") if g.draw.chance(0.4) else ""
        else:
            verb = g.action(without=("drink", "stative", "person"))
            category = g.draw.pick(verb.objects)
            stuff = g.noun(category).plural
            good_det, bad_det = g.draw.pick((("many", "much"), ("these", "this")))
            middle = g.adjective(category) if g.draw.chance(0.4) else ""
        if good_det == "much" or bad_det == "much":
            degree = g.draw.pick(("too", "so", ""))
            good_det, bad_det = say(degree, good_det), say(degree, bad_det)
        tense = g.draw.pick(("past", "past", "future", "pluperfect"))
        p = g.predicate(verb, subject.agr, tense=tense, obj=Phrase(""), timed=0.4)
        first = g.article(say(middle, stuff)) if bad_det == "a" else say(bad_det, middle, stuff)
        return g.frame(
            say(subject.text, p.group, good_det, middle, stuff, p.tail),
            say(subject.text, p.group, first, p.tail),
            tense=tense,
        )
    as_subject = kind > 6
    category = "person" if as_subject else g.draw.pick(verb.objects)
    noun = g.noun(category)
    middle = ""
    if g.draw.chance(0.55):
        middle = g.adjective(category)
        if g.draw.chance(0.3):
            one, other = g.draw.two(("nice", "big", "little", "pretty"))
            middle = say(one, middle) if category != "person" else middle
    agr = SINGULAR if g.draw.chance(0.5) else PLURAL
    head = noun.singular if agr == SINGULAR else noun.plural
    good_det, bad_det = (singular, plural) if agr == SINGULAR else (plural, singular)
    if as_subject and bad_det == "that":
        bad_det = "this"  # `that teachers smiled` is a clause.
    if bad_det == "most":
        bad_det = "many"
    if as_subject:
        p = g.predicate(g.any_verb(), agr, among=("past", "past", "future", "modal"), timed=0.3)
        return g.frame(
            say(good_det, middle, head, p.text), say(bad_det, middle, head, p.text), tense=p.tense
        )
    if good_det == "few":
        good_det = "several"
    among = ("past", "past", "past", "future", "pluperfect", "past-progressive")
    p = g.predicate(verb, subject.agr, among=among, obj=Phrase(""), timed=0.35)
    return g.frame(
        say(subject.text, p.group, good_det, middle, head, p.tail),
        say(subject.text, p.group, bad_det, middle, head, p.tail),
        tense=p.tense,
    )


@phenomenon(
    "anaphor-agreement",
    "a reflexive or reciprocal agrees with its local antecedent in person, number and gender",
    "Warstadt et al. 2020, anaphor agreement",
)
def anaphor_agreement(g: Grammar) -> Pair:
    kind = g.draw.below(10)
    if kind < 4:
        gender = g.draw.pick("mf")
        subject = g.name(gender) if g.draw.chance(0.5) else g.gendered(gender, SINGULAR, rich=0.1)
        wrong = g.draw.pick(("himself" if gender == "f" else "herself", "itself", "ourselves"))
    elif kind < 7:
        subject = g.role(PLURAL) if g.draw.chance(0.6) else g.gendered("", PLURAL)
        if subject.agr == SINGULAR:
            wrong = "themselves" if subject.noun is None else "ourselves"
        else:
            wrong = g.draw.pick(("himself", "herself", "itself", "ourselves"))
    elif kind == 7:
        subject = g.role(SINGULAR)
        wrong = g.draw.pick(("itself", "ourselves"))
        if not subject.gender:
            subject = replace(subject, gender=g.draw.pick("mf"))
    elif kind == 8:
        key = g.draw.pick((("I", "1", ""), ("we", PLURAL, "we"), ("they", PLURAL, "")))
        subject = Phrase(*key)
        wrong = "themselves" if key[0] != "they" else "ourselves"
    else:
        return reciprocal(g)
    reflexive = "ourselves" if subject.gender == "we" else subject.pronoun(3)
    text = subject.text
    placeable = subject.noun is not None and subject.noun.category in ("person", "man", "woman")
    placeable = placeable and len(text.split()) < 4
    if placeable and g.draw.chance(0.25):
        where = g.definite(("building", "vehicle", "furniture"), flip(subject.agr))
        text = say(text, g.draw.pick(("near", "next to", "behind")), where.text)
    return reflexive_sentence(g, text, subject.agr, reflexive, wrong)


def reciprocal(g: Grammar) -> Pair:
    """Return a pair in which `each other` has a plural or a singular antecedent."""
    noun = g.noun("person")
    adjective = g.adjective("person") if g.draw.chance(0.3) else ""
    owner = g.draw.pick(("the", "the", "my", "our", "your"))
    verb = g.verb("transitive", "person", without=("stative", "once"))
    among = ("past", "past", "future", "pluperfect", "modal")
    p = g.predicate(verb, PLURAL, among=among, obj=Phrase("each other"))
    return g.frame(
        say(owner, adjective, noun.plural, p.text),
        say(owner, adjective, noun.singular, p.text),
        tense=p.tense,
    )


def reflexive_sentence(g: Grammar, text: str, agr: str, right: str, wrong: str) -> Pair:
    """Return a pair of statements whose subject is the antecedent of the reflexive."""
    kind = g.draw.below(4)
    if kind < 2:
        verb = g.verb("reflexive")
        p = g.predicate(verb, agr, among=("past", "past", *FINITE_TENSES), obj=Phrase("@"))
        sentence, tense = say(text, p.text), p.tense
    elif kind == 2:
        verb = g.verb("transitive", "once", without=("person", "building", "destroy", "drink"))
        among = ("past", "past", "perfect", "future", "pluperfect")
        verb = g.verb("getting")
        p = g.predicate(verb, agr, among=among, obj=g.thing(GIFTS), timed=0.0)
        tense = p.tense
        tail = g.time("past") if tense == "past" and g.draw.chance(0.4) else ""
        sentence = say(text, p.text, "for @", tail)
    else:
        tense = g.draw.pick(("past", "present"))
        be = (BE_PAST if tense == "past" else BE_PRESENT)[agr]
        degree = g.draw.pick(("", "", "very", "really"))
        sentence = say(text, be, degree, g.word("of_self"), "@")
    return g.frame(sentence.replace("@", right), sentence.replace("@", wrong), tense=tense)


GIFTS = ("clothing", "furniture", "vehicle", "machine", "instrument", "artwork")


# -- polarity and quantifiers --------------------------------------------------------------------

POSITIVE = ("some", "many", "most", "several", "all", "three", "those", "these")


@phenomenon(
    "negative-polarity",
    "ever, any, yet, at all and in years need a licensor that c-commands them",
    "Ladusaw 1979; Warstadt et al. 2020, NPI licensing",
)
def negative_polarity(g: Grammar) -> Pair:
    kind = g.draw.below(8)
    noun = g.noun("person")
    if kind < 3:
        positive = g.draw.pick(POSITIVE)
        plural = g.draw.chance(0.6)
        if plural:
            licensor = g.draw.pick(("no", "no", "few", "none of the", "hardly any"))
            bad_det = positive if licensor != "none of the" else f"{positive} of the"
            if positive in ("those", "these"):
                bad_det = positive
            head = noun.plural
        else:
            licensor, bad_det = "no", g.draw.pick(("the", "a", "every", "this", "that", "each"))
            head = noun.singular
        agr = PLURAL if plural and licensor != "none of the" else SINGULAR
        if licensor == "none of the":
            # `none of the boys has` or `have` is disputed: only tenses that do not agree.
            item = polar_predicate(g, agr, agreeing=False)
        else:
            item = polar_predicate(g, agr)
        bad = say(bad_det, head, item)
        if bad_det == "a":
            bad = say(g.article(head), item)
        return g.frame(say(licensor, head, item), bad, suffix=False, share=0.25, tense="present")
    if kind == 3:
        name = g.known_person()
        item = polar_predicate(g, SINGULAR)
        focus = g.draw.pick(("even", "also", "probably"))
        if focus == "also" and name.text[0].islower():
            focus = "even"
        if focus != "even":
            focus = "even"
        return say("only", name.text, item), say(focus, name.text, item)
    if kind == 4:
        # The licensor is there, but inside the relative clause, where it commands nothing.
        verb = g.verb("transitive", "person", "strict", without=("stative",))
        item = polar_predicate(g, SINGULAR)
        other = g.noun("person")
        the = g.draw.pick(("the", "the", "this", "my"))
        return (
            say("no", noun.singular, "that", the, other.singular, verb.past, item),
            say(the, noun.singular, "that no", other.singular, verb.past, item),
        )
    person = g.person(rich=0.1)
    if kind == 5:
        # Adversative and interrogative predicates license, factive and assertive ones do not.
        subject = g.known_person(g.number())
        licensing = g.draw.pick((("doubt", "doubts"), ("deny", "denies")))
        asserting = g.draw.pick((("know", "knows"), ("think", "thinks"), ("claim", "claims")))
        verbs = [v[1] if subject.singular else v[0] for v in (licensing, asserting)]
        item = polar_predicate(g, person.agr)
        return (
            say(subject.text, verbs[0], "that", person.text, item),
            say(subject.text, verbs[1], "that", person.text, item),
        )
    if kind == 6:
        subject = g.known_person(g.number())
        item = polar_predicate(g, person.agr)
        asks = "wonders" if subject.singular else "wonder"
        states = g.verb("only_that").present(subject.agr)
        return (
            say(subject.text, asks, "whether", person.text, item),
            say(subject.text, states, "that", person.text, item),
        )
    # Sentential negation against a positive adverb in the same place.
    adverb = g.draw.pick(("probably", "certainly", "already", "recently", "clearly"))
    tense = g.draw.pick(("perfect", "pluperfect", "perfect"))
    ending = g.draw.pick(("any", "any", "yet", "at all", "in years", "anyone"))
    if ending == "any":
        verb = g.action(without=("person", "stative"))
        p = g.predicate(verb, person.agr, tense=tense, obj=some_any(g, verb), timed=0)
    elif ending == "anyone":
        verb = g.verb("transitive", "person", "strict", without=("stative",))
        p = g.predicate(verb, person.agr, tense=tense, obj=Phrase("anyone"), timed=0)
    elif ending == "in years":
        verb = g.action(without=("stative", "once"))
        p = g.predicate(verb, person.agr, tense=tense, timed=0)
    else:
        p = g.predicate(g.verb("intransitive"), person.agr, tense=tense, timed=0)
    tail = ending if ending in ("yet", "at all", "in years") else ""
    if ending in ("yet", "in years") and adverb in ("already", "recently"):
        adverb = "certainly"
    return g.frame(
        say(person.text, p.aux, "not", p.form, p.object_text, tail),
        say(person.text, p.aux, adverb, p.form, p.object_text, tail),
        suffix=False,
        share=0.25,
        tense=tense,
    )


def some_any(g: Grammar, verb: Verb) -> Phrase:
    """Return `any` with a plural or mass noun that the verb selects."""
    category = g.draw.pick(tuple(c for c in verb.objects if c not in ("person", "opening")))
    if g.lexicon.nouns[category]:
        return Phrase(f"any {g.noun(category).plural}", PLURAL)
    return Phrase(f"any {g.noun(f'{category}_mass').singular}")


def polar_predicate(g: Grammar, agr: str, *, agreeing: bool = True) -> str:
    """Return a predicate with a polarity item that the subject, or what is above it, licenses."""
    kind = g.draw.below(4)
    have = HAVE[agr] if agreeing else "had"
    if kind == 0 or (kind == 1 and not agreeing):
        verb = g.any_verb() if g.draw.chance(0.5) else g.action(without=("stative", "once"))
        while "stative" in verb.flags:
            verb = g.any_verb()
        obj = g.object_of(verb, rich=0.1) if verb.objects else Phrase("")
        return say(have, "ever", verb.participle, obj.text)
    if kind == 1:
        verb = g.action(without=("stative", "once"))
        return say(have, verb.participle, g.object_of(verb, rich=0.1).text, "in years")
    if kind == 2:
        verb = g.action(without=("person", "stative", "opening"))
        tail = g.time("past") if g.draw.chance(0.4) else ""
        return say(verb.past, some_any(g, verb).text, tail)
    if g.draw.chance(0.5):
        verb = g.verb("transitive", "person", "strict", without=("stative",))
        tail = g.time("past") if g.draw.chance(0.4) else ""
        return say(verb.past, "anyone", tail)
    return say(g.verb("intransitive").past, "at all")


@phenomenon(
    "existential-there",
    "there needs a weak noun phrase, and a verb of existence or appearance",
    "Milsark 1974; Warstadt et al. 2020, quantifiers and existential there",
)
def existential_there(g: Grammar) -> Pair:
    plural = g.draw.chance(0.5)
    past = g.draw.chance(0.5)
    noun = g.noun("person")
    head = noun.plural if plural else noun.singular
    if g.draw.chance(0.35):
        head = say(g.adjective("person"), head)
    weak = g.draw.pick(("some", "several", "two", "three", "many", "no")) if plural else "a"
    strong = "most" if plural else g.draw.pick(("every", "each"))
    weak_np = g.article(head) if weak == "a" else say(weak, head)
    agr = PLURAL if plural else SINGULAR
    be = (BE_PAST if past else BE_PRESENT)[agr]
    where = g.word("site")
    tail = g.time("past") if past and g.draw.chance(0.35) else ""
    kind = g.draw.below(5)
    if kind == 0:
        return g.frame(
            say(strong, head, be, where, tail),
            say("there", be, strong, head, where, tail),
            tense="past" if past else "present",
        )
    if kind < 3:
        perfect = g.draw.chance(0.25)
        verb = say(HAVE[agr] if not past else "had", "been") if perfect else be
        if g.draw.chance(0.2):
            asked = be
            return (
                say(asked, "there", weak_np, where, tail) + "?",
                say(asked, "there", strong, head, where, tail) + "?",
            )
        return g.frame(
            say("there", verb, weak_np, where, "" if perfect else tail),
            say("there", verb, strong, head, where, "" if perfect else tail),
            tense="past" if past else "present",
        )
    appear = g.draw.pick(("appeared", "arrived", "emerged"))
    if kind == 3:
        laugh = g.verb("intransitive", "strict", without=("unaccusative",)).past
        if weak == "no":
            weak_np = say("several", head)
        where = "" if appear == "arrived" else where
        return g.frame(say("there", appear, weak_np, where), say("there", laugh, weak_np, where))
    verb = g.verb("transitive", "strict", without=("stative",))
    obj = g.object_of(verb, rich=0.1)
    gerund = say(verb.gerund, obj.text)
    return g.frame(
        say("there", be, weak_np, gerund),
        say("there", verb.past, weak_np, obj.text),
        tense="past",
    )


# -- argument structure --------------------------------------------------------------------------


@phenomenon(
    "transitivity",
    "a verb takes an object, or none, as it selects; only some verbs alternate",
    "Levin 1993; Warstadt et al. 2020, argument structure",
)
def transitivity(g: Grammar) -> Pair:
    kind = g.draw.below(4)
    subject = g.person(rich=0.15)
    among = ("past", "past", "past", "future", "perfect", "pluperfect")
    if kind == 0:
        # Not with texts, shows and drinks: one can sob a story, or cough water.
        verb = g.action(without=("stative", "text", "show", "drink"))
        p = g.predicate(verb, subject.agr, among=among)
        wrong = g.verb("intransitive", "strict")
        q = g.predicate(wrong, subject.agr, tense=p.tense, timed=0)
        aux = p.aux
        bad = say(subject.text, aux, q.form, p.rest)
        return g.frame(say(subject.text, aux, p.form, p.rest), bad, tense=p.tense)
    if kind == 1:
        verb = g.action("strict", without=("stative",))
        p = g.predicate(verb, subject.agr, among=among, timed=0.7)
        if not p.tail and p.tense == "past":
            p = g.predicate(verb, subject.agr, tense="past", timed=1.0)
        if g.draw.chance(0.5):
            good = say(subject.text, p.text)
        else:
            other = g.predicate(g.verb("intransitive"), subject.agr, tense=p.tense, timed=0)
            good = say(subject.text, p.aux, other.form, p.tail)
        return g.frame(good, say(subject.text, p.group, p.tail), tense=p.tense)
    if kind == 2:
        verb = g.verb("inchoative")
        thing = g.thing(verb.subjects)
        p = g.predicate(verb, thing.agr, among=("past", "past", "pluperfect"), timed=0.6)
        matching = g.action("strict", without=("stative", "person"))
        q = g.predicate(matching, thing.agr, tense=p.tense, timed=0, obj=Phrase(""))
        return g.frame(
            say(thing.text, p.text), say(thing.text, p.aux, q.form, p.tail), tense=p.tense
        )
    # Verbs of motion and appearance have no causative use.
    transitive, intransitive, categories = g.draw.pick(CAUSATIVES)
    tail = g.time("past") if g.draw.chance(0.5) else ""
    obj = g.thing(categories).text
    good, bad = transitive, intransitive
    if g.draw.chance(0.25):
        subject_text = say(subject.text, "had")
        good, bad = PARTICIPLES.get(good, good), PARTICIPLES.get(bad, bad)
        tail = ""
    else:
        subject_text = subject.text
    return g.frame(say(subject_text, good, obj, tail), say(subject_text, bad, obj, tail))


CAUSATIVES = (
    ("dropped", "fell", ("fragile", "tool")),
    ("raised", "rose", ("tool", "container")),
    ("delivered", "arrived", ("container", "furniture", "machine")),
    ("brought", "came", ("food", "tool", "container")),
    ("displayed", "appeared", ("artwork",)),
    ("removed", "vanished", ("furniture", "artwork", "tool")),
    ("hid", "disappeared", ("tool", "text", "clothing")),
    ("showed us", "appeared us", ("artwork", "text")),
    ("trimmed", "bloomed", ("plant",)),
    ("killed", "died", ("plant",)),
    ("built", "existed", ("building",)),
)
PARTICIPLES = {
    "fell": "fallen",
    "rose": "risen",
    "came": "come",
    "hid": "hidden",
    "showed us": "shown us",
}


@phenomenon(
    "argument-alternation",
    "how a verb with two complements may realise them: dative, locative and removal frames",
    "Levin 1993, sections 2.1 to 2.3; Pinker 1989",
)
def argument_alternation(g: Grammar) -> Pair:
    subject = g.person(rich=0.15)
    kind = g.draw.below(5)
    tail = g.time("past") if g.draw.chance(0.4) else ""
    group = g.draw.pick(("@", "@", "@", "had @", "will @", "has @"))
    if group == "has @":
        group = f"{HAVE[subject.agr]} @"
    form = {"@": 2, "will @": 0}.get(group, 3)
    if group != "@":
        tail = ""
    tense = "past" if group in ("@", "had @") else "present"

    def forms(verb: Verb) -> str:
        shape = (verb.base, verb.third, verb.past, verb.participle)[form]
        return group.replace("@", shape)

    if kind < 2:
        verb = g.verb("to_only")
        theme = g.thing(("matter",), rich=0.2).text
        goal = g.person(names=True, rich=0.1).text
        if g.draw.chance(0.4):
            giving = g.verb("dative")
            theme = g.thing(("text", "artwork", "tool"), rich=0.1).text
            return g.frame(
                say(subject.text, forms(giving), goal, theme, tail),
                say(subject.text, forms(verb), goal, theme, tail),
                tense=tense,
            )
        return g.frame(
            say(subject.text, forms(verb), theme, "to", goal, tail),
            say(subject.text, forms(verb), goal, theme, tail),
            tense=tense,
        )
    if kind == 2:
        liquid = g.noun("drink_mass").singular
        cold = g.draw.pick(("", "", "cold ", "hot ", "fresh "))
        vessel = "the " + g.draw.pick(
            ("glass", "cup", "bowl", "bottle", "bucket", "teapot", "pitcher", "jug", "mug", "vase")
        )
        fill, pour = Verb("fill", "fills", "filled", "filled", "filling"), g.verb("pour")
        good_fill = say(subject.text, forms(fill), vessel, f"with {cold}{liquid}", tail)
        good_pour = say(subject.text, forms(pour), f"the {cold}{liquid} into", vessel, tail)
        if g.draw.chance(0.5):
            bad = say(subject.text, forms(fill), f"the {cold}{liquid} into", vessel, tail)
            return g.frame(good_pour, bad, tense=tense)
        bad = say(subject.text, forms(pour), vessel, f"with {cold}{liquid}", tail)
        return g.frame(good_fill, bad, tense=tense)
    if kind == 3:
        victim = g.role(rich=0.15).text
        rob = Verb("rob", "robs", "robbed", "robbed", "robbing")
        steal = Verb("steal", "steals", "stole", "stolen", "stealing")
        loot = g.thing(("clothing", "artwork", "machine", "tool"), rich=0.1).text
        if g.draw.chance(0.5):
            return g.frame(
                say(subject.text, forms(steal), loot, "from", victim, tail),
                say(subject.text, forms(rob), loot, "from", victim, tail),
                tense=tense,
            )
        loot = loot if loot.split()[0] not in ("a", "an", "some") else say("all the", "money")
        return g.frame(
            say(subject.text, forms(rob), victim, "of", loot, tail),
            say(subject.text, forms(steal), victim, "of", loot, tail),
            tense=tense,
        )
    put = Verb("put", "puts", "put", "put", "putting")
    theme = g.thing(("tool", "text", "clothing", "fragile"), rich=0.15).text
    goal = say(g.draw.pick(("on", "under", "next to", "behind")), g.definite(("furniture",)).text)
    if g.draw.chance(0.5):
        return g.frame(
            say(subject.text, forms(put), theme, goal, tail),
            say(subject.text, forms(put), theme, tail),
            tense=tense,
        )
    keep = g.verb("getting")
    return g.frame(
        say(subject.text, forms(keep), theme, tail),
        say(subject.text, forms(put), theme, tail),
        tense=tense,
    )


@phenomenon(
    "complement-selection",
    "a verb selects the form of its clausal complement: gerund, infinitive, that, whether",
    "Warstadt et al. 2019 (CoLA), complement clauses; Grimshaw 1979",
)
def complement_selection(g: Grammar) -> Pair:
    subject = g.person(rich=0.15)
    kind = g.draw.below(6)
    past = g.draw.chance(0.7)
    tense = "past" if past else "present"

    def finite(verb: Verb) -> str:
        return verb.past if past else verb.present(subject.agr)

    if kind < 3:
        # With an object: a gerund alone may be a noun (`they promised dancing`).
        verb = g.action(without=("stative", "unplanned"))
        obj = g.object_of(verb, rich=0.2).text
        gerund, infinitive = g.verb("gerund"), g.verb("infinitive")
        if kind == 0:
            return g.frame(
                say(subject.text, finite(gerund), verb.gerund, obj),
                say(subject.text, finite(gerund), "to", verb.base, obj),
                tense=tense,
            )
        if kind == 1:
            return g.frame(
                say(subject.text, finite(infinitive), "to", verb.base, obj),
                say(subject.text, finite(infinitive), verb.gerund, obj),
                tense=tense,
            )
        if g.draw.chance(0.5):
            return g.frame(
                say(subject.text, finite(gerund), verb.gerund, obj),
                say(subject.text, finite(infinitive), verb.gerund, obj),
                tense=tense,
            )
        return g.frame(
            say(subject.text, finite(infinitive), "to", verb.base, obj),
            say(subject.text, finite(gerund), "to", verb.base, obj),
            tense=tense,
        )
    inner = g.clause(
        among=("past", "past", "pluperfect") if past else ("past", "perfect", "future")
    )
    if kind == 3:
        verb = g.verb("only_that")
        return (
            say(subject.text, finite(verb), "that", inner.text),
            say(subject.text, finite(verb), "whether", inner.text),
        )
    if kind == 4:
        verb = g.verb("only_whether")
        return (
            say(subject.text, finite(verb), "whether", inner.text),
            say(subject.text, finite(verb), "that", inner.text),
        )
    # Singular: `persuaded the boys help` and `… that help` have finite readings.
    other = g.person(SINGULAR, rich=0.1)
    verb = g.deed()
    obj = g.object_of(verb, rich=0.2).text if verb.objects else ""
    if g.draw.chance(0.5):
        cause = g.verb("object_infinitive")
        return g.frame(
            say(subject.text, finite(cause), other.text, "to", verb.base, obj),
            say(subject.text, finite(cause), other.text, verb.base, obj),
            tense=tense,
        )
    cause = g.verb("bare_infinitive")
    return g.frame(
        say(subject.text, cause.past, other.text, verb.base, obj),
        say(subject.text, cause.past, other.text, "to", verb.base, obj),
        tense="past",
    )


@phenomenon(
    "passive",
    "only verbs with an object have a passive, which takes be + participle and loses the object",
    "Warstadt et al. 2020, argument structure (passives); Perlmutter 1978",
)
def passive(g: Grammar) -> Pair:
    agent = g.person(rich=0.15)
    kind = g.draw.pick((0, 0, 0, 1, 2, 2, 2, 3, 3, 3))
    past = g.draw.chance(0.75)
    tail = g.time("past") if past and g.draw.chance(0.35) else ""
    tense = "past" if past else "present"
    if kind == 0:
        patient = g.person(rich=0.15)
        verb = g.verb("transitive", "person", "strict", without=("stative",))
        wrong = g.verb("intransitive", "strict")
        be = (BE_PAST if past else BE_PRESENT)[patient.agr]
        if not past:
            be = say(HAVE[patient.agr], "been")
        return g.frame(
            say(patient.text, be, verb.participle, "by", agent.text, tail),
            say(patient.text, be, wrong.participle, "by", agent.text, tail),
            tense=tense,
        )
    if kind == 1:
        patient = g.person(rich=0.15)
        be = (BE_PAST if past else BE_PRESENT)[patient.agr]
        resemble = Verb("resemble", "resembles", "resembled", "resembled", "resembling")
        verb = g.verb("transitive", "person", "strict", without=("resemble", "once"))
        if g.draw.chance(0.5):
            active = resemble.past if past else resemble.present(agent.agr)
            good = say(agent.text, active, patient.text)
        else:
            while verb.base == "resemble":
                verb = g.verb("transitive", "person", "strict", without=("once",))
            good = say(patient.text, be, verb.participle, "by", agent.text)
        return g.frame(good, say(patient.text, be, "resembled by", agent.text), tense=tense)
    # Things that can neither do it themselves nor be given something by it.
    verb = g.action(without=("stative", "person", "animal", "ergative", "drink", "benefactive"))
    patient = g.thing(verb.objects, rich=0.15)
    be = (BE_PAST if past else BE_PRESENT)[patient.agr]
    if kind == 2:
        # The passive has no place for the object that became its subject.
        extra = g.definite(verb.objects).text
        if not past:
            be = say(HAVE[patient.agr], "been")
        return g.frame(
            say(patient.text, be, verb.participle, "by", agent.text, tail),
            say(patient.text, be, verb.participle, extra, "by", agent.text, tail),
            tense=tense,
        )
    have = "had" if past else HAVE[patient.agr]
    be_now = (BE_PAST if past else BE_PRESENT)[patient.agr]
    right, wrong = g.draw.pick(
        (
            (f"{be_now} {verb.participle}", f"{be_now} {verb.gerund}"),
            (f"{have} been {verb.participle}", f"{have} {verb.participle}"),
            (f"{be_now} being {verb.participle}", f"{be_now} been {verb.participle}"),
            (f"{have} been {verb.participle}", f"{have} being {verb.participle}"),
            (f"will be {verb.participle}", f"will {verb.participle}"),
            (f"should be {verb.participle}", f"should {verb.gerund}"),
            (f"must be {verb.participle}", f"must being {verb.participle}"),
        )
    )
    return g.frame(
        say(patient.text, right, "by", agent.text),
        say(patient.text, wrong, "by", agent.text),
        tense=tense,
    )


# -- verb and pronoun forms ----------------------------------------------------------------------


@phenomenon(
    "verb-form",
    "an auxiliary selects the form of the verb after it; irregular past and participle differ",
    "Warstadt et al. 2020, irregular forms; Chomsky 1957 (auxiliaries)",
)
def verb_form(g: Grammar) -> Pair:
    subject = g.person(rich=0.2, pronouns=True)
    agr = subject.agr
    irregular = g.draw.chance(0.4)
    verb = g.action("irregular") if irregular else g.action(without=("stative",))
    obj = g.object_of(verb, rich=0.2).text
    kind = g.draw.below(5)
    middle = g.draw.pick(("", "", "", "already", "finally", "just", "probably"))
    if kind == 0 and irregular:
        tail = g.time("past") if g.draw.chance(0.5) else ""
        return g.frame(
            say(subject.text, verb.past, obj, tail), say(subject.text, verb.participle, obj, tail)
        )
    if kind < 2:
        have = g.draw.pick((HAVE[agr], "had"))
        wrong = verb.past if irregular and g.draw.chance(0.6) else None
        wrong = wrong or g.draw.pick((verb.base, verb.gerund, verb.third))
        right, tense = verb.participle, "past" if have == "had" else "perfect"
        aux = have
    elif kind == 2:
        aux = g.draw.pick(("will", "can", "should", "must", "might", "could"))
        middle = g.draw.pick(("", "", "", "probably", "not", "never", "soon"))
        right, tense = verb.base, "future"
        wrong = g.draw.pick((verb.third, verb.past, verb.gerund, f"to {verb.base}"))
    elif kind == 3:
        past = g.draw.chance(0.5)
        aux = (BE_PAST if past else BE_PRESENT)[agr]
        middle = g.draw.pick(("", "", "not", "still", "probably"))
        right, tense = verb.gerund, "past" if past else "present"
        wrong = g.draw.pick((verb.base, verb.third))
    else:
        past = g.draw.chance(0.7)
        aux, middle = ("did" if past else DO[agr]), "not"
        right, tense = verb.base, "past" if past else "present"
        wrong = g.draw.pick((verb.past, verb.third, verb.gerund))
        if not past and "once" in verb.flags:
            aux, tense = "did", "past"
    if g.draw.chance(0.2):
        middle = "" if middle in ("not", "just", "soon") else middle
        return (
            say(aux, subject.text, middle, right, obj) + "?",
            say(aux, subject.text, middle, wrong, obj) + "?",
        )
    return g.frame(
        say(subject.text, aux, middle, right, obj),
        say(subject.text, aux, middle, wrong, obj),
        tense=tense,
    )


@phenomenon(
    "pronoun-case",
    "subjects of finite clauses are nominative, all other arguments accusative",
    "Chomsky 1981 (Case Theory); Warstadt et al. 2019 (CoLA)",
)
def pronoun_case(g: Grammar) -> Pair:
    nominative, accusative, _, _ = g.pronoun()
    agr = {"I": "1", "he": SINGULAR, "she": SINGULAR}.get(nominative, PLURAL)
    kind = g.draw.below(6)
    if kind < 2:
        clause = g.clause(g.any_verb(), subject=Phrase(nominative, agr), rich=0.25)
        rest = clause.predicate.text
        if kind == 0 and g.draw.chance(0.5):
            after = g.draw.pick(("because", "although", "before", "after"))
            main = g.clause(g.event(), tense="past", timed=0.0).text
            rest = g.clause(
                g.event(), subject=Phrase(nominative, agr), tense="past", timed=0.0
            ).predicate.text
            return say(main, after, nominative, rest), say(main, after, accusative, rest)
        return g.frame(
            say(nominative, rest), say(accusative, rest), tense=clause.predicate.tense, share=0.6
        )
    subject = g.person(rich=0.2)
    if kind == 2:
        verb = g.verb("transitive", "person", without=("stative",))
        p = g.predicate(verb, subject.agr, obj=Phrase("@"))
        sentence, tense = say(subject.text, p.text), p.tense
    elif kind == 3:
        verb = g.verb("getting")
        p = g.predicate(verb, subject.agr, tense="past", obj=g.thing(GIFTS), timed=0)
        tail = g.time("past") if g.draw.chance(0.4) else ""
        sentence, tense = say(subject.text, p.text, "for @", tail), "past"
    elif kind == 4:
        verb = g.verb("object_infinitive")
        inner = g.event()
        obj = g.object_of(inner).text if inner.objects else ""
        sentence, tense = say(subject.text, verb.past, "@ to", inner.base, obj), "past"
    else:
        patient = g.thing(("vehicle", "machine", "building", "artwork", "text"))
        verb = g.verb_for(patient, "strict")
        be = BE_PAST[patient.agr]
        tail = g.time("past") if g.draw.chance(0.4) else ""
        sentence, tense = say(patient.text, be, verb.participle, "by @", tail), "past"
    return g.frame(
        sentence.replace("@", accusative), sentence.replace("@", nominative), tense=tense
    )


@phenomenon(
    "tense-adverbial",
    "an adverbial of time agrees with the tense of its clause, at any distance",
    "Klein 1992 (present perfect puzzle); Comrie 1985",
)
def tense_adverbial(g: Grammar) -> Pair:
    past_time = g.draw.pick(
        ("yesterday", "last week", "last year", "two days ago", "an hour ago", "last Monday")
    )
    future_time = g.draw.pick(
        ("tomorrow", "next week", "next year", "tomorrow morning", "next Monday", "in two days")
    )
    subject = g.person(rich=0.2)
    verb = g.any_verb()
    while "stative" in verb.flags:
        verb = g.any_verb()
    obj = g.object_of(verb, rich=0.3).text if verb.objects else ""
    kind = g.draw.below(4)
    have = HAVE[subject.agr]
    if kind == 0:
        right, wrong, time = verb.past, f"will {verb.base}", past_time
    elif kind == 1:
        right, wrong, time = f"will {verb.base}", verb.past, future_time
    elif kind == 2:
        right, wrong, time = verb.past, f"{have} {verb.participle}", past_time
    else:
        right, time = f"will {verb.base}", future_time
        wrong = f"{have} {verb.participle}"
    tense = "past" if time == past_time else "present"
    style = g.draw.below(4)
    if style == 0 and kind > 0:
        good, bad = say(subject.text, right, obj, time), say(subject.text, wrong, obj, time)
        return g.frame(good, bad, suffix=False, share=0.25, tense="present")
    if style == 1:
        # The same words; the adverbial is what is wrong.
        other = future_time if time == past_time else past_time
        return say(subject.text, right, obj, time), say(subject.text, right, obj, other)
    before = time[0].upper() + time[1:]
    good, bad = (
        say(f"{before},", subject.text, right, obj),
        say(f"{before},", subject.text, wrong, obj),
    )
    return g.frame(good, bad, suffix=True, share=0.0, tense=tense)


# -- degree, coordination, ellipsis --------------------------------------------------------------


@phenomenon(
    "comparative",
    "forms of comparison and the particles and clauses that they select",
    "Bresnan 1973; Warstadt et al. 2019 (CoLA)",
)
def comparative(g: Grammar) -> Pair:
    subject, other = g.person(rich=0.1), g.known_person(g.number())
    past = g.draw.chance(0.4)
    be = (BE_PAST if past else BE_PRESENT)[subject.agr]
    index = g.draw.below(len(g.lexicon.words["short_adjective"]))
    plain, more, most = (
        g.lexicon.words[name][index] for name in ("short_adjective", "comparative", "superlative")
    )
    long = g.word("periphrastic")
    much = g.draw.pick(("", "", "much", "far", "even"))
    tense = "past" if past else "present"
    kind = g.draw.below(7)
    if kind == 0:
        good = say(subject.text, be, much, more, "than", other.text)
        bad = say(subject.text, be, much, g.draw.pick((f"more {more}", most)), "than", other.text)
        if g.draw.chance(0.3):
            bad = say(subject.text, be, "very", more, "than", other.text)
    elif kind == 1:
        adjective = g.draw.pick((plain, long))
        good = say(subject.text, be, "as", adjective, "as", other.text)
        wrong = g.draw.pick((f"as {adjective} than", f"as {more} as", f"more {long} as"))
        bad = say(subject.text, be, wrong, other.text)
    elif kind == 2:
        good = say(subject.text, be, much, "more", long, "than", other.text)
        wrong = g.draw.pick(("as", "that", "than than"))
        wrong = "as" if wrong == "than than" else wrong
        bad = say(subject.text, be, much, "more", long, wrong, other.text)
    elif kind == 3:
        people = g.noun("person").plural
        be = BE_PAST[SINGULAR] if past else BE_PRESENT[SINGULAR]
        start = say(g.known_person().text, be, "one of the")
        where = g.draw.pick(("in the city", "in the village", "in the country"))
        good, bad = say(start, most, people, where), say(start, "most", most, people, where)
    elif kind == 4:
        # A comparative clause contains the gap of what is compared.
        verb = g.action(without=("person", "stative", "drink", "opening"))
        category = g.draw.pick(verb.objects)
        things = g.noun(category).plural
        second = g.noun(category).plural
        good = say(subject.text, verb.past, "more", things, "than", other.text, verb.past)
        number = g.draw.pick(("many", "several", "three", "some"))
        bad = say(good, number, second)
        past, tense = True, "past"
    elif kind == 5:
        so, such = g.draw.chance(0.5), g.noun("person")
        result = g.short_clause("past")
        name = g.known_person().text
        if so:
            good, wrong = "so", "such"
            return (
                say(name, "was", good, long, "that", result),
                say(name, "was", wrong, long, "that", result),
            )
        return (
            say(name, "was such", g.article(say(long, such.singular)), "that", result),
            say(name, "was so", g.article(say(long, such.singular)), "that", result),
        )
    else:
        verb = g.deed()
        obj = g.object_of(verb).text if verb.objects else ""
        good = say(subject.text, be, "too", plain, "to", verb.base, obj)
        bad = say(subject.text, be, "too", plain, "that", verb.base, obj)
        if g.draw.chance(0.5):
            good = say(subject.text, be, plain, "enough to", verb.base, obj)
            bad = say(subject.text, be, "enough", plain, "to", verb.base, obj)
    return g.frame(good, bad, tense=tense)


@phenomenon(
    "correlative",
    "both, either and neither pair with and, or, nor, across whole phrases",
    "Huddleston and Pullum 2002, chapter 15",
)
def correlative(g: Grammar) -> Pair:
    pairs = {"both": ("and", ("or", "nor")), "either": ("or", ("and", "nor"))}
    pairs["neither"] = ("nor", ("and",))
    opener = g.draw.pick(tuple(pairs))
    right, wrongs = pairs[opener]
    wrong = g.draw.pick(wrongs)
    kind = g.draw.below(3)
    if kind == 0:
        first, second = g.person(SINGULAR, rich=0.3), g.person(SINGULAR, rich=0.3)
        p = g.predicate(g.any_verb(), PLURAL, among=("past", "past", "future", "modal"))
        sentence = say(opener, first.text, "@", second.text, p.text)
        return g.frame(sentence.replace("@", right), sentence.replace("@", wrong), tense=p.tense)
    # Singulars: `both the hats` and `the boys both …` leave the conjunction free.
    subject = g.person(SINGULAR, rich=0.2)
    if kind == 1:
        verb = g.action(without=("stative",))
        first, second = (g.object_of(verb, SINGULAR, rich=0.3) for _ in range(2))
        p = g.predicate(
            verb, subject.agr, among=("past", "past", "future", "modal"), obj=Phrase("@")
        )
        conjuncts = say(opener, first.text, "@@", second.text)
        sentence = say(subject.text, p.group, conjuncts, p.tail)
        tense = p.tense
    else:
        first, second = g.event(), g.event()
        while first.base == second.base:
            second = g.event()
        texts = [
            say(verb.past, g.object_of(verb, rich=0.2).text if verb.objects else "")
            for verb in (first, second)
        ]
        sentence, tense = say(subject.text, opener, texts[0], "@@", texts[1]), "past"
    return g.frame(sentence.replace("@@", right), sentence.replace("@@", wrong), tense=tense)


# `a red` and `an antique` are noun phrases already.
ADJECTIVES_ALSO_NOUNS = (
    *("antique", "red", "blue", "green", "white", "black", "yellow", "gray", "brown", "short"),
    "modern",
)


@phenomenon(
    "ellipsis",
    "what may be left out: verb phrases after a matching auxiliary, gapping in coordination only",
    "Hankamer and Sag 1976; Jackendoff 1971 (gapping); Warstadt et al. 2020, ellipsis",
)
def ellipsis(g: Grammar) -> Pair:
    first, second = g.person(rich=0.1), g.person(rich=0.1)
    kind = g.draw.below(6)
    if kind < 2:
        # A form of be stands for no lexical verb, and do for no adjective.
        past = g.draw.chance(0.7)
        be = (BE_PAST if past else BE_PRESENT)[second.agr]
        do = "did" if past else DO[second.agr]
        if g.draw.chance(0.6):
            verb = g.event()
            p = g.predicate(verb, first.agr, tense="past" if past else "present", timed=0.3)
            main, right, wrong = say(first.text, p.text), do, be
        else:
            first_be = (BE_PAST if past else BE_PRESENT)[first.agr]
            degree = g.draw.pick(("", "very", "rather"))
            main = say(first.text, first_be, degree, g.adjective("person"))
            right, wrong = be, do
        start, end = (", and", "too") if kind == 0 else (", but", "not")
        return (
            say(f"{main}{start}", second.text, right, end),
            say(f"{main}{start}", second.text, wrong, end),
        )
    if kind == 2:
        # Polarity: too after a positive, either after a negative clause.
        p = g.predicate(g.event(), first.agr, tense=g.draw.pick(("past", "future")), timed=0.2)
        op = "did" if p.tense == "past" else "will"
        negated = say(first.text, op, "not", p.remnant, p.rest)
        if g.draw.chance(0.5):
            return (
                say(f"{negated}, and", second.text, op, "not either"),
                say(f"{negated}, and", second.text, op, "either"),
            )
        return (
            say(f"{negated}, and neither", op, second.text),
            say(f"{negated}, and neither", second.text, op),
        )
    if kind == 3:
        verb = g.action(without=("stative", "person"))
        a, b = g.thing(verb.objects, rich=0.1).text, g.thing(verb.objects, rich=0.1).text
        first, second = g.known_person(), g.known_person()
        tail = ""
        conjunction = g.draw.pick(("because", "although", "while", "before", "after"))
        good = say(f"{first.text} {verb.past} {a}, and", second.text, b, tail)
        bad = say(first.text, verb.past, a, conjunction, second.text, b, tail)
        return good, bad
    if kind == 4:
        verb = g.action(without=("stative", "person", "drink", "opening"))
        category = g.draw.pick(verb.objects)
        noun = g.noun(category).singular
        one, other = g.draw.two(
            tuple(a for a in g.lexicon.adjectives[category] if a not in ADJECTIVES_ALSO_NOUNS)
        )
        first, second = g.known_person(), g.known_person()
        start = say(first.text, verb.past, g.article(say(one, noun)))
        rest = say(second.text, verb.past, g.article(other))
        return say(f"{start}, and", rest, "one"), say(f"{start}, and", rest)
    # A verb phrase can be left out after to, not after the verb that selects it.
    verb = g.deed()
    obj = g.object_of(verb).text if verb.objects else ""
    chooser = g.draw.pick(("wanted", "wanted", "needed", "intended"))
    start = say(f"{first.text} {chooser} to {verb.base}", obj)
    return say(f"{start}, and", second.text, chooser, "to too"), say(
        f"{start}, and", second.text, chooser, "too"
    )


# -- word order ----------------------------------------------------------------------------------


@phenomenon(
    "word-order",
    "the order of subject, verb, object, adverb, negation, determiner and adjective",
    "Warstadt et al. 2019 (CoLA); Pollock 1989 (verb and adverb)",
)
def word_order(g: Grammar) -> Pair:
    subject = g.person(rich=0.15)
    verb = g.action(without=("stative", "unplanned"))
    kind = g.draw.below(8)
    if kind == 0:
        tense = g.draw.pick(("past", "past", "pluperfect", "future"))
        p = g.predicate(verb, subject.agr, tense=tense, obj=g.definite_object(verb), timed=0.3)
        adverb = g.word("manner")
        start = say(subject.text, p.group)
        return g.frame(
            say(subject.text, p.aux, adverb, p.form, p.rest)
            if g.draw.chance(0.6)
            else say(start, p.object_text, adverb, p.tail),
            say(start, adverb, p.rest),
            tense=tense,
        )
    if kind == 1:
        p = g.predicate(verb, subject.agr, among=("past", "future", "modal"))
        return g.frame(
            say(subject.text, p.text),
            say(subject.text, p.aux, p.object_text, p.form, p.tail),
            tense=p.tense,
        )
    if kind == 2:
        # In a subject: after an object, the adjective can be a secondary predicate.
        agr = g.number()
        noun, adjective = g.noun("person"), g.adjective("person")
        head = noun.singular if agr == SINGULAR else noun.plural
        the = g.draw.pick(("the", "the", "my", "our"))
        p = g.predicate(g.any_verb(), agr, among=("past", "past", "future", "perfect"))
        return g.frame(
            say(the, adjective, head, p.text), say(the, head, adjective, p.text), tense=p.tense
        )
    if kind == 3:
        p = g.predicate(
            g.any_verb(), subject.agr, among=("perfect", "future", "modal", "pluperfect")
        )
        return g.frame(
            say(subject.text, p.aux, "not", p.form, p.rest),
            say(subject.text, "not", p.aux, p.form, p.rest),
            tense=p.tense,
        )
    if kind == 4:
        p = g.predicate(g.any_verb(), subject.agr, among=("perfect", "future", "pluperfect"))
        wh = g.draw.pick(("why", "when", "how", "where"))
        wh = "why" if p.tail else wh
        return (
            say(wh, p.aux, subject.text, p.form, p.rest) + "?",
            say(wh, subject.text, p.aux, p.form, p.rest) + "?",
        )
    if kind == 5:
        p = g.predicate(g.event(), subject.agr, tense="past", timed=0.4)
        return g.frame(
            say(subject.text, "did not", p.verb.base, p.rest),
            say(subject.text, "not", p.verb.past, p.rest),
        )
    if kind == 6:
        people = g.noun("person").plural
        quantifier = g.draw.pick(("all", "both"))
        p = g.predicate(g.any_verb(), PLURAL, among=("past", "past", "future", "modal"))
        return g.frame(
            say(quantifier, "the", people, p.text),
            say("the", quantifier, people, p.text),
            tense=p.tense,
        )
    where = g.definite(("building", "furniture", "vehicle"), SINGULAR).text
    near = g.draw.pick(("near", "behind", "in front of", "next to"))
    tail = g.time("past") if g.draw.chance(0.4) else ""
    start = say(subject.text, BE_PAST[subject.agr], g.draw.pick(("waiting", "standing", "sitting")))
    return g.frame(say(start, near, where, tail), say(start, where, near, tail))


@phenomenon(
    "subject-auxiliary-inversion",
    "a question inverts the auxiliary of the main clause, not the nearest one, and copies nothing",
    "Chomsky 1971 (structure dependence); Crain and Nakayama 1987",
    held_out=True,
)
def subject_auxiliary_inversion(g: Grammar) -> Pair:
    head = g.role(g.number(), determiner=g.draw.pick(("the", "the", "your", "our")), rich=0.15)
    inner = g.predicate(
        g.event(),
        head.agr,
        among=("perfect", "pluperfect", "progressive", "past-progressive"),
        timed=0.1,
    )
    outer = g.predicate(
        g.event(), head.agr, among=("perfect", "future", "modal", "progressive"), timed=0.25
    )
    while outer.aux == inner.aux:
        outer = g.predicate(g.event(), head.agr, among=("future", "modal"), timed=0.25)
    wh = g.draw.pick(("", "", "", "why", "when" if outer.aux == "will" else "why"))
    wh = "why" if wh and outer.tail else wh
    relative = say(head.text, "who", inner.text)
    gapped = say(head.text, "who", inner.form, inner.rest)
    good = say(wh, outer.aux, relative, outer.form, outer.rest)
    kind = g.draw.below(3)
    if kind == 0:
        bad = say(wh, inner.aux, gapped, outer.aux, outer.form, outer.rest)
    elif kind == 1:
        bad = say(wh, outer.aux, relative, outer.aux, outer.form, outer.rest)
    else:
        bad = say(wh, inner.aux, relative, outer.aux, outer.form, outer.rest)
    return f"{good}?", f"{bad}?"


# -- filler and gap ------------------------------------------------------------------------------


@phenomenon(
    "filler-gap",
    "a moved question word needs exactly one gap, and a gap needs a moved phrase",
    "Warstadt et al. 2020, filler-gap dependencies; Chomsky 1977",
)
def filler_gap(g: Grammar) -> Pair:
    verb = g.action(without=("stative",))
    strict = g.action("strict", without=("stative",))
    among = ("past", "past", "past", "perfect", "future", "modal")
    kind = g.draw.below(5)
    if kind == 0:
        wh, category = g.wh_of(verb)
        obj = g.definite((category,)) if category != "person" else g.known_person()
        c = g.clause(verb, among=among)
        p = g.predicate(verb, c.subject.agr, tense=c.predicate.tense, obj=obj, timed=0.3)
        c = Clause(c.subject, p)
        return say(wh, c.inverted(gap=True)) + "?", say(wh, c.inverted()) + "?"
    if kind == 1:
        c = g.clause(strict, among=("past", "past", "perfect", "future"), timed=0.3)
        time = g.draw.pick(("when", "why", "where"))
        time = "why" if c.predicate.tail else time
        what = g.question_word(strict)
        if g.draw.chance(0.5):
            return say(what, c.inverted(gap=True)) + "?", say(time, c.inverted(gap=True)) + "?"
        return say(time, c.inverted()) + "?", say(what, c.inverted()) + "?"
    if kind < 4:
        c = g.clause(strict, among=("past", "past", "pluperfect"), timed=0.3)
        knower = g.person(rich=0.1)
        know = g.verb("factive").past
        what = g.question_word(strict)
        start = say(knower.text, know)
        if kind == 2:
            return say(start, "that", c.text), say(start, "that", c.gapped())
        if g.draw.chance(0.5):
            return say(start, what, c.gapped()), say(start, what, c.text)
        return say(start, what, c.gapped()), say(start, "that", c.gapped())
    wh, category = g.wh_of(verb)
    obj = g.definite((category,)) if category != "person" else g.known_person()
    c = g.clause(verb, among=("past", "pluperfect"), timed=0.2)
    p = g.predicate(verb, c.subject.agr, tense=c.predicate.tense, obj=obj, timed=0.2)
    c = Clause(c.subject, p)
    asker, bridge = g.known_person(g.number()), g.verb("bridge")
    start = say(wh, "did", asker.text, bridge.base, "that")
    return say(start, c.gapped()) + "?", say(start, c.text) + "?"


@phenomenon(
    "relative-clause",
    "form of the relative pronoun, one gap in the relative clause, no missing subject pronoun",
    "Keenan and Comrie 1977; Warstadt et al. 2019 (CoLA)",
)
def relative_clause(g: Grammar) -> Pair:
    kind = g.draw.below(5)
    if kind < 2:
        verb = g.action("strict", without=("stative", "person"))
        category = g.draw.pick(verb.objects)
        head = g.phrase(g.noun(category), g.number(), "the", rich=0.0)
        c = g.clause(
            verb, subject=g.person(rich=0.1), among=("past", "past", "pluperfect"), timed=0
        )
        p = g.main_about(head)
        relative = g.draw.pick(("that", "which", ""))
        good = say(head.text, relative, c.gapped(), p)
        if kind == 0:
            # A pronoun or another object stands where the gap must be.
            extra = head.pronoun(1) if g.draw.chance(0.5) else g.definite((category,)).text
            bad = say(head.text, relative or "that", c.gapped(), extra, p)
            good = say(head.text, relative or "that", c.gapped(), p)
        else:
            bad = say(head.text, "who", c.gapped(), p)
            good = say(head.text, relative or "which", c.gapped(), p)
        return good, bad
    head = g.role(g.number(), determiner="the", rich=0.2)
    if kind == 2:
        # The relative pronoun can be left out, except as a subject.
        inner = g.predicate(g.action(without=("stative",)), head.agr, tense="past", timed=0.2)
        p = g.predicate(g.any_verb(), head.agr, among=("past", "future", "perfect"), timed=0.2)
        return (
            say(head.text, g.draw.pick(("who", "that")), inner.text, p.text),
            say(head.text, inner.text, p.text),
        )
    if kind == 3:
        inner = g.predicate(g.action(without=("stative",)), head.agr, tense="past", timed=0.2)
        p = g.predicate(g.any_verb(), head.agr, among=("past", "future", "perfect"), timed=0.2)
        return (
            say(head.text, "who", inner.text, p.text),
            say(head.text, "which", inner.text, p.text),
        )
    place = Phrase(say("the", g.word("dwelling")))
    inhabitant = g.person(rich=0.1)
    act = g.draw.pick(("lived", "stayed", "waited", "slept"))
    p = say(BE_PAST[SINGULAR], g.draw.pick(("very", "rather", "")), g.adjective("place"))
    right, wrong = g.draw.pick((("where", "which"), ("in which", "in that"), ("where", "that")))
    return (
        say(place.text, right, inhabitant.text, act, p),
        say(place.text, wrong, inhabitant.text, act, p),
    )


@phenomenon(
    "that-trace",
    "a subject cannot be extracted after that or whether, an object can",
    "Perlmutter 1971; Chomsky and Lasnik 1977",
    held_out=True,
)
def that_trace(g: Grammar) -> Pair:
    verb = g.action("strict", without=("stative",))
    asker, bridge = g.person(rich=0.1), g.verb("bridge")
    among = ("past", "past", "pluperfect", "future")
    c = g.clause(verb, subject=g.known_person(), among=among, timed=0.0)
    p = g.predicate(verb, SINGULAR, tense=c.predicate.tense, obj=g.definite_object(verb), timed=0)
    tail = g.time("past") if p.tense == "past" and g.draw.chance(0.35) else ""
    start = say("did", asker.text, bridge.base)
    filler = "who"
    if g.draw.chance(0.5):
        filler = say("which", g.noun("person").singular)
    gone = say(p.group, p.object_text, tail)
    kind = g.draw.below(3)
    if kind == 0:
        return say(filler, start, gone) + "?", say(filler, start, "that", gone) + "?"
    if kind == 1 and "person" in verb.objects:
        # The same words: only the place of the gap differs.
        other = g.known_person().text
        return (
            say(filler, start, "that", other, p.group, tail) + "?",
            say(filler, start, "that", p.group, other, tail) + "?",
        )
    what = filler if "person" in verb.objects and len(verb.objects) == 1 else g.wh_of(verb)[0]
    return (
        say(what, start, "that", c.subject.text, p.group, tail) + "?",
        say(filler, start, "that", gone) + "?",
    )


# -- islands -------------------------------------------------------------------------------------


@phenomenon(
    "adjunct-island",
    "nothing can be extracted from an adverbial clause",
    "Huang 1982; Ross 1967; Warstadt et al. 2020, adjunct island",
)
def adjunct_island(g: Grammar) -> Pair:
    outer, inner = g.island_verb(), g.island_verb()
    while set(outer.objects) & set(inner.objects):
        inner = g.island_verb()
    subject = g.human()
    link = g.draw.pick(("before", "after", "because", "while", "although"))
    wh, _ = g.wh_of(outer)
    wh = wh if wh.startswith("which") else say("which", g.noun(g.first_noun(outer)).singular)
    other = g.definite_object(inner).text
    pronoun = subject.pronoun(0)
    style = g.draw.below(5)
    gerund = link in ("before", "after") and g.draw.chance(0.35)

    def adjunct(verb: Verb, obj: str) -> str:
        if gerund:
            return say(link, verb.gerund, obj)
        if link == "while":
            return say(link, pronoun, BE_PAST[subject.agr], verb.gerund, obj)
        return say(link, pronoun, verb.past, obj)

    if style < 3:
        return (
            say(wh, "did", subject.text, outer.base, adjunct(inner, other)) + "?",
            say(wh, "did", subject.text, inner.base, other, adjunct(outer, "")) + "?",
        )
    head = wh.removeprefix("which ")
    this = say(g.draw.pick(("this is the", "that is the", "I remember the")), head, "that")
    return (
        say(this, subject.text, outer.past, adjunct(inner, other)),
        say(this, subject.text, inner.past, other, adjunct(outer, "")),
    )


@phenomenon(
    "wh-island",
    "nothing can be extracted from an embedded question whose subject is questioned",
    "Ross 1967; Chomsky 1973; Warstadt et al. 2020, wh-island",
)
def wh_island(g: Grammar) -> Pair:
    verb = g.action("strict", without=("stative",))
    subject = g.person(rich=0.1)
    what, _ = g.wh_of(verb)
    had = g.draw.pick(("", "had", "had"))
    form = verb.participle if had else verb.past
    ask = g.verb("wonderers")
    asked = g.draw.pick(("who", "who", f"which {g.noun('person').singular}"))
    kind = g.draw.below(3)
    if kind == 0:
        return (
            say(asked, ask.past, what, subject.text, had, form) + "?",
            say(what, "did", subject.text, ask.base, asked, had, form) + "?",
        )
    if kind == 1:
        other = g.known_person(g.number())
        bridge = g.verb("bridge")
        return (
            say(what, "did", subject.text, bridge.base, "that", other.text, had, form) + "?",
            say(what, "did", subject.text, ask.base, asked, had, form) + "?",
        )
    obj = g.definite_object(verb).text
    return (
        say("did", subject.text, ask.base, asked, had, form, obj) + "?",
        say(what, "did", subject.text, ask.base, asked, had, form) + "?",
    )


@phenomenon(
    "complex-np-island",
    "nothing can be extracted from a clause inside a noun phrase",
    "Ross 1967; Warstadt et al. 2020, complex NP island",
    held_out=True,
)
def complex_np_island(g: Grammar) -> Pair:
    verb = g.action("strict", without=("stative",))
    subject, inner = g.person(rich=0.1), g.known_person(g.number())
    what, category = g.wh_of(verb)
    had = g.draw.pick(("", "had"))
    gap = say("that", inner.text, had, verb.participle if had else verb.past)
    noun = g.word("content_noun")
    kind = g.draw.below(3)
    if kind == 0:
        bridge = g.verb("bridge")
        other = g.draw.pick(("hear", "reject", "spread", "mention"))
        return (
            say(what, "did", subject.text, bridge.base, gap) + "?",
            say(what, "did", subject.text, other, "the", noun, gap) + "?",
        )
    if kind == 1:
        obj = g.definite_object(verb).text
        other = g.draw.pick(("hear", "reject", "spread", "mention"))
        return (
            say("did", subject.text, other, "the", noun, gap, obj) + "?",
            say(what, "did", subject.text, other, "the", noun, gap) + "?",
        )
    # Out of a relative clause: the question is about the inner object instead of the outer one.
    other = g.verb("transitive", "person", "strict", without=("stative",))
    head = g.noun("person").singular
    obj = g.definite_object(verb).text
    the = g.draw.pick(("the", "a"))
    relative = say(g.article(head) if the == "a" else say("the", head), "who", verb.past)
    wh = "who" if g.draw.chance(0.4) else say("which", g.noun("person").singular)
    link = g.draw.pick(("introduce", "recommend", "mention", "describe"))
    return (
        say(wh, "did", subject.text, link, "to", relative, obj) + "?",
        say(what, "did", subject.text, other.base, relative) + "?",
    )


@phenomenon(
    "coordinate-structure-island",
    "nothing can be extracted from one conjunct alone",
    "Ross 1967; Warstadt et al. 2020, coordinate structure constraint",
    held_out=True,
)
def coordinate_structure_island(g: Grammar) -> Pair:
    first, second = g.island_verb(), g.island_verb()
    while not set(first.objects) & set(second.objects) or first.base == second.base:
        second = g.island_verb()
    shared = next(c for c in first.objects if c in second.objects)
    noun = g.noun(shared)
    wh = say("which", noun.singular if g.draw.chance(0.7) else noun.plural)
    subject, other = g.known_person(g.number()), g.known_person(g.number())
    obj = g.definite((shared,)).text
    if g.draw.chance(0.5):
        # A singular subject: `the boys order the cake` could be a statement of its own.
        other = g.known_person()
        good = say(wh, "did", subject.text, first.base, "and", other.text, second.base)
        if g.draw.chance(0.5):
            return f"{good}?", say(good, obj) + "?"
        bad = say(wh, "did", subject.text, first.base, obj, "and", other.text, second.base)
        return f"{good}?", f"{bad}?"
    if g.draw.chance(0.5):
        start = say(g.person(rich=0.1).text, g.verb("factive").past, wh)
        end = say("and", other.text, second.past)
        return (
            say(start, subject.text, first.past, end),
            say(start, subject.text, first.past, obj, end),
        )
    # One conjunct of a noun phrase; without `and`, it may be questioned.
    verb = g.draw.pick(("visit", "avoid", "help", "photograph", "interview", "follow", "meet"))
    companion = "who" if g.draw.chance(0.3) else say("which", g.noun("person").singular)
    tail = g.time("past") if g.draw.chance(0.4) else ""
    start = say(companion, "did", subject.text, verb)
    return (
        say(start, "together with", other.text, tail) + "?",
        say(start, "and", other.text, tail) + "?",
    )


# -- binding, control, raising -------------------------------------------------------------------


@phenomenon(
    "binding-domain",
    "a reflexive is bound by a c-commanding antecedent inside its own clause",
    "Chomsky 1981 (Principle A); Warstadt et al. 2020, binding",
    held_out=True,
)
def binding_domain(g: Grammar) -> Pair:
    gender = g.draw.pick("mf")
    other_gender = "f" if gender == "m" else "m"

    def someone(which: str) -> Phrase:
        return g.name(which) if g.draw.chance(0.5) else g.gendered(which, SINGULAR, rich=0.1)

    outer, inner = someone(other_gender), someone(gender)
    right, wrong = inner.pronoun(3), outer.pronoun(3)
    verb = g.verb("reflexive")
    kind = g.draw.below(5)
    if kind == 0:
        speak = g.verb("statement")
        p = g.predicate(verb, SINGULAR, among=("past", "pluperfect"), obj=Phrase("@"), timed=0.3)
        sentence = say(outer.text, speak.past, "that", inner.text, p.text)
    elif kind == 1:
        inner = g.phrase(
            g.noun("man" if gender == "m" else "woman"), SINGULAR, "the", rich=0.15, bare=True
        )
        p = g.predicate(
            verb, SINGULAR, among=("past", "past", "future", "perfect"), obj=Phrase("@")
        )
        meet = g.verb("transitive", "person", "strict", without=("stative",)).past
        link = g.draw.pick(("that", "who"))
        sentence = say(inner.text, link, outer.text, meet, p.text)
    elif kind == 2:
        p = g.predicate(
            verb, SINGULAR, among=("past", "past", "future", "perfect"), obj=Phrase("@")
        )
        kin = g.noun("male_kin" if gender == "m" else "female_kin").singular
        owner = g.name(other_gender)
        sentence = say(f"{owner.text}'s", kin, p.text)
    elif kind == 3:
        # The subject of the infinitive is the object of persuade, not its subject.
        persuade = g.verb("object_infinitive").past
        sentence = say(outer.text, persuade, inner.text, "to", verb.base, "@")
    else:
        # No reflexive as the subject of a finite clause.
        speak = g.verb("statement").past
        c = g.clause(g.event(), subject=Phrase("@", SINGULAR), among=("past", "pluperfect"))
        sentence = say(outer.text, speak, "that", c.text)
        right, wrong = outer.pronoun(0), outer.pronoun(3)
    return sentence.replace("@", right), sentence.replace("@", wrong)


@phenomenon(
    "control-raising",
    "raising predicates let expletives through, control predicates need a real subject",
    "Rosenbaum 1967; Postal 1974; Warstadt et al. 2020, control/raising",
    held_out=True,
)
def control_raising(g: Grammar) -> Pair:
    kind = g.draw.below(5)
    past = g.draw.chance(0.6)
    noun = g.noun("person")
    head = say(g.adjective("person") if g.draw.chance(0.3) else "", noun.singular)
    site = g.word("site")
    raising = g.draw.pick((("seemed", "seems"), ("appeared", "appears"), ("happened", "happens")))
    control = g.draw.pick(
        (
            ("tried", "tries"),
            ("hoped", "hopes"),
            ("decided", "decides"),
            ("refused", "refuses"),
            ("agreed", "agrees"),
        )
    )
    raise_form, control_form = raising[not past], control[not past]
    tense = "past" if past else "present"
    if kind == 0:
        return g.frame(
            say("there", raise_form, "to be", g.article(head), site),
            say("there", control_form, "to be", g.article(head), site),
            tense=tense,
        )
    subject = g.person(rich=0.15)
    if kind == 1:
        # Seem has no subject of its own beside a finite clause.
        c = g.clause(g.event(), among=("past", "past", "pluperfect"), timed=0.3)
        verbs = g.verb("statement"), g.verb("seeming")
        good, bad = (v.past if past else v.present(subject.agr) for v in verbs)
        return say(subject.text, good, "that", c.text), say(subject.text, bad, "that", c.text)
    be = BE_PAST if past else BE_PRESENT
    if kind == 2:
        likely = g.draw.pick(("likely", "certain", "sure"))
        eager = g.draw.pick(("eager", "reluctant", "willing", "anxious", "keen"))
        return g.frame(
            say("there", be[SINGULAR], likely, "to be", g.article(head), site),
            say("there", be[SINGULAR], eager, "to be", g.article(head), site),
            tense=tense,
        )
    if kind == 3:
        # A tough adjective has a gap in its infinitive, a control adjective has none.
        verb = g.verb("transitive", "person", "strict", without=("stative", "unplanned"))
        tough = g.draw.pick(("easy", "difficult", "hard", "impossible"))
        eager = g.draw.pick(("eager", "reluctant", "willing", "keen", "determined"))
        start = say(subject.text, be[subject.agr])
        if g.draw.chance(0.5):
            return g.frame(
                say(start, tough, "to", verb.base), say(start, eager, "to", verb.base), tense=tense
            )
        obj = g.person(rich=0.1).text
        return g.frame(
            say(start, eager, "to", verb.base, obj),
            say(start, tough, "to", verb.base, obj),
            tense=tense,
        )
    believe = g.draw.pick(
        (
            ("believed", "believe", "believes"),
            ("expected", "expect", "expects"),
            ("wanted", "want", "wants"),
        )
    )
    persuade = g.draw.pick(
        (
            ("persuaded", "persuade", "persuades"),
            ("forced", "force", "forces"),
            ("convinced", "convince", "convinces"),
        )
    )
    slot = 0 if past else (2 if subject.singular else 1)
    return g.frame(
        say(subject.text, believe[slot], "there to be", g.article(head), site),
        say(subject.text, persuade[slot], "there to be", g.article(head), site),
        tense=tense,
    )
