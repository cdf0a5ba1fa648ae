import subprocess
import sys

import pytest

from ntkd_lib.lab.sources import SourceError, module_sources, source_digest


def test_the_closure_holds_what_is_imported_within_the_package_and_the_library(toy):
    assert set(module_sources([f"{toy.name}.trainer"])) == {
        toy.name,
        f"{toy.name}.losses",
        f"{toy.name}.shared",
        f"{toy.name}.trainer",
        "ntkd_lib",
        "ntkd_lib.imports",
        "ntkd_lib.lab",
        "ntkd_lib.lab.cells",
        "ntkd_lib.lab.digest",
        "ntkd_lib.lab.sources",
    }


@pytest.mark.parametrize(
    "old, new",
    [
        ('"""Square."""', '"""Square, in other\n    words."""'),
        ("# the square", "# twice two"),
        ('    """Square."""\n', ""),
        ("def loss(x):", "def loss(\n    x,\n):  # noqa"),
        ('"""Losses."""', '"""Losses."""\n\n\n"""A bare string."""'),
        ("return shared.scale(x) ** 2", "return (shared.scale(x)**2)"),
    ],
)
def test_words_and_formatting_do_not_count(toy, old, new):
    before = source_digest([f"{toy.name}.trainer"])
    toy.edit("losses.py", old, new)
    assert source_digest([f"{toy.name}.trainer"]) == before


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("losses.py", "** 2", "** 3"),
        ("losses.py", "def loss(x):", "def loss(x: float):"),
        ("shared.py", "2 * x", "2.0 * x"),
        ("trainer.py", '{"loss": ', '{"the_loss": '),
        ("losses.py", '"""Losses."""', "SCALE = 1"),
    ],
)
def test_code_counts_in_what_uses_it_and_nowhere_else(toy, file, old, new):
    before = {name: source_digest([f"{toy.name}.{name}"]) for name in ("trainer", "viewer")}
    toy.edit(file, old, new)
    after = {name: source_digest([f"{toy.name}.{name}"]) for name in ("trainer", "viewer")}
    assert after["trainer"] != before["trainer"]
    assert after["viewer"] == before["viewer"]


def test_what_a_package_runs_on_import_counts_for_all_of_it(toy):
    before = source_digest([f"{toy.name}.viewer"])
    toy.edit("__init__.py", "", "from . import losses\n")
    assert f"{toy.name}.shared" in module_sources([f"{toy.name}.viewer"])
    assert source_digest([f"{toy.name}.viewer"]) != before


@pytest.mark.parametrize(
    "statement",
    [
        "import {0}.unrelated",
        "from {0} import unrelated",
        "from {0}.unrelated import other",
        "from {0}.unrelated import *",
        "from . import unrelated as u",
        "from .unrelated import other as o",
        "def late():\n    from .unrelated import other",
        "try:\n    import {0}.unrelated\nexcept ImportError:\n    pass",
    ],
)
def test_every_form_of_import_is_followed(toy, statement):
    toy.edit("shared.py", "def scale", f"{statement.format(toy.name)}\n\n\ndef scale")
    assert f"{toy.name}.unrelated" in module_sources([f"{toy.name}.trainer"])


def test_a_relative_import_climbs_from_a_sub_package(toy):
    sub = toy.root / toy.name / "deep" / "er"
    sub.mkdir(parents=True)
    (sub / "__init__.py").write_text("from ...unrelated import other\n")
    (sub / "leaf.py").write_text("from ..er import other\nfrom ...losses import loss\n")
    found = module_sources([f"{toy.name}.deep.er.leaf"])
    assert {f"{toy.name}.unrelated", f"{toy.name}.losses", f"{toy.name}.shared"} <= set(found)
    assert f"{toy.name}.deep" not in found  # a folder without __init__.py has no source


def test_circular_imports_end(toy):
    toy.edit("shared.py", "def scale", "from . import losses\n\n\ndef scale")
    assert f"{toy.name}.losses" in module_sources([f"{toy.name}.shared"])


def test_a_process_keeps_to_what_it_saw_first_until_asked_for_a_fresh_look(toy):
    before = source_digest([f"{toy.name}.trainer"])
    path = toy.root / toy.name / "losses.py"
    path.write_text(path.read_text().replace("** 2", "** 3"))
    assert source_digest([f"{toy.name}.trainer"]) == before
    assert source_digest([f"{toy.name}.trainer"], fresh=True) != before


def test_modules_are_not_imported(toy):
    (toy.root / toy.name / "shared.py").write_text("raise SystemExit('imported')\n")
    source_digest([f"{toy.name}.trainer"])
    assert f"{toy.name}.shared" not in sys.modules


def test_an_unknown_module_is_said_in_one_line(toy):
    for name in (f"{toy.name}.trianer", "no_such_package.x", "__main__"):
        with pytest.raises(SourceError) as caught:
            source_digest([name])
        assert str(caught.value).endswith("is not found; a work function lives in an importable module")
        assert "\n" not in str(caught.value)


def test_a_syntax_error_is_said_in_one_line(toy):
    toy.edit("losses.py", "def loss(x):", "def loss(x:")
    with pytest.raises(SourceError) as caught:
        source_digest([f"{toy.name}.trainer"])
    assert str(caught.value) == f"module '{toy.name}.losses' cannot be parsed: line 6: '(' was never closed"


def test_a_hundred_files_take_less_than_a_second(toy):
    body = "\n\n".join(
        f"def f{number}(x):\n    return [x + {number} for _ in range(3)]" for number in range(30)
    )
    folder = toy.root / toy.name
    for number in range(100):
        (folder / f"m{number}.py").write_text(f"from .m{(number + 1) % 100} import f0\n{body}\n")
    code = (  # without a debugger or coverage in the way
        "import sys, time\n"
        f"sys.path.insert(0, {str(toy.root)!r})\n"
        "from ntkd_lib.lab.sources import module_sources\n"
        "start = time.process_time()\n"
        f"assert len(module_sources([{toy.name + '.m0'!r}])) >= 100\n"
        "print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1


def test_keys_load_no_heavy_library():
    code = (
        "import sys\n"
        "from ntkd_lib.lab import cells, execute, layout, provenance, store\n"
        "cells.cell_key(cells.Cell('a', 'ntkd_lib.lab.seeds:deterministic'))\n"
        "heavy = ('torch', 'pandas', 'matplotlib', 'sklearn', 'distributed', 'joblib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


LAZY = """\
from ntkd_lib.imports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
"""
USES = [
    "from {0} import loss\n\n\ndef use():\n    return loss",
    "from {0} import loss as the_loss",
    "from . import loss",
    "import {0} as toy\n\n\ndef use():\n    return toy.loss(1)",
    "import {0}\n\n\ndef use():\n    return {0}.loss(1)",
    "import {0} as toy\n\n\ndef use(name):\n    return getattr(toy, name)",
    "from {0} import *",
]


STUB = "from {0}.{1} import loss as loss\nfrom {0}.unrelated import other as other\n"


def write(toy, file, text):
    (toy.root / toy.name / file).write_text(text)


def write_exports(toy, home="losses"):
    write(toy, "__init__.py", LAZY)
    write(toy, "__init__.pyi", STUB.format(toy.name, home))


@pytest.mark.parametrize("use", USES)
def test_names_that_a_package_exports_on_first_use_are_followed(toy, use):
    write_exports(toy)
    write(toy, "viewer.py", use.format(toy.name) + "\n")
    before = source_digest([f"{toy.name}.viewer"], fresh=True)
    toy.edit("losses.py", "** 2", "** 3")
    assert source_digest([f"{toy.name}.viewer"], fresh=True) != before


def test_only_the_home_of_an_exported_name_is_followed(toy):
    write_exports(toy)
    write(toy, "viewer.py", "from . import other\n")
    assert f"{toy.name}.losses" not in module_sources([f"{toy.name}.viewer"], fresh=True)
    assert f"{toy.name}.unrelated" in module_sources([f"{toy.name}.viewer"], fresh=True)


def test_exported_names_are_followed_through_two_packages(toy):
    (toy.root / toy.name / "inner").mkdir()
    write(toy, "inner/__init__.py", LAZY)
    write(toy, "inner/__init__.pyi", STUB.format(toy.name, "inner.losses"))
    write(toy, "inner/losses.py", "from ..shared import scale as loss\n")
    write_exports(toy, home="inner")
    write(toy, "viewer.py", "from . import loss\n")
    assert f"{toy.name}.shared" in module_sources([f"{toy.name}.viewer"], fresh=True)


def test_exports_without_a_stub_are_said_in_one_line(toy):
    write(toy, "__init__.py", "def __getattr__(name):\n    return globals()[name[::-1]]\n")
    write(toy, "viewer.py", "from . import loss\n")
    with pytest.raises(SourceError, match=rf"^module '{toy.name}' exports names on first use and has"):
        source_digest([f"{toy.name}.viewer"], fresh=True)


def test_the_library_s_own_exports_are_followed(toy):
    write(toy, "viewer.py", "from ntkd_lib.ntk import empirical_ntk\n")
    names = module_sources([f"{toy.name}.viewer"], fresh=True)
    assert "ntkd_lib.ntk.empirical" in names
    assert "ntkd_lib.ntk.blocked" not in names


def test_imports_of_a_script_are_followed_and_the_script_is_not_hashed(toy):
    script = toy.root / "script.py"
    script.write_text(f"from {toy.name} import losses\n")
    names = module_sources([f"{toy.name}.viewer"], fresh=True, script=script)
    assert f"{toy.name}.shared" in names
    script.write_text(f"from {toy.name} import losses\n\nprint(losses)\n")
    assert module_sources([f"{toy.name}.viewer"], fresh=True, script=script) == names
