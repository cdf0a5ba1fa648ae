"""Every notebook's metrics can be derived again from its records alone."""

import inspect

import pytest

from ntkd_lib.pipeline.notebooks import all_notebooks
from ntkd_lib.pipeline.verify import metrics_of


@pytest.mark.parametrize("notebook", [n for n in all_notebooks() if not n.name.startswith("00_")], ids=str)
def test_metrics_take_a_run_and_nothing_else(notebook):
    derive = metrics_of(notebook.chapter)
    assert derive is not None
    assert list(inspect.signature(derive).parameters) == ["run"]


def test_an_chapter_without_metrics_has_none():
    assert metrics_of("ntkd_lib.chapters.scoreboard") is None
