"""Samplers of the points of a training step, behind one interface."""
