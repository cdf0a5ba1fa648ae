"""Settings in other units, settings that would do nothing, and numbers that are none: refused in one line."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from ntkd_lib.distill.tangent_sap import perturbed_trace
from ntkd_lib.dntk.matching import distil_images
from ntkd_lib.inr.network import wrap
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.samplers.error_memory import ErrorMemory
from ntkd_lib.inr.samplers.evos import Evos
from ntkd_lib.inr.samplers.nint import Nint
from ntkd_lib.inr.samplers.single_rule import Egra, ErrorMix, ExpansiveSupervision, UniformDraw
from ntkd_lib.inr.samplers.soft_mining import SoftMining
from ntkd_lib.inr.signals import Signal
from ntkd_lib.inr.training import TrainingRun as Training
from ntkd_lib.koopman.classifier import KoopmanClassifier
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.edmd import EDMDSurrogate
from ntkd_lib.koopman.lifted import LiftedInputs
from ntkd_lib.koopman.problem import DistillationLoss, Problem
from ntkd_lib.optics.alignment_errors import Defocus
from ntkd_lib.optics.design import DesignOptions, design_widths
from ntkd_lib.optics.front_end import SignedFrontEnd
from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.optics.strength import drawn_errors
from ntkd_lib.optics.student import HybridStudent
from ntkd_lib.ranges import check_number, check_word
from ntkd_lib.spectral.student import SpectralStudent, SpectralStudentClassifier

X, Y = load_iris(return_X_y=True)
SIGNAL = Signal(torch.linspace(0, 1, 64)[:, None], (8, 8))
SMALL = Geometry(cells=12, distance=18.0, pixel=2, taps=5)


def dark():
    targets = torch.ones(1, 3, 5, 5)
    targets[0, 0, 0, 0] = math.nan
    return targets


def sampler(kind, **settings):
    return lambda: kind(SIGNAL, 8, 0, **settings)


def koopman(**settings):
    return lambda: KoopmanClassifier(n_components=2, **settings).fit(X, Y)


def edmd(**settings):
    return lambda: EDMDSurrogate(n_components=2, **settings).fit(X, X[:, :3])


def spectral(**settings):
    return lambda: SpectralStudent(**settings).fit(X[:30], X[:30, 0])


def training(**settings):
    network = wrap(build("mlp", 2, 1, 4, 1))
    return lambda: Training(network, SIGNAL, UniformDraw(SIGNAL, 8, 0), **settings)


def problem(labels, soft):
    lifted = LiftedInputs(Monomials(1, 1), torch.zeros(3, 1))
    return lambda: Problem(lifted, DistillationLoss(0.5, 2.0), labels, soft, 1e-3)


EVEN = torch.full((2, 3), 0.5)
REFUSED = {
    # units and shapes
    "pitch in nm": (lambda: Geometry(pitch=586), "pitch: got 586 um, allowed: 0.05 to 5 um"),
    "distance in mm": (lambda: Geometry(distance=2.4), "distance: got 2.4 um, allowed: 5 to 1e"),
    "distance in m": (lambda: Geometry(distance=0.0024), "distance: got 0.0024 um"),
    "wavelengths in nm": (
        lambda: Geometry(wavelengths=(635,)),
        r"wavelengths\[0\]: got 635 um, allowed: 0.2 to",
    ),
    "wavelengths in m": (lambda: Geometry(wavelengths=(0.5, 5e-7)), r"wavelengths\[1\]: got 5e-07 um"),
    "a truth value of taps": (lambda: Geometry(taps=True), "taps: got True, allowed: 1 or more, whole"),
    "a distance of NaN": (lambda: Geometry(distance=math.nan), "distance: got nan um"),
    "a defocus of NaN": (lambda: Defocus(math.nan), "Defocus.relative: got nan, allowed: -0.5 to 0.5"),
    "a strength in percent": (lambda: drawn_errors(20, 0), "strength: got 20, allowed: 0 to 1"),
    "targets of NaN": (
        lambda: design_widths(dark(), SMALL, DesignOptions(steps=1)),
        "targets: got shape .* all finite",
    ),
    "images of another size": (
        lambda: SignedFrontEnd(2, 8, filter_size=3)(torch.rand(2, 1, 10, 10)),
        r"images: got shape \(2, 1, 10, 10\), needs \(n, \*\(1, 8, 8\)\)",
    ),
    "images of another colour": (
        lambda: SignedFrontEnd(2, 8, filter_size=3, rectify=False)(torch.rand(2, 3, 8, 8)),
        r"images: got shape \(2, 3, 8, 8\)",
    ),
    # settings that do nothing or mean something else
    "a rate of NaN": (lambda: DesignOptions(rate=math.nan), "rate: got nan um"),
    "no Newton step": (koopman(max_iter=0), "'max_iter' parameter of KoopmanClassifier .* Got 0"),
    "any gradient": (koopman(tolerance=math.inf), "'tolerance' parameter .* Got inf"),
    "half a degree": (koopman(degree=1.5), "'degree' parameter .* Got 1.5"),
    "a teacher of NaN": (
        lambda: KoopmanClassifier(n_components=2, loss="kd").fit(X, Y, np.full((150, 3), np.nan)),
        r"teacher_logits of shape \(150, 3\); allowed: \(150, 3\), all finite \(450 are not\)",
    ),
    "more components than there are": (
        edmd(hidden_components=99),
        "hidden_components: got 99, allowed: 1 to 3, the width",
    ),
    "full in words": (edmd(full="no"), "'full' parameter .* Got 'no'"),
    "labels that are no shares": (problem(2 * EVEN, EVEN), "labels: needs columns of probabilities"),
    "a teacher's logits": (problem(EVEN, torch.tensor([[3.0], [-2.0]]).expand(2, 3)), "soft: needs columns"),
    "half a mode": (spectral(modes=2.5), "'modes' parameter of SpectralStudent .* Got 2.5"),
    "a truth value of landmarks": (spectral(landmarks=True), "landmarks"),
    "one bandwidth": (spectral(bandwidths=1.0), "'bandwidths' parameter .* Got 1.0"),
    "a ridge of NaN": (spectral(ridge=math.nan), "'ridge' parameter .* Got nan"),
    "walkers drawn backwards": (sampler(SoftMining, restart=-1), "restart: got -1, allowed: 0 to 1"),
    "a noise of NaN": (sampler(SoftMining, noise=math.nan), "noise: got nan, allowed: 0 or more"),
    "a floor of NaN": (sampler(Egra, floor=math.nan), "floor: got nan, allowed: 0 or more"),
    "more than all by score": (sampler(Nint, xi=-1), "xi: got -1, allowed: 0 to 1"),
    "no time constant": (sampler(Nint, alpha=0), "alpha: got 0, allowed: 1 or more, whole"),
    "errors below none": (sampler(ErrorMemory, even=-1), "even: got -1, allowed: 0 to 1"),
    "a power of NaN": (sampler(ErrorMemory, power=math.nan), "power: got nan, allowed: 0 to 100"),
    "more than all by error": (sampler(ErrorMix, xi=2), "xi: got 2, allowed: 0 to 1"),
    "no steps": (sampler(Evos, steps=0), "steps: got 0, allowed: 1 or more, whole"),
    "fewer edges than places": (sampler(ExpansiveSupervision, reach=-1), "reach: got -1, allowed: 1 or more"),
    "a truth value of a batch": (
        lambda: UniformDraw(SIGNAL, True, 0),
        "batch = True is not allowed; allowed: 1 to 64",
    ),
    "a rate below none": (training(lr=-1e-3), "lr: got -0.001, allowed: 0 or more"),
    "no evaluation": (training(every=0), "every: got 0, allowed: 1 or more, whole"),
    "a stretch of NaN": (lambda: Signal(torch.ones(4, 1), (4,), math.nan), "stretch: got nan"),
    "a signal of NaN": (
        lambda: Signal(torch.full((4, 1), math.nan), (4,)),
        r"values: got shape \(4, 1\), 4 not",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_it_is_refused_in_one_line(fault):
    call, message = REFUSED[fault]
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)


# the tests' own check of types would refuse these first, so that they run where it is off
WRONG_TYPES = {
    "Geometry(cells=1600.5)": "cells: got 1600.5, allowed: 1 or more, whole",
    "Geometry(pitch='0.5')": "pitch: got '0.5' um, allowed: 0.05 to 5 um",
    "Defocus('0.1')": "Defocus.relative: got '0.1', allowed: -0.5 to 0.5",
    "DesignOptions(compared='cell')": "compared: got 'cell', allowed: pixels, cells",
    "DesignOptions(steps=2.5)": "steps: got 2.5, allowed: 0 or more, whole",
    "Nint(signal, 8, 0, staircase='no')": "staircase: got 'no', allowed: True, False",
    "IntTeaching(signal, 8, 0, longest=0.5)": "longest: got 0.5, allowed: 1 or more, whole",
    "UniformDraw(signal, 2.5, 0)": "batch = 2.5 is not allowed; allowed: 1 to 64, all points",
    "sensor_intensity(torch.zeros(1, 8, 12), SCALED)": "phase: got shape (1, 8, 12), 0 values not finite; "
    "allowed: finite, ending in (3, 200, 200), the geometry's colours and cells",
    "from_pixels([1.5])": "pixels: got shape (1,), needs (h, w), (h, w, c) or (c, h, w) with 1 to 4 channels",
}
SCRIPT = """
import json, sys
import torch
from ntkd_lib.inr.samplers.single_rule import IntTeaching
from ntkd_lib.inr.samplers.nint import Nint
from ntkd_lib.inr.samplers.single_rule import UniformDraw
from ntkd_lib.inr.signals import Signal, from_pixels
from ntkd_lib.optics.alignment_errors import Defocus
from ntkd_lib.optics.design import DesignOptions
from ntkd_lib.optics.geometry import SCALED, Geometry
from ntkd_lib.optics.propagation import sensor_intensity

signal, refusals = Signal(torch.ones(64, 1), (8, 8)), {}
for call in sys.argv[1:]:
    try:
        refusals[call] = repr(eval(call))
    except ValueError as error:
        refusals[call] = str(error)
print(json.dumps(refusals))
"""


def test_wrong_types_are_refused_in_one_line():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *WRONG_TYPES], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == WRONG_TYPES


def test_an_optimum_that_was_not_reached_is_said():
    with pytest.warns(ConvergenceWarning, match=r"^the gradient has fallen to .* of its start in 1 steps"):
        koopman(max_iter=1)()


class Missing:
    """A teacher that predicts no number."""

    classes_ = np.arange(3)

    def predict(self, x):
        return np.full(len(x), np.nan)

    def predict_proba(self, x):
        return np.full((len(x), 3), np.nan)


@pytest.mark.parametrize("student", [SpectralStudent, SpectralStudentClassifier])
def test_a_teacher_that_predicts_no_number_is_refused(student):
    with pytest.raises(ValueError, match=r"^teacher: predict\w* gave \d+ values that are not finite"):
        student(Missing()).fit(X, Y)


class TwoHeads(nn.Module):
    """A network whose last dense layer by order is not the one of its logits."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
        self.head, self.other = nn.Linear(8, 2), nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.mark.parametrize(
    "model",
    [
        TwoHeads(),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2), nn.Softmax(1)),
    ],
)
def test_images_are_distilled_of_networks_with_a_dense_end_alone(model):
    images, labels = torch.rand(6, 1, 4, 4), torch.tensor([0, 1] * 3)
    with pytest.raises(ValueError, match=r"^model: .* needs (one|a dense layer)"):
        distil_images(model, images, labels, per_class=1, steps=1)


def test_a_perturbed_trace_needs_samples_that_stand_alone():
    student = HybridStudent(nn.Flatten(), nn.Sequential(nn.Linear(16, 4), nn.Dropout(0.5), nn.Linear(4, 2)))
    images = torch.rand(3, 1, 4, 4)
    with pytest.raises(ValueError, match=r"dropout in training mode"):
        perturbed_trace(student, images, student(images))


def test_numbers_and_words_are_named():
    for value in (True, None, "1", math.nan, math.inf, -1, 1.5, torch.tensor(1)):
        with pytest.raises(ValueError, match=r"^size: got .*, allowed: 0 or more mm, whole$"):
            check_number("size", value, 0, unit="mm", whole=True)
    for value in (0, 1, np.int64(3), 2**70):
        check_number("size", value, 0, unit="mm", whole=True)
    check_word("kind", "a", ("a", "b"))
    with pytest.raises(ValueError, match=r"^kind: got 'c', allowed: a, b$"):
        check_word("kind", "c", ("a", "b"))
