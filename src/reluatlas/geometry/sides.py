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

from reluatlas.geometry.simplex import OPTIMAL, UNBOUNDED, append_row, climb, start_at
from reluatlas.kernels import inner, kernel

BELOW, ABOVE, OPEN, UNKNOWN = 1, 2, 4, 8
_U = 2.0**-53
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
    return sign * total + row[k], (row[k + 1] * reach + row[k + 2] + _U * (k + 3) * (size + abs(row[k]))) * 1.0000001


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
        rho[r] = abs(total) + spread + _U * (k + 3) * size
    worst = 0.0
    for j in range(k):
        total = 0.0
        for r in range(k):
            total += rho[r] * abs(table[1 + j, r])
        worst = max(worst, total)
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
                column += abs(total) + _U * (k + 3) * size + con[at, k + 1] * spread
            norm = max(norm, column)
        if not norm < 0.5:
            return -1.0
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
    for j in range(k):
        i = T.nonbasic[j]
        term = y[j] * con[i, k]
        total += term
        size += abs(term)
        spread += off * abs(con[i, k]) + (y[j] + off) * con[i, k + 2]
    return total + (spread + _U * (k + 3) * size) * 1.000001 <= 0.0


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
            step = (2.0 * abs(v_near) + abs(v_here)) / (sign * rate)
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


@inner
def add_constraint(con, m, row, k, side):
    """Write the constraint that the value of a row is at most (BELOW) or at least (ABOVE) zero."""
    up = 1.0 if side == BELOW else -1.0
    for r in range(k):
        con[m, r] = up * row[r]
    con[m, k] = -up * row[k]
    con[m, k + 1], con[m, k + 2] = row[k + 1], row[k + 2]


@inner
def recenter(con, m, k, p, W):
    """Move a point to the middle of its chord along each axis in turn, when it stays certainly inside."""
    q = W.vector[5]
    for r in range(k):
        q[r] = p[r]
    for r in range(k):
        before, after = np.inf, np.inf
        for i in range(m):
            a = con[i, r]
            if a != 0.0:
                slack = con[i, k]
                for c in range(k):
                    slack -= con[i, c] * q[c]
                if a > 0.0:
                    after = min(after, slack / a)
                else:
                    before = min(before, -slack / a)
        if before < np.inf and after < np.inf:
            q[r] += 0.5 * (after - before)
        elif after < np.inf:
            q[r] -= after
        elif before < np.inf:
            q[r] += before
    if is_inside(con, m, k, q):
        for r in range(k):
            p[r] = q[r]


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


# Frames of `split`: constraints, next cutter, side of the last cutter (0: none), sides given, points
F_M, F_NEXT, F_SIDE, F_GIVEN, F_POINTS = range(5)
DONE, FULL, DOUBT = range(3)
CUT = 4
"""Added to a side in a choice when the row cuts there: it is then a constraint of the part."""


@inner
def _children_points(con, m, k, row, side, source, n_source, target, W):
    """Keep the points that are certainly on one side; the first is moved to a better place. Return how many."""
    n = 0
    for q in range(n_source):
        if side_of(row, k, source[q]) == side:
            for r in range(k):
                target[n, r] = source[q, r]
            n += 1
    if n > 0:
        if n < target.shape[0]:
            for r in range(k):
                target[n, r] = target[0, r]
            n += 1
        recenter(con, m, k, target[0], W)
    return n


@kernel
def split(
    con, rows, order, n_cut, frames, frame_points, choice, depth, out_choice, out_points, out_n, collect, budget, T, W
):
    """Split a polyhedron by the rows `order[:n_cut]`, one after another, depth first; return (status, parts, depth).

    Frame 0 is the polyhedron. A part's `choice` holds, for each cutter, the side that it lies on, and CUT where the
    cutter is a constraint of it. FULL: `budget` parts were found; DOUBT: the top frame waits for `F_GIVEN`,
    the sides of its next row; it has what is known of them. Call again to go on.
    """
    k = out_points.shape[2]
    points = frame_points[frame_points.shape[0] - 1]
    n_out = 0
    while depth > 0:
        if n_out >= budget:
            return FULL, n_out, depth
        depth -= 1
        m, q, side, given = frames[depth, F_M], frames[depth, F_NEXT], frames[depth, F_SIDE], frames[depth, F_GIVEN]
        n_points = frames[depth, F_POINTS]
        for i in range(n_points):
            for r in range(k):
                points[i, r] = frame_points[depth, i, r]
        if side != 0:
            choice[q - 1] = side + CUT
            add_constraint(con, m - 1, rows[order[q - 1]], k, side)
        T.status[0] = -1
        while q < n_cut:
            row = rows[order[q]]
            if given >= 0:
                sides, given = given, -1
            else:
                sides, n_points = sides_of(con, m, k, row, points, n_points, T, W)
            if sides & OPEN:
                frames[depth, F_GIVEN] = sides
                frames[depth, F_M], frames[depth, F_NEXT], frames[depth, F_SIDE] = m, q, 0
                frames[depth, F_POINTS] = n_points
                for i in range(n_points):
                    for r in range(k):
                        frame_points[depth, i, r] = points[i, r]
                return DOUBT, n_out, depth + 1
            if sides == BELOW | ABOVE:
                here = BELOW
                if T.status[0] == m:
                    value, _ = value_and_bound(row, k, T.table[0], 1.0)
                    here = ABOVE if value > 0.0 else BELOW
                there = BELOW + ABOVE - here
                add_constraint(con, m, row, k, there)
                frames[depth, F_M], frames[depth, F_NEXT], frames[depth, F_SIDE] = m + 1, q + 1, there
                frames[depth, F_GIVEN] = -1
                frames[depth, F_POINTS] = _children_points(
                    con, m + 1, k, row, there, points, n_points, frame_points[depth], W
                )
                depth += 1
                add_constraint(con, m, row, k, here)
                if T.status[0] == m:
                    append_row(T, con)
                m += 1
                n_points = _children_points(con, m, k, row, here, points, n_points, points, W)
                choice[q] = here + CUT
            else:
                choice[q] = sides
            q += 1
        if collect:
            for j in range(n_cut):
                out_choice[n_out, j] = choice[j]
            out_n[n_out] = n_points
            for i in range(n_points):
                for r in range(k):
                    out_points[n_out, i, r] = points[i, r]
        n_out += 1
    return DONE, n_out, depth


@kernel
def certainly_inside(con, m, k, p):
    """Return whether a point is certainly in the interior of a polyhedron."""
    return is_inside(con, m, k, p)


@kernel
def find_facets(con, m, center, T, W, found):
    """Write 1 for each constraint that cannot be left out, 0 for those that can, -1 where that is open.

    `center` is certainly inside.
    """
    k = center.size
    p = W.vector[4]
    row = W.row
    for i in range(m):
        for r in range(k):
            row[r] = con[i, r]
        row[k], row[k + 1], row[k + 2] = -con[i, k], con[i, k + 1], con[i, k + 2]
        T.status[0] = -1
        found[i] = reach_beyond(con, m, k, i, row, 1.0, center, T, W, p)


@kernel
def bounded(con, m, k, T, cone, W):
    """Return 1 for a polyhedron that is certainly bounded, 0 for one that is not, -1 where that is open.

    Bounded: the rows of a basis are independent, and minus their sum is a combination of rows with weights >= 0.
    Not: a direction that certainly leads away from all constraints.
    """
    if m <= k:
        return 0
    lifted, zero = W.lifted, W.vector[4]
    if m + 1 > lifted.shape[0]:
        return -1
    for i in range(m):
        for r in range(k):
            lifted[i, r] = con[i, r]
        lifted[i, k], lifted[i, k + 1] = 1.0, 0.0
    for r in range(k + 1):
        lifted[m, r] = 0.0
        zero[r] = 0.0
    lifted[m, k], lifted[m, k + 1] = 1.0, 1.0
    zero[k] = -1.0
    start_at(cone, lifted, m + 1, zero)
    goal = W.vector[2]
    for r in range(k):
        goal[r] = 0.0
    goal[k] = 1.0
    if climb(cone, goal, -1, 60 * (k + 2) + 4 * m) == OPTIMAL and cone.table[0, k] > 0.5:
        leads = True
        for i in range(m):
            total, size, reach = 0.0, 0.0, 0.0
            for r in range(k):
                term = con[i, r] * cone.table[0, r]
                total += term
                size += abs(term)
                reach += abs(cone.table[0, r])
            leads &= total < -(con[i, k + 1] * reach + _U * (k + 3) * size) * 1.0000001
        if leads:
            return 0
    # a basis of the recession cone's apex: all right-hand sides zero
    for i in range(m):
        lifted[i, k], lifted[i, k + 1], lifted[i, k + 2] = 0.0, con[i, k + 1], 0.0
    for r in range(k):
        zero[r] = 0.0
    start_at(T, lifted, m, zero)
    row, g = W.row, W.vector[2]
    for r in range(k):
        g[r] = 0.0
        for i in range(m):
            g[r] -= (1.0 + 0.01 * (i % 7)) * con[i, r]
    if climb(T, g, -1, 60 * (k + 2) + 4 * m) != OPTIMAL:
        return -1
    for r in range(k):
        row[r] = 0.0
        for j in range(k):
            if T.nonbasic[j] < 0:
                return -1
            row[r] -= con[T.nonbasic[j], r]
    row[k], row[k + 1], row[k + 2] = 0.0, 0.0, 0.0
    if multipliers(con, k, row, -1.0, T, W) < 0.0:
        return -1
    for r in range(k):
        g[r] = row[r]
    if climb(T, g, -1, 60 * (k + 2) + 4 * m) != OPTIMAL:
        return -1
    return 1 if multipliers(con, k, row, 1.0, T, W) >= 0.0 else -1
