"""Images with masks: pairs checked before any is read, decoded once, split by object, refused in one line."""

import hashlib
import inspect
import io
import sys
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ntkd_lib.data import kaggle, mask_arrays, mask_pairs, registry
from ntkd_lib.data.cars import draw_cars
from ntkd_lib.data.catalogue import CARVANA, DATASETS
from ntkd_lib.data.load import load
from ntkd_lib.data.mask_pairs import files_digest, find_pairs, split_cars
from ntkd_lib.data.masks import load_masks
from ntkd_lib.data.registry import DataError, locate
from ntkd_lib.data.report import rows
from ntkd_lib.data.standins import standin
from tests.data.small_cars import FULL, SMALL, write_original, write_reduced


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Return the user's data folder, empty, in a world where Carvana has five cars."""
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("NTKD_DATA", str(tmp_path / "user"))
    monkeypatch.setitem(DATASETS, "carvana", SMALL)
    files_digest.cache_clear()
    yield tmp_path / "user"
    files_digest.cache_clear()


@pytest.fixture
def original(user):
    return write_original(user / CARVANA.original)


@pytest.fixture
def reduced(user, monkeypatch):
    folder = write_reduced(user / CARVANA.folder)
    pin_again(folder, monkeypatch)
    return folder


def pin_again(folder, monkeypatch):
    """Make the present files of a folder the ones that are known."""
    files_digest.cache_clear()
    digest = files_digest(tuple(find_pairs(SMALL, folder)), folder)
    monkeypatch.setitem(DATASETS, "carvana", replace(SMALL, sha256=digest))


def refused(message, tmp_path):
    """Check that loading says this in one line, and leaves nothing in the cache."""
    with pytest.raises(DataError, match=message) as error:
        load_masks("carvana", "train")
    assert "\n" not in str(error.value)
    cache = tmp_path / "cache"
    assert not cache.exists() or list(cache.iterdir()) == []


def test_cars_are_split_as_a_whole_by_the_hash_of_their_names():
    parts = split_cars(f"{n:04x}" for n in range(318))
    counts = {part: list(parts.values()).count(part) for part in mask_pairs.PARTS}
    assert counts == {"train": 254, "val": 32, "test": 32}
    ordered = sorted(parts, key=lambda car: hashlib.sha256(car.encode()).hexdigest())
    assert [parts[car] for car in ordered] == ["train"] * 254 + ["val"] * 32 + ["test"] * 32


def test_two_cars_cannot_be_split():
    with pytest.raises(DataError, match="2 cars cannot be split into train, val and test; needs 3 or more"):
        split_cars(["a", "b"])


def test_the_published_form_is_reduced_once_and_then_mapped(original, tmp_path, monkeypatch):
    located = locate("carvana")
    assert (located.kind, located.source, located.path) == ("real", "NTKD_DATA", original)
    assert located.note == "as published, reduced here, from NTKD_DATA"
    parts = {part: load_masks("carvana", part) for part in mask_pairs.PARTS}
    assert [len(parts[part].images) for part in mask_pairs.PARTS] == [6, 2, 2]
    assert parts["train"].images.shape == (6, 3, 8, 12)
    assert not set(parts["train"].cars) & set(parts["test"].cars)
    expected = torch.arange(12) < 4  # a third of the columns, so that no pixel is cut
    assert all(torch.equal(m, expected.expand(8, 12)) for part in parts.values() for m in part.masks)
    monkeypatch.setattr(mask_arrays, "read_pair", None)  # a second reading would fail
    again = load_masks("carvana", "train")
    assert torch.equal(again.images, parts["train"].images)
    (folder,) = (tmp_path / "cache").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["images.npy", "masks.npy", "pairs.json"]


def test_reduction_keeps_the_mean_and_follows_lanczos(original):
    first = find_pairs(SMALL, original)[0]
    full = np.asarray(Image.open(first.image), np.float64)
    reference = Image.open(first.image).resize((12, 8), Image.Resampling.LANCZOS)
    made = load_masks("carvana", "train").images[0].permute(1, 2, 0).double().numpy()
    assert abs(made.mean() - full.mean()) < 2
    assert np.abs(made - np.asarray(reference, np.float64)).mean() < 6


def test_the_reduced_form_is_read_as_it_is(reduced):
    assert locate("carvana").note == "all hashes right, from NTKD_DATA"
    train = load_masks("carvana", "train")
    pair = find_pairs(SMALL, reduced)[0]
    assert np.array_equal(train.images[0].permute(1, 2, 0), np.asarray(Image.open(pair.image)))
    assert np.array_equal(train.masks[0], np.asarray(Image.open(pair.mask)))


def test_a_changed_copy_does_not_touch_the_files(original):
    load_masks("carvana", "train").images[:] = 0
    assert load_masks("carvana", "train").images.float().mean() > 50


def test_a_missing_mask_is_refused(original, tmp_path):
    (original / "train_masks/2fed_01_mask.gif").unlink()
    refused("^carvana: mask train_masks/2fed_01_mask.gif is missing; restore it$", tmp_path)


def test_sizes_that_differ_are_refused(original, tmp_path):
    Image.new("P", (80, 60)).save(original / "train_masks/0cab_01_mask.gif")
    refused("^carvana: 0cab_01.jpg has 90 x 60 pixels, its mask 80 x 60; both must be the same$", tmp_path)


def test_a_truncated_photograph_is_refused(original, tmp_path):
    path = original / "train/3bad_02.jpg"
    path.write_bytes(path.read_bytes()[:-900])
    refused("^carvana: 3bad_02.jpg is damaged or cut short: image file is truncated", tmp_path)


def test_a_file_that_is_no_image_is_refused(original, tmp_path):
    (original / "train/3bad_02.jpg").write_bytes(b"no image")
    refused("^carvana: 3bad_02.jpg is damaged or cut short: it is no image$", tmp_path)


def test_a_mask_of_several_frames_is_refused(original, tmp_path):
    frames = [Image.fromarray(np.full(FULL[::-1], value, np.uint8)).convert("P") for value in (0, 255)]
    frames[0].save(original / "train_masks/1dee_02_mask.gif", save_all=True, append_images=frames[1:])
    refused("^carvana: mask 1dee_02_mask.gif has 2 frames, needs one$", tmp_path)


def test_an_empty_folder_is_refused(user, tmp_path):
    (user / CARVANA.original).mkdir()
    refused(r"^carvana: .*/train holds no \.jpg; unpack train\.zip there$", tmp_path)


def test_an_empty_reduced_folder_is_refused(user, tmp_path):
    (user / CARVANA.folder).mkdir()
    refused(r"^carvana: .* holds no index\.csv; restore it or delete the folder$", tmp_path)


def test_a_car_in_two_splits_is_refused(reduced, tmp_path):
    index = reduced / "index.csv"
    lines = index.read_text().splitlines()
    lines[1] = lines[1].replace("train", "val").replace("test", "val")
    lines[2] = lines[2].replace("val", "train").replace("test", "train")
    index.write_text("\n".join(lines))
    refused("^carvana: car 0cab is in val and in train; each car belongs to one split$", tmp_path)


def test_half_a_set_is_refused(original, tmp_path):
    for path in original.glob("*/4ace*"):
        path.unlink()
    refused("^carvana: found 8 pairs of 4 cars, the whole set has 10 of 5; unpack it again$", tmp_path)


def encoded(form, pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **({"quality": 95} if form == "JPEG" else {}))
    return stream.getvalue()


BLACK = encoded("JPEG", np.zeros((160, 240, 3), np.uint8)), encoded("GIF", np.zeros((160, 240), np.uint8))
KNOWN = {name: (share, brightness) for name, share, brightness in CARVANA.published_pictures}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a folder of as many black pictures as Carvana has, and the digest of their names."""
    folder = tmp_path_factory.mktemp("whole")
    cars = sorted({name[:12] for name in KNOWN} | {f"{number:012x}" for number in range(318 - len(KNOWN))})
    for kind in ("train", "train_masks"):
        (folder / kind).mkdir()
    for name in (f"{car}_{view:02}" for car in cars for view in range(1, 17)):
        write_pair(folder, name, *BLACK)
    names = "\n".join(sorted(path.stem for path in (folder / "train").iterdir()))
    return folder, hashlib.sha256(names.encode()).hexdigest()


def write_pair(folder, name, image, mask):
    """Write a picture and its mask."""
    (folder / "train" / f"{name}.jpg").write_bytes(image)
    (folder / "train_masks" / f"{name}_mask.gif").write_bytes(mask)


def picture(share, brightness):
    """Draw an even picture, and a mask that covers a share of it."""
    rows = np.arange(160 * 240).reshape(160, 240) < share * 160 * 240
    image = np.full((160, 240, 3), brightness, np.uint8)
    return encoded("JPEG", image), encoded("GIF", 255 * rows.astype(np.uint8))


@pytest.mark.parametrize("what", ["names", "pictures", "masks", "nothing"])
def test_a_whole_set_of_other_pictures_is_not_taken_for_the_published_one(user, monkeypatch, whole, what):
    folder, names = whole
    wrong = {"pictures": lambda share, _: (share, 0), "masks": lambda _, light: (0.0, light)}
    for name, both in KNOWN.items():
        write_pair(folder, name, *picture(*wrong.get(what, lambda *both: both)(*both)))
    (user / CARVANA.original).symlink_to(folder)
    dataset = CARVANA if what == "names" else replace(CARVANA, published_names=names)
    monkeypatch.setitem(DATASETS, "carvana", dataset)
    if what == "nothing":
        assert locate("carvana").kind == "real"
        return
    message = (
        "are not named as published" if what == "names" else r"train/\w+.jpg is not the published picture"
    )
    with pytest.raises(DataError, match=f"^carvana: .*{message}"):
        locate("carvana")


def test_foreign_names_are_refused(original, tmp_path):
    Image.new("RGB", FULL).save(original / "train/holiday.jpg")
    refused(r"^carvana: train/holiday\.jpg is not named CAR_VIEW\.jpg; remove it$", tmp_path)


def test_other_files_in_the_reduced_form_are_refused(reduced, tmp_path):
    image = reduced / "images/0cab_01.jpg"
    image.write_bytes((reduced / "images/0cab_02.jpg").read_bytes())
    files_digest.cache_clear()
    refused("^carvana: .* holds other files than we know; replace or delete it$", tmp_path)


@pytest.mark.parametrize(
    "line, message",
    [
        ("../a.jpg,b.png,c,1,train", r"index.csv is refused: '\.\./a\.jpg' points outside"),
        ("a.jpg,b.png,c,1,dev", "no index of masks: split 'dev' is not one of train, val, test"),
        ("a.jpg,b.png,c,one,train", "no index of masks: invalid literal"),
    ],
)
def test_a_strange_index_is_refused(reduced, tmp_path, line, message):
    (reduced / "index.csv").write_text(f"image,mask,car,view,split\n{line}\n")
    refused(message, tmp_path)


def test_arrays_that_another_decoder_made_are_decoded_again(original, tmp_path, monkeypatch):
    load_masks("carvana", "val")
    changed = tmp_path / "mask_pairs.py"
    changed.write_text("HALF = 1")
    monkeypatch.setattr(mask_arrays.mask_pairs, "__file__", str(changed))
    load_masks("carvana", "val")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_damaged_arrays_in_the_cache_are_noticed(original, tmp_path):
    load_masks("carvana", "val")
    (folder,) = (tmp_path / "cache").iterdir()
    raw = bytearray((folder / "masks.npy").read_bytes())
    raw[-1] ^= 1
    (folder / "masks.npy").write_bytes(raw)
    with pytest.raises(DataError, match=r"masks\.npy in the cache is damaged; delete"):
        load_masks("carvana", "val")


def test_without_a_copy_cars_are_drawn_and_the_terms_shown(monkeypatch, user):
    registry._locate.cache_clear()
    located = locate("carvana")
    assert (located.kind, located.source) == ("standin", "procedural")
    assert located.note.startswith("stand-in: 240 drawings of 30 cars; the real data were not found")
    train = load_masks("carvana", "train", located.sha256)
    assert train.images.shape == (192, 3, 160, 240)
    row = next(row for row in rows() if row.name == "carvana")
    assert "not to be passed on" in row.licence
    assert "with Kaggle's train and train_masks" in row.action


def test_drawings_are_repeatable_split_by_car_and_not_solved_by_colour():
    small = draw_cars(6, 2)
    assert small.sha256 == draw_cars(6, 2).sha256 != draw_cars(6, 2, seed=1).sha256
    cars = [set(decoded.cars) for decoded in small.parts.values()]
    assert not (cars[0] & cars[1] | cars[0] & cars[2] | cars[1] & cars[2])
    decoded = standin("carvana").parts["train"]
    assert 0.1 < decoded.masks.mean() < 0.3
    grey = decoded.images[:40].mean(1).reshape(40, -1)
    best = max(((grey < level) == decoded.masks[:40].reshape(40, -1)).mean() for level in range(20, 240, 10))
    assert best < 0.93


def test_masks_and_labels_are_not_mixed_up(user):
    with pytest.raises(DataError, match=r"^carvana has masks and no labels"):
        load("carvana", "train")
    with pytest.raises(DataError, match=r"^digits has labels and no masks"):
        load_masks("digits", "train")


@pytest.mark.parametrize("name", ["carvana", "drawn-cars"])
def test_unknown_part_is_one_line(user, name):
    with pytest.raises(DataError, match=r"^unknown part 'validation'; allowed: train, val, test$"):
        inspect.unwrap(load_masks)(name, "validation")  # past the type checker of the tests


def zipped(folder, into):
    """Pack the two folders of the published form as Kaggle does."""
    into.mkdir()
    for name in ("train", "train_masks"):
        with zipfile.ZipFile(into / f"{name}.zip", "w") as archive:
            for path in sorted((folder / name).iterdir()):
                archive.write(path, f"{name}/{path.name}")
    return into


def test_kaggles_archives_are_unpacked_into_the_cache(tmp_path, monkeypatch, user):
    archives = zipped(write_original(tmp_path / "made"), tmp_path / "zips")
    client = SimpleNamespace(competition_download=lambda name, path: str(archives / path))
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    folder = kaggle.fetch_copy(SMALL, tmp_path / "cache")
    assert folder == tmp_path / "cache" / CARVANA.original
    registry._locate.cache_clear()
    assert locate("carvana").source == "cache"


def test_kaggles_refusal_is_one_line(tmp_path, monkeypatch):
    def refuse(name, path):
        raise RuntimeError("403 Client Error\nYou must accept the rules")

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(competition_download=refuse))
    with pytest.raises(DataError, match=r"^carvana: Kaggle gave no train\.zip: 403 Client Error$"):
        kaggle.fetch_copy(SMALL, tmp_path)
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DataError, match=r"^kagglehub is not installed; pip install"):
        kaggle.fetch_copy(SMALL, tmp_path)


@pytest.mark.parametrize("member", ["../train/x.jpg", "other/x.jpg"])
def test_hostile_archives_are_refused(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr(member, "x")
    with pytest.raises(DataError, match=r"^train\.zip is refused: member .* points outside$"):
        kaggle.unpack_archive(tmp_path / "train.zip", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("train/a.jpg", "x")
        archive.getinfo("train/a.jpg").file_size = 5 << 30  # what the directory claims
    with pytest.raises(
        DataError, match=r"^train\.zip is refused: it holds 5,368,709,120 bytes, 1,073,741,824"
    ):
        kaggle.unpack_archive(tmp_path / "train.zip", tmp_path / "out")
    (tmp_path / "train_masks.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"^train_masks\.zip cannot be unpacked"):
        kaggle.unpack_archive(tmp_path / "train_masks.zip", tmp_path / "out")
