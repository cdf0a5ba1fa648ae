"""Types of the public names, for type checkers and editors."""

from ntkd_lib.nets.back_ends import UpConvolutionBackEnd as UpConvolutionBackEnd
from ntkd_lib.nets.back_ends import dense_back_end as dense_back_end
from ntkd_lib.nets.back_ends import mlp as mlp
from ntkd_lib.nets.colour_teachers import alexnet_cifar as alexnet_cifar
from ntkd_lib.nets.colour_teachers import colour_teacher as colour_teacher
from ntkd_lib.nets.compact_resnet import wide_resnet as wide_resnet
from ntkd_lib.nets.efficientnet_lite import EfficientNetLite0 as EfficientNetLite0
from ntkd_lib.nets.efficientnet_lite import pretrained_efficientnet_lite0 as pretrained_efficientnet_lite0
from ntkd_lib.nets.resnet import resnet18_cifar as resnet18_cifar
from ntkd_lib.nets.resnet import resnet18_grey as resnet18_grey
from ntkd_lib.nets.sine import Sine as Sine
from ntkd_lib.nets.sine import siren as siren
from ntkd_lib.nets.two_convolutions import compact_cnn as compact_cnn
from ntkd_lib.nets.two_convolutions import lenet as lenet
from ntkd_lib.nets.unet import UNet as UNet
from ntkd_lib.nets.wide_convolution import WideConv2d as WideConv2d
from ntkd_lib.nets.wide_convolution import widen as widen
