"""Which candidates can win windows, and what is known of the winners' values? `possible_winners` and `largest`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.record import Max
from reluatlas.stable.enclosure import ROUNDOFF, SLACK, TINY, Enclosure, down, known, up
from reluatlas.typing import FloatArray, IntArray

_ALL_PAIRS = 9
"""Of windows with more candidates, each is compared with the one that likely wins, not each with each."""
_AT_ONCE = 2**22  # numbers of one difference


class Winners(NamedTuple):
    """For each candidate of each window, one window after another: whether it can win on a cell, and is needed."""

    possible: NDArray[np.bool_]
    needed: NDArray[np.bool_]
    lead: IntArray
    """The candidate (counted within its window) of each window that others are compared with."""
    excess: FloatArray
    """How much larger than the lead each other can be; 0 for the lead."""


class _Group(NamedTuple):
    """Windows with as many candidates: where these stand in the list of all, and which entries they are."""

    places: IntArray
    entries: IntArray


def possible_winners(node: Max, z: Enclosure) -> Winners:
    """Return which candidates can win where entries are as enclosed.

    The winner on a cell is the lowest of those that are the largest on the whole cell. So a candidate never wins when a
    lower one is never smaller, or another is always larger; or never smaller, affine as this one, and not the same. The
    function needs less: what is never larger than one that is kept can go.
    """
    n = node.candidates.size
    possible, needed = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    lead, excess = np.zeros(node.n_windows, dtype=np.int64), np.zeros(n)
    sizes = np.diff(node.offsets)
    for size in np.unique(sizes):
        windows = np.flatnonzero(sizes == size)
        step = max(1, _AT_ONCE // z.terms.shape[0])
        for start in range(0, windows.size, step):
            chosen = windows[start : start + step]
            places = node.offsets[chosen][:, None] + np.arange(size)
            group = _Group(places, node.candidates[places])
            found = _compare(group, z)
            possible[places], needed[places], lead[chosen], excess[places] = found
    return Winners(possible, needed, lead, excess)


def given_winners(node: Max, winners: IntArray) -> Winners:
    """Return what is possible where all winners are known."""
    only = np.zeros(node.candidates.size, dtype=bool)
    only[node.offsets[:-1] + winners] = True
    return Winners(only, only, winners, np.zeros(node.candidates.size))


def _compare(group: _Group, z: Enclosure) -> tuple[NDArray[np.bool_], NDArray[np.bool_], IntArray, FloatArray]:
    n, size = group.entries.shape
    low, high = z.low[group.entries], z.high[group.entries]
    lead = np.argmax(z.terms[0][group.entries], axis=1)
    rows = np.arange(n)
    # by intervals: never smaller than, always larger than
    best = low.max(axis=1)
    least = np.full((n, size, size), -np.inf)
    if size <= _ALL_PAIRS:
        pairs = [(np.full(n, c), np.full(n, d)) for c in range(size) for d in range(c)]
    else:
        pairs = [(lead, np.full(n, d)) for d in range(size)]
    leaves = np.zeros((n, size, size), dtype=bool)
    for c, d in pairs:
        one, other = group.entries[rows, c], group.entries[rows, d]
        open_ = (high[rows, c] >= best) & (high[rows, d] >= best)
        low_gap, high_gap, differs = _difference(z, one[open_], other[open_])
        lower = down(low[rows, c] - high[rows, d])
        upper = up(high[rows, c] - low[rows, d])
        lower[open_], upper[open_] = np.fmax(lower[open_], low_gap), np.fmin(upper[open_], high_gap)
        least[rows, c, d], least[rows, d, c] = lower, -upper
        leaves[rows[open_], c[open_], d[open_]] = leaves[rows[open_], d[open_], c[open_]] = differs
    if size > _ALL_PAIRS:
        by_range = down(low[:, :, None] - high[:, None, :]) if size <= 64 else None
        if by_range is not None:
            least = np.fmax(least, by_range)
    least[:, np.arange(size), np.arange(size)] = 0.0
    least = np.where(np.isnan(least), -np.inf, least)
    never_less = least >= 0.0
    always_more = (least > 0.0) | (never_less & leaves)
    lower_index = np.tri(size, k=-1, dtype=bool).T  # [d, c]: d < c
    beaten = (always_more | (never_less & lower_index)).any(axis=1) | (high < best[:, None])
    needed = ~(high < best[:, None])
    for c in range(size - 1, -1, -1):
        others = needed.copy()
        others[:, c] = False
        needed[:, c] &= ~(others & never_less[:, :, c]).any(axis=1)
    lead = np.where(needed[rows, lead], lead, np.argmax(needed, axis=1))
    excess = np.maximum(-least[rows, lead], 0.0)
    excess = np.where(needed, np.fmin(excess, np.maximum(up(high - low[rows, lead][:, None]), 0.0)), 0.0)
    excess[rows, lead] = 0.0
    return ~beaten, needed, lead, excess


def _difference(z: Enclosure, one: IntArray, other: IntArray) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return bounds of the differences of entries, and where they are affine and certainly not zero all over."""
    gap = z.terms[:, one] - z.terms[:, other]
    size = np.abs(gap).sum(axis=0)
    error = (ROUNDOFF * size + z.rest[one] + z.rest[other]) * SLACK
    error = np.where(one == other, 0.0, error)
    above, below = z.reach(gap)
    both = z.is_affine[one] & z.is_affine[other]
    # where one is a little larger or smaller, or both, they are not the same
    most, least = z.shape.reach(gap[1 : 1 + z.n_coordinates], inner=True)
    apart = np.maximum(gap[0] + most, least - gap[0]) * (2.0 - SLACK) > error * SLACK
    low, high = down(gap[0] - up(below + error)), up(gap[0] + up(above + error))
    return low, high, both & apart & np.isfinite(error)


def largest(node: Max, z: Enclosure, winners: Winners, n_between: int, most_symbols: int) -> tuple[Enclosure, int]:
    """Return the enclosure of windows' values, and how many symbols it adds: one for each window with several winners.

    The value lies between the lead's and what others can exceed it by. At most `most_symbols` are added, for the last
    windows.
    """
    start = node.offsets[:-1]
    lead = node.candidates[start + winners.lead]
    terms = z.terms[:, lead]
    rest = z.rest[lead]
    excess = np.maximum.reduceat(winners.excess, start)
    low = np.maximum.reduceat(z.low[node.candidates], start)
    high = np.maximum.reduceat(np.where(winners.needed, z.high[node.candidates], -np.inf), start)
    is_one = np.add.reduceat(winners.needed.astype(np.int64), start) == 1
    is_affine = is_one & z.is_affine[lead]
    radius = np.where(is_one, 0.0, np.nextafter(excess / 2, np.inf))
    own = np.isfinite(radius) & np.isfinite(rest) & (radius > 0.0)
    new = np.flatnonzero(own)[-most_symbols:] if most_symbols else np.zeros(0, dtype=np.int64)
    total = np.concatenate([terms, np.zeros((n_between + new.size, lead.size))])
    middle = np.where(np.isfinite(radius), radius, 0.0)
    total[0] += middle
    rounding = 4.0 * ROUNDOFF * (np.abs(total[0]) + middle) + TINY
    rest = np.where(is_one, rest, (rest + rounding) * SLACK)
    total[terms.shape[0] + n_between + np.arange(new.size), new] = radius[new]
    radius[new] = 0.0
    rest = np.where(radius > 0.0, (rest + radius) * SLACK, rest)
    return known(z, total, z.first, rest, low, high, is_affine), new.size
