"""The recorded protocols of notebook 01: registered parameters in, compared arms out."""

from collections.abc import Mapping
from typing import Any

from scipy.stats import spearmanr

from ntkd_lib.chapters.classification import NOTEBOOK
from ntkd_lib.chapters.classification.methods import COLOURS, SHARES, TRANSFERS, colour_student, metric_name
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.classification.studies import few_labels, infinite_width, matched, sizes, stage1
from ntkd_lib.chapters.optical_students.classification_cells import digit_student
from ntkd_lib.chapters.optical_students.classification_methods import digit_method
from ntkd_lib.lab import Arm, Cell, Data, Protocol, Record, load_parameters

CONTROLS = ("none_tuned", "ntkd_trace_only", "ntkd_untrained_teacher", "random_frozen", "f8")
STUDENTS = ("none", "kd", "ntkd", *CONTROLS)


def unmatched_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Train labels alone and NTKD at the settings that the first search gave to either."""
    run = load_parameters(ClassificationParameters, NOTEBOOK, "cpu", parameters["run"])
    data = Data(run.colour, sha256)
    kernel = {name: parameters["kernel"][name] for name in ("weight", "kernel_clip")}
    return {
        f"ntkd.cifar10.{point}.{name}.accuracy": Arm(
            (colour_student(run, data, COLOURS.methods[name], seed, {**shared, **own}),)
        )
        for point, shared in parameters["points"].items()
        for name, own in (("none", {}), ("ntkd", kernel))
    }


def digit_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Train the main comparison and the controls on digits, with all labels and with few."""
    own = {"seeds": [seed], "control_seeds": [seed]}
    run = load_parameters(ClassificationParameters, NOTEBOOK, "cpu", {**parameters, **own})
    data = Data(run.data, sha256)

    def student(name: str, **changes: Any) -> Cell:
        return digit_student(run, data, digit_method(name), seed, **changes)

    arms = {metric_name("mnist", name): Arm((student(name),)) for name in STUDENTS}
    for share in SHARES:
        for name in TRANSFERS:
            arms[metric_name("mnist", name, share)] = Arm((student(name, label_share=share),))
    trained = [stage1.trained(run, data, a, seed) for a in stage1.ARCHITECTURES]
    estimated = [stage1.estimate_cell(run, data, a) for a in stage1.ARCHITECTURES]
    quarter = sizes.small(run, data, "ntkd", sizes.QUARTER, seed)
    return arms | {
        sizes.QUARTER_DROP: Arm((student("ntkd"), quarter), _drop),
        stage1.RANK_CORRELATION: Arm((*trained, *estimated), _rank_correlation),
    }


def _drop(full: Record, small: Record) -> float:
    return full.values["accuracy"] - small.values["accuracy"]


def _rank_correlation(*records: Record) -> float:
    """Correlate the ranks of what architectures reach and of what was estimated without training."""
    count = len(stage1.ARCHITECTURES)
    pairs = [r.values["estimate"] for r in records[count:]], [r.values["accuracy"] for r in records[:count]]
    return float(spearmanr(*pairs).statistic)


def limit_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Regress on infinitely many filters, with all images and with few."""
    cell = infinite_width.cell(parameters, Data("cifar-10", sha256), seed)
    counts = infinite_width.few_counts(parameters["fitted"])
    few = {n: Arm((cell,), lambda record, n=n: record.values["few"][str(n)]) for n in counts}
    named = {infinite_width.FEWER_IMAGES.format(n): arm for n, arm in few.items()}
    return {infinite_width.ALL_IMAGES: Arm((cell,)), **named}


PROTOCOLS = (
    Protocol("unmatched", NOTEBOOK, "cifar-10", unmatched_arms),
    *(
        Protocol(f"matched-{part}", NOTEBOOK, "cifar-10", matched.tuning_arms)
        for part in ("labels", "soft-labels", "kernels", "kernels-draws", "kernels-fading", "kernels-often")
    ),
    Protocol("matched-colours", NOTEBOOK, "cifar-10", matched.confirmed_arms),
    *(
        Protocol(f"labels1-{part}", NOTEBOOK, "mnist", arms)
        for arms, parts in (
            (few_labels.point_arms, "tuning-labels tuning-labels-wider"),
            (few_labels.point_arms, "long-tuning-labels longer-tuning-labels"),
            (few_labels.tuning_arms, "tuning-kernels tuning-others tuning-both"),
            (few_labels.tuning_arms, "long-tuning-kernels longer-tuning-kernels"),
            (few_labels.confirmed_arms, "matched others long-matched longer-matched"),
        )
        for part in parts.split()
    ),
    *(
        Protocol(f"phase-{data}{part}", NOTEBOOK, data, arms)
        for data in ("mnist", "fashion-mnist")
        for part, arms in (("-points", few_labels.point_arms), ("", few_labels.phase_arms))
    ),
    Protocol("digits-six-epochs", NOTEBOOK, "mnist", digit_arms),
    Protocol("infinite width", NOTEBOOK, "cifar-10", limit_arms, "01_infinite_width"),
)
