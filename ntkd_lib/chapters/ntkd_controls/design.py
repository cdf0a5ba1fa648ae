"""The students of digits beyond the main comparison, and the architectures of stage 1."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ntkd_lib.optics.layout import filters_that_fit

PIXEL_UM = 11.72  # side of a filter's pixel; NTKD paper's code, kernelmino/psf-meta-design-v2
GAP_UM = 8.0
HIDDEN_SIZES = (2, 4, 8, 16, 32, 64)
QUARTER = 8  # 12,650 back-end parameters, a quarter of the 50,538 of 32 hidden values
SHARES = (0.01, 0.1)
BLOCKS = (2, 7, 14)  # read-out values a side that are averaged; maps have 14
TRANSFERS = ("none", "kd", "ntkd")

Family = Literal["stage1", "size", "labels", "read-out", "depth"]


@dataclass(frozen=True)
class Variant:
    """One student of digits that differs from a tuned one in what it is, and takes its settings.

    Attributes:
        name: Short name, used in cells and metrics.
        label: What tables and figures call it.
        family: The question that it belongs to.
        method: Tuned student that it follows; ``ntkd`` for the chosen form of the kernel loss.
        changes: Arguments of its cell that differ from that student's.
    """

    name: str
    label: str
    family: Family
    method: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Architecture:
    """An optical architecture as a user gives it: a surface, a filter size, and a back end.

    Attributes:
        name: Short name; that of a student which is trained on labels only.
        label: What figures call it.
        height: Height of the surface, um.
        width: Width of the surface, um.
        filter_size: Pixels a side of a filter.
        rectified: Where ReLUs stand, as ``mnist_student`` names it.
        hidden: Widths of the hidden dense layers.
    """

    name: str
    label: str
    height: float = 360.0
    width: float = 360.0
    filter_size: int = 7
    rectified: str = "both"
    hidden: tuple[int, ...] = (32,)

    @property
    def filters(self) -> int:
        """Signed filters that fit: half of the PSFs, since each needs two."""
        return signed_filters(self.height, self.width, self.filter_size, GAP_UM)


def signed_filters(height: float, width: float, filter_size: int, gap: float) -> int:
    """Count the signed filters that fit on a surface, two PSFs each."""
    return filters_that_fit(height, width, filter_size * PIXEL_UM, gap) // 2


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
TRAINED_ELSEWHERE = ("none", "none_capture", "none_hidden", "linear")


def _stage1() -> list[Variant]:
    return [
        Variant(
            a.name,
            a.label,
            "stage1",
            "none",
            {
                "filters": a.filters,
                "filter_size": a.filter_size,
                "rectified": a.rectified,
                "hidden": list(a.hidden),
            },
        )
        for a in ARCHITECTURES
        if a.name not in TRAINED_ELSEWHERE
    ]


def _sizes() -> list[Variant]:
    return [
        Variant(
            f"{method}_hidden{size}",
            f"{size} hidden values, {method}",
            "size",
            method,
            {"hidden": [size]},
        )
        for size in HIDDEN_SIZES
        if size != 32
        for method in ("none", "ntkd")
    ]


def _few_labels() -> list[Variant]:
    return [
        Variant(f"{method}_labels{share}", f"{100 * share:g} % of labels, {method}", "labels", method, change)
        for share in SHARES
        for method in TRANSFERS
        for change in ({"label_share": share},)
    ]


def _read_outs() -> list[Variant]:
    found = []
    for block in BLOCKS:
        side = 14 // block
        lens = {"optics": "lens", "grid": [2 * side, 4 * side]}
        found += [
            Variant(
                f"none_block{block}", f"filters, {8 * side**2} values", "read-out", "none", {"block": block}
            ),
            Variant(f"lens_block{block}", f"lens, {8 * side**2} values", "read-out", "lens", lens),
        ]
    return found


DEPTHS = (
    Variant(
        "two_layers",
        "two optical layers, linear",
        "depth",
        "none",
        {"layers": 2, "absorber": "none"},
    ),
    Variant(
        "absorber_between",
        "two optical layers, absorber between",
        "depth",
        "none",
        {"layers": 2, "absorber": "between"},
    ),
    Variant(
        "absorber_sensor",
        "one optical layer, absorber before the sensor",
        "depth",
        "none",
        {"layers": 1, "absorber": "sensor"},
    ),
)

VARIANTS: Mapping[str, Variant] = {
    v.name: v for v in (*_stage1(), *_sizes(), *_few_labels(), *_read_outs(), *DEPTHS)
}

RANDOM_KINDS = {"positive": "non-negative", "centred": "non-negative, centred"}
