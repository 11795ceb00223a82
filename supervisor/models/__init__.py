"""Where a model comes from: baked into the image, kept by the platform, on a volume, or the hub.

::

    bake.py      `python -m supervisor bake`: downloads a model into a folder, with a manifest
    download.py  the download itself; a script for the engine's interpreter, imports nothing of ours
    look.py      what of MODEL_NAME is on this machine already
    found.py     what follows from that for the command and the engine's environment. Pure
"""
