"""On which sides of a row does a polyhedron reach? Proved by points inside it, or by multipliers; else left open.

Constraints and rows come with bounds on their errors: a row of `con` is (a, b, e, f) for `a . z <= b`, where each
number of a is within e, and b within f, of the true one; `row` is (g, h, e, f) for the value `g . z + h`. All
polyhedra here have an interior. A point proves that the interior reaches a side when all slacks there, and the value,
are beyond their bounds. Multipliers y >= 0 with `g = y . A` and `y . b + h <= 0` prove that no value is positive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.jit import inner, kernel
from reluatlas.geometry.programs.dictionary import OPTIMAL, UNBOUNDED, climb, start_at

BELOW, ABOVE, OPEN, UNKNOWN = 1, 2, 4, 8
UNIT_ROUNDOFF = 2.0**-53
LOST = 2.0**-1000
"""More than a sum of k products loses by underflow."""
POINTS = 12
"""Most points inside a polyhedron that are kept to prove where it reaches."""


class Scratch(NamedTuple):
    """Room for one proof: vectors of k numbers, one row, and constraints with one variable more."""

    vector: NDArray[np.float64]
    row: NDArray[np.float64]
    lifted: NDArray[np.float64]


def new_scratch(k: int, room: int) -> Scratch:
    """Return room for proofs in k variables about up to `room` constraints."""
    return Scratch(np.zeros((6, k + 1)), np.zeros(k + 3), np.zeros((room + 1, k + 3)))


@inner
def value_and_bound(row, k, p, sign):
    """Return `sign * (row[:k] . p) + row[k]` and a bound on its error."""
    total, size, reach = 0.0, 0.0, 0.0
    for r in range(k):
        term = row[r] * p[r]
        total += term
        size += abs(term)
        reach += abs(p[r])
    bound = row[k + 1] * reach + row[k + 2] + UNIT_ROUNDOFF * (k + 3) * (size + abs(row[k]))
    return sign * total + row[k], bound * 1.0000001 + LOST


@inner
def is_inside(con, m, k, p):
    """Return whether a point is certainly in the interior."""
    for i in range(m):
        slack, bound = value_and_bound(con[i], k, p, -1.0)
        if not slack > bound:
            return False
    return True


@inner
def side_of(row, k, p):
    """Return BELOW or ABOVE where the value at a point is certain, else 0."""
    value, bound = value_and_bound(row, k, p, 1.0)
    return ABOVE if value > bound else (BELOW if value < -bound else 0)


@inner
def _sure_inside_beyond(con, m, k, skip, row, up, p):
    """Return whether a point is certainly inside, constraint `skip` aside, and on the side `up` of a row."""
    value, bound = value_and_bound(row, k, p, 1.0)
    if not up * value > bound:
        return False
    for i in range(m):
        if i != skip:
            slack, bound = value_and_bound(con[i], k, p, -1.0)
            if not slack > bound:
                return False
    return True


@inner
def _witness(con, m, k, skip, row, up, T, center, far, p):
    """Write a point inside, beyond a row, near the point `far` of the polyhedron's boundary; return whether sure."""
    v_far, _ = value_and_bound(row, k, far, 1.0)
    v_near, _ = value_and_bound(row, k, center, 1.0)
    v_far, v_near = up * v_far, up * v_near
    if not v_far > 0.0:
        return False
    whole = 1.0 if v_near >= 0.0 else v_far / (v_far - v_near)
    for share in (0.5, 0.1, 0.9):
        t = share * whole
        for r in range(k):
            p[r] = far[r] + t * (center[r] - far[r])
        if _sure_inside_beyond(con, m, k, skip, row, up, p):
            return True
    return False


@inner
def multipliers(con, k, row, up, T, W):
    """Write the multipliers of the current basis for `up * row[:k]` to `W.vector[0]`.

    Returns a bound on their errors when all are certainly >= 0, else -1. With M the rows of the basis, X an
    approximate inverse of M and G = I - M X: the true multipliers y differ from the float ones by
    (g - y M) X (I - G)^-1, whose largest entry is at most |g - y M| |X| / (1 - |G|_1).
    """
    table, nonbasic = T.table, T.nonbasic
    # X[r, j] = -table[1 + j, r]; y_j = sum_r up * g_r * X[r, j]
    y, rho = W.vector[0], W.vector[1]
    for j in range(k):
        if nonbasic[j] < 0:
            return -1.0
        total = 0.0
        for r in range(k):
            total -= row[r] * table[1 + j, r]
        y[j] = up * total
        if y[j] < 0.0:
            return -1.0
    for r in range(k):
        total, size, spread = up * row[r], abs(row[r]), row[k + 1]
        for j in range(k):
            i = nonbasic[j]
            term = y[j] * con[i, r]
            total -= term
            size += abs(term)
            spread += y[j] * con[i, k + 1]
        rho[r] = abs(total) + spread + UNIT_ROUNDOFF * (k + 3) * size + LOST
    worst = 0.0
    for j in range(k):
        total = 0.0
        for r in range(k):
            total += rho[r] * abs(table[1 + j, r])
        if not total <= worst:  # NaN, too
            worst = total
    norm = 0.0
    if worst > 0.0:
        # largest column sum of |I - M X|
        for j in range(k):
            column = 0.0
            for i in range(k):
                at = nonbasic[i]
                total, size, spread = (1.0 if i == j else 0.0), 1.0 if i == j else 0.0, 0.0
                for r in range(k):
                    term = con[at, r] * table[1 + j, r]
                    total += term
                    size += abs(term)
                    spread += abs(table[1 + j, r])
                column += abs(total) + UNIT_ROUNDOFF * (k + 3) * size + con[at, k + 1] * spread
            if not column < 0.5:
                return -1.0
            norm = max(norm, column)
    off = worst / (1.0 - norm) * 1.000001
    for j in range(k):
        if not y[j] > off and not (y[j] == 0.0 and off == 0.0):
            return -1.0
    return off


@inner
def prove_not_beyond(con, k, row, up, T, W):
    """Return whether the current basis certainly proves that `up * (row's value)` is never positive."""
    off = multipliers(con, k, row, up, T, W)
    if off < 0.0:
        return False
    y = W.vector[0]
    total, size, spread = up * row[k], abs(row[k]), row[k + 2]
    lost = 0.0
    for j in range(k):
        i = T.nonbasic[j]
        term = y[j] * con[i, k]
        if con[i, k] != 0.0 or con[i, k + 2] != 0.0:
            lost = LOST
        total += term
        size += abs(term)
        spread += off * abs(con[i, k]) + (y[j] + off) * con[i, k + 2]
    return total + (spread + UNIT_ROUNDOFF * (k + 3) * size) * 1.000001 + lost <= 0.0


@inner
def _is_zero(row, k):
    total = abs(row[k + 1])
    for r in range(k):
        total = max(total, abs(row[r]))
    return total == 0.0


@inner
def reach_beyond(con, m, k, skip, row, up, center, T, W, p):
    """Return 1 and write a point when the polyhedron certainly reaches beyond a row, 0 when certainly not, else -1.

    Beyond: `up * (row's value) > 0`. Constraint `skip` (-1: none) is left out. A dictionary that was started for these
    constraints is used as it stands.
    """
    g, far = W.vector[2], W.vector[3]
    for r in range(k):
        g[r] = up * row[r]
    for attempt in range(2):
        if attempt == 1 or T.status[0] != m:
            start_at(T, con, m, center)
        how = climb(T, g, skip, 60 * (k + 2) + 4 * m)
        if how != OPTIMAL and how != UNBOUNDED:
            continue
        table = T.table
        for r in range(k):
            far[r] = table[0, r]
        if how == UNBOUNDED:
            j, sign = T.status[2], float(T.status[3])
            v_near, _ = value_and_bound(row, k, center, 1.0)
            v_here, _ = value_and_bound(row, k, far, 1.0)
            rate = 0.0
            for r in range(k):
                rate += g[r] * table[1 + j, r]
            step = (2.0 * abs(v_near) + abs(v_here)) / (sign * rate) if sign * rate > 0.0 else 1.0
            step = step if step > 0.0 else 1.0
            for r in range(k):
                far[r] += sign * step * table[1 + j, r]
        if _witness(con, m, k, skip, row, up, T, center, far, p):
            return 1
        if how == OPTIMAL and prove_not_beyond(con, k, row, up, T, W):
            return 0
    return -1


@inner
def sides_of(con, m, k, row, points, n_points, T, W):
    """Return (sides the interior reaches, number of points); with OPEN, a side that is not named is left open."""
    if _is_zero(row, k):
        if row[k] > row[k + 2]:
            return ABOVE, n_points
        if row[k] < -row[k + 2]:
            return BELOW, n_points
        return (0 if row[k + 2] == 0.0 else OPEN), n_points
    sides = 0
    for q in range(n_points):
        sides |= side_of(row, k, points[q])
        if sides == BELOW | ABOVE:
            return sides, n_points
    if n_points == 0:
        return OPEN, n_points
    p = W.vector[4]
    for side in (ABOVE, BELOW):
        if sides & side:
            continue
        up = 1.0 if side == ABOVE else -1.0
        found = reach_beyond(con, m, k, -1, row, up, points[0], T, W, p)
        if found < 0:
            return sides | OPEN, n_points
        if found == 1:
            sides |= side
            n_points = keep_point(points, n_points, p, k)
    return sides, n_points


@inner
def keep_point(points, n_points, p, k):
    """Add a point to the known ones, or put it in the place of the last."""
    at = min(n_points, points.shape[0] - 1)
    for r in range(k):
        points[at, r] = p[r]
    return at + 1


@kernel
def classify(con, m, rows, points, n_points, T, W, sides, first):
    """Write the sides that a polyhedron reaches of each row from `first` on, where they are UNKNOWN.

    Returns (the first row left open, or their number, number of points known). The dictionary is as the open row
    left it; with `first` = 0 it is started again.
    """
    k = points.shape[1]
    if first == 0:
        T.status[0] = -1
    for j in range(first, rows.shape[0]):
        if sides[j] == UNKNOWN:
            sides[j], n_points = sides_of(con, m, k, rows[j], points, n_points, T, W)
            if sides[j] & OPEN:
                return j, n_points
    return rows.shape[0], n_points
