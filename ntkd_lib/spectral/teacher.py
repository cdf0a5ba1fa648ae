"""Outputs of teachers, with columns checked to follow the classes."""

from typing import Any

import numpy as np
from jaxtyping import Float

_LEAST = 1e-6  # smallest probability of a teacher whose logarithm is imitated


def teacher_values(teacher: Any, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Predict one number per input by a fitted predictor.

    Raises:
        ValueError: Another number of values, or some that are not finite.
    """
    values = np.asarray(teacher.predict(x), dtype=np.float64)
    if values.size != len(x):
        raise ValueError(
            f"teacher: predict gave shape {values.shape} for {len(x)} samples, needs one number each"
        )
    return _finite(values.reshape(len(x)), "predict")


def teacher_logits(
    teacher: Any, x: Float[np.ndarray, "n d"], labels: np.ndarray
) -> tuple[Float[np.ndarray, "n c"], np.ndarray]:
    """Compute a classifier's ``decision_function``, or the logarithm of its ``predict_proba``, less its mean.

    The columns are matched with ``classes_`` by what the teacher predicts: of the inputs that it puts into a
    class, most must have their largest output in the column of this class.

    Args:
        labels: Classes that occur, sorted.

    Returns:
        One column per class, and the classes, sorted.

    Raises:
        ValueError: Another number of columns than classes, columns of something else (such as pairs of
            classes), classes that the teacher does not know, several outputs, values that are not finite.
    """
    classes = getattr(teacher, "classes_", labels)
    if isinstance(classes, list) and any(np.ndim(part) for part in classes):
        raise ValueError(f"teacher: has {len(classes)} outputs with classes of their own, needs one")
    classes = np.asarray(classes)
    unknown = sorted(set(labels.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        raise ValueError(f"teacher: has no class {unknown[0]!r} of y; its classes are {classes.tolist()}")
    name = "decision_function" if hasattr(teacher, "decision_function") else "predict_proba"
    outputs = _columns(getattr(teacher, name)(x), name, len(x), len(classes))
    if hasattr(teacher, "predict"):
        _match(outputs, np.asarray(teacher.predict(x)), classes, name)
    order = np.argsort(classes, kind="stable")
    return (outputs - outputs.mean(axis=1, keepdims=True))[:, order], classes[order]


def _columns(outputs: Any, name: str, n: int, count: int) -> Float[np.ndarray, "n c"]:
    if isinstance(outputs, list) and np.ndim(outputs[0]) > 1:
        raise ValueError(f"teacher: {name} gave a list of {len(outputs)} arrays, needs one array")
    outputs = _finite(np.asarray(outputs, dtype=np.float64), name)
    if name == "decision_function" and count == 2 and outputs.size == n:
        outputs = outputs.reshape(n)
        outputs = np.stack([-outputs, outputs], axis=1) / 2
    if outputs.shape != (n, count):
        raise ValueError(f"teacher: {name} gave shape {outputs.shape}, needs {(n, count)}: column per class")
    if name == "decision_function":
        return outputs
    if outputs.min() < 0 or outputs.max() > 1 + _LEAST:
        raise ValueError(f"teacher: {name} gave {outputs.min():g} to {outputs.max():g}, needs 0 to 1")
    return np.log(np.maximum(outputs, _LEAST))


def _match(outputs: np.ndarray, predicted: np.ndarray, classes: np.ndarray, name: str) -> None:
    """Refuse columns that do not follow the order of the classes."""
    largest = outputs >= outputs.max(axis=1, keepdims=True)  # a tie counts for all of its columns
    for column, label in enumerate(classes):
        rows = largest[predicted == label, column]
        if len(rows) and 2 * rows.sum() <= len(rows):
            raise ValueError(
                f"teacher: {name} is largest in the column of class {label!s} for {rows.sum()} of the "
                f"{len(rows)} inputs that it predicts as {label!s}; needs a column per class in the order "
                "of classes_ (of an SVC: decision_function_shape='ovr')"
            )


def _finite(values: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise ValueError(f"teacher: {name} gave {count} values that are not finite, needs finite numbers")
    return values
