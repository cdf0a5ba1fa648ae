"""Types of the public names, for type checkers and editors."""

from ntkd_lib.dntk.energy import captured_energy as captured_energy
from ntkd_lib.dntk.energy import gradient_features as gradient_features
from ntkd_lib.dntk.energy import maximise_energy as maximise_energy
from ntkd_lib.dntk.energy import second_moments as second_moments
from ntkd_lib.dntk.gradients import cluster_points as cluster_points
from ntkd_lib.dntk.gradients import leading_eigenvectors as leading_eigenvectors
from ntkd_lib.dntk.gradients import local_global as local_global
from ntkd_lib.dntk.ledger import Cost as Cost
from ntkd_lib.dntk.ledger import Ledger as Ledger
from ntkd_lib.dntk.ledger import break_even as break_even
from ntkd_lib.dntk.matching import distil_images as distil_images
from ntkd_lib.dntk.projection import GaussianProjection as GaussianProjection
from ntkd_lib.dntk.rank import effective_rank as effective_rank
from ntkd_lib.dntk.rank import truncation_rank as truncation_rank
from ntkd_lib.dntk.regression import fit_nystrom as fit_nystrom
from ntkd_lib.dntk.regression import fit_per_class as fit_per_class
from ntkd_lib.dntk.regression import predict_per_class as predict_per_class
from ntkd_lib.dntk.regression import reduce_kernel as reduce_kernel
from ntkd_lib.dntk.selection import cluster_centres as cluster_centres
from ntkd_lib.dntk.selection import farthest_points as farthest_points
from ntkd_lib.dntk.selection import leverage_scores as leverage_scores
from ntkd_lib.dntk.selection import pivoted_cholesky as pivoted_cholesky
from ntkd_lib.dntk.selection import sample_by as sample_by
from ntkd_lib.dntk.stream import FrequentDirections as FrequentDirections
from ntkd_lib.dntk.stream import StreamedRegression as StreamedRegression
