"""Phenomena of selection: argument structure, clausal complements, voice, verb form, case, tense.

The rules for every function are in `phenomenon.py`.
"""

from collections.abc import Callable

from minimal_pairs.grammar import (
    BE_PAST,
    BE_PRESENT,
    DO,
    GIFTS,
    HAVE,
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
    "transitivity",
    "selection",
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
        # Nor unaccusatives: governments disappear people.
        wrong = g.verb("intransitive", "strict", without=("unaccusative",))
        q = g.predicate(wrong, subject.agr, tense=p.tense, timed=0)
        bad = say(subject.text, p.aux, q.form, p.rest)
        return g.frame(say(subject.text, p.aux, p.form, p.rest), bad, tense=p.tense)
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
        return g.frame(*contrast(thing.text, (p.text, say(p.aux, q.form, p.tail))), tense=p.tense)
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
    return g.frame(*contrast(subject_text, (good, bad), obj, tail))


CAUSATIVES = (
    ("dropped", "fell", ("fragile", "tool")),
    ("raised", "rose", ("tool", "container")),
    ("delivered", "arrived", ("container", "furniture", "machine")),
    ("brought", "came", ("snack", "tool", "container")),
    ("displayed", "appeared", ("artwork",)),
    ("moved", "went", ("furniture", "vehicle", "container")),
    ("caused", "happened", ("mishap",)),
    ("trimmed", "bloomed", ("plant",)),
    ("killed", "died", ("plant",)),
    ("ruined", "decayed", ("artwork", "building")),
    ("built", "existed", ("building",)),
)
PARTICIPLES = {
    "fell": "fallen",
    "rose": "risen",
    "came": "come",
    "went": "gone",
}


LOOT = ("clothing", "artwork", "machine", "instrument", "vehicle")


@phenomenon(
    "argument-alternation",
    "selection",
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
                *contrast(subject.text, (forms(giving), forms(verb)), goal, theme, tail),
                tense=tense,
            )
        return g.frame(
            *contrast(subject.text, forms(verb), ("", goal), theme, (say("to", goal), ""), tail),
            tense=tense,
        )
    if kind == 2:
        return fill_or_pour(g, subject.text, forms, tail, tense)
    if kind == 3:
        victim = g.role(rich=0.15).text
        rob = Verb("rob", "robs", "robbed", "robbed", "robbing")
        steal = Verb("steal", "steals", "stole", "stolen", "stealing")
        loot = "the money" if g.draw.chance(0.3) else g.definite(LOOT).text
        return g.frame(
            *contrast(subject.text, (forms(rob), forms(steal)), victim, "of", loot, tail),
            tense=tense,
        )
    put = Verb("put", "puts", "put", "put", "putting")
    theme = g.thing(("tool", "text", "clothing", "fragile"), rich=0.15).text
    goal = say(g.draw.pick(("on", "under", "next to", "behind")), g.definite(("furniture",)).text)
    if g.draw.chance(0.5):
        return g.frame(
            *contrast(subject.text, forms(put), theme, (goal, ""), tail),
            tense=tense,
        )
    keep = g.verb("getting")
    return g.frame(
        *contrast(subject.text, (forms(keep), forms(put)), theme, tail),
        tense=tense,
    )


def fill_or_pour(
    g: Grammar, subject: str, forms: Callable[[Verb], str], tail: str, tense: str
) -> Pair:
    """Return a pair of a container verb and a content verb, one with the frame of the other."""
    liquid = g.noun("drink_mass").singular
    cold = g.draw.pick(("", "", "cold ", "hot ", "fresh "))
    vessel = "the " + g.draw.pick(
        ("glass", "cup", "bowl", "bottle", "bucket", "teapot", "pitcher", "jug", "mug", "vase")
    )
    fill, pour = Verb("fill", "fills", "filled", "filled", "filling"), g.verb("pour")
    good_fill = say(subject, forms(fill), vessel, f"with {cold}{liquid}", tail)
    good_pour = say(subject, forms(pour), f"the {cold}{liquid} into", vessel, tail)
    if g.draw.chance(0.5):
        bad = say(subject, forms(fill), f"the {cold}{liquid} into", vessel, tail)
        return g.frame(good_pour, bad, tense=tense)
    bad = say(subject, forms(pour), vessel, f"with {cold}{liquid}", tail)
    return g.frame(good_fill, bad, tense=tense)


@phenomenon(
    "complement-selection",
    "selection",
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
        return gerund_or_infinitive(g, kind, subject.text, finite, tense)
    inner = g.clause(
        among=("past", "past", "pluperfect") if past else ("past", "perfect", "future")
    )
    if kind == 3:
        verb = g.verb("only_that")
        return contrast(subject.text, finite(verb), ("that", "whether"), inner.text)
    if kind == 4:
        verb = g.verb("only_whether")
        return contrast(subject.text, finite(verb), ("whether", "that"), inner.text)
    # Singular: `persuaded the boys help` and `… that help` have finite readings.
    other = g.person(SINGULAR, rich=0.1)
    verb = g.deed()
    obj = g.object_of(verb, rich=0.2).text if verb.objects else ""
    if g.draw.chance(0.5):
        cause = g.verb("object_infinitive")
        return g.frame(
            *contrast(subject.text, finite(cause), other.text, ("to", ""), verb.base, obj),
            tense=tense,
        )
    cause = g.verb("bare_infinitive")
    return g.frame(
        *contrast(subject.text, cause.past, other.text, ("", "to"), verb.base, obj),
        tense="past",
    )


def gerund_or_infinitive(
    g: Grammar, kind: int, subject: str, finite: Callable[[Verb], str], tense: str
) -> Pair:
    """Return a pair of a verb that selects a gerund and one that selects an infinitive."""
    # With an object: a gerund alone may be a noun (`they promised dancing`).
    verb = g.action(without=("stative", "unplanned"))
    obj = g.object_of(verb, rich=0.2).text
    gerund, infinitive = g.verb("gerund"), g.verb("infinitive")
    if kind == 0:
        return g.frame(
            *contrast(subject, finite(gerund), (verb.gerund, say("to", verb.base)), obj),
            tense=tense,
        )
    if kind == 1:
        return g.frame(
            *contrast(subject, finite(infinitive), (say("to", verb.base), verb.gerund), obj),
            tense=tense,
        )
    if g.draw.chance(0.5):
        return g.frame(
            *contrast(subject, (finite(gerund), finite(infinitive)), verb.gerund, obj),
            tense=tense,
        )
    return g.frame(
        *contrast(subject, (finite(infinitive), finite(gerund)), "to", verb.base, obj),
        tense=tense,
    )


@phenomenon(
    "passive",
    "selection",
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
            *contrast(
                patient.text, be, (verb.participle, wrong.participle), "by", agent.text, tail
            ),
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
    verb = g.action(
        without=(
            *("stative", "unplanned", "ergative", "benefactive"),
            *("person", "animal", "pet", "drink"),
        )
    )
    patient = g.thing(verb.objects, rich=0.15)
    be = (BE_PAST if past else BE_PRESENT)[patient.agr]
    if kind == 2:
        # The passive has no place for the object that became its subject.
        extra = g.definite(verb.objects).text
        if not past:
            be = say(HAVE[patient.agr], "been")
        return g.frame(
            *contrast(patient.text, be, verb.participle, ("", extra), "by", agent.text, tail),
            tense=tense,
        )
    return passive_forms(g, patient, verb, agent.text, past=past)


def passive_forms(g: Grammar, patient: Phrase, verb: Verb, agent: str, *, past: bool) -> Pair:
    """Return a pair of passives, one with a wrong form of its auxiliary or verb."""
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
        *contrast(patient.text, (right, wrong), "by", agent),
        tense="past" if past else "present",
    )


# Past and third person singular; then past, plural and third person singular.
RAISING = (("seemed", "seems"), ("appeared", "appears"), ("happened", "happens"))
CONTROL = (
    *(("tried", "tries"), ("hoped", "hopes"), ("decided", "decides")),
    *(("refused", "refuses"), ("agreed", "agrees")),
)
BELIEVE = (
    ("believed", "believe", "believes"),
    ("expected", "expect", "expects"),
    ("wanted", "want", "wants"),
)
PERSUADE = (
    ("persuaded", "persuade", "persuades"),
    ("forced", "force", "forces"),
    ("convinced", "convince", "convinces"),
)


@phenomenon(
    "control-raising",
    "selection",
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
    raising, control = g.draw.pick(RAISING), g.draw.pick(CONTROL)
    raise_form, control_form = raising[not past], control[not past]
    tense = "past" if past else "present"
    if kind == 0:
        return g.frame(
            *contrast("there", (raise_form, control_form), "to be", g.article(head), site),
            tense=tense,
        )
    subject = g.person(rich=0.15)
    if kind == 1:
        # Seem has no subject of its own beside a finite clause.
        c = g.clause(g.event(), among=("past", "past", "pluperfect"), timed=0.3)
        verbs = g.verb("statement"), g.verb("seeming")
        good, bad = (v.past if past else v.present(subject.agr) for v in verbs)
        return contrast(subject.text, (good, bad), "that", c.text)
    be = BE_PAST if past else BE_PRESENT
    if kind == 2:
        likely = g.draw.pick(("likely", "certain", "sure"))
        eager = g.draw.pick(("eager", "reluctant", "willing", "anxious", "keen"))
        return g.frame(
            *contrast("there", be[SINGULAR], (likely, eager), "to be", g.article(head), site),
            tense=tense,
        )
    if kind == 3:
        # A tough adjective has a gap in its infinitive, a control adjective has none.
        verb = g.verb("transitive", "person", "needy")
        tough = g.draw.pick(("easy", "difficult", "hard", "impossible"))
        eager = g.draw.pick(("eager", "reluctant", "willing", "keen", "determined"))
        start = say(subject.text, be[subject.agr])
        if g.draw.chance(0.5):
            return g.frame(*contrast(start, (tough, eager), "to", verb.base), tense=tense)
        obj = g.person(rich=0.1).text
        return g.frame(
            *contrast(start, (eager, tough), "to", verb.base, obj),
            tense=tense,
        )
    believe, persuade = g.draw.pick(BELIEVE), g.draw.pick(PERSUADE)
    slot = 0 if past else (2 if subject.singular else 1)
    return g.frame(
        *contrast(
            subject.text, (believe[slot], persuade[slot]), "there to be", g.article(head), site
        ),
        tense=tense,
    )


@phenomenon(
    "verb-form",
    "selection",
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
        return g.frame(*contrast(subject.text, (verb.past, verb.participle), obj, tail))
    if kind < 2:
        have = g.draw.pick((HAVE[agr], "had"))
        wrong = verb.past if irregular and g.draw.chance(0.6) else None
        wrong = wrong or g.draw.pick((verb.base, verb.gerund, verb.third))
        right, tense = verb.participle, "past" if have == "had" else "perfect"
        aux = have
    elif kind == 2:
        aux = g.draw.pick(("will", "can", "should", "must", "might", "could"))
        middle = g.draw.pick(("", "", "", "not", "never", "soon"))
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
        middle = middle if middle == "already" else ""
        return contrast(aux, subject.text, middle, (right, wrong), obj, end="?")
    return g.frame(
        *contrast(subject.text, aux, middle, (right, wrong), obj),
        tense=tense,
    )


@phenomenon(
    "pronoun-case",
    "selection",
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
            return contrast(main, after, (nominative, accusative), rest)
        return g.frame(
            *contrast((nominative, accusative), rest), tense=clause.predicate.tense, share=0.6
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
    "selection",
    "an adverbial of time agrees with the tense of its clause, at any distance",
    "Klein 1992 (present perfect puzzle); Comrie 1985",
)
def tense_adverbial(g: Grammar) -> Pair:
    past_time = g.draw.pick(
        ("yesterday", "last week", "last year", "two days ago", "an hour ago", "last Monday")
    )
    future_time = g.draw.pick(
        ("tomorrow", "next week", "next year", "tomorrow morning", "next Monday", "tomorrow night")
    )
    subject = g.person(rich=0.2)
    verb = g.deed()
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
        return contrast(subject.text, right, obj, (time, other))
    before = time[0].upper() + time[1:]
    good, bad = (
        say(f"{before},", subject.text, right, obj),
        say(f"{before},", subject.text, wrong, obj),
    )
    return g.frame(good, bad, suffix=True, share=0.0, tense=tense)
