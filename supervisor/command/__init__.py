"""What to run: environment variables to a command line. Pure.

::

    plan              what will be run: `make` puts the passes together
    translate         a variable to the option of its name; `values` checks what it says
    legacy/           the names of older workers
    successors        what took the place of an option that is gone
    spelling/         names that are meant as a setting, and are none
    chat_template     a template that has to be a file
    arguments         a command line as a list of options; `extra_arguments` those of the user
    command_line      what is written behind the image's name
    served            the model and its names
    listening         the engine's address, and how it stops listening
    explain           a plan as JSON and as text
"""
