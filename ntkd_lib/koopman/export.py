"""Export: PCA, dictionary and W in one file, and predictions from it without torch or this library."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ntkd_lib.imports import extra
from ntkd_lib.koopman.classifier import KoopmanClassifier
from ntkd_lib.koopman.dictionaries import Monomials, RadialFunctions


def exported(model: KoopmanClassifier) -> dict[str, np.ndarray]:
    """Collect the arrays that predictions of a fitted classifier need, by name.

    The scores are ``inputs @ directions - offset``. With ``exponents``, function j is the product of the
    scores to the powers of row j; with ``centres``, a constant and Gaussians of ``width``. ``weights`` lead
    to one logit for each of ``classes``, which hold no Python objects.
    """
    inputs, classes = model.input_map_, model.classes_
    arrays = {
        "directions": inputs.directions / inputs.scale,
        "offset": inputs.mean @ inputs.directions / inputs.scale,
        "weights": model.coef_,
        "classes": np.array(classes.tolist()) if classes.dtype.hasobject else classes,
    }
    dictionary = model.dictionary_
    if isinstance(dictionary, Monomials):
        return arrays | {"exponents": dictionary.exponents().astype(np.int8)}
    assert isinstance(dictionary, RadialFunctions)
    return arrays | {"centres": dictionary.centres.double().numpy(), "width": np.array(dictionary.width)}


def save_npz(model: KoopmanClassifier, path: Path) -> None:
    """Write a fitted classifier as a ``.npz``."""
    np.savez_compressed(path, **exported(model))


def npz_logits(
    arrays: Mapping[str, np.ndarray], inputs: Float[np.ndarray, "n p"]
) -> Float[np.ndarray, "n c"]:
    """Compute logits with NumPy alone, monomial by monomial as defined, from the arrays of ``exported``."""
    scores = inputs @ arrays["directions"] - arrays["offset"]
    if "exponents" in arrays:
        functions = np.prod(scores[:, None, :] ** arrays["exponents"], axis=2)
    else:
        squares = ((scores[:, None, :] - arrays["centres"]) ** 2).sum(2)
        functions = np.exp(-squares / (2 * arrays["width"] ** 2))
        functions = np.hstack([np.ones((len(inputs), 1)), functions])
    return functions @ arrays["weights"].T


def to_onnx(model: KoopmanClassifier) -> bytes:
    """Write a fitted classifier with monomials as an ONNX model in float32, inputs ``x`` to ``logits``.

    Two matrix products around one lift: ``d`` scores, padded by a constant 1, are gathered q at a time, and
    the q factors of each monomial multiplied. No operator beyond MatMul, Sub, Pad, Gather and ReduceProd.

    Raises:
        ValueError: Another dictionary.
    """
    with extra("koopman"):
        import onnx

    arrays = exported(model)
    if "exponents" not in arrays:
        raise ValueError(f"to_onnx: dictionary = {model.dictionary!r}; allowed: monomials, orthogonal")
    constants = {
        "directions": arrays["directions"].astype(np.float32),
        "offset": arrays["offset"].astype(np.float32),
        "weights": arrays["weights"].T.astype(np.float32),
        "factors": _factors(arrays["exponents"], model.degree),
        "pads": np.array([0, 0, 0, 1], np.int64),
        "unit": np.array(1, np.float32),
        "last": np.array([2], np.int64),
    }
    make = onnx.helper
    size = make.make_tensor_value_info
    graph = make.make_graph(
        _nodes(make),
        "koopman",
        [size("x", onnx.TensorProto.FLOAT, ["n", len(arrays["directions"])])],
        [size("logits", onnx.TensorProto.FLOAT, ["n", len(arrays["classes"])])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def _factors(exponents: np.ndarray, degree: int) -> np.ndarray:
    """List for each monomial which of ``(p_0, ..., p_{d-1}, 1)`` are its q factors."""
    d = exponents.shape[1]
    table = np.full((len(exponents), degree), d, np.int64)
    for row, powers in zip(table, exponents, strict=True):
        chosen = np.repeat(np.arange(d), powers)
        row[: len(chosen)] = chosen
    return table


def _nodes(make: object) -> list[object]:
    node = make.make_node
    return [
        node("MatMul", ["x", "directions"], ["projected"]),
        node("Sub", ["projected", "offset"], ["scores"]),
        node("Pad", ["scores", "pads", "unit"], ["padded"]),
        node("Gather", ["padded", "factors"], ["gathered"], axis=1),
        node("ReduceProd", ["gathered", "last"], ["functions"], keepdims=0),
        node("MatMul", ["functions", "weights"], ["logits"]),
    ]
