"""A Sphinx extension: formulas between dollar signs in docstrings, as in the book's pages."""

import re
from typing import Any

_DISPLAYED = re.compile(r"^( *)\$\$(.+?)\$\$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"\$([^$\n]+)\$")


def setup(app: Any) -> dict[str, bool]:
    """Translate docstrings before napoleon reads their sections."""
    app.connect("autodoc-process-docstring", _translate, priority=400)
    return {"parallel_read_safe": True}


def _translate(app: Any, what: str, name: str, definition: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Rewrite the lines of a docstring in place; the other arguments are Sphinx's."""
    lines[:] = formulas_as_directives("\n".join(lines)).split("\n")


def formulas_as_directives(text: str) -> str:
    """Write formulas in Sphinx's own markup.

    >>> print(formulas_as_directives("$$a = b$$ with $b$"))
    .. math::
    <BLANKLINE>
       a = b
    <BLANKLINE>
     with :math:`b`
    """
    return _INLINE.sub(r":math:`\1`", _DISPLAYED.sub(_directive, text))


def _directive(formula: re.Match[str]) -> str:
    indent, text = formula.groups()
    lines = [f"{indent}   {line.strip()}" for line in text.splitlines()]
    return "\n".join([f"{indent}.. math::", "", *lines, "", ""])
