"""NTK-guided sampling of coordinate networks (notebook 07)."""

NOTEBOOK = "07_nint_speedup"
