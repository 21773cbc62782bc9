"""Which affine map is nearest to given values at points, in the largest difference? A Chebyshev fit, output by output.

A linear program in k + 1 coefficients and the error [Cheney1966]. Its constraints are grown: those of the points where
the last fit is worst join, until no point is worse than the program says. What it finds is float64 and claims nothing:
`Ground.deviation` says what the map is worth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reluatlas.errors import InternalError
from reluatlas.geometry.programs.highs import Program
from reluatlas.typing import FloatArray, IntArray

_AT_ONCE = 24  # points whose constraints make a program that is as fast as a smaller one
_ENOUGH = 1e-9  # of the values' range: what HiGHS leaves of a constraint


class Fit(NamedTuple):
    """The nearest affine maps: slope (m, k), constant (m,), the largest error, nearly, and points that hold it up."""

    slope: FloatArray
    constant: FloatArray
    error: float
    support: IntArray  # positions of points


class OutputFit(NamedTuple):
    """The nearest affine function of one output."""

    slope: FloatArray
    constant: float
    error: float
    support: IntArray


def fit(points: FloatArray, values: FloatArray, start: IntArray, cutoff: float = np.inf) -> Fit | None:
    """Return the affine maps nearest to values at points; None once an error is surely above a cutoff.

    Parameters
    ----------
    points : ndarray, shape (q, k)
    values : ndarray, shape (q, m)
    start : ndarray of int
        Positions of points whose constraints are likely to count.
    cutoff : float
    """
    found = []
    for output in range(values.shape[1]):
        one = fit_output(points, values[:, output], start, cutoff)
        if one is None:
            return None
        found.append(one)
    return Fit(
        np.stack([f.slope for f in found]), np.array([f.constant for f in found]), max(f.error for f in found),
        np.unique(np.concatenate([f.support for f in found])),
    )  # fmt: skip


def fit_output(points: FloatArray, values: FloatArray, start: IntArray, cutoff: float = np.inf) -> OutputFit | None:
    """Return the affine function nearest to values (q,) at points; None once its error is surely above a cutoff."""
    q, k = points.shape
    low, high = points.min(axis=0), points.max(axis=0)
    center, half = low / 2 + high / 2, high / 2 - low / 2
    half[half == 0] = 1.0
    X = (points - center) / half
    middle, scale = values.min() / 2 + values.max() / 2, values.max() / 2 - values.min() / 2
    if scale == 0:
        return OutputFit(np.zeros(k), float(middle), 0.0, np.arange(0))
    y = (values - middle) / scale
    active = np.arange(q) if q <= _AT_ONCE else _first_points(X, y, start)
    while True:
        w, error, multipliers = _program(X[active], y[active])
        left = y - X @ w[:-1] - w[-1]
        if error * scale > cutoff * (1 + _ENOUGH) + _ENOUGH * scale:
            return None
        worst = np.unique([int(left.argmin()), int(left.argmax())])
        fresh = np.setdiff1d(worst[np.abs(left[worst]) > error + _ENOUGH], active)
        if not fresh.size:
            break
        active = np.concatenate([active, fresh])
    slope = w[:-1] * scale / half
    constant = middle + w[-1] * scale - slope @ center
    return OutputFit(slope, float(constant), float(np.abs(left).max() * scale), active[multipliers > 0])


def _first_points(X: FloatArray, y: FloatArray, start: IntArray) -> IntArray:
    """Return points to begin with: the given ones, and those that are extreme in a coordinate or in value."""
    columns = np.column_stack([X, y])
    return np.unique(np.concatenate([start, columns.argmin(axis=0), columns.argmax(axis=0)])).astype(np.int64)


def _program(X: FloatArray, y: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """Return coefficients and constant (k + 1,), the largest error, and the multiplier of each point."""
    q, k = X.shape
    one = np.ones((q, 1))
    G = np.block([[X, one, -one], [-X, -one, -one]])
    free = np.full(k + 1, np.inf)
    program = Program(G, np.concatenate([y, -y]), np.append(-free, 0.0), np.append(free, np.inf))
    found = program.maximize(np.append(np.zeros(k + 1), -1.0))
    if found.status != "optimal":
        raise InternalError(
            f"a Chebyshev fit of {q} points came out {found.status}. Please report it with the network."
        )
    return found.point[:-1], float(found.point[-1]), found.multipliers[:q] + found.multipliers[q:]
