"""Side questions of notebook 02."""
