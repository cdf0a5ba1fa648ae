"""Scores of a trained network on the validation and the test cars."""

from torch import nn

from ntkd_lib.chapters.ntkd_segmentation.setting import Setting
from ntkd_lib.distill.mask_scores import boundary_scores, mean_iou
from ntkd_lib.distill.mask_training import predict_masks


def held_out_scores(model: nn.Module, setting: Setting, *, tested: bool = True) -> dict[str, float]:
    """Score a network on cars that it was not trained on: a trial on validation cars, else on the test cars.

    Args:
        model: Trained network.
        setting: Data of the cell.
        tested: Whether the test cars are read, once; not for trials of a search.

    Returns:
        ``validation``, or ``miou`` (test): mean IoU over car and background; with the latter ``boundary``,
        the mean boundary F-score of the test images within two pixels. All in percent.
    """
    if not tested:
        return {"validation": mean_iou(predict_masks(model, setting.held_out.images), setting.held_out.masks)}
    guesses = predict_masks(model, setting.test.images)
    return {
        "miou": mean_iou(guesses, setting.test.masks),
        "boundary": 100 * boundary_scores(guesses, setting.test.masks).mean().item(),
    }
