"""Side questions of notebook 07, one file each."""
