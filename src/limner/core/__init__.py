"""The nouns of Limner: plain frozen values on NumPy, without I/O beyond their own files and without torch."""
