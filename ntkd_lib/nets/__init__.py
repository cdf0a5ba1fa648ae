"""Networks: digital teachers and the digital back ends of hybrid students."""

from ntkd_lib.imports import lazy_exports

_HOMES = {
    "EfficientNetLite0": "efficientnet_lite",
    "Sine": "sine",
    "UNet": "unet",
    "UpConvolutionBackEnd": "up_convolution",
    "WideConv2d": "wide_convolution",
    "alexnet_cifar": "colour_teachers",
    "colour_teacher": "colour_teachers",
    "compact_cnn": "two_convolutions",
    "dense_back_end": "back_ends",
    "lenet": "two_convolutions",
    "mlp": "back_ends",
    "pretrained_efficientnet_lite0": "efficientnet_lite",
    "resnet18_cifar": "resnet",
    "resnet18_grey": "resnet",
    "siren": "sine",
    "wide_resnet": "compact_resnet",
    "widen": "wide_convolution",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
