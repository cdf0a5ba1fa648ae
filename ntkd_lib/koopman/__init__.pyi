"""Types of the public names, for type checkers and editors."""

from ntkd_lib.koopman.classifier import KoopmanClassifier as KoopmanClassifier
from ntkd_lib.koopman.dictionaries import Dictionary as Dictionary
from ntkd_lib.koopman.dictionaries import Monomials as Monomials
from ntkd_lib.koopman.dictionaries import RadialFunctions as RadialFunctions
from ntkd_lib.koopman.dictionaries import radial_functions as radial_functions
from ntkd_lib.koopman.edmd import EDMDSurrogate as EDMDSurrogate
from ntkd_lib.koopman.edmd import read_out as read_out
from ntkd_lib.koopman.export import exported as exported
from ntkd_lib.koopman.export import npz_logits as npz_logits
from ntkd_lib.koopman.export import save_npz as save_npz
from ntkd_lib.koopman.export import to_onnx as to_onnx
from ntkd_lib.koopman.hardware import missing as missing
from ntkd_lib.koopman.hardware import noisy as noisy
from ntkd_lib.koopman.hardware import quantise as quantise
from ntkd_lib.koopman.least_squares import NormalEquations as NormalEquations
from ntkd_lib.koopman.least_squares import normal_equations as normal_equations
from ntkd_lib.koopman.newton import Optimum as Optimum
from ntkd_lib.koopman.newton import certify as certify
from ntkd_lib.koopman.newton import minimise as minimise
from ntkd_lib.koopman.problem import DistillationLoss as DistillationLoss
from ntkd_lib.koopman.problem import Problem as Problem
