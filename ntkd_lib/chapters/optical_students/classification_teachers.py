"""Teachers of classifiers: training, soft labels, and compressed tangent kernels."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from ntkd_lib.chapters.optical_students.classification_setting import (
    Partition,
    kernel_arrays,
    kernel_errors,
    prepare,
    state_of,
    weights_of,
)
from ntkd_lib.distill import Teacher, labels
from ntkd_lib.distill.training import Images, Schedule, accuracy, converged, fit, predict
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.work import Data, work
from ntkd_lib.nets import lenet, widen
from ntkd_lib.nets.colour_teachers import WHITENED, colour_teacher
from ntkd_lib.nets.compact_resnet import whiten_first
from ntkd_lib.ntk import KroneckerSketch, empirical_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel, landmark_gram
from ntkd_lib.ntk.sketches.stream import trace_features

Network = Literal["lenet", "compact", "wide", "alexnet", "resnet18"]
# per image and epoch
SECONDS = {"lenet": 5e-5, "compact": 1e-3, "wide": 3.3e-3, "alexnet": 1.5e-3, "resnet18": 8e-3}
# How the exact kernel is computed: whole Jacobians of a ResNet-18 take 0.45 GB per image.
EXACT = {"compact": "contraction", "wide": "structured", "alexnet": "contraction", "resnet18": "structured"}
WHITENING = 2000  # images whose patches the first layer of a teacher is whitened by
LANDMARK_CHECKS, SKETCH_CHECKS = 256, 48  # images on which a compressed kernel is compared with the exact one


@work(
    cost=lambda data, split, network, schedule, **_: (
        2 + SECONDS[network] * schedule.epochs * split.count(data)
    )
)
def teacher(
    data: Data, seed: int, split: Partition, *, network: Network, schedule: Schedule, device: str = "cpu"
) -> CellResult:
    """Train a teacher for a number of epochs, possibly none, and test it."""
    setting = prepare(data, split, seed, device)
    train, test = _channels_last(setting.train), _channels_last(setting.test)
    model = _initialise_teacher(network, train.images[setting.rows[:WHITENING]]).to(device)
    curve = fit(model, train, setting.rows, setting.held_out, labels.build({}, Teacher()), schedule)
    with _precision(device, mixed=schedule.mixed):
        reached = accuracy(model, test, torch.arange(len(test.labels), device=device))
    values = {"accuracy": reached, "curve": curve, "converged": converged(curve)}
    return CellResult({**values, "parameters": sum(p.numel() for p in model.parameters())}, weights_of(model))


@work(cost=lambda data, split, network, **_: 5 + SECONDS[network] * split.count(data))
@torch.no_grad()
def soft_labels(
    data: Data,
    seed: int,
    split: Partition,
    *,
    network: Network,
    teacher: Record,
    mirrored: bool = False,
    mixed: bool = False,
    device: str = "cpu",
) -> CellResult:
    """Compute a teacher's logits of all training images, and of the mirrored ones if students use these."""
    images = _channels_last(prepare(data, split, seed, device).train).images
    model = restore_teacher(teacher, network, device).to(memory_format=torch.channels_last)
    with _precision(device, mixed=mixed):
        parts = [predict(model, part) for part in ([images, images.flip(3)] if mirrored else [images])]
    return CellResult({}, {"logits": torch.cat(parts).float().cpu().numpy()})


@work(cost=lambda data, split, kernel_images, **_: 1 + 5e-4 * min(kernel_images, split.count(data)))
def landmark_kernel(
    data: Data,
    seed: int,
    split: Partition,
    *,
    network: Network,
    landmark_count: int,
    kernel_images: int,
    teacher: Record,
    device: str = "cpu",
) -> CellResult:
    """Compress a teacher's tangent kernel by landmarks, and compare it with the exact one on other images."""
    setting = prepare(data, split, seed, device)
    model = restore_teacher(teacher, network, device)
    order = setting.rows[torch.randperm(len(setting.rows)).to(setting.rows.device)]
    count = min(landmark_count, len(order) // 2)
    kernel = LandmarkKernel(model, setting.train.images[order[:count]])
    rows = order[count : count + kernel_images]
    images = setting.train.images[rows]
    features, diagonal = kernel.features(images, chunk=100)
    part = slice(LANDMARK_CHECKS)
    with torch.no_grad():
        exact = empirical_ntk(model, images[part], kind="trace", tile=64)
    errors = _kernel_errors(exact, landmark_gram(features[part], diagonal[part]))
    values = {**errors, "mean_diagonal": diagonal.mean().item()}
    return CellResult(values, kernel_arrays(rows, features.half(), diagonal))


@work(cost=lambda kernel_images, **_: 5 + 3e-2 * kernel_images)
def sketched_kernel(
    data: Data,
    seed: int,
    split: Partition,
    *,
    network: Network,
    feature_count: int,
    kernel_images: int,
    teacher: Record,
    device: str = "cpu",
) -> CellResult:
    """Sketch a teacher's tangent features of some images, and compare their kernel with the exact one."""
    setting = prepare(data, split, seed, device)
    model = restore_teacher(teacher, network, device)
    order = torch.randperm(len(setting.rows))[:kernel_images]
    rows = setting.rows[order.to(setting.rows.device)]
    features = trace_features(model, setting.train.images[rows], KroneckerSketch(feature_count, seed=seed))
    size = features.square().sum(1).mean()
    stored = (features / size.sqrt()).half()
    checked = setting.train.images[rows[:SKETCH_CHECKS]]
    with torch.no_grad():
        exact = empirical_ntk(model, checked, kind="trace", method=EXACT[network], tile=16)
    part = stored[:SKETCH_CHECKS].float()
    errors = _kernel_errors(exact, part @ part.T * size)
    arrays = kernel_arrays(rows, stored, stored.float().square().sum(1))
    return CellResult({**errors, "mean_diagonal": size.item()}, arrays)


def build_teacher(network: Network) -> nn.Module:
    """Build a teacher at a random start."""
    return lenet() if network == "lenet" else colour_teacher(network)


def restore_teacher(record: Record, network: Network = "lenet", device: str = "cpu") -> nn.Module:
    """Rebuild a trained teacher."""
    model = build_teacher(network)
    model.load_state_dict(state_of(record))
    return model.to(device).eval()


def _initialise_teacher(network: Network, images: Float[Tensor, "n l h w"]) -> nn.Module:
    """Build a teacher whose first layer starts at whitened patches where it can; widened, channels last."""
    model = build_teacher(network)
    if network in WHITENED:
        whiten_first(model[1], model[0](images).cpu())
    return widen(model).to(memory_format=torch.channels_last)


def _kernel_errors(exact: Float[Tensor, "n n"], rebuilt: Float[Tensor, "n n"]) -> dict[str, float]:
    apart = ~torch.eye(len(exact), dtype=torch.bool, device=exact.device)
    off_diagonal = cosine_similarity(exact[apart], rebuilt[apart], dim=0).item()
    return {**kernel_errors(exact, rebuilt), "cosine_off_diagonal": off_diagonal}


def _precision(device: str, *, mixed: bool) -> torch.autocast:
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=mixed)


def _channels_last(data: Images) -> Images:
    return Images(data.images.contiguous(memory_format=torch.channels_last), data.labels)
