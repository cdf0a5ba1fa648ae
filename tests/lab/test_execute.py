import contextlib
import time
from dataclasses import replace

import pytest

from ntkd_lib.lab import execute
from ntkd_lib.lab.cells import CellError, cell_key
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.progress import Outlook
from ntkd_lib.lab.worker import run_job


def plan(toy, count=3):
    teacher = toy.cell("teacher", "work:square", x=100)
    return [toy.cell(f"student/{x}", "work:square", {"teacher": teacher}, x=x) for x in range(count)]


def test_records_come_by_name_with_what_they_needed(toy, store):
    records = run_cells(plan(toy), store, workers=1)
    assert list(records) == ["student/0", "student/1", "student/2"]
    assert [record.values["y"] for record in records.values()] == [0, 1, 4]
    teacher = store.load(cell_key(toy.cell("teacher", "work:square", x=100)))
    assert records["student/0"].values["total"] == float(teacher.arrays["noise"].sum())
    assert {"commit", "threads", "cpu", "seconds", "peak_memory_mib", "versions"} <= set(teacher.provenance)


def test_worker_processes_leave_the_same_bytes_as_this_process(toy, store, tmp_path):
    other = type(store)(tmp_path / "other")
    run_cells(plan(toy), store, workers=1)
    run_cells(plan(toy), other, workers=2)
    assert len(store.contents()) == 8
    assert store.contents() == other.contents()


def test_a_worker_that_grows_keeps_its_place(toy, store):
    records = run_cells([toy.cell(f"{x}", "work:grow", x=x) for x in range(8)], store, workers=2)
    assert len({record.values["process"] for record in records.values()}) <= 2


def test_a_second_run_runs_nothing(toy, store, tmp_path, capsys):
    cells = [toy.cell(name, "work:count", log=str(tmp_path / "log"), name=name) for name in "abc"]
    run_cells(cells[:2], store, workers=1)
    capsys.readouterr()
    run_cells(cells, store, workers=1)
    assert capsys.readouterr().err.startswith("2 of 3 cells from the store, 1 to run, about 1 s\n")
    run_cells(cells, store, workers=1)
    assert capsys.readouterr().err == "3 of 3 cells from the store\n"
    assert sorted((tmp_path / "log").read_text().split()) == ["a", "b", "c"]


def test_a_need_is_not_run_for_a_cell_that_is_there(toy, store, tmp_path):
    run_cells(plan(toy), store, workers=1)
    teacher = store.folder(cell_key(toy.cell("teacher", "work:square", x=100)))
    teacher.rename(tmp_path / "away")
    run_cells(plan(toy), store, workers=1, progress="none")
    assert not teacher.exists()


def test_what_only_a_later_group_needs_waits_with_it(toy, store, tmp_path):
    def counted(name, needs=None, cost=1):
        return toy.cell(name, "work:count", needs, cost=cost, log=str(tmp_path / "log"), name=name)

    shared, own = counted("shared"), counted("own", cost=9)
    cells = [counted("late", {"own": own, "shared": shared}), counted("early", {"shared": shared})]
    run_cells(cells, store, workers=1, groups={"late": 1, "early": 0}, progress="none")
    assert (tmp_path / "log").read_text().split() == ["shared", "early", "own", "late"]


def test_the_longest_run_first(toy, store, tmp_path):
    log = str(tmp_path / "log")
    cells = [toy.cell(str(cost), "work:count", cost=cost, log=log, name=str(cost)) for cost in (2, 9, 5)]
    run_cells(cells, store, workers=1, progress="none")
    assert (tmp_path / "log").read_text().split() == ["9", "5", "2"]


def test_the_longest_chain_runs_first(toy, store, tmp_path):
    def counted(name, cost, needs=None):
        return toy.cell(name, "work:count", needs, cost=cost, log=str(tmp_path / "log"), name=name)

    first = counted("first", 1)
    chain = counted("last", 4, {"second": counted("second", 3, {"first": first})})
    run_cells([counted("alone", 6), chain], store, workers=1, progress="none")
    assert (tmp_path / "log").read_text().split() == ["first", "second", "alone", "last"]


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_that_are_free_go_on_with_what_they_can(toy, store, tmp_path, workers):
    """The long cell ends once the four last ones of the chain have run beside it."""
    log = str(tmp_path / "log")
    long = toy.cell("long", "work:attend", log=log, lines=5, cost=9)
    chain = toy.cell("short", "work:square", x=2)
    for x in range(3, 6):
        chain = toy.cell(f"then{x}", "work:square", {"before": chain}, x=x)
    ends = [toy.cell(f"end{x}", "work:count", {"before": chain}, name=str(x), log=log) for x in range(6, 10)]
    records = run_cells([long, *ends], store, workers=workers, progress="none")
    assert {"long", *(cell.name for cell in ends)} <= set(records)


def test_two_workers_share_what_one_cell_made_possible(toy, store, tmp_path):
    first = toy.cell("first", "work:square", x=1)
    meeting = {"log": str(tmp_path / "log"), "lines": 2}
    both = [toy.cell(f"{x}", "work:attend", {"first": first}, x=x, **meeting) for x in range(2)]
    records = run_cells(both, store, workers=2, progress="none")
    assert len({record.values["process"] for record in records.values()}) == 2


def test_what_a_failed_cell_would_have_made_possible_is_not_waited_for(toy, store):
    bad = toy.cell("bad", "work:fail")
    late = toy.cell("late", "work:square", {"n": bad}, x=9)
    with pytest.raises(CellError, match="1 not run for want of what failed; 1 of 3 cells kept"):
        run_cells([late, toy.cell("long", "work:square", x=1, sleep=2.5)], store, workers=2, progress="none")


def test_what_there_was_no_time_for_is_not_put_down_to_the_failed_cell_alone(toy, store):
    cells = [toy.cell("bad", "work:fail", cost=1), toy.cell("long", "work:square", x=1, cost=10_000)]
    with pytest.raises(CellError, match="1 not run for want of time or what failed; 0 of 2 cells kept"):
        run_cells(cells, store, workers=1, progress="none", until=time.monotonic() + 60)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_outlook_is_told_of_every_cell_that_begins_and_ends(toy, store, workers, monkeypatch):
    told = []
    begin, end = Outlook.begin, Outlook.end
    monkeypatch.setattr(Outlook, "begin", lambda ahead, key: (told.append((key, "begun")), begin(ahead, key)))
    monkeypatch.setattr(
        Outlook, "end", lambda ahead, key, done: (told.append((key, done)), end(ahead, key, done=done))
    )
    good, bad = toy.cell("good", "work:square", x=1, cost=3), toy.cell("bad", "work:fail", cost=2)
    with pytest.raises(CellError):
        run_cells([good, bad], store, workers=workers, progress="none")
    ends = {cell_key(good): True, cell_key(bad): False}
    assert {call for call in told if call[1] != "begun"} == set(ends.items())
    assert [key for key, what in told if what == "begun"] == [*ends]
    assert len(told) == 4


def test_two_names_for_one_content_run_once(toy, store, tmp_path):
    cells = [toy.cell(name, "work:count", log=str(tmp_path / "log"), name="same") for name in ("a", "b")]
    records = run_cells(cells, store, workers=1, progress="none")
    assert [(name, record.name) for name, record in records.items()] == [("a", "a"), ("b", "b")]
    assert (tmp_path / "log").read_text() == "same\n"


def test_one_name_for_two_contents_is_refused(toy, store):
    with pytest.raises(CellError) as caught:
        run_cells([toy.cell("a", "work:square", x=1), toy.cell("a", "work:square", x=2)], store, workers=1)
    assert str(caught.value) == "cell a: two cells with different content have this name"


def test_a_failure_is_one_line_and_keeps_the_others(toy, store, capsys):
    bad = toy.cell("bad", "work:fail")
    cells = [
        bad,
        toy.cell("late", "work:square", {"n": bad}, x=9),
        toy.cell("leaves", "work:leave"),
        *plan(toy),
    ]
    with pytest.raises(CellError) as caught:
        run_cells(cells, store, workers=1)
    trace = store.error_file(cell_key(bad))
    assert str(caught.value) == (
        f"cell bad failed: ValueError: shapes (3, 4) and (5,) do not fit; traceback in {trace}; "
        "1 more failed; 1 not run for want of what failed; 4 of 7 cells kept"
    )
    assert "cell bad failed: ValueError: shapes (3, 4) and (5,) do not fit\n" in capsys.readouterr().err
    assert trace.read_text().startswith("cell bad\nTraceback (most recent call last):")
    assert len(store.contents()) == 8


def test_the_traceback_goes_when_the_cell_succeeds(toy, store):
    cell = toy.cell("a", "work:square", x=1)
    store.root.mkdir()
    store.error_file(cell_key(cell)).write_text("earlier")
    run_cells([cell], store, workers=1, progress="none")
    assert not store.error_file(cell_key(cell)).exists()


@pytest.mark.parametrize(
    "work, text",
    [
        ("nan", "cell c: values.loss[1]: nan is not a finite number"),
        ("listed", "cell c: arrays.w: list cannot be stored, only arrays of plain dtypes"),
        ("nothing", "{name}.work:nothing returned NoneType, not a CellResult"),
        ("nowhere", "module '{name}.work' has no function 'nowhere'"),
        ("leave", "SystemExit: 3"),
    ],
)
def test_a_bad_work_function_is_said_in_one_line(toy, store, work, text):
    with pytest.raises(CellError) as caught:
        run_cells([toy.cell("c", f"work:{work}")], store, workers=2, progress="none")
    assert str(caught.value).startswith(f"cell c failed: {text.format(name=toy.name)}; traceback in ")


def test_a_full_disk_is_a_failed_cell_and_keeps_the_others(toy, store, monkeypatch):
    run_cells(plan(toy, 2), store, workers=1, progress="none")
    before = store.contents()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ntkd_lib.lab.atomic._write_synced", full)
    with pytest.raises(CellError, match=r"^cell student/2 failed: OSError: .* No space left on device; 3 of"):
        run_cells(plan(toy, 3), store, workers=1, progress="none")
    assert store.contents() == before


def test_a_cell_runs_on_one_thread_here_and_in_a_worker(toy, store, tmp_path):
    for workers in (1, 2):
        record = run_cells(
            [toy.cell("t", "work:threads", n=workers)], store, workers=workers, progress="none"
        )["t"]
        assert record.values == {"torch": 1, "blas": 1}


def test_a_cell_keeps_freed_memory_also_in_this_process(toy, store, monkeypatch):
    asked = []
    monkeypatch.setattr("ntkd_lib.lab.worker.keep_freed_memory", lambda: asked.append(True))
    run_cells([toy.cell("a", "work:square", x=1)], store, workers=1, progress="none")
    assert asked == [True]


def test_a_worker_killed_once_is_replaced(toy, store, tmp_path, capsys):
    cells = [toy.cell("dies", "work:die_once", mark=str(tmp_path / "mark")), *plan(toy)]
    records = run_cells(cells, store, workers=2)
    assert records["dies"].values == {"survived": True}
    assert "a worker process died; cells started again: " in capsys.readouterr().err


def test_a_cell_that_kills_every_worker_fails_and_the_others_are_kept(toy, store):
    with pytest.raises(CellError) as caught:
        run_cells([toy.cell("dies", "work:die"), *plan(toy)], store, workers=2, progress="none")
    assert str(caught.value) == (
        "cell dies failed: its worker process died each time (killed, or out of memory?); 4 of 5 cells kept"
    )
    assert len(store.contents()) == 8


def _edit_on_disk(toy):
    path = toy.root / toy.name / "losses.py"
    path.write_text(path.read_text().replace("** 2", "** 3"))


DIFFERS = "its source or a library differs from what this run started with; run again"


def test_code_edited_after_the_keys_were_made_is_not_run(toy, store):
    cell = toy.cell("t", "trainer:train", x=1)
    cell_key(cell)
    _edit_on_disk(toy)
    with pytest.raises(CellError, match=f"^cell t failed: {DIFFERS}; "):
        run_cells([cell], store, workers=1, progress="none")
    assert not store.find(cell_key(cell))


def test_code_edited_while_a_cell_runs_leaves_no_record(toy, store, monkeypatch):
    cell = toy.cell("t", "trainer:train", x=1)
    store.root.mkdir()

    @contextlib.contextmanager
    def edit():
        _edit_on_disk(toy)
        yield

    monkeypatch.setattr("ntkd_lib.lab.worker.torch_on_one_thread", edit)
    with pytest.raises(CellError, match=f"^cell t failed: {DIFFERS}; "):
        run_cells([cell], store, workers=1, progress="none")
    assert store.contents() == {}


def test_a_worker_with_older_code_in_memory_refuses(toy, store, tmp_path):
    cell = toy.cell("t", "trainer:train", x=1)
    run_cells([cell], store, workers=1, progress="none")  # this process has now loaded the code
    job = execute._plan([cell], type(store)(tmp_path / "new")).missing[cell_key(cell)]
    _edit_on_disk(toy)
    newer = {**job.parts, "sources": "0" * 64}  # what a process that sees the new files would send
    assert run_job(replace(job, key="0" * 64, parts=newer)) == DIFFERS


def test_ctrl_c_keeps_finished_cells_and_says_so(toy, store, monkeypatch, capsys):
    settle = execute._Run.settle

    def interrupt(run, job, error):
        settle(run, job, error)
        if len(run.done) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(execute._Run, "settle", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_cells(plan(toy), store, workers=1)
    assert "stopped; 2 of 4 cells kept, run again to go on\n" in capsys.readouterr().err
    assert len(store.contents()) == 4
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(toy.root))
    assert len(run_cells(plan(toy), store, workers=1, progress="none")) == 3
    assert len(store.contents()) == 8


def test_a_record_that_another_run_made_meanwhile_is_taken(toy, store):
    cell = toy.cell("a", "work:square", x=3)
    job = execute._plan([cell], store).missing[cell_key(cell)]
    run_cells([cell], store, workers=1, progress="none")
    made = store.load(job.key).provenance
    assert run_job(job) == ""
    assert store.load(job.key).provenance == made
