"""Side studies of notebook 07, one file each."""
