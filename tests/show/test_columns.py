"""Tables from frames: formats, functions of rows, missing numbers."""

import pandas as pd

from ntkd_lib.show.columns import INTERVAL, Column, show_table


def test_rows_follow_their_columns() -> None:
    frame = pd.DataFrame(
        {
            "label": ["least-squares", "KD"],
            "mean": [-1.254, float("nan")],
            "low": [-2.0, -1],
            "high": [-0.5, 1.0],
        }
    )
    columns = (Column("Method", "{label}"), Column("Gap", "{mean:+.2f}"), INTERVAL, Column("n", lambda _: 5))
    shown = show_table(frame, columns, "Gaps")
    assert "least-squares" in shown
    assert "−1.25" in shown
    assert "[−2.00, −0.50]" in shown
    assert ">–<" in shown
    assert ">5<" in shown


def test_a_word_with_nan_in_it_is_no_missing_number():
    frame = pd.DataFrame({"name": ["a dominant resonance"], "value": [float("nan")]})
    shown = show_table(frame, (Column("Name", "{name}"), Column("Value", "{value:+.1f} %")), "Names")
    assert "a dominant resonance" in shown
    assert "nan %" not in shown
