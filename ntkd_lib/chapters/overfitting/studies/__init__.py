"""Side studies of notebook 05, one file each."""
