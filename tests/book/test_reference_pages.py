"""The library's part of the built book: every public name has an entry with shapes and formulas."""

import html
import re
import shutil

import pytest
import yaml

from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.pipeline import book, tangent_page
from ntkd_lib.pipeline.pages import api_page, api_sources
from tests.book import fake
from tests.book.check import check_site
from tests.setup.project import ROOT
from tests.setup.test_public_names import PACKAGES, offers

PAGES = [f"api/{package}" for package in PACKAGES]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return the built site of the small project with its reference pages."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NTKD_ROOT", str(folder / "project"))
        patch.setenv("NTKD_BUILD", str(folder / "build"))
        patch.setattr(book, "check_seal", lambda layout, name: [])
        patch.setattr(tangent_page, "show", fake.draw_once)
        fake.copy_project(folder / "project")
        shutil.copyfile(ROOT / "_toc.yml", folder / "project/_toc.yml")
        fake.write_runs()
        book.build_book(fake.TIER)
        return tier_layout(fake.TIER).html


def text_of(site, page):
    return (site / f"{page}.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_public_name_has_an_entry(reference):
    for package in PACKAGES:
        entries = set(re.findall(r'<dt[^>]* id="([^"]+)"', text_of(reference, f"api/{package}")))
        names = {f"ntkd_lib.{package}.{name}" for owner, name in offers() if owner == package}
        assert names <= entries


@pytest.mark.slow
def test_shapes_formulas_and_objectives_are_rendered(reference):
    page = text_of(reference, "api/koopman")
    plain = html.unescape(re.sub(r"<script.*?</script>|<[^>]+>", "", page, flags=re.DOTALL))
    assert "Float[Tensor, 'n d']" in plain
    assert r"\psi" in plain
    assert "$$" not in plain
    assert 'id="ntkd_lib.distill.soft_labels.build"' in text_of(reference, "api/distill")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_signature_is_parsed(reference, page):
    assert not re.search(r"~\w+\.\w|&lt;function|&lt;factory", text_of(reference, page))


@pytest.mark.slow
def test_the_pages_on_use_link_to_the_reference(reference):
    link = 'href="../api/koopman.html#ntkd_lib.koopman.KoopmanClassifier"'
    assert link in text_of(reference, "use/koopman")


@pytest.mark.slow
def test_the_pages_pass_the_checks_of_the_book(reference):
    assert check_site(reference) == []


def test_the_contents_list_every_package():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    sections = [
        [inner["file"] for inner in chapter["sections"]]
        for part in contents["parts"]
        for chapter in part["chapters"]
        if "sections" in chapter
    ]
    assert sections == [PAGES]


def test_a_page_has_a_section_for_each_module_with_public_names():
    page = api_page("koopman")
    assert "## classifier\n\n```{eval-rst}\n.. automodule:: ntkd_lib.koopman.classifier\n\n" in page
    assert ".. autoclass:: ntkd_lib.koopman.KoopmanClassifier\n   :members:\n" in page
    assert "## settings" not in page


def test_a_docstring_is_an_input_of_the_book():
    names = {path.relative_to(ROOT).as_posix() for path in api_sources(["index", "api/index", "api/koopman"])}
    assert {"ntkd_lib/koopman/classifier.py", "ntkd_lib/koopman/__init__.pyi"} <= names
    assert not any(name.startswith("ntkd_lib/spectral") for name in names)
