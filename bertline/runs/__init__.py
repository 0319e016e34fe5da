"""Recorded runs: read what DVC and the receipts recorded, verify and compare two runs."""
