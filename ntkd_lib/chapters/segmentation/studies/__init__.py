"""Side studies of notebook 02."""
