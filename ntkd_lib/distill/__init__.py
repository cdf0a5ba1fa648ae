"""Distillation: the objectives by which a student learns from labels and a teacher, and the training loop."""
