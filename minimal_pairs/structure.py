"""Phenomena of structure: degree, coordination, ellipsis, word order, inversion.

The rules for every function are in `phenomenon.py`.
"""

from minimal_pairs.grammar import (
    BE_PAST,
    BE_PRESENT,
    DO,
    PLURAL,
    SINGULAR,
    Grammar,
    Phrase,
    Verb,
    contrast,
    say,
)
from minimal_pairs.phenomenon import Pair, phenomenon


@phenomenon(
    "comparative",
    "structure",
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
        bad = say(subject.text, be, much, "more", long, g.draw.pick(("as", "that")), other.text)
    elif kind == 3:
        people = g.noun("person").plural
        be = BE_PAST[SINGULAR] if past else BE_PRESENT[SINGULAR]
        start = say(g.known_person().text, be, "one of the")
        where = g.draw.pick(("in the city", "in the village", "in the country"))
        good, bad = say(start, most, people, where), say(start, "most", most, people, where)
    elif kind == 4:
        # A comparative clause contains the gap of what is compared.
        verb = g.action(without=("person", "stative", "drink", "opening", "recipient"))
        category = g.draw.pick(verb.objects)
        things = g.noun(category).plural
        second = g.noun(category).plural
        good = say(subject.text, verb.past, "more", things, "than", other.text, verb.past)
        number = g.draw.pick(("many", "several", "three", "some"))
        bad = say(good, number, second)
        tense = "past"
    elif kind == 5:
        return so_or_such(g, long)
    else:
        good, bad = too_or_enough(g, say(subject.text, be))
    return g.frame(good, bad, tense=tense)


def so_or_such(g: Grammar, adjective: str) -> Pair:
    """Return a pair of so, which modifies an adjective, and such, which modifies a noun phrase."""
    so, such = g.draw.chance(0.5), g.noun("person")
    result = g.short_clause("past")
    name = g.known_person().text
    if so:
        return contrast(name, ("was so", "was such"), adjective, "that", result)
    return contrast(
        name, ("was such", "was so"), g.article(say(adjective, such.singular)), "that", result
    )


def too_or_enough(g: Grammar, start: str) -> Pair:
    """Return a pair of adjectives with an infinitive, after a subject with a form of be."""
    verb = g.deed()
    obj = g.object_of(verb).text if verb.objects else ""
    plain = g.draw.pick(("old", "young", "kind", "smart", "wise", "nice"))
    good = say(start, "too", plain, "to", verb.base, obj)
    bad = say(start, "too", plain, "that", verb.base, obj)
    if g.draw.chance(0.5):
        plain = g.draw.pick(("old", "brave", "strong", "smart", "kind", "rude", "rich"))
        good = say(start, plain, "enough to", verb.base, obj)
        bad = say(start, "enough", plain, "to", verb.base, obj)
    return good, bad


@phenomenon(
    "correlative",
    "structure",
    "both, either and neither pair with and, or, nor, across whole phrases",
    "Huddleston and Pullum 2002, chapter 15",
)
def correlative(g: Grammar) -> Pair:
    pairs: dict[str, tuple[str, tuple[str, ...]]] = {
        "both": ("and", ("or", "nor")),
        "either": ("or", ("and", "nor")),
        "neither": ("nor", ("and",)),
    }
    opener = g.draw.pick(tuple(pairs))
    right, wrongs = pairs[opener]
    wrong = g.draw.pick(wrongs)
    kind = g.draw.below(3)
    if kind == 0:
        first, second = g.individual(SINGULAR), g.individual(SINGULAR)
        p = g.predicate(g.any_verb(), PLURAL, among=("past", "past", "future", "modal"))
        sentence = say(opener, first.text, "@", second.text, p.text)
        return g.frame(sentence.replace("@", right), sentence.replace("@", wrong), tense=p.tense)
    # Singulars: `both the hats` and `the boys both …` leave the conjunction free.
    subject = g.person(SINGULAR, rich=0.2)
    if kind == 1:
        verb = g.action(without=("stative",))
        category = g.draw.pick(verb.objects)
        first, second = (
            g.individual(SINGULAR)
            if category == "person"
            else g.thing((category,), SINGULAR, rich=0.25)
            for _ in range(2)
        )
        p = g.predicate(
            verb, subject.agr, among=("past", "past", "future", "modal"), obj=Phrase("@")
        )
        conjuncts = say(opener, first.text, "@@", second.text)
        sentence = say(subject.text, p.group, conjuncts, p.tail)
        tense = p.tense
    else:
        verb, another = g.event(), g.event()
        while verb.base == another.base:
            another = g.event()
        texts = [
            say(deed.past, g.object_of(deed, rich=0.2).text if deed.objects else "")
            for deed in (verb, another)
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
    "structure",
    "what may be left out: verb phrases after a matching auxiliary, gapping in coordination only",
    "Hankamer and Sag 1976; Jackendoff 1971 (gapping); Warstadt et al. 2020, ellipsis",
)
def ellipsis(g: Grammar) -> Pair:
    first, second = g.person(rich=0.1), g.person(rich=0.1)
    kind = g.draw.below(6)
    if kind < 2:
        return stranded_auxiliary(g, kind, first, second)
    if kind == 2:
        # Polarity: too after a positive, either after a negative clause.
        first, second = g.individual(), g.individual()
        p = g.predicate(g.event(), first.agr, tense=g.draw.pick(("past", "future")), timed=0.2)
        op = "did" if p.tense == "past" else "will"
        negated = say(first.text, op, "not", p.remnant, p.rest)
        if g.draw.chance(0.5):
            return contrast(f"{negated}, and", second.text, op, ("not either", "either"))
        return contrast(f"{negated}, and neither", ("", second.text), op, (second.text, ""))
    if kind == 3:
        verb = g.action(without=("stative", "person"))
        a, b = g.thing(verb.objects, rich=0.1).text, g.thing(verb.objects, rich=0.1).text
        first, second = g.known_person(), g.known_person()
        conjunction = g.draw.pick(("because", "although", "while", "before", "after"))
        good = say(f"{first.text} {verb.past} {a}, and", second.text, b)
        bad = say(first.text, verb.past, a, conjunction, second.text, b)
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
        return contrast(f"{start}, and", rest, ("one", ""))
    # A verb phrase can be left out after to, not after the verb that selects it.
    verb = g.deed()
    obj = g.object_of(verb).text if verb.objects else ""
    chooser = g.draw.pick(("wanted", "wanted", "needed", "intended"))
    start = say(f"{first.text} {chooser} to {verb.base}", obj)
    start = say(f"{start}, and", second.text, chooser)
    return contrast(start, ("to too", "too"))


def stranded_auxiliary(g: Grammar, kind: int, first: Phrase, second: Phrase) -> Pair:
    """Return a pair of elided predicates after a form of be and of do."""
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
    return contrast(f"{main}{start}", second.text, (right, wrong), end)


@phenomenon(
    "word-order",
    "structure",
    "the order of subject, verb, object, adverb, negation, determiner and adjective",
    "Warstadt et al. 2019 (CoLA); Pollock 1989 (verb and adverb)",
)
def word_order(g: Grammar) -> Pair:
    subject = g.person(rich=0.15)
    verb = g.action(without=("stative", "unplanned"))
    kind = g.draw.below(8)
    if kind == 0:
        return placed_adverb(g, subject, verb)
    if kind == 1:
        p = g.predicate(verb, subject.agr, among=("past", "future", "modal"))
        return g.frame(
            *contrast(subject.text, (p.text, say(p.aux, p.object_text, p.form, p.tail))),
            tense=p.tense,
        )
    if kind == 2:
        return placed_adjective(g)
    if kind == 3:
        p = g.predicate(
            g.any_verb(), subject.agr, among=("perfect", "future", "modal", "pluperfect")
        )
        return g.frame(
            *contrast(subject.text, ("", "not"), p.aux, ("not", ""), p.form, p.rest),
            tense=p.tense,
        )
    if kind == 4:
        p = g.predicate(g.any_verb(), subject.agr, among=("perfect", "future", "pluperfect"))
        # `When has she arrived?` is doubtful.
        wh = g.draw.pick(("why", "when", "how", "where"))
        wh = "why" if p.tail or p.tense != "future" else wh
        return contrast(wh, ("", subject.text), p.aux, (subject.text, ""), p.form, p.rest, end="?")
    if kind == 5:
        p = g.predicate(g.event(), subject.agr, tense="past", timed=0.4)
        return g.frame(
            *contrast(subject.text, (say("did not", p.verb.base), say("not", p.verb.past)), p.rest),
        )
    if kind == 6:
        people = g.noun("person").plural
        quantifier = g.draw.pick(("all", "both"))
        p = g.predicate(g.any_verb(), PLURAL, among=("past", "past", "future", "modal"))
        return g.frame(
            *contrast(("", "the"), quantifier, ("the", ""), people, p.text),
            tense=p.tense,
        )
    where = g.definite(("building", "furniture", "vehicle"), SINGULAR).text
    near = g.draw.pick(("near", "behind", "in front of", "next to"))
    tail = g.time("past") if g.draw.chance(0.4) else ""
    start = say(
        subject.text, BE_PAST[subject.agr], g.draw.pick(("waiting", "kneeling", "shivering"))
    )
    return g.frame(*contrast(start, ("", where), near, (where, ""), tail))


def placed_adverb(g: Grammar, subject: Phrase, verb: Verb) -> Pair:
    """Return a pair with an adverb of manner in a possible place, and between verb and object."""
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


def placed_adjective(g: Grammar) -> Pair:
    """Return a pair with an adjective before and after the noun of a subject."""
    # In a subject: after an object, the adjective can be a secondary predicate.
    agr = g.number()
    noun, adjective = g.noun("person"), g.adjective("person")
    while adjective in ("patient", "kind"):  # `The therapist patient` is a compound.
        adjective = g.adjective("person")
    head = noun.singular if agr == SINGULAR else noun.plural
    the = g.draw.pick(("the", "the", "my", "our"))
    p = g.predicate(g.any_verb(), agr, among=("past", "past", "future", "perfect"))
    return g.frame(*contrast(the, ("", head), adjective, (head, ""), p.text), tense=p.tense)


@phenomenon(
    "subject-auxiliary-inversion",
    "structure",
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
    while outer.aux == inner.aux or outer.verb.base == inner.verb.base:
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
