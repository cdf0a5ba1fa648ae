"""Find, check and load the data sets, with labelled stand-ins for missing ones."""
