"""Empirical tangent kernels: exact kernels, closed forms and landmark features."""
