"""Whether a module computes something else than its class says."""

from torch import nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def is_changed(module: nn.Module) -> bool:
    """Check for hooks, which old reparametrisations also use, and for a forward of the instance's own."""
    return "forward" in vars(module) or any(getattr(module, name) for name in HOOKS)
