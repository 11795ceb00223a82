"""`python -m bench`: what the relay costs and how long it keeps a token, beside a plain handler."""
