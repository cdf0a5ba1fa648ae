"""Types of the public names, for type checkers and editors."""

from ntkd_lib.distill.dense import DenseTeacher as DenseTeacher
from ntkd_lib.distill.dense import MaskBatch as MaskBatch
from ntkd_lib.distill.mask_scores import boundary_scores as boundary_scores
from ntkd_lib.distill.mask_scores import mean_iou as mean_iou
from ntkd_lib.distill.mask_training import Masks as Masks
from ntkd_lib.distill.mask_training import MaskSchedule as MaskSchedule
from ntkd_lib.distill.mask_training import fit_masks as fit_masks
from ntkd_lib.distill.mask_training import predict_masks as predict_masks
from ntkd_lib.distill.objective import Batch as Batch
from ntkd_lib.distill.objective import Teacher as Teacher
from ntkd_lib.distill.read_out_training import ReadOuts as ReadOuts
from ntkd_lib.distill.read_out_training import fit_read_outs as fit_read_outs
from ntkd_lib.distill.tangent import tangent_objective as tangent_objective
from ntkd_lib.distill.training import DivergedError as DivergedError
from ntkd_lib.distill.training import Images as Images
from ntkd_lib.distill.training import Schedule as Schedule
from ntkd_lib.distill.training import accuracy as accuracy
from ntkd_lib.distill.training import fit as fit
from ntkd_lib.distill.training import predict as predict
from ntkd_lib.distill.training import random_mirror as random_mirror
from ntkd_lib.distill.training import random_shift as random_shift
from ntkd_lib.distill.training import withhold as withhold
