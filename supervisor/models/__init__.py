"""Where a model comes from: baked into the image, kept by the platform, on a volume, or the hub.

::

    bake.py       `python -m supervisor bake`: downloads a model into a folder, with a manifest
    hub.py        the cache of the hub's client: where it is, and what in it is whole
    disk.py       what of MODEL_NAME is on this machine already
    stored.py     on which kind of file system it is
    named.py      its folder, where MODEL_NAME is a path
    unseen.py     which of the places for it cannot be read, and why
    weights.py    how many bytes of weights it has, here or at the hub
    shape.py      what its config.json says of its size. Pure
    demand.py     what a command asks of the memory of each GPU. Pure
    fit.py        whether its weights fit into the memory of GPUs. Pure
    placement.py  what follows from that for the command and the engine's environment. Pure
"""
