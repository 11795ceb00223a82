"""What another interpreter runs, as a file or a folder. Imports nothing of ours.

::

    introspect/   prints what the installed vLLM accepts
    download/     downloads a model
    reading/      reads a model's weights into the page cache
    probe         prints what this machine has
    guardian      kills the groups of a supervisor that is gone
"""
