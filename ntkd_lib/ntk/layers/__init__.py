"""Per-sample gradients of each layer type from its input and the gradient at its output."""
