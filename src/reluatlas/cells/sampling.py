"""What does a random point of a cell look like? Hit-and-run walks, and a volume estimated by them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reluatlas.arithmetic.rationals import to_floats
from reluatlas.cells.record import CellRecord
from reluatlas.deadline import look
from reluatlas.errors import ArgumentError, DomainError
from reluatlas.geometry.halfspaces.system import FloatArray

_CHAINS = 64
_ROUNDING_UP_TO = 50
_GROUPS = 8


def sample(cell: CellRecord, is_bounded: Callable[[], bool], n: int, *, seed: int = 0) -> FloatArray:
    """Return points of a cell, approximately uniform: shape (n, k), in the domain's coordinates.

    Hit and run: from a point, a random direction, and a uniform point of the chord (R. L. Smith, 1984). The
    distribution tends to the uniform one with the number of steps; it is never exactly it, and in long thin cells of
    many dimensions it may still be far from it.

    Parameters
    ----------
    is_bounded : callable
        Says whether the cell is.
    n : int
    seed : int
        Equal seeds give equal points.

    Raises
    ------
    DomainError
        When the cell is unbounded: it has no uniform distribution.
    ArgumentError
        When `n` is no number of points.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise ArgumentError(f"`n={n!r}` must be a whole number of points.")
    if not is_bounded():
        raise DomainError("the cell is unbounded and has no uniform distribution. Pass `domain=` with a `Box`.")
    if n == 0:
        return np.zeros((0, cell.k))
    rng = np.random.default_rng(seed)
    A, b, start = _polytope(cell)
    chains = min(int(n), _CHAINS)
    points = np.repeat(start[None], chains, axis=0)
    points, shape = _rounded(A, b, points, rng)
    out = []
    for _ in range(-(-int(n) // chains)):
        points = _walk(A, b, points, rng, _steps(cell.k), shape)
        out.append(points)
    return np.concatenate(out)[:n]


def estimate_volume(cell: CellRecord, *, n_chains: int = 512, seed: int = 0) -> tuple[float, float]:
    """Return an estimate of the volume of a bounded cell, and its standard error.

    The cell is brought into a rounder shape, then cut by balls that grow by a factor 2 in volume; the share of each
    in the next is estimated by walks (M. Dyer, A. Frieze, R. Kannan, 1991). Groups of chains give the error.
    """
    rng = np.random.default_rng(seed)
    A, b, start = _polytope(cell)
    k = start.size
    _, shape = _rounded(A, b, np.repeat(start[None], n_chains, axis=0), rng)
    # coordinates y with x = start + shape y
    A, b = A @ shape, b - A @ start
    radius = float((b / np.linalg.norm(A, axis=1)).min()) * (1 - 1e-9)
    y = np.zeros((n_chains, k))
    log_ball = 0.5 * k * np.log(np.pi) - _log_gamma(0.5 * k + 1) + k * np.log(radius)
    logs = np.full(_GROUPS, log_ball)
    group = np.arange(n_chains) % _GROUPS
    outer = radius
    while True:
        grown = outer * 2.0 ** (1.0 / k)
        inside, tried = np.zeros(_GROUPS), np.zeros(_GROUPS)
        furthest = 0.0
        for _ in range(8):
            y = _walk(A, b, y, rng, _steps(k) // 4 + 1, None, grown)
            size = np.linalg.norm(y, axis=1)
            furthest = max(furthest, float(size.max()))
            inside += np.bincount(group[size <= outer], minlength=_GROUPS)
            tried += np.bincount(group, minlength=_GROUPS)
        logs -= np.log(inside / tried)
        if furthest <= outer:
            break
        outer = grown
    logs += float(np.linalg.slogdet(shape)[1]) + np.log(getattr(cell.domain, "unit_volume", 1.0))
    values = np.exp(logs)
    error = float(values.std(ddof=1) / np.sqrt(_GROUPS))
    return float(values.mean()), error


def _polytope(cell: CellRecord) -> tuple[FloatArray, FloatArray, FloatArray]:
    rows = cell.facets.rows
    A, b = cell.halfspaces.A[rows], cell.halfspaces.b[rows]
    inside = cell.inside if isinstance(cell.inside, np.ndarray) else to_floats(cell.inside)
    return A, b, cell.chart.from_inner(inside, cell.x)


def _steps(k: int) -> int:
    return 20 + 4 * k


def _rounded(
    A: FloatArray, b: FloatArray, points: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return points after some walking, and a matrix whose columns are about as long as the cell is along them."""
    k = points.shape[1]
    shape = np.eye(k)
    if k > _ROUNDING_UP_TO:
        return _walk(A, b, points, rng, _steps(k), shape), shape
    copies = np.concatenate([points] * max(1, -(-4 * k // points.shape[0])))
    for _ in range(4):
        seen = []
        for _ in range(4):
            copies = _walk(A, b, copies, rng, _steps(k), shape)
            seen.append(copies)
        spread = np.cov(np.concatenate(seen).T).reshape(k, k)
        spread += 1e-12 * np.trace(spread) / k * np.eye(k)
        shape = np.linalg.cholesky(spread)
    return copies[: points.shape[0]], shape


def _walk(
    A: FloatArray, b: FloatArray, points: FloatArray, rng: np.random.Generator, steps: int, shape: FloatArray | None,
    radius: float = float("inf"),
) -> FloatArray:  # fmt: skip
    """Return the points after so many steps of hit and run in `{x : A x <= b, |x| <= radius}`."""
    rest = b - points @ A.T
    for _ in range(steps):
        look()
        direction = rng.standard_normal(points.shape)
        if shape is not None:
            direction = direction @ shape.T
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        rate = direction @ A.T
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.maximum(rest, 0.0) / rate
        high = np.where(rate > 0, times, np.inf).min(axis=1)
        low = np.where(rate < 0, times, -np.inf).max(axis=1)
        if np.isfinite(radius):
            middle = -np.einsum("ij,ij->i", points, direction)
            half = np.sqrt(np.maximum(middle**2 - np.einsum("ij,ij->i", points, points) + radius**2, 0.0))
            low, high = np.maximum(low, middle - half), np.minimum(high, middle + half)
        step = low + rng.random(points.shape[0]) * np.maximum(high - low, 0.0)
        points = points + step[:, None] * direction
        rest = rest - step[:, None] * rate
    return points


def _log_gamma(x: float) -> float:
    from math import lgamma

    return lgamma(x)
