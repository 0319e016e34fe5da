"""Where bytes come from: the catalogue of `sources.yaml`, and fetching, verifying and caching.

Every byte is held against the SHA-256 that the catalogue states before anything reads it.
"""
