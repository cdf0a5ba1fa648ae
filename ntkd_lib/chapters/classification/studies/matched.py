"""Colour images at matched settings: trials on tuning seeds, the choice that code reads off them, its arms.

All arms of a seed share split, start, shifts and order of batches, learning rate, weight decay and length;
the rate and the decay are those of the labels arm's best trial at full length. Every arm then has trials of
its own, soft labels as many as kernel losses. No trial reads a test image. The chosen arms are trained once
more on fresh seeds and tested there.

Rule, written before any kernel was tried: *the kernel helps* if its claim's rule holds and Holm's p of "NTKD
is above labels alone", with NTKD above soft labels and the wide teacher's NTKD above NTKD, is below 0.05; *no
kernel helps* if the upper ends of the max-t intervals of all kernel arms minus labels alone are below +0.3
points; else it is open.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ntkd_lib.chapters.classification import NOTEBOOK
from ntkd_lib.chapters.classification.methods import COLOURS, colour_student
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.lab import Arm, Cell, Data, load_parameters
from ntkd_lib.lab.trials import choose, trial_arms

Settings = Mapping[str, Any]
SPACE = "ntkd.cifar10.matched_tuning"
SOURCE = ("colour_kernel_images", "colour_kernel_every", "kernel_batch")  # trials may set them too
WIDE = "ntkd_wide_teacher"


def matched_student(
    parameters: Settings, seed: int, sha256: str, arm: str, settings: Settings, *, tested: bool
) -> Cell:
    """Describe a student of an arm at settings that name all that is not the run's."""
    settings = dict(settings)
    source = {name: settings.pop(name) for name in SOURCE if name in settings}
    run = load_parameters(ClassificationParameters, NOTEBOOK, "cpu", {**parameters["run"], **source})
    method = COLOURS.methods["ntkd" if arm == WIDE else arm]
    if method.uses_kernel:
        objective = f"{method.objective.removesuffix('_normalised')}_{settings.pop('form')}"
        method = replace(method, objective=objective, teacher="strong" if arm == WIDE else "trained")
        settings["kernel_clip"] = parameters["kernel_clip"]
    return colour_student(run, Data(run.colour, sha256), method, seed, settings, tested=tested)


def _base(parameters: Settings, arm: str) -> dict[str, Any]:
    """Choose the common point, and the arm's best first trial where later ones change something else."""
    point = choose(parameters["point"], SPACE, parameters["point_of"]) if "point" in parameters else {}
    first = parameters.get("first", {}).get(arm)
    return {**point, **(choose(first, SPACE, arm) if first else {})}


def tuning_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Train the trials of arms at the labels arm's point, or those that choose it."""
    bases = {arm: _base(parameters, arm) for arm in parameters["trials"]}
    train = partial(matched_student, parameters, seed, sha256, tested=False)
    return trial_arms(SPACE, parameters["trials"], lambda arm, own: train(arm, {**bases[arm], **own}))


def confirmed_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Train and test every arm at its chosen settings; `arms` names the protocols of each arm's trials.

    NTKD with the wide teacher has the settings of NTKD, and NTKD with soft labels those of both.
    """
    chosen = {
        arm: {**_base(parameters, arm), **choose(protocols, SPACE, arm)}
        for arm, protocols in parameters["arms"].items()
    }
    soft = {"temperature": chosen["kd"]["temperature"], "soft_weight": chosen["kd"]["weight"]}
    chosen |= {WIDE: chosen["ntkd"], "ntkd_kd": {**chosen["ntkd"], **soft}}
    train = partial(matched_student, parameters, seed, sha256, tested=True)
    return {f"ntkd.cifar10.matched.{arm}.accuracy": Arm((train(arm, own),)) for arm, own in chosen.items()}
