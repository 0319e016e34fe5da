"""The report's part on topics: measures and the frequency table of the documents' branch."""

from html import escape

from bertline.figures.results import OUTLIERS, Topics, topic_name
from bertline.report.page import number, table
from bertline.report.page import share as share_of

TOPICS_SHOWN = 30
WORDS_SHOWN = 8


def key_topics(results: Topics) -> str:
    """Return the table of the topics' measures, with what each means."""
    measures = results.measures
    outliers = results.outliers
    share = f"{outliers:,} ({outliers / max(results.documents, 1):.1%})"
    sizes = results.table["count"]
    entries = [
        ("Documents", f"{results.documents:,}", ""),
        ("Topics", f"{len(results.table):,}", "outliers not counted"),
        (
            "In the core of a topic",
            share_of(measures.get("core_share")),
            "documents that HDBSCAN is sure of; they give topics their words",
        ),
        ("Outliers", share, "documents in no topic after the others were given the nearest one"),
        (
            "Documents per topic",
            f"{sizes.median():,.0f} (largest {sizes.max():,})" if len(sizes) else "–",
            "median, without outliers",
        ),
        (
            "Diversity",
            number(measures.get("diversity")),
            "share of distinct words among the topics' words; 1 means that none is repeated",
        ),
        (
            "NPMI",
            number(measures.get("npmi")),
            "coherence: how much more often a topic's words occur together than by chance, "
            "from \N{MINUS SIGN}1 to 1",
        ),
        (
            "NPMI times coverage",
            number(measures.get("npmi_times_coverage")),
            "coherence times the share of documents in a topic: no merit in leaving many out",
        ),
        (
            "C_V",
            number(measures.get("c_v")),
            "another coherence, over wider windows, that people agree with; up to 1",
        ),
    ]
    if measures.get("nmi") is not None:
        known = "agreement with the documents' known groups, from 0 to 1"
        entries += [
            ("NMI", number(measures["nmi"]), f"{known}; outliers as one more topic"),
            (
                "NMI without outliers",
                number(measures.get("nmi_without_outliers")),
                "the same over documents in a topic",
            ),
            (
                "AMI",
                number(measures.get("ami")),
                "agreement beyond chance: 0 for topics that were dealt out at random",
            ),
            (
                "Homogeneity, completeness",
                f"{number(measures.get('homogeneity'))}, {number(measures.get('completeness'))}",
                "does a topic hold one group only; does a group lie in one topic only",
            ),
        ]
    else:
        entries.append(("NMI", "–", "the documents have no known groups to agree with"))
    rows = [[escape(name), value, meaning] for name, value, meaning in entries]
    return table(["Measure", "Value", "Meaning"], rows, numeric=[1], caption="Key figures")


def topic_table(results: Topics) -> str:
    """Return the frequency table: the outliers apart, then the largest topics."""
    shown = results.table.head(TOPICS_SHOWN)
    total = max(results.documents, 1)
    rows = [
        [
            *(str(topic), f"{count:,}", f"{count / total:.1%}", _stability(results, topic)),
            escape(topic_name(words, WORDS_SHOWN)),
        ]
        for topic, count, words in shown[["topic", "count", "words"]].itertuples(index=False)
    ]
    outliers = results.outliers
    rows.insert(
        0,
        [
            *(str(OUTLIERS), f"{outliers:,}", f"{outliers / total:.1%}", ""),
            "<i>outliers, in no topic</i>",
        ],
    )
    rest = results.table.iloc[TOPICS_SHOWN:]
    if len(rest):
        count = int(rest["count"].sum())
        label = f"<i>{len(rest):,} smaller topics together</i>"
        rows.append(["", f"{count:,}", f"{count / total:.1%}", "", label])
    header = ["Topic", "Documents", "Share", "Stability", "Words that set it apart"]
    caption = f"The {len(shown)} largest of {len(results.table):,} topics."
    return table(header, rows, numeric=[0, 1, 2], caption=caption)


def number_table(results: Topics) -> str:
    """Return the table of the model at other numbers of topics, by its merge tree."""
    rows = [
        [
            f"{int(row.topics):,}",
            number(row.npmi),
            number(row.diversity),
            number(row.ami),
            number(row.npmi_times_coverage),
        ]
        for row in results.by_number.itertuples()
    ]
    return table(
        ["Topics", "NPMI", "Diversity", "AMI", "NPMI times coverage"],
        rows,
        numeric=[0, 1, 2, 3, 4],
        caption="The same topics merged to fewer, along the tree.",
    )


def _stability(results: Topics, topic: int) -> str:
    """Return how well a topic comes again, and the word for it, a dash where it is not known."""
    found = results.stability_of(topic)
    return "–" if found is None else f"{number(found[0])} {found[1]}"
