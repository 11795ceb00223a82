"""What to run: environment variables to a command line. Pure."""
