"""Energy saved by optics: multiply-adds counted on our networks, the paper's capture energies."""

import pandas as pd
import torch

from ntkd_lib.chapters.optical_students.masks import build_teacher
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.nets.unet import UNet
from ntkd_lib.optics.energy import LENS_CAPTURE, OPTICAL_CAPTURE, Budget, cascade_macs, count_macs, saving
from ntkd_lib.optics.segmentation import carvana_student
from ntkd_lib.show.columns import Column

HEIGHT, WIDTH = 160, 240
PAPER = (
    Budget("paper: hybrid", 65.0, OPTICAL_CAPTURE),
    Budget("paper: compact digital twin", 239.0, LENS_CAPTURE),
    Budget("paper: U-Net", 65_900.0, LENS_CAPTURE),
)
COLUMNS = (
    Column("System", "{system}"),
    Column("Multiply-adds (M)", "{macs:,.0f}"),
    Column("Compute (mJ)", "{compute:,.2f}"),
    Column("Capture (mJ)", "{capture:.2f}"),
    Column("Both (mJ)", "{total:,.2f}"),
    Column("Hybrid saves", "{saving:.1f} %"),
    Column("Compute, ratio to hybrid", "{ratio:,.1f}"),
)


def budgets(height: int = HEIGHT, width: int = WIDTH) -> dict[str, Budget]:
    """Count the multiply-adds of our systems per image."""
    student = carvana_student()
    read_out = student.front(torch.zeros(1, 3, height, width)).shape[1:]
    back = count_macs(student.back, tuple(read_out))
    optics = cascade_macs(student.front, height, width)
    shape = (3, height, width)
    unet = count_macs(UNet(width=64), shape)
    return {
        "hybrid": Budget("hybrid", back, OPTICAL_CAPTURE),
        "layers": Budget("digital twin, layer by layer", back + optics["layers"], LENS_CAPTURE),
        "merged": Budget("digital twin, depths merged", back + optics["merged"], LENS_CAPTURE),
        "binned": Budget("digital twin, merged and binned", back + optics["binned"], LENS_CAPTURE),
        "teacher": Budget("teacher", count_macs(build_teacher(), shape), LENS_CAPTURE),
        "unet": Budget("U-Net of 64 filters, full resolution", unet, LENS_CAPTURE),
    }


def rows() -> pd.DataFrame:
    """List the budgets of our systems and the systems of the paper."""
    ours = budgets()
    systems = [(each, ours["hybrid"]) for each in ours.values()] + [(each, PAPER[0]) for each in PAPER]
    columns = ("system", "macs", "compute", "capture", "total")
    return pd.DataFrame(
        {
            **{column: getattr(each, column) for column in columns},
            "saving": saving(hybrid, each),
            "ratio": each.compute / hybrid.compute,
        }
        for each, hybrid in systems
    )


def metric(run: Run) -> dict[str, Metric]:
    """Compute the metric of the energy claim: the hybrid against its twin, computed layer by layer."""
    ours = budgets()
    value = saving(ours["hybrid"], ours["layers"])
    return {"ntkd.carvana.energy.saving": Metric(seeds=[0], values=[value], data=[run.parameters.data])}
