"""Which facets can be reached by projections? Points beyond one constraint each, all pushed at once towards the rest.

A point starts beyond its constraint and violates others. Over and over, the rows that it violates are set right
together (by the pseudo-inverse, which leaves the other rows as they are), and its coordinates are put back between
their bounds. Matrix products only; whether a point has arrived is checked by whoever asked, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reluatlas.geometry.halfspaces import FloatArray, System

_INSIDE = 1e-3  # how far inside of other constraints, as a share of the center's slack
_BEYOND = 0.05
_CHECK = 8
_FAR = 1e50


def reach_beyond(
    system: System, wanted: Sequence[int], take: Callable[[FloatArray], None], still: Callable[[int], bool], rounds: int
) -> None:
    """Offer points beyond the wanted constraints to `take`, until `still` is false for all or `rounds` are over."""
    g, k, center = system.g, system.k, system.center
    if g == 0:
        return
    slack, low, high = system.slacks(center)
    unit = system.G / system.norms[:, None]
    shift = system.h / system.norms
    room = np.maximum(slack / system.norms, 0.0)
    values, vectors = np.linalg.eigh(unit @ unit.T)
    large = values > 1e-8 * values.max(initial=0.0)
    inverse = (vectors[:, large] / values[large]) @ vectors[:, large].T
    back = inverse @ unit
    least = np.where(np.isfinite(low), system.lower, -np.inf) + np.where(np.isfinite(low), _INSIDE * low, 0.0)
    most = np.where(np.isfinite(high), system.upper, np.inf) - np.where(np.isfinite(high), _INSIDE * high, 0.0)
    target = np.array(wanted, dtype=np.int64)
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
