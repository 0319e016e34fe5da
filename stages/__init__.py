"""Bertline's stages: each module is a script, `python -m stages.<name>`, and a step of dvc.yaml."""
