"""Fabrication errors of metasurfaces, and what fine-tuning the back end wins back (notebook 03)."""

NOTEBOOK = "03_fabrication_recovery"
