"""Samplers: which points a training step sees. One file each, one interface."""
