"""Running it: the loop, the engine, the proxy process."""
