"""The synthetic corpus `minimal-pairs`: its files in `corpus/`, and the grammar that made them.

The files are a source like any other (see sources.yaml). The grammar is outside the pipeline:
`python -m minimal_pairs.generate minimal_pairs/corpus` writes the same bytes again.
"""
