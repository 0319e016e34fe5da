"""Encoders from a folder on disk: loading, tokenising, pooling, and running them repeatably."""
