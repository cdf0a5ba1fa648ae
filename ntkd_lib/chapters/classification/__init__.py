"""NTK distillation of hybrid optical classifiers of digits and colour images (notebook 01)."""

NOTEBOOK = "01_ntkd_classification"
