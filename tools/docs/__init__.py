"""Makes what is written from the catalogues and the tables: `python -m tools.docs`.

The forms that RunPod shows (`worker-config.json`, `.runpod/`), `docs/configuration.md`,
`docs/migrate.md`, and the
options that all versions have in common, which the supervisor falls back to.
"""
