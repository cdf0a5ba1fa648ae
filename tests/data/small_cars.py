"""A small copy of Carvana: five cars in two views."""

from dataclasses import replace

import numpy as np
from PIL import Image

from ntkd_lib.data.catalogue import CARVANA
from ntkd_lib.data.mask_pairs import split_cars

NAMES = ("0cab", "1dee", "2fed", "3bad", "4ace")
VIEWS = 2
SMALL = replace(CARVANA, height=8, width=12, cars=len(NAMES), views=VIEWS, published_names="")
FULL = (90, 60)  # columns and rows of the published form in these tests


def picture(number):
    """Return a noisy image, and a mask that covers its left third."""
    generator = np.random.default_rng(number)
    pixels = generator.integers(0, 256, (FULL[1], FULL[0], 3), dtype=np.uint8)
    mask = np.zeros(FULL[::-1], np.uint8)
    mask[:, : FULL[0] // 3] = 255
    return Image.fromarray(pixels), Image.fromarray(mask)


def write_original(folder):
    """Write a small copy in the form that Kaggle publishes."""
    for kind in ("train", "train_masks"):
        (folder / kind).mkdir(parents=True)
    for number, (car, view) in enumerate((car, view) for car in NAMES for view in (1, 2)):
        image, mask = picture(number)
        image.save(folder / "train" / f"{car}_{view:02}.jpg", quality=95)
        mask.convert("P").save(folder / "train_masks" / f"{car}_{view:02}_mask.gif")
    return folder


def write_reduced(folder):
    """Write a small copy in the reduced form, with its index."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    lines, part = ["image,mask,car,view,split,foreground"], split_cars(NAMES)
    for number, (car, view) in enumerate((car, view) for car in NAMES for view in (1, 2)):
        image, mask = (p.resize((SMALL.width, SMALL.height), Image.Resampling.BOX) for p in picture(number))
        stem = f"{car}_{view:02}"
        image.save(folder / "images" / f"{stem}.jpg", quality=95)
        mask.point(lambda v: 255 * (v > 127)).convert("1").save(folder / "masks" / f"{stem}_mask.png")
        lines.append(f"images/{stem}.jpg,masks/{stem}_mask.png,{car},{view},{part[car]},0.3333")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder
