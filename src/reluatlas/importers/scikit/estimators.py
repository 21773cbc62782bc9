"""How does a fitted scikit-learn model become a network? Affine steps, then dense layers, then the targets' scale."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, UnsupportedLayerError
from reluatlas.importers.arrays import Layer, add_layers, checked_layers, forward
from reluatlas.importers.check import ModelRuns
from reluatlas.importers.finish import Imported, begin
from reluatlas.importers.lowering.tensors import Lowering, Tensor, drop_final, matmul
from reluatlas.importers.lowering.weights import FloatArray
from reluatlas.importers.scikit.steps import is_identity, lower_inverse, lower_step

_ACTIVATIONS = ("relu", "identity")
_FINAL = ("identity", "softmax", "logistic")
_LINEAR = frozenset({
    "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso",
    "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearDiscriminantAnalysis", "LinearRegression",
    "LinearSVC", "LinearSVR", "LogisticRegression", "LogisticRegressionCV", "OrthogonalMatchingPursuit", "Perceptron",
    "QuantileRegressor", "Ridge", "RidgeCV", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "SGDRegressor",
    "TheilSenRegressor",
})  # fmt: skip
_WAYS = {
    "CalibratedClassifierCV": "It calibrates by a function that is not piecewise linear: pass the classifier inside.",
    "BaggingClassifier": "Pass one of its `estimators_`.",
    "BaggingRegressor": "Pass one of its `estimators_`.",
    "OneVsRestClassifier": "Pass one of its `estimators_`.",
    "MultiOutputRegressor": "Pass one of its `estimators_`.",
    "MultiOutputClassifier": "Pass one of its `estimators_`.",
}


@dataclass(frozen=True)
class Chain:
    """A model out of its wrappers: steps for the inputs, an estimator, and scalers that its targets were given by."""

    steps: tuple[tuple[str, Any], ...]
    estimator: Any
    targets: tuple[Any, ...] = ()


def from_scikit(model: Any, *, mean: Any = None, std: Any = None) -> Imported:
    """Return the network of a fitted `MLPClassifier` or `MLPRegressor` with ReLU (or identity), or of a linear model.

    They may be the last step of a `Pipeline` of affine steps, be chosen by a search (`best_estimator_`), and their
    targets may be scaled (`TransformedTargetRegressor`). A classifier's final softmax or logistic function is
    left out, with a note: the outputs are its arguments.

    Raises
    ------
    ArgumentError
        When the estimator is of another kind, or not fitted.
    UnsupportedLayerError
        When its activation, or a step, is not piecewise linear.
    """
    chain = _chain(model)
    inner = chain.estimator
    body = _perceptron(inner) if hasattr(inner, "out_activation_") else _linear(inner)
    n_inputs = int(getattr(model, "n_features_in_", body.pairs[0][0].shape[1]))
    low, x, norm = begin((n_inputs,), has_batch=False, mean=mean, std=std)
    for name, step in chain.steps:
        low.name, low.operator = name, type(step).__name__
        x = lower_step(low, x, step)
        low.checkpoint(name, x)
    output = _layers(low, x, body)
    for step in chain.targets:
        low.name, low.operator = "targets", type(step).__name__
        output = lower_inverse(low, output, step)
    low.operator = "output"
    low.checkpoint("output", output)
    if body.final != "identity":
        low.name, low.operator = "output", body.final
        output = drop_final(low, output)

    wide = [(name, _in_float64(step)) for name, step in chain.steps]
    wide_targets = [_in_float64(step) for step in chain.targets]

    def exact(z: FloatArray) -> dict[str, NDArray]:
        out, h = _through(wide, z)
        hidden = dict(forward(body.pairs, np.asarray(h, dtype=np.float64))) if body.has_relu else {}
        return {**out, **hidden, "output": _back(wide_targets, body.run(np.dtype(np.float64))(h))}

    def at_precision(z: FloatArray) -> dict[str, NDArray]:
        _, h = _through(chain.steps, z.astype(body.precision))
        return {"output": _back(chain.targets, body.run(body.precision)(h.astype(body.precision)))}

    runs = ModelRuns(exact, at_precision, None, float(np.finfo(body.precision).eps), body.precision)
    return Imported(low, output, runs, norm, type(model).__name__, _class_names(inner))


def _chain(model: Any) -> Chain:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline

    if isinstance(model, BaseSearchCV):
        return _chain(_fitted(model, "best_estimator_", "with refit=True"))
    if isinstance(model, TransformedTargetRegressor):
        inner = _chain(_fitted(model, "regressor_"))
        return Chain(inner.steps, inner.estimator, (*inner.targets, _fitted(model, "transformer_")))
    if isinstance(model, Pipeline):
        *before, (_, last) = model.steps
        steps: list[tuple[str, Any]] = []
        for name, step in before:
            more = _flat(name, step) if isinstance(step, Pipeline) else [(f"step {name}", step)]
            steps += [(label, one) for label, one in more if not is_identity(one)]
        if is_identity(last):
            raise ArgumentError("`model` is a `Pipeline` without an estimator at its end; expected an MLP there.")
        inner = _chain(last)
        return Chain((*steps, *inner.steps), inner.estimator, inner.targets)
    return Chain((), model)


def _flat(name: str, pipeline: Any) -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for inner, step in pipeline.steps:
        is_pipeline = type(step) is type(pipeline)
        out += _flat(f"{name} {inner}", step) if is_pipeline else [(f"step {name} {inner}", step)]
    return out


def _fitted(model: Any, attribute: str, how: str = "") -> Any:
    if not hasattr(model, attribute):
        raise ArgumentError(
            f"`model` is a `{type(model).__name__}` that has no `{attribute}`: it is not fitted. "
            f"Call its `fit` first{', ' + how if how else ''}."
        )
    return getattr(model, attribute)


@dataclass(frozen=True)
class _Body:
    """The layers of an estimator, what its outputs go through, and how to run it in a precision without that."""

    pairs: Sequence[Layer]
    has_relu: bool
    final: str
    precision: np.dtype
    run: Callable[[np.dtype], Callable[[NDArray], NDArray]]


def _perceptron(model: Any) -> _Body:
    kind = type(model).__name__
    if not hasattr(model, "coefs_"):
        raise ArgumentError(f"`model` is an `{kind}` that is not fitted. Call its `fit` first.")
    if model.activation not in _ACTIVATIONS:
        raise UnsupportedLayerError(
            f"the hidden layers of `{kind}` use activation '{model.activation}', which is not piecewise linear; "
            "expected 'relu' or 'identity'."
        )
    if model.out_activation_ not in _FINAL:
        raise UnsupportedLayerError(
            f"the last layer of `{kind}` uses '{model.out_activation_}'; expected one of {', '.join(_FINAL)}."
        )
    pairs = checked_layers([(np.asarray(w).T, b) for w, b in zip(model.coefs_, model.intercepts_, strict=True)])
    precision = np.result_type(*[np.asarray(w).dtype for w in model.coefs_])

    def run(dtype: np.dtype) -> Callable[[NDArray], NDArray]:
        twin = _recast(model, dtype)
        twin.out_activation_ = "identity"  # a saturated softmax would hide differences
        return lambda z: _predict(twin, z)

    return _Body(pairs, model.activation == "relu", model.out_activation_, precision, run)


def _linear(model: Any) -> _Body:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = type(model).__name__
    is_linear = kind in _LINEAR and type(model).__module__.startswith("sklearn.")
    if not is_linear and not isinstance(model, MLPClassifier | MLPRegressor):
        way = _WAYS.get(kind, "")
        raise ArgumentError(
            f"`model` is a scikit-learn `{kind}`; expected an `MLPClassifier` or `MLPRegressor`, a linear model, or a "
            f"pipeline or search that ends in one. {way}".strip()
        )
    fitted: Any = model  # what fitting adds has no types
    if not hasattr(model, "coef_"):
        raise ArgumentError(f"`model` is a `{kind}` that is not fitted. Call its `fit` first.")
    if hasattr(model, "sparsify") and hasattr(fitted.coef_, "toarray"):
        raise ArgumentError(f"`model` is a `{kind}` with sparse weights. Call its `densify` first.")
    weight = np.atleast_2d(np.asarray(fitted.coef_))
    bias = np.broadcast_to(np.asarray(fitted.intercept_, dtype=np.float64).reshape(-1), weight.shape[:1])

    def run(dtype: np.dtype) -> Callable[[NDArray], NDArray]:
        decide = getattr(fitted, "decision_function", None) or fitted.predict
        return lambda z: _quietly(decide, z.astype(dtype))

    return _Body(checked_layers([(weight, bias)]), False, "identity", np.dtype(np.float64), run)


def _layers(low: Lowering, x: Tensor, body: _Body) -> Tensor:
    if body.has_relu:
        return add_layers(low, x, body.pairs)
    for i, (weight, bias) in enumerate(body.pairs):
        low.name, low.operator = f"layer {i}", "dense"
        x = matmul(low, x, weight.T, constant="right", bias=bias)
        low.checkpoint(low.name, x)
    return x


def _through(steps: Sequence[tuple[str, Any]], z: NDArray) -> tuple[dict[str, NDArray], NDArray]:
    """Return what each step makes of points, and what comes out."""
    out: dict[str, NDArray] = {}
    for name, step in steps:
        out[name] = z = _quietly(step.transform, z)
    return out, z


def _back(targets: Sequence[Any], y: NDArray) -> NDArray:
    for step in targets:
        y = _quietly(step.inverse_transform, y.reshape(len(y), -1))
    return y


def _class_names(model: Any) -> tuple[str, ...]:
    """Return what a classifier calls its classes; nothing where each label has an output of its own."""
    classes = getattr(model, "classes_", None)
    binarizer = getattr(model, "_label_binarizer", None)
    if classes is None or (binarizer is not None and binarizer.y_type_ not in ("binary", "multiclass")):
        return ()
    return tuple(str(name) for name in classes)


def _recast(model: Any, dtype: np.dtype) -> Any:
    # a copy without what only training needs (an optimizer holds copies of all weights)
    twin = copy.copy(model)
    twin.coefs_ = [np.asarray(w).astype(dtype) for w in model.coefs_]
    twin.intercepts_ = [np.asarray(b).astype(dtype) for b in model.intercepts_]
    return twin


def _in_float64(step: Any) -> Any:
    """Return a copy of a step whose numbers are in float64, so that it rounds nothing to less."""
    if hasattr(step, "steps"):
        twin = copy.copy(step)
        twin.steps = [(name, _in_float64(part)) for name, part in step.steps]
        return twin
    if not hasattr(step, "__dict__"):
        return step
    twin = copy.copy(step)
    for name, value in vars(step).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            setattr(twin, name, value.astype(np.float64))
    return twin


def _predict(model: Any, z: NDArray) -> NDArray:
    out = _quietly(getattr(model, "predict_proba", None) or model.predict, z)
    if hasattr(model, "predict_proba") and model.n_outputs_ == 1:
        return out[:, 1:]  # scikit-learn puts 1 - p in front
    return out


def _quietly(run: Callable[[NDArray], Any], z: NDArray) -> NDArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of columns, which the points of a check do not have
        return np.asarray(run(z))
