"""Alignment of the students' tangent kernels with the teacher's, for all objectives."""

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure

from ntkd_lib.chapters.classification.methods import digit_labels, record_of, students
from ntkd_lib.chapters.optical_students.classification_setting import restore_student
from ntkd_lib.chapters.optical_students.classification_teachers import landmark_kernel
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.distill import kernel_losses
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.frame import metric
from ntkd_lib.ntk.landmarks import landmark_gram
from ntkd_lib.optics.tangent import student_trace_ntk
from ntkd_lib.show.dots import BLUE, ORANGE

IMAGES = 128
STUDENTS = ("none", "kd", "ntkd_raw", "ntkd_normalised", "ntkd_cosine", "ntkd_sap", "ntkd_trace_only")


def kernel_alignment(run: Run) -> pd.DataFrame:
    """Compute the centred cosine and the size ratio of the students' kernels and their teacher's."""
    images = load(run.parameters.data, "train").images
    table, tangents = students(run, run.parameters.data), run.frame(landmark_kernel)
    table = table[table["method"].isin(STUDENTS) & (table["label_share"] == 1)]
    trained = tangents[tangents["trained"]].set_index("seed")["cell"]
    pairs = [
        _compare(record_of(run, row.cell), record_of(run, trained[row.seed]), images)
        for row in table.itertuples()
    ]
    measured = pd.DataFrame(pairs, columns=["alignment", "size"], index=table.index)
    labels = table["method"].map(digit_labels())
    return table.drop(columns="alignment").join(measured).assign(label=labels)


@torch.no_grad()
def _compare(student: Record, tangent: Record, images: torch.Tensor) -> tuple[float, float]:
    arrays = tangent.arrays
    features, diagonal = (torch.tensor(arrays[k][:IMAGES]).float() for k in ("features", "diagonal"))
    theta_teacher = landmark_gram(features, diagonal)
    shown = images[torch.tensor(arrays["rows"][:IMAGES])].float() / 255
    theta_student = student_trace_ntk(restore_student(student), shown)
    alignment = 1 - kernel_losses.cosine(theta_student, theta_teacher).item()
    return alignment, (theta_student.diagonal().mean() / diagonal.mean()).item()


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
    direction.set_yticks(range(len(labels)), labels)
    direction.invert_yaxis()
    direction.set_xlabel("centred cosine")
    size.set_xlabel("size, student / teacher")
    size.set_xlim(left=0)
    return figure
