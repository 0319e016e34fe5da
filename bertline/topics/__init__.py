"""Topics of documents: vocabulary, clustering, words, outliers, measures, merge tree, stability."""
