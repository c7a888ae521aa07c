"""From files to samples: layouts, pictures, masks, checks and splits. NumPy only, no torch."""
