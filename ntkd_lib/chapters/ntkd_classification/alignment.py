"""How near the students' tangent kernels come to the teacher's, whatever they were trained on."""

from __future__ import annotations

import pandas as pd
import torch

from ntkd_lib.chapters.ntkd_classification.restore import restore_student
from ntkd_lib.chapters.ntkd_classification.summary import student_label, student_records
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.distill.tangent_cosine import kernel_loss
from ntkd_lib.lab.evidence import Metric, metric_of
from ntkd_lib.ntk.landmarks import landmark_gram
from ntkd_lib.optics.tangent import student_trace_ntk

IMAGES = 128
STUDENTS = ("none", "kd", "ntkd_raw", "ntkd_normalised", "ntkd_cosine", "ntkd_sap", "ntkd_trace_only")


@torch.no_grad()
def kernel_alignment(run: Run) -> pd.DataFrame:
    """Compare the trained students' kernels with their teacher's on images that the teacher's is known for.

    Args:
        run: The run.

    Returns:
        One row a student and seed: method, label, seed, ``alignment`` (centred cosine, at most 1) and
        ``size`` (ratio of mean diagonals, student over teacher).
    """
    everything = load(run.parameters.data, "train").images
    rows = []
    for method in STUDENTS:
        for seed, record in student_records(run, method).items():
            tangent = run.records[f"{run.parameters.data}/tangent/trained/seed={seed}"].arrays
            features, diagonal = (torch.tensor(tangent[k][:IMAGES]).float() for k in ("features", "diagonal"))
            theta_teacher = landmark_gram(features, diagonal)
            images = everything[torch.tensor(tangent["rows"][:IMAGES])].float() / 255
            theta_student = student_trace_ntk(restore_student(record), images)
            rows.append(
                {
                    "method": method,
                    "label": student_label(method),
                    "seed": seed,
                    "alignment": 1 - kernel_loss(theta_student, theta_teacher).item(),
                    "size": (theta_student.diagonal().mean() / diagonal.mean()).item(),
                }
            )
    return pd.DataFrame(rows)


def alignment_metrics(run: Run) -> dict[str, Metric]:
    """Collect the alignment of the students' kernels, to three digits, as later ones vary with threads."""
    found = {}
    for method, part in kernel_alignment(run).groupby("method", sort=False):
        values = [round(value, 3) for value in part["alignment"]]
        metric = metric_of(student_records(run, method), "accuracy", run.parameters.data)
        found[f"ntkd.mnist.{method}.alignment"] = metric.model_copy(update={"values": values})
    return found
