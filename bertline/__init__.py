"""Bertline's library: what the stages call, importable from a notebook.

Each folder is a room for one concern and says in its own docstring what lives there. Arrows go one
way: `core` imports no other room; `sources`, `corpora`, `encoders` and `scoring` import `core`;
`training` and `topics` import `encoders`; `figures` read tables, and `report` shows figures; `runs`
and `apply` stand beside the stages. The library never imports a stage.
"""
