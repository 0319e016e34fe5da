"""The report's part on other topic models, and on whether topics come again."""

from html import escape

import pandas as pd

from bertline.figures.results import OWN, SPREAD, Topics
from bertline.report.page import known, number, share, table

LEADING = "npmi_times_coverage"


def mean_by_model(results: Topics) -> pd.DataFrame:
    """Return the means over numbers of topics, by model, the best product first."""
    asked = results.baselines[results.baselines["requested_topics"].notna()]
    means = asked.groupby("model").mean(numeric_only=True)
    return means.sort_values([LEADING, "npmi"], ascending=False, kind="stable")


def baselines_sentence(results: Topics) -> str:
    """Return who leads on coherence times coverage, and by how much, in words."""
    means = mean_by_model(results)[LEADING].dropna()
    if OWN not in means or len(means) < 2:
        return "There are no other models to compare with."
    others = means.drop(OWN)
    best = str(others.index[0])
    own, other = float(means[OWN]), float(others.iloc[0])
    what = "On coherence times coverage, the mean over the numbers of topics,"
    figures = f"{number(own)} against {number(other)}"
    spread = results.baselines.loc[
        results.baselines["model"] == best, SPREAD
    ].max()  # NaN for one seed
    if known(spread) and abs(own - other) <= spread:
        return (
            f"{what} Bertline and {best} cannot be told apart: {figures}, and another seed alone "
            f"moves {best} by as much (SD up to {number(spread)})."
        )
    if own == other:
        return f"{what} Bertline and {best} are level: {figures}."
    if own > other:
        return f"{what} Bertline leads: {figures} of the next best, {best}."
    return f"{what} {best} leads and Bertline is behind by {number(other - own)}: {figures}."


def baselines_table(results: Topics) -> str:
    """Return the table of all models at every number of topics."""
    rows = []
    for row in results.baselines.to_dict("records"):
        asked = row["requested_topics"]
        rows.append(
            [
                escape(row["model"]),
                f"{asked:.0f}" if known(asked) else "its own",
                f"{row['topics']:.0f}" if known(row["topics"]) else "–",
                share(row["coverage"]),
                *(number(row[name]) for name in ("npmi", "c_v", "diversity", "ami", LEADING)),
            ]
        )
    header = [
        *("Model", "Topics asked", "Topics found", "Coverage", "NPMI", "C_V", "Diversity", "AMI"),
        "NPMI × coverage",
    ]
    caption = "Every model on the same documents, measured over the same vocabulary."
    own = [row["model"] == OWN for row in results.baselines.to_dict("records")]
    return table(header, rows, numeric=range(1, len(header)), caption=caption, marked=own)


def baselines(results: Topics) -> str:
    """Return the section on other models."""
    return "\n".join(
        [
            f"<p>{escape(baselines_sentence(results))}</p>",
            "<p class=quiet>Coverage is the share of documents that a model gives a topic. NPMI "
            "and C_V ask whether a topic’s words occur together; diversity, whether topics have "
            "words of their own; AMI, whether topics agree with the documents’ known groups. A "
            "model that leaves out what is hard gets coherent topics cheaply, so coherence is "
            "multiplied by coverage. Other models’ figures are means over their seeds, Bertline’s "
            "those of its one fit; LDA and NMF see words only, the others the same vectors as "
            "Bertline.</p>",
            baselines_table(results),
        ]
    )


def stability(results: Topics) -> str:
    """Return what the topics' stability is, in words."""
    refits = results.refits
    if not refits.get("topics"):
        return "<p>There are no topics to find again.</p>"
    inside = share(refits.get("documents_in_stable_topics"))
    fits = f"{refits['min_topics']} to {refits['max_topics']} topics"
    return (
        f"<p>The documents were grouped again {refits['refits']} times, with other random numbers "
        f"and with other draws of the documents: {refits['stable_topics']} of {refits['topics']} "
        f"topics are <b>stable</b> (from .75 on: they come again nearly document for document), "
        f"{refits['partly_stable_topics']} <b>partly stable</b>, and "
        f"{refits['unstable_topics']} <b>unstable</b> (below .5: in other fits they dissolve into "
        f"others, so do not build on them; the map shows them faded). {inside} of all documents "
        f"are in the core of a stable topic. The other fits found {fits}. What chance gives is "
        f"taken off.</p>"
    )
