"""The platform: its SDK, the jobs that it gives, the results that it gets."""
