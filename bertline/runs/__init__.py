"""Recorded runs: what dvc.lock, receipts and metrics record of a run, and the comparison of two.

`verify` finds the first stage in which two runs differ, and why; `compare` tests whether their MCC
differs; `cache` hashes DVC's cache.
"""
