"""Kernels of infinitely wide ReLU networks in closed form."""
