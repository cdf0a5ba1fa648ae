"""Optics: what the light goes through before a digital back end sees it."""
