"""Find, check and read the data sets; labelled stand-ins where the real ones cannot be had."""
