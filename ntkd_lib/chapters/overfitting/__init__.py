"""Spectral students and a test of overfitting without held-out data (notebook 05)."""

NOTEBOOK = "05_spectral_overfitting"
