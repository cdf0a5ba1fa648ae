"""Alignment of the students' tangent kernels with the teacher's, for all objectives."""

import matplotlib.pyplot as plt
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ntkd_lib.chapters.classification.methods import digit_labels, students
from ntkd_lib.chapters.optical_students.classification_setting import restore_student
from ntkd_lib.chapters.optical_students.classification_teachers import landmark_kernel
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.distill import kernel_losses
from ntkd_lib.lab import Metric, Record, metric
from ntkd_lib.ntk.landmarks import landmark_gram
from ntkd_lib.optics.tangent import student_trace_ntk
from ntkd_lib.show.dots import BLUE, ORANGE, name_rows

IMAGES = 128
STUDENTS = ("none", "kd", "ntkd_raw", "ntkd_normalised", "ntkd_cosine", "ntkd_sap", "ntkd_trace_only")


def kernel_alignment(run: Run) -> pd.DataFrame:
    """Compute the centred cosine and the size ratio of the students' kernels and their teacher's."""
    images = load(run.parameters.data, "train").images
    table = students(run, run.parameters.data, label_share=1)
    table = table[table["method"].isin(STUDENTS)]
    teachers = table["seed"].map(run.frame(landmark_kernel, trained=True).set_index("seed")["cell"])
    records = {record.key: record for record in run.records.values()}
    pairs = zip(table["cell"].map(records.get), teachers.map(records.get), strict=True)
    kernels = (_kernels(*pair, images) for pair in pairs)
    measured = pd.DataFrame([compare(*pair) for pair in kernels], table.index, ["alignment", "size"])
    return table.assign(**measured, label=table["method"].map(digit_labels()))


def compare(student: Float[Tensor, "m m"], teacher: Float[Tensor, "m m"]) -> tuple[float, float]:
    """Compute the centred cosine of two kernels, and the ratio of their mean diagonals."""
    alignment = 1 - kernel_losses.cosine(student, teacher)
    return alignment.item(), (student.diagonal().mean() / teacher.diagonal().mean()).item()


@torch.no_grad()
def _kernels(student: Record, teacher: Record, images: Tensor) -> tuple[Tensor, Tensor]:
    arrays = {name: torch.tensor(teacher.arrays[name][:IMAGES]) for name in ("rows", "features", "diagonal")}
    shown = images[arrays["rows"]].float() / 255
    theta_teacher = landmark_gram(arrays["features"].float(), arrays["diagonal"].float())
    return student_trace_ntk(restore_student(student), shown), theta_teacher


def alignment_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """Collect the alignment of the students' kernels, to three digits, as later ones vary with threads."""
    rounded = table.assign(alignment=[round(value, 3) for value in table["alignment"]])
    return {
        f"ntkd.mnist.{method}.alignment": metric(part, "alignment")
        for method, part in rounded.groupby("method", sort=False)
    }


def draw_alignment(table: pd.DataFrame) -> Figure:
    """Draw how near the students' kernels are to the teacher's in direction and in size."""
    figure, (direction, size) = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
    labels = list(dict.fromkeys(table["label"]))
    rows = table["label"].map(labels.index)
    for axes, name in ((direction, "alignment"), (size, "size")):
        axes.scatter(table[name], rows, s=18, color=BLUE, alpha=0.6, linewidth=0)
        means = table.groupby("label", sort=False)[name].mean()
        axes.plot(means, range(len(labels)), "|", color=ORANGE, markersize=14, markeredgewidth=2)
    name_rows(direction, labels)
    direction.set_xlabel("centred cosine")
    size.set(xlabel="size, student / teacher", xlim=(0, None))
    return figure
