"""Errors that a user can act on, and the one line that they are told in."""

import difflib
from collections.abc import Iterable

_LONGEST = 400


class PipelineError(RuntimeError):
    """Something that the user can put right; the text is one line."""


def one_line(error: BaseException | str) -> str:
    """Squeeze an error's text into one line of at most 400 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Suggest the allowed name that looks most like a given one."""
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""
