"""The section `topic_fit` of params.yaml, which stages that fit in the same way read as well."""

from bertline.core import params
from bertline.core.params import Section
from bertline.topics.clustering import Hdbscan, Map, Umap
from bertline.topics.outliers import Outliers
from bertline.topics.words import Words


class TopicFit(Section):
    """The section `topic_fit` of params.yaml."""

    seed: params.Seed
    umap: Umap
    map: Map
    hdbscan: Hdbscan
    outliers: Outliers
    words: Words
