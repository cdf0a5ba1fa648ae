"""Side studies of notebook 01, one per file."""
