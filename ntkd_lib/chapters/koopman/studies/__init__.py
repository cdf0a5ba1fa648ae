"""Side questions of notebook 04, one file each."""
