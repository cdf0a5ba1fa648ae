"""Experiments: one package a notebook, with its parameters, its plan of cells and its summary."""
