"""What a page says where a recorded run is missing."""

from ntkd_lib.figures.html import Html, element


def not_recorded(words: str, module: str) -> Html:
    """Say what is not recorded yet, and the command that records it."""
    return element("p", f"{words} ", element("code", f"python -m {module}"))
