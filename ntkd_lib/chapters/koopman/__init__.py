"""Koopman students against least squares (notebook 04)."""

NOTEBOOK = "04_koopman_vs_least_squares"
