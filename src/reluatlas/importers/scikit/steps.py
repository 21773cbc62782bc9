"""What do the steps of a scikit-learn pipeline become? Scalers, projections and choices of columns are affine."""

from __future__ import annotations

from typing import Any

import numpy as np

from reluatlas.errors import ArgumentError, UnsupportedLayerError
from reluatlas.importers.lowering.tensors import Lowering, Tensor, clip, matmul, rearrange, scale_shift
from reluatlas.importers.lowering.weights import batch_norm, normalization

_KNOWN = (
    "StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, PCA, TruncatedSVD, a choice of columns, 'passthrough'"
)
_WHY_NOT = {
    "Normalizer": "it divides each row by its norm, which is not piecewise linear",
    "PolynomialFeatures": "it multiplies columns, which is not piecewise linear",
    "PowerTransformer": "it takes powers, which is not piecewise linear",
    "KBinsDiscretizer": "it rounds to bins, which is not continuous",
    "Binarizer": "it jumps at its threshold",
    "ColumnTransformer": "it treats columns apart; apply one step to all columns",
}


def is_identity(step: Any) -> bool:
    """Return whether a step of a pipeline does nothing."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return True
    functions = getattr(step, "func", None), getattr(step, "inverse_func", None)
    return type(step).__name__ == "FunctionTransformer" and functions == (None, None)


def lower_step(low: Lowering, x: Tensor, step: Any) -> Tensor:
    """Return what a fitted step makes of its input.

    Raises
    ------
    UnsupportedLayerError
        When it is not affine, or not known; says why.
    ArgumentError
        When it is not fitted.
    """
    from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
    from sklearn.feature_selection import SelectorMixin
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    if is_identity(step):
        return x
    known: Any = step  # what fitting adds has no types
    try:
        if isinstance(step, StandardScaler):
            return _normalized(
                low, x, known.mean_ if known.with_mean else None, known.scale_ if known.with_std else None
            )
        if isinstance(step, RobustScaler):
            center = known.center_ if known.with_centering else None
            return _normalized(low, x, center, known.scale_ if known.with_scaling else None)
        if isinstance(step, MaxAbsScaler):
            out = _normalized(low, x, None, known.scale_)
            return clip(low, out, -1.0, 1.0) if getattr(step, "clip", False) else out
        if isinstance(step, MinMaxScaler):
            out = scale_shift(low, x, known.scale_, known.min_)
            return clip(low, out, *map(float, known.feature_range)) if known.clip else out
        if isinstance(step, PCA | IncrementalPCA):
            return _projected(low, x, step)
        if isinstance(step, TruncatedSVD):
            return matmul(low, x, np.asarray(known.components_).T, constant="right")
        if isinstance(step, SelectorMixin):
            return rearrange(low, [x], np.asarray(known.get_support(indices=True), dtype=np.int64))
    except Exception as problem:
        raise _explained(step, problem) from None
    raise _refused(step)


def lower_inverse(low: Lowering, y: Tensor, step: Any) -> Tensor:
    """Return what the inverse of a fitted scaler of targets makes of its input; raises as `lower_step`."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    if is_identity(step):
        return y
    known: Any = step
    try:
        if isinstance(step, Pipeline):
            for _, part in reversed(known.steps):
                y = lower_inverse(low, y, part)
            return y
        if isinstance(step, StandardScaler):
            return scale_shift(low, y, known.scale_ if known.with_std else 1.0, known.mean_ if known.with_mean else 0.0)
        if isinstance(step, RobustScaler):
            scale = known.scale_ if known.with_scaling else 1.0
            return scale_shift(low, y, scale, known.center_ if known.with_centering else 0.0)
        if isinstance(step, MaxAbsScaler):
            return scale_shift(low, y, known.scale_)
        if isinstance(step, MinMaxScaler):
            return _normalized(low, y, known.min_, known.scale_)
    except Exception as problem:
        raise _explained(step, problem) from None
    raise UnsupportedLayerError(
        f"targets are transformed by `{type(step).__name__}`, whose inverse is not supported; expected StandardScaler, "
        "MinMaxScaler, MaxAbsScaler or RobustScaler."
    )


def _normalized(low: Lowering, x: Tensor, mean: Any, scale: Any) -> Tensor:
    factor, offset, rounded = normalization(mean, scale, x.shape)
    low.note_rounding(rounded, "1 / scale and -center / scale are rounded to float64")
    return scale_shift(low, x, factor, offset)


def _projected(low: Lowering, x: Tensor, step: Any) -> Tensor:
    if step.mean_ is not None:
        x = scale_shift(low, x, 1.0, -np.asarray(step.mean_))
    x = matmul(low, x, np.asarray(step.components_).T, constant="right")
    if not step.whiten:
        return x
    variance = np.maximum(np.asarray(step.explained_variance_, dtype=np.float64), np.finfo(np.float64).eps ** 2)
    ones, zeros = np.ones_like(variance), np.zeros_like(variance)
    factor, _, rounded = batch_norm(ones, zeros, zeros, variance, 0.0)
    low.note_rounding(rounded, "1 / sqrt(explained variance) is rounded to float64")
    return scale_shift(low, x, factor)


def _explained(step: Any, problem: Exception) -> Exception:
    from reluatlas.errors import ReluAtlasError

    if isinstance(problem, ReluAtlasError):
        return problem
    if isinstance(problem, AttributeError) or type(problem).__name__ == "NotFittedError":
        return ArgumentError(f"`model` has a step `{type(step).__name__}` that is not fitted. Call its `fit` first.")
    return ArgumentError(f"the step `{type(step).__name__}` of `model` cannot be read: {problem}.")


def _refused(step: Any) -> UnsupportedLayerError:
    kind = type(step).__name__
    if kind == "FunctionTransformer":
        why = "it calls a Python function of yours. Apply it to the data yourself"
    else:
        why = _WHY_NOT.get(kind, f"it is not known to be affine. Expected steps such as {_KNOWN}")
    return UnsupportedLayerError(f"the step `{kind}` of `model` is not supported: {why}.")
