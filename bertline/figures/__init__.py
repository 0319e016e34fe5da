"""Figures: one module each, whose `draw` returns a matplotlib Figure that the caller saves."""
