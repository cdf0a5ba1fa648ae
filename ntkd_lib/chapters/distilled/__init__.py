"""The distilled tangent kernel with its whole cost counted (notebook 06)."""

NOTEBOOK = "06_distilled_ntk"
