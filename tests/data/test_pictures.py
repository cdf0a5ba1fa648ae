"""Pictures in a folder: found where they lie, checked one by one, decoded in the index's order."""

import numpy as np
import pytest
from PIL import Image

from ntkd_lib.data import registry
from ntkd_lib.data.catalogue import DATASETS, find_dataset
from ntkd_lib.data.load import load
from ntkd_lib.data.pictures import PictureDataset, check_pictures, pictures_digest
from ntkd_lib.data.registry import DataError, locate
from ntkd_lib.data.report import rows
from ntkd_lib.lab.digest import sha256_file

SIDE = 8


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Return a small data set of six pictures in the user's folder, under the name imagenette."""
    folder = tmp_path / "user/imagenette-128"
    lines = ["image,split,wnid,label,class"]
    for i, split in enumerate(("train", "val", "train", "train", "val", "train")):
        path = folder / split / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((SIDE, SIDE, 3), 40 * i, np.uint8)).save(path, quality=100)
        lines.append(f"{split}/{i}.jpg,{split},n0,{i % 3},x")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    pins = sha256_file(folder / "index.csv"), pictures_digest(folder)
    dataset = PictureDataset("imagenette", folder.name, SIDE, *pins, ("a", "b", "c"), "free")
    pictures_digest.cache_clear()
    monkeypatch.setitem(DATASETS, "imagenette", dataset)
    monkeypatch.setenv("NTKD_DATA", str(tmp_path / "user"))
    yield folder
    pictures_digest.cache_clear()


def test_pictures_are_decoded_in_the_order_of_the_index(pictures) -> None:
    train, test = load("imagenette", "train"), load("imagenette", "test")
    assert train.labels.tolist() == [0, 2, 0, 2]
    assert test.labels.tolist() == [1, 1]
    assert train.images.shape == (4, 3, SIDE, SIDE)
    means = train.images.float().mean((1, 2, 3)).tolist()
    assert means == pytest.approx([0, 80, 120, 200], abs=3)
    located = locate("imagenette")
    assert (located.kind, located.source, located.path) == ("real", "NTKD_DATA", pictures)


def test_a_changed_picture_is_refused_by_name_of_the_folder(pictures) -> None:
    (pictures / "train/2.jpg").write_bytes((pictures / "train/0.jpg").read_bytes())
    with pytest.raises(
        DataError, match=r"^imagenette: .* holds other pictures than we know; replace or delete"
    ):
        locate("imagenette")


def test_a_missing_picture_is_named_and_a_stand_in_taken(pictures) -> None:
    (pictures / "val/4.jpg").unlink()
    assert check_pictures(find_dataset("imagenette"), pictures) == "imagenette-128/val/4.jpg"
    located = locate("imagenette")
    assert located.kind == "standin"
    assert "NTKD_DATA has no imagenette-128/val/4.jpg" in located.note


def test_an_index_that_points_outside_is_refused(pictures) -> None:
    (pictures / "index.csv").write_text("image,split,label\n../../secret.jpg,train,0\n")
    with pytest.raises(DataError, match=r"index\.csv is refused: '\.\./\.\./secret\.jpg' points outside"):
        locate("imagenette")


def test_an_index_of_other_columns_is_one_line(pictures) -> None:
    (pictures / "index.csv").write_text("picture\nx\n")
    with pytest.raises(DataError, match=r"^index\.csv is no index of pictures: 'image'$"):
        locate("imagenette")


def test_an_index_with_a_field_without_end_is_one_line(pictures) -> None:
    (pictures / "index.csv").write_text("image,split,label\n" + "x" * 200_000 + ",train,0\n")
    with pytest.raises(DataError, match=r"^index\.csv is no index of pictures: field larger than"):
        locate("imagenette")


def test_a_picture_of_another_size_is_named(pictures, monkeypatch) -> None:
    Image.new("RGB", (SIDE, 5)).save(pictures / "train/0.jpg")
    digest = pictures_digest(pictures)
    pins = {"index_sha256": sha256_file(pictures / "index.csv"), "sha256": digest}
    dataset = find_dataset("imagenette")
    changed = PictureDataset(
        dataset.name, dataset.folder, SIDE, **pins, classes=dataset.classes, licence="free"
    )
    monkeypatch.setitem(DATASETS, "imagenette", changed)
    registry.forget()
    with pytest.raises(DataError, match=r"^0\.jpg has 8 x 5 pixels, needs 8 x 8$"):
        load("imagenette", "train")


def test_the_report_says_where_pictures_would_go(monkeypatch) -> None:
    monkeypatch.setenv("NTKD_OFFLINE", "1")
    row = next(row for row in rows() if row.name == "imagenette")
    assert (row.found, row.action) == ("stand-in", "set NTKD_DATA to a folder that holds imagenette-128")
