"""NTK distillation of a segmentation network with an optical front end (notebook 02)."""

NOTEBOOK = "02_ntkd_segmentation"
