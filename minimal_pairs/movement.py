"""Phenomena of movement: filler and gap, relative clauses, islands.

The rules for every function are in `phenomenon.py`.
"""

from minimal_pairs.grammar import BE_PAST, SINGULAR, Clause, Grammar, Phrase, Verb, contrast, say
from minimal_pairs.phenomenon import Pair, phenomenon


@phenomenon(
    "filler-gap",
    "movement",
    "a moved question word needs exactly one gap, and a gap needs a moved phrase",
    "Warstadt et al. 2020, filler-gap dependencies; Chomsky 1977",
)
def filler_gap(g: Grammar) -> Pair:
    verb = g.action(without=("stative", "recipient"))
    strict = g.action("strict", without=("stative",))
    among = ("past", "past", "past", "perfect", "future", "modal")
    kind = g.draw.below(5)
    if kind == 0:
        wh, category = g.wh_of(verb)
        obj = g.definite((category,)) if category != "person" else g.known_person()
        c = g.clause(verb, among=among)
        p = g.predicate(verb, c.subject.agr, tense=c.predicate.tense, obj=obj, timed=0.3)
        c = Clause(c.subject, p)
        return contrast(wh, (c.inverted(gap=True), c.inverted()), end="?")
    if kind == 1:
        c = g.clause(strict, among=("past", "past", "perfect", "future"), timed=0.3)
        time = g.draw.pick(("when", "why", "where"))
        time = "why" if c.predicate.tail or c.predicate.tense == "perfect" else time
        what = g.question_word(strict)
        if g.draw.chance(0.5):
            return contrast((what, time), c.inverted(gap=True), end="?")
        return contrast((time, what), c.inverted(), end="?")
    if kind < 4:
        c = g.clause(strict, among=("past", "past", "pluperfect"), timed=0.3)
        knower = g.person(rich=0.1)
        know = g.verb("factive").past
        what = g.question_word(strict)
        start = say(knower.text, know)
        if kind == 2:
            return contrast(start, "that", (c.text, c.gapped()))
        if g.draw.chance(0.5):
            return contrast(start, what, (c.gapped(), c.text))
        return contrast(start, (what, "that"), c.gapped())
    wh, category = g.wh_of(verb)
    obj = g.definite((category,)) if category != "person" else g.known_person()
    c = g.clause(verb, among=("past", "pluperfect"), timed=0.2)
    p = g.predicate(verb, c.subject.agr, tense=c.predicate.tense, obj=obj, timed=0.2)
    c = Clause(c.subject, p)
    asker, bridge = g.known_person(g.number()), g.verb("bridge")
    start = say(wh, "did", asker.text, bridge.base, "that")
    return contrast(start, (c.gapped(), c.text), end="?")


@phenomenon(
    "relative-clause",
    "movement",
    "form of the relative pronoun, one gap in the relative clause, no missing subject pronoun",
    "Keenan and Comrie 1977; Warstadt et al. 2019 (CoLA)",
)
def relative_clause(g: Grammar) -> Pair:
    kind = g.draw.below(5)
    if kind < 2:
        verb = g.island_verb()
        category = g.draw.pick(verb.objects)
        head = g.phrase(g.noun(category), g.number(), "the", rich=0.0)
        c = g.clause(
            verb, subject=g.person(rich=0.1), among=("past", "past", "pluperfect"), timed=0
        )
        about = g.main_about(head)
        relative = g.draw.pick(("that", "which", ""))
        if kind == 0:
            # A pronoun or another object stands where the gap must be.
            extra = head.pronoun(1) if g.draw.chance(0.5) else g.definite((category,)).text
            bad = say(head.text, relative or "that", c.gapped(), extra, about)
            good = say(head.text, relative or "that", c.gapped(), about)
        else:
            bad = say(head.text, "who", c.gapped(), about)
            good = say(head.text, relative or "which", c.gapped(), about)
        return good, bad
    head = g.role(g.number(), determiner="the", rich=0.2)
    if kind == 2:
        # The relative pronoun can be left out, except as a subject.
        # Not with `mention` or `notice`: `the boy noticed Mary smiled` has a clause as object.
        verb = g.action(without=("stative", "unplanned"))
        inner = g.predicate(verb, head.agr, tense="past", timed=0.2)
        p = g.predicate(g.any_verb(), head.agr, among=("past", "future", "perfect"), timed=0.2)
        return (
            say(head.text, g.draw.pick(("who", "that")), inner.text, p.text),
            say(head.text, inner.text, p.text),
        )
    if kind == 3:
        inner = g.predicate(g.action(without=("stative",)), head.agr, tense="past", timed=0.2)
        p = g.predicate(g.any_verb(), head.agr, among=("past", "future", "perfect"), timed=0.2)
        return contrast(head.text, ("who", "which"), inner.text, p.text)
    place = Phrase(say("the", g.word("dwelling")))
    inhabitant = g.person(rich=0.1)
    act = g.draw.pick(("lived", "stayed", "waited", "slept"))
    about = say(BE_PAST[SINGULAR], g.draw.pick(("very", "rather", "")), g.adjective("place"))
    right, wrong = g.draw.pick((("where", "which"), ("in which", "in that")))
    return contrast(place.text, (right, wrong), inhabitant.text, act, about)


@phenomenon(
    "that-trace",
    "movement",
    "a subject cannot be extracted after that, an object can",
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
        return contrast(filler, start, ("", "that"), gone, end="?")
    if kind == 1 and "person" in verb.objects:
        # The same words: only the place of the gap differs.
        other = g.known_person().text
        return contrast(filler, start, "that", ("", p.group), other, (p.group, ""), tail, end="?")
    what = filler if "person" in verb.objects and len(verb.objects) == 1 else g.wh_of(verb)[0]
    return contrast(
        (what, filler), start, "that", (say(c.subject.text, p.group, tail), gone), end="?"
    )


@phenomenon(
    "adjunct-island",
    "movement",
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
        return contrast(
            wh,
            "did",
            subject.text,
            (say(outer.base, adjunct(inner, other)), say(inner.base, other, adjunct(outer, ""))),
            end="?",
        )
    head = wh.removeprefix("which ")
    plural = any(head == noun.plural for c in outer.objects for noun in g.lexicon.nouns[c])
    shown = ("these are the", "those are the") if plural else ("this is the", "that is the")
    this = say(g.draw.pick((*shown, "I remember the")), head, "that")
    return contrast(
        this,
        subject.text,
        (say(outer.past, adjunct(inner, other)), say(inner.past, other, adjunct(outer, ""))),
    )


@phenomenon(
    "wh-island",
    "movement",
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
        return contrast(
            ("", say(what, "did", subject.text, ask.base)),
            asked,
            (say(ask.past, what, subject.text), ""),
            had,
            form,
            end="?",
        )
    if kind == 1:
        other = g.known_person(g.number())
        bridge = g.verb("bridge")
        return contrast(
            what,
            "did",
            subject.text,
            (say(bridge.base, "that", other.text), say(ask.base, asked)),
            had,
            form,
            end="?",
        )
    obj = g.definite_object(verb).text
    return contrast(("", what), "did", subject.text, ask.base, asked, had, form, (obj, ""), end="?")


@phenomenon(
    "complex-np-island",
    "movement",
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
        return contrast(
            what, "did", subject.text, (bridge.base, say(other, "the", noun)), gap, end="?"
        )
    if kind == 1:
        obj = g.definite_object(verb).text
        other = g.draw.pick(("hear", "reject", "spread", "mention"))
        return contrast(
            ("", what), "did", subject.text, other, "the", noun, gap, (obj, ""), end="?"
        )
    # Out of a relative clause: the question is about the inner object instead of the outer one.
    meeting = g.verb("transitive", "person", "strict", without=("stative",))
    head = g.noun("person").singular
    obj = g.definite_object(verb).text
    the = g.draw.pick(("the", "a"))
    relative = say(g.article(head) if the == "a" else say("the", head), "who", verb.past)
    wh = "who" if g.draw.chance(0.4) else say("which", g.noun("person").singular)
    link = g.draw.pick(("introduce", "recommend", "mention", "describe"))
    return (
        say(wh, "did", subject.text, link, "to", relative, obj) + "?",
        say(what, "did", subject.text, meeting.base, relative) + "?",
    )


@phenomenon(
    "coordinate-structure-island",
    "movement",
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
        return contrast(start, subject.text, first.past, ("", obj), end)
    # One conjunct of a noun phrase; without `and`, it may be questioned.
    verb = g.draw.pick(("visit", "avoid", "help", "photograph", "interview", "follow", "meet"))
    companion = "who" if g.draw.chance(0.3) else say("which", g.noun("person").singular)
    tail = g.time("past") if g.draw.chance(0.4) else ""
    start = say(companion, "did", subject.text, verb)
    return contrast(start, ("together with", "and"), other.text, tail, end="?")
