"""A Sphinx extension: formulas of docstrings between dollar signs, and signatures that can be parsed."""

import re
from typing import Any

_DISPLAYED = re.compile(r"^( *)\$\$(.+?)\$\$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"\$([^$\n]+)\$")
_OBJECT = re.compile(r"<(?:\w+ )?(\w+)(?: at 0x\w+)?>")


def setup(app: Any) -> dict[str, bool]:
    """Translate docstrings before napoleon reads their sections, and signatures before Sphinx parses them."""
    app.connect("autodoc-process-docstring", _translate, priority=400)
    app.connect("autodoc-process-signature", _parsable)
    return {"parallel_read_safe": True}


def _translate(app: Any, what: str, name: str, definition: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Rewrite the lines of a docstring in place; the other arguments are Sphinx's."""
    lines[:] = formulas_as_directives("\n".join(lines)).split("\n")


def _parsable(*event: Any) -> tuple[str | None, str | None]:
    """Return arguments and result of a signature; an object that is a default is written as its name."""
    arguments, result = event[-2:]
    return named_defaults(arguments or "") or None, result


def named_defaults(arguments: str) -> str:
    """Write objects among the defaults of a signature as their names.

    >>> named_defaults("(quality=<function psnr at 0x7f1e>, curve=<factory>)")
    '(quality=psnr, curve=factory)'
    """
    return _OBJECT.sub(r"\1", arguments)


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
