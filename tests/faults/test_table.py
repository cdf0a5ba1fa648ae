"""The reliability page promises what the tests of faults assert, no more and no less."""

from tests.faults.table import PAGE, filled, table


def test_the_page_holds_the_table_of_these_tests():
    assert filled(PAGE.read_text("utf-8")) == PAGE.read_text("utf-8"), "run python -m tests.faults.table"


def test_the_table_is_in_words():
    lines = table().splitlines()
    assert "| A run of changed code that fails or is stopped loses nothing |  |" in lines
    assert any("| pitch in nm, distance in mm, " in line for line in lines)
    assert "### Faults of the server" in lines
    assert not [line for line in lines if line.startswith("| ") and "_" in line.partition("`")[0]]
