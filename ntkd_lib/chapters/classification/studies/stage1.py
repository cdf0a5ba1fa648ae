"""Stage 1: accuracy of optical architectures, estimated without training and compared with training."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.chapters.classification import NOTEBOOK
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.classification.studies.ridge import choose_ridge
from ntkd_lib.chapters.optical_students.classification_cells import digit_common, digit_student
from ntkd_lib.chapters.optical_students.classification_methods import DIGITS
from ntkd_lib.chapters.optical_students.classification_setting import Partition, prepare
from ntkd_lib.distill.training import Images, predict
from ntkd_lib.lab import Cell, CellResult, ParameterError
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk.infinite.dense import dense_kernels
from ntkd_lib.optics.layout import filters_that_fit
from ntkd_lib.optics.student import Rectified, signed_front_end

PIXEL_UM = 11.72  # side of a filter's pixel; NTKD paper's code, kernelmino/psf-meta-design-v2
GAP_UM = 8.0
VALIDATION = 2000
BIAS_STD = 0.1
RANK_CORRELATION = "ntkd.stage1.rank_correlation"


@dataclass(frozen=True)
class Architecture:
    """An optical architecture: a surface (lengths in um), a filter size in pixels, and a back end."""

    name: str
    label: str
    height: float = 360.0
    width: float = 360.0
    filter_size: int = 7
    gap: float = GAP_UM
    rectified: Rectified = "both"
    hidden: tuple[int, ...] = (32,)

    @property
    def filters(self) -> int:
        """Count the signed filters that fit: half of the PSFs, since each needs two."""
        return filters_that_fit(self.height, self.width, self.filter_size * PIXEL_UM, self.gap) // 2


ARCHITECTURES = (
    Architecture("none", "8 of 7 × 7"),
    Architecture("none_capture", "8 of 7 × 7, ReLU after capture only", rectified="capture"),
    Architecture("none_hidden", "8 of 7 × 7, hidden ReLU only", rectified="hidden"),
    Architecture("linear", "8 of 7 × 7, no ReLU", rectified="none"),
    Architecture("four", "4 of 7 × 7", width=180.0),
    Architecture("two", "2 of 7 × 7", height=180.0, width=180.0),
    Architecture("small", "8 of 3 × 3", height=180.0, width=180.0, filter_size=3),
    Architecture("shallow", "8 of 7 × 7, one dense layer", rectified="capture", hidden=()),
    Architecture("deep", "8 of 7 × 7, three dense layers", hidden=(32, 32)),
)
MAIN = ("none", "none_capture", "none_hidden", "linear")  # students of the main comparison
SURFACE = "surface"  # the architecture that the parameters describe


def plan(p: ClassificationParameters, data: Data) -> list[Cell]:
    """List the estimates, and the students that are trained for comparison alone."""
    estimates = [estimate_cell(p, data, a) for a in (*ARCHITECTURES, surface_of(p))]
    others = [a for a in ARCHITECTURES if a.name not in MAIN]
    return [*estimates, *(trained(p, data, a, seed) for a in others for seed in p.some_seeds)]


def surface_of(p: ClassificationParameters) -> Architecture:
    """Turn the surface that the parameters describe into an architecture."""
    height, width, size = p.surface_height, p.surface_width, p.filter_size
    if size % 2 == 0:
        raise ParameterError(f"{NOTEBOOK}: filter_size = {size} is even; allowed: odd sizes")
    surface = Architecture(SURFACE, "surface of the parameters", height, width, size, p.gap)
    if surface.filters < 1:
        came = f"surface_height = {height} and surface_width = {width}"
        needs = f"a pair of filters of {size} pixels with gap = {p.gap}"
        raise ParameterError(f"{NOTEBOOK}: {came} have no room for {needs}; allowed: larger surfaces")
    return surface


def estimate_cell(p: ClassificationParameters, data: Data, of: Architecture) -> Cell:
    """Estimate an architecture's accuracy."""
    return estimate.cell(
        {"architecture": of.name},
        **digit_common(p, data, p.all_seeds[0]),
        fitted=p.estimate_images,
        filters=of.filters,
        filter_size=of.filter_size,
        rectified=of.rectified,
        depth=len(of.hidden),
    )


def trained(p: ClassificationParameters, data: Data, of: Architecture, seed: int) -> Cell:
    """Train a student of an architecture on labels, at the settings of the usual one."""
    if of.name in MAIN:
        return digit_student(p, data, DIGITS.methods[of.name], seed)
    return digit_student(
        p,
        data,
        DIGITS.methods["none"],
        seed,
        labels={"question": "stage1", "architecture": of.name},
        parts={part: getattr(of, part) for part in ("filters", "filter_size", "rectified", "hidden")},
    )


# NTKD paper, Sec. 3.1 and Eq. 1-4; how a finite number of filters enters at infinite width is our reading.
@work(cost=lambda fitted, **_: 1 + 5e-7 * fitted**2)
def estimate(
    data: Data,
    seed: int,
    split: Partition,
    *,
    fitted: int,
    filters: int,
    filter_size: int,
    rectified: Rectified,
    depth: int,
    device: str = "cpu",
) -> CellResult:
    """Estimate by NTK regression: as many random filters as fit, and a back end of infinite width."""
    setting = prepare(data, split, seed, device)
    front = signed_front_end("random", rectified, filters, filter_size=filter_size).to(device)
    rows, held_out = setting.rows, setting.held_out[:VALIDATION]
    rows = rows[torch.randperm(len(rows))[:fitted].to(rows.device)]
    train, validation = (_read_out(front, setting.train, part) for part in (rows, held_out))
    layers = depth if rectified in ("both", "hidden") else 0
    form = {"depth": layers, "bias_std": BIAS_STD, "dtype": torch.float32}
    theta = dense_kernels(train, **form).ntk
    cross = dense_kernels(validation, train, **form).ntk
    labels = setting.train.labels
    ridge, validation = choose_ridge(theta, labels[rows], cross, labels[held_out])
    return CellResult({"estimate": validation, "ridge": ridge})


def _read_out(front: nn.Module, data: Images, rows: Tensor) -> Float[Tensor, "n d"]:
    values = predict(front, data.images[rows])
    return values / values.square().mean().sqrt()
