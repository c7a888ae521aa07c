"""One verb, one file: keyword arguments in, values out, no printing."""
