"""Coordinate networks trained on chosen points: scores, samplers, clock, metrics."""

from ntkd_lib.imports import lazy_exports

_HOMES = {
    "Egra": "samplers.single_rule",
    "ErrorMemory": "samplers.error_memory",
    "ErrorMix": "samplers.single_rule",
    "Evos": "samplers.evos",
    "ExpansiveSupervision": "samplers.single_rule",
    "TrainingRun": "training",
    "FourierFeatures": "networks",
    "FullBatch": "samplers.single_rule",
    "HashGrid": "hash_grid",
    "IntTeaching": "samplers.single_rule",
    "Lpips": "perceptual",
    "Nint": "samplers.nint",
    "Signal": "signals",
    "SoftMining": "samplers.soft_mining",
    "UniformDraw": "samplers.single_rule",
    "build": "networks",
    "chamfer": "shapes",
    "from_pixels": "signals",
    "from_samples": "signals",
    "intersection_over_union": "metrics",
    "psnr": "training",
    "race": "training",
    "race_for_time": "training",
    "si_snr": "metrics",
    "signed_distance": "shapes",
    "ssim": "metrics",
    "surface": "shapes",
    "torus_distance": "signals",
    "waves": "signals",
    "wrap": "network",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
