"""The worker's own settings. The engine's options are the business of `command`.

`table` has each setting as one row, `parsers` what its text may say. `values` takes rows from an
environment for any process; `read` is what the supervisor makes of them. Pure, and the standard
library alone: no process, no socket, no `os.environ`.
"""
