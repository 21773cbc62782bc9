"""Where is a linear function largest on a polyhedron? Warm dictionaries of the simplex method, in compiled kernels.

The polyhedron is `{z : a_i . z <= b_i}` in k free variables. A dictionary writes the variables and all slacks
`s_i = b_i - a_i . z` as affine functions of k nonbasic ones, which are zero at the current point: slacks, or free
directions that have not met a constraint yet. Any point may be the start, all variables free; so no first phase is
needed where a point of the polyhedron is known. A row is added, or relaxed, and an objective changed, without
starting again.

A dictionary is float64, and only proposes: what follows from a basis is confirmed elsewhere, by a bound or exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner, kernel

OPTIMAL, UNBOUNDED, STUCK = range(3)
_TINY = 1e-11
"""Below this share of their size, reduced costs, pivots and steps count as zero: in the search, never in a decision."""


class Dictionary(NamedTuple):
    """The buffers of one dictionary.

    Attributes
    ----------
    table : ndarray, shape (k + 1, k + room)
        Column r < k: variable r; column k + i: slack i. Row 0: values at the current point; row 1 + j: coefficients of
        nonbasic j.
    nonbasic : ndarray, shape (k,)
        A constraint's index, or -1 - r for a free direction that began as variable r.
    place : ndarray, shape (room,)
        Position of a slack among the nonbasic ones, or -1.
    cost : ndarray, shape (k,)
        Reduced costs of the last objective.
    status : ndarray, shape (4,)
        Number of constraints (0 when not started), pivots so far, position and direction of the last unbounded stop.
    """

    table: NDArray[np.float64]
    nonbasic: NDArray[np.int64]
    place: NDArray[np.int64]
    cost: NDArray[np.float64]
    status: NDArray[np.int64]


def new_dictionary(k: int, room: int) -> Dictionary:
    """Return buffers for k variables and up to `room` constraints."""
    return Dictionary(
        np.zeros((k + 1, k + room)),
        np.zeros(k, dtype=np.int64),
        np.full(room, -1, dtype=np.int64),
        np.zeros(k),
        np.zeros(4, dtype=np.int64),
    )


@inner
def append_row(T, con):
    """Add the next constraint, row `status[0]` of `con` (a, b, ...), to a dictionary."""
    table = T.table
    k, m = table.shape[0] - 1, T.status[0]
    for j in range(k + 1):
        total = 0.0
        for r in range(k):
            total += con[m, r] * table[j, r]
        table[j, k + m] = -total
    table[0, k + m] += con[m, k]
    T.place[m] = -1
    T.status[0] = m + 1


@kernel
def start_at(T, con, m, point):
    """Start a dictionary at a point, with all directions free."""
    table = T.table
    k = table.shape[0] - 1
    for j in range(k + 1):
        for r in range(k):
            table[j, r] = 0.0
    for r in range(k):
        table[0, r] = point[r]
        table[1 + r, r] = 1.0
        T.nonbasic[r] = -1 - r
    T.status[0] = 0
    for _ in range(m):
        append_row(T, con)


@inner
def _pivot(T, j, i):
    """Make slack i nonbasic in the place of nonbasic j."""
    table = T.table
    k = table.shape[0] - 1
    end = k + T.status[0]
    source = table[1 + j]
    column = k + i
    p = source[column]
    for row in range(k + 1):
        if row == 1 + j:
            continue
        target = table[row]
        factor = target[column] / p
        if factor != 0.0:
            for r in range(end):
                target[r] -= factor * source[r]
        target[column] = 0.0
    for r in range(end):
        source[r] /= p
    source[column] = 1.0
    out = T.nonbasic[j]
    if out >= 0:
        T.place[out] = -1
    T.nonbasic[j] = i
    T.place[i] = j
    T.status[1] += 1


@inner
def price(T, g):
    """Write the reduced costs of an objective; return its value at the current point."""
    table = T.table
    k = table.shape[0] - 1
    for j in range(k):
        total = 0.0
        for r in range(k):
            total += g[r] * table[1 + j, r]
        T.cost[j] = total
    value = 0.0
    for r in range(k):
        value += g[r] * table[0, r]
    return value


@inner
def _entering(T, g, skip, bland):
    """Return the nonbasic to move for a larger objective and its direction, or (-1, 0)."""
    table = T.table
    k = table.shape[0] - 1
    best, top, sign = -1, 0.0, 1.0
    for j in range(k):
        cost = T.cost[j]
        size = 0.0
        for r in range(k):
            size += abs(g[r] * table[1 + j, r])
        if abs(cost) <= _TINY * size:
            continue
        free = T.nonbasic[j] < 0 or T.nonbasic[j] == skip
        if cost <= 0.0 and not free:
            continue
        if bland:
            if best < 0 or T.nonbasic[j] < T.nonbasic[best]:
                best, sign = j, 1.0 if cost > 0.0 else -1.0
        elif abs(cost) > top:
            best, top, sign = j, abs(cost), 1.0 if cost > 0.0 else -1.0
    return best, sign


@inner
def _leaving(T, j, sign, skip, bland):
    """Return the slack that first reaches zero when nonbasic j moves, and the step; or (-1, 0)."""
    table = T.table
    k, m = table.shape[0] - 1, T.status[0]
    value, move = table[0], table[1 + j]
    biggest = 0.0
    for i in range(m):
        biggest = max(biggest, abs(move[k + i]))
    least = np.inf
    best, strongest = -1, 0.0
    for i in range(m):
        rate = -sign * move[k + i]
        if rate <= 1e-10 * biggest or i == skip or T.place[i] >= 0:
            continue
        step = max(value[k + i], 0.0) / rate
        slack = 1e-12 * least if least < np.inf else 0.0
        if step < least - slack or (step <= least + slack and not bland and rate > strongest):
            best, strongest = i, rate
            least = min(least, step)
    return best, least


@kernel
def climb(T, g, skip, limit):
    """Move to a point of the polyhedron where `g . z` is largest, from a point in it; return how that went.

    Constraint `skip` (-1: none) is left out. OPTIMAL; UNBOUNDED: nonbasic `status[2]` can move forever, in direction
    `status[3]`; STUCK: too many steps.
    """
    bland, still = False, 0
    k = T.table.shape[0] - 1
    for _ in range(limit):
        price(T, g)
        j, sign = _entering(T, g, skip, bland)
        if j < 0:
            return OPTIMAL
        i, step = _leaving(T, j, sign, skip, bland)
        if i < 0:
            T.status[2], T.status[3] = j, 1 if sign > 0.0 else -1
            return UNBOUNDED
        if step == 0.0:
            still += 1
            bland = still > 2 * k + 4
        else:
            still = 0
            bland = False
        _pivot(T, j, i)
    return STUCK
