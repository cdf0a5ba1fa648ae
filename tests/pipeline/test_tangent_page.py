"""The page on the tangent kernel is filled from the recorded benchmark, and its example runs."""

import re
import shutil

import pytest

from ntkd_lib.lab.layout import Layout
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.tangent_page import stage_tangent_page
from tests.setup.project import ROOT

PAGE = ROOT / "book/tangent_kernel.md"


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site").mkdir()
    shutil.copyfile(PAGE, tmp_path / "site/tangent_kernel.md")
    return tmp_path / "site"


def test_figures_tables_and_machine_are_filled_in(site, tmp_path):
    stage_tangent_page(site, Layout(tmp_path))
    text = (site / "tangent_kernel.md").read_text(encoding="utf-8")
    assert "<!-- ntkd:" not in text
    assert text.count('class="only-light"') == text.count('class="only-dark"') == 2
    assert 'alt="Lines of peak memory' in text
    assert "torch.func contraction" in text
    assert re.search(r"Recorded on \d{4}-\d\d-\d\d on .+, 1 thread", text)
    downloads = site / "static/downloads/tangent_kernel"
    assert {path.suffix for path in downloads.iterdir()} == {".csv", ".png", ".svg"}
    for address in re.findall(r'<a href="_static/([^"]+)" download>', text):
        assert (site / "static" / address).is_file()


def test_layers_and_networks_are_shown_with_their_machine(site, tmp_path):
    stage_tangent_page(site, Layout(tmp_path))
    text = (site / "tangent_kernel.md").read_text(encoding="utf-8")
    assert re.search(
        r"\d+ layers in \d+ settings, \d+ networks\. Recorded on \d{4}-\d\d-\d\d on .+ with torch", text
    )
    for row in ("Conv3d", "EmbeddingBag", "positions looked up once", "energy and forces"):
        assert re.search(rf'<th scope="row" role="rowheader">{row}(, \d+ settings)?</th>', text), row
    assert re.search(r"<ol><li>.+</li></ol>", text)


def test_errors_by_depth_and_width_are_shown(site, tmp_path):
    stage_tangent_page(site, Layout(tmp_path))
    text = (site / "tangent_kernel.md").read_text(encoding="utf-8")
    for row in ("MLP, 16 layers of 256", "ConvNet, 4 layers of 64"):
        assert re.search(rf'<th scope="row" role="rowheader">{row}</th>', text), row
    assert "three parts, six products" in text


@pytest.mark.parametrize("name", ["entk_cpu.json", "kernel_sweep.json", "kernel_precision.json"])
def test_a_missing_record_is_named(site, tmp_path, monkeypatch, name):
    folder = tmp_path / "results/benchmarks"
    shutil.copytree(ROOT / "results/benchmarks", folder)
    (folder / name).unlink()
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=rf"^results/benchmarks/{name} is missing; restore it"):
        stage_tangent_page(site, Layout(tmp_path))


def test_a_missing_mark_is_named(site, tmp_path):
    page = site / "tangent_kernel.md"
    page.write_text(page.read_text().replace("<!-- ntkd:peers -->", ""))
    with pytest.raises(PipelineError, match=r"lacks the mark <!-- ntkd:peers -->$"):
        stage_tangent_page(site, Layout(tmp_path))


def test_the_page_opens_the_part_on_the_library():
    contents = (ROOT / "_toc.yml").read_text()
    assert re.search(r"- caption: The library\n\s+chapters:\n\s+- file: tangent_kernel\n", contents)


def test_the_example_runs_in_ten_lines():
    (example,) = re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for line in example.splitlines() if line]
    assert len(lines) <= 11
    values = {}
    exec(compile(example, PAGE.name, "exec"), values)
    assert values["theta"].shape == (32, 32)
    assert values["cross"].shape == (5, 32)
    assert values["model"][0].weight.grad is not None
