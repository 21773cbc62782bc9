"""Where do units cut intervals of a path? By a bound on every sign, exactly where that leaves it open."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.network import Breakpoints, FloatArray
from reluatlas.paths.intervals import END, START, Chunk, Found, nothing_found
from reluatlas.paths.rows import LOST, Rows

_OPEN = 2  # stands for a sign that is not known yet


def cut_units(chunk: Chunk, node: Breakpoints, z: Rows) -> tuple[NDArray, Found, NDArray]:
    """Return the pieces (n, units) where intervals begin, all cuts inside them, and which intervals were in doubt.

    A cut is inside an interval when the unit's row has opposite signs at its two ends; a row that is zero on all of it
    is off.
    """
    n, m = z.error.shape
    doubtful = np.zeros(n, dtype=bool)
    found = []
    low, high, loose = (side[:, 0] for side in chunk.span())
    piece = np.zeros((n, m), dtype=np.uint8 if node.knots.shape[1] < 256 else np.uint16)
    for k, knot in enumerate(np.ascontiguousarray(node.knots.T)):
        above, i, j, is_open = _looked_at(z, knot, low, high, loose)
        rising = ~above[i, j]
        keep = np.ones(i.size, dtype=bool)
        open_ = np.flatnonzero(is_open)
        if open_.size:
            at = i[open_], j[open_]
            signs = _settled(chunk, node, z, *at, knot[j[open_]])
            keep[open_] = signs[0] * signs[1] < 0
            above[at] = (signs[0] > 0) | ((signs[0] == 0) & (signs[1] > 0))
            rising[open_] = signs[0] < 0
            doubtful[at[0]] = True
        piece += above
        if keep.any():
            i, j, rising = i[keep], j[keep], rising[keep]
            value, slope, off = z.value[i, j] - knot[j], z.slope[i, j], z.error[i, j]
            t, radius = roots(value, slope, off, low[i], high[i], loose[i])
            found.append(Found(i, t, radius, j, j, np.full(i.size, k), k + rising.astype(np.int64)))
    if not found:
        return piece, nothing_found(), doubtful
    return piece, Found(*(np.concatenate(c) for c in zip(*found, strict=True))), doubtful


def _looked_at(
    z: Rows, knot: FloatArray, low: FloatArray, high: FloatArray, loose: FloatArray
) -> tuple[NDArray[np.bool_], NDArray, NDArray, NDArray[np.bool_]]:
    """Return where rows begin above their knots (n, units), and (interval, unit, is open) of all that may cut."""
    from reluatlas.paths.kernels import signs_at_ends

    above = np.empty(z.error.shape, dtype=np.bool_)
    room = 64 + 4 * low.size
    while True:
        interval, unit = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
        is_open = np.empty(room, dtype=np.bool_)
        n = signs_at_ends(z.both, z.error, knot, low, high, loose, above, interval, unit, is_open)
        if n <= room:
            return above, interval[:n], unit[:n], is_open[:n]
        room = n


def roots(
    value: FloatArray, slope: FloatArray, error: FloatArray, low: FloatArray, high: FloatArray, loose: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return where rows vanish that have opposite signs at the ends of their intervals, and bounds on the error."""
    steep = np.abs(slope) - error
    t = -value / slope
    radius = (error + np.abs(value) * 2.0**-51) / steep + np.abs(t) * 2.0**-51
    lost = ~((steep > 0) & np.isfinite(t) & np.isfinite(radius))
    t = np.where(lost, (low + high) / 2, np.clip(t, low, high))
    widest = np.abs(high - low) + 2 * loose
    return t, np.where(lost, widest, np.minimum(radius * (1 + 2.0**-40), widest))


def _settled(
    chunk: Chunk, node: Breakpoints, z: Rows, i: NDArray, j: NDArray, knot: FloatArray
) -> tuple[NDArray, NDArray]:
    """Return the signs at both ends of rows minus knots, all of them certain."""
    chunk.context.n_doubts += i.size
    low, high, loose = chunk.span()
    value, slope = z.value[i, j], z.slope[i, j]
    error = z.error[i, j] + (np.abs(value) + np.abs(slope) + np.abs(knot)) * loose[i, 0] + np.where(slope, LOST, 0.0)
    at_ends = [value - knot + end[i, 0] * slope for end in (low, high)]
    signs = [np.where(np.abs(v) > error, np.sign(v), _OPEN).astype(np.int64) for v in at_ends]
    exact = z.error[i, j] == 0
    here = np.sign(value - knot).astype(np.int64)  # a difference of two floats has the right sign
    for sign, end, other in zip(signs, (chunk.low, chunk.high), (START, END), strict=True):
        for p in np.flatnonzero((sign == _OPEN) & exact):
            if slope[p] == 0 or (other == START and end[i[p]] == START):
                sign[p] = here[p]
            elif other == END and end[i[p]] == END:
                total = sum(map(Fraction, (value[p], slope[p], -knot[p])))
                sign[p] = (total > 0) - (total < 0)
    left_open = np.flatnonzero((signs[0] == _OPEN) | (signs[1] == _OPEN))
    ends = np.flatnonzero(np.diff(i[left_open])) + 1
    for group in np.split(left_open, ends) if left_open.size else []:
        interval = int(i[group[0]])
        low, high = chunk.exact_ends(interval)
        lines = chunk.lines(interval).above(node.input, j[group].tolist(), knot[group].tolist())
        for p, line in zip(group, lines, strict=True):
            signs[0][p], signs[1][p] = line.sign_at(low), line.sign_at(high)
    return signs[0], signs[1]
