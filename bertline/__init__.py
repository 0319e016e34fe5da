"""Bertline's library: what the stages call, importable from a notebook.

Each folder has one concern, which its docstring states. Imports go one way: `core` imports none
of the others; `sources`, `corpora`, `encoders`, `scoring` and `topics` import `core`; `training`
imports `encoders` and `scoring`; `figures` import `scoring` and `topics`, `report` imports
`figures`; `runs` and `apply` stand beside the stages. The library never imports a stage.
"""
