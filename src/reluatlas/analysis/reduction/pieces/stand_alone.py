"""How does a network become a model that needs no network? `stand_alone`, and `compare_outputs` for how near it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.analysis.reduction.pieces.sample import Change, sample_outputs
from reluatlas.errors import DimensionError

if TYPE_CHECKING:
    from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier, PiecewiseAffineRegressor

Estimator = TypeVar("Estimator", "PiecewiseAffineClassifier", "PiecewiseAffineRegressor")


def stand_alone(
    network: Callable[[NDArray], NDArray],
    X: ArrayLike,
    estimator: Estimator,
    *,
    copies: int = 4,
    change: Change | None = None,
    random_state: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Estimator:
    """Return the estimator, fitted to a network's outputs at points and at changed copies of them.

    Afterwards it needs no network: its `save` writes all there is to it. To fit several estimators, call
    `sample_outputs` once and their `fit_outputs`.

    Parameters
    ----------
    network : Network or callable
        Takes points (N, *shape) and returns outputs (N, m).
    X : array_like, shape (N, *shape)
        The estimator takes them as rows, (N, n).
    estimator : PiecewiseAffineClassifier or PiecewiseAffineRegressor
    copies, change, random_state, progress
        See `sample_outputs`.

    Guarantees
    ----------
    Nothing is promised about points that are unlike those of the sample, and the model is in general not continuous.
    Deterministic where the estimator's `random_state` is an int.
    """
    sample = sample_outputs(
        network,
        X,
        copies=copies,
        change=change,
        n_components=estimator.n_components,
        random_state=random_state,
        progress=progress,
    )
    return estimator.fit_outputs(sample)


@dataclass(frozen=True)
class OutputComparison:
    """How near a model's outputs are to a network's, at N points.

    Attributes
    ----------
    largest, mean : float
        Of the largest absolute difference of an output at each point, in output units.
    root_mean_square : float
        Of all differences, in output units.
    agreement : float
        Share of the points at which the largest output is the same one (one output: its sign).
    """

    largest: float
    mean: float
    root_mean_square: float
    agreement: float


def compare_outputs(values: ArrayLike, expected: ArrayLike) -> OutputComparison:
    """Return how near a model's values (N, m) are to a network's outputs (N, m)."""
    ours, theirs = np.asarray(values, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if ours.shape != theirs.shape or ours.ndim != 2 or ours.size == 0:
        raise DimensionError(f"`values` has shape {ours.shape} and `expected` {theirs.shape}; both must be (N, m).")
    difference = np.abs(ours - theirs)
    worst = difference.max(axis=1)
    single = ours.shape[1] == 1
    same = (ours > 0) == (theirs > 0) if single else ours.argmax(axis=1) == theirs.argmax(axis=1)
    return OutputComparison(
        largest=float(worst.max()),
        mean=float(worst.mean()),
        root_mean_square=float(np.sqrt((difference**2).mean())),
        agreement=float(same.mean()),
    )
