"""Hypothesis measures no time: a busy machine is no reason to fail."""

from hypothesis import settings

settings.register_profile("limner", deadline=None)
settings.load_profile("limner")
