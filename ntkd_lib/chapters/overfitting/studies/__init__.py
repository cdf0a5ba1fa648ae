"""Side questions of notebook 05, one per file."""
