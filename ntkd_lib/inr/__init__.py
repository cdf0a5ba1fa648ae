"""Coordinate networks trained on chosen points: scores, samplers, clock, metrics."""
