"""Optics: differentiable front ends, metasurface design and fabrication errors."""

from ntkd_lib.imports import lazy_exports

_HOMES = {
    "CapturedMaskStudent": "captured_masks",
    "CapturedStudent": "captured",
    "CascadeFrontEnd": "cascade",
    "DeepFrontEnd": "absorber",
    "Device": "device",
    "Geometry": "geometry",
    "HybridStudent": "student",
    "IdealLens": "front_end",
    "SignedFrontEnd": "front_end",
    "buildable": "pillars",
    "cifar_student": "student",
    "count_macs": "energy",
    "design_widths": "design",
    "drawn_errors": "strength",
    "effective_filters": "design",
    "mnist_student": "student",
    "pillar_phase": "pillars",
    "read_gds": "layout",
    "split_signed": "front_end",
    "student_trace_ntk": "tangent",
    "write_gds": "layout",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
