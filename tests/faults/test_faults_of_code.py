"""Faults 1 to 4: code that changes or fails."""

from tests.pipeline.toy import NAME


def test_01_an_edited_library_is_computed_anew(own):
    own.edit(own.root / "src/toy_lab/work.py", "FACTOR = 1.0", "FACTOR = 2.0")
    refused = own.ntkd("book", "--tier", "smoke")
    assert refused.returncode == 1
    assert refused.stderr == (
        f"ntkd: notebook {NAME} has no valid seal (cell toy/seed=0 has changed since it ran); "
        "run: ntkd run 90 --tier smoke\n"
    )
    assert "0 of 2 cells from the store" in own.run().stderr
    assert "(['a', 'b'], 3.0)" in own.executed.read_text()


def fail_twice(toy):
    """Run a notebook whose cell fails, and see that nothing but records of finished cells is left."""
    toy.edit(toy.notebook, "show(run)", "1 / 0")
    before = toy.files()
    for _ in range(2):
        done = toy.run()
        assert done.returncode == 1
        assert f"ntkd: {NAME}: cell 4 failed: ZeroDivisionError: division by zero\n" in done.stderr
    after = {path: data for path, data in toy.files().items() if not path.startswith("build/cells")}
    assert after == {path: data for path, data in before.items() if not path.startswith("build/cells")}


def test_02_and_03_a_failing_notebook_fails_every_time_and_gets_no_book(own):
    fail_twice(own)
    for _ in range(2):
        done = own.ntkd("book", "--tier", "smoke")
        assert done.returncode == 1
        assert (
            f"notebook {NAME} has no valid seal (notebooks/{NAME}.py has changed since it ran)" in done.stderr
        )
    assert not (own.tier / "html").exists()


def test_04_reproducing_a_failing_notebook_from_clean_fails_every_time(fresh):
    fresh.edit(fresh.notebook, "show(run)", "1 / 0")
    for _ in range(2):
        done = fresh.ntkd("reproduce", "--tier", "smoke", "--workers", "1")
        assert done.returncode == 1
        assert done.stderr.endswith(f"ntkd: 1 of 1 notebooks failed ({NAME}); no book was built\n")
    assert not fresh.tier.exists()
