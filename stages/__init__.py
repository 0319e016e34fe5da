"""The stages of dvc.yaml: each module is a script, `python -m stages.<name>`."""
