"""The benchmark of notebook 07's steps prints what it says."""

from benchmarks.nint import step_report


def test_steps_are_timed_beside_plain_pytorch(capsys):
    step_report(side=16, width=8, rounds=1)
    lines = capsys.readouterr().out.splitlines()
    assert "products run at" in lines[0]
    assert [line.split()[-2] for line in lines[1:]] == ["product"] * 4
    rows = [line.replace("by hand", "hand").split() for line in lines[1:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("hand", "256"), ("PyTorch", "256"), ("hand", "51"), ("PyTorch", "51"),
    ]  # fmt: skip
    assert [float(row[5]) for row in rows[::2]] == [1.0, 1.0]
    assert all(float(row[5]) > 0 for row in rows)
