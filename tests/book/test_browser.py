"""What headless Chromium sees of a page: a good one passes, and each fault is named."""

import pytest

from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.pipeline.book import add_policy
from tests.book import fake
from tests.book.axe import axe_problems, find_axe
from tests.book.browser import BrowserError, browsing, find_browser
from tests.book.check import _look_problems, check_in_browser
from tests.book.sliders import slider_problems
from tests.setup.project import ROOT

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here")
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>x</title></head>
<body><article class="bd-article"><h1>Title</h1>{}</article></body></html>"""


@pytest.fixture(scope="module")
def browser():
    with browsing(PROGRAM) as opened:
        yield opened


def look(browser, folder, body, width=390):
    path = folder / "page.html"
    path.write_text(PAGE.format(body), encoding="utf-8")
    browser.resize(width, 800)
    return browser.open(path.as_uri()), list(_look_problems(browser))


def test_a_good_page_passes(browser, tmp_path):
    seen, problems = look(browser, tmp_path, "<p>Dark on light.</p>")
    assert (seen.errors, seen.outside, problems) == ([], [], [])


@pytest.mark.parametrize(
    "script, words",
    [
        ("console.error('bad', 1)", "bad 1"),
        ("throw new Error('thrown')", "Error: thrown"),
        ("Promise.reject(new Error('late'))", "Error: late"),
    ],
)
def test_errors_in_the_console_are_seen(browser, tmp_path, script, words):
    seen, _ = look(browser, tmp_path, f"<script>{script}</script>")
    assert any(error.startswith(words) for error in seen.errors)


def test_requests_to_other_hosts_are_seen(browser, tmp_path):
    seen, _ = look(browser, tmp_path, '<img src="http://example.invalid/a.png" alt="x">')
    assert seen.outside == ["http://example.invalid/a.png"]


def test_pale_text_is_found(browser, tmp_path):
    _, problems = look(browser, tmp_path, '<p class="pale" style="color:#aaa">Pale.</p>')
    assert problems == ["too little contrast: p.pale 2.3:1"]


def test_a_page_wider_than_the_window_is_found(browser, tmp_path):
    scrolled = '<div style="overflow-x:auto"><p style="width:900px">Scrolls.</p></div>'
    _, problems = look(browser, tmp_path, scrolled + '<div style="width:500px;margin:0">Wide.</div>')
    assert len(problems) == 1
    assert problems[0].endswith("pixels wider than the window: Wide.")


def test_formulas_that_were_not_set_are_found(browser, tmp_path):
    _, problems = look(browser, tmp_path, r'<p class="math">\(x^2\)</p>')
    assert problems == ["1 formulas, 0 set, 0 with errors"]


def test_a_figure_without_its_caption_is_found(browser, tmp_path):
    figure = '<figure class="ntkd-figure" id="figure-a"><figcaption hidden>No</figcaption></figure>'
    _, problems = look(browser, tmp_path, figure)
    assert problems == ["figure-a shows not one image with its caption"]


FIGURE = """<link rel="stylesheet" href="{}"><div style="overflow:auto" id="cell"><figure class="ntkd-figure">
<div class="ntkd-images"><img alt="x" src="data:image/svg+xml,{}"></div>
<figcaption>A</figcaption></figure></div>"""
DRAWING = "%3Csvg xmlns='http://www.w3.org/2000/svg' width='691' height='300'/%3E"


def test_a_figure_fits_a_narrow_window_and_scrolls_nowhere(browser, tmp_path):
    look(browser, tmp_path, FIGURE.format((ROOT / "book/_static/ntkd.css").as_uri(), DRAWING))
    sizes = "[...document.querySelectorAll('#cell, .ntkd-images')].map(e => e.scrollWidth - e.clientWidth)"
    assert browser.evaluate(f"{sizes}.join()") == "0,0"
    assert 340 <= browser.evaluate("document.images[0].getBoundingClientRect().width") <= 390


@pytest.mark.skipif(find_axe() is None, reason="no axe-core here: npm install --prefix build axe-core")
def test_a_button_without_a_name_is_found_by_axe(browser, tmp_path):
    look(browser, tmp_path, "<main><button></button><p>Named <button>Go</button></p></main>")
    assert "axe: button-name: 1 times, first <button></button>" in list(axe_problems(browser))


SLIDER = """<figure class="ntkd-slider">
<div class="ntkd-slide" hidden><input type="range" max="1" value="0"><output></output></div>
<div class="ntkd-images" data-text="a">A</div><div class="ntkd-images" data-text="b" hidden>B</div></figure>
<script src="{}"></script>"""
SLIDE = """(() => { const input = document.querySelector('input'); input.value = 1;
  input.dispatchEvent(new Event('input'));
  const shown = [input.parentElement, ...document.querySelectorAll('.ntkd-images')];
  return shown.map(each => each.hidden).join(); })()"""
LIVE = {
    "<script>document.title = 'ran'</script>": "Executing inline script",
    "<img src=none onerror=document.title='ran'>": "Executing inline event handler",
    "</article><script>document.title = 'ran'</script>": "Executing inline script",
    "<iframe src='data:text/html,x'></iframe>": "Framing",
    "<link rel=stylesheet href=http://example.invalid/a.css>": "Loading the stylesheet",
    "<img src=http://example.invalid/a.png>": "Loading the image",
}


def look_guarded(browser, folder, body):
    page = PAGE.format(body).replace("<head>", "<head><script>document.title = 'theme'</script>")
    (folder / "page.html").write_text(page, encoding="utf-8")
    add_policy(folder)
    return browser.open((folder / "page.html").as_uri()).errors


def test_a_policy_lets_a_slider_and_the_inline_scripts_of_the_theme_run(browser, tmp_path):
    errors = look_guarded(browser, tmp_path, SLIDER.format((ROOT / "book/_static/ntkd.js").as_uri()))
    assert (errors, browser.evaluate(SLIDE)) == ([], "false,true,false")
    assert browser.evaluate("document.scripts[0].textContent") == "document.title = 'theme'"


def test_a_slider_is_moved_by_keys_and_a_ring_shows_its_focus(browser, tmp_path):
    body = SLIDER.format((ROOT / "book/_static/ntkd.js").as_uri())
    look(browser, tmp_path, body)
    assert list(slider_problems(browser)) == []
    look(browser, tmp_path, "<style>input { outline: none }</style>" + body)
    assert [line.partition(" frame")[0] for line in slider_problems(browser)] == [
        f"slider 0: after {key}" for key in ("End", "ArrowLeft", "Home", "ArrowRight")
    ]


@pytest.mark.parametrize("content", LIVE)
def test_a_policy_stops_what_content_would_run_or_load(browser, tmp_path, content):
    errors = look_guarded(browser, tmp_path, content)
    assert any(e.startswith(f"{LIVE[content]}") and "Content Security Policy" in e for e in errors), errors
    assert browser.evaluate("document.title") != "ran"


def test_a_script_that_throws_is_an_error(browser):
    with pytest.raises(BrowserError, match="nothing is not defined"):
        browser.evaluate("nothing.at.all")


def test_a_program_that_is_no_browser_is_an_error():
    with pytest.raises(BrowserError, match=r"^Chromium does not answer$"), browsing("false"):
        pass


@pytest.mark.slow
def test_the_built_book_is_in_order_in_a_browser(built, tmp_path):
    html = tier_layout(fake.TIER).html
    names = ("index", fake.CHAPTER, fake.SCOREBOARD)
    pages = [html / f"{name}.html" for name in (*names, "use/data")]
    assert check_in_browser(html, tmp_path, PROGRAM, pages) == []
    forms = ("wide-light", "wide-dark", "narrow-light", "narrow-dark")
    expected = {f"{name}-{form}.png" for name in names for form in forms}
    assert {path.name for path in tmp_path.iterdir()} == expected
    assert all(path.stat().st_size > 20_000 for path in tmp_path.iterdir())
