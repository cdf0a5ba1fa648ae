"""The estimators: scikit-learn's own checks, bases of one span, export, and imperfect hardware."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntkd_lib.koopman.classifier import KoopmanClassifier
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.edmd import EDMDSurrogate
from ntkd_lib.koopman.export import exported, npz_logits, save_npz, to_onnx
from ntkd_lib.koopman.hardware import function_scale, missing, noisy, quantise
from ntkd_lib.koopman.lifted import LiftedInputs

DIGITS, LABELS = load_digits(return_X_y=True)
TEACHER = 3 * np.eye(10)[LABELS] + np.random.default_rng(0).normal(size=(len(LABELS), 10))


@parametrize_with_checks(
    [
        KoopmanClassifier(n_components=3),
        KoopmanClassifier(n_components=3, loss="least_squares"),
        KoopmanClassifier(n_components=2, dictionary="orthogonal"),
        KoopmanClassifier(n_components=2, dictionary="rbf"),
        EDMDSurrogate(ridge=1e-6),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # some checks allow few steps
def test_scikit_learn_accepts_it(estimator, check) -> None:
    check(estimator)


def fitted(**settings: object) -> KoopmanClassifier:
    model = KoopmanClassifier(**{"n_components": 6, "ridge": 1e-3} | settings)
    teacher = TEACHER[:600] if settings.get("loss") in ("kd", "kd_only") else None
    return model.fit(DIGITS[:600], LABELS[:600], teacher)


@pytest.mark.parametrize("loss", ["ce", "kd", "kd_only", "least_squares"])
def test_every_loss_learns_digits(loss: str) -> None:
    assert fitted(loss=loss).score(DIGITS[600:], LABELS[600:]) > 0.8


def test_solutions_carry_their_certificate() -> None:
    optimum = fitted(loss="kd").optimum_
    assert optimum.gradient <= 1e-6
    with pytest.warns(ConvergenceWarning, match=r"^the gradient has fallen to .* in 1 steps, not to"):
        assert fitted(loss="ce", max_iter=1).n_iter_ == 1
    assert 0 <= optimum.gap < 1e-6


def test_least_squares_leaves_no_certificate_of_a_former_fit() -> None:
    model = fitted(loss="ce")
    model.set_params(loss="least_squares").fit(DIGITS[:300], LABELS[:300])
    assert not hasattr(model, "optimum_")


def test_both_polynomial_bases_predict_the_same_without_a_ridge() -> None:
    models = [
        fitted(loss="kd_only", dictionary=name, ridge=0.0, n_components=4, tolerance=1e-9)
        for name in ("monomials", "orthogonal")
    ]
    first, second = (model.decision_function(DIGITS[:50]) for model in models)
    np.testing.assert_allclose(first, second, atol=1e-3 * np.abs(first).max())


def test_the_ridge_of_the_orthogonal_basis_does_not_see_the_scale_of_functions() -> None:
    # all but the constant pixel columns are stretched alike, which leaves the span as it is
    plain = fitted(dictionary="orthogonal", n_components=3)
    longer = clone(plain).fit(5 * DIGITS[:600], LABELS[:600])
    np.testing.assert_allclose(
        plain.predict_proba(DIGITS[:50]), longer.predict_proba(5 * DIGITS[:50]), atol=1e-4
    )


@pytest.mark.parametrize("components", [3, 40])  # 40: more functions than inputs
def test_least_squares_has_its_ridge_on_orthonormal_functions(components: int) -> None:
    settings = {"dictionary": "orthogonal", "loss": "least_squares", "n_components": components}
    model = fitted(**settings, ridge=0.1)
    scores = torch.from_numpy(model.input_map_.scores(DIGITS[:600]))
    functions = model.dictionary_.lift(scores.double()).T.numpy()
    vectors, values, _ = np.linalg.svd(functions, full_matrices=False)
    orthonormal = 600**0.5 * vectors[:, values > 1e-9 * values[0]]
    ridge = Ridge(alpha=600 * 0.1, fit_intercept=False).fit(orthonormal, np.eye(10)[LABELS[:600]])
    np.testing.assert_allclose(model.decision_function(DIGITS[:600]), ridge.predict(orthonormal), atol=1e-6)


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"dictionary": "fourier"}, "'dictionary' parameter .*'monomials'.* Got 'fourier' instead"),
        ({"loss": "mse"}, "'loss' parameter .*'kd_only'.* Got 'mse' instead"),
        ({"alpha": 1.5}, r"'alpha' parameter .* range \[0.0, 1.0\]. Got 1.5 instead"),
        ({"temperature": 0}, "'temperature' parameter .* Got 0 instead"),
        ({"loss": "kd"}, "loss = 'kd' needs teacher_logits; give them to fit"),
    ],
)
def test_bad_settings_are_named(settings: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        KoopmanClassifier(**settings).fit(DIGITS[:50], LABELS[:50])


def test_a_teacher_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"teacher_logits of shape \(50, 9\); allowed: \(50, 10\)"):
        KoopmanClassifier(loss="kd").fit(DIGITS[:50], LABELS[:50], TEACHER[:50, :9])


@pytest.mark.parametrize("settings", [{}, {"degree": 3}, {"dictionary": "rbf"}])
def test_the_file_predicts_with_numpy_alone(tmp_path, settings) -> None:
    model = fitted(**settings)
    save_npz(model, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as arrays:
        logits = npz_logits(arrays, DIGITS[:40])
    np.testing.assert_allclose(logits, model.decision_function(DIGITS[:40]), atol=1e-9)


@pytest.mark.parametrize("kind", [object, "string"])
def test_the_file_holds_names_of_classes_without_objects(tmp_path, kind) -> None:
    names = pd.Series(np.where(LABELS < 5, "low", "high")[:200], dtype=kind)
    model = KoopmanClassifier(n_components=3).fit(DIGITS[:200], names)
    save_npz(model, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as arrays:
        places = npz_logits(arrays, DIGITS[:40]).argmax(1)
        assert arrays["classes"].tolist() == ["high", "low"]
        assert (arrays["classes"][places] == model.predict(DIGITS[:40])).all()


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_onnx_predicts_the_same(degree: int) -> None:
    runtime = pytest.importorskip("onnxruntime")
    model = fitted(degree=degree)
    session = runtime.InferenceSession(to_onnx(model), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": DIGITS[:40].astype(np.float32)})
    expected = model.decision_function(DIGITS[:40])
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())
    assert (logits.argmax(1) == expected.argmax(1)).all()


def test_onnx_has_no_radial_functions() -> None:
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="dictionary = 'rbf'; allowed: monomials, orthogonal"):
        to_onnx(fitted(dictionary="rbf"))


def test_export_names_all_that_is_needed() -> None:
    assert set(exported(fitted())) == {"directions", "offset", "weights", "classes", "exponents"}


def test_rounding_keeps_levels_and_halves_its_error_with_each_bit() -> None:
    weights = torch.randn(5, 200, generator=torch.Generator().manual_seed(0))
    errors = []
    for bits in (3, 5, 7):
        rounded = quantise(weights, bits)
        assert all(len(row.unique()) <= 2**bits - 1 for row in rounded)
        errors.append((rounded - weights).abs().max().item())
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    with pytest.raises(ValueError, match="bits = 1; allowed: at least 2"):
        quantise(weights, 1)


def test_faults_leave_the_constant_alone() -> None:
    block, generator = torch.ones(101, 50), torch.Generator().manual_seed(0)
    assert (noisy(block, 0.3, generator)[0] == 1).all()
    assert noisy(block, 0.3, generator)[1:].std() == pytest.approx(0.3, rel=0.05)
    dead = missing(block, 0.1, generator)
    assert (dead.sum(1) == 0).sum() == 10
    assert (dead[0] == 1).all()


def test_scale_is_the_root_mean_square() -> None:
    scores = torch.randn(5000, 3, generator=torch.Generator().manual_seed(0))
    lifted = LiftedInputs(Monomials(3, 2), scores)
    expected = Monomials(3, 2).lift(scores.double()).square().mean(1).sqrt()
    torch.testing.assert_close(function_scale(lifted), expected, rtol=1e-5, atol=1e-6)
