"""Which facets can be seen from inside? Points just beyond the first constraint that a ray meets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.geometry.halfspaces.system import FloatArray, System

_CHUNK = 2**22


def beyond_bounds(system: System, wanted: Sequence[int]) -> Iterator[FloatArray]:
    """Yield points (T, k) a little beyond a bound along its coordinate, where no row comes first."""
    chosen = np.array([c for c in wanted if c >= system.g], dtype=np.int64)
    step = max(1, _CHUNK // max(1, system.g + 2 * system.k))
    for start in range(0, chosen.size, step):
        look()
        yield _beyond_some(system, chosen[start : start + step])


def _beyond_some(system: System, chosen: NDArray[np.int64]) -> FloatArray:
    g, k, center = system.g, system.k, system.center
    slack, low, high = system.slacks(center)
    j, is_upper = (chosen - g) % k, chosen >= g + k
    sign = np.where(is_upper, 1.0, -1.0)
    first = np.where(is_upper, high[j], low[j])
    rates = system.G.T[j] * sign[:, None]
    with np.errstate(all="ignore"):
        row = np.where(rates > 0, slack / rates, np.inf).min(axis=1, initial=np.inf)
    seen = np.flatnonzero(row > first)
    out = np.repeat(center[None], seen.size, axis=0)
    step = np.minimum(0.5 * (first[seen] + row[seen]), 2.0 * first[seen] + 1.0)
    out[np.arange(seen.size), j[seen]] += sign[seen] * step
    return out


def beyond_rows(system: System, wanted: Sequence[int]) -> Iterator[FloatArray]:
    """Yield points (T, k) a little beyond what rays along the normals of rows meet first."""
    rows = np.array([c for c in wanted if c < system.g], dtype=np.int64)
    step = max(1, _CHUNK // max(1, system.g + 2 * system.k))
    for start in range(0, rows.size, step):
        look()
        yield beyond_first(system, system.G[rows[start : start + step]])


def beyond_first(system: System, directions: FloatArray) -> FloatArray:
    """Return, for each ray from the center that meets a constraint alone, a point between the first and the second."""
    center = system.center
    slack, low, high = system.slacks(center)
    with np.errstate(all="ignore"):
        rates = directions @ system.G.T
        by_row = np.where(rates > 0, slack / rates, np.inf)
        by_bound = np.where(directions > 0, high / directions, np.where(directions < 0, -low / directions, np.inf))
    times = np.concatenate([by_row, by_bound], axis=1)
    if times.shape[1] == 1:
        times = np.concatenate([times, np.full((times.shape[0], 1), np.inf)], axis=1)
    two = np.partition(times, 1, axis=1)[:, :2]
    with np.errstate(all="ignore"):
        alone = np.isfinite(two[:, 0]) & (two[:, 1] > two[:, 0] * (1 + 1e-12))
    at = np.minimum(0.5 * (two[alone, 0] + two[alone, 1]), 2.0 * two[alone, 0])
    return center + at[:, None] * directions[alone]
