"""Layout rule and GDSII: known counts, a round trip, an independent reader, refusals."""

from dataclasses import replace

import klayout.db
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.optics.layout import filters_that_fit, read_gds, write_gds

SMALL = Geometry(cells=12, distance=30.0, pixel=1)


@pytest.fixture
def widths() -> np.ndarray:
    drawn = np.random.default_rng(0).integers(60, 238, (12, 12))
    return np.where(drawn < 65, 0, drawn) / 1000


def test_written_widths_are_read_back(tmp_path, widths) -> None:
    write_gds(tmp_path / "mask.gds", widths, SMALL)
    np.testing.assert_allclose(read_gds(tmp_path / "mask.gds", SMALL), widths, atol=1e-9)


def test_klayout_sees_every_pillar_where_it_belongs(tmp_path, widths) -> None:
    count = write_gds(tmp_path / "mask.gds", widths, SMALL)
    layout = klayout.db.Layout()
    layout.read(str(tmp_path / "mask.gds"))
    top = layout.cell("METASURFACE")
    names = {layout.cell(i).name for i in top.called_cells()}
    assert names == {f"PILLAR_{round(1000 * w)}" for w in np.unique(widths) if w}
    boxes = [
        shape.shape().bbox().transformed(shape.trans()).to_dtype(layout.dbu)
        for shape in top.begin_shapes_rec(layout.layer(1, 0))
    ]
    assert len(boxes) == count == 4 * (widths > 0).sum()
    places = {(round(b.center().x / 0.1465), round(b.center().y / 0.1465)): 1000 * b.width() for b in boxes}
    assert all(b.width() == pytest.approx(b.height()) for b in boxes)
    assert max(abs(b.center().x / 0.1465 - x) for b, (x, _) in zip(boxes, places, strict=True)) < 0.01
    expected = {
        (2 * (2 * column + i) + 1 - 24, 24 - 1 - 2 * (2 * row + j)): 1000 * width
        for (row, column), width in np.ndenumerate(widths)
        for i in (0, 1)
        for j in (0, 1)
        if width
    }
    assert places == pytest.approx(expected)
    assert not klayout.db.Region(top.begin_shapes_rec(layout.layer(1, 0))).merged().is_empty()
    assert klayout.db.Region(top.begin_shapes_rec(layout.layer(1, 0))).merged().count() == count


@pytest.mark.parametrize(
    "value, text",
    [
        (0.3, "pillars of 300 nm overlap; allowed: below their pitch of 293 nm"),
        (0.0002, "rounds to zero area; allowed: 0 .no pillar. or at least 1 nm"),
        (-0.1, "got -0.1 um, allowed: 0 .no pillar. or positive and finite"),
        (np.nan, "got nan um"),
    ],
)
def test_impossible_pillars_are_refused_before_a_file_is_written(tmp_path, widths, value, text) -> None:
    widths[3, 4] = value
    with pytest.raises(ValueError, match=text):
        write_gds(tmp_path / "mask.gds", widths, SMALL)
    assert not list(tmp_path.iterdir())


def test_an_empty_metasurface_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="no pillar at all"):
        write_gds(tmp_path / "mask.gds", np.zeros((12, 12)), SMALL)


def test_another_file_is_refused(tmp_path) -> None:
    layout = klayout.db.Layout()
    layout.create_cell("OTHER")
    layout.write(str(tmp_path / "other.gds"))
    with pytest.raises(ValueError, match=r"other.gds: has no cell METASURFACE, found OTHER"):
        read_gds(tmp_path / "other.gds", SMALL)


def test_known_layouts() -> None:
    assert filters_that_fit(10, 10, 10, 5) == 1
    assert filters_that_fit(25, 40, 10, 5) == 2 * 3
    assert filters_that_fit(9, 100, 10, 5) == 0


@given(st.floats(1, 500), st.floats(1, 500), st.floats(1, 50), st.floats(0, 20))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_layouts_stay_on_the_surface_and_leave_no_room_for_more(height, width, side, gap) -> None:
    def fit(length):
        count = 0
        while (count + 1) * side + count * gap <= length + 1e-6:
            count += 1
        return count

    assert filters_that_fit(height, width, side, gap) == fit(height) * fit(width)


def test_layouts_without_size_are_refused() -> None:
    with pytest.raises(ValueError, match="side: got 0 um, allowed: above 0"):
        filters_that_fit(10, 10, 0, 1)
    with pytest.raises(ValueError, match="gap: got -1 um, allowed: 0 or more"):
        filters_that_fit(10, 10, 1, -1)


@pytest.mark.parametrize("shape", [(10, 10), (12, 10), (14, 14), (12,), (1, 12, 12)])
def test_widths_of_another_shape_than_the_geometrys_are_refused(shape, tmp_path):
    with pytest.raises(ValueError, match=r"^widths: got shape .*, allowed: \(12, 12\)$"):
        write_gds(tmp_path / "m.gds", np.full(shape, 0.1), SMALL)


@pytest.mark.parametrize(
    "changes", [{"cells": 8}, {"cells": 11}, {"cells": 13}, {"pitch": 0.6}, {"cells": 24, "pitch": 0.293}]
)
def test_files_of_another_geometry_are_refused(changes, tmp_path):
    path = tmp_path / "m.gds"
    write_gds(path, np.full((12, 12), 0.1), SMALL)
    with pytest.raises(ValueError, match=r"^m\.gds: a pillar at .* um lies off the grid of"):
        read_gds(path, replace(SMALL, **changes))
