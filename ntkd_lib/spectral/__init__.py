"""Spectral students, the certificates that they can honestly carry, and a test of overfitting."""
