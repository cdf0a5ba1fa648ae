"""The ledger at the paper's own sizes, by arithmetic: ResNet-18 on ImageNette at 224 x 224 pixels."""

from ntkd_lib.dntk.costs import NetworkCosts, eigenproblem, solution
from ntkd_lib.dntk.ledger import Ledger

IMAGES, SUPPORT, SIZE, SYNTHETIC = 9469, 500, 4096, 40
ITERATIONS = 2000  # of the distillation of images, the default of the method that the paper takes it from
RESNET = NetworkCosts(
    forward=3.6e9, parameters=11.2e6, classes=10, pair=2 * 10 * 11.2e6, held=4 * 10 * 11.2e6
)


def paper_ledgers(backward: float = 2.0) -> dict[str, Ledger]:
    """Count every method at the paper's sizes; the training of the network is left out for all.

    Inner products are those of whole gradients, as in the paper's account.
    """
    c = RESNET.classes
    return {
        "exact": Ledger(
            {
                "Jacobians": RESNET.jacobian(IMAGES),
                "inner products": RESNET.kernel(IMAGES),
                "regression": solution(IMAGES, c),
            },
            RESNET.jacobian(1) + RESNET.kernel(1, IMAGES),
        ),
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
        "500 random images": Ledger(
            {
                "Jacobians": RESNET.jacobian(SUPPORT),
                "inner products": RESNET.kernel(SUPPORT),
                "regression": solution(SUPPORT, c),
            },
            RESNET.jacobian(1) + RESNET.kernel(1, SUPPORT),
        ),
        "last layer": Ledger(
            {
                "Jacobians": RESNET.passes(IMAGES),
                "inner products": RESNET.gram(IMAGES, None, 513, 1),
                "regression": solution(IMAGES),
            },
            RESNET.passes(1) + RESNET.gram(1, IMAGES, 513, 1),
        ),
    }


def contract_costs() -> dict[str, float]:
    """Give the numbers that the claim contract asks for, in operations."""
    exact, reduced = (paper_ledgers()[name] for name in ("exact", "DNTK"))
    return {
        "dntk.cost.exact_gram": exact.build["inner products"].flop,
        "dntk.cost.reduced_gram": reduced.build["inner products"].flop,
        "dntk.cost.exact_kernel": exact.build["Jacobians"].flop + exact.build["inner products"].flop,
        "dntk.cost.dntk_total": reduced.built().flop,
    }


def even_counts() -> dict[str, float]:
    """Give `even_images` for both ways to count the distillation."""
    return {
        "gradients of weights too, as the claim counts": even_images(backward=2.0),
        "weights held still": even_images(backward=1.0),
    }


def even_images(backward: float = 2.0) -> float:
    """Give the number of images from which on building the DNTK is cheaper than the exact kernel."""
    total = paper_ledgers(backward)["DNTK"].built().flop
    half, linear = RESNET.pair / 2, RESNET.jacobian(1).flop + RESNET.pair / 2
    return (-linear + (linear**2 + 4 * half * total) ** 0.5) / (2 * half)
