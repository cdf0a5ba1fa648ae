"""Side questions of notebook 06, one file each."""
