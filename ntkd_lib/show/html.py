"""Safe HTML: every text is escaped unless it was built here."""

import html
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
LINK_ATTRIBUTES = frozenset({"href", "src"})
SCHEMES = frozenset({"", "https", "http", "mailto"})
INLINE_IMAGE = "data:image/svg+xml;base64,"


class Html(str):
    """Text that is already HTML, shown as HTML by Jupyter."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def escape(value: object) -> Html:
    """Escape a value for HTML text, a quoted attribute or a Markdown fence."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(str(value), quote=True).replace("`", "&#96;"))


def _check_link(value: str) -> str:
    if urlsplit(value.strip()).scheme.lower() not in SCHEMES and not value.startswith(INLINE_IMAGE):
        raise ValueError(f"link {value[:40]!r} refused: only relative, http(s) and mailto links are allowed")
    return value


def _attribute(name: str, value: object) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = _check_link(str(value)) if name in LINK_ATTRIBUTES else str(value)
    return f' {name}="{escape(text)}"'


def element(tag: str, *children: object, **attributes: object) -> Html:
    """Build one element; children are escaped unless they are `Html`."""
    opening = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    if tag in VOID:
        return Html(opening)
    return Html(f"{opening}{''.join(escape(child) for child in children)}</{tag}>")


def join(parts: Iterable[object], separator: str = "") -> Html:
    """Join parts into one piece of HTML, escaping those that are not `Html`."""
    return Html(escape(separator).join(escape(part) for part in parts))


def scrolling(content: Html, label: str) -> Html:
    """Wrap wide content in a region that scrolls by mouse and by keyboard."""
    return element("div", content, class_="ntkd-scroll", role="region", aria_label=label, tabindex="0")


def table(
    headers: Sequence[object],
    rows: Sequence[Sequence[object]],
    *,
    caption: str,
    row_ids: Sequence[str] | None = None,
    class_: str = "",
) -> Html:
    """Build a scrolling table with a caption, column headers, and row headers in the first column."""
    # Roles are explicit: some tables are blocks in a narrow window, which would lose them.
    head = element("tr", *(element("th", h, scope="col", role="columnheader") for h in headers), role="row")
    ids = row_ids or [None] * len(rows)
    built = element(
        "table",
        element("caption", caption),
        element("thead", head, role="rowgroup"),
        element("tbody", *map(_row, rows, ids, [headers] * len(rows)), role="rowgroup"),
        class_=f"ntkd-table {class_}".strip(),
        role="table",
    )
    return scrolling(built, caption)


def _row(cells: Sequence[object], anchor: str | None, headers: Sequence[object]) -> Html:
    first = element("th", cells[0], scope="row", role="rowheader")
    others = [
        element("td", cell, role="cell", data_label=None if isinstance(header, Html) else header)
        for cell, header in zip(cells[1:], headers[1:], strict=True)
    ]
    return element("tr", first, *others, id=anchor, role="row")


def definitions(pairs: Mapping[str, object]) -> Html:
    """Build a list of names and values."""
    items = [join([element("dt", name), element("dd", value)]) for name, value in pairs.items()]
    return element("dl", *items, class_="ntkd-facts")


def small(*children: object) -> Html:
    """Build a remark in small print."""
    return element("span", *children, class_="ntkd-small")


def fold(title: object, *children: object, class_: str | None = "ntkd-fold") -> Html:
    """Build a part that opens by its title."""
    return element("details", element("summary", title), *children, class_=class_)


def raw_block(content: Html) -> str:
    """Wrap HTML for a MyST page."""
    return f"\n```{{raw}} html\n{content}\n```\n"
