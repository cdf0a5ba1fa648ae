"""The report: what is where, whether it is right, its terms, and what to do."""

from dataclasses import replace

import pytest

from ntkd_lib.data import registry
from ntkd_lib.data.catalogue import DATASETS
from ntkd_lib.data.report import render, rows


def by_name(table):
    return {row.name: row for row in table}


def test_every_data_set_has_a_row_with_its_licence(catalogue):
    table = rows()
    assert [row.name for row in table] == list(DATASETS)
    assert [row.licence for row in table] == [dataset.licence for dataset in DATASETS.values()]


def test_found_data(catalogue, tmp_path, fill):
    folder = fill(tmp_path / "cache/MNIST/raw", catalogue.idx.raw)
    row = by_name(rows())["mnist"]
    size = sum(len(data) for data in catalogue.idx.raw.values()) / 1e6
    assert (row.found, row.source, row.size) == ("real", f"cache: {folder}", f"{size:.1f} MB")
    assert (row.hashes, row.action) == ("verified", "")


def test_missing_data_say_what_to_do(catalogue, server):
    row = by_name(rows())["cifar-10"]
    assert (row.found, row.source, row.size, row.hashes) == (
        "stand-in",
        "procedural",
        "-",
        "no official hash",
    )
    assert row.action.startswith(
        "set NTKD_DATA to a folder that holds cifar-10-batches-py; or go on: the next run"
    )
    assert not server.requests, "looking downloads nothing"


def test_missing_data_offline_say_what_to_do(catalogue, monkeypatch):
    monkeypatch.setenv("NTKD_OFFLINE", "1")
    assert "or unset NTKD_OFFLINE to download" in by_name(rows())["mnist"].action


def test_download_on_request(catalogue):
    assert {row.found for row in rows(download=True)[:3]} == {"real"}


def test_damaged_data_are_a_row_not_a_crash(catalogue, tmp_path, monkeypatch, fill):
    fill(tmp_path / "user/MNIST/raw", {**catalogue.idx.raw, "t10k-labels-idx1-ubyte": b"half"})
    monkeypatch.setenv("NTKD_DATA", str(tmp_path / "user"))
    row = by_name(rows())["mnist"]
    assert (row.found, row.hashes) == ("damaged", "wrong")
    assert row.action.endswith("t10k-labels-idx1-ubyte is damaged (wrong SHA-256); replace or delete it")


def test_required_data_that_are_missing(catalogue, monkeypatch):
    monkeypatch.setenv("NTKD_OFFLINE", "1")
    monkeypatch.setenv("DATA", "require")
    table = by_name(rows())
    assert (table["mnist"].found, table["mnist"].hashes) == ("missing", "-")
    assert table["digits"].found == "embedded"


@pytest.mark.parametrize("name", ["mnist-5k", "digits"])
def test_embedded_data_are_compared_with_the_copy_we_know(catalogue, monkeypatch, name):
    row = by_name(rows())[name]
    assert (row.found, row.hashes, row.action) == ("embedded", "verified", "")
    assert row.source.startswith("package: ")

    registry.forget()
    monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], sha256="0" * 64))
    assert by_name(rows())[name].hashes == "not the copy we know"


def test_table_is_aligned_and_complete(catalogue, monkeypatch):
    monkeypatch.setenv("NTKD_OFFLINE", "1")
    table = rows()
    lines = render(table).splitlines()
    starts = [lines[0].index(column) for column in ("name", "found", "source", "size", "hashes")]
    for line, row in zip(lines[1:], table, strict=False):
        assert [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] == [
            row.name,
            row.found,
            row.source,
            row.size,
            row.hashes,
        ]
    assert f"  mnist: {table[0].licence}" in lines
    assert f"  mnist: {table[0].action}" in lines[lines.index("what to do") :]
    assert not any(line != line.rstrip() for line in lines)


@pytest.mark.usefixtures("catalogue", "brought")
def test_nothing_to_do_is_not_announced():
    table = rows(download=True)
    assert {row.found for row in table} == {"real", "embedded", "drawn"}
    assert "what to do" not in render(table)


@pytest.mark.parametrize(("name", "folder"), [("imagenette", "imagenette-128"), ("signals", "signals")])
def test_what_nobody_offers_for_download_is_brought_by_the_user(catalogue, name, folder):
    row = by_name(rows(download=True))[name]
    assert (row.found, row.action) == ("stand-in", f"set NTKD_DATA to a folder that holds {folder}")
