"""Side studies of notebook 06, one file each."""
