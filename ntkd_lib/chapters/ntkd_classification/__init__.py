"""NTK distillation of a hybrid optical classifier (notebook 01)."""

NOTEBOOK = "01_ntkd_classification"
