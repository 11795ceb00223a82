"""`python -m bench`: what the proxy costs and how long it keeps a token, beside a plain handler."""
