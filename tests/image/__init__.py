"""The image: built from the Dockerfile as it is, and run in containers as a user would run it."""
