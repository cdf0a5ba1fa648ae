"""Contract and parameter files are read by libyaml wherever it reads what PyYAML reads, which is the twin."""

import pytest
import yaml

from ntkd_lib.lab.plain_yaml import YamlError, _is_simple, _Loader, read_yaml
from tests.setup.project import ROOT

PLAIN = ("claims.yml", *(f"notebooks/params/{tier}.yaml" for tier in ("smoke", "cpu", "paper")))
REFUSED_BY_PYYAML_ALONE = ("data\t: 1", "a: [0?, 1]", "a: |#", "<<: [*a]\ta")
NUMBERS, DEEP = "a: no\nb: 012\nc: 1e-3\nd: '1'\ne: [0o7, .5, ~]", "[" * 60 + "]" * 60
ODD = ("", NUMBERS, DEEP, "\n\ufeffa", "- >-\n  x\n  y\n- what?")


@pytest.mark.parametrize("name", PLAIN)
def test_both_loaders_read_a_file_of_the_project_alike_and_the_fast_one_does(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert _is_simple(text)
    assert repr(read_yaml(ROOT / name)) == repr(yaml.load(text, _Loader))


@pytest.mark.parametrize("text", ODD)
def test_both_loaders_read_an_odd_text_alike(tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    assert repr(read_yaml(path)) == repr(yaml.load(text, _Loader))


@pytest.mark.parametrize("text", REFUSED_BY_PYYAML_ALONE)
def test_what_libyaml_alone_would_read_is_refused(tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(YamlError, match=r"^odd\.yaml: line 1: "):
        read_yaml(path)
