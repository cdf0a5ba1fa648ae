"""Types of the public names, for type checkers and editors."""

from ntkd_lib.spectral.basis import eigenbasis as eigenbasis
from ntkd_lib.spectral.certificates import clopper_pearson as clopper_pearson
from ntkd_lib.spectral.certificates import empirical_bernstein as empirical_bernstein
from ntkd_lib.spectral.certificates import hoeffding as hoeffding
from ntkd_lib.spectral.certificates import noise_floor as noise_floor
from ntkd_lib.spectral.certificates import parseval_tail as parseval_tail
from ntkd_lib.spectral.kernels import GaussianKernel as GaussianKernel
from ntkd_lib.spectral.kernels import TangentKernel as TangentKernel
from ntkd_lib.spectral.kernels import gaussian_kernels as gaussian_kernels
from ntkd_lib.spectral.low_rank import low_rank_basis as low_rank_basis
from ntkd_lib.spectral.modes import relevant_dimension as relevant_dimension
from ntkd_lib.spectral.optimism import estimated_optimism as estimated_optimism
from ntkd_lib.spectral.optimism import generalised_degrees as generalised_degrees
from ntkd_lib.spectral.report import SpectralReport as SpectralReport
from ntkd_lib.spectral.report import spectral_report as spectral_report
from ntkd_lib.spectral.shrinkage import choose_ridge as choose_ridge
from ntkd_lib.spectral.shrinkage import gcv_scores as gcv_scores
from ntkd_lib.spectral.student import SpectralStudent as SpectralStudent
from ntkd_lib.spectral.student import SpectralStudentClassifier as SpectralStudentClassifier
