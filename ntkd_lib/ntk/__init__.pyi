"""Types of the public names, for type checkers and editors."""

from ntkd_lib.ntk.block_ridge import ridge_by_blocks as ridge_by_blocks
from ntkd_lib.ntk.blocked import blocked_ntk as blocked_ntk
from ntkd_lib.ntk.blocked_linear_algebra import randomised_svd as randomised_svd
from ntkd_lib.ntk.blocked_linear_algebra import ridge_solve as ridge_solve
from ntkd_lib.ntk.blocked_store import save_blocks as save_blocks
from ntkd_lib.ntk.empirical import empirical_ntk as empirical_ntk
from ntkd_lib.ntk.estimators import estimate_effective_rank as estimate_effective_rank
from ntkd_lib.ntk.estimators import estimate_squared_norm as estimate_squared_norm
from ntkd_lib.ntk.estimators import estimate_trace as estimate_trace
from ntkd_lib.ntk.estimators import sign_gram as sign_gram
from ntkd_lib.ntk.infinite.blocked import blocked_flattened_ntk as blocked_flattened_ntk
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels as convolutional_kernels
from ntkd_lib.ntk.infinite.dense import dense_kernels as dense_kernels
from ntkd_lib.ntk.infinite.flattened import flattened_ntk as flattened_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel as LandmarkKernel
from ntkd_lib.ntk.operator import NTKOperator as NTKOperator
from ntkd_lib.ntk.regression import choose_ridge as choose_ridge
from ntkd_lib.ntk.regression import fit_ridge as fit_ridge
from ntkd_lib.ntk.regression import predict as predict
from ntkd_lib.ntk.sketches.jvp_features import jvp_features as jvp_features
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch as KroneckerSketch
from ntkd_lib.ntk.sketches.sparse import SparseSketch as SparseSketch
from ntkd_lib.ntk.sketches.stream import sketch_error as sketch_error
from ntkd_lib.ntk.sketches.stream import sketched_features as sketched_features
