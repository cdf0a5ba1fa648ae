"""Run notebooks, seal what they leave, build the book: the top of the library, and its command line."""
