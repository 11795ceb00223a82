"""Short names of ends of an engine that more than people go by. The others stand in `rules`."""

OUT_OF_MEMORY = "out-of-memory"
#: The worker itself refused its settings.
CONFIGURATION = "configuration"
#: The engine's command could not be started.
COMMAND_NOT_FOUND = "command-not-found"
COMMAND_NOT_EXECUTABLE = "command-not-executable"
