"""Coordinate networks trained on chosen points: scores, samplers, clock, metrics."""

from ntkd_lib.imports import lazy_exports

_HOMES = {
    "Egra": "samplers.egra",
    "ErrorMemory": "samplers.error_memory",
    "ErrorMix": "samplers.error_mix",
    "Evos": "samplers.evos",
    "ExpansiveSupervision": "samplers.expansive",
    "TrainingRun": "training",
    "FourierFeatures": "networks",
    "FullBatch": "samplers.full",
    "HashGrid": "hash_grid",
    "IntTeaching": "samplers.int_teaching",
    "Lpips": "perceptual",
    "Nint": "samplers.nint",
    "Signal": "signals",
    "SoftMining": "samplers.soft_mining",
    "UniformDraw": "samplers.uniform",
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
