"""Small networks of the kinds with which tangent kernels and per-sample gradients are used and reported."""

from tests.ntk.sweep import images, passes, routing, sequences, weights

GROUPS = {
    "positions, layouts and sequences": sequences.CASES,
    "bags, experts, graphs and mixed samples": routing.CASES,
    "pictures, hypernetworks and derivatives": images.CASES,
    "how weights are held, made and shared": weights.CASES,
    "how a forward pass runs": passes.CASES,
}
CASES = [case for cases in GROUPS.values() for case in cases]
