"""Train a coordinate network on the points that a sampler chooses, timed by CPU seconds."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy, deepcopy
from dataclasses import astuple, dataclass, field
from math import isfinite, log10
from typing import Any

import torch
from torch import Tensor, nn

from ntkd_lib.inr import scores
from ntkd_lib.inr.network import Network, StackNetwork
from ntkd_lib.inr.samplers.base import Sampler
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number, check_word

REFRESH = 5  # forward-equivalents of a fused refresh: 1 forward, 2 backward, 2 tangent


@dataclass
class Clock:
    """Time spent on training and choosing points, evaluation left out.

    CPU seconds count the calling thread alone, so that they vary less than wall seconds on a shared
    machine. Forward-equivalents count work without any clock: one is a forward pass over all points.
    """

    device: str = "cpu"  # waited for before the clock is read
    cpu: float = field(default=0.0, init=False)
    wall: float = field(default=0.0, init=False)
    forwards: float = field(default=0.0, init=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clock inside the block."""
        wall, cpu = self._now()
        try:
            yield
        finally:
            end_wall, end_cpu = self._now()
            self.wall += end_wall - wall
            self.cpu += end_cpu - cpu

    def _now(self) -> tuple[float, float]:
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter(), time.thread_time()

    @property
    def seconds(self) -> float:
        """The seconds used for verdicts: CPU seconds, or wall seconds on a GPU."""
        return self.cpu if self.device == "cpu" else self.wall


class DivergedError(ArithmeticError):
    """Training reached a loss that is not finite; the network holds the last good weights."""


@dataclass(frozen=True)
class CurvePoint:
    """One evaluation of the present weights, and what was spent so far."""

    step: int
    quality: float  # dB or percent
    cpu: float  # seconds
    wall: float  # seconds
    forwards: float


def psnr(residuals: Tensor, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio, ``10 log10(peak^2 / mean squared residual)``, dB; 120 at most.

    >>> round(psnr(torch.full((10, 3), 0.1)), 3)
    20.0
    """
    error = residuals.double().square().mean().item()
    return 10 * log10(peak**2 / max(error, 1e-12 * peak**2))


class TrainingContext:
    """Residuals and scores for samplers, cached per step and charged to the clock once."""

    def __init__(self, network: Network, signal: Signal, clock: Clock) -> None:
        self.network, self.signal, self.clock = network, signal, clock
        self.cached: Tensor | None = None

    def forget(self) -> None:
        """Clear the cache after a change of the weights."""
        self.cached = None

    def residuals(self) -> Tensor:
        """Compute prediction minus target at all points, ``(n, c)``."""
        if self.cached is None:
            self.cached = self.network.predict(self.signal.coordinates) - self.signal.values
            self.clock.forwards += 1
        return self.cached

    def score(self, name: str) -> Tensor:
        """Compute a score of all points.

        Args:
            name: ``tangent``, ``alignment``, ``leverage``, ``last_layer`` or ``prediction``.

        Raises:
            ValueError: Another name.
        """
        if name not in SCORES:
            raise ValueError(f"unknown score {name!r}; allowed: {', '.join(SCORES)}")
        return SCORES[name](self)

    def moved(self) -> scores.ScoreRefresh:
        """Compute ``theta g`` and cache the residuals."""
        refresh = self.network.moved(self.signal.coordinates, self.signal.values)
        self.cached = refresh.residuals
        self.clock.forwards += REFRESH
        return refresh


def _stack(view: TrainingContext) -> StackNetwork:
    network = view.network
    if not (isinstance(network, StackNetwork) and network.agrees(view.signal.coordinates)):
        raise TypeError(f"this score needs a stack of dense layers, got {type(network.net).__name__}")
    return network


def _leverage(view: TrainingContext) -> Tensor:
    view.clock.forwards += 1 + view.signal.values.shape[1]
    return scores.leverage(_stack(view), view.signal.coordinates)


def _last_layer(view: TrainingContext) -> Tensor:
    refresh = scores.last_layer(_stack(view), view.signal.coordinates, view.signal.values)
    view.cached = refresh.residuals
    view.clock.forwards += 1
    return refresh.norms


SCORES: dict[str, Callable[[TrainingContext], Tensor]] = {
    "tangent": lambda view: view.moved().norms,
    "alignment": lambda view: view.moved().alignment,
    "leverage": _leverage,
    "last_layer": _last_layer,
    "prediction": lambda view: (view.residuals() + view.signal.values).square().sum(1),
}


@dataclass
class TrainingRun:
    """A training run that advances step by step.

    Attributes:
        network: What is trained, in place.
        lr: Learning rate of all weights, at the start.
        every: Steps between evaluations.
        quality: Quality of residuals of all points.
        watch: Called with the step and the indices of each step, outside of the clock.
        muon: Whether Muon updates the hidden layers' matrices, scaled to the length of Adam's steps; the rest
            is Adam's.
        decay: Share of ``lr`` towards which it falls exponentially, set anew at each block of a race.

    Raises:
        ValueError: A setting out of its range; a sampler of another number of points than the signal's; a
            network of another floating type, or with other outputs than the signal has channels.
    """

    network: Network
    signal: Signal
    sampler: Sampler
    lr: float = 1e-4
    every: int = 25
    quality: Callable[[Tensor], float] = psnr
    watch: Callable[[int, Tensor], None] | None = None
    muon: bool = False
    decay: float = 1.0
    curve: list[CurvePoint] = field(default_factory=list, init=False)
    stopped: str = field(default="", init=False)  # why training cannot go on

    def __post_init__(self) -> None:
        check_number("lr", self.lr, 0)
        check_number("every", self.every, 1, whole=True)
        check_number("decay", self.decay, 0, 1)
        self._check_parts()
        self.clock = Clock(self.signal.values.device.type)
        self.view = TrainingContext(self.network, self.signal, self.clock)
        self.optimisers = _optimisers(self.network.net, self.lr, muon=self.muon)
        self.step = 0
        self._good = self._weights()

    @torch.no_grad()
    def _check_parts(self) -> None:
        """Refuse a sampler of another signal, and a network of another floating type or other outputs."""
        values, types = self.signal.values, dict.fromkeys(p.dtype for p in self.network.net.parameters())
        if (count := self.sampler.count) != len(values):
            raise ValueError(f"sampler: got {count} points, allowed: {len(values)}, those of the signal")
        check_word("signal.values", values.dtype, tuple(types))
        first, shape = self.network.net(self.signal.coordinates[:2]).shape, values[:2].shape
        if first != shape:
            raise ValueError(f"network: got a prediction of shape {(*first,)}, allowed: {(*shape,)}")

    def decay_lr(self, done: float) -> None:
        """Set the learning rate to ``lr decay^done``, where ``done`` is the share of a race that is over."""
        for group in (group for optimiser in self.optimisers for group in optimiser.param_groups):
            group["lr"] = self.lr * self.decay**done

    def advance(self, steps: int) -> None:
        """Train for some steps, with an evaluation at every multiple of ``every``.

        Raises:
            DivergedError: A loss that is no number; the last good weights are back.
        """
        for _ in range(steps):
            before = copy(self.clock)  # the choice belongs to the step that follows
            with self.clock.running():
                indices = self.sampler.indices(self.step, self.view)
            if self.step % self.every == 0:
                self.evaluate(before)
            if self.watch:
                self.watch(self.step, indices)
            with self.clock.running():
                residuals = self._train(indices)
            if not isfinite(residuals.sum().item()):
                self._restore()
                self.stopped = f"the loss of step {self.step} is no number"
                self.stopped += f"; weights of step {self._good_step} kept"
                raise DivergedError(self.stopped)
            self.step += 1

    def _train(self, indices: Tensor) -> Tensor:
        x, y = self.signal.coordinates, self.signal.values
        if len(indices) != len(y) or not (indices.diff() > 0).all():
            x, y = x[indices], y[indices]
        residuals = self.network.gradient(x, y, self.sampler.weights)
        for optimiser in self.optimisers:
            optimiser.step()
        self.sampler.observe(indices, residuals)
        self.view.forget()
        self.clock.forwards += 3 * len(indices) / len(self.signal.values)
        return residuals

    def evaluate(self, clock: Clock | None = None) -> None:
        """Add the quality of the present weights to the curve, once for each step, outside of the clock."""
        residuals = self.view.cached
        if residuals is None:
            residuals = self.network.predict(self.signal.coordinates) - self.signal.values
        quality = self.quality(residuals)
        if isfinite(quality):
            self._good = self._weights()
            clock = clock or self.clock
            self.curve = [point for point in self.curve if point.step < self.step]
            self.curve.append(CurvePoint(self.step, quality, clock.cpu, clock.wall, clock.forwards))

    def state_dict(self) -> dict[str, Any]:
        """Copy all that training goes on from: tensors, numbers and words."""
        state = {
            "net": self.network.net.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "sampler": {k: v for k, v in vars(self.sampler).items() if k not in ("generator", "device")},
            "generator": self.sampler.generator.get_state(),
            "clock": vars(self.clock),
            "curve": [astuple(point) for point in self.curve],
            "step": self.step,
        }
        return deepcopy(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue at a saved state, bit for bit; the step that comes next is evaluated anew."""
        if self.decay != 1:
            raise ValueError(f"decay: got {self.decay:g}; a race in parts allows 1, a constant learning rate")
        state = deepcopy(dict(state))
        self.network.net.load_state_dict(state["net"])
        for optimiser, its in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(its)
        vars(self.sampler).update(state["sampler"])
        vars(self.clock).update(state["clock"])
        self.sampler.generator.set_state(state["generator"])
        self.step = state["step"]
        self.curve = [CurvePoint(*point) for point in state["curve"] if point[0] < self.step]
        self._good = self._weights()

    def _weights(self) -> list[Tensor]:
        self._good_step = getattr(self, "step", 0)
        return [p.detach().clone() for p in self.network.net.parameters()]

    @torch.no_grad()
    def _restore(self) -> None:
        for p, good in zip(self.network.net.parameters(), self._good, strict=True):
            p.copy_(good)


def _optimisers(net: nn.Module, lr: float, *, muon: bool) -> list[torch.optim.Optimizer]:
    if not muon:
        return [torch.optim.Adam(net.parameters(), lr=lr, fused=True)]
    hidden = [p for p in net.parameters() if p.ndim == 2][1:-1]
    if not hidden:
        raise ValueError("muon: the network has no matrix between its first and its last; allowed: False")
    others = [p for p in net.parameters() if all(p is not matrix for matrix in hidden)]
    return [
        torch.optim.Adam(others, lr=lr, fused=True),
        torch.optim.Muon(hidden, lr=lr, weight_decay=0, adjust_lr_fn="match_rms_adamw"),
    ]


def race(fits: Sequence[TrainingRun], steps: int, block: int = 25) -> None:
    """Train several networks in turn, a block of steps each, so that a busy machine slows all alike.

    Each is evaluated once more at its end. Fits that continue have the same number of steps behind them.

    Raises:
        DivergedError: A loss was no number, after all others have run to their end.
    """
    for start in range(fits[0].step, steps, block):
        for fit in fits:
            fit.decay_lr(start / steps)
            _advance(fit, min(block, steps - start))
    _finish(fits)


def race_for_time(fits: Sequence[TrainingRun], leader: int, steps: int, block: int = 25) -> None:
    """Train several networks in turn, each for as many seconds as the leader takes for its steps.

    Args:
        leader: Position of the one whose steps are counted.
        block: Steps of a turn of the leader.

    Raises:
        DivergedError: A loss was no number, after all others have run as long as the leader could.
    """
    first = fits[leader]
    others = [fit for fit in fits if fit is not first]
    for start in range(first.step, steps, block):
        for fit in fits:
            fit.decay_lr(start / steps)
        _advance(first, min(block, steps - start))
        for fit in others:
            while not fit.stopped and fit.clock.seconds < first.clock.seconds:
                _advance(fit, 1)
    _finish(fits)


def _advance(fit: TrainingRun, steps: int) -> None:
    if not fit.stopped:
        with suppress(DivergedError):
            fit.advance(steps)


def _finish(fits: Sequence[TrainingRun]) -> None:
    for fit in fits:
        fit.evaluate()
    if errors := [fit.stopped for fit in fits if fit.stopped]:
        raise DivergedError("; ".join(errors))
