"""What searches draw from, as pages show it."""

from ntkd_lib.chapters.classification.methods import COLOURS, DIGITS
from ntkd_lib.chapters.optical_students import mask_methods as cars
from ntkd_lib.lab.search import place, space_rows
from ntkd_lib.show.training import space_table


def test_every_student_with_a_search_is_listed_once_and_no_other() -> None:
    for methods in (DIGITS.methods, COLOURS.methods, cars.METHODS):
        labels = [label for row, _ in space_rows(methods.values()) for label in row.split("; ")]
        assert sorted(labels) == sorted(m.label for m in methods.values() if m.space)


def test_what_is_shown_is_what_is_drawn_from() -> None:
    rows = dict(space_rows([COLOURS.methods["ntkd"], COLOURS.methods["ideal_lens"]]))
    assert list(rows) == ["NTKD"]
    words = dict(part.split(" ", 1) for part in rows["NTKD"].split(", "))
    for name, bounds in COLOURS.methods["ntkd"].space.items():
        low, _, high, scale = words[name].split(" ")
        assert (float(low), float(high)) == (place(bounds, 0), place(bounds, 1))
        assert scale == f"({bounds[2]})"


def test_the_table_has_a_row_a_space() -> None:
    made = space_table(space_rows(DIGITS.methods.values()), "What the search draws from")
    assert made.count("<tr") == 1 + len(space_rows(DIGITS.methods.values()))
    assert "lr 0.002 to 0.2 (log)" in made
