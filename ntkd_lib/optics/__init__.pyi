"""Types of the public names, for type checkers and editors."""

from ntkd_lib.optics.absorber import DeepFrontEnd as DeepFrontEnd
from ntkd_lib.optics.captured import CapturedStudent as CapturedStudent
from ntkd_lib.optics.captured_masks import CapturedMaskStudent as CapturedMaskStudent
from ntkd_lib.optics.cascade import CascadeFrontEnd as CascadeFrontEnd
from ntkd_lib.optics.design import DesignOptions as DesignOptions
from ntkd_lib.optics.design import capture_gains as capture_gains
from ntkd_lib.optics.design import design_widths as design_widths
from ntkd_lib.optics.design import effective_filters as effective_filters
from ntkd_lib.optics.device import Device as Device
from ntkd_lib.optics.energy import count_macs as count_macs
from ntkd_lib.optics.front_end import IdealLens as IdealLens
from ntkd_lib.optics.front_end import SignedFrontEnd as SignedFrontEnd
from ntkd_lib.optics.front_end import split_signed as split_signed
from ntkd_lib.optics.geometry import Geometry as Geometry
from ntkd_lib.optics.layout import read_gds as read_gds
from ntkd_lib.optics.layout import write_gds as write_gds
from ntkd_lib.optics.pillars import buildable as buildable
from ntkd_lib.optics.pillars import pillar_phase as pillar_phase
from ntkd_lib.optics.psf import target_psfs as target_psfs
from ntkd_lib.optics.strength import drawn_errors as drawn_errors
from ntkd_lib.optics.student import HybridStudent as HybridStudent
from ntkd_lib.optics.student import cifar_student as cifar_student
from ntkd_lib.optics.student import mnist_student as mnist_student
from ntkd_lib.optics.tangent import student_trace_ntk as student_trace_ntk
