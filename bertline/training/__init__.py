"""Training: the resumable loop, recipes, and the corruptions of intermediate training."""
