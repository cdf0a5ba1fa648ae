"""The student's kernel for back ends and front ends of any form: that of plain autograd, or a refusal."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from ntkd_lib.distill.objective import Batch, Teacher
from ntkd_lib.distill.objectives import OBJECTIVES
from ntkd_lib.optics import tangent
from ntkd_lib.optics.captured import CapturedStudent
from ntkd_lib.optics.front_end import SignedFrontEnd
from ntkd_lib.optics.student import HybridStudent
from ntkd_lib.optics.tangent import student_trace_ntk

SIDE = 6
pytestmark = pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")


def back(*, activation=nn.ReLU, bias=True, **layers):
    """A back end 18-5-4-3 of which some modules are replaced, by position."""
    modules = [
        nn.Linear(18, 5, bias),
        activation(),
        nn.Linear(5, 4, bias),
        activation(),
        nn.Linear(4, 3, bias),
    ]
    for place, module in layers.items():
        modules[int(place[1:])] = module
    return nn.Sequential(*modules)


def student(ends=None, front=None):
    return HybridStudent(front or SignedFrontEnd(2, SIDE, filter_size=3), ends or back())


def frozen(*names):
    made = student()
    for name in names:
        made.get_parameter(name).requires_grad_(False)
    return made


class Scaled(nn.Linear):
    """A dense layer that does something else."""

    def forward(self, x):
        return 2 * super().forward(x)


class Brighter(SignedFrontEnd):
    """Filters with another read-out."""

    def forward(self, images):
        return super().forward(images).tanh()


class Skipping(HybridStudent):
    """A student with another forward pass."""

    def forward(self, images):
        return super().forward(images) + images.mean((1, 2, 3))[:, None] * self.back[4].bias


class Extra(HybridStudent):
    """A student with a parameter of its own."""

    def __init__(self, front, ends):
        super().__init__(front, ends)
        self.gain = nn.Parameter(torch.tensor(1.5))

    def forward(self, images):
        return self.gain * super().forward(images)


def own_front():
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten())


def twice():
    shared = nn.Linear(18, 18)
    return student(nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(18, 3)))


def tied():
    ends = nn.Sequential(nn.Linear(18, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5))
    ends[4].weight = ends[2].weight
    return student(ends)


def patched():
    made = student()
    inner = made.back[2].forward
    made.back[2].forward = lambda x: 2 * inner(x)
    return made


def hooked(register, hook):
    made = student()
    getattr(made.back[2], register)(hook)
    return made


def old_weight_norm():
    with pytest.warns(FutureWarning):
        return student(back(_2=nn.utils.weight_norm(nn.Linear(5, 4))))


def centred(ends=None, **settings):
    return student(ends, SignedFrontEnd(2, SIDE, filter_size=3, centre=True, **settings))


EXACT = {
    "Tanh": lambda: student(back(activation=nn.Tanh)),
    "no bias": lambda: student(back(bias=False)),
    "frozen layer": lambda: frozen("back.2.weight", "back.2.bias"),
    "another front end": lambda: student(front=own_front()),
    # more of the same kinds
    "one layer without bias": lambda: student(back(_2=nn.Linear(5, 4, bias=False))),
    "frozen bias": lambda: frozen("back.0.bias"),
    "frozen weight": lambda: frozen("back.4.weight"),
    "frozen head": lambda: frozen("back.4.weight", "back.4.bias"),
    "frozen filters": lambda: frozen("front.filters"),
    "filters alone": lambda: student(back().requires_grad_(False)),
    "one trained bias": lambda: frozen(
        "front.filters", *(f"back.{i}.weight" for i in (0, 2, 4)), "back.0.bias"
    ),
    "GELU": lambda: student(back(activation=nn.GELU)),
    "Softplus": lambda: student(back(activation=nn.Softplus)),
    "Sigmoid": lambda: student(back(activation=nn.Sigmoid)),
    "LeakyReLU": lambda: student(back(activation=nn.LeakyReLU)),
    "half a ReLU": lambda: student(back(_1=nn.Identity())),
    "linear": lambda: student(back(activation=nn.Identity)),
    "a ReLU at the end": lambda: student(nn.Sequential(*back(), nn.ReLU())),
    "a ReLU at the start": lambda: student(nn.Sequential(nn.ReLU(), *back())),
    "two ReLUs and Tanh": lambda: student(
        nn.Sequential(nn.Linear(18, 4), nn.ReLU(), nn.Tanh(), nn.Linear(4, 3))
    ),
    "nested": lambda: student(nn.Sequential(nn.Sequential(nn.Linear(18, 4), nn.ReLU()), nn.Linear(4, 3))),
    "layer norm": lambda: student(back(_1=nn.LayerNorm(5))),
    "dropout in evaluation": lambda: student(back(_1=nn.Dropout(0.5))).eval(),
    "subclass of Linear": lambda: student(back(_2=Scaled(5, 4))),
    "weight norm": lambda: student(back(_2=parametrizations.weight_norm(nn.Linear(5, 4)))),
    "tied weights": tied,
    "subclass of the student": lambda: Skipping(SignedFrontEnd(2, SIDE, filter_size=3), back()),
    "a parameter of its own": lambda: Extra(SignedFrontEnd(2, SIDE, filter_size=3), back()),
    "centred captures": centred,
    "centred captures without a ReLU": lambda: centred(rectify=False),
    "centred captures before Tanh": lambda: centred(back(activation=nn.Tanh)),
    "read-outs": lambda: CapturedStudent(
        nn.Sequential(nn.Linear(36, 4), nn.ReLU(), nn.Linear(4, 3, bias=False))
    ),
}
# what the general kernel may refuse, in one line
EITHER = {
    "layer used twice": twice,
    "weight norm by hooks": old_weight_norm,
    "patched forward": patched,
    "forward hook": lambda: hooked("register_forward_hook", lambda layer, i, o: 2 * o),
    "hook before": lambda: hooked("register_forward_pre_hook", lambda layer, i: (0.5 * i[0],)),
    "subclass of the front end": lambda: student(front=Brighter(2, SIDE, filter_size=3)),
    "dropout in training": lambda: student(back(_1=nn.Dropout(0.5))),
    "batch norm in training": lambda: student(back(_1=nn.BatchNorm1d(5))),
    "nothing to train": lambda: student().requires_grad_(False),
}


def loop_kernel(made, images):
    """The trace kernel by a loop of plain autograd over single images, differentiable."""
    trained = [p for p in made.parameters() if p.requires_grad]
    rows = []
    for image in images:
        gradients = [
            torch.autograd.grad(logit, trained, create_graph=True, materialize_grads=True)
            for logit in made(image[None])[0]
        ]
        rows.append(torch.cat([g.flatten() for row in gradients for g in row]))
    flat = torch.stack(rows)
    return flat @ flat.T


def drawn(case):
    torch.manual_seed(3)
    return case().double(), torch.rand(4, 1, SIDE, SIDE).double()


@pytest.mark.parametrize("name", EXACT)
def test_equals_a_loop_of_autograd(name, recwarn):
    made, images = drawn(EXACT[name])
    exact = loop_kernel(made, images)
    for probe in (True, False):
        torch.testing.assert_close(
            student_trace_ntk(made, images, probe=probe), exact, rtol=1e-10, atol=1e-13
        )
    assert not [found for found in recwarn.list if "closed form" in str(found.message)]


@pytest.mark.parametrize(
    "name", ["Tanh", "no bias", "frozen layer", "another front end", "half a ReLU", "centred captures"]
)
def test_gradients_equal_those_of_a_loop_of_autograd(name):
    made, images = drawn(EXACT[name])
    trained = [p for p in made.parameters() if p.requires_grad]
    weights = torch.rand(4, 4).double()
    fast, slow = (
        torch.autograd.grad((weights * kernel).sum(), trained, materialize_grads=True)
        for kernel in (student_trace_ntk(made, images), loop_kernel(made, images))
    )
    for a, b in zip(fast, slow, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-11)


@pytest.mark.filterwarnings("ignore")  # the general kernel says where it needs a slow way
@pytest.mark.parametrize("name", EITHER)
def test_is_exact_or_refused_in_one_line(name):
    made, images = drawn(EITHER[name])
    try:
        kernel, refusal = student_trace_ntk(made, images), ""
    except ValueError as error:
        kernel, refusal = None, str(error)
    assert "\n" not in refusal
    if kernel is not None:
        torch.testing.assert_close(kernel, loop_kernel(made, images), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("fault", ["signals", "bias", "layer"])
def test_a_wrong_closed_form_is_noticed_once_and_replaced(fault, monkeypatch):
    made, images = drawn(student)
    right = tangent._layer_kernel
    wrong = {
        "signals": lambda layer, a, b: right(layer, a, 1.01 * b),
        "bias": lambda layer, a, b: (a @ a.T) * (b.flatten(1) @ b.flatten(1).T),
        "layer": lambda layer, a, b: 0 * right(layer, a, b) if layer is made.back[2] else right(layer, a, b),
    }
    monkeypatch.setattr(tangent, "_layer_kernel", wrong[fault])
    exact = loop_kernel(made, images)
    with pytest.warns(
        UserWarning, match=r"closed form of the student's kernel: kernel: its entry of samples"
    ):
        torch.testing.assert_close(student_trace_ntk(made, images), exact)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(student_trace_ntk(made, images), exact)


@pytest.mark.parametrize(("error", "holds"), [(3e-3, True), (5e-2, False), (float("nan"), False)])
def test_float64_decides_whether_a_difference_in_float32_is_a_relu_on_its_other_side(
    error, holds, monkeypatch, recwarn
):
    made, images = drawn(student)
    made, images, right = made.float(), images.float(), tangent._layer_kernel

    def rounded(layer, a, b):
        return right(layer, a, b) * (1 if b.dtype == torch.float64 else 1 + error)

    monkeypatch.setattr(tangent, "_layer_kernel", rounded)
    student_trace_ntk(made, images)
    assert [str(each.message)[:11] for each in recwarn] == ([] if holds else ["closed form"])


@pytest.mark.filterwarnings("ignore:closed form of the student")
def test_a_front_end_that_turns_random_in_training_is_refused_after_a_call_in_evaluation():
    class Noise(nn.Module):
        def forward(self, x):
            return x + torch.rand_like(x) if self.training else x

    front = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 18).requires_grad_(False), Noise())
    made, images = drawn(lambda: student(front=front))
    student_trace_ntk(made.eval(), images)
    with pytest.raises(ValueError, match="random"):
        student_trace_ntk(made.train(), images)


def test_a_training_is_compared_once_and_again_when_layers_are_frozen(monkeypatch):
    made, images = drawn(student)
    calls, check = [], tangent.check_kernel
    monkeypatch.setattr(tangent, "check_kernel", lambda *parts: calls.append(check(*parts)))
    state = torch.get_rng_state()
    objective = OBJECTIVES["tangent_raw"](
        {"weight": 1.0, "kernel_batch": 3, "kernel_every": 1},
        Teacher(images=images, features=torch.rand(4, 2).double(), diagonal=torch.ones(4).double()),
    )
    batch = Batch(images, torch.tensor([0, 1, 2, 0]), torch.arange(4))
    for _ in range(3):
        objective(made, batch).backward()
    assert len(calls) == 1
    made.back[0].requires_grad_(False)
    objective(made, batch).backward()
    assert len(calls) == 2
    for _ in range(2):  # as evaluations alternate with steps
        objective(made.eval(), batch).backward()
        objective(made.train(), batch).backward()
    assert len(calls) == 3
    torch.set_rng_state(state)
