"""How does a scikit-learn MLP become a network? As dense layers."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, UnsupportedLayerError
from reluatlas.importers.arrays import add_layers, checked_layers, forward
from reluatlas.importers.check import ModelRuns
from reluatlas.importers.finish import Imported, begin
from reluatlas.importers.lowering import drop_final, matmul
from reluatlas.importers.weights import FloatArray

_ACTIVATIONS = ("relu", "identity")
_FINAL = ("identity", "softmax", "logistic")


def from_scikit(model: Any, *, mean: Any = None, std: Any = None) -> Imported:
    """Return the network of a fitted `MLPClassifier` or `MLPRegressor` with ReLU (or identity).

    A classifier's final softmax or logistic function is left out, with a note: the outputs are
    its arguments.

    Raises
    ------
    ArgumentError
        When the estimator is of another kind, or not fitted.
    UnsupportedLayerError
        When its activation is not piecewise linear.
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = type(model).__name__
    if not isinstance(model, MLPClassifier | MLPRegressor):
        raise ArgumentError(f"`model` is a scikit-learn `{kind}`; expected an `MLPClassifier` or `MLPRegressor`.")
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
    low, x, norm = begin((pairs[0][0].shape[1],), has_batch=False, mean=mean, std=std)
    if model.activation == "relu":
        output = add_layers(low, x, pairs)
    else:
        output = x
        for i, (weight, bias) in enumerate(pairs):
            low.name, low.operator = f"layer {i}", "dense"
            output = matmul(low, output, weight.T, constant="right", bias=bias)
            low.checkpoint(low.name, output)
    low.operator = "output"
    low.checkpoint("output", output)
    if model.out_activation_ != "identity":
        low.name, low.operator = "output", model.out_activation_
        output = drop_final(low, output)

    precision = np.result_type(*[np.asarray(w).dtype for w in model.coefs_])
    double = _recast(model, np.dtype(np.float64))
    double.out_activation_ = "identity"  # a saturated softmax would hide differences
    native = _recast(model, precision)
    native.out_activation_ = "identity"

    def exact(z: FloatArray) -> dict[str, NDArray]:
        hidden = dict(forward(pairs, z)) if model.activation == "relu" else {}
        return {**hidden, "output": _predict(double, z)}

    def at_precision(z: FloatArray) -> dict[str, NDArray]:
        return {"output": _predict(native, z.astype(precision))}

    runs = ModelRuns(exact, at_precision, None, float(np.finfo(precision).eps), np.dtype(precision))
    return Imported(low, output, runs, norm, kind, _class_names(model))


def _class_names(model: Any) -> tuple[str, ...]:
    """Return what a classifier calls its classes; nothing where each label has an output of its own."""
    classes = getattr(model, "classes_", None)
    if (
        classes is None
        or getattr(model, "_label_binarizer", None) is None
        or model._label_binarizer.y_type_
        not in (
            "binary",
            "multiclass",
        )
    ):
        return ()
    return tuple(str(name) for name in classes)


def _recast(model: Any, dtype: np.dtype) -> Any:
    # a copy without what only training needs (an optimizer holds copies of all weights)
    twin = copy.copy(model)
    twin.coefs_ = [np.asarray(w).astype(dtype) for w in model.coefs_]
    twin.intercepts_ = [np.asarray(b).astype(dtype) for b in model.intercepts_]
    return twin


def _predict(model: Any, z: NDArray) -> NDArray:
    run: Callable[[NDArray], NDArray] = getattr(model, "predict_proba", None) or model.predict
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of columns, which the points of a check do not have
        out = np.asarray(run(z))
    if hasattr(model, "predict_proba") and model.n_outputs_ == 1:
        return out[:, 1:]  # scikit-learn puts 1 - p in front
    return out
