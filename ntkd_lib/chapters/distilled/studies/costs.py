"""Counted costs at the paper's sizes: ResNet-18, ImageNette at 224 x 224, without training."""

from ntkd_lib.dntk.costs import NetworkCosts, eigenproblem, solution
from ntkd_lib.dntk.ledger import Ledger

IMAGES, SUPPORT, SIZE, SYNTHETIC = 9469, 500, 4096, 40
ITERATIONS = 2000  # of the distillation of images, the default of the method that the paper takes it from
RESNET = NetworkCosts(
    forward=3.6e9, parameters=11.2e6, classes=10, pair=2 * 10 * 11.2e6, held=4 * 10 * 11.2e6
)


def paper_ledgers(backward: float = 2.0) -> dict[str, Ledger]:
    """Count every method at the paper's sizes."""
    c = RESNET.classes
    return {
        "exact": _kernel_of(IMAGES),
        "DNTK": Ledger(
            {
                "distillation of images": RESNET.distillation(ITERATIONS * SUPPORT, backward),
                "Jacobians": RESNET.jacobian(SUPPORT),
                "projection": RESNET.projection(SUPPORT, SIZE),
                "inner products": RESNET.gram(SUPPORT, None, SIZE),
                "regression": eigenproblem(SUPPORT, c + 1),
            },
            RESNET.jacobian(1) + RESNET.projection(1, SIZE) + RESNET.gram(1, SYNTHETIC, SIZE),
        ),
        "500 random images": _kernel_of(SUPPORT),
        "last layer": Ledger(
            {
                "Jacobians": RESNET.passes(IMAGES),
                "inner products": RESNET.gram(IMAGES, None, 513, 1),
                "regression": solution(IMAGES),
            },
            RESNET.passes(1) + RESNET.gram(1, IMAGES, 513, 1),
        ),
    }


def _kernel_of(count: int) -> Ledger:
    build = {
        "Jacobians": RESNET.jacobian(count),
        "inner products": RESNET.kernel(count),
        "regression": solution(count, RESNET.classes),
    }
    return Ledger(build, RESNET.jacobian(1) + RESNET.kernel(1, count))


def contract_costs() -> dict[str, float]:
    """Count the operations of the metrics in the claim contract."""
    exact, reduced = (paper_ledgers()[name] for name in ("exact", "DNTK"))
    return {
        "dntk.cost.exact_gram": exact.build["inner products"].flop,
        "dntk.cost.reduced_gram": reduced.build["inner products"].flop,
        "dntk.cost.exact_kernel": exact.build["Jacobians"].flop + exact.build["inner products"].flop,
        "dntk.cost.dntk_total": reduced.built().flop,
        "dntk.cost.dntk_total_frozen": paper_ledgers(backward=1)["DNTK"].built().flop,
    }


def even_images(backward: float = 2.0) -> float:
    """Compute the number of images from which on building the DNTK is cheaper than the exact kernel."""
    total = paper_ledgers(backward)["DNTK"].built().flop
    half, linear = RESNET.pair / 2, RESNET.jacobian(1).flop + RESNET.pair / 2
    return (-linear + (linear**2 + 4 * half * total) ** 0.5) / (2 * half)
