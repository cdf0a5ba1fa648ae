"""Wrapped networks: whatever is wrapped is trained as automatic differentiation trains it."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from ntkd_lib.inr import activations
from ntkd_lib.inr.activations import Gauss
from ntkd_lib.inr.network import AnyNetwork, StackNetwork, wrap
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.samplers.single_rule import UniformDraw
from ntkd_lib.inr.training import TrainingRun
from ntkd_lib.nets.sine import Sine
from tests.inr.nets import STACKS, image, net, points


def stack(activation=nn.ReLU, **layers):
    """A stack 2-6-6-3 of which some modules are replaced, by position."""
    modules = [nn.Linear(2, 6), activation(), nn.Linear(6, 6), activation(), nn.Linear(6, 3)]
    for place, module in layers.items():
        modules[int(place[1:])] = module
    return nn.Sequential(*modules)


class Doubled(nn.Linear):
    """A dense layer that does something else."""

    def forward(self, x):
        return 2 * super().forward(x)


class LowRank(nn.Linear):
    """A dense layer with an adapter."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.weight.requires_grad_(False)
        self.down, self.up = nn.Parameter(torch.randn(1, inputs)), nn.Parameter(torch.randn(outputs, 1))

    def forward(self, x):
        return super().forward(x) + x @ self.down.T @ self.up.T


class Shifted(Sine):
    """A sine with a phase."""

    def forward(self, x):
        return torch.sin(self.omega * x + 1)


class Leaking(nn.ReLU):
    """A ReLU that lets something through."""

    def forward(self, x):
        return torch.where(x > 0, x, 0.3 * x)


class Trained(Gauss):
    """A Gaussian whose width is trained."""

    def __init__(self):
        super().__init__(1.0)
        self.scale = nn.Parameter(torch.tensor(1.3))


class Residual(nn.Sequential):
    """A sequence with another forward pass."""

    def forward(self, x):
        for module in self:
            y = module(x)
            x = x + y if x.shape == y.shape else y
        return x


class Scaled(nn.Module):
    """A parametrization."""

    def forward(self, weight):
        return weight / weight.norm()


def change(model, act):
    act(model)
    return model


def twice():
    shared = nn.Linear(6, 6)
    return nn.Sequential(nn.Linear(2, 6), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(6, 3))


def tied():
    model = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[4].weight = model[2].weight
    return model


def frozen(*names):
    return lambda: change(stack(), lambda m: [m.get_parameter(n).requires_grad_(False) for n in names])


def patched():
    model = stack()
    inner = model[2].forward
    model[2].forward = lambda x: 2 * inner(x)
    return model


def hooked(place, register, hook):
    return lambda: change(stack(), lambda m: getattr(m[place] if place >= 0 else m, register)(hook))


def old_weight_norm():
    with pytest.warns(FutureWarning):
        return stack(_2=nn.utils.weight_norm(nn.Linear(6, 6)))


CASES = {
    "weight norm": lambda: stack(_2=parametrizations.weight_norm(nn.Linear(6, 6))),
    "weight norm by hooks": old_weight_norm,
    "frozen layer": frozen("0.weight", "0.bias"),
    "layer used twice": twice,
    "subclass of Linear": lambda: stack(_2=Doubled(6, 6)),
    "Tanh": lambda: stack(nn.Tanh),
    "GELU": lambda: stack(nn.GELU),
    "Softplus": lambda: stack(nn.Softplus),
    # more of the same kinds
    "spectral norm": lambda: stack(_0=parametrizations.spectral_norm(nn.Linear(2, 6))).eval(),
    "own parametrization": lambda: change(
        stack(), lambda m: parametrize.register_parametrization(m[4], "weight", Scaled())
    ),
    "pruned": lambda: change(stack(), lambda m: prune.l1_unstructured(m[2], "weight", 0.5)),
    "frozen bias": frozen("2.bias"),
    "frozen head": frozen("4.weight", "4.bias"),
    "tied weights": tied,
    "no bias": lambda: stack(_2=nn.Linear(6, 6, bias=False)),
    "adapter": lambda: stack(_2=LowRank(6, 6)),
    "subclass of Sine": lambda: stack(Shifted),
    "subclass of ReLU": lambda: stack(Leaking),
    "trained width": lambda: stack(Trained),
    "PReLU": lambda: stack(nn.PReLU),
    "Sigmoid": lambda: stack(nn.Sigmoid),
    "LeakyReLU": lambda: stack(nn.LeakyReLU),
    "ELU": lambda: stack(nn.ELU),
    "SiLU": lambda: stack(nn.SiLU),
    "layer norm": lambda: stack(_1=nn.LayerNorm(6)),
    "softmax": lambda: stack(_1=nn.Softmax(1)),
    "subclass of Sequential": lambda: Residual(*stack()),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Linear(2, 6), nn.ReLU()), nn.Linear(6, 3)),
    "patched forward": patched,
    "forward hook": hooked(2, "register_forward_hook", lambda layer, i, o: 2 * o),
    "hook before": hooked(2, "register_forward_pre_hook", lambda layer, i: (0.5 * i[0],)),
    "hook of the whole": hooked(-1, "register_forward_hook", lambda layer, i, o: o + 1),
    "hook of the gradient": hooked(1, "register_full_backward_hook", lambda layer, i, o: (3 * i[0],)),
    "trained encoding": lambda: build("hashgrid", 2, 3, 6, 1),
    "frozen encoding": lambda: change(build("hashgrid", 2, 3, 6, 1), lambda m: m[0].requires_grad_(False)),
}


def gradients(model, x, y):
    """Gradients of the mean squared error, None where a parameter is not trained."""
    (model(x) - y).square().mean().backward()
    found = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    model.zero_grad(set_to_none=True)
    return found


@pytest.fixture(params=CASES)
def model(request):
    torch.manual_seed(5)
    return CASES[request.param]().double()


def test_gradients_are_those_of_a_plain_loop(model):
    x, y = points(20, outputs=model(points(1)[0]).shape[1])
    expected, residuals = gradients(model, x, y), (model(x) - y).detach()
    network = wrap(model, chunk=7)
    torch.testing.assert_close(network.gradient(x, y), residuals)
    torch.testing.assert_close(network.predict(x) - y, residuals)
    for p, gradient in zip(model.parameters(), expected, strict=True):
        assert (p.grad is None) == (gradient is None)
        if gradient is not None:
            torch.testing.assert_close(p.grad, gradient, rtol=1e-9, atol=1e-13)


# a hook that changes gradients leaves no Jacobian whose kernel could be meant
@pytest.mark.parametrize("model", [name for name in CASES if name != "hook of the gradient"], indirect=True)
def test_refreshes_count_what_is_trained_alone(model):
    x, y = points(12, outputs=model(points(1)[0]).shape[1])
    found = wrap(model, chunk=5).moved(x, y)
    g = (model(x) - y).detach()
    torch.testing.assert_close(found.residuals, g)
    trained = [p for p in model.parameters() if p.requires_grad]
    rows = [
        torch.cat(
            [s.flatten() for s in torch.autograd.grad(v, trained, retain_graph=True, materialize_grads=True)]
        )
        for v in model(x).flatten()
    ]
    J = torch.stack(rows)
    torch.testing.assert_close(found.change.flatten(), J @ (J.T @ g.flatten()), rtol=1e-8, atol=1e-11)


def test_what_is_frozen_stays_and_what_is_not_moves():
    model = stack(_2=parametrizations.weight_norm(nn.Linear(6, 6)))
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    signal = image()
    TrainingRun(wrap(model), signal, UniformDraw(signal, 40, 0), 1e-2).advance(3)
    moved = {name for name, p in model.state_dict().items() if not torch.equal(p, before[name])}
    assert moved == set(before) - {"0.weight", "0.bias"}


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_stacks_of_the_book_are_run_by_hand(name, dtype, recwarn):
    model, (x, y) = net(name).to(dtype), (part.to(dtype) for part in points())
    network = wrap(model)
    network.gradient(x, y)
    assert isinstance(network, StackNetwork)
    assert network.agrees(x)
    assert not recwarn.list


FAULTS = {
    "slope": ("_relu", lambda m, z: (z.relu(), torch.ones_like(z))),
    "value": ("_relu", lambda m, z: (z.relu() + 0.01, (z > 0).to(z))),
    "sign": ("_relu", lambda m, z: (z.relu(), -(z > 0).to(z))),
    "a thousandth": ("_relu", lambda m, z: (z.relu(), 1.001 * (z > 0).to(z))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_pass_by_hand_is_noticed_at_first_use(fault, monkeypatch):
    monkeypatch.setitem(activations._SLOPES, nn.ReLU, FAULTS[fault][1])
    model, (x, y) = stack().double(), points(20)
    expected, network = gradients(model, x, y), wrap(model)
    with pytest.warns(UserWarning, match=r"gradients by hand differ from automatic differentiation by"):
        network.gradient(x, y)
    for p, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient)
    torch.testing.assert_close(network.moved(x, y).change, AnyNetwork(model).moved(x, y).change)


def test_a_change_before_first_use_is_noticed():
    model, (x, y) = stack().double(), points(20)
    network = wrap(model)
    model[2].weight.requires_grad_(False)
    with pytest.warns(UserWarning, match=r"or the network was changed after it was wrapped"):
        network.gradient(x, y)
    assert model[2].weight.grad is None


@pytest.mark.parametrize("change", ["frozen", "hook"])
def test_a_change_after_first_use_is_noticed(change):
    model, (x, y) = stack().double(), points(20)
    network = wrap(model)
    network.gradient(x, y)
    if change == "frozen":
        model[2].weight.requires_grad_(False)
        model[2].weight.grad = None
    else:
        model[2].register_forward_hook(lambda module, inputs, output: 2 * output)
    network.gradient(x, y)
    values = network.predict(x)
    assert change == "hook" or model[2].weight.grad is None
    torch.testing.assert_close(values, model(x).detach())
    ours = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    for gradient, expected in zip(ours, gradients(model, x, y), strict=True):
        torch.testing.assert_close(gradient, expected)


def test_a_network_without_trainable_parameters_is_refused():
    with pytest.raises(ValueError, match=r"^model: got no trainable parameter, "):
        wrap(stack().requires_grad_(False))


@pytest.mark.parametrize(
    ("layer", "words"),
    [(nn.BatchNorm1d(6), "mixes samples"), (nn.Dropout(0.5), "dropout in training mode is random")],
)
def test_a_network_that_depends_on_its_chunks_is_refused(layer, words):
    model = nn.Sequential(nn.Linear(2, 6), layer, nn.Linear(6, 3))
    with pytest.raises(ValueError, match=rf"^layer '1': .*{words}"):
        wrap(model)
    assert isinstance(wrap(model.eval()), AnyNetwork)
