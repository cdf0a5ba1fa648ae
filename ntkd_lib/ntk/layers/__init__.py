"""How each type of layer turns its input and the signal at its output into per-sample gradients."""
