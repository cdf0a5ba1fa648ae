"""Students behind optics and their teachers: the work that several chapters share."""
