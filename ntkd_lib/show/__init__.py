"""Figures and claim tables: style, publishing, and one drawing module a notebook."""
