"""A Sphinx extension: formulas and signatures of docstrings, and links from a bibliography to citations."""

import re
from typing import Any

_DISPLAYED = re.compile(r"^( *)\$\$(.+?)\$\$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"\$([^$\n]+)\$")
_OBJECT = re.compile(r"<(?:\w+ )?(\w+)(?: at 0x\w+)?>")


def setup(app: Any) -> dict[str, bool]:
    """Translate docstrings before napoleon reads their sections, and signatures before Sphinx parses them."""
    app.connect("autodoc-process-docstring", _translate, priority=400)
    app.connect("autodoc-process-signature", _parsable)
    app.connect("doctree-resolved", _link_back)
    return {"parallel_read_safe": True}


def _translate(app: Any, what: str, name: str, definition: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Rewrite the lines of a docstring in place; the other arguments are Sphinx's."""
    lines[:] = formulas_as_directives("\n".join(lines)).split("\n")


def _parsable(*event: Any) -> tuple[str | None, str | None]:
    """Return arguments and result of a signature; an object that is a default is written as its name."""
    arguments, result = event[-2:]
    return named_defaults(arguments or "") or None, result


def _link_back(app: Any, page: Any, name: str) -> None:
    """Link each entry of a page's bibliography to the first place of each page that cites it."""
    from docutils import nodes

    citations = app.env.get_domain("cite")
    own = (entry for entry in citations.citations if entry.bibliography_key.docname == name)
    keys = {entry.citation_id: entry.key for entry in own}
    for node in (each for each in page.findall(nodes.citation) if keys.keys() & set(each["ids"])):
        key = next(keys[each] for each in node["ids"] if each in keys)
        uses = [ref for ref in citations.citation_refs if key in {target.key for target in ref.targets}]
        line = nodes.paragraph("", "Cited in: " if uses else "Not cited.", classes=["ntkd-cited"])
        for place, anchor in sorted({ref.docname: ref.citation_ref_id for ref in reversed(uses)}.items()):
            address, title = f"{app.builder.get_relative_uri(name, place)}#{anchor}", app.env.titles[place]
            comma = nodes.Text("; " if len(line) > 1 else "")
            line += [comma, nodes.reference("", title.astext(), refuri=address, internal=True)]
        node += line


def named_defaults(arguments: str) -> str:
    """Write objects among the defaults of a signature as their names."""
    return _OBJECT.sub(r"\1", arguments)


def formulas_as_directives(text: str) -> str:
    """Write formulas in Sphinx's own markup."""
    return _INLINE.sub(r":math:`\1`", _DISPLAYED.sub(_directive, text))


def _directive(formula: re.Match[str]) -> str:
    indent, text = formula.groups()
    lines = [f"{indent}   {line.strip()}" for line in text.splitlines()]
    return "\n".join([f"{indent}.. math::", "", *lines, "", ""])
