"""One runtime, one file; each gives a `Predictor`."""
