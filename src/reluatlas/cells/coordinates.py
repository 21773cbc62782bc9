"""Which coordinates of a domain do points have? Those of a slice may also be given as inputs on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.domain import Domain, Slice, Space
from reluatlas.errors import DimensionError, DomainError, NonFiniteError
from reluatlas.reach import require_reach
from reluatlas.typing import FloatArray

_ON_SLICE = 1e-9  # of the size of the numbers: what rounding, also in float32 images, may take a point off its slice


def coordinates_of(domain: Domain, X: ArrayLike, name: str = "X") -> FloatArray:
    """Return the coordinates (N, k) of points of a domain.

    Parameters
    ----------
    X : array_like, shape (N, k), or for a slice (N, n) or (N, *input_shape)
        Coordinates, or inputs on the slice: these are taken to the float64 coordinates nearest to them, and to the
        slice's boundary where rounding put them beyond it.
    name : str
        What the caller calls them, for messages.

    Raises
    ------
    DimensionError, NonFiniteError, DomainError
        When they have other shapes, are not finite, farther out than 2**500, off the slice, or outside of the domain.
    """
    rows = _rows(domain, X, name)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise NonFiniteError(f"`{name}` holds NaN or an infinite number{_which(rows, ~finite)}. Pass finite points.")
    require_reach(rows, f"`{name}`")
    if isinstance(domain, Space):
        return rows
    low, high = domain.box.low, domain.box.high
    u = rows
    if isinstance(domain, Slice) and rows.shape[1] != domain.dim:
        u, slack = _projected(domain, rows, name)
        inside = np.clip(u, low, high)
        near = np.abs((u - inside) @ domain.basis).max(axis=1) <= slack
        u = np.where(near[:, None], inside, u)
    outside = np.logical_or(u < low, u > high)
    if outside.any():
        i, j = (int(v[0]) for v in np.nonzero(outside))
        raise DomainError(
            f"`{name}` is outside of the domain{_which(u, np.any(outside, axis=1))}: coordinate {j} is {u[i, j]:g}, "
            f"expected {low[j]:g} to {high[j]:g}. Pass points of the domain."
        )
    return u


def _rows(domain: Domain, X: ArrayLike, name: str) -> FloatArray:
    """Return points as float64 rows of k or n numbers."""
    try:
        array = np.array(X, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DimensionError(f"`{name}` is not an array of numbers. Pass the points' coordinates.") from None
    k, n = domain.dim, domain.n_inputs
    if array.ndim and not len(array):
        return np.zeros((0, k))
    rows = array.reshape(len(array), -1) if array.ndim else np.zeros((1, 0))
    if rows.shape[1] not in (k, n) or (rows.shape[1] != k and not isinstance(domain, Slice)):
        more = f", or of {n} inputs" if n != k else ""
        raise DimensionError(
            f"`{name}` has shape {array.shape}, points of {rows.shape[1]} numbers; expected (N, {k}), points of the "
            f"{k} coordinates of the domain{more}. Pass one row per point."
        )
    return rows


def _projected(domain: Slice, rows: FloatArray, name: str) -> tuple[FloatArray, FloatArray]:
    """Return the coordinates of inputs on a slice, and how far each may be from it."""
    u = domain.coordinates(rows)
    size = np.maximum(np.abs(rows).max(axis=1), np.abs(domain.origin).max())
    slack = _ON_SLICE * np.maximum(size, (np.abs(u) @ np.abs(domain.basis)).max(axis=1))
    off = np.abs(domain.embed(u) - rows).max(axis=1)
    away = ~(off <= slack)
    if away.any():
        i = int(away.argmax())
        raise DomainError(
            f"`{name}` is {off[i]:.2g} away from the slice{_which(rows, away)}. Pass points of it, or their "
            f"{domain.dim} coordinates."
        )
    return u, slack


def _which(rows: FloatArray, bad: Any) -> str:
    return f" at point {int(bad.argmax())}" if len(rows) > 1 else ""
