"""Phenomena of agreement and licensing: number, gender, binding, polarity, definiteness.

The rules for every function are in `phenomenon.py`.
"""

from dataclasses import replace

from minimal_pairs.grammar import (
    BE_PAST,
    BE_PRESENT,
    DO,
    FINITE_TENSES,
    GIFTS,
    HAVE,
    PLURAL,
    SINGULAR,
    Grammar,
    Noun,
    Phrase,
    Verb,
    contrast,
    say,
)
from minimal_pairs.phenomenon import Pair, phenomenon


def flip(agr: str) -> str:
    """Return the other number."""
    return PLURAL if agr == SINGULAR else SINGULAR


@phenomenon(
    "subject-verb-agreement",
    "agreement",
    "the finite verb agrees with the head of its subject, across attractors",
    "Warstadt et al. 2020, subject-verb agreement; Bock and Miller 1991 (attractors)",
)
def subject_verb_agreement(g: Grammar) -> Pair:
    if g.draw.chance(0.2):
        return other_subjects(g)
    subject = agreeing_subject(g)
    agr = subject.agr
    # After an auxiliary, agreement with the first conjunct (`is the boy and the girl`) is disputed.
    invertible = " and " not in subject.text
    kind = g.draw.below(8)
    if kind < 3:
        verb = g.any_habit()
        p = g.predicate(verb, agr, tense="present", timed=0.3)
        if kind == 0 and invertible:
            bad = say(DO[flip(agr)], subject.text, verb.base, p.rest)
            return say(DO[agr], subject.text, verb.base, p.rest) + "?", bad + "?"
        plain = bool(p.tail) or "stative" in verb.flags
        adverb = g.word("frequency") if not plain and g.draw.chance(0.3) else ""
        return g.frame(
            *contrast(subject.text, adverb, (verb.present(agr), verb.present(flip(agr))), p.rest),
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
    if invertible and g.draw.chance(0.2):
        return contrast((be[agr], be[flip(agr)]), subject.text, rest, end="?")
    return g.frame(
        *contrast(subject.text, (be[agr], be[flip(agr)]), rest),
        tense="past" if past else "present",
    )


def agreeing_subject(g: Grammar) -> Phrase:
    """Return a person or several as a subject, often with an attractor of the other number."""
    kind = g.draw.below(10)
    agr = SINGULAR if g.draw.chance(0.5) else PLURAL
    if kind == 0:
        # Bare: `the man near the door and the boy` is one person or two.
        first = g.role(SINGULAR, determiner="the", bare=True)
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
    return subject


def other_subjects(g: Grammar) -> Pair:
    """Return an agreement pair with an animal or a work as subject, and an attractor."""
    agr = SINGULAR if g.draw.chance(0.5) else PLURAL
    if g.draw.chance(0.5):
        noun = g.noun(g.draw.pick(("animal", "pet")))
        verb = g.verb("intransitive", "animal")
        near = g.draw.pick(("near", "behind", "next to"))
        attractor = say(near, g.definite(("building", "vehicle", "furniture"), flip(agr)).text)
        obj = g.time("present") if g.draw.chance(0.4) else ""
    else:
        noun = g.noun("work")
        verb = g.verb("psych")
        people = g.noun(g.draw.pick(("person", "man", "woman")))
        attractor = f"about the {people.plural if agr == SINGULAR else people.singular}"
        obj = g.person(rich=0.1).text
    subject = say(g.phrase(noun, agr, "the", rich=0.2, bare=True).text, attractor)
    return g.frame(
        *contrast(subject, (verb.present(agr), verb.present(flip(agr))), obj),
        tense="present",
    )


@phenomenon(
    "determiner-noun-agreement",
    "agreement",
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
            degree = g.draw.pick(("too", "so"))
            good_det, bad_det = say(degree, good_det), say(degree, bad_det)
        tense = g.draw.pick(("past", "past", "future", "pluperfect"))
        p = g.predicate(verb, subject.agr, tense=tense, obj=Phrase(""), timed=0.4)
        first = g.article(say(middle, stuff)) if bad_det == "a" else say(bad_det, middle, stuff)
        return g.frame(
            *contrast(subject.text, p.group, (say(good_det, middle, stuff), first), p.tail),
            tense=tense,
        )
    as_subject = kind > 6
    category = "person" if as_subject else g.draw.pick(verb.objects)
    noun = g.noun(category)
    middle = ""
    if g.draw.chance(0.55):
        middle = g.adjective(category)
        if category != "person" and g.draw.chance(0.3):
            middle = say(g.draw.pick(("nice", "lovely")), middle)
    agr = SINGULAR if g.draw.chance(0.5) else PLURAL
    head = noun.singular if agr == SINGULAR else noun.plural
    good_det, bad_det = (singular, plural) if agr == SINGULAR else (plural, singular)
    bad_det = bad_det.replace("most", "many")  # `most pie` may be a part of one.
    if as_subject:
        # `that teachers smiled` is a clause, and `thinks that that teacher smiled` hard to read.
        good_det, bad_det = good_det.replace("that", "this"), bad_det.replace("that", "this")
        p = g.predicate(g.any_verb(), agr, among=("past", "past", "future", "modal"), timed=0.3)
        return g.frame(*contrast((good_det, bad_det), middle, head, p.text), tense=p.tense)
    good_det = "several" if good_det in ("few", "most") else good_det
    among = ("past", "past", "past", "future", "pluperfect", "past-progressive")
    p = g.predicate(verb, subject.agr, among=among, obj=Phrase(""), timed=0.35)
    return g.frame(
        *contrast(subject.text, p.group, (good_det, bad_det), middle, head, p.tail),
        tense=p.tense,
    )


@phenomenon(
    "anaphor-agreement",
    "agreement",
    "a reflexive or reciprocal agrees with its local antecedent in person, number and gender",
    "Warstadt et al. 2020, anaphor agreement",
)
def anaphor_agreement(g: Grammar) -> Pair:
    kind = g.draw.below(10)
    wrong: tuple[str, ...]
    if kind < 4:
        gender = g.draw.pick("mf")
        subject = g.name(gender) if g.draw.chance(0.5) else g.gendered(gender, SINGULAR, rich=0.1)
        wrong = ("himself" if gender == "f" else "herself", "itself", "ourselves")
    elif kind < 7:
        subject = g.role(PLURAL) if g.draw.chance(0.6) else g.gendered("", PLURAL)
        if subject.agr == SINGULAR:
            wrong = ("ourselves", "itself")
        else:
            wrong = ("himself", "herself", "itself", "ourselves")
    elif kind == 7:
        subject = g.role(SINGULAR)
        wrong = ("itself", "ourselves")
        if not subject.gender:
            subject = replace(subject, gender=g.draw.pick("mf"))
    elif kind == 8:
        key = g.draw.pick((("I", "1", ""), ("we", PLURAL, "we"), ("they", PLURAL, "")))
        subject = Phrase(*key)
        wrong = ("himself", "herself", "themselves" if key[0] != "they" else "ourselves")
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
        *contrast(owner, adjective, (noun.plural, noun.singular), p.text),
        tense=p.tense,
    )


def reflexive_sentence(
    g: Grammar, text: str, agr: str, right: str, wrongs: tuple[str, ...]
) -> Pair:
    """Return a pair of statements whose subject is the antecedent of the reflexive."""
    kind = g.draw.below(4)
    if kind < 2:
        verb = g.verb("reflexive")
        p = g.predicate(verb, agr, among=("past", "past", *FINITE_TENSES), obj=Phrase("@"))
        sentence, tense = say(text, p.text), p.tense
    elif kind == 2:
        # `for itself` could be for the sake of the gift.
        wrongs = tuple(w for w in wrongs if w not in ("itself", "themselves"))
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
    wrong = g.draw.pick(wrongs)
    return g.frame(sentence.replace("@", right), sentence.replace("@", wrong), tense=tense)


POSITIVE = ("some", "many", "most", "several", "all", "three", "those", "these")


@phenomenon(
    "negative-polarity",
    "agreement",
    "ever, any, yet, at all and in years need a licensor that c-commands them",
    "Ladusaw 1979; Warstadt et al. 2020, NPI licensing",
)
def negative_polarity(g: Grammar) -> Pair:
    kind = g.draw.below(8)
    noun = g.noun("person")
    if kind < 3:
        return licensing_determiner(g, noun)
    if kind == 3:
        name = g.known_person()
        item = polar_predicate(g, SINGULAR)
        return contrast(("only", "even"), name.text, item)
    if kind == 4:
        # The licensor is there, but inside the relative clause, where it commands nothing.
        verb = g.verb("transitive", "person", "strict", without=("stative",))
        item = polar_predicate(g, SINGULAR)
        while verb.past in item:  # `that the boy admired admired anyone` is hard to read.
            item = polar_predicate(g, SINGULAR)
        other = g.noun("person")
        the = g.draw.pick(("the", "the", "this", "my"))
        return contrast(
            ("no", the),
            noun.singular,
            (say("that", the), "that no"),
            other.singular,
            verb.past,
            item,
        )
    # No quantifier comes between the licensor and the item.
    person = g.individual()
    if kind == 5:
        # Adversative and interrogative predicates license, factive and assertive ones do not.
        subject = g.known_person(g.number())
        licensing = g.draw.pick((("doubt", "doubts"), ("deny", "denies")))
        asserting = g.draw.pick((("know", "knows"), ("think", "thinks"), ("claim", "claims")))
        verbs = [v[1] if subject.singular else v[0] for v in (licensing, asserting)]
        item = polar_predicate(g, person.agr)
        return contrast(subject.text, (verbs[0], verbs[1]), "that", person.text, item)
    if kind == 6:
        subject = g.known_person(g.number())
        item = polar_predicate(g, person.agr)
        asks = "wonders" if subject.singular else "wonder"
        states = g.verb("only_that").present(subject.agr)
        return contrast(
            subject.text, (say(asks, "whether"), say(states, "that")), person.text, item
        )
    return negation(g, person)


def licensing_determiner(g: Grammar, noun: Noun) -> Pair:
    """Return a pair in which the subject's determiner licenses the polarity item, or does not."""
    positive = g.draw.pick(POSITIVE)
    plural = g.draw.chance(0.6)
    if plural:
        licensor = g.draw.pick(("no", "no", "few", "none of the", "hardly any"))
        bad_det = positive if licensor != "none of the" else f"{positive} of the"
        if positive in ("those", "these"):
            bad_det = positive
        head = noun.plural
    else:
        licensor, bad_det = "no", g.draw.pick(("the", "a", "every", "this", "each"))
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


def negation(g: Grammar, person: Phrase) -> Pair:
    """Return a pair of sentential negation against a positive adverb in the same place."""
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
        *contrast(person.text, p.aux, ("not", adverb), p.form, p.object_text, tail),
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
    "agreement",
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
            *contrast(("", say("there", be)), strong, head, (be, ""), where, tail),
            tense="past" if past else "present",
        )
    if kind < 3:
        perfect = g.draw.chance(0.25)
        verb = say(HAVE[agr] if not past else "had", "been") if perfect else be
        if g.draw.chance(0.2):
            return contrast(be, "there", (weak_np, say(strong, head)), where, tail, end="?")
        return g.frame(
            *contrast("there", verb, (weak_np, say(strong, head)), where, "" if perfect else tail),
            tense="past" if past else "present",
        )
    appear = g.draw.pick(("appeared", "arrived", "emerged"))
    if kind == 3:
        laugh = g.verb("unergative").past
        if weak == "no":
            weak_np = say("several", head)
        where = "" if appear == "arrived" else where
        return g.frame(*contrast("there", (appear, laugh), weak_np, where))
    act = g.verb("transitive", "strict", without=("stative",))
    obj = g.object_of(act, rich=0.1)
    return g.frame(
        *contrast("there", (be, act.past), weak_np, (act.gerund, ""), obj.text),
        tense="past",
    )


@phenomenon(
    "binding-domain",
    "agreement",
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
        meet = verb.past
        while meet in (verb.past, verb.participle):
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
        speak = g.verb("statement")
        c = g.clause(g.event(), subject=Phrase("@", SINGULAR), among=("past", "pluperfect"))
        sentence = say(outer.text, speak.past, "that", c.text)
        right, wrong = outer.pronoun(0), outer.pronoun(3)
    return sentence.replace("@", right), sentence.replace("@", wrong)
