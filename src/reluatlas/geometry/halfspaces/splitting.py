"""How is a polyhedron split by one row after another? Depth first, with a point inside every part.

Constraints, rows, and what is certain are those of `reluatlas.geometry.halfspaces.row_sides`.
"""

from __future__ import annotations

import numpy as np

from reluatlas.compiled.jit import inner, kernel
from reluatlas.geometry.halfspaces.row_sides import ABOVE, BELOW, OPEN, is_inside, side_of, sides_of, value_and_bound
from reluatlas.geometry.programs.dictionary import append_row

# Frames of `split`: constraints, next cutter, side of the last cutter (0: none), sides given, points
F_M, F_NEXT, F_SIDE, F_GIVEN, F_POINTS = range(5)
DONE, FULL, DOUBT = range(3)
CUT = 4
"""Added to a side in a choice when the row cuts there: it is then a constraint of the part."""


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
