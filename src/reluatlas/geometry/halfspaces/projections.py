"""Which facets can be reached by projections? Points beyond one constraint each, all pushed at once towards the rest.

A point starts beyond its constraint and violates others. Over and over, the rows that it violates are set right
together (by the pseudo-inverse, which leaves the other rows as they are), and its coordinates are put back between
their bounds. Matrix products only, each of bounded size; whether a point has arrived is checked by whoever asked,
exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reluatlas.deadline import look
from reluatlas.geometry.halfspaces.system import FloatArray, System

_INSIDE = 1e-3  # how far inside of other constraints, as a share of the center's slack
_BEYOND = 0.05
_CHECK = 8
_FAR = 1e50
_SPECTRAL = 512  # rows up to which the pseudo-inverse comes from eigenvalues, in a fraction of a second
_RIDGE = 1e-10
_BLOCK = 512
_WORK = 2**31  # multiplications between two looks at the clock


def reach_beyond(
    system: System, wanted: Sequence[int], take: Callable[[FloatArray], None], still: Callable[[int], bool], rounds: int
) -> None:
    """Offer points beyond the wanted constraints to `take`, until `still` is false for all or `rounds` are over."""
    g, k = system.g, system.k
    if g == 0:
        return
    look()
    unit = system.G / system.norms[:, None]
    back = _pseudo_inverse(unit)
    step = max(1, _WORK // (2 * g * k))
    for start in range(0, len(wanted), step):
        _reach(system, np.array(wanted[start : start + step], dtype=np.int64), unit, back, take, still, rounds)


def _reach(
    system: System,
    target: np.ndarray,
    unit: FloatArray,
    back: FloatArray,
    take: Callable[[FloatArray], None],
    still: Callable[[int], bool],
    rounds: int,
) -> None:
    g, k, center = system.g, system.k, system.center
    slack, low, high = system.slacks(center)
    shift = system.h / system.norms
    room = np.maximum(slack / system.norms, 0.0)
    least = np.where(np.isfinite(low), system.lower, -np.inf) + np.where(np.isfinite(low), _INSIDE * low, 0.0)
    most = np.where(np.isfinite(high), system.upper, np.inf) - np.where(np.isfinite(high), _INSIDE * high, 0.0)
    is_row = target < g
    j, is_upper = (target - g) % k, target >= g + k
    points = np.repeat(center[None], target.size, axis=0)
    goal = np.zeros(target.size)
    goal[is_row] = shift[target[is_row]] + _BEYOND * room[target[is_row]]
    points[is_row] += (1 + _BEYOND) * room[target[is_row]][:, None] * unit[target[is_row]]
    up, down = ~is_row & is_upper, ~is_row & ~is_upper
    goal[up] = system.upper[j[up]] + _BEYOND * high[j[up]]
    goal[down] = system.lower[j[down]] - _BEYOND * low[j[down]]
    # a row whose hyperplane is beyond float64 is never in the way
    limit = np.where(np.isfinite(shift) & np.isfinite(room), shift - _INSIDE * room, np.inf)
    which = np.arange(target.size)
    for number in range(rounds + 1):
        look()
        bound = ~is_row[which]
        points = np.clip(points, least, most)
        points[np.flatnonzero(bound), j[which[bound]]] = goal[which[bound]]
        if number % _CHECK == 0 or number == rounds:
            take(points)
            kept = np.array([still(c) for c in target[which].tolist()], dtype=bool)
            kept &= (np.abs(points) < _FAR).all(axis=1)
            points, which = points[kept], which[kept]
            if which.size == 0:
                return
        value = points @ unit.T
        wrong = np.maximum(value - limit, 0.0)
        at = np.flatnonzero(is_row[which])
        row = target[which[at]]
        wrong[at, row] = np.minimum(value[at, row] - goal[which[at]], 0.0)
        points = points - 1.5 * (wrong @ back)


def _pseudo_inverse(unit: FloatArray) -> FloatArray:
    """Return (U U^T)^+ U for rows U of length 1; for many rows with a small ridge, by blocks of columns."""
    g = unit.shape[0]
    if g <= _SPECTRAL:
        values, vectors = np.linalg.eigh(unit @ unit.T)
        large = values > 1e-8 * values.max(initial=0.0)
        return ((vectors[:, large] / values[large]) @ vectors[:, large].T) @ unit
    from scipy.linalg import solve_triangular

    factor = np.zeros((g, g))
    starts = range(0, g, _BLOCK)
    for s in starts:
        here = slice(s, min(s + _BLOCK, g))
        look()
        column = unit[s:] @ unit[here].T
        for t in range(0, s, _BLOCK):
            look()
            before = slice(t, t + _BLOCK)
            column -= factor[s:, before] @ factor[here, before].T
        top = column[: here.stop - s]
        top[np.diag_indices(top.shape[0])] += _RIDGE * g
        factor[here, here] = np.linalg.cholesky(top)
        factor[here.stop :, here] = solve_triangular(factor[here, here], column[here.stop - s :].T, lower=True).T
    out = unit.copy()
    for s in starts:  # forward, then backward substitution
        here = slice(s, min(s + _BLOCK, g))
        out[here] = solve_triangular(factor[here, here], out[here], lower=True)
        for t in range(here.stop, g, _BLOCK):
            look()
            out[t : t + _BLOCK] -= factor[t : t + _BLOCK, here] @ out[here]
    for s in reversed(starts):
        here = slice(s, min(s + _BLOCK, g))
        out[here] = solve_triangular(factor[here, here], out[here], lower=True, trans=1)
        for t in range(0, s, _BLOCK):
            look()
            out[t : t + _BLOCK] -= factor[here, t : t + _BLOCK].T @ out[here]
    return out
