"""Side studies of notebook 04, one file each."""
