"""The section `topic_fit` of params.yaml, which stages that fit in the same way read as well."""

from stages import params
from stages.params import Section
from stages.topic_outliers import Outliers
from stages.topic_reduce import Hdbscan, Map, Umap
from stages.topic_words import Words


class TopicFit(Section):
    """The section `topic_fit` of params.yaml."""

    seed: params.Seed
    umap: Umap
    map: Map
    hdbscan: Hdbscan
    outliers: Outliers
    words: Words
