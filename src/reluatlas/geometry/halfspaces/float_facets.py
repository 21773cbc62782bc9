"""Which constraints are certainly facets, and is a polyhedron certainly bounded? By compiled float64, else left open.

Constraints, rows, and what is certain are those of `reluatlas.geometry.halfspaces.row_sides`.
"""

from __future__ import annotations

from reluatlas.compiled.jit import kernel
from reluatlas.geometry.halfspaces.row_sides import LOST, UNIT_ROUNDOFF, is_inside, multipliers, reach_beyond
from reluatlas.geometry.programs.dictionary import OPTIMAL, climb, start_at


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
            leads &= total < -(con[i, k + 1] * reach + UNIT_ROUNDOFF * (k + 3) * size) * 1.0000001 - LOST
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
