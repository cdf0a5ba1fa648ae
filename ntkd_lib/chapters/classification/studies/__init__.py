"""Side questions of notebook 01, one per file."""
