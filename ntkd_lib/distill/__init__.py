"""Distillation: objectives on labels and a teacher, and the training loop."""

from ntkd_lib.imports import lazy_exports

_HOMES = {
    "Batch": "objective",
    "DenseTeacher": "dense",
    "DivergedError": "training",
    "Images": "training",
    "MaskBatch": "dense",
    "MaskSchedule": "mask_training",
    "Masks": "mask_training",
    "ReadOuts": "read_out_training",
    "Schedule": "training",
    "Teacher": "objective",
    "accuracy": "training",
    "boundary_scores": "mask_scores",
    "mean_iou": "mask_scores",
    "fit": "training",
    "fit_masks": "mask_training",
    "fit_read_outs": "read_out_training",
    "predict": "training",
    "predict_masks": "mask_training",
    "random_mirror": "augment",
    "random_shift": "augment",
    "tangent_objective": "tangent",
    "withhold": "withheld",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
