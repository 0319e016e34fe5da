"""The columns of the tables that the stages of topics and the baselines write.

Each CSV table is a mapping of its columns, in their order, to the types that readers want of them.
Imports pyarrow and nothing else.
"""

import pyarrow as pa

OUTLIERS = -1  # the topic of documents in none
MODEL = "Bertline"  # this project's model in tables beside the baselines

# --- measures -------------------------------------------------------------------------------------

QUALITY = ("npmi", "c_v", "diversity")
AGREEMENT = ("nmi", "ami", "ari", "homogeneity", "completeness", "v_measure")
# What compares one set of topics with another.
MEASURES = (
    *("topics", "outlier_share", "coverage", *QUALITY),
    *("ami", "ari", "homogeneity", "completeness", "v_measure", "npmi_times_coverage"),
)
_MEASURES = dict.fromkeys(MEASURES, "float64")

# --- data/topic_fit -------------------------------------------------------------------------------

CLUSTERS = pa.schema(
    [
        ("id", pa.string()),
        ("cluster", pa.int32()),
        ("core_topic", pa.int32()),
        ("probability", pa.float64()),
        ("x", pa.float32()),
        ("y", pa.float32()),
    ]
)

# --- data/topic_words -----------------------------------------------------------------------------

TOPICS = pa.schema(
    [
        ("topic", pa.int32()),
        ("count", pa.int64()),
        ("core", pa.int64()),
        ("name", pa.string()),
        ("words", pa.list_(pa.string())),
        ("weights", pa.list_(pa.float64())),
        ("representative_documents", pa.list_(pa.string())),
    ]
)
ASSIGNMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("topic", pa.int32()),
        ("core_topic", pa.int32()),
        ("probability", pa.float32()),
        ("x", pa.float32()),
        ("y", pa.float32()),
    ]
)
# For people: data/topic_words/documents.csv.
DOCUMENTS = ("id", "text", "group", "date", "topic", "name", "probability")

# --- metrics/topic_words --------------------------------------------------------------------------

FREQUENCIES = {"topic": "int64", "count": "int64", "share": "float64", "name": "str"}
COVERAGE = {
    "strategy": "str",
    "threshold": "float64",
    "words": "str",
    "chosen": "int64",
    **_MEASURES,
}
BY_NUMBER = {"model": "str", "requested_topics": "float64", **_MEASURES}
HIERARCHY = {
    **dict.fromkeys(("node", "left", "right"), "int64"),
    "distance": "float64",
    "count": "int64",
    "words": "str",
}
GROUPS = {"topic": "int64", "group": "str", "documents": "int64"}
OVER_TIME = {"topic": "int64", "period": "str", "documents": "int64", "share": "float64"}

# --- topic_stability ------------------------------------------------------------------------------

MATCHES = pa.schema(
    [
        ("refit", pa.string()),
        ("topic", pa.int32()),
        ("matched", pa.int32()),
        ("jaccard", pa.float64()),
        ("chance", pa.float64()),
    ]
)
STABILITY = {
    **dict.fromkeys(("topic", "core"), "int64"),
    **dict.fromkeys(("stability", "over_seeds", "over_resamples", "over_roundings"), "float64"),
    **dict.fromkeys(("jaccard", "chance"), "float64"),
    "verdict": "str",
}
STABLE, PARTLY, UNSTABLE = "stable", "partly stable", "unstable"  # verdicts

# --- benchmarks/topic_baselines.csv ---------------------------------------------------------------

SPREAD = ("topics", "npmi", "c_v", "diversity", "ami", "npmi_times_coverage")
# Fitted to one half of the documents, and counted in the other.
HELD_OUT = ("npmi_held_out", "npmi_held_out_times_coverage")
BASELINES = {
    **BY_NUMBER,  # requested_topics is empty where a model chooses the number
    **dict.fromkeys(HELD_OUT, "float64"),
    "seeds": "int64",
    **{f"{name}_sd": "float64" for name in SPREAD},  # over seeds
    "corpus": "str",  # `Corpus.fingerprint` of the documents
}
