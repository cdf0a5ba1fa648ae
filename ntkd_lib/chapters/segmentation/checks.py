"""Independent checks at the end of notebook 02: another way to the same numbers."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ntkd_lib.chapters.optical_students.mask_methods import MASKS
from ntkd_lib.chapters.optical_students.masks import restore, student
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.masks import load_masks
from ntkd_lib.distill.dense import PooledLogits
from ntkd_lib.distill.mask_training import scenes
from ntkd_lib.lab.cells import Record
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.optics.segmentation import MaskStudent, carvana_student


def first_record(run: Run, method: str) -> Record:
    """Return the record of a method's student of the first seed."""
    return run.select(student, data=run.parameters.data, method=MASKS.method(method).name)[0]


def _load_student(run: Run, method: str) -> MaskStudent:
    network = restore(carvana_student(), first_record(run, method))
    assert isinstance(network, MaskStudent)
    return network.eval()


@torch.no_grad()
def miou_from_captures(run: Run, method: str = "ntkd") -> tuple[float, float]:
    """Test the first seed's student through its two captures per channel, and count pixels by NumPy."""
    network, test = _load_student(run, method), load_masks(run.parameters.data, "test")
    counts = np.zeros((2, 2))  # class, (in both, in either)
    for images, masks in zip(test.images.split(16), test.masks.split(16), strict=True):
        guesses, truth = _predict_masks(network, scenes(images, "cpu")), masks.numpy()
        for kind in (0, 1):
            guessed, true = guesses == bool(kind), truth == bool(kind)
            counts[kind] += (guessed & true).sum(), (guessed | true).sum()
    return float(100 * (counts[:, 0] / counts[:, 1]).mean()), first_record(run, method).values["miou"]


def _predict_masks(network: MaskStudent, images: Float[Tensor, "n 3 h w"]) -> Bool[np.ndarray, "n h w"]:
    plus, minus, gain = network.front.captures(images)
    assert plus.min() >= 0
    assert minus.min() >= 0
    grey = network.front.bank.sum((1, 2, 3)) / 2
    read_out = ((plus - minus) * gain[:, None, None]).sum(2) - grey[:, None, None]
    return (network.back(read_out)[:, 0] > 0).numpy()


def kernel_error(run: Run, method: str = "ntkd", images: int = 2) -> float:
    """Compare the student's structured kernel with one backward pass per output and image in float64."""
    model = nn.Sequential(_load_student(run, method), PooledLogits(2))
    sample = scenes(load_masks(run.parameters.data, "test").images[:images], "cpu")
    exact = reference_ntk(model, sample).diagonal(dim1=2, dim2=3).sum(-1)
    with torch.no_grad():
        fast = empirical_ntk(model, sample, kind="trace", method="structured").double()
    return ((fast - exact).norm() / exact.norm()).item()
