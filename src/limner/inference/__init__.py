"""Prediction on NumPy arrays, whatever runtime computes."""
