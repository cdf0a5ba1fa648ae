"""Text never becomes markup, whatever it holds."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.show.html import Html, definitions, element, escape, join, raw_block, scrolling, table


class Collector(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def collect(markup):
    collector = Collector()
    collector.feed(markup)
    collector.close()
    return collector


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80)


@given(TEXT)
def test_a_browser_shows_the_text_itself(text):
    found = collect(element("p", text, title=text))
    assert found.tags == ["p"]
    assert "".join(found.text) == text
    assert found.attributes == [("title", text)]


@given(TEXT)
def test_no_value_can_close_the_fence_around_it(text):
    block = raw_block(element("p", text))
    assert block.startswith("\n```{raw} html\n<p>")
    assert block.count("`") == 6


def test_built_html_is_not_escaped_again():
    assert element("p", element("b", "<")) == "<p><b>&lt;</b></p>"
    assert join(["<", Html("<br>")], ", ") == "&lt;, <br>"
    assert escape(escape("&")) == "&amp;"


def test_attributes_are_named_as_in_html():
    made = element("a", "x", class_="c", aria_label="l", download=True, hidden=False, id=None, href="p.html")
    assert made == '<a class="c" aria-label="l" download href="p.html">x</a>'
    assert element("br") == "<br>"


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "file:///etc", "vbscript:x"]
)
def test_links_that_run_code_are_refused(link):
    with pytest.raises(ValueError, match=r"refused: only relative, http\(s\) and mailto links are allowed"):
        element("a", "x", href=link)


@pytest.mark.parametrize("link", ["a.html#b", "https://a.b/?c=d&e=f", "mailto:a@b.c", "_static/a.csv"])
def test_ordinary_links_are_allowed(link):
    assert collect(element("a", "x", href=link)).attributes == [("href", link)]


def test_a_table_names_its_headers_and_rows():
    made = collect(table(["A", "B"], [["1", "<2>"]], caption="All", row_ids=["first"]))
    assert made.tags == ["div", "table", "caption", "thead", "tr", "th", "th", "tbody", "tr", "th", "td"]
    assert made.text == ["All", "A", "B", "1", "<2>"]
    assert made.attributes.count(("scope", "col")) == 2
    assert ("scope", "row") in made.attributes
    assert ("id", "first") in made.attributes
    assert ("data-label", "B") in made.attributes


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        table(["A", "B"], [["1"]], caption="All")


def test_wide_content_can_be_reached_by_keyboard():
    attributes = collect(scrolling(Html("<p>x</p>"), "a table")).attributes
    assert {("role", "region"), ("aria-label", "a table"), ("tabindex", "0")} <= set(attributes)


def test_definitions_keep_their_order():
    assert definitions({"b": 1, "a": "<"}) == (
        '<dl class="ntkd-facts"><dt>b</dt><dd>1</dd><dt>a</dt><dd>&lt;</dd></dl>'
    )


def test_jupyter_shows_html_as_html():
    assert Html("<p>x</p>")._repr_html_() == "<p>x</p>"
