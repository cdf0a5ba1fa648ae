"""Side questions of notebook 03, one per file."""
